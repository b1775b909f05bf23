/* The network of a call: lists of arrays, and names of activations, as layers. */
#ifndef MLP_PYLAYERS_H
#define MLP_PYLAYERS_H

#include <Python.h>

#include "network/network.h"
#include "python/arrays.h"

/* The weights of a network of n_in inputs, each layer taking what the last gives. */
mlp_list mlp_arg_weights(mlp_call *call, PyObject *obj, ptrdiff_t n_in, mlp_access access);

/* The biases that go with such weights. */
mlp_list mlp_arg_biases(mlp_call *call, PyObject *obj, mlp_list weights, mlp_access access);

/* The network of these, in memory of the call; without layers if that failed. activation is the
 * name of the activation of the first n_hidden layers, or a list of a name for each. There may be
 * no biases, for a function that does not look at them. */
mlp_network mlp_arg_network(mlp_call *call, mlp_list weights, mlp_list biases, PyObject *activation,
                            ptrdiff_t n_hidden);

/* A probability that elements are dropped with, of item i of an argument (or MLP_ANY). */
double mlp_check_probability(mlp_call *call, const char *name, ptrdiff_t i, double given);

/* Where the gradients of a network's parameters go. */
void mlp_set_gradients(mlp_network *network, mlp_list weights, mlp_list biases);

/* Moment m of a network's parameters: of the weights, then of the biases. */
void mlp_set_moments(mlp_network *network, int m, mlp_list moments);

/* All layers of a list but the last. */
static inline mlp_list
mlp_hidden_of(mlp_list layers)
{
    layers.n = layers.n > 0 ? layers.n - 1 : 0;
    return layers;
}

/* Outputs of the last layer; 0 if the call failed. */
ptrdiff_t mlp_count_outputs(const mlp_call *call, mlp_list weights);

/* Multiply-adds of a pass of so many rows through the layers. */
double mlp_count_work(ptrdiff_t rows, mlp_list weights);

#endif
