/* The kernels and what each promises.
 *
 * Every kernel exists once per dtype and per instruction set, behind a table
 * (mlp_kernels) that cpu.h hands out. A kernel is a body for mlp_run: all
 * members of the team call it with the same arguments, and it shares its work
 * out among them so that no sum is ever split: the results have the same bits
 * on any number of threads. Kernels do not allocate; each says how much
 * workspace it needs, and finds it in the first member of its arguments.
 *
 * Sums run in index order from their start value (the bias, or +0), whatever
 * the blocking, so that a kernel gives one answer for one input on all
 * instruction sets that have fused multiply-add.
 *
 * To add a kernel: an argument struct and a line of MLP_KERNELS here, and a
 * template that defines FN(name) and FN(name_workspace).
 */
#ifndef MLP_KERNELS_H
#define MLP_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "threads.h"

typedef enum { MLP_FLOAT32, MLP_FLOAT64, MLP_N_DTYPES } mlp_dtype;

/* A view of somebody's array. Strides count elements and may be zero or
 * negative. A vector is one row. */
typedef struct {
    void *data;
    ptrdiff_t rows, cols;
    ptrdiff_t row_stride, col_stride;
} mlp_matrix;

/* Hidden activations: code, name. Their templates are in activations_tmpl.h. */
#define MLP_ACTIVATIONS(A)                                                                         \
    A(IDENTITY, identity)                                                                          \
    A(LOGISTIC, logistic)                                                                          \
    A(TANH, tanh)                                                                                  \
    A(RELU, relu)

typedef enum {
#define A(CODE, name) MLP_##CODE,
    MLP_ACTIVATIONS(A)
#undef A
} mlp_activation;

/* Layer l maps widths weights[l].rows -> weights[l].cols; biases[l] is one row. */
typedef struct {
    ptrdiff_t n_layers;
    mlp_activation activation; /* of all layers but the last, which is linear */
    mlp_matrix *weights;
    mlp_matrix *biases;
} mlp_network;

/* What the loss compares with: one label a row, or one row of targets each. */
typedef struct {
    const int32_t *labels; /* each in [0, number of logits), or NULL */
    mlp_matrix matrix;     /* used where labels is NULL */
    bool is_bool;          /* matrix holds bool, not the kernel's dtype */
} mlp_targets;

/* Cross-entropy of softmax. The loss of a class of probability p is
 * -log(p + eps), held within [floor, ceiling]; the gradient knows of neither. */
typedef struct {
    double eps, floor, ceiling;
} mlp_loss;

/* Update rules: code, name. Their templates are in update_tmpl.h. */
#define MLP_RULES(R)                                                                               \
    R(SGD, sgd)                                                                                    \
    R(MOMENTUM, momentum)                                                                          \
    R(NESTEROV, nesterov)

typedef enum {
#define R(CODE, name) MLP_##CODE,
    MLP_RULES(R)
#undef R
} mlp_rule;

/* An update rule and its constants. */
typedef struct {
    mlp_rule rule;
    double learning_rate;
    double momentum;
} mlp_optimizer;

/* activations[l] (n, weights[l].cols) written for every layer, the last one
 * without its activation (the logits). x (n, weights[0].rows), weights and
 * biases read. Outputs overlap nothing. Rows are shared out. */
typedef struct {
    void *workspace;
    mlp_matrix x;
    mlp_network network;
    mlp_matrix *activations;
} mlp_forward_args;

/* out (n, k) written: exp(logits) / sum(exp(logits)) by row. logits read. */
typedef struct {
    void *workspace;
    mlp_matrix logits, out;
} mlp_softmax_args;

/* dlogits (n, k) written: (p - y) / n with p the softmax of a row.
 * total_loss written: the sum over rows, in order. logits, targets read.
 * For a team of one. */
typedef struct {
    void *workspace;
    mlp_matrix logits, dlogits;
    mlp_targets targets;
    mlp_loss loss;
    double total_loss;
} mlp_softmax_cross_entropy_args;

/* dweights[l], dbiases[l] written, shaped as the weights and biases. x,
 * activations (of the hidden layers, as forward left them), dlogits and
 * weights read; biases unused. Outputs overlap nothing. Input units are shared
 * out; a sum over rows is whole, on one thread, in row order. */
typedef struct {
    void *workspace;
    mlp_matrix x;
    mlp_network network;
    const mlp_matrix *activations;
    mlp_matrix dlogits;
    mlp_matrix *dweights, *dbiases;
} mlp_backward_args;

/* params[i] updated in place from grads[i] and, for the rules that keep one,
 * the velocity moments[i] (also in place; else NULL). Same shapes. Rows are
 * shared out. */
typedef struct {
    void *workspace;
    ptrdiff_t n_params;
    mlp_matrix *params;
    const mlp_matrix *grads;
    mlp_matrix *moments;
    mlp_optimizer optimizer;
} mlp_update_args;

/* One pass over the rows in batches: forward, loss, backward, update.
 * x (any number of rows), targets, order read; the network's weights and
 * biases updated in place once a batch's gradients are whole. Where the team
 * is stopped, the parameters are those after the last whole batch.
 * total_loss written: sum over batches of (mean loss + l2/2 * sum of squared
 * weights / batch rows) * batch rows, with the weights before the update. */
typedef struct {
    void *workspace;
    mlp_matrix x;
    mlp_targets targets;
    const int64_t *order; /* n row numbers of x, or NULL: 0 .. n-1 */
    ptrdiff_t n, batch_size;
    mlp_network network;
    mlp_matrix *weight_moments, *bias_moments; /* or NULL */
    mlp_loss loss;
    mlp_optimizer optimizer;
    double l2; /* divided by the batch's rows, on weights only */
    double total_loss;
} mlp_train_epoch_args;

#define MLP_KERNELS(K)                                                                             \
    K(forward)                                                                                     \
    K(softmax)                                                                                     \
    K(softmax_cross_entropy)                                                                       \
    K(backward)                                                                                    \
    K(update)                                                                                      \
    K(train_epoch)

typedef struct {
    mlp_body *run;
    /* Bytes of workspace for these arguments; SIZE_MAX if beyond any memory. */
    size_t (*workspace)(const void *args, int n_threads);
} mlp_kernel;

typedef struct {
#define K(name) mlp_kernel name;
    MLP_KERNELS(K)
#undef K
} mlp_kernels;

/* The tables, one a dtype, of each instruction set (kernels_<isa>.c). */
extern const mlp_kernels mlp_kernels_baseline[MLP_N_DTYPES];
extern const mlp_kernels mlp_kernels_avx2[MLP_N_DTYPES];

#endif
