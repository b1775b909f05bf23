/* The fields of the functions behind training, taken for jobs. */
#ifndef MLP_PYTRAINING_H
#define MLP_PYTRAINING_H

#include <Python.h>

#include "network/jobs.h"
#include "python/arrays.h"

/* How many threads somebody asks for, and the multiply-adds that they are to share. */
typedef struct {
    int n_threads;
    double work, batch_work; /* in all; in each batch, if there are batches */
} mlp_effort;

/* The fields of train_epoch, for a job of so many batches; where that is MLP_ANY, of those that
 * batch_size makes of the rows. Returns where its steps are counted. */
int64_t *mlp_arg_epoch(PyObject *module, mlp_call *call, PyObject *fields, ptrdiff_t n_batches,
                       mlp_train_epoch_args *epoch, mlp_effort *effort);

/* Adds the steps of an epoch that has ended. */
static inline void
mlp_count_steps(int64_t *steps, const mlp_train_epoch_args *epoch)
{
    __atomic_store_n(steps, epoch->first_step + epoch->steps, __ATOMIC_RELAXED);
}

/* The fields of share_gradient, for a job: loss_gradient's without dweights and dbiases. */
void mlp_arg_share_gradient(PyObject *module, mlp_call *call, PyObject *fields,
                            mlp_share_gradient_args *gradient, mlp_effort *effort);

/* The fields of evaluate, for a job. */
void mlp_arg_evaluation(PyObject *module, mlp_call *call, PyObject *fields,
                        mlp_evaluate_args *evaluate, mlp_effort *effort);

#endif
