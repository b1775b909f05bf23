/* The jobs train_epoch, a pass over the data in batches with an update after each, and train_step,
 * one such batch. */
#include <math.h>

#include "network/batches.h"
#include "network/layout.h"
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

/* ---- copies of the first layer's slices ---- */

typedef enum { TO_SLICES, FROM_SLICES } copy_direction;

/* Copies the member's rows of a slice that lies in a copy: of a layer that is small enough to be
 * sliced, and so without a poll. */
static void
copy_slice(const mlp_member *m, const mlp_matrix *whole, const mlp_matrix *slice,
           copy_direction direction)
{
    mlp_matrix there = mlp_slice_of(whole, &m->group->slice);
    if (slice->data == there.data) {
        return;
    }
    ptrdiff_t begin, end;
    mlp_share(m->group->size, m->rank, slice->rows, 1, &begin, &end);
    mlp_matrix whole_rows = mlp_rows_of(&there, begin, end);
    mlp_matrix slice_rows = mlp_rows_of(slice, begin, end);
    if (direction == TO_SLICES) {
        m->kernels->copy(&whole_rows, &slice_rows);
    }
    else {
        m->kernels->copy(&slice_rows, &whole_rows);
    }
}

static void
copy_slices(const mlp_member *m, copy_direction direction)
{
    const mlp_parameter *whole = &m->plan->spec.network->layers[0].weights;
    const mlp_parameter *slice = &m->group->layers[0].weights;
    copy_slice(m, &whole->value, &slice->value, direction);
    for (int i = 0; i < MLP_MAX_MOMENTS; i++) {
        copy_slice(m, &whole->moments[i], &slice->moments[i], direction);
    }
}

/* ---- UPDATE ---- */

/* The step of a batch for one parameter. */
static mlp_step
step_of(const mlp_parameter *parameter, const mlp_step *batch)
{
    mlp_step step = *batch;
    step.learning_rate *= parameter->rate_factor;
    step.l2 = mlp_decay_of(parameter, batch->l2);
    step.decay = mlp_decay_of(parameter, batch->decay * parameter->rate_factor);
    return step;
}

/* The parameter that a task's gradient is of. */
static const mlp_parameter *
parameter_of(const mlp_member *m, const mlp_task *task)
{
    const mlp_layer *layer = &m->group->layers[task->layer];
    return task->is_bias ? &layer->biases : &layer->weights;
}

/* Updates what a task's gradient belongs to, and packs it anew. */
static void
update_task(const mlp_member *m, const mlp_task *task, const mlp_step *batch,
            const mlp_matrix *gradient)
{
    mlp_enter_stage(MLP_STAGE_UPDATE);
    const mlp_parameter *parameter = parameter_of(m, task);
    const mlp_step step = step_of(parameter, batch);
    mlp_update_rows rows = {.value = mlp_rows_of(&parameter->value, task->begin, task->end),
                            .gradient = *gradient};
    for (int i = 0; i < MLP_MAX_MOMENTS; i++) {
        rows.moments[i] = mlp_rows_of(&parameter->moments[i], task->begin, task->end);
    }
    mlp_squares squares = {.n_parts = 1, .ends = {parameter->value.cols}};
    if (!task->is_bias && step.l2 != 0) {
        squares = mlp_squares_of(m, task->layer, task->begin);
    }
    m->kernels->update(m->worker, &step, &rows, &squares);
    if (!task->is_bias) {
        mlp_pack_weights(m, task->layer, task->begin, task->end);
    }
}

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
        update_task(m, task, batch, &gradient);
    }
    m->worker->finishing = false;
}

/* ---- REDUCE: between the two, what needs all gradients of a batch at once ---- */

/* Squares a task's gradient, with that of the L2 term. */
static void
square_task(const mlp_member *m, const mlp_task *task, const mlp_step *batch,
            const mlp_matrix *gradient)
{
    const mlp_parameter *parameter = parameter_of(m, task);
    mlp_squares squares = mlp_gradient_squares_of(m, task);
    mlp_update_rows rows = {.value = mlp_rows_of(&parameter->value, task->begin, task->end),
                            .gradient = *gradient};
    m->kernels->square_gradient(m->worker, mlp_decay_of(parameter, batch->l2), &rows, &squares);
}

/* GRADIENT of a batch's last chunk, task by task, and the squares of each. Past the barrier, whose
 * answer it returns, the batch can be reduced. */
static mlp_command
square_batch(mlp_member *m, const mlp_rows *rows, bool accumulate, const mlp_step *batch)
{
    ptrdiff_t n_done = 0;
    for (const mlp_task *task; (task = mlp_next_task(m, &n_done)) != NULL;) {
        mlp_matrix gradient = mlp_task_gradient(m, task);
        mlp_compute_gradient(m, rows, task, accumulate, &gradient);
        square_task(m, task, batch, &gradient);
        if (mlp_poll(m->worker)) {
            break;
        }
    }
    return mlp_barrier(m->worker);
}

/* What gradients are multiplied with so that their norm is at most `most`, as PyTorch clips them;
 * NaN where float64 does not hold it: a fit that has lost its way is not to go on in silence. */
static double
clip(const mlp_member *m, double most)
{
    double norm = mlp_gradient_norm(m);
    return isfinite(norm) ? fmin(1, most / (norm + 1e-6)) : (double)NAN;
}

/* REDUCE, and UPDATE of gradients that are kept. Every member computes the norm: to wait for that
 * of one would take longer. What is begun is finished as above; past the time for it, the norm may
 * be of some gradients alone, and is not used. */
static void
update_reduced(mlp_member *m, double max_norm, mlp_step *batch)
{
    ptrdiff_t n_done = 0;
    m->worker->finishing = true;
    batch->gradient_factor = clip(m, max_norm);
    for (const mlp_task *task;
         !mlp_poll(m->worker) && (task = mlp_next_task(m, &n_done)) != NULL;) {
        mlp_matrix gradient = mlp_task_gradient(m, task);
        update_task(m, task, batch, &gradient);
    }
    m->worker->finishing = false;
}

/* ---- the epoch ---- */

/* What came of the batches that are whole. */
typedef struct {
    double loss; /* member 0's: the sum over batches of objective * rows */
    ptrdiff_t rows;
    int64_t steps;
} epoch_total;

/* Adds a batch to the total. Only member 0 adds the L2 term: the others pass l2 = 0. */
static void
add_batch(const mlp_member *m, const mlp_cursor *batch, double l2, double loss, epoch_total *total)
{
    double rows_per_weight = (double)batch->batch_rows / batch->weight_sum;
    total->loss = fma(loss + mlp_l2_loss(m, l2), rows_per_weight, total->loss);
    total->rows += batch->batch_rows;
    total->steps++;
}

static void
run_batches(mlp_member *m, const mlp_train_epoch_args *args, epoch_total *total)
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
            loss = mlp_add_row_losses(m, &chunk, loss);
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
            add_batch(m, &chunk, is_first_member ? args->objective.l2 : 0, loss, total);
        }
    }
}

static void
run(mlp_worker *worker, void *arguments)
{
    mlp_train_epoch_args *args = arguments;
    mlp_member m = mlp_join_plan(args->plan, worker);
    epoch_total total = {0};
    copy_slices(&m, TO_SLICES);
    run_batches(&m, args, &total);
    copy_slices(&m, FROM_SLICES);
    if (worker->rank == 0) {
        args->total_loss = total.loss;
        args->rows = total.rows;
        args->steps = total.steps;
    }
}

const mlp_job mlp_train_epoch_job = {prepare_epoch, run};
const mlp_job mlp_train_step_job = {prepare_step, run};
