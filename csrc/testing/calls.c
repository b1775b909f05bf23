/* The kernels, with their arguments from Python. */
#include "testing/calls.h"

/* Aligned memory that the call frees; NULL without any. */
static void *
alloc_aligned(lent_call *call, size_t size)
{
    call->memory = malloc(size + MLP_ALIGNMENT);
    if (call->memory == NULL) {
        call->has_failed = true;
        return NULL;
    }
    size_t beyond = (uintptr_t)call->memory % MLP_ALIGNMENT;
    return (char *)call->memory + (MLP_ALIGNMENT - beyond);
}

void
lent_map(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    (void)worker;
    call->functions[call->code][call->dtype](&call->arrays[0], &call->arrays[1]);
}

void
lent_activate(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_matrix *a = call->arrays;
    call->kernels->activate(worker, (mlp_activation)call->code, &a[0], &a[1], &a[2]);
}

void
lent_apply_slopes(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_matrix *a = call->arrays;
    call->kernels->apply_slopes(worker, (mlp_activation)call->code, &a[0], &a[1],
                                call->numbers[0] != 0, &a[2]);
}

/* The seed comes in halves of 32 bits, lest a double round it. */
void
lent_drop(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const double *n = call->numbers;
    mlp_mask mask = {.probability = n[0],
                     .seed = (uint64_t)n[1] | (uint64_t)n[2] << 32,
                     .step = (int64_t)n[3],
                     .layer = (ptrdiff_t)n[4],
                     .row = (ptrdiff_t)n[5],
                     .unit = (ptrdiff_t)n[6]};
    call->kernels->drop(worker, &mask, &call->arrays[0], &call->arrays[1]);
}

/* b packed, over NaN: its rows and columns after the first apart, too, so as to be packed in the
 * midst of others. Its data are NULL if there is no memory. */
static mlp_packed
pack_in_parts(mlp_worker *worker, lent_call *call, const mlp_matrix *b)
{
    const mlp_kernels *kernels = call->kernels;
    ptrdiff_t panels = mlp_ceil_div(b->cols, kernels->tile_cols);
    size_t size = (size_t)(panels * kernels->tile_cols * b->rows * b->item);
    mlp_packed packed = {alloc_aligned(call, size), b->rows, b->cols};
    if (packed.data == NULL) {
        return packed;
    }
    memset(packed.data, 0xff, size); /* NaN */
    ptrdiff_t rows = mlp_min(b->rows, 1), cols = mlp_min(b->cols, 1);
    for (int part = 0; part < 4; part++) {
        ptrdiff_t row = part / 2 ? rows : 0, col = part % 2 ? cols : 0;
        mlp_matrix some = mlp_rows_of(b, row, part / 2 ? b->rows : rows);
        some = mlp_cols_of(&some, col, part % 2 ? b->cols : cols);
        kernels->pack(worker, &some, row, col, &packed);
    }
    return packed;
}

/* The panels of b side by side, in as many columns as `out` has. */
void
lent_pack(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_matrix *b = &call->arrays[0], *out = &call->arrays[1];
    mlp_packed packed = pack_in_parts(worker, call, b);
    ptrdiff_t width = call->kernels->tile_cols, panels = mlp_ceil_div(b->cols, width);
    for (ptrdiff_t p = 0; p < b->rows && packed.data != NULL; p++) {
        for (ptrdiff_t j = 0; j < out->cols && j < panels * width; j++) {
            ptrdiff_t at = (j / width * b->rows + p) * width + j % width;
            ptrdiff_t to = p * out->row_stride + j * out->col_stride;
            memcpy((char *)out->data + to * out->item, (char *)packed.data + at * b->item,
                   (size_t)b->item);
        }
    }
}

/* c = start + a b, with b packed. */
void
lent_multiply(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_kernels *kernels = call->kernels;
    const mlp_matrix *a = &call->arrays[0], *b = &call->arrays[1], *bias = &call->arrays[2];
    mlp_packed packed = pack_in_parts(worker, call, b);
    if (packed.data == NULL) {
        return;
    }
    mlp_start start = {bias->data == NULL ? NULL : bias, call->numbers[0] != 0};
    kernels->multiply(worker, a, &packed, &call->arrays[3], start);
}

void
lent_multiply_few(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_matrix *a = call->arrays;
    call->kernels->multiply_few(worker, &a[0], &a[1], &a[2], &a[3]);
}

void
lent_sum_rows(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    call->kernels->sum_rows(worker, &call->arrays[0], call->numbers[0] != 0, &call->arrays[1]);
}

void
lent_apply_output(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    call->kernels->apply_output(worker, (mlp_output)call->code, &call->arrays[0]);
}

void
lent_softmax(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    call->kernels->softmax(worker, &call->arrays[0], &call->arrays[1]);
}

/* The sum of the losses is written to a vector of one. */
void
lent_softmax_cross_entropy(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_matrix *a = call->arrays;
    *(double *)a[1].data =
        call->kernels->softmax_cross_entropy(worker, &call->loss, &a[0], &call->targets, &a[2]);
}

void
lent_compute_losses(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_matrix *logits = &call->arrays[0];
    mlp_data data = {
        .targets = call->targets, .sample_weight = call->arrays[1].data, .n = logits->rows};
    mlp_loss_rows rows = {
        .span = {&data, 0, logits->rows},
        .begin = 0,
        .end = logits->rows,
        .logits = *logits,
        .losses = call->arrays[2].data,
        .deltas = call->arrays[3],
        .scale = call->numbers[0],
        .drops_tiny = true,
    };
    call->kernels->compute_losses(worker, &call->loss, &rows);
}

static mlp_squares
squares_of(const mlp_matrix *sums, const mlp_matrix *value)
{
    return (mlp_squares){.sums = sums->data, .n_parts = 1, .ends = {value->cols}};
}

void
lent_update(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const double *numbers = call->numbers;
    mlp_step step = {&call->rule, numbers[0], numbers[1],
                     numbers[2],  numbers[3], (int64_t)numbers[4]};
    mlp_update_rows rows = {.value = call->arrays[0], .gradient = call->arrays[1]};
    memcpy(rows.moments, call->moments, sizeof rows.moments);
    mlp_squares squares = squares_of(&call->arrays[2], &rows.value);
    call->kernels->update(worker, &step, &rows, &squares);
}

void
lent_add_l2(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    mlp_update_rows rows = {.value = call->arrays[0], .gradient = call->arrays[1]};
    mlp_squares squares = squares_of(&call->arrays[3], &rows.value);
    call->kernels->add_l2(worker, call->numbers[0], &rows, &call->arrays[2], &squares);
}

void
lent_square_gradient(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    mlp_update_rows rows = {.value = call->arrays[0], .gradient = call->arrays[1]};
    mlp_squares squares = squares_of(&call->arrays[2], &rows.value);
    call->kernels->square_gradient(worker, call->numbers[0], &rows, &squares);
}

/* ---- sparse rows ---- */

/* What multiplies sparse rows: x as such, and the padded matrices that come with it. */
typedef struct {
    mlp_data data;
    mlp_rows rows;
    mlp_matrix outputs, deltas, sums;
} sparse_work;

static void
lay_out(const lent_call *call, ptrdiff_t strip_rows, mlp_arena *arena, sparse_work *work)
{
    const mlp_matrix *x = &call->arrays[0], *second = &call->arrays[1];
    const mlp_kernels *kernels = call->kernels;
    ptrdiff_t n = x->rows, cols = mlp_count_pair_columns(x->cols), slots = n * cols;
    ptrdiff_t n_strips = strip_rows == 0 ? 0 : mlp_ceil_div(n, strip_rows);
    work->data = (mlp_data){
        .x = {.rows = n, .cols = x->cols, .dense = *x, .is_sparse = true, .row_slots = cols},
        .n = n,
        .slots = slots,
    };
    work->data.x.element = (mlp_element)kernels->dtype;
    work->rows =
        (mlp_rows){.span = {&work->data, 0, n}, .load_end = n, .end = n, .is_sparse = true};
    work->rows.pairs = (mlp_pairs){
        .cols = cols,
        .pairs = mlp_alloc_uncleared(arena, n, 1, sizeof(void *)),
        .columns = mlp_alloc_uncleared(arena, n, 1, sizeof(uint32_t *)),
        .counts = mlp_alloc_uncleared(arena, n, 1, sizeof(ptrdiff_t)),
        .pair_slots = mlp_alloc_uncleared(arena, slots, 2, (size_t)x->item),
        .column_slots = mlp_alloc_uncleared(arena, slots, 1, sizeof(uint32_t)),
        .entries = mlp_alloc_uncleared(arena, slots, 1, (size_t)kernels->entry_bytes),
        .entry_begins = mlp_alloc_uncleared(arena, n_strips, cols + 1, sizeof(ptrdiff_t)),
        .strip_rows = strip_rows,
        .n_strips = n_strips,
    };
    work->outputs = mlp_alloc_padded(arena, kernels, n, second->cols);
    work->deltas = mlp_alloc_padded(arena, kernels, n, second->cols);
    work->sums = mlp_alloc_padded(arena, kernels, x->cols + x->cols % 2, second->cols);
}

/* Loads the rows of the call's first array as sparse ones, and lists them in strips of so many, if
 * any. Returns whether there is memory. */
static bool
load_sparse(mlp_worker *worker, lent_call *call, ptrdiff_t strip_rows, sparse_work *work)
{
    mlp_arena arena = {0};
    lay_out(call, strip_rows, &arena, work);
    char *memory = alloc_aligned(call, arena.cleared.used + arena.uncleared.used);
    if (memory == NULL) {
        return false;
    }
    arena = (mlp_arena){{memory, 0}, {memory + arena.cleared.used, 0}};
    lay_out(call, strip_rows, &arena, work);
    call->kernels->load_rows(worker, &work->rows);
    if (strip_rows > 0) {
        call->kernels->list_rows(worker, &work->rows);
    }
    return true;
}

void
lent_multiply_pairs(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_matrix *a = call->arrays;
    sparse_work work;
    if (load_sparse(worker, call, (ptrdiff_t)call->numbers[0], &work)) {
        call->kernels->multiply_pairs(worker, &work.rows, &a[1], &a[2], &work.outputs);
        call->kernels->copy(&work.outputs, &a[3]);
    }
}

/* The rows of x^T deltas from `begin` on, as many as sums has. */
void
lent_multiply_pairs_transposed(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_matrix *sums = &call->arrays[2];
    sparse_work work;
    if (load_sparse(worker, call, (ptrdiff_t)call->numbers[0], &work)) {
        work.sums.rows = sums->rows;
        call->kernels->copy(&call->arrays[1], &work.deltas);
        call->kernels->copy(sums, &work.sums);
        call->kernels->multiply_pairs_transposed(worker, &work.rows.pairs,
                                                 (ptrdiff_t)call->numbers[1], &work.deltas,
                                                 call->numbers[2] != 0, &work.sums);
        call->kernels->copy(&work.sums, sums);
    }
}
