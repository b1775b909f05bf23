/* The jobs train_epoch, a pass over the data in batches with an update after each, and train_step,
 * one such batch. */
#include "network/batches.h"
#include "network/layout.h"
#include "network/update.h"
#include "threads/stages.h"

static bool
prepare(mlp_train_epoch_args *args, int n_members, bool is_epoch)
{
    ptrdiff_t batch_rows = mlp_min(args->batch_size, args->data.n);
    mlp_plan_spec spec =
        mlp_training_spec(args->kernels, &args->network, &args->data, batch_rows, n_members);
    spec.squares_gradients = args->max_gradient_norm != 0;
    spec.keeps_gradients = batch_rows > MLP_CHUNK_ROWS || spec.squares_gradients;
    spec.copies_slices = is_epoch; /* which pays in many batches */
    spec.drops_tiny = is_epoch;    /* as the public kernels do not */
    spec.seed = args->seed;
    spec.first_step = args->first_step;
    args->plan = mlp_make_plan(&args->memory, &spec);
    return args->plan != NULL;
}

static bool
prepare_epoch(void *args, int n_members)
{
    return prepare(args, n_members, true);
}

static bool
prepare_step(void *args, int n_members)
{
    return prepare(args, n_members, false);
}

/* ---- UPDATE ---- */

/* GRADIENT and UPDATE of a batch's last chunk, task by task. What is begun is finished, unless a
 * stop has to wait for it too long. */
static void
update_batch(mlp_member *m, const mlp_rows *rows, bool accumulate, const mlp_step *batch)
{
    ptrdiff_t n_done = 0;
    m->worker->finishing = true;
    for (const mlp_task *task; (task = mlp_next_task(m, &n_done)) != NULL;) {
        mlp_matrix gradient = mlp_task_gradient(m, task);
        mlp_compute_gradient(m, rows, task, accumulate, &gradient);
        if (mlp_poll(m->worker)) { /* the gradient may not be whole */
            break;
        }
        mlp_update_task(m, task, batch, &gradient);
    }
    m->worker->finishing = false;
}

/* ---- REDUCE: between the two, what needs all gradients of a batch at once ---- */

/* GRADIENT of a batch's last chunk, task by task, and the squares of each. Past the barrier, whose
 * answer it returns, the batch can be reduced. */
static mlp_command
square_batch(mlp_member *m, const mlp_rows *rows, bool accumulate, const mlp_step *batch)
{
    ptrdiff_t n_done = 0;
    for (const mlp_task *task; (task = mlp_next_task(m, &n_done)) != NULL;) {
        mlp_matrix gradient = mlp_task_gradient(m, task);
        mlp_compute_gradient(m, rows, task, accumulate, &gradient);
        mlp_square_task(m, task, batch, &gradient);
        if (mlp_poll(m->worker)) {
            break;
        }
    }
    return mlp_barrier(m->worker);
}

/* REDUCE, and UPDATE of gradients that are kept. Every member computes the norm: to wait for that
 * of one would take longer. What is begun is finished as above; past the time for it, the norm may
 * be of some gradients alone, and is not used. */
static void
update_reduced(mlp_member *m, double max_norm, mlp_step *batch)
{
    ptrdiff_t n_done = 0;
    m->worker->finishing = true;
    batch->gradient_factor = mlp_clip(m, max_norm);
    for (const mlp_task *task;
         !mlp_poll(m->worker) && (task = mlp_next_task(m, &n_done)) != NULL;) {
        mlp_matrix gradient = mlp_task_gradient(m, task);
        mlp_update_task(m, task, batch, &gradient);
    }
    m->worker->finishing = false;
}

/* ---- the epoch ---- */

static void
run_batches(mlp_member *m, const mlp_train_epoch_args *args, mlp_epoch_total *total)
{
    bool is_first_member = m->worker->rank == 0;
    double loss = 0;
    int buffer = 0;
    mlp_cursor next = {0};
    mlp_pack_network(m);
    bool more = mlp_load_next_chunk(m, args->batch_size, &next, &m->buffers[buffer]);
    mlp_command command = mlp_barrier(m->worker);
    while (command == MLP_GO_ON && more) {
        const mlp_cursor chunk = next;
        const mlp_rows *rows = &m->buffers[buffer];
        bool is_first = chunk.first == chunk.batch;
        bool is_last = chunk.first + chunk.n == chunk.batch + chunk.batch_rows;
        if (mlp_run_chunk(m, &args->objective, rows, chunk.weight_sum) != MLP_GO_ON) {
            return;
        }
        if (is_first_member) {
            loss = mlp_add_row_losses(m, chunk.n, is_first ? 0 : loss);
        }
        if (!is_last) {
            mlp_compute_gradients(m, rows, !is_first);
        }
        else {
            double learning_rate = args->learning_rates[chunk.batch / args->batch_size];
            mlp_step batch = {.rule = &args->rule,
                              .learning_rate = learning_rate,
                              .l2 = args->objective.l2 / chunk.weight_sum,
                              .gradient_factor = 1,
                              .decay = learning_rate * args->weight_decay,
                              .number = args->first_step + total->steps + 1};
            if (!m->plan->spec.squares_gradients) {
                update_batch(m, rows, !is_first, &batch);
            }
            else if (square_batch(m, rows, !is_first, &batch) == MLP_GO_ON) {
                update_reduced(m, args->max_gradient_norm, &batch);
            }
            else {
                return;
            }
        }
        buffer = (buffer + 1) % m->group->n_buffers;
        more = mlp_load_next_chunk(m, args->batch_size, &next, &m->buffers[buffer]);
        command = mlp_barrier(m->worker);
        if (is_last && command != MLP_LEAVE) {
            mlp_add_batch(m, chunk.batch_rows, chunk.weight_sum,
                          is_first_member ? args->objective.l2 : 0, loss, total);
        }
    }
}

static void
run(mlp_worker *worker, void *arguments)
{
    mlp_train_epoch_args *args = arguments;
    mlp_member m = mlp_join_plan(args->plan, worker);
    mlp_epoch_total total = {0};
    mlp_copy_slices(&m, MLP_TO_SLICES);
    run_batches(&m, args, &total);
    mlp_copy_slices(&m, MLP_FROM_SLICES);
    if (worker->rank == 0) {
        args->total_loss = total.loss;
        args->rows = total.rows;
        args->steps = total.steps;
    }
}

const mlp_job mlp_train_epoch_job = {prepare_epoch, run};
const mlp_job mlp_train_step_job = {prepare_step, run};
