/* The memory that each kind of job lays out for its plan. */
#ifndef MLP_LAYOUT_H
#define MLP_LAYOUT_H

#include "network/plan.h"

/* What a plan is made for that trains on batches of so many rows; the rest of it is for the caller
 * to say. */
mlp_plan_spec mlp_training_spec(const mlp_kernels *kernels, const mlp_network *network,
                                const mlp_data *data, ptrdiff_t batch_rows, int n_members);

/* An epoch, and a gradient over all rows: rows, and all that the layers make of them. */
void mlp_lay_out_training(mlp_arena *arena, mlp_plan *plan);

/* Each member's own rows, and the outputs of all layers but the last. */
void mlp_lay_out_prediction(mlp_arena *arena, mlp_plan *plan);

/* The same, the logits, and a loss for each row of the data. */
void mlp_lay_out_losses(mlp_arena *arena, mlp_plan *plan);

/* The public kernels: packed weights; and what one chunk of rows needs on its way back. */
void mlp_lay_out_forward(mlp_arena *arena, mlp_plan *plan);
void mlp_lay_out_backward(mlp_arena *arena, mlp_plan *plan);

#endif
