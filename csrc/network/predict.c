/* The jobs predict and evaluate: rows of the data forward, a block at a time for each member. */
#include "kernels/poll.h"
#include "network/batches.h"
#include "network/layout.h"
#include "threads/stages.h"

/* ---- what both share ---- */

static mlp_plan *
make_plan(mlp_job_memory *memory, const mlp_plan_spec *given)
{
    mlp_plan_spec spec = *given;
    spec.n_rows = mlp_min(spec.data->n, spec.kernels->block_rows);
    spec.n_groups = 1;
    spec.is_sparse = spec.data->x.is_sparse;
    spec.packs_weights = spec.data->n > MLP_FEW_ROWS;
    spec.packs_tails = spec.data->n <= MLP_FEW_ROWS_OF_TILES;
    /* By columns are listed rows that are not few, whose outputs are padded: not the caller's. */
    spec.lists_rows = spec.packs_weights && spec.network->n_layers > 1;
    spec.has_own_layers = true;
    return mlp_make_plan(memory, &spec);
}

/* Goes on to the next block of rows that no member has taken; returns how many it has, 0 if there
 * is none, or the team is to stop. */
static ptrdiff_t
next_block(mlp_member *m, ptrdiff_t *first)
{
    ptrdiff_t block = m->kernels->block_rows, n = m->plan->spec.data->n;
    *first = mlp_claim(m->worker) * block;
    if (*first >= n || mlp_poll(m->worker)) {
        return 0;
    }
    ptrdiff_t rows = mlp_min(n - *first, block);
    mlp_set_rows(m, *first, rows, m->plan->spec.lists_rows ? rows : 0, &m->buffers[0]);
    return rows;
}

/* The output activation of rows of logits, a head at a time. */
static void
apply_output(const mlp_member *m, mlp_output output, const mlp_heads *heads,
             const mlp_matrix *logits)
{
    mlp_enter_stage(MLP_STAGE_OUTPUT);
    if (heads->widths == NULL) {
        m->kernels->apply_output(m->worker, output, logits);
        return;
    }
    mlp_poller poller = {m->worker, 0};
    ptrdiff_t begin = 0, end;
    for (ptrdiff_t h = 0; h < heads->n && !mlp_poll_after(&poller, logits->rows); h++) {
        end = begin + heads->widths[h];
        mlp_matrix head = mlp_cols_of(logits, begin, end);
        m->kernels->apply_output(m->worker, output, &head);
        begin = end;
    }
}

/* ---- predict ---- */

static bool
prepare_predict(void *arguments, int n_members)
{
    mlp_predict_args *args = arguments;
    args->plan = make_plan(&args->memory, &(mlp_plan_spec){.kernels = args->kernels,
                                                           .network = &args->network,
                                                           .data = &args->data,
                                                           .n_members = n_members,
                                                           .lay_out = mlp_lay_out_prediction});
    return args->plan != NULL;
}

static void
run_predict(mlp_worker *worker, void *arguments)
{
    mlp_predict_args *args = arguments;
    mlp_member m = mlp_join_plan(args->plan, worker);
    mlp_matrix *logits = &m.layers[args->network.n_layers - 1].outputs;
    mlp_pack_network(&m);
    if (mlp_barrier(worker) != MLP_GO_ON) {
        return;
    }
    for (ptrdiff_t n, first; (n = next_block(&m, &first)) > 0;) {
        if (atomic_load_explicit(&args->found_non_finite, memory_order_relaxed)) {
            return;
        }
        mlp_load_block(&m, &m.buffers[0]);
        mlp_enter_stage(MLP_STAGE_CHECK);
        if (args->check_finite && !m.kernels->are_finite(worker, &m.buffers[0])) {
            atomic_store_explicit(&args->found_non_finite, true, memory_order_relaxed);
            return;
        }
        *logits = mlp_rows_of(&args->out, first, first + n);
        if (mlp_forward_block(&m, &m.buffers[0])) {
            return;
        }
        apply_output(&m, args->output, &args->heads, logits);
    }
}

const mlp_job mlp_predict_job = {prepare_predict, run_predict};

/* ---- evaluate ---- */

static bool
prepare_evaluate(void *arguments, int n_members)
{
    mlp_evaluate_args *args = arguments;
    args->plan = make_plan(&args->memory, &(mlp_plan_spec){.kernels = args->kernels,
                                                           .network = &args->network,
                                                           .data = &args->data,
                                                           .n_members = n_members,
                                                           .lay_out = mlp_lay_out_losses});
    return args->plan != NULL;
}

/* Losses of the rows that the member takes, and their outputs if somebody asks for them. */
static void
run_losses(mlp_member *m, const mlp_evaluate_args *args)
{
    mlp_matrix *logits = &m->layers[args->network.n_layers - 1].outputs;
    for (ptrdiff_t n, first; (n = next_block(m, &first)) > 0;) {
        if (args->out.data != NULL) {
            *logits = mlp_rows_of(&args->out, first, first + n);
        }
        mlp_load_block(m, &m->buffers[0]);
        if (mlp_forward_block(m, &m->buffers[0])) {
            return;
        }
        mlp_loss_rows rows = {.span = m->buffers[0].span,
                              .end = n,
                              .logits = mlp_rows_of(logits, 0, n),
                              .losses = m->plan->row_losses + first};
        mlp_enter_stage(MLP_STAGE_LOSS);
        m->kernels->compute_losses(m->worker, &args->loss, &rows);
        if (args->out.data != NULL) {
            apply_output(m, args->output, &args->data.targets.heads, logits);
        }
    }
}

static void
run_evaluate(mlp_worker *worker, void *arguments)
{
    mlp_evaluate_args *args = arguments;
    mlp_member m = mlp_join_plan(args->plan, worker);
    mlp_pack_network(&m);
    if (mlp_barrier(worker) != MLP_GO_ON) {
        return;
    }
    run_losses(&m, args);
    if (mlp_barrier(worker) == MLP_GO_ON && worker->rank == 0) {
        args->total = 0;
        for (mlp_segment some = {0}; mlp_next_segment(worker, args->data.n, &some);) {
            for (ptrdiff_t i = some.begin; i < some.end; i++) {
                args->total += args->plan->row_losses[i];
                if (args->losses != NULL) {
                    args->losses[i] = args->plan->row_losses[i];
                }
            }
        }
    }
}

const mlp_job mlp_evaluate_job = {prepare_evaluate, run_evaluate};
