#include "network/layout.h"

#include <string.h>

static mlp_packed
alloc_packed(mlp_arena *arena, const mlp_kernels *kernels, ptrdiff_t inner, ptrdiff_t cols)
{
    ptrdiff_t panels = mlp_ceil_div(cols, kernels->tile_cols), width;
    ptrdiff_t bytes = kernels->tile_cols * mlp_item_of(kernels->dtype);
    if (__builtin_mul_overflow(panels, bytes, &width)) {
        width = PTRDIFF_MAX;
    }
    return (mlp_packed){mlp_alloc_uncleared(arena, inner, width, 1), inner, cols};
}

/* The most slots that so many rows may take: the smaller of two bounds, all rows as long as the
 * longest, and the slots of all data. Rows may repeat. What is not touched of this memory, most
 * systems never provide. */
static ptrdiff_t
most_slots(const mlp_data *data, ptrdiff_t rows)
{
    ptrdiff_t slots;
    bool overflows = __builtin_mul_overflow(rows, data->x.row_slots, &slots);
    return overflows ? data->slots : mlp_min(slots, data->slots);
}

/* Room for the pairs of the rows in work, by row. */
static mlp_pairs
alloc_pairs(mlp_arena *arena, const mlp_plan_spec *spec)
{
    const mlp_input *x = &spec->data->x;
    ptrdiff_t rows = spec->n_rows, slots = most_slots(spec->data, rows);
    ptrdiff_t pair_slots = x->is_paired ? 0 : slots;
    return (mlp_pairs){
        .cols = mlp_count_pair_columns(x->cols),
        .pairs = mlp_alloc_uncleared(arena, rows, 1, sizeof(void *)),
        .columns = mlp_alloc_uncleared(arena, rows, 1, sizeof(uint32_t *)),
        .counts = mlp_alloc_uncleared(arena, rows, 1, sizeof(ptrdiff_t)),
        .pair_slots =
            mlp_alloc_uncleared(arena, pair_slots, 2, (size_t)mlp_item_of(spec->kernels->dtype)),
        .column_slots = mlp_alloc_uncleared(arena, slots, 1, sizeof(uint32_t)),
    };
}

/* Room to list them. */
static void
alloc_lists(mlp_arena *arena, const mlp_plan_spec *spec, ptrdiff_t n_strips, mlp_pairs *pairs)
{
    ptrdiff_t slots = n_strips > 0 ? most_slots(spec->data, spec->n_rows) : 0;
    pairs->entries = mlp_alloc_uncleared(arena, slots, 1, (size_t)spec->kernels->entry_bytes);
    pairs->entry_begins = mlp_alloc_uncleared(arena, n_strips, pairs->cols + 1, sizeof(ptrdiff_t));
}

/* Room for rows of the data in each of n_buffers. The pairs by row serve all buffers. */
static void
alloc_rows(mlp_arena *arena, const mlp_plan_spec *spec, ptrdiff_t n_strips, int n_buffers,
           mlp_rows buffers[])
{
    mlp_rows rows = {.is_sparse = spec->is_sparse};
    if (spec->is_sparse) {
        rows.pairs = alloc_pairs(arena, spec);
    }
    for (int buffer = 0; buffer < n_buffers; buffer++) {
        buffers[buffer] = rows;
        if (spec->is_sparse) {
            alloc_lists(arena, spec, n_strips, &buffers[buffer].pairs);
        }
        else {
            bool in_place = mlp_is_in_place(spec->data, spec->kernels->dtype);
            buffers[buffer].gathered = mlp_alloc_padded(
                arena, spec->kernels, in_place ? 0 : spec->n_rows, spec->data->x.cols);
        }
    }
}

/* Room for a block of rows of a member's own. */
static void
alloc_own_rows(mlp_arena *arena, const mlp_plan_spec *spec, mlp_member *member)
{
    alloc_rows(arena, spec, spec->lists_rows ? mlp_count_strips(spec->n_rows, 1, 1) : 0, 1,
               member->buffers);
}

/* Room for chunks of rows: of dense ones each group's, of sparse ones the team's. */
static void
alloc_chunks(mlp_arena *arena, mlp_plan *plan, int most_buffers)
{
    const mlp_plan_spec *spec = &plan->spec;
    mlp_group *first = &plan->groups[0];
    int n_sharing = spec->is_sparse ? spec->n_members : first->size;
    int n_buffers = n_sharing > 1 ? most_buffers : 1;
    ptrdiff_t n_strips = mlp_count_strips(spec->n_rows, spec->n_members, first->size);
    for (int g = 0; g < spec->n_groups; g++) {
        mlp_group *group = &plan->groups[g];
        group->n_buffers = n_buffers;
        if (spec->is_sparse && g > 0) {
            memcpy(group->buffers, first->buffers, sizeof first->buffers);
        }
        else {
            alloc_rows(arena, spec, n_strips, n_buffers, group->buffers);
        }
    }
}

/* A slice of one of the first layer's matrices: where it lies, or a copy. */
static mlp_matrix
alloc_slice(mlp_arena *arena, const mlp_plan *plan, const mlp_slice *slice, const mlp_matrix *m)
{
    if (!plan->spec.copies_slices || plan->spec.n_groups == 1 || m->data == NULL) {
        return mlp_slice_of(m, slice);
    }
    return mlp_alloc_padded(arena, plan->spec.kernels, m->rows, slice->end - slice->begin);
}

/* The group's view of the first layer. Its biases are few: they are updated where they lie. */
static void
alloc_first_layer(mlp_arena *arena, const mlp_plan *plan, mlp_group *group)
{
    const mlp_layer *whole = &plan->spec.network->layers[0];
    mlp_layer *first = &group->layers[0];
    first->weights.value = alloc_slice(arena, plan, &group->slice, &whole->weights.value);
    first->weights.gradient = mlp_slice_of(&whole->weights.gradient, &group->slice);
    first->biases.value = mlp_slice_of(&whole->biases.value, &group->slice);
    first->biases.gradient = mlp_slice_of(&whole->biases.gradient, &group->slice);
    for (int m = 0; m < MLP_MAX_MOMENTS; m++) {
        first->weights.moments[m] =
            alloc_slice(arena, plan, &group->slice, &whole->weights.moments[m]);
        first->biases.moments[m] = mlp_slice_of(&whole->biases.moments[m], &group->slice);
    }
}

/* Whether a layer's weights are packed, where weights are. */
static bool
is_packed(const mlp_plan_spec *spec, const mlp_layer *layer)
{
    bool is_whole = mlp_has_whole_vectors(&layer->weights.value, spec->kernels->lanes);
    return !(spec->packs_tails && is_whole);
}

/* Packed weights with which rows go forward: of the first layer each group's, of the others the
 * team's. */
static void
alloc_forward_packs(mlp_arena *arena, mlp_plan *plan)
{
    const mlp_plan_spec *spec = &plan->spec;
    const mlp_network *network = spec->network;
    bool packs_first = !spec->is_sparse && is_packed(spec, &network->layers[0]);
    for (int g = 0; g < spec->n_groups && packs_first; g++) {
        const mlp_slice *slice = &plan->groups[g].slice;
        ptrdiff_t inputs = mlp_layer_inputs(&network->layers[0]);
        plan->groups[g].weights[0] =
            alloc_packed(arena, spec->kernels, inputs, slice->end - slice->begin);
    }
    for (ptrdiff_t l = 1; l < network->n_layers; l++) {
        const mlp_layer *layer = &network->layers[l];
        if (!is_packed(spec, layer)) {
            continue;
        }
        mlp_packed packed =
            alloc_packed(arena, spec->kernels, mlp_layer_inputs(layer), mlp_layer_units(layer));
        for (int g = 0; g < spec->n_groups; g++) {
            plan->groups[g].weights[l] = packed;
        }
    }
}

/* Transposed weights with which deltas go backward. */
static void
alloc_backward_packs(mlp_arena *arena, mlp_plan *plan)
{
    const mlp_network *network = plan->spec.network;
    for (ptrdiff_t l = 1; l < network->n_layers; l++) {
        const mlp_layer *layer = &network->layers[l];
        mlp_packed packed = alloc_packed(arena, plan->spec.kernels, mlp_layer_units(layer),
                                         mlp_layer_inputs(layer));
        for (int g = 0; g < plan->spec.n_groups; g++) {
            plan->groups[g].weights_t[l] = packed;
        }
    }
}

/* The slices of the first layer's deltas: of sparse rows where those of all columns are another's
 * too, or the caller's. */
static void
alloc_delta_slices(mlp_arena *arena, mlp_plan *plan)
{
    const mlp_plan_spec *spec = &plan->spec;
    bool are_callers = spec->has_own_layers && spec->network->n_layers == 1;
    for (int g = 0; g < spec->n_groups; g++) {
        mlp_group *group = &plan->groups[g];
        ptrdiff_t cols = group->slice.end - group->slice.begin;
        if (!spec->is_sparse) {
            group->packed_deltas = alloc_packed(arena, spec->kernels, spec->n_rows, cols);
        }
        else if (spec->n_groups > 1 || are_callers) {
            group->deltas = mlp_alloc_padded(arena, spec->kernels, spec->n_rows, cols);
        }
    }
}

/* The slice of the first layer's z. */
static mlp_matrix
alloc_sums(mlp_arena *arena, const mlp_plan_spec *spec, const mlp_slice *slice)
{
    return mlp_alloc_padded(arena, spec->kernels, spec->n_rows, slice->end - slice->begin);
}

/* The slices of groups that meet in the outputs. */
static void
alloc_sum_slices(mlp_arena *arena, mlp_plan *plan)
{
    const mlp_plan_spec *spec = &plan->spec;
    for (int g = 0; g < spec->n_groups && spec->n_groups > 1; g++) {
        mlp_matrix sums = alloc_sums(arena, spec, &plan->groups[g].slice);
        for (int m = g; m < spec->n_members; m += spec->n_groups) {
            plan->members[m].sums = sums;
        }
    }
}

/* What a layer makes of the rows in work: an element for each row and unit. */
static mlp_matrix
alloc_by_unit(mlp_arena *arena, const mlp_plan_spec *spec, ptrdiff_t layer)
{
    ptrdiff_t units = mlp_layer_units(&spec->network->layers[layer]);
    return mlp_alloc_padded(arena, spec->kernels, spec->n_rows, units);
}

/* Outputs of the first n layers. */
static void
alloc_outputs(mlp_arena *arena, const mlp_plan_spec *spec, ptrdiff_t n, mlp_layer_rows layers[])
{
    for (ptrdiff_t l = 0; l < n; l++) {
        layers[l].outputs = alloc_by_unit(arena, spec, l);
    }
}

/* Slopes of the hidden layers that need them. */
static void
alloc_slopes(mlp_arena *arena, const mlp_plan_spec *spec, mlp_layer_rows layers[])
{
    for (ptrdiff_t l = 0; l < spec->network->n_layers - 1; l++) {
        if (mlp_needs_slopes(spec->network->layers[l].activation)) {
            layers[l].slopes = alloc_by_unit(arena, spec, l);
        }
    }
}

/* Deltas of the first n layers. */
static void
alloc_deltas(mlp_arena *arena, const mlp_plan_spec *spec, ptrdiff_t n, mlp_layer_rows layers[])
{
    for (ptrdiff_t l = 0; l < n; l++) {
        layers[l].deltas = alloc_by_unit(arena, spec, l);
    }
}

/* Deltas, packed, of all layers but the first. */
static void
alloc_packed_deltas(mlp_arena *arena, const mlp_plan_spec *spec, mlp_layer_rows layers[])
{
    for (ptrdiff_t l = 1; l < spec->network->n_layers; l++) {
        ptrdiff_t units = mlp_layer_units(&spec->network->layers[l]);
        layers[l].packed_deltas = alloc_packed(arena, spec->kernels, spec->n_rows, units);
    }
}

/* A padded matrix that is 0 where nothing is written. */
static mlp_matrix
alloc_cleared(mlp_arena *arena, const mlp_kernels *kernels, ptrdiff_t rows, ptrdiff_t cols)
{
    mlp_matrix m = mlp_padded_matrix(kernels, NULL, rows, cols);
    m.data = mlp_alloc(arena, rows, m.row_stride, (size_t)m.item);
    return m;
}

/* Gradients of a whole batch, which all groups see; of the first layer each its slice. Where no
 * rows have weight, they stay 0. */
static void
alloc_gradients(mlp_arena *arena, mlp_plan *plan)
{
    const mlp_network *network = plan->spec.network;
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        ptrdiff_t units = mlp_layer_inputs(&network->layers[l]);
        ptrdiff_t cols = mlp_layer_units(&network->layers[l]);
        mlp_matrix weights =
            alloc_cleared(arena, plan->spec.kernels, units + units % 2, cols); /* whole pairs */
        mlp_matrix biases = alloc_cleared(arena, plan->spec.kernels, 1, cols);
        for (int g = 0; g < plan->spec.n_groups; g++) {
            mlp_group *group = &plan->groups[g];
            group->layers[l].weights.gradient =
                l == 0 ? mlp_slice_of(&weights, &group->slice) : weights;
            group->layers[l].biases.gradient =
                l == 0 ? mlp_slice_of(&biases, &group->slice) : biases;
        }
    }
}

/* Room for the gradient of any one task of a group's members. */
static void *
alloc_scratch(mlp_arena *arena, const mlp_plan *plan, const mlp_group *group)
{
    size_t most = 0;
    for (ptrdiff_t l = 0; l < plan->spec.network->n_layers; l++) {
        const mlp_layer *layer = &group->layers[l];
        ptrdiff_t units = mlp_layer_inputs(layer), step = mlp_task_units(plan, group, l);
        ptrdiff_t rows = mlp_max(1, mlp_min(step, units + units % 2));
        mlp_arena needed = {0};
        mlp_alloc_padded(&needed, plan->spec.kernels, rows, mlp_layer_units(layer));
        size_t bytes = needed.cleared.used + needed.uncleared.used; /* one of them is 0 */
        most = bytes > most ? bytes : most;
    }
    return mlp_alloc(arena, 1, 1, most);
}

static void
alloc_scratches(mlp_arena *arena, mlp_plan *plan)
{
    for (int m = 0; m < plan->spec.n_members; m++) {
        plan->members[m].scratch = alloc_scratch(arena, plan, plan->members[m].group);
    }
}

/* Sums of squared weights, which all members see. */
static void
alloc_squares(mlp_arena *arena, mlp_plan *plan)
{
    const mlp_network *network = plan->spec.network;
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        ptrdiff_t inputs = mlp_layer_inputs(&network->layers[l]);
        plan->squares[l] = mlp_alloc(arena, inputs, mlp_count_parts(l), sizeof(double));
    }
}

/* ---- what each kind of job needs ---- */

void
mlp_lay_out_training(mlp_arena *arena, mlp_plan *plan)
{
    const mlp_plan_spec *spec = &plan->spec;
    ptrdiff_t n_layers = spec->network->n_layers;
    for (int g = 0; g < spec->n_groups; g++) {
        alloc_first_layer(arena, plan, &plan->groups[g]);
    }
    alloc_chunks(arena, plan, MLP_MAX_BUFFERS);
    alloc_sum_slices(arena, plan);
    alloc_outputs(arena, spec, n_layers, plan->layers);
    alloc_slopes(arena, spec, plan->layers);
    alloc_deltas(arena, spec, n_layers, plan->layers);
    alloc_delta_slices(arena, plan);
    alloc_packed_deltas(arena, spec, plan->layers);
    if (spec->packs_weights) {
        alloc_forward_packs(arena, plan);
    }
    alloc_backward_packs(arena, plan);
    if (spec->keeps_gradients) {
        alloc_gradients(arena, plan);
    }
    if (!spec->keeps_gradients) {
        alloc_scratches(arena, plan);
    }
    plan->row_losses = mlp_alloc(arena, spec->n_rows, 1, sizeof(double));
    alloc_squares(arena, plan);
}

void
mlp_lay_out_prediction(mlp_arena *arena, mlp_plan *plan)
{
    const mlp_plan_spec *spec = &plan->spec;
    for (int m = 0; m < spec->n_members; m++) {
        mlp_member *member = &plan->members[m];
        alloc_outputs(arena, spec, spec->network->n_layers - 1, member->layers);
        alloc_own_rows(arena, spec, member);
    }
    if (spec->packs_weights) {
        alloc_forward_packs(arena, plan);
    }
}

void
mlp_lay_out_losses(mlp_arena *arena, mlp_plan *plan)
{
    const mlp_plan_spec *spec = &plan->spec;
    ptrdiff_t last = spec->network->n_layers - 1;
    mlp_lay_out_prediction(arena, plan);
    for (int m = 0; m < spec->n_members; m++) {
        plan->members[m].layers[last].outputs = alloc_by_unit(arena, spec, last);
    }
    plan->row_losses = mlp_alloc(arena, spec->data->n, 1, sizeof(double));
}

void
mlp_lay_out_forward(mlp_arena *arena, mlp_plan *plan)
{
    const mlp_plan_spec *spec = &plan->spec;
    for (int m = 0; m < spec->n_members; m++) {
        mlp_member *member = &plan->members[m];
        alloc_own_rows(arena, spec, member);
        if (spec->is_sparse) { /* the outputs are the caller's, and not padded */
            member->sums = alloc_sums(arena, spec, &member->group->slice);
        }
    }
    if (spec->packs_weights) {
        alloc_forward_packs(arena, plan);
    }
}

void
mlp_lay_out_backward(mlp_arena *arena, mlp_plan *plan)
{
    const mlp_plan_spec *spec = &plan->spec;
    ptrdiff_t n_layers = spec->network->n_layers;
    for (int g = 0; g < spec->n_groups; g++) {
        alloc_first_layer(arena, plan, &plan->groups[g]);
    }
    alloc_chunks(arena, plan, 1);
    mlp_layer_rows *first = plan->layers;
    alloc_deltas(arena, spec, n_layers - 1, first);
    alloc_delta_slices(arena, plan);
    alloc_packed_deltas(arena, spec, first);
    alloc_backward_packs(arena, plan);
    if (spec->is_sparse) { /* the gradients are the caller's, and not padded */
        alloc_scratches(arena, plan);
    }
    for (int m = 0; m < spec->n_members; m++) { /* views that change by chunk, of the same memory */
        mlp_member *member = &plan->members[m];
        memmove(member->layers, first, (size_t)n_layers * sizeof *first);
    }
}
