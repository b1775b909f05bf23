/* What becomes of a batch's gradients: REDUCE, what is made of all of them; UPDATE, task by task;
 * or they are written to somebody's arrays. And the copies of the first layer that are updated.
 */
#ifndef MLP_NETWORK_UPDATE_H
#define MLP_NETWORK_UPDATE_H

#include "network/batches.h"

typedef enum { MLP_TO_SLICES, MLP_FROM_SLICES } mlp_copy_direction;

/* Copies the member's rows of the first layer's weights and moments between where they lie and its
 * group's slice, where that is a copy. */
void mlp_copy_slices(const mlp_member *m, mlp_copy_direction direction);

/* Updates what a task's gradient belongs to, and packs it anew. */
void mlp_update_task(const mlp_member *m, const mlp_task *task, const mlp_step *batch,
                     const mlp_matrix *gradient);

/* Squares a task's gradient, with that of the L2 term. */
void mlp_square_task(const mlp_member *m, const mlp_task *task, const mlp_step *batch,
                     const mlp_matrix *gradient);

/* What gradients, whose squares are there, are multiplied with so that their norm is at most
 * `most`, as PyTorch clips them; NaN where float64 does not hold it: a fit that has lost its way is
 * not to go on in silence. */
double mlp_clip(const mlp_member *m, double most);

/* What came of the batches of an epoch that are whole. */
typedef struct {
    double loss; /* member 0's: the sum over batches of objective * rows */
    ptrdiff_t rows;
    int64_t steps;
} mlp_epoch_total;

/* Adds a batch of so many rows, with the sum of their losses, to the total. Only member 0 adds the
 * L2 term: the others pass l2 = 0. */
void mlp_add_batch(const mlp_member *m, ptrdiff_t rows, double weight_sum, double l2, double loss,
                   mlp_epoch_total *total);

/* Writes the gradients that are kept, with that of the L2 term, to those of the network's
 * parameters: the member's share. */
void mlp_write_gradients(const mlp_member *m, double l2);

#endif
