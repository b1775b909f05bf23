/* The kernels and what each promises.
 *
 * Every kernel exists once per dtype and per instruction set, behind a table
 * (mlp_kernels) that cpu.h hands out. A kernel is a body for mlp_run: all
 * members of the team call it with the same arguments, and it shares its work
 * out among them so that no sum is ever split: the results have the same bits
 * on any number of threads. Kernels do not allocate; each says how much
 * workspace it needs, and finds it, zeroed, in the first member of its arguments.
 * Where the team is stopped, outputs may be written in part.
 *
 * Sums run in index order from their start value (the bias, +0 for -0, or +0), whatever
 * the blocking, so that a kernel gives one answer for one input on all
 * instruction sets that have fused multiply-add.
 *
 * To add a kernel: an argument struct and a line of MLP_KERNELS here, and a
 * template that defines FN(name) and, unless it needs none, FN(name_workspace).
 */
#ifndef MLP_KERNELS_H
#define MLP_KERNELS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "threads/team.h"

typedef enum { MLP_FLOAT32, MLP_FLOAT64, MLP_N_DTYPES } mlp_dtype;

/* A view of somebody's array. Strides count elements and may be zero or
 * negative. A vector is one row. */
typedef struct {
    void *data;
    ptrdiff_t rows, cols;
    ptrdiff_t row_stride, col_stride;
    bool padded; /* a kernel's own: rows may be read and written up to a whole vector */
} mlp_matrix;

/* What the elements of dense rows may be: code, C type, and the function that gives
 * their value (rows.h). A kernel converts those that are not of its dtype as it
 * needs them. */
#define MLP_ELEMENTS(E)        \
    E(FLOAT32, float, plain)   \
    E(FLOAT64, double, plain)  \
    E(FLOAT16, uint16_t, half) \
    E(BOOL, uint8_t, truth)    \
    E(INT8, int8_t, plain)     \
    E(INT16, int16_t, plain)   \
    E(INT32, int32_t, plain)   \
    E(INT64, int64_t, plain)   \
    E(UINT8, uint8_t, plain)   \
    E(UINT16, uint16_t, plain) \
    E(UINT32, uint32_t, plain) \
    E(UINT64, uint64_t, plain)

typedef enum {
#define E(CODE, type, value) MLP_OF_##CODE,
    MLP_ELEMENTS(E)
#undef E
} mlp_element;

_Static_assert((int)MLP_OF_FLOAT32 == MLP_FLOAT32 && (int)MLP_OF_FLOAT64 == MLP_FLOAT64,
               "the kernels' dtypes come first, in their order");

/* Rows of a dense array, or of a sparse one (CSR). Of a sparse array, and of a dense
 * one that is said to be, only elements that are not zero, and for some a neighbour that
 * is, are multiplied, in the order of their columns. Where values are paired, there are
 * two of them, of columns 2c and 2c + 1, to each of `columns`, which has c; one that has no
 * column, past an odd number of them, is 0. */
typedef struct {
    ptrdiff_t rows, cols;
    mlp_matrix dense; /* the elements, where values is NULL; strides count them */
    mlp_element element;
    ptrdiff_t item; /* bytes of one */
    bool is_sparse;
    bool is_paired;
    const void *values;        /* of row i: from row_starts[i] to row_starts[i + 1] */
    const void *columns;       /* theirs, ascending in a row */
    int column_bytes;          /* 2 or 4 of an unsigned integer or 8 of a signed one */
    const int64_t *row_starts; /* rows + 1, not descending, within columns */
    ptrdiff_t row_places;      /* the most values, or pairs, that a row has to multiply */
} mlp_input;

/* Hidden activations: code, name. Their templates are in activations.h. */
#define MLP_ACTIVATIONS(A) \
    A(IDENTITY, identity)  \
    A(LOGISTIC, logistic)  \
    A(TANH, tanh)          \
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
    const int32_t *labels; /* each in [0, number of outputs), or NULL */
    mlp_matrix matrix;     /* used where labels is NULL */
    bool is_bool;          /* matrix holds bool, not the kernel's dtype */
} mlp_targets;

/* Losses with their canonical output activations: code, name, output. Their
 * templates are in losses.h. */
#define MLP_LOSSES(L)                         \
    L(CROSS_ENTROPY, cross_entropy, softmax)  \
    L(LOGISTIC_LOSS, logistic_loss, logistic) \
    L(SQUARED_ERROR, squared_error, identity) \
    L(POISSON_LOSS, poisson_loss, exp)

typedef enum {
#define L(CODE, name, output) MLP_##CODE,
    MLP_LOSSES(L)
#undef L
} mlp_loss_function;

/* The loss of a class of probability p is -log(p + eps), held within [floor,
 * ceiling]; the gradient knows of neither. */
typedef struct {
    mlp_loss_function function;
    double eps, floor, ceiling;
    double gradient_scale; /* what the gradient is multiplied with in training, 1 for none */
} mlp_loss;

/* Update rules: code, name, moments they keep. Their templates are in
 * update.h. */
#define MLP_RULES(R)         \
    R(SGD, sgd, 0)           \
    R(MOMENTUM, momentum, 1) \
    R(NESTEROV, nesterov, 1) \
    R(ADAM, adam, 2)

typedef enum {
#define R(CODE, name, moments) MLP_##CODE,
    MLP_RULES(R)
#undef R
} mlp_rule;

enum { MLP_MAX_MOMENTS = 2 };

/* An update rule and its constants. */
typedef struct {
    mlp_rule rule;
    double learning_rate;
    double momentum;                /* of momentum and nesterov */
    double beta_1, beta_2, epsilon; /* of adam */
    int64_t steps;                  /* updates made before, for adam */
} mlp_optimizer;

/* What a network is trained on: rows, their targets and weights. */
typedef struct {
    mlp_input x;
    mlp_targets targets;
    const void *sample_weight; /* one a row of x, of the kernel's dtype; NULL: all 1 */
    const int64_t *order;      /* n row numbers of x, or NULL: 0 .. n-1 */
    ptrdiff_t n;
    ptrdiff_t places; /* where x is sparse: mlp_count_places of all of them */
} mlp_data;

static inline ptrdiff_t
mlp_data_row(const mlp_data *data, ptrdiff_t i)
{
    return data->order == NULL ? i : (ptrdiff_t)data->order[i];
}

/* How many values, or pairs, n sparse rows of the data from `first` on have at most;
 * PTRDIFF_MAX if beyond any memory. */
static inline ptrdiff_t
mlp_count_places(const mlp_data *data, ptrdiff_t first, ptrdiff_t n)
{
    const int64_t *starts = data->x.row_starts;
    ptrdiff_t places = 0;
    bool overflows = starts == NULL && __builtin_mul_overflow(n, data->x.row_places, &places);
    for (ptrdiff_t i = first; i < first + n && starts != NULL; i++) {
        ptrdiff_t row = mlp_data_row(data, i);
        overflows |= __builtin_add_overflow(places, starts[row + 1] - starts[row], &places);
    }
    return overflows ? PTRDIFF_MAX : places;
}

/* What is minimised over a batch of rows r with weights w_r:
 *     (sum of w_r loss_r + l2 / 2 * sum of squared weights) / sum of w_r */
typedef struct {
    mlp_network network;
    mlp_loss loss;
    double l2;
} mlp_objective;

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
 * out, and hidden units of the first layer; a sum over rows is whole, on one thread, in row
 * order. */
typedef struct {
    void *workspace;
    mlp_matrix x;
    mlp_network network;
    const mlp_matrix *activations;
    mlp_matrix dlogits;
    mlp_matrix *dweights, *dbiases;
} mlp_backward_args;

/* params[i] updated in place from grads[i], of its shape, by a rule that keeps no moments. By one
 * thread. A stop leaves the rest as it was. */
typedef struct {
    void *workspace;
    ptrdiff_t n_params;
    mlp_matrix *params;
    const mlp_matrix *grads;
    mlp_optimizer optimizer;
} mlp_update_args;

/* One pass over the data in batches: forward, loss, backward, update. Data read;
 * the network's weights and biases and the moments (first those of the weights,
 * then those of the biases) updated in place, piece by piece as a batch's gradients
 * come to be whole. Of the first layer, a team may update copies, which are written back in
 * the end.
 * A stop waits for a batch's last piece, so that they are those after a whole batch, but for 30 ms
 * at most: then some may be a batch further. A batch
 * whose sample weights sum to 0, or to less than any normal number, is passed over. total_loss
 * written: the sum over batches of objective * rows, with the weights before the update. */
typedef struct {
    void *workspace;
    mlp_data data;
    mlp_objective objective;
    ptrdiff_t batch_size;
    mlp_matrix *moments[MLP_MAX_MOMENTS];
    mlp_optimizer optimizer;
    double total_loss;
    ptrdiff_t rows; /* written: of the batches that were not passed over */
    int64_t steps;  /* written: updates made, one for each whole one of these */
} mlp_train_epoch_args;

/* loss and its gradient, dweights and dbiases, written: the objective over all of
 * the data, which is read, as is the network. */
typedef struct {
    void *workspace;
    mlp_data data;
    mlp_objective objective;
    mlp_matrix *dweights, *dbiases;
    double loss;
} mlp_loss_gradient_args;

/* Rows too few to pack weights for, which costs more than to multiply them as they lie.
 * To look for the zeros of such rows costs little, and saves much if there are some. */
enum { MLP_FEW_ROWS = 4 };

/* out (n, k) written: the last layer's outputs for the rows of the data, whose
 * targets and weights are not looked at, with the output activation of a loss.
 * data and network read. Rows are shared out; no activation is kept for more than
 * a chunk of them. With check_finite, for a dense array of the kernel's dtype,
 * found_non_finite is set where a row has an element that is infinite or NaN; out is
 * then not to be used. */
typedef struct {
    void *workspace;
    mlp_data data;
    mlp_network network;
    mlp_loss_function loss;
    mlp_matrix out;
    bool check_finite;
    atomic_bool found_non_finite;
} mlp_predict_args;

/* count_nonzeros: counts[i] written: how many pairs of elements, of columns 2c and 2c + 1
 * of row i of x, a dense array, are not both zero. Then, with row_starts made of them,
 * list_nonzeros: these pairs written to values, of the kernel's dtype, and their c to
 * columns: uint16_t where column_bytes is 2, else uint32_t. x read. Rows are shared out. */
typedef struct {
    void *workspace;
    mlp_input x;
    int64_t *counts;
    const int64_t *row_starts;
    void *values, *columns;
    int column_bytes;
} mlp_nonzeros_args;

/* Every kernel with the function that says what workspace it needs. */
#define MLP_KERNELS(K)                        \
    K(forward, forward_workspace)             \
    K(softmax, no_workspace)                  \
    K(softmax_cross_entropy, no_workspace)    \
    K(backward, backward_workspace)           \
    K(update, no_workspace)                   \
    K(train_epoch, train_epoch_workspace)     \
    K(loss_gradient, loss_gradient_workspace) \
    K(predict, predict_workspace)             \
    K(count_nonzeros, nonzeros_workspace)     \
    K(list_nonzeros, nonzeros_workspace)

typedef struct {
    mlp_body *run;
    /* Bytes of workspace for these arguments; SIZE_MAX if beyond any memory. */
    size_t (*workspace)(const void *args, int n_threads);
} mlp_kernel;

typedef struct {
#define K(name, workspace) mlp_kernel name;
    MLP_KERNELS(K)
#undef K
} mlp_kernels;

/* The tables, one a dtype, of each instruction set (isa/<name>.c). */
extern const mlp_kernels mlp_kernels_baseline[MLP_N_DTYPES];
extern const mlp_kernels mlp_kernels_neon[MLP_N_DTYPES];
extern const mlp_kernels mlp_kernels_avx2[MLP_N_DTYPES];
extern const mlp_kernels mlp_kernels_avx512[MLP_N_DTYPES];

#endif
