/* Room for the rows in work: of dense ones for their elements, of sparse ones for their pairs, by
 * row and listed by column in strips. */
#ifndef MLP_ROW_ROOM_H
#define MLP_ROW_ROOM_H

#include "network/plan.h"

/* The most strips that a team lists `rows` sparse rows in: as many for each of a group's members,
 * which take them forward, and one for each of the team's, which list them, if that leaves rows
 * enough in a strip. */
ptrdiff_t mlp_count_strips(ptrdiff_t rows, int team_size, int group_size);

/* Room for a block of rows of a member's own. */
void mlp_alloc_own_rows(mlp_arena *arena, const mlp_plan_spec *spec, mlp_member *member);

/* Room for chunks of rows: of dense ones each group's, of sparse ones the team's. */
void mlp_alloc_chunks(mlp_arena *arena, mlp_plan *plan, int most_buffers);

#endif
