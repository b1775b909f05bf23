#include "python/layers.h"

#include "python/names.h"

mlp_list
mlp_arg_weights(mlp_call *call, PyObject *obj, ptrdiff_t n_in, mlp_access access)
{
    mlp_list weights = mlp_arg_list(call, obj, mlp_expect("weights", 2, MLP_ANY, access));
    if (!call->failed && weights.n == 0) {
        PyErr_SetString(PyExc_ValueError, "weights must hold at least one array, got none");
        call->failed = true;
    }
    for (Py_ssize_t l = 0; l < weights.n && !call->failed; l++) {
        if (weights.views[l].rows != n_in) {
            PyErr_Format(PyExc_ValueError,
                         "weights[%zd] must have shape (%zd, any), got (%zd, %zd)", l,
                         (Py_ssize_t)n_in, (Py_ssize_t)weights.views[l].rows,
                         (Py_ssize_t)weights.views[l].cols);
            call->failed = true;
        }
        n_in = weights.views[l].cols;
    }
    return weights;
}

mlp_list
mlp_arg_biases(mlp_call *call, PyObject *obj, mlp_list weights, mlp_access access)
{
    return mlp_arg_list_like(call, obj, weights, mlp_expect("biases", 1, 1, access));
}

/* ---- activations ---- */

/* One name for the first n layers. */
static void
arg_activation(mlp_call *call, PyObject *obj, ptrdiff_t n, mlp_network *network)
{
    if (!PyUnicode_Check(obj)) {
        mlp_expectation expected = {.name = "activation", .index = MLP_ANY};
        mlp_reject_text(call, PyExc_TypeError, &expected, "be a str or a list of str",
                        Py_TYPE(obj)->tp_name);
        return;
    }
    int code = mlp_arg_name(call, obj, "activation", MLP_ANY, &mlp_activation_names);
    for (ptrdiff_t l = 0; l < n; l++) {
        network->layers[l].activation = (mlp_activation)code;
    }
}

/* A name for each of them. */
static void
arg_activations(mlp_call *call, PyObject *obj, ptrdiff_t n, mlp_network *network)
{
    PyObject *names = mlp_arg_items(call, obj, "activation", n, "names, one for each hidden layer");
    for (ptrdiff_t l = 0; l < n && !call->failed; l++) {
        int code =
            mlp_arg_name(call, PyTuple_GET_ITEM(names, l), "activation", l, &mlp_activation_names);
        network->layers[l].activation = (mlp_activation)code;
    }
}

mlp_network
mlp_arg_network(mlp_call *call, mlp_list weights, mlp_list biases, PyObject *activation,
                ptrdiff_t n_hidden)
{
    mlp_network network = {.layers = mlp_alloc_for(call, weights.n, sizeof(mlp_layer))};
    if (call->failed) {
        return network;
    }
    network.n_layers = weights.n;
    for (ptrdiff_t l = 0; l < weights.n; l++) {
        mlp_layer *layer = &network.layers[l];
        layer->weights = (mlp_parameter){.value = weights.views[l], .rate_factor = 1};
        layer->weights.decay_factor = 1;
        layer->biases.rate_factor = 1;
        if (l < biases.n) {
            layer->biases.value = biases.views[l];
        }
        layer->activation = MLP_IDENTITY;
    }
    if (PyList_Check(activation) || PyTuple_Check(activation)) {
        arg_activations(call, activation, n_hidden, &network);
    }
    else {
        arg_activation(call, activation, n_hidden, &network);
    }
    return network;
}

/* ---- dropout ---- */

double
mlp_check_probability(mlp_call *call, const char *name, ptrdiff_t i, double given)
{
    if (!call->failed && !(given >= 0 && given < 1)) {
        mlp_expectation expected = {.name = name, .index = i};
        mlp_reject(call, PyExc_ValueError, &expected, "be a probability of at least 0, less than 1",
                   PyFloat_FromDouble(given));
    }
    return given;
}

/* ---- what is kept of each parameter ---- */

void
mlp_set_gradients(mlp_network *network, mlp_list weights, mlp_list biases)
{
    ptrdiff_t n = mlp_min(weights.n, biases.n); /* 0 if the call failed */
    for (ptrdiff_t l = 0; l < network->n_layers && l < n; l++) {
        network->layers[l].weights.gradient = weights.views[l];
        network->layers[l].biases.gradient = biases.views[l];
    }
}

void
mlp_set_moments(mlp_network *network, int m, mlp_list moments)
{
    ptrdiff_t n = network->n_layers;
    for (ptrdiff_t l = 0; l < n && moments.n == 2 * n; l++) {
        network->layers[l].weights.moments[m] = moments.views[l];
        network->layers[l].biases.moments[m] = moments.views[n + l];
    }
}

/* ---- sizes ---- */

ptrdiff_t
mlp_count_outputs(const mlp_call *call, mlp_list weights)
{
    return call->failed ? 0 : weights.views[weights.n - 1].cols;
}

double
mlp_count_work(ptrdiff_t rows, mlp_list weights)
{
    double work = 0;
    for (Py_ssize_t l = 0; l < weights.n; l++) {
        work += (double)weights.views[l].rows * (double)weights.views[l].cols;
    }
    return work * (double)rows;
}
