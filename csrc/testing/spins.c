#include "testing/spins.h"

#include "threads/spin.h"

PyObject *
spin_in_vain(PyObject *module, PyObject *args)
{
    long long most_ns;
    PyObject *waits_ns;
    (void)module;
    if (!PyArg_ParseTuple(args, "LO!", &most_ns, &PyTuple_Type, &waits_ns)) {
        return NULL;
    }
    Py_ssize_t n = PyTuple_GET_SIZE(waits_ns);
    PyObject *times = PyTuple_New(n + 1);
    mlp_spinner spinner;
    mlp_spinner_init(&spinner, most_ns);
    for (Py_ssize_t i = 0; times != NULL && i <= n; i++) {
        PyObject *ns = PyLong_FromLongLong(spinner.ns);
        if (ns == NULL) {
            Py_CLEAR(times);
            break;
        }
        PyTuple_SET_ITEM(times, i, ns);
        if (i < n) {
            atomic_int number = 0;
            mlp_spin_while(&spinner, &number, 0, now_ns());
            mlp_slept(&spinner, PyLong_AsLongLong(PyTuple_GET_ITEM(waits_ns, i)));
        }
    }
    if (PyErr_Occurred()) {
        Py_CLEAR(times);
    }
    return times;
}
