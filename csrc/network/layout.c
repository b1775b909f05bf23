#include "network/layout.h"

#include <string.h>

#include "network/row_room.h"

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

/* Slopes of the hidden layers that need them, as those with dropout do. */
static void
alloc_slopes(mlp_arena *arena, const mlp_plan_spec *spec, mlp_layer_rows layers[])
{
    for (ptrdiff_t l = 0; l < spec->network->n_layers - 1; l++) {
        const mlp_layer *layer = &spec->network->layers[l];
        if (mlp_needs_slopes(layer->activation) || layer->dropout > 0) {
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

/* Gradients of a whole batch, which all groups see; of the first layer each its slice. Weights have
 * room for whole pairs of rows. Where no rows have weight, all stay 0. */
static void
alloc_gradients(mlp_arena *arena, mlp_plan *plan)
{
    const mlp_network *network = plan->spec.network;
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        ptrdiff_t units = mlp_layer_inputs(&network->layers[l]);
        ptrdiff_t cols = mlp_layer_units(&network->layers[l]);
        mlp_matrix weights =
            mlp_alloc_padded_of(&arena->cleared, plan->spec.kernels, units + units % 2, cols);
        mlp_matrix biases = mlp_alloc_padded_of(&arena->cleared, plan->spec.kernels, 1, cols);
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

/* Sums of squared weights, and of gradients where these are squared, which all members see. */
static void
alloc_squares(mlp_arena *arena, mlp_plan *plan)
{
    const mlp_network *network = plan->spec.network;
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        ptrdiff_t inputs = mlp_layer_inputs(&network->layers[l]);
        plan->squares[l] = mlp_alloc(arena, inputs, mlp_count_parts(l), sizeof(double));
        if (plan->spec.squares_gradients) {
            plan->gradient_squares[l] =
                mlp_alloc(arena, mlp_count_gradient_sums(&network->layers[l]) + 1,
                          mlp_count_parts(l), sizeof(double));
        }
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
    mlp_alloc_chunks(arena, plan, MLP_MAX_BUFFERS);
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
        mlp_alloc_own_rows(arena, spec, member);
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
        mlp_alloc_own_rows(arena, spec, member);
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
    mlp_alloc_chunks(arena, plan, 1);
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
