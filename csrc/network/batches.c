#include "network/batches.h"

#include <assert.h>
#include <float.h>
#include <math.h>

#include "kernels/poll.h"
#include "network/row_room.h"
#include "threads/stages.h"

/* ---- LOAD ---- */

static double
row_weight(const mlp_data *data, mlp_dtype dtype, ptrdiff_t row)
{
    return dtype == MLP_FLOAT32 ? (double)((const float *)data->sample_weight)[row]
                                : ((const double *)data->sample_weight)[row];
}

double
mlp_sum_weights(mlp_worker *worker, const mlp_data *data, mlp_dtype dtype, ptrdiff_t first,
                ptrdiff_t n)
{
    if (data->sample_weight == NULL) {
        return (double)n;
    }
    double sum = 0;
    for (mlp_segment some = {0}; mlp_next_segment(worker, n, &some);) {
        for (ptrdiff_t i = first + some.begin; i < first + some.end; i++) {
            sum += row_weight(data, dtype, mlp_data_row(data, i));
        }
    }
    return sum;
}

/* Goes on to the next chunk, or the next batch whose weights have a sum that can be divided by. */
static bool
next_chunk(const mlp_member *m, ptrdiff_t batch_size, mlp_cursor *cursor)
{
    const mlp_data *data = m->plan->spec.data;
    mlp_dtype dtype = m->kernels->dtype;
    double least = dtype == MLP_FLOAT32 ? (double)FLT_MIN : DBL_MIN;
    mlp_poller poller = {m->worker, 0};
    cursor->first += cursor->n;
    cursor->n = 0;
    while (cursor->first == cursor->batch + cursor->batch_rows) {
        if (cursor->first == data->n || mlp_poll_after(&poller, cursor->batch_rows)) {
            return false;
        }
        cursor->batch = cursor->first;
        cursor->batch_rows = mlp_min(data->n - cursor->first, batch_size);
        cursor->weight_sum =
            mlp_sum_weights(m->worker, data, dtype, cursor->batch, cursor->batch_rows);
        if (cursor->weight_sum < least) {
            cursor->first += cursor->batch_rows;
        }
        else {
            cursor->n_batches++;
        }
    }
    cursor->n = mlp_min(cursor->batch + cursor->batch_rows - cursor->first, MLP_CHUNK_ROWS);
    return true;
}

void
mlp_set_rows(const mlp_member *m, ptrdiff_t first, ptrdiff_t n, ptrdiff_t strip_rows,
             mlp_rows *rows)
{
    const mlp_data *data = m->plan->spec.data;
    rows->span = (mlp_span){data, first, n};
    rows->begin = rows->load_begin = 0;
    rows->end = rows->load_end = n;
    if (rows->is_sparse) {
        rows->pairs.strip_rows = strip_rows;
        rows->pairs.n_strips = strip_rows > 0 ? mlp_ceil_div(n, strip_rows) : 0;
    }
    else if (mlp_is_in_place(data, m->kernels->dtype)) {
        rows->x = mlp_rows_of(&data->x.dense, first, first + n);
    }
    else {
        rows->x = mlp_rows_of(&rows->gathered, 0, n);
    }
}

void
mlp_load_chunk(const mlp_member *m, ptrdiff_t first, ptrdiff_t n, mlp_rows *rows)
{
    /* Parts that members have whole: tiles, or strips of whole tiles. */
    ptrdiff_t part_rows = m->kernels->tile_rows;
    if (rows->is_sparse) {
        ptrdiff_t n_strips = mlp_count_strips(n, m->worker->size, m->group->size);
        part_rows *= mlp_ceil_div(mlp_ceil_div(mlp_max(n, 1), part_rows), n_strips);
    }
    mlp_set_rows(m, first, n, part_rows, rows);
    mlp_share(m->group->size, m->rank, n, part_rows, &rows->begin, &rows->end);
    rows->load_begin = rows->begin;
    rows->load_end = rows->end;
    if (rows->is_sparse) {
        mlp_share(m->worker->size, m->worker->rank, n, part_rows, &rows->load_begin,
                  &rows->load_end);
    }
    mlp_enter_stage(MLP_STAGE_LOAD);
    m->kernels->load_rows(m->worker, rows);
    if (rows->is_sparse) {
        mlp_enter_stage(MLP_STAGE_LIST);
        m->kernels->list_rows(m->worker, rows);
    }
}

void
mlp_load_batch_rows(const mlp_member *m, ptrdiff_t first, ptrdiff_t n, int64_t n_before,
                    ptrdiff_t row, mlp_rows *rows)
{
    const mlp_plan_spec *spec = &m->plan->spec;
    rows->mask = (mlp_mask){.probability = spec->data->dropout,
                            .seed = spec->seed,
                            .step = spec->first_step + n_before,
                            .row = row};
    mlp_load_chunk(m, first, n, rows);
}

bool
mlp_load_next_chunk(mlp_member *m, ptrdiff_t batch_size, mlp_cursor *cursor, mlp_rows *rows)
{
    if (!next_chunk(m, batch_size, cursor)) {
        return false;
    }
    mlp_load_batch_rows(m, cursor->first, cursor->n, cursor->n_batches - 1,
                        cursor->first - cursor->batch, rows);
    return true;
}

/* ---- FORWARD, LOSS, BACKWARD ---- */

mlp_command
mlp_run_chunk(const mlp_member *m, const mlp_objective *objective, const mlp_rows *rows,
              double weight_sum)
{
    mlp_worker *worker = m->worker;
    const mlp_layer_rows *last = &m->layers[m->plan->spec.network->n_layers - 1];
    ptrdiff_t n = rows->span.n;
    mlp_loss_rows losses = {.span = rows->span,
                            .logits = mlp_rows_of(&last->outputs, 0, n),
                            .deltas = mlp_rows_of(&last->deltas, 0, n),
                            .losses = m->plan->row_losses,
                            .scale = objective->gradient_scale / weight_sum,
                            .drops_tiny = m->plan->spec.drops_tiny};
    mlp_forward_first(m, rows);
    if (worker->size > 1) {
        mlp_command command = mlp_barrier(worker);
        if (command != MLP_GO_ON) {
            return command;
        }
    }
    mlp_share(worker->size, worker->rank, n, m->kernels->tile_rows, &losses.begin, &losses.end);
    if (!mlp_forward_others(m, rows, losses.begin, losses.end)) {
        mlp_enter_stage(MLP_STAGE_LOSS);
        m->kernels->compute_losses(worker, &objective->loss, &losses);
        mlp_backward_rows(m, losses.begin, losses.end);
    }
    return mlp_barrier(worker);
}

double
mlp_add_row_losses(const mlp_member *m, ptrdiff_t n, double loss)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        loss += m->plan->row_losses[i];
    }
    return loss;
}

/* ---- squares: of gradients, and of weights for the L2 term ---- */

/* Where the squares of a layer go, of the first layer those of the member's slice: sums of a part
 * are `stride` apart from those of the next. */
static mlp_squares
squares_in(const mlp_member *m, ptrdiff_t layer, double *sums, ptrdiff_t stride)
{
    mlp_squares squares = {.sums = sums,
                           .stride = stride,
                           .n_parts = 1,
                           .ends = {mlp_layer_units(&m->group->layers[layer])}};
    if (layer == 0) {
        const mlp_slice *slice = &m->group->slice;
        ptrdiff_t cols = mlp_layer_units(&m->plan->spec.network->layers[0]);
        squares.sums += slice->first_part * stride;
        squares.n_parts = slice->n_parts;
        for (int part = 0; part < slice->n_parts; part++) {
            squares.ends[part] = mlp_part_end(cols, slice->first_part + part) - slice->begin;
        }
    }
    return squares;
}

mlp_squares
mlp_squares_of(const mlp_member *m, ptrdiff_t layer, ptrdiff_t begin)
{
    ptrdiff_t inputs = mlp_layer_inputs(&m->group->layers[layer]);
    return squares_in(m, layer, m->plan->squares[layer] + begin, inputs);
}

mlp_squares
mlp_gradient_squares_of(const mlp_member *m, const mlp_task *task)
{
    ptrdiff_t of_weights = mlp_count_gradient_sums(&m->group->layers[task->layer]);
    ptrdiff_t first = task->is_bias ? of_weights : task->begin / MLP_SQUARE_ROWS;
    assert(task->begin % MLP_SQUARE_ROWS == 0);
    return squares_in(m, task->layer, m->plan->gradient_squares[task->layer] + first,
                      of_weights + 1);
}

double
mlp_gradient_norm(const mlp_member *m)
{
    const mlp_network *network = m->plan->spec.network;
    double sum = 0;
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        ptrdiff_t n = (mlp_count_gradient_sums(&network->layers[l]) + 1) * mlp_count_parts(l);
        for (mlp_segment some = {0}; mlp_next_segment(m->worker, n, &some);) {
            for (ptrdiff_t i = some.begin; i < some.end; i++) {
                sum += m->plan->gradient_squares[l][i];
            }
        }
    }
    return sqrt(sum);
}

double
mlp_l2_loss(const mlp_member *m, double l2)
{
    const mlp_network *network = m->plan->spec.network;
    double sum = 0;
    if (l2 == 0) {
        return 0;
    }
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        const double *squares = m->plan->squares[l];
        const double decay = network->layers[l].weights.decay_factor;
        ptrdiff_t n = mlp_layer_inputs(&network->layers[l]) * mlp_count_parts(l);
        for (mlp_segment some = {0}; mlp_next_segment(m->worker, n, &some);) {
            for (ptrdiff_t i = some.begin; i < some.end; i++) {
                sum += squares[i] * decay;
            }
        }
    }
    return 0.5 * l2 * sum;
}
