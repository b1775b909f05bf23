/* What the module's functions share: its state, and running a job. */
#ifndef MLP_PYRUN_H
#define MLP_PYRUN_H

#include <Python.h>

#include "kernels/isa.h"
#include "network/jobs.h"
#include "python/arrays.h"

typedef struct {
    _Atomic(const mlp_isa *) isa;  /* in use */
    PyObject *main_thread, *ident; /* threading.main_thread; the name of its result's attribute */
} mlp_module_state;

/* The kernels in use for the dtype of a call; NULL if that has failed or has no dtype. */
const mlp_kernels *mlp_kernels_for(PyObject *module, const mlp_call *call);

/* Runs a job with the GIL released, on up to n_threads threads, which are 1 or more. args are the
 * job's, which begin with mlp_job_memory. False with an exception set if the job did not come to
 * its end. */
bool mlp_run_job(PyObject *module, const mlp_job *job, void *args, int n_threads);

/* How many of n_threads are worth starting for so many multiply-adds; and worth meeting at the
 * barriers of batches of so many. */
int mlp_threads_for(int n_threads, double work);
int mlp_threads_for_batch(int n_threads, double work);

/* The module's functions: on the public kernels (kernels.c), those that only the estimators use
 * (training.c, sharing.c, members.c, prediction.c), and what they take (names.c). */
PyObject *mlp_core_forward(PyObject *module, PyObject *args);
PyObject *mlp_core_softmax(PyObject *module, PyObject *args);
PyObject *mlp_core_softmax_cross_entropy(PyObject *module, PyObject *args);
PyObject *mlp_core_backward(PyObject *module, PyObject *args);
PyObject *mlp_core_drop(PyObject *module, PyObject *args);
PyObject *mlp_core_sgd_step(PyObject *module, PyObject *args);
PyObject *mlp_core_train_step(PyObject *module, PyObject *args);
PyObject *mlp_core_train_epoch(PyObject *module, PyObject *fields);
PyObject *mlp_core_train_share(PyObject *module, PyObject *args);
PyObject *mlp_core_share_gradient(PyObject *module, PyObject *args);
PyObject *mlp_core_train_members(PyObject *module, PyObject *args);
PyObject *mlp_core_loss_gradient(PyObject *module, PyObject *fields);
PyObject *mlp_core_evaluate(PyObject *module, PyObject *fields);
PyObject *mlp_core_predict(PyObject *module, PyObject *args);
PyObject *mlp_core_index_nonzeros(PyObject *module, PyObject *args);
PyObject *mlp_core_names(PyObject *module, PyObject *ignored);

#endif
