/* Lends the tests a spinner (threads/spin.h). */
#ifndef MLP_TESTING_SPINS_H
#define MLP_TESTING_SPINS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* spin_in_vain(most_ns, waits_ns): for how long a spinner was ready to spin before each wait, and
 * after the last. It spins in vain in each, and the wait took that many nanoseconds in all. */
PyObject *spin_in_vain(PyObject *module, PyObject *args);

#endif
