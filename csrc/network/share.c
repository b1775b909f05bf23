/* The jobs train_share, an epoch whose batches several processes share, and share_gradient, the
 * gradients of all their rows. Each takes its rows of a batch forward and backward; the gradients
 * are exchanged by the caller; and each makes the whole update, so that all have the same weights.
 *
 * Where a process goes on from the gradients of the one before, each sum is made in the order that
 * it has in one process. That is done a piece of the gradients after the other, so that several
 * processes are at it at once. Its rows are one chunk then: all must be there when the first piece
 * comes, and the first piece is to go on before the others are computed.
 */
#include "network/batches.h"
#include "network/layout.h"
#include "network/update.h"
#include "threads/stages.h"

/* The most rows that a part has. */
static ptrdiff_t
most_part_rows(const mlp_exchange *exchange)
{
    ptrdiff_t most = 0, n = exchange->n_batches * exchange->n_parts;
    for (ptrdiff_t i = 0; i < n; i++) {
        ptrdiff_t rows = (ptrdiff_t)(exchange->part_starts[i + 1] - exchange->part_starts[i]);
        most = mlp_max(most, rows);
    }
    return most;
}

/* What a plan is made for that exchanges gradients. */
static mlp_plan_spec
sharing_spec(const mlp_kernels *kernels, const mlp_network *network, const mlp_data *data,
             const mlp_exchange *exchange, int n_members)
{
    ptrdiff_t rows = most_part_rows(exchange);
    mlp_plan_spec spec = mlp_training_spec(kernels, network, data, rows, n_members);
    if (exchange->goes_on || exchange->n_pieces > 1) {
        spec.n_rows = rows;
    }
    spec.keeps_gradients = true;
    return spec;
}

static bool
prepare_epoch(void *arguments, int n_members)
{
    mlp_train_share_args *args = arguments;
    mlp_train_epoch_args *epoch = &args->epoch;
    mlp_plan_spec spec =
        sharing_spec(epoch->kernels, &epoch->network, &epoch->data, &args->exchange, n_members);
    spec.squares_gradients = epoch->max_gradient_norm != 0;
    spec.copies_slices = true;
    spec.seed = epoch->seed;
    spec.first_step = epoch->first_step;
    epoch->plan = mlp_make_plan(&epoch->memory, &spec);
    return epoch->plan != NULL;
}

static bool
prepare_gradient(void *arguments, int n_members)
{
    mlp_share_gradient_args *args = arguments;
    mlp_plan_spec spec =
        sharing_spec(args->kernels, &args->network, &args->data, &args->exchange, n_members);
    args->plan = mlp_make_plan(&args->memory, &spec);
    return args->plan != NULL;
}

/* ---- exchanges ---- */

typedef struct {
    const mlp_exchange *exchange;
    mlp_exchange_point point;
    ptrdiff_t index;
    double *loss;
} question;

static bool
ask_caller(void *context)
{
    const question *q = context;
    return q->exchange->ask(q->exchange->context, q->point, q->index, q->loss);
}

/* Member 0 asks for an exchange. Past the next barrier it has taken place. */
static void
ask(const mlp_member *m, const mlp_exchange *exchange, mlp_exchange_point point, ptrdiff_t index,
    double *loss)
{
    if (m->worker->rank == 0) {
        mlp_ask(m->worker, ask_caller, &(question){exchange, point, index, loss});
    }
}

/* Where the gradient of a task is exchanged. */
static mlp_matrix
exchanged(const mlp_member *m, const mlp_task *task)
{
    const mlp_layer *layer = &m->plan->spec.network->layers[task->layer];
    mlp_matrix gradient = task->is_bias ? layer->biases.gradient : layer->weights.gradient;
    mlp_matrix rows = mlp_rows_of(&gradient, task->begin, task->end);
    return task->layer == 0 ? mlp_slice_of(&rows, &m->group->slice) : rows;
}

/* ---- GRADIENT ---- */

/* The last chunk of a part, with which its gradient is whole. */
typedef struct {
    const mlp_rows *rows;
    bool is_first; /* of the part */
} last_chunk;

/* Computes the gradient of a task, and puts it where it is exchanged. Returns false where the team
 * is to stop. */
static bool
compute_task(const mlp_member *m, const mlp_exchange *exchange, const last_chunk *chunk,
             const mlp_task *task)
{
    mlp_matrix kept = mlp_task_gradient(m, task), to = exchanged(m, task);
    if (exchange->goes_on) {
        m->kernels->copy(&to, &kept);
    }
    bool accumulate = exchange->goes_on || !chunk->is_first;
    mlp_compute_gradient(m, chunk->rows, task, accumulate, &kept);
    if (mlp_poll(m->worker)) { /* it may not be whole */
        return false;
    }
    m->kernels->copy(&kept, &to);
    return true;
}

/* The member's tasks of a piece of the first layer's weights. */
static bool
compute_units(const mlp_member *m, const mlp_exchange *exchange, const last_chunk *chunk,
              ptrdiff_t index)
{
    ptrdiff_t first = (ptrdiff_t)exchange->piece_starts[index];
    ptrdiff_t n = (ptrdiff_t)exchange->piece_starts[index + 1] - first;
    ptrdiff_t step = mlp_task_units(m->plan, m->group, 0), begin, end;
    mlp_share(m->group->size, m->rank, n, step, &begin, &end);
    for (; begin < end; begin += step) {
        mlp_task task = {0, first + begin, first + mlp_min(begin + step, end), false};
        if (!compute_task(m, exchange, chunk, &task)) {
            return false;
        }
    }
    return true;
}

/* The member's other tasks, which the last piece has. */
static bool
compute_others(const mlp_member *m, const mlp_exchange *exchange, const last_chunk *chunk)
{
    const mlp_task biases = {0, 0, 1, true};
    bool goes_on = m->rank > 0 || compute_task(m, exchange, chunk, &biases);
    const mlp_task_list *shared = &m->plan->shared_tasks;
    for (ptrdiff_t i; goes_on && (i = mlp_claim(m->worker)) < shared->n;) {
        goes_on = compute_task(m, exchange, chunk, &shared->tasks[i]);
    }
    return goes_on;
}

/* The gradient of a part's last chunk, piece by piece, and the rest of its loss, which is member
 * 0's. Without a chunk, the part has no rows: what is exchanged is passed on as it is. Returns
 * false where the team is to stop. */
static bool
exchange_part(const mlp_member *m, const mlp_exchange *exchange, ptrdiff_t part,
              const last_chunk *chunk, double *loss)
{
    for (ptrdiff_t i = 0; i < exchange->n_pieces; i++) {
        if (exchange->goes_on) {
            ask(m, exchange, MLP_RECEIVE, i, loss);
            if (mlp_barrier(m->worker) != MLP_GO_ON) {
                return false;
            }
        }
        if (chunk != NULL && compute_units(m, exchange, chunk, i) && i == exchange->n_pieces - 1) {
            compute_others(m, exchange, chunk);
        }
        if (chunk != NULL && i == 0 && m->worker->rank == 0) {
            *loss = mlp_add_row_losses(m, chunk->rows->span.n, *loss);
        }
        if (mlp_barrier(m->worker) != MLP_GO_ON) {
            return false;
        }
        ask(m, exchange, MLP_SEND, part * exchange->n_pieces + i, loss);
    }
    return true;
}

/* ---- a batch ---- */

/* Where a part of a batch lies: rows first to end of the data, `row` in the batch. */
typedef struct {
    ptrdiff_t batch, index, first, end, row;
} part;

static part
part_of(const mlp_exchange *exchange, ptrdiff_t batch, ptrdiff_t index)
{
    const int64_t *starts = exchange->part_starts + batch * exchange->n_parts;
    return (part){batch, index, (ptrdiff_t)starts[index], (ptrdiff_t)starts[index + 1],
                  (ptrdiff_t)(exchange->first_rows[batch] + starts[index] - starts[0])};
}

/* Takes a part forward and backward, chunk by chunk. Returns false where the team is to stop. */
static bool
run_part(mlp_member *m, const mlp_objective *objective, const mlp_exchange *exchange, const part *p,
         int64_t n_before, double *loss)
{
    mlp_rows *rows = &m->buffers[0];
    *loss = 0;
    if (p->first == p->end) {
        return exchange_part(m, exchange, p->index, NULL, loss);
    }
    for (ptrdiff_t first = p->first; first < p->end; first += m->plan->spec.n_rows) {
        ptrdiff_t n = mlp_min(p->end - first, m->plan->spec.n_rows);
        mlp_load_batch_rows(m, first, n, n_before, p->row + first - p->first, rows);
        if (mlp_barrier(m->worker) != MLP_GO_ON
            || mlp_run_chunk(m, objective, rows, exchange->weight_sums[p->batch]) != MLP_GO_ON) {
            return false;
        }
        if (first + n == p->end) {
            last_chunk chunk = {rows, first == p->first};
            return exchange_part(m, exchange, p->index, &chunk, loss);
        }
        if (m->worker->rank == 0) {
            *loss = mlp_add_row_losses(m, n, *loss);
        }
        mlp_compute_gradients(m, rows, first > p->first);
        if (mlp_barrier(m->worker) != MLP_GO_ON) {
            return false;
        }
    }
    return true;
}

/* Takes a batch forward and backward. Past that, its gradients and, to member 0, its loss are
 * there. Returns false where the team is to stop. */
static bool
run_parts(mlp_member *m, const mlp_objective *objective, const mlp_exchange *exchange,
          ptrdiff_t batch, int64_t n_before, double *loss)
{
    for (ptrdiff_t i = 0; i < exchange->n_parts; i++) {
        part p = part_of(exchange, batch, i);
        if (!run_part(m, objective, exchange, &p, n_before, loss)) {
            return false;
        }
    }
    ask(m, exchange, MLP_CONCLUDE, batch, loss);
    return mlp_barrier(m->worker) == MLP_GO_ON;
}

/* REDUCE and UPDATE, with what was exchanged. What is begun is finished, unless a stop has to wait
 * for it too long. Returns what the barrier after it says. */
static mlp_command
update(mlp_member *m, double max_norm, mlp_step *batch)
{
    ptrdiff_t n_done = 0;
    if (m->plan->spec.squares_gradients) {
        for (const mlp_task *task; (task = mlp_next_task(m, &n_done)) != NULL;) {
            mlp_matrix gradient = exchanged(m, task);
            mlp_square_task(m, task, batch, &gradient);
        }
        mlp_command command = mlp_barrier(m->worker);
        if (command != MLP_GO_ON) {
            return MLP_LEAVE; /* nothing was updated */
        }
        batch->gradient_factor = mlp_clip(m, max_norm);
        n_done = 0;
    }
    m->worker->finishing = true;
    for (const mlp_task *task;
         !mlp_poll(m->worker) && (task = mlp_next_task(m, &n_done)) != NULL;) {
        mlp_matrix gradient = exchanged(m, task);
        mlp_update_task(m, task, batch, &gradient);
    }
    m->worker->finishing = false;
    return mlp_barrier(m->worker);
}

/* ---- the epoch ---- */

/* Runs a batch. Returns false where the team is to stop; *is_whole says whether it was updated, and
 * *loss, to member 0, what the sum of its losses is. */
static bool
run_batch(mlp_member *m, const mlp_train_share_args *args, ptrdiff_t b, int64_t n_before,
          bool *is_whole, double *loss)
{
    const mlp_train_epoch_args *epoch = &args->epoch;
    const mlp_exchange *exchange = &args->exchange;
    *is_whole = false;
    if (!run_parts(m, &epoch->objective, exchange, b, n_before, loss)) {
        return false;
    }
    double learning_rate = epoch->learning_rates[b];
    mlp_step batch = {.rule = &epoch->rule,
                      .learning_rate = learning_rate,
                      .l2 = epoch->objective.l2 / exchange->weight_sums[b],
                      .gradient_factor = 1,
                      .decay = learning_rate * epoch->weight_decay,
                      .number = epoch->first_step + n_before + 1};
    mlp_command command = update(m, epoch->max_gradient_norm, &batch);
    *is_whole = command != MLP_LEAVE;
    return command == MLP_GO_ON;
}

static void
run_batches(mlp_member *m, const mlp_train_share_args *args, mlp_epoch_total *total)
{
    const mlp_exchange *exchange = &args->exchange;
    double l2 = m->worker->rank == 0 ? args->epoch.objective.l2 : 0;
    mlp_pack_network(m);
    bool goes_on = mlp_barrier(m->worker) == MLP_GO_ON;
    for (ptrdiff_t b = 0; goes_on && b < exchange->n_batches; b++) {
        ptrdiff_t rows = (ptrdiff_t)exchange->batch_rows[b];
        if (rows > 0) {
            bool is_whole;
            double loss = 0;
            goes_on = run_batch(m, args, b, total->steps, &is_whole, &loss);
            if (is_whole) {
                mlp_add_batch(m, rows, exchange->weight_sums[b], l2, loss, total);
            }
        }
    }
}

static void
run_epoch(mlp_worker *worker, void *arguments)
{
    mlp_train_share_args *args = arguments;
    mlp_member m = mlp_join_plan(args->epoch.plan, worker);
    mlp_epoch_total total = {0};
    mlp_copy_slices(&m, MLP_TO_SLICES);
    run_batches(&m, args, &total);
    mlp_copy_slices(&m, MLP_FROM_SLICES);
    if (worker->rank == 0) {
        args->epoch.total_loss = total.loss;
        args->epoch.rows = total.rows;
        args->epoch.steps = total.steps;
    }
}

const mlp_job mlp_train_share_job = {prepare_epoch, run_epoch};

/* ---- the gradients of all rows ---- */

static void
run_gradient(mlp_worker *worker, void *arguments)
{
    mlp_share_gradient_args *args = arguments;
    mlp_member m = mlp_join_plan(args->plan, worker);
    double loss = 0, weight_sum = args->exchange.weight_sums[0];
    mlp_pack_network(&m);
    if (mlp_barrier(worker) != MLP_GO_ON
        || !run_parts(&m, &args->objective, &args->exchange, 0, 0, &loss)) {
        return;
    }
    ptrdiff_t n_done = 0;
    for (const mlp_task *task; (task = mlp_next_task(&m, &n_done)) != NULL;) {
        mlp_matrix kept = mlp_task_gradient(&m, task), from = exchanged(&m, task);
        m.kernels->copy(&from, &kept);
    }
    if (mlp_barrier(worker) != MLP_GO_ON) {
        return;
    }
    mlp_write_gradients(&m, args->objective.l2 / weight_sum);
    if (mlp_barrier(worker) == MLP_GO_ON && worker->rank == 0) {
        args->value = (loss + mlp_l2_loss(&m, args->objective.l2)) / weight_sum;
    }
}

const mlp_job mlp_share_gradient_job = {prepare_gradient, run_gradient};
