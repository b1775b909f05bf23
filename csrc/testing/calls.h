/* Calls of single kernels: what is lent, with which arguments. */
#ifndef MLP_TESTING_CALLS_H
#define MLP_TESTING_CALLS_H

#include "testing/arguments.h"

/* A name, what its arguments are, and what computes. Kinds of arguments: the name of an activation
 * (A), output (O) or function (F); a loss (L) or rule (R) with its constants; a matrix of the
 * call's dtype (m), or None (?); one of doubles, or None (d); targets, or the tuple of the labels
 * and the widths of several heads (t); moments (M); a number or truth value (n). */
#define LENT(K)                            \
    K(map, "Fmm")                          \
    K(activate, "Amm?")                    \
    K(apply_slopes, "A??nm")               \
    K(drop, "m?nnnnnnn")                   \
    K(pack, "mm")                          \
    K(multiply, "mm?nm")                   \
    K(multiply_few, "mmmm")                \
    K(multiply_pairs, "mmmnm")             \
    K(multiply_pairs_transposed, "mmnnnm") \
    K(sum_rows, "mnm")                     \
    K(apply_output, "Om")                  \
    K(softmax, "mm")                       \
    K(softmax_cross_entropy, "Lmtdm")      \
    K(compute_losses, "Lmt?nd?")           \
    K(update, "RnnnnnmmMd")                \
    K(add_l2, "nmmmd")                     \
    K(square_gradient, "nmmd")

/* lent_NAME: one member of a team calls the kernel with the arguments of a lent_call. */
#define K(name, signature) void lent_##name(mlp_worker *worker, void *arguments);
LENT(K)
#undef K

#endif
