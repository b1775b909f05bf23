#include "network/passes.h"

#include <assert.h>

#include "threads/stages.h"

void
mlp_share_units(const mlp_member *m, ptrdiff_t layer, ptrdiff_t *begin, ptrdiff_t *end)
{
    ptrdiff_t units = mlp_layer_inputs(&m->group->layers[layer]);
    int size = layer == 0 ? m->group->size : m->worker->size;
    int rank = layer == 0 ? m->rank : m->worker->rank;
    mlp_share(size, rank, units, 1, begin, end);
}

void
mlp_pack_weights(const mlp_member *m, ptrdiff_t layer, ptrdiff_t begin, ptrdiff_t end)
{
    mlp_enter_stage(MLP_STAGE_PACK);
    const mlp_packed *weights = &m->group->weights[layer];
    const mlp_packed *weights_t = &m->group->weights_t[layer];
    mlp_matrix rows = mlp_rows_of(&m->group->layers[layer].weights.value, begin, end);
    if (weights->data != NULL) {
        m->kernels->pack(m->worker, &rows, begin, 0, weights);
    }
    if (weights_t->data != NULL) {
        mlp_matrix cols = mlp_transpose(&rows);
        m->kernels->pack(m->worker, &cols, 0, begin, weights_t);
    }
}

void
mlp_pack_network(const mlp_member *m)
{
    for (ptrdiff_t l = 0; l < m->plan->spec.network->n_layers; l++) {
        ptrdiff_t begin, end;
        mlp_share_units(m, l, &begin, &end);
        mlp_pack_weights(m, l, begin, end);
    }
}

/* ---- forward ---- */

/* out = input weights[layer] + biases[layer] */
static bool
forward_linear(const mlp_member *m, ptrdiff_t layer, const mlp_matrix *input, const mlp_matrix *out)
{
    const mlp_packed *packed = &m->group->weights[layer];
    const mlp_matrix *weights = &m->group->layers[layer].weights.value;
    const mlp_matrix *biases = &m->group->layers[layer].biases.value;
    if (packed->data != NULL) {
        return m->kernels->multiply(m->worker, input, packed, out, (mlp_start){.bias = biases});
    }
    return m->kernels->multiply_few(m->worker, input, weights, biases, out);
}

/* The mask of what a layer makes of `rows` from `begin` on, in its units from `unit` on. */
static mlp_mask
mask_of(const mlp_member *m, ptrdiff_t layer, const mlp_rows *rows, ptrdiff_t begin, ptrdiff_t unit)
{
    mlp_mask mask = rows->mask;
    mask.probability = m->group->layers[layer].dropout;
    mask.layer = layer + 1;
    mask.row += begin;
    mask.unit = unit;
    return mask;
}

/* outputs = f(z), which may be outputs; and the slopes, where these are kept. Drops some of them.
 */
static bool
forward_activation(const mlp_member *m, ptrdiff_t layer, const mlp_matrix *z,
                   const mlp_layer_rows *to, const mlp_mask *mask)
{
    mlp_activation activation = m->group->layers[layer].activation;
    if (z->data != to->outputs.data || activation != MLP_IDENTITY || to->slopes.data != NULL) {
        m->kernels->activate(m->worker, activation, z, &to->outputs, &to->slopes);
    }
    if (mask->probability > 0) {
        m->kernels->drop(m->worker, mask, &to->outputs, &to->slopes);
    }
    return mlp_poll(m->worker);
}

bool
mlp_forward_first(const mlp_member *m, const mlp_rows *rows)
{
    mlp_enter_stage(MLP_STAGE_FORWARD_FIRST);
    ptrdiff_t begin = rows->begin, end = rows->end;
    const mlp_group *group = m->group;
    mlp_layer_rows to = {.outputs = mlp_rows_of(&m->layers[0].outputs, begin, end),
                         .slopes = mlp_rows_of(&m->layers[0].slopes, begin, end)};
    to.outputs = mlp_slice_of(&to.outputs, &group->slice);
    to.slopes = mlp_slice_of(&to.slopes, &group->slice);
    mlp_matrix z = m->sums.data == NULL ? to.outputs : mlp_rows_of(&m->sums, begin, end);
    bool stop;
    if (rows->is_sparse) {
        stop = m->kernels->multiply_pairs(m->worker, rows, &group->layers[0].weights.value,
                                          &group->layers[0].biases.value, &z);
    }
    else {
        mlp_matrix input = mlp_rows_of(&rows->x, begin, end);
        stop = forward_linear(m, 0, &input, &z);
    }
    mlp_mask mask = mask_of(m, 0, rows, begin, group->slice.begin);
    return stop || forward_activation(m, 0, &z, &to, &mask);
}

void
mlp_load_block(const mlp_member *m, const mlp_rows *rows)
{
    mlp_enter_stage(MLP_STAGE_LOAD);
    m->kernels->load_rows(m->worker, rows);
}

bool
mlp_forward_block(const mlp_member *m, mlp_rows *rows)
{
    if (rows->is_sparse && !mlp_are_many(rows)) {
        rows->pairs.n_strips = 0; /* which are not listed */
    }
    mlp_enter_stage(MLP_STAGE_LIST);
    if (rows->is_sparse && rows->pairs.n_strips > 0 && m->kernels->list_rows(m->worker, rows)) {
        return true;
    }
    return mlp_forward_first(m, rows) || mlp_forward_others(m, rows, 0, rows->end);
}

bool
mlp_forward_others(const mlp_member *m, const mlp_rows *rows, ptrdiff_t begin, ptrdiff_t end)
{
    mlp_enter_stage(MLP_STAGE_FORWARD_OTHERS);
    for (ptrdiff_t l = 1; l < m->plan->spec.network->n_layers; l++) {
        mlp_matrix input = mlp_rows_of(&m->layers[l - 1].outputs, begin, end);
        mlp_layer_rows to = {.outputs = mlp_rows_of(&m->layers[l].outputs, begin, end),
                             .slopes = mlp_rows_of(&m->layers[l].slopes, begin, end)};
        mlp_mask mask = mask_of(m, l, rows, begin, 0);
        if (forward_linear(m, l, &input, &to.outputs)
            || forward_activation(m, l, &to.outputs, &to, &mask)) {
            return true;
        }
    }
    return false;
}

/* ---- backward ---- */

/* Leaves the first layer's deltas of some rows, of which `begin` is the first, to all groups. */
static void
leave_slices(const mlp_member *m, const mlp_matrix *deltas, ptrdiff_t begin)
{
    for (int g = 0; g < m->plan->spec.n_groups; g++) {
        const mlp_group *group = &m->plan->groups[g];
        mlp_matrix cols = mlp_slice_of(deltas, &group->slice), no_slopes = {0};
        if (group->packed_deltas.data != NULL) {
            m->kernels->pack(m->worker, &cols, begin, 0, &group->packed_deltas);
        }
        if (group->deltas.data != NULL) {
            mlp_matrix to = mlp_rows_of(&group->deltas, begin, begin + cols.rows);
            m->kernels->activate(m->worker, MLP_IDENTITY, &cols, &to, &no_slopes);
        }
    }
}

void
mlp_backward_rows(const mlp_member *m, ptrdiff_t begin, ptrdiff_t end)
{
    mlp_enter_stage(MLP_STAGE_BACKWARD);
    ptrdiff_t last = m->plan->spec.network->n_layers - 1;
    for (ptrdiff_t l = last; l >= 0; l--) {
        const mlp_layer_rows *layer = &m->layers[l];
        mlp_matrix deltas = mlp_rows_of(&layer->deltas, begin, end);
        if (l < last) {
            mlp_matrix above = mlp_rows_of(&m->layers[l + 1].deltas, begin, end);
            mlp_matrix outputs = mlp_rows_of(&layer->outputs, begin, end);
            mlp_matrix slopes = mlp_rows_of(&layer->slopes, begin, end);
            const mlp_packed *weights_t = &m->group->weights_t[l + 1];
            m->kernels->multiply(m->worker, &above, weights_t, &deltas, (mlp_start){.bias = NULL});
            m->kernels->apply_slopes(m->worker, m->group->layers[l].activation, &outputs, &slopes,
                                     m->plan->spec.drops_tiny, &deltas);
        }
        if (l > 0) {
            m->kernels->pack(m->worker, &deltas, begin, 0, &layer->packed_deltas);
        }
        else {
            leave_slices(m, &deltas, begin);
        }
    }
}

/* ---- gradients ---- */

const mlp_task *
mlp_next_task(const mlp_member *m, ptrdiff_t *n_done)
{
    const mlp_task_list *shared = &m->plan->shared_tasks;
    if (*n_done < m->own_tasks.n) {
        return &m->own_tasks.tasks[(*n_done)++];
    }
    ptrdiff_t next = mlp_claim(m->worker);
    return next < shared->n ? &shared->tasks[next] : NULL;
}

mlp_matrix
mlp_task_gradient(const mlp_member *m, const mlp_task *task)
{
    const mlp_layer *layer = &m->group->layers[task->layer];
    const mlp_parameter *parameter = task->is_bias ? &layer->biases : &layer->weights;
    if (parameter->gradient.data != NULL) {
        return mlp_rows_of(&parameter->gradient, task->begin, task->end);
    }
    assert(m->scratch != NULL);
    return mlp_padded_matrix(m->kernels, m->scratch, task->end - task->begin,
                             parameter->value.cols);
}

void
mlp_compute_gradient(const mlp_member *m, const mlp_rows *rows, const mlp_task *task,
                     bool accumulate, const mlp_matrix *gradient)
{
    mlp_enter_stage(task->layer == 0 ? MLP_STAGE_GRADIENT_FIRST : MLP_STAGE_GRADIENT_OTHERS);
    ptrdiff_t l = task->layer, n = rows->span.n;
    const mlp_group *group = m->group;
    mlp_matrix deltas = mlp_rows_of(&m->layers[l].deltas, 0, n);
    const mlp_packed *packed = &m->layers[l].packed_deltas;
    if (l == 0) {
        deltas = group->deltas.data == NULL ? mlp_slice_of(&deltas, &group->slice)
                                            : mlp_rows_of(&group->deltas, 0, n);
        packed = &group->packed_deltas;
    }
    if (task->is_bias) {
        m->kernels->sum_rows(m->worker, &deltas, accumulate, gradient);
        return;
    }
    if (l == 0 && rows->is_sparse) {
        m->kernels->multiply_pairs_transposed(m->worker, &rows->pairs, task->begin, &deltas,
                                              accumulate, gradient);
        return;
    }
    mlp_matrix inputs = l == 0 ? rows->x : mlp_rows_of(&m->layers[l - 1].outputs, 0, n);
    mlp_matrix inputs_t = mlp_transpose(&inputs);
    inputs_t = mlp_rows_of(&inputs_t, task->begin, task->end);
    m->kernels->multiply(m->worker, &inputs_t, packed, gradient,
                         (mlp_start){.accumulate = accumulate});
}

/* Whether the gradient of sparse rows can be computed in a matrix: in whole vectors and pairs. */
static bool
takes_pairs(const mlp_kernels *kernels, const mlp_matrix *m)
{
    return m->padded || (mlp_has_whole_vectors(m, kernels->lanes) && m->rows % 2 == 0);
}

/* Computes a gradient that is kept: by way of the scratch where it is of sparse rows, and has no
 * room for them. */
static void
compute_kept(const mlp_member *m, const mlp_rows *rows, const mlp_task *task, bool accumulate)
{
    mlp_matrix gradient = mlp_task_gradient(m, task);
    bool is_of_pairs = rows->is_sparse && task->layer == 0 && !task->is_bias;
    if (!is_of_pairs || takes_pairs(m->kernels, &gradient)) {
        mlp_compute_gradient(m, rows, task, accumulate, &gradient);
        return;
    }
    mlp_matrix padded = mlp_padded_matrix(m->kernels, m->scratch, gradient.rows, gradient.cols);
    if (accumulate) {
        m->kernels->copy(&gradient, &padded);
    }
    mlp_compute_gradient(m, rows, task, accumulate, &padded);
    if (!mlp_poll(m->worker)) { /* it may not be whole */
        m->kernels->copy(&padded, &gradient);
    }
}

void
mlp_compute_gradients(const mlp_member *m, const mlp_rows *rows, bool accumulate)
{
    ptrdiff_t n_done = 0;
    for (const mlp_task *task; (task = mlp_next_task(m, &n_done)) != NULL;) {
        compute_kept(m, rows, task, accumulate);
        if (mlp_poll(m->worker)) { /* what is left would not be whole either */
            return;
        }
    }
}
