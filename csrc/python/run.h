/* What the module's functions share: names, networks, and running a kernel. */
#ifndef MLP_PYRUN_H
#define MLP_PYRUN_H

#include "kernels/cpu.h"
#include "python/arrays.h"

typedef struct {
    _Atomic(const mlp_isa *) isa; /* in use */
    PyObject *main_thread;        /* threading.main_thread */
} mlp_module_state;

/* The kernels in use for the dtype of a call that is ready. */
const mlp_kernels *mlp_kernels_for(PyObject *module, const mlp_call *call);

/* Gives args, whose first member is the workspace pointer, the workspace it needs and
 * runs the kernel with the GIL released. False with an exception set if it did
 * not come to its end. */
bool mlp_run_kernel(PyObject *module, const mlp_kernel *kernel, void *args, int n_threads);

/* How many of n_threads are worth starting for so many multiply-adds; and worth
 * meeting at the barriers of batches of so many. */
int mlp_threads_for(int n_threads, double work);
int mlp_threads_for_batch(int n_threads, double work);

/* The code that a name stands for; fails the call if none. */
mlp_activation mlp_parse_activation(mlp_call *call, PyObject *name);
mlp_loss_function mlp_parse_loss(mlp_call *call, PyObject *name);
mlp_rule mlp_parse_rule(mlp_call *call, PyObject *name);

/* The weights of a network of n_in inputs, each layer taking what the last gives. */
mlp_list mlp_take_weights(mlp_call *call, PyObject *obj, ptrdiff_t n_in, mlp_access access);

/* The biases that go with such weights, and the network of both. */
mlp_network mlp_take_network(mlp_call *call, mlp_list weights, PyObject *biases,
                             PyObject *activation, mlp_access access);

/* Outputs of the last layer; 0 if the call failed. */
ptrdiff_t mlp_count_outputs(const mlp_call *call, mlp_list weights);

/* Multiply-adds of a pass of so many rows through the layers. */
double mlp_count_work(ptrdiff_t rows, mlp_list weights);

/* The module's functions on the public kernels (pykernels.c) and those that only
 * the estimators use (pytraining.c). */
PyObject *mlp_core_forward(PyObject *module, PyObject *args);
PyObject *mlp_core_softmax(PyObject *module, PyObject *args);
PyObject *mlp_core_softmax_cross_entropy(PyObject *module, PyObject *args);
PyObject *mlp_core_backward(PyObject *module, PyObject *args);
PyObject *mlp_core_sgd_step(PyObject *module, PyObject *args);
PyObject *mlp_core_train_epoch(PyObject *module, PyObject *args);
PyObject *mlp_core_loss_gradient(PyObject *module, PyObject *args);
PyObject *mlp_core_predict(PyObject *module, PyObject *args);
PyObject *mlp_core_index_nonzeros(PyObject *module, PyObject *args);

#endif
