/* The kernels and what each promises.
 *
 * Every kernel exists once for each dtype and each instruction set, behind a table, mlp_kernels,
 * that isa.h hands out. A kernel computes what one member of a team is to compute: it knows
 * matrices, rows and pairs, but neither layers nor batches; network/ calls it.
 *
 * Kernels do not allocate. They poll now and then (threads/team.h). Where the team is to stop they
 * end early, and what they write may be written in part; those that return bool then return true.
 *
 * Sums run in index order from their start (a bias, +0 for -0, or +0), however the work is blocked
 * and shared, so that a kernel gives one answer for one input on all instruction sets that have
 * fused multiply-add.
 *
 * To add a kernel: its type with its contract and a line of MLP_KERNELS here, and a function
 * FN(name) in one of the templates that instance.h includes.
 */
#ifndef MLP_KERNELS_H
#define MLP_KERNELS_H

#include "base/arena.h"
#include "base/views.h"
#include "kernels/data.h"
#include "kernels/lists.h"
#include "threads/team.h"

/* The second factor of a product, packed in panels of tile_cols columns:
 * data[panel][p][j] = b[p][panel * tile_cols + j]; 0 past the last column, as far as a vector goes.
 */
typedef struct {
    void *data; /* NULL where it is not packed */
    ptrdiff_t inner, cols;
} mlp_packed;

/* Where a product starts: at a vector added to each row of C, at zero (a NULL bias), or at what C
 * holds. */
typedef struct {
    const mlp_matrix *bias;
    bool accumulate;
} mlp_start;

/* What the losses of the rows begin to end of a span are computed from, and where they go. */
typedef struct {
    mlp_span span;
    ptrdiff_t begin, end;
    mlp_matrix logits; /* of the span's rows; contiguous */
    mlp_matrix deltas; /* gradients in the logits, likewise; absent where nobody asks for them */
    double *losses;    /* of the span's rows, times their sample weights */
    double scale;      /* what the gradients are multiplied with, beside the sample weight */
    bool drops_tiny;   /* gradients that are tiny become 0: see tiny.h */
} mlp_loss_rows;

enum {
    MLP_MAX_PARTS = 4,     /* of the first layer's columns: see network/slices.h */
    MLP_PART_COLS = 16,    /* a part of the first layer begins at a multiple of so many columns */
    MLP_SQUARE_LANES = 16, /* partial sums of squares, the same on every instruction set */
    MLP_SQUARE_ROWS = 8    /* rows of a gradient whose squares have a sum together */
};

/* Where the sums of a matrix's squared elements go, by row and, in a row, by part: sums of
 * neighbouring parts are `stride` apart. A part ends with a column that is a multiple of
 * MLP_SQUARE_LANES, or the last one. */
typedef struct {
    double *sums; /* NULL where nobody asks for them */
    ptrdiff_t stride;
    ptrdiff_t n_parts, ends[MLP_MAX_PARTS];
} mlp_squares;

/* A parameter, or some rows of it, with its gradient and moments, as many as the rule keeps. */
typedef struct {
    mlp_matrix value, gradient, moments[MLP_MAX_MOMENTS];
} mlp_update_rows;

/* One step of an update rule for one parameter. */
typedef struct {
    const mlp_rule *rule;
    double learning_rate;
    double l2;              /* l2 * value is added to the gradient */
    double gradient_factor; /* which is then multiplied with this, 1 for none */
    double decay;           /* decay * value is taken from the value, before the step */
    int64_t number;         /* of the step, counted from 1 */
} mlp_step;

/* Rows of a dense array whose pairs are counted or listed, and the room that a member has for one
 * row: converted, and the columns of its pairs. */
typedef struct {
    const mlp_input *x;
    ptrdiff_t begin, end;
    void *row;
    uint32_t *columns;
} mlp_scan;

/* Where list_pairs writes: the pairs of row i and their columns, of column_bytes 2 or 4, to
 * row_starts[i] and on. */
typedef struct {
    const int64_t *row_starts;
    void *pairs, *columns;
    int column_bytes;
} mlp_pair_lists;

/* ---- rows (load.h, strips.h, rows.h, nonzeros.h) ---- */

/* Loads rows load_begin to load_end of the span: dense rows are gathered and converted unless they
 * are used in place; of sparse ones pairs are loaded. Then elements of the mask are dropped. */
typedef void mlp_load_rows_kernel(mlp_worker *worker, const mlp_rows *rows);

/* Lists the same rows, whole strips, by column, once they are loaded. */
typedef bool mlp_list_rows_kernel(mlp_worker *worker, const mlp_rows *rows);

/* Whether all elements of the rows that were loaded are finite. */
typedef bool mlp_are_finite_kernel(mlp_worker *worker, const mlp_rows *rows);

/* counts[i] = how many pairs row i has. */
typedef void mlp_count_pairs_kernel(mlp_worker *worker, const mlp_scan *scan, int64_t *counts);

/* Lists them; zeros take the place of those that are no longer there. */
typedef void mlp_list_pairs_kernel(mlp_worker *worker, const mlp_scan *scan,
                                   const mlp_pair_lists *lists);

/* ---- products and sums (gemm.h, row_product.h, sparse.h, sums.h) ---- */

/* Packs b, whose first element is (row, col) of the packed matrix. */
typedef void mlp_pack_kernel(mlp_worker *worker, const mlp_matrix *b, ptrdiff_t row, ptrdiff_t col,
                             const mlp_packed *packed);

/* c = start + a b */
typedef bool mlp_multiply_kernel(mlp_worker *worker, const mlp_matrix *a, const mlp_packed *b,
                                 const mlp_matrix *c, mlp_start start);

/* out = bias + a weights, for rows of a too few to pack the weights for: several only where weights
 * have whole vectors, or it is slow. */
typedef bool mlp_multiply_few_kernel(mlp_worker *worker, const mlp_matrix *a,
                                     const mlp_matrix *weights, const mlp_matrix *bias,
                                     const mlp_matrix *out);

/* out = bias + (rows begin to end) weights, of sparse rows: by columns where the rows are listed
 * and many, and out is padded; else row by row. */
typedef bool mlp_multiply_pairs_kernel(mlp_worker *worker, const mlp_rows *rows,
                                       const mlp_matrix *weights, const mlp_matrix *bias,
                                       const mlp_matrix *out);

/* sums = x^T deltas for the columns of x from `begin` on, an even number, as many as sums has
 * rows; or that added to sums. x is listed. The rows of deltas and sums are padded, and sums has
 * room for one row more where its number of rows is odd. */
typedef void mlp_multiply_pairs_transposed_kernel(mlp_worker *worker, const mlp_pairs *x,
                                                  ptrdiff_t begin, const mlp_matrix *deltas,
                                                  bool accumulate, const mlp_matrix *sums);

/* out = the sum of the rows of m, in order; or that added to out. */
typedef void mlp_sum_rows_kernel(mlp_worker *worker, const mlp_matrix *m, bool accumulate,
                                 const mlp_matrix *out);

/* ---- activations (activations.h, dropout.h) ---- */

/* a = f(z), where a may be z; and slopes = f'(z), unless they are absent. */
typedef void mlp_activate_kernel(mlp_worker *worker, mlp_activation activation, const mlp_matrix *z,
                                 const mlp_matrix *a, const mlp_matrix *slopes);

/* deltas *= slopes; where slopes are absent, deltas *= f'(z) as computed from a = f(z). With
 * drops_tiny, deltas that are then tiny become 0 (tiny.h). */
typedef void mlp_apply_slopes_kernel(mlp_worker *worker, mlp_activation activation,
                                     const mlp_matrix *a, const mlp_matrix *slopes, bool drops_tiny,
                                     const mlp_matrix *deltas);

/* values *= the factors of a mask, 0 or 1 / (1 - its probability); and slopes, unless absent. */
typedef void mlp_drop_kernel(mlp_worker *worker, const mlp_mask *mask, const mlp_matrix *values,
                             const mlp_matrix *slopes);

/* to = from, of one shape. Does not poll. */
typedef void mlp_copy_kernel(const mlp_matrix *from, const mlp_matrix *to);

/* ---- outputs and losses (outputs.h, softmax.h, losses.h, cross_entropy.h, narrow_rows.h) ---- */

/* z = the output activation of the rows of z. */
typedef void mlp_apply_output_kernel(mlp_worker *worker, mlp_output output, const mlp_matrix *z);

/* Losses of rows and, unless deltas are absent, their gradients in the logits. */
typedef void mlp_compute_losses_kernel(mlp_worker *worker, const mlp_loss *loss,
                                       const mlp_loss_rows *rows);

/* out = softmax(logits), row by row. */
typedef void mlp_softmax_kernel(mlp_worker *worker, const mlp_matrix *logits,
                                const mlp_matrix *out);

/* dlogits = (p - y) / n with p the softmax of a row. Returns the sum of the losses, in order. */
typedef double mlp_softmax_cross_entropy_kernel(mlp_worker *worker, const mlp_loss *loss,
                                                const mlp_matrix *logits,
                                                const mlp_targets *targets,
                                                const mlp_matrix *dlogits);

/* ---- updates (rules.h, update.h) ---- */

/* Updates a parameter and its moments in place. Moments that decay become 0 where they are tiny
 * (tiny.h). Writes the sums of squares of the values before. */
typedef void mlp_update_kernel(mlp_worker *worker, const mlp_step *step,
                               const mlp_update_rows *rows, const mlp_squares *squares);

/* out = gradient + l2 * value. Writes the sums of squares of the values. */
typedef void mlp_add_l2_kernel(mlp_worker *worker, double l2, const mlp_update_rows *rows,
                               const mlp_matrix *out, const mlp_squares *squares);

/* Writes the sums of squares of gradient + l2 * value, in double: none of float32 overflows. There
 * is one for MLP_SQUARE_ROWS rows, or what is left of them, and not for each row. */
typedef void mlp_square_gradient_kernel(mlp_worker *worker, double l2, const mlp_update_rows *rows,
                                        const mlp_squares *squares);

#define MLP_KERNELS(K)           \
    K(load_rows)                 \
    K(list_rows)                 \
    K(are_finite)                \
    K(count_pairs)               \
    K(list_pairs)                \
    K(pack)                      \
    K(multiply)                  \
    K(multiply_few)              \
    K(multiply_pairs)            \
    K(multiply_pairs_transposed) \
    K(sum_rows)                  \
    K(activate)                  \
    K(apply_slopes)              \
    K(drop)                      \
    K(copy)                      \
    K(apply_output)              \
    K(compute_losses)            \
    K(softmax)                   \
    K(softmax_cross_entropy)     \
    K(update)                    \
    K(add_l2)                    \
    K(square_gradient)

/* The kernels of one dtype and instruction set, and the sizes that fit them. */
typedef struct {
    mlp_dtype dtype;
    ptrdiff_t lanes;     /* elements of a vector */
    ptrdiff_t tile_rows; /* of the register tile of a product */
    ptrdiff_t tile_cols;
    ptrdiff_t block_rows;  /* rows of a product that go through a block of columns together */
    ptrdiff_t block_units; /* input units in a task on a gradient: whole tiles, and whole panels of
                              the transposed weights, to avoid false sharing */
    ptrdiff_t entry_bytes; /* of a listed pair */
#define K(name) mlp_##name##_kernel *name;
    MLP_KERNELS(K)
#undef K
} mlp_kernels;

/* A workspace's matrix. Its rows are padded to an odd number of vectors: of a power of two, they
 * would share a few sets of the cache. */
static inline mlp_matrix
mlp_padded_matrix(const mlp_kernels *kernels, void *data, ptrdiff_t rows, ptrdiff_t cols)
{
    ptrdiff_t stride = (mlp_ceil_div(cols, kernels->lanes) | 1) * kernels->lanes;
    return (mlp_matrix){data, rows, cols, stride, 1, mlp_item_of(kernels->dtype), true};
}

/* The same in memory of a space of an arena. */
static inline mlp_matrix
mlp_alloc_padded_of(mlp_space *space, const mlp_kernels *kernels, ptrdiff_t rows, ptrdiff_t cols)
{
    mlp_matrix m = mlp_padded_matrix(kernels, NULL, rows, cols);
    m.data = mlp_alloc_of(space, rows, m.row_stride, (size_t)m.item);
    return m;
}

/* One that is written before it is read. Where the last vector has lanes past the last column,
 * these are 0, and stay finite: else they could be slow, or raise floating-point exceptions. */
static inline mlp_matrix
mlp_alloc_padded(mlp_arena *arena, const mlp_kernels *kernels, ptrdiff_t rows, ptrdiff_t cols)
{
    bool is_whole = cols % kernels->lanes == 0;
    return mlp_alloc_padded_of(is_whole ? &arena->uncleared : &arena->cleared, kernels, rows, cols);
}

enum {
    MLP_STRIP_ROWS = 128,      /* rows of sparse data that are listed together: their vectors of
                                  outputs fill the first-level cache */
    MLP_LEAST_STRIP_ROWS = 32, /* in fewer rows too few columns have several pairs */
    MLP_SUMS_BYTES = 16 << 10, /* of a block of input units of sparse rows */
    MLP_FEW_ROWS = 4,          /* rows too few to pack weights for, which costs more than to
                                  multiply them as they lie */
    MLP_FEW_ROWS_OF_TILES = 32 /* the same where the weights have whole vectors, and are packed for
                                  these rows alone */
};

/* The tables, one a dtype, of each instruction set (isa/<name>.c). */
extern const mlp_kernels mlp_kernels_baseline[MLP_N_DTYPES];
extern const mlp_kernels mlp_kernels_neon[MLP_N_DTYPES];
extern const mlp_kernels mlp_kernels_avx2[MLP_N_DTYPES];
extern const mlp_kernels mlp_kernels_avx512[MLP_N_DTYPES];

#endif
