/* The kernels of one instruction set, for both dtypes.
 *
 * The including file, isa/<name>.c, defines
 *     MLP_TABLE         the name of the table it exports
 *     MLP_VECTOR_BYTES  the width of a vector register
 *     TILE_ROWS, TILE_VECTORS  the shape of the register tile of a product:
 *         TILE_ROWS * TILE_VECTORS sums, TILE_VECTORS operands and a broadcast
 *         should just fit the registers
 * and is compiled with the flags of its instruction set; setup.py lists them.
 */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "kernels/kernels.h"

#define ALWAYS_INLINE __attribute__((always_inline))
#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define FN(name) JOIN(name, SUFFIX)
#define VEC FN(vec)
#define BITS_VEC FN(bits_vec)
#define ROW_SUMS FN(row_sums)
#define SEGMENT FN(segment)
#define BLOCK FN(block)
#define SPAN FN(span)
#define PAIR FN(pair)
#define ROW FN(row)
#define AHEAD FN(ahead)
#define ENTRY FN(entry)
#define SPARSE FN(sparse)
#define SLICE FN(slice)
#define PIECE FN(piece)
#define ROWS FN(rows)
#define PACKED FN(packed)
#define GEMM_START FN(gemm_start)
#define CHUNK FN(chunk)
#define CONSTANTS FN(constants_of_rule)
#define SQUARES FN(squares)
#define SPACE FN(space)
#define PLACE FN(place)
#define TOTAL FN(total)
#define LANES (MLP_VECTOR_BYTES / (ptrdiff_t)sizeof(REAL))

/* The same on every instruction set: partial sums of squares, and the columns that the
 * slices of the first layer are multiples of. */
enum { SQUARE_LANES = 16, SLICE_COLS = 16 };

/* The values of elements. A float16's exponent moves by 112 to become a float's; its
 * denormals need a multiplication, and infinity and NaN the highest exponent. */
#define mlp_plain(element) (element)
#define mlp_truth(element) ((element) != 0)

static inline float
mlp_half(uint16_t element)
{
    union {
        uint32_t bits;
        float value;
    } magnitude = {(uint32_t)(element & 0x7fff) << 13};
    bool is_finite = magnitude.bits < 0x7c00u << 13;
    magnitude.value *= 0x1p112f;
    magnitude.bits |= is_finite ? 0 : 0x7f800000u;
    magnitude.bits |= (uint32_t)(element & 0x8000) << 16;
    return magnitude.value;
}

static inline mlp_matrix
mlp_transpose(const mlp_matrix *m)
{
    return (mlp_matrix){m->data, m->cols, m->rows, m->col_stride, m->row_stride, false};
}

#define REAL_BITS 32
#include "kernels/real.h"

#include "kernels/templates.h"

#undef REAL_BITS
#define REAL_BITS 64
#include "kernels/real.h"

#include "kernels/templates.h"

const mlp_kernels MLP_TABLE[MLP_N_DTYPES] = {
    [MLP_FLOAT32] =
        {
#define K(name, workspace) .name = {name##_f32, workspace##_f32},
            MLP_KERNELS(K)
#undef K
        },
    [MLP_FLOAT64] =
        {
#define K(name, workspace) .name = {name##_f64, workspace##_f64},
            MLP_KERNELS(K)
#undef K
        },
};
