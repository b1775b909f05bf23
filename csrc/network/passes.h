/* The passes of the rows in work through a network's layers: the stages FORWARD, BACKWARD and
 * GRADIENT of a batch, for one member of the team.
 *
 * Where the team is to stop, a pass ends early. Those that return bool then return true.
 */
#ifndef MLP_PASSES_H
#define MLP_PASSES_H

#include "network/plan.h"

/* The member's share of the input units of a layer, of the first one in its slice. */
void mlp_share_units(const mlp_member *m, ptrdiff_t layer, ptrdiff_t *begin, ptrdiff_t *end);

/* Packs the weights of input units begin to end of a layer wherever they are used so. */
void mlp_pack_weights(const mlp_member *m, ptrdiff_t layer, ptrdiff_t begin, ptrdiff_t end);

/* Packs all weights, a share each. Past the next barrier they are ready. */
void mlp_pack_network(const mlp_member *m);

/* outputs[0] = f(x weights[0] + biases[0]) for the member's rows and the columns of its slice; with
 * a layer's dropout, that times the factors of its mask, as are the slopes.
 * Where groups meet in the outputs, z is written to memory of each group's own first, to avoid
 * false sharing; and where the outputs of sparse rows are the caller's, to memory that is padded.
 */
bool mlp_forward_first(const mlp_member *m, const mlp_rows *rows);

/* outputs[l] = f(outputs[l - 1] weights[l] + biases[l]) for all layers but the first and `rows`
 * begin to end. f is left out of the network's last layer. */
bool mlp_forward_others(const mlp_member *m, const mlp_rows *rows, ptrdiff_t begin, ptrdiff_t end);

/* Loads a block of rows, of which the member has all. */
void mlp_load_block(const mlp_member *m, const mlp_rows *rows);

/* Takes such a block forward. */
bool mlp_forward_block(const mlp_member *m, mlp_rows *rows);

/* deltas[l] = (deltas[l + 1] weights[l + 1]^T) * f'(z[l]) from the last layer, whose deltas are
 * given, down to the first, for the rows begin to end; packs them for the gradients. */
void mlp_backward_rows(const mlp_member *m, ptrdiff_t begin, ptrdiff_t end);

/* Goes on to the member's next task: first its own, then what no member has taken. Returns NULL
 * when there is none left. Begins with *n_done = 0. */
const mlp_task *mlp_next_task(const mlp_member *m, ptrdiff_t *n_done);

/* Where the gradient of a task goes: to the kept gradient where there is one, else to the
 * member's scratch. */
mlp_matrix mlp_task_gradient(const mlp_member *m, const mlp_task *task);

/* Computes the gradient of a task over the rows, of which all members' are ready: outputs[l - 1]^T
 * deltas[l], or the sums of the deltas; or that added to it. */
void mlp_compute_gradient(const mlp_member *m, const mlp_rows *rows, const mlp_task *task,
                          bool accumulate, const mlp_matrix *gradient);

/* The gradients of the rows, or those added, for all tasks of the member, where they are kept. */
void mlp_compute_gradients(const mlp_member *m, const mlp_rows *rows, bool accumulate);

#endif
