/* The memory that each kind of job lays out for its plan. */
#ifndef MLP_LAYOUT_H
#define MLP_LAYOUT_H

#include "network/plan.h"

/* An epoch, and a gradient over all rows: rows, and all that the layers make of them. */
void mlp_lay_out_training(mlp_arena *arena, mlp_plan *plan);

/* Each member's own rows, and the outputs of all layers but the last. */
void mlp_lay_out_prediction(mlp_arena *arena, mlp_plan *plan);

/* The same, the logits, and a loss for each row of the data. */
void mlp_lay_out_losses(mlp_arena *arena, mlp_plan *plan);

/* The public kernels: each member's own rows, and packed weights; and what one chunk of rows needs
 * on its way back. */
void mlp_lay_out_forward(mlp_arena *arena, mlp_plan *plan);
void mlp_lay_out_backward(mlp_arena *arena, mlp_plan *plan);

#endif
