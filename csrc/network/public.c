/* The jobs behind the public kernels: forward, backward, softmax, softmax_cross_entropy,
 * dropout_mask, sgd_step; and the pairs of a dense array. */
#include "base/arena.h"
#include "network/batches.h"
#include "network/layout.h"
#include "threads/stages.h"

/* ---- forward ---- */

/* Rows that go through all layers together. */
static ptrdiff_t
rows_of_block(const mlp_forward_args *args)
{
    return args->data.x.is_sparse ? MLP_STRIP_ROWS : args->kernels->block_rows;
}

static bool
prepare_forward(void *arguments, int n_members)
{
    mlp_forward_args *args = arguments;
    bool are_few = args->data.n <= MLP_FEW_ROWS;
    args->plan =
        mlp_make_plan(&args->memory, &(mlp_plan_spec){
                                         .kernels = args->kernels,
                                         .network = &args->network,
                                         .data = &args->data,
                                         .n_rows = mlp_min(args->data.n, rows_of_block(args)),
                                         .n_members = n_members,
                                         .n_groups = 1,
                                         .is_sparse = args->data.x.is_sparse,
                                         .lists_rows = !are_few,
                                         .packs_weights = !are_few,
                                         .packs_tails = args->data.n <= MLP_FEW_ROWS_OF_TILES,
                                         .has_own_layers = true,
                                         .lay_out = mlp_lay_out_forward,
                                     });
    return args->plan != NULL;
}

/* Points the member's layers at rows begin to end of the caller's arrays. */
static void
set_block(const mlp_member *m, const mlp_forward_args *args, ptrdiff_t begin, ptrdiff_t end)
{
    ptrdiff_t last = args->network.n_layers - 1;
    for (ptrdiff_t l = 0; l <= last; l++) {
        m->layers[l].outputs = mlp_rows_of(&args->outputs[l], begin, end);
        if (l < last && args->slopes != NULL) {
            m->layers[l].slopes = mlp_rows_of(&args->slopes[l], begin, end);
        }
    }
}

static void
run_forward(mlp_worker *worker, void *arguments)
{
    mlp_forward_args *args = arguments;
    mlp_member m = mlp_join_plan(args->plan, worker);
    mlp_rows *rows = &m.buffers[0];
    ptrdiff_t first, end;
    mlp_pack_network(&m);
    if (mlp_barrier(worker) != MLP_GO_ON) {
        return;
    }
    mlp_share(worker->size, worker->rank, args->data.n, m.kernels->tile_rows, &first, &end);
    for (; first < end; first += rows->end) {
        ptrdiff_t n = mlp_min(end - first, rows_of_block(args));
        set_block(&m, args, first, first + n);
        mlp_set_rows(&m, first, n, m.plan->spec.lists_rows ? n : 0, rows);
        mlp_load_block(&m, rows);
        if (mlp_forward_block(&m, rows)) {
            return;
        }
    }
}

const mlp_job mlp_forward_job = {prepare_forward, run_forward};

/* ---- backward ---- */

/* Groups of the members: one, where there are input units enough to share, for gradients lie where
 * the caller put them, and who writes parts of rows takes the lines from others. */
static int
count_backward_groups(const mlp_backward_args *args, int n_members)
{
    const mlp_layer *first = &args->network.layers[0];
    ptrdiff_t needed = n_members * args->kernels->block_units;
    return mlp_layer_inputs(first) >= needed ? 1 : mlp_count_groups(first, n_members);
}

static bool
prepare_backward(void *arguments, int n_members)
{
    mlp_backward_args *args = arguments;
    args->plan =
        mlp_make_plan(&args->memory, &(mlp_plan_spec){
                                         .kernels = args->kernels,
                                         .network = &args->network,
                                         .data = &args->data,
                                         .n_rows = mlp_min(args->data.n, MLP_CHUNK_ROWS),
                                         .n_members = n_members,
                                         .n_groups = count_backward_groups(args, n_members),
                                         .is_sparse = args->data.x.is_sparse,
                                         .goes_backward = true,
                                         .has_own_layers = true,
                                         .lay_out = mlp_lay_out_backward,
                                     });
    return args->plan != NULL;
}

/* Points the member's layers at n rows of the caller's arrays, from `first` on. */
static void
set_chunk(const mlp_member *m, const mlp_backward_args *args, ptrdiff_t first, ptrdiff_t n)
{
    ptrdiff_t last = args->network.n_layers - 1;
    for (ptrdiff_t l = 0; l < last; l++) {
        m->layers[l].outputs = mlp_rows_of(&args->outputs[l], first, first + n);
        if (args->slopes != NULL) {
            m->layers[l].slopes = mlp_rows_of(&args->slopes[l], first, first + n);
        }
    }
    m->layers[last].deltas = mlp_rows_of(&args->dlogits, first, first + n);
}

static void
run_backward(mlp_worker *worker, void *arguments)
{
    mlp_backward_args *args = arguments;
    mlp_member m = mlp_join_plan(args->plan, worker);
    mlp_rows *rows = &m.buffers[0];
    mlp_pack_network(&m);
    if (mlp_barrier(worker) != MLP_GO_ON) {
        return;
    }
    ptrdiff_t first = 0;
    do { /* once even where there are no rows: the gradients are then zero */
        ptrdiff_t n = mlp_min(args->data.n - first, MLP_CHUNK_ROWS), begin, end;
        set_chunk(&m, args, first, n);
        mlp_load_chunk(&m, first, n, rows);
        mlp_share(worker->size, worker->rank, n, m.kernels->tile_rows, &begin, &end);
        mlp_backward_rows(&m, begin, end);
        if (mlp_barrier(worker) != MLP_GO_ON) {
            return;
        }
        mlp_compute_gradients(&m, rows, first > 0);
        mlp_poll(worker); /* there may have been nothing to multiply */
        if (mlp_barrier(worker) != MLP_GO_ON) {
            return;
        }
        first += n;
    } while (first < args->data.n);
}

const mlp_job mlp_backward_job = {prepare_backward, run_backward};

/* ---- jobs that need no memory ---- */

static bool
prepare_nothing(void *arguments, int n_members)
{
    (void)arguments;
    (void)n_members;
    return true;
}

static void
run_softmax(mlp_worker *worker, void *arguments)
{
    mlp_softmax_args *args = arguments;
    args->kernels->softmax(worker, &args->logits, &args->out);
}

const mlp_job mlp_softmax_job = {prepare_nothing, run_softmax};

static void
run_softmax_cross_entropy(mlp_worker *worker, void *arguments)
{
    mlp_softmax_cross_entropy_args *args = arguments;
    args->total_loss = args->kernels->softmax_cross_entropy(worker, &args->loss, &args->logits,
                                                            &args->targets, &args->dlogits);
}

const mlp_job mlp_softmax_cross_entropy_job = {prepare_nothing, run_softmax_cross_entropy};

static void
run_drop(mlp_worker *worker, void *arguments)
{
    const mlp_drop_args *args = arguments;
    ptrdiff_t begin, end;
    mlp_share(worker->size, worker->rank, args->values.rows, 1, &begin, &end);
    mlp_matrix rows = mlp_rows_of(&args->values, begin, end), no_slopes = {0};
    mlp_mask mask = args->mask;
    mask.row += begin;
    args->kernels->drop(worker, &mask, &rows, &no_slopes);
}

const mlp_job mlp_drop_job = {prepare_nothing, run_drop};

/* The member's share of a parameter: some of its rows; of a vector, some elements. */
static mlp_matrix
share_of(const mlp_worker *worker, const mlp_matrix *m)
{
    ptrdiff_t begin, end;
    if (m->rows == 1) {
        mlp_share(worker->size, worker->rank, m->cols, MLP_PART_COLS, &begin, &end);
        return mlp_cols_of(m, begin, end);
    }
    mlp_share(worker->size, worker->rank, m->rows, 1, &begin, &end);
    return mlp_rows_of(m, begin, end);
}

static void
run_sgd_step(mlp_worker *worker, void *arguments)
{
    mlp_sgd_step_args *args = arguments;
    const mlp_rule sgd = {.code = MLP_SGD};
    const mlp_step step = {
        .rule = &sgd, .learning_rate = args->learning_rate, .gradient_factor = 1, .number = 1};
    for (ptrdiff_t i = 0; i < args->n_params && !mlp_poll(worker); i++) {
        mlp_update_rows rows = {.value = share_of(worker, &args->params[i]),
                                .gradient = share_of(worker, &args->grads[i])};
        mlp_squares none = {.n_parts = 1, .ends = {rows.value.cols}};
        args->kernels->update(worker, &step, &rows, &none);
    }
}

const mlp_job mlp_sgd_step_job = {prepare_nothing, run_sgd_step};

/* ---- pairs of a dense array ---- */

/* Room for a row for each member. */
static void
alloc_row_of_each(mlp_arena *arena, mlp_pairs_args *args, int n_members)
{
    size_t item = (size_t)mlp_item_of(args->kernels->dtype);
    args->rows = mlp_alloc_uncleared(arena, n_members, args->x.cols, item);
    args->columns = mlp_alloc_uncleared(arena, n_members, args->x.row_slots, sizeof *args->columns);
}

static bool
prepare_pairs(void *arguments, int n_members)
{
    mlp_pairs_args *args = arguments;
    mlp_arena arena = {0};
    alloc_row_of_each(&arena, args, n_members);
    if (arena.uncleared.used > PTRDIFF_MAX) {
        return false;
    }
    arena = (mlp_arena){.uncleared.base = args->memory.malloc(arena.uncleared.used + 1)};
    args->memory.blocks[args->memory.n_blocks++] = arena.uncleared.base;
    alloc_row_of_each(&arena, args, n_members);
    return arena.uncleared.base != NULL;
}

static mlp_scan
share_rows(const mlp_worker *worker, const mlp_pairs_args *args)
{
    mlp_scan scan = {.x = &args->x};
    mlp_share(worker->size, worker->rank, args->x.rows, 1, &scan.begin, &scan.end);
    scan.row = args->rows + worker->rank * args->x.cols * mlp_item_of(args->kernels->dtype);
    scan.columns = args->columns + worker->rank * args->x.row_slots;
    return scan;
}

static void
run_count_pairs(mlp_worker *worker, void *arguments)
{
    mlp_pairs_args *args = arguments;
    mlp_scan scan = share_rows(worker, args);
    mlp_enter_stage(MLP_STAGE_INDEX);
    args->kernels->count_pairs(worker, &scan, args->counts);
}

const mlp_job mlp_count_pairs_job = {prepare_pairs, run_count_pairs};

static void
run_list_pairs(mlp_worker *worker, void *arguments)
{
    mlp_pairs_args *args = arguments;
    mlp_scan scan = share_rows(worker, args);
    mlp_enter_stage(MLP_STAGE_INDEX);
    args->kernels->list_pairs(worker, &scan, &args->lists);
}

const mlp_job mlp_list_pairs_job = {prepare_pairs, run_list_pairs};
