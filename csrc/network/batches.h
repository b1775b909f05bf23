/* The batches of the data, one after the other, in chunks of rows that fit the cache.
 *
 * A batch's stages are LOAD, FORWARD, LOSS, BACKWARD, GRADIENT and UPDATE. With a chunk, each group
 * takes all rows through its slice of the first layer; past a barrier, each member takes its rows
 * through the other layers, forward and backward; and past another, it computes the gradients of
 * its tasks over the whole chunk. Once the batch is whole it updates them, task by task, so that a
 * gradient is used while it is in the cache. With the next chunk loaded, all meet again. Of dense
 * rows each group loads all: that costs less than to have them come from another core's cache. To
 * find and list the pairs of sparse rows costs more, and is shared out.
 *
 * A stage that needs all gradients of a batch at once comes between GRADIENT and UPDATE: the plan
 * then keeps gradients, and each is updated past a barrier.
 */
#ifndef MLP_BATCHES_H
#define MLP_BATCHES_H

#include "network/passes.h"

/* A chunk of the data's rows, and the batch that it is of. */
typedef struct {
    ptrdiff_t first, n;
    ptrdiff_t batch, batch_rows;
    double weight_sum;   /* of the batch */
    ptrdiff_t n_batches; /* with weight, up to this one */
} mlp_cursor;

/* The sum of the sample weights of n rows from `first` on, in order; of some of them where the team
 * is to stop. */
double mlp_sum_weights(mlp_worker *worker, const mlp_data *data, mlp_dtype dtype, ptrdiff_t first,
                       ptrdiff_t n);

/* Points a buffer at n rows of the data from `first` on, for the member to load and take forward
 * all; if they are sparse, to be listed in strips of so many, in none where that is 0. */
void mlp_set_rows(const mlp_member *m, ptrdiff_t first, ptrdiff_t n, ptrdiff_t strip_rows,
                  mlp_rows *rows);

/* Loads the member's share of n rows of the data from `first` on into a buffer. Past the next
 * barrier, all are there. */
void mlp_load_chunk(const mlp_member *m, ptrdiff_t first, ptrdiff_t n, mlp_rows *rows);

/* The same for rows of a batch with so many batches before it, of which `row` rows come first. */
void mlp_load_batch_rows(const mlp_member *m, ptrdiff_t first, ptrdiff_t n, int64_t n_before,
                         ptrdiff_t row, mlp_rows *rows);

/* Goes on to the next chunk, where need be of the next batch that has weight, and loads the
 * member's share of its rows into a buffer. Returns whether there is one: the same to all
 * members where the next barrier says to go on. Begins with {0}. */
bool mlp_load_next_chunk(mlp_member *m, ptrdiff_t batch_size, mlp_cursor *cursor, mlp_rows *rows);

/* Takes a loaded chunk forward, to its losses, and backward. Past the last of its barriers, whose
 * answer it returns, gradients can be computed. */
mlp_command mlp_run_chunk(const mlp_member *m, const mlp_objective *objective, const mlp_rows *rows,
                          double weight_sum);

/* A loss so far, and those of the n rows of the chunk that was run: for member 0. */
double mlp_add_row_losses(const mlp_member *m, ptrdiff_t n, double loss);

/* Where the squares of a layer's weights go, from input unit `begin` on; of the first layer, those
 * of the member's slice. */
mlp_squares mlp_squares_of(const mlp_member *m, ptrdiff_t layer, ptrdiff_t begin);

/* The same for the gradient of a task. */
mlp_squares mlp_gradient_squares_of(const mlp_member *m, const mlp_task *task);

/* The norm of all gradients, whose squares are there: the same to all members. */
double mlp_gradient_norm(const mlp_member *m);

/* l2 / 2 times the sum of all squared weights, in order of the parts; of some of them where the
 * team is to stop. */
double mlp_l2_loss(const mlp_member *m, double l2);

#endif
