#include "network/layout.h"

#include <assert.h>
#include <string.h>

/* ---- tasks ---- */

ptrdiff_t
mlp_task_units(const mlp_plan *plan, const mlp_group *group, ptrdiff_t layer)
{
    if (layer > 0 || !plan->spec.is_sparse) {
        return plan->spec.kernels->block_units;
    }
    ptrdiff_t cols = group->slice.end - group->slice.begin;
    ptrdiff_t bytes = (cols + 1) * plan->spec.network->layers[0].weights.value.item;
    ptrdiff_t units = 2 * (MLP_SUMS_BYTES / 2 / bytes + 1);
    return plan->spec.squares_gradients ? mlp_ceil_div(units, MLP_SQUARE_ROWS) * MLP_SQUARE_ROWS
                                        : units;
}

/* The input units of a layer that have weights: none where it has no units. */
static ptrdiff_t
count_weighted(const mlp_layer *layer)
{
    return mlp_layer_units(layer) == 0 ? 0 : mlp_layer_inputs(layer);
}

/* The input units of the first layer on which a member of a group has tasks. */
static void
share_first_layer(const mlp_plan *plan, const mlp_group *group, int rank, ptrdiff_t *begin,
                  ptrdiff_t *end)
{
    ptrdiff_t units = count_weighted(&plan->spec.network->layers[0]);
    mlp_share(group->size, rank, units, mlp_task_units(plan, group, 0), begin, end);
}

/* How many tasks there are for all members together. */
static ptrdiff_t
count_tasks(const mlp_plan *plan)
{
    const mlp_network *network = plan->spec.network;
    ptrdiff_t n = 0;
    if (!plan->spec.goes_backward) {
        return 0;
    }
    for (int g = 0; g < plan->spec.n_groups; g++) {
        const mlp_group *group = &plan->groups[g];
        for (int rank = 0; rank < group->size; rank++) {
            ptrdiff_t begin, end;
            share_first_layer(plan, group, rank, &begin, &end);
            n += mlp_ceil_div(end - begin, mlp_task_units(plan, group, 0)) + (rank == 0);
        }
    }
    for (ptrdiff_t l = 1; l < network->n_layers; l++) {
        n += mlp_ceil_div(count_weighted(&network->layers[l]), plan->spec.kernels->block_units);
        n++;
    }
    return n;
}

/* Writes the tasks on input units begin to end of a layer's weights, of `step` units each. Returns
 * where the next task goes. */
static mlp_task *
add_tasks(mlp_task *next, ptrdiff_t layer, ptrdiff_t begin, ptrdiff_t end, ptrdiff_t step)
{
    for (; begin < end; begin += step) {
        *next++ = (mlp_task){layer, begin, mlp_min(begin + step, end), false};
    }
    return next;
}

/* Writes all tasks: each member's own on its share of its group's slice; then the shared ones. */
static void
write_tasks(mlp_plan *plan)
{
    const mlp_plan_spec *spec = &plan->spec;
    mlp_task *next = plan->tasks;
    for (int m = 0; m < spec->n_members; m++) {
        mlp_member *member = &plan->members[m];
        ptrdiff_t begin, end;
        share_first_layer(plan, member->group, member->rank, &begin, &end);
        member->own_tasks.tasks = next;
        next = add_tasks(next, 0, begin, end, mlp_task_units(plan, member->group, 0));
        if (member->rank == 0) {
            *next++ = (mlp_task){0, 0, 1, true};
        }
        member->own_tasks.n = next - member->own_tasks.tasks;
    }
    plan->shared_tasks.tasks = next;
    for (ptrdiff_t l = 1; l < spec->network->n_layers; l++) {
        ptrdiff_t units = count_weighted(&spec->network->layers[l]);
        next = add_tasks(next, l, 0, units, spec->kernels->block_units);
    }
    for (ptrdiff_t l = 1; l < spec->network->n_layers; l++) {
        *next++ = (mlp_task){l, 0, 1, true};
    }
    plan->shared_tasks.n = next - plan->shared_tasks.tasks;
    assert(next - plan->tasks == count_tasks(plan));
}

/* ---- plans ---- */

/* The tables that a plan is made of. */
static void
alloc_tables(mlp_arena *arena, mlp_plan *plan)
{
    const mlp_plan_spec *spec = &plan->spec;
    ptrdiff_t n_layers = spec->network->n_layers;
    plan->members = mlp_alloc(arena, spec->n_members, 1, sizeof(mlp_member));
    plan->layers = mlp_alloc(arena, spec->has_own_layers ? spec->n_members : 1, n_layers,
                             sizeof(mlp_layer_rows));
    plan->tasks = mlp_alloc(arena, count_tasks(plan), 1, sizeof(mlp_task));
    plan->squares = mlp_alloc(arena, n_layers, 1, sizeof(double *));
    plan->gradient_squares = mlp_alloc(arena, n_layers, 1, sizeof(double *));
    for (int g = 0; g < spec->n_groups; g++) {
        mlp_group *group = &plan->groups[g];
        group->layers = mlp_alloc(arena, n_layers, 1, sizeof(mlp_layer));
        group->weights = mlp_alloc(arena, n_layers, 1, sizeof(mlp_packed));
        group->weights_t = mlp_alloc(arena, n_layers, 1, sizeof(mlp_packed));
    }
}

/* Who is in which group, and does what. */
static void
join_groups(mlp_plan *plan)
{
    const mlp_plan_spec *spec = &plan->spec;
    size_t n_layers = (size_t)spec->network->n_layers;
    for (int g = 0; g < spec->n_groups; g++) {
        memcpy(plan->groups[g].layers, spec->network->layers, n_layers * sizeof(mlp_layer));
    }
    for (int m = 0; m < spec->n_members; m++) {
        plan->members[m] = (mlp_member){
            .plan = plan,
            .kernels = spec->kernels,
            .group = &plan->groups[m % spec->n_groups],
            .rank = m / spec->n_groups,
            .layers = plan->layers + (spec->has_own_layers ? (size_t)m * n_layers : 0),
        };
    }
    if (spec->goes_backward && plan->tasks != NULL) { /* they are: for analyzers */
        write_tasks(plan);
    }
}

char *
mlp_keep_block(mlp_job_memory *memory, void *block)
{
    memory->blocks[memory->n_blocks++] = block;
    return block == NULL ? NULL : (char *)block + MLP_ALIGNMENT - (uintptr_t)block % MLP_ALIGNMENT;
}

/* Counts what a function asks of an arena. Returns false where no memory is as large. */
static bool
count_bytes(void (*set_out)(mlp_arena *, mlp_plan *), mlp_plan *plan)
{
    const size_t most = PTRDIFF_MAX - MLP_ALIGNMENT;
    mlp_arena arena = {0};
    set_out(&arena, plan);
    plan->cleared = arena.cleared.used;
    plan->uncleared = arena.uncleared.used;
    return plan->cleared <= most && plan->uncleared <= most;
}

/* Sets out what a function asks of an arena. Returns false without memory. */
static bool
lay_out(mlp_job_memory *memory, void (*set_out)(mlp_arena *, mlp_plan *), mlp_plan *plan)
{
    if (!count_bytes(set_out, plan)) {
        return false;
    }
    char *cleared = mlp_keep_block(memory, memory->calloc(1, plan->cleared + MLP_ALIGNMENT));
    char *uncleared = mlp_keep_block(memory, memory->malloc(plan->uncleared + MLP_ALIGNMENT));
    if (cleared == NULL || uncleared == NULL) {
        return false;
    }
    mlp_arena arena = {{cleared, 0}, {uncleared, 0}};
    set_out(&arena, plan);
    return true;
}

mlp_plan_spec
mlp_training_spec(const mlp_kernels *kernels, const mlp_network *network, const mlp_data *data,
                  ptrdiff_t batch_rows, int n_members)
{
    ptrdiff_t n_rows = mlp_min(batch_rows, MLP_CHUNK_ROWS);
    return (mlp_plan_spec){
        .kernels = kernels,
        .network = network,
        .data = data,
        .n_rows = n_rows,
        .n_members = n_members,
        .n_groups = mlp_count_groups(&network->layers[0], n_members),
        .is_sparse = data->x.is_sparse,
        .packs_weights = n_rows > MLP_FEW_ROWS,
        .goes_backward = true,
        .drops_tiny = true,
        .lay_out = mlp_lay_out_training,
    };
}

mlp_plan *
mlp_make_plan(mlp_job_memory *memory, const mlp_plan_spec *spec)
{
    mlp_plan *plan = memory->calloc(1, sizeof *plan);
    memory->blocks[memory->n_blocks++] = plan;
    if (plan == NULL) {
        return NULL;
    }
    plan->spec = *spec;
    ptrdiff_t cols = mlp_layer_units(&spec->network->layers[0]);
    for (int g = 0; g < spec->n_groups; g++) {
        plan->groups[g].slice = mlp_make_slice(cols, spec->n_groups, g);
        plan->groups[g].size = spec->n_members / spec->n_groups;
    }
    if (!lay_out(memory, alloc_tables, plan)) {
        return NULL;
    }
    join_groups(plan);
    bool is_laid_out = memory->lacks_workspace ? count_bytes(spec->lay_out, plan)
                                               : lay_out(memory, spec->lay_out, plan);
    return is_laid_out ? plan : NULL;
}

void
mlp_give_workspace(mlp_plan *plan, char *workspace)
{
    mlp_arena arena = {{workspace, 0}, {workspace + plan->cleared, 0}};
    plan->spec.lay_out(&arena, plan);
}

mlp_member
mlp_join_plan(const mlp_plan *plan, mlp_worker *worker)
{
    mlp_member member = plan->members[worker->rank];
    member.worker = worker;
    if (member.group->n_buffers > 0) {
        memcpy(member.buffers, member.group->buffers, sizeof member.buffers);
    }
    return member;
}
