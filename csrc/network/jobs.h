/* The jobs that Python gives to a team of threads: what a call of the extension does to arrays.
 *
 * To prepare a job is to lay out what the members need, in memory that is asked of the caller's
 * functions. All members run it with the same arguments. They share the work so that no sum is ever
 * split: the results have the same bits on any number of threads. Where the team is stopped,
 * outputs may be written in part.
 *
 * The arguments of each job begin with mlp_job_memory.
 */
#ifndef MLP_JOBS_H
#define MLP_JOBS_H

#include <stdatomic.h>

#include "network/network.h"
#include "threads/team.h"

/* How a job's memory is had, zeroed or not, and what is had: for the caller to free. */
typedef struct mlp_job_memory {
    void *(*calloc)(size_t n, size_t size);
    void *(*malloc)(size_t size);
    void *blocks[5]; /* NULL where there was no memory */
    int n_blocks;
    bool lacks_workspace;        /* which whoever runs the job gives its plan */
    struct mlp_job_memory *next; /* of a job that this one runs; NULL after the last */
} mlp_job_memory;

/* outputs[l] (n, units of l) written for every layer: the hidden layers' activations, then the
 * logits. slopes[l] written for every hidden layer l unless slopes is NULL. The rows of the data
 * and the network read. Outputs overlap nothing. Rows are shared out. */
typedef struct {
    mlp_job_memory memory;
    const mlp_kernels *kernels;
    mlp_data data;
    mlp_network network;
    const mlp_matrix *outputs, *slopes;
    struct mlp_plan *plan;
} mlp_forward_args;
extern const mlp_job mlp_forward_job;

/* The gradients of all parameters written. The rows of the data, outputs (as forward left them; the
 * logits are not read), dlogits and weights read; biases are not looked at. Slopes are read instead
 * of outputs if they are given. They must be given if an activation needs them. Gradients overlap
 * nothing. Input units are shared out; where they are few, hidden units of the first layer, too. */
typedef struct {
    mlp_job_memory memory;
    const mlp_kernels *kernels;
    mlp_data data;
    mlp_network network;
    const mlp_matrix *outputs, *slopes;
    mlp_matrix dlogits;
    struct mlp_plan *plan;
} mlp_backward_args;
extern const mlp_job mlp_backward_job;

/* out = softmax(logits) by row. For a team of one. */
typedef struct {
    mlp_job_memory memory;
    const mlp_kernels *kernels;
    mlp_matrix logits, out;
} mlp_softmax_args;
extern const mlp_job mlp_softmax_job;

/* dlogits = (p - y) / n with p the softmax of a row; total_loss written: the sum over rows. For a
 * team of one. */
typedef struct {
    mlp_job_memory memory;
    const mlp_kernels *kernels;
    mlp_matrix logits, dlogits;
    mlp_targets targets;
    mlp_loss loss;
    double total_loss;
} mlp_softmax_cross_entropy_args;
extern const mlp_job mlp_softmax_cross_entropy_job;

/* values *= the factors of a mask. Rows are shared out. */
typedef struct {
    mlp_job_memory memory;
    const mlp_kernels *kernels;
    mlp_mask mask;
    mlp_matrix values;
} mlp_drop_args;
extern const mlp_job mlp_drop_job;

/* params[i] updated in place from grads[i], of its shape, by stochastic gradient descent. Its rows
 * are shared out, or the elements of a single one. A stop leaves the rest as it was. */
typedef struct {
    mlp_job_memory memory;
    const mlp_kernels *kernels;
    ptrdiff_t n_params;
    const mlp_matrix *params, *grads;
    double learning_rate;
} mlp_sgd_step_args;
extern const mlp_job mlp_sgd_step_job;

/* One pass over the data in batches: forward, loss, backward, update. The data are read; values and
 * moments of the network's parameters are updated in place, task by task as a batch's gradients
 * come to be whole. A team may update copies of the first layer, which are written back at the end.
 *
 * A stop lets the update of a batch in progress finish, for up to 30 ms: then some parameters may
 * be one batch further than others. A batch whose sample weights sum to 0, or to less than any
 * normal number, is passed over. */
typedef struct {
    mlp_job_memory memory;
    const mlp_kernels *kernels;
    mlp_data data;
    mlp_network network;
    mlp_objective objective;
    ptrdiff_t batch_size;
    mlp_rule rule;
    double weight_decay;          /* of a step of learning rate 1 */
    double max_gradient_norm;     /* of a batch's gradients, L2 term included; 0 for any */
    const double *learning_rates; /* of each batch, passed over or not */
    int64_t first_step;           /* steps made before */
    uint64_t seed;                /* of dropout's masks */
    struct mlp_plan *plan;
    /* written: */
    double
        total_loss; /* sum over batches of objective * rows, with the weights before the update */
    ptrdiff_t rows; /* of the batches that were not passed over */
    int64_t steps;  /* made: one for each whole batch of these */
} mlp_train_epoch_args;
extern const mlp_job mlp_train_epoch_job;

/* The same for one batch, all rows of the data, with the bits of the public kernels one after the
 * other: nothing that is tiny is dropped. */
extern const mlp_job mlp_train_step_job;

/* When a process that has some rows of each batch asks for an exchange with the others. */
typedef enum {
    MLP_RECEIVE, /* piece `index` of the gradients is to be there, as others have left it */
    MLP_SEND,    /* piece index % n_pieces, of part index / n_pieces of a batch, is there */
    MLP_CONCLUDE /* the gradients and the loss of batch `index` are to be there, of all its rows */
} mlp_exchange_point;

/* What a process has of each batch, and how it exchanges what it makes of that with others. The
 * rows of a batch are in parts, each with a gradient of its own. */
typedef struct {
    ptrdiff_t n_batches, n_parts; /* in all; of each */
    const int64_t *part_starts;   /* n_batches * n_parts + 1: ascending from 0 to data.n */
    const int64_t *batch_rows;    /* of each batch, in all processes; 0 where it is passed over */
    const int64_t *first_rows;    /* of these, those before the ones that are here */
    const double *weight_sums;    /* of each batch, in all processes */
    ptrdiff_t n_pieces;           /* of a gradient */
    const int64_t *piece_starts;  /* n_pieces + 1: input units of the first layer, ascending from 0
                                     to all of them, even but for the last. The last piece has all
                                     biases and other layers, too */
    bool goes_on; /* gradients and losses begin with what RECEIVE gives, else with 0 */
    /* loss: of the rows before, where piece 0 is received, and of the part, where it is sent; then
     * of the batch. Returns false where the work is to stop. */
    bool (*ask)(void *context, mlp_exchange_point point, ptrdiff_t index, double *loss);
    void *context;
} mlp_exchange;

/* An epoch of which this process has some rows of each batch: train_epoch's, whose batch_size is
 * not looked at. Gradients are exchanged where the network's parameters have theirs; of a part
 * without rows, they are as the caller has left them. */
typedef struct {
    mlp_train_epoch_args epoch;
    mlp_exchange exchange;
} mlp_train_share_args;
extern const mlp_job mlp_train_share_job;

/* The objective over the rows of several processes, which are one batch, and its gradients,
 * which are written where gradients are exchanged. The data and the network's values are read. */
typedef struct {
    mlp_job_memory memory;
    const mlp_kernels *kernels;
    mlp_data data;
    mlp_network network;
    mlp_objective objective;
    mlp_exchange exchange;
    struct mlp_plan *plan;
    double value; /* written */
} mlp_share_gradient_args;
extern const mlp_job mlp_share_gradient_job;

/* The objective over all of the data, and its gradients, written to those of the network's
 * parameters. The data and the network's values are read. */
typedef struct {
    mlp_job_memory memory;
    const mlp_kernels *kernels;
    mlp_data data;
    mlp_network network;
    mlp_objective objective;
    struct mlp_plan *plan;
    double value; /* written */
} mlp_loss_gradient_args;
extern const mlp_job mlp_loss_gradient_job;

/* out (n, k) written: the last layer's outputs for the rows of the data, whose targets and weights
 * are not looked at, with an output activation, of each head by itself. Data and network read. Rows
 * are shared out; no activation is kept for more than a block of them. With check_finite, for a
 * dense array of the kernels' dtype, found_non_finite is set where a row has an element that is
 * infinite or NaN; out is then not to be used. */
typedef struct {
    mlp_job_memory memory;
    const mlp_kernels *kernels;
    mlp_data data;
    mlp_network network;
    mlp_output output;
    mlp_heads heads;
    mlp_matrix out;
    bool check_finite;
    atomic_bool found_non_finite;
    struct mlp_plan *plan;
} mlp_predict_args;
extern const mlp_job mlp_predict_job;

/* The loss of the rows of the data, without gradients: total written, the sum of the losses times
 * the sample weights, in order of the rows. Where `out` has data, it is written, as by predict; its
 * rows are contiguous; and the losses of each row, unless these are NULL.
 * Data and network read. Rows are shared out. */
typedef struct {
    mlp_job_memory memory;
    const mlp_kernels *kernels;
    mlp_data data;
    mlp_network network;
    mlp_loss loss;
    mlp_output output;
    mlp_matrix out;
    double *losses; /* times their weights */
    struct mlp_plan *plan;
    double total; /* written */
} mlp_evaluate_args;
extern const mlp_job mlp_evaluate_job;

/* One of several networks that are trained at once: an epoch, and then, with its weights, the
 * losses of rows held out, if there are any. */
typedef struct {
    mlp_train_epoch_args epoch;
    bool has_held_out;
    mlp_evaluate_args held_out;
} mlp_learner;

/* Each learner's epoch and evaluation, one after the other, as by train_epoch and evaluate on one
 * thread. Members of the team claim whole learners, in order. Learners may read the same memory;
 * what one writes, no other reads or writes. A stop leaves those that were begun as it leaves
 * train_epoch, and others as they were. In the child of a fork, steps of learners that other
 * members had begun are not counted. */
typedef struct {
    mlp_job_memory memory;
    ptrdiff_t n;
    mlp_learner *learners;
    char *workspaces; /* one for each member of the team: of the learner that it has */
    ptrdiff_t workspace_bytes;
} mlp_train_members_args;
extern const mlp_job mlp_train_members_job;

/* count_pairs: counts[i] written: how many pairs row i of x, a dense array, has. Then, with
 * row_starts made of them, list_pairs: these pairs written to `pairs`, of the kernels' dtype, and
 * their columns to `columns`: uint16_t where column_bytes is 2, else uint32_t. x read. Rows are
 * shared out. */
typedef struct {
    mlp_job_memory memory;
    const mlp_kernels *kernels;
    mlp_input x;
    int64_t *counts;
    mlp_pair_lists lists;
    char *rows;        /* room for a row for each member: converted, */
    uint32_t *columns; /* and the columns of its pairs */
} mlp_pairs_args;
extern const mlp_job mlp_count_pairs_job;
extern const mlp_job mlp_list_pairs_job;

#endif
