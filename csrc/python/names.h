/* The entries of kernels/lists.h by their names. */
#ifndef MLP_PYNAMES_H
#define MLP_PYNAMES_H

#include <Python.h>

#include "kernels/lists.h"
#include "python/arrays.h"

typedef struct {
    const char *const *names; /* by code, then NULL */
    const char *text;         /* for messages */
} mlp_names;

extern const mlp_names mlp_activation_names, mlp_output_names, mlp_loss_names, mlp_rule_names;

/* The code that a name stands for, 0 if the call failed: TypeError for what is no str, ValueError
 * for another name. `index` is that of an element of the argument, or MLP_ANY. */
int mlp_arg_name(mlp_call *call, PyObject *obj, const char *name, Py_ssize_t index,
                 const mlp_names *names);

/* An output activation by its name. */
mlp_output mlp_arg_output(mlp_call *call, PyObject *obj, const char *name);

/* A loss, or an update rule: a dict of its name and each of its constants. */
mlp_loss mlp_arg_loss(mlp_call *call, PyObject *obj);
mlp_rule mlp_arg_rule(mlp_call *call, PyObject *obj);

/* How many outputs a loss has for each target; what it was given may make that 0. */
ptrdiff_t mlp_outputs_per_target(const mlp_loss *loss);

/* How many moments a rule keeps of each parameter. */
int mlp_count_moments(const mlp_rule *rule);

#endif
