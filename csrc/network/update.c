#include "network/update.h"

#include <math.h>

#include "threads/stages.h"

/* ---- copies of the first layer's slices ---- */

/* Copies the member's rows of a slice that lies in a copy: of a layer that is small enough to be
 * sliced, and so without a poll. */
static void
copy_slice(const mlp_member *m, const mlp_matrix *whole, const mlp_matrix *slice,
           mlp_copy_direction direction)
{
    mlp_matrix there = mlp_slice_of(whole, &m->group->slice);
    if (slice->data == there.data) {
        return;
    }
    ptrdiff_t begin, end;
    mlp_share(m->group->size, m->rank, slice->rows, 1, &begin, &end);
    mlp_matrix whole_rows = mlp_rows_of(&there, begin, end);
    mlp_matrix slice_rows = mlp_rows_of(slice, begin, end);
    if (direction == MLP_TO_SLICES) {
        m->kernels->copy(&whole_rows, &slice_rows);
    }
    else {
        m->kernels->copy(&slice_rows, &whole_rows);
    }
}

void
mlp_copy_slices(const mlp_member *m, mlp_copy_direction direction)
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

void
mlp_update_task(const mlp_member *m, const mlp_task *task, const mlp_step *batch,
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

void
mlp_square_task(const mlp_member *m, const mlp_task *task, const mlp_step *batch,
                const mlp_matrix *gradient)
{
    const mlp_parameter *parameter = parameter_of(m, task);
    mlp_squares squares = mlp_gradient_squares_of(m, task);
    mlp_update_rows rows = {.value = mlp_rows_of(&parameter->value, task->begin, task->end),
                            .gradient = *gradient};
    m->kernels->square_gradient(m->worker, mlp_decay_of(parameter, batch->l2), &rows, &squares);
}

double
mlp_clip(const mlp_member *m, double most)
{
    double norm = mlp_gradient_norm(m);
    return isfinite(norm) ? fmin(1, most / (norm + 1e-6)) : (double)NAN;
}

void
mlp_add_batch(const mlp_member *m, ptrdiff_t rows, double weight_sum, double l2, double loss,
              mlp_epoch_total *total)
{
    double rows_per_weight = (double)rows / weight_sum;
    total->loss = fma(loss + mlp_l2_loss(m, l2), rows_per_weight, total->loss);
    total->rows += rows;
    total->steps++;
}

/* out = the gradient of a parameter, or some rows of it, with that of the L2 term. */
static void
write_gradient(const mlp_member *m, const mlp_parameter *parameter, double l2,
               const mlp_matrix *out, const mlp_squares *squares)
{
    mlp_update_rows rows = {.value = parameter->value, .gradient = parameter->gradient};
    m->kernels->add_l2(m->worker, mlp_decay_of(parameter, l2), &rows, out, squares);
}

/* The gradients of a layer, for the member's share of the input units, of the first layer in its
 * slice. */
static void
write_layer_gradients(const mlp_member *m, const mlp_layer *whole, ptrdiff_t l, double l2)
{
    const mlp_layer *layer = &m->group->layers[l];
    mlp_matrix dweights = whole->weights.gradient, dbiases = whole->biases.gradient;
    if (l == 0) {
        dweights = mlp_slice_of(&dweights, &m->group->slice);
        dbiases = mlp_slice_of(&dbiases, &m->group->slice);
    }
    ptrdiff_t begin, end;
    mlp_share_units(m, l, &begin, &end);
    mlp_parameter weights = layer->weights;
    weights.value = mlp_rows_of(&weights.value, begin, end);
    weights.gradient = mlp_rows_of(&weights.gradient, begin, end);
    mlp_matrix out = mlp_rows_of(&dweights, begin, end);
    mlp_squares squares = mlp_squares_of(m, l, begin);
    write_gradient(m, &weights, l2, &out, &squares);
    if ((l == 0 ? m->rank : m->worker->rank) == 0) {
        mlp_squares none = {.n_parts = 1, .ends = {dbiases.cols}};
        write_gradient(m, &layer->biases, l2, &dbiases, &none);
    }
}

void
mlp_write_gradients(const mlp_member *m, double l2)
{
    const mlp_network *network = m->plan->spec.network;
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        write_layer_gradients(m, &network->layers[l], l, l2);
    }
}
