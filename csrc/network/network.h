/* What a network is: layers, their parameters, and what is minimised. */
#ifndef MLP_NETWORK_H
#define MLP_NETWORK_H

#include "kernels/kernels.h"

/* A parameter of a layer: weights, or biases, which are one row. */
typedef struct {
    mlp_matrix value;
    mlp_matrix gradient;                 /* of a whole batch, where one is kept */
    mlp_matrix moments[MLP_MAX_MOMENTS]; /* as many as the update rule keeps */
    double rate_factor;                  /* of an epoch's learning rates */
    double decay_factor;                 /* of the L2 term, and of the weight decay */
} mlp_parameter;

/* A layer maps rows of weights.value.rows inputs to rows of weights.value.cols units. */
typedef struct {
    mlp_parameter weights, biases;
    mlp_activation activation; /* of an output layer the identity: its outputs are logits */
    double dropout;            /* of a hidden layer's outputs: a probability, 0 for none */
} mlp_layer;

typedef struct {
    ptrdiff_t n_layers;
    mlp_layer *layers;
} mlp_network;

/* What is minimised over a batch of rows r with weights w_r:
 *     (sum of w_r loss_r + l2 / 2 * sum of squared weights) / sum of w_r */
typedef struct {
    mlp_loss loss;
    double l2;
    double gradient_scale; /* what the gradient of the loss is multiplied with, 1 for none */
} mlp_objective;

/* The L2 term or the decay for a parameter: 0 where it has none, be they infinite. */
static inline double
mlp_decay_of(const mlp_parameter *parameter, double decay)
{
    return parameter->decay_factor == 0 ? 0 : decay * parameter->decay_factor;
}

static inline ptrdiff_t
mlp_layer_inputs(const mlp_layer *layer)
{
    return layer->weights.value.rows;
}

static inline ptrdiff_t
mlp_layer_units(const mlp_layer *layer)
{
    return layer->weights.value.cols;
}

#endif
