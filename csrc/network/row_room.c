#include "network/row_room.h"

#include <string.h>

ptrdiff_t
mlp_count_strips(ptrdiff_t rows, int team_size, int group_size)
{
    ptrdiff_t to_list = mlp_min(team_size, rows / MLP_LEAST_STRIP_ROWS);
    ptrdiff_t least = mlp_max(to_list, mlp_ceil_div(rows, MLP_STRIP_ROWS));
    return mlp_max(1, mlp_ceil_div(least, group_size)) * group_size;
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
    ptrdiff_t pair_slots = x->is_paired && spec->data->dropout == 0 ? 0 : slots;
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

void
mlp_alloc_own_rows(mlp_arena *arena, const mlp_plan_spec *spec, mlp_member *member)
{
    alloc_rows(arena, spec, spec->lists_rows ? mlp_count_strips(spec->n_rows, 1, 1) : 0, 1,
               member->buffers);
}

void
mlp_alloc_chunks(mlp_arena *arena, mlp_plan *plan, int most_buffers)
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
