/* mlp_c._testing: lends single kernels to the tests, of every instruction set that this machine
 * has. It is no part of the package: setup.py builds it where MLP_C_TESTING=1, with the kernels'
 * assertions on.
 *
 *     kernel(isa, *arguments)
 *
 * computes on NumPy arrays in place. A list (LENT, calls.h) says of each kernel what it takes. Its
 * callers are trusted to give shapes that fit each other; the kernels assert that indices stay
 * inside. Beside the kernels it has
 *
 *     count_denormals(function)
 *
 * which says how many operations on denormal numbers a call takes (denormals.h), and
 *
 *     spin_in_vain(most_ns, waits_ns)
 *
 * which says how long those spin who wait for others (spins.h).
 */
#include <Python.h>

#include "kernels/isa.h"
#include "testing/calls.h"
#include "testing/denormals.h"
#include "testing/spins.h"

static const struct {
    const char *name;
    mlp_map *const (*functions)[MLP_N_DTYPES];
} functions_of[] = {
    {"baseline", mlp_functions_baseline},
#if MLP_HAVE_NEON
    {"neon", mlp_functions_neon},
#endif
#if MLP_HAVE_AVX2
    {"avx2", mlp_functions_avx2},
#endif
#if MLP_HAVE_AVX512
    {"avx512", mlp_functions_avx512},
#endif
};

static const mlp_isa *
find_isa(PyObject *name, lent_call *call)
{
    const mlp_isa *isas[MLP_MAX_ISAS], *found = NULL;
    const char *text = PyUnicode_AsUTF8(name);
    int n = mlp_supported_isas(isas);
    for (size_t i = 0; text != NULL && i < sizeof functions_of / sizeof functions_of[0]; i++) {
        if (strcmp(functions_of[i].name, text) == 0) {
            call->functions = functions_of[i].functions;
        }
    }
    for (int i = 0; text != NULL && i < n; i++) {
        if (strcmp(isas[i]->name, text) == 0) {
            found = isas[i];
        }
    }
    if (text != NULL && (found == NULL || call->functions == NULL)) {
        PyErr_Format(PyExc_ValueError,
                     found == NULL ? "no instruction set %R here" : "functions_of lacks %R", name);
        return NULL;
    }
    return found;
}

static bool
prepare_nothing(void *arguments, int n_members)
{
    (void)arguments;
    (void)n_members;
    return true;
}

static PyObject *
run_kernel(const char *signature, void (*run)(mlp_worker *, void *), PyObject *const *args,
           Py_ssize_t n)
{
    lent_call call = {.dtype = -1};
    if (n != (Py_ssize_t)strlen(signature) + 1) {
        return PyErr_Format(PyExc_TypeError, "expected an ISA and arguments %s", signature);
    }
    const mlp_isa *isa = find_isa(args[0], &call);
    bool is_ready = isa != NULL;
    for (Py_ssize_t i = 1; i < n && is_ready; i++) {
        is_ready = arg_lent(&call, signature[i - 1], args[i]);
    }
    if (!is_ready) {
        return NULL;
    }
    call.kernels = &isa->tables[call.dtype];
    const mlp_job job = {prepare_nothing, run};
    mlp_outcome outcome = mlp_run(1, &job, &call, (mlp_caller){NULL, NULL});
    free(call.memory);
    if (outcome != MLP_DONE || call.has_failed) {
        return PyErr_NoMemory();
    }
    return Py_NewRef(Py_None);
}

#define K(name, signature)                                                            \
    static PyObject *call_##name(PyObject *self, PyObject *const *args, Py_ssize_t n) \
    {                                                                                 \
        (void)self;                                                                   \
        return run_kernel(signature, lent_##name, args, n);                           \
    }
LENT(K)
#undef K

static PyMethodDef methods[] = {
#define K(name, signature) \
    {#name, (PyCFunction)(void (*)(void))call_##name, METH_FASTCALL, "(isa, " signature ")"},
    LENT(K)
#undef K
        {"count_denormals", count_denormals, METH_O, "(function)"},
    {"spin_in_vain", spin_in_vain, METH_VARARGS, "(most_ns, waits_ns)"},
    {0},
};

/* The instruction sets that this machine has. */
static PyObject *
list_isas(void)
{
    const mlp_isa *isas[MLP_MAX_ISAS];
    int n = mlp_supported_isas(isas);
    PyObject *names = PyTuple_New(n);
    for (int i = 0; i < n && names != NULL; i++) {
        PyObject *name = PyUnicode_FromString(isas[i]->name);
        if (name == NULL) {
            Py_CLEAR(names);
        }
        else {
            PyTuple_SET_ITEM(names, i, name);
        }
    }
    return names;
}

PyMODINIT_FUNC
PyInit__testing(void)
{
    static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "mlp_c._testing",
                                     .m_size = -1, .m_methods = methods};
    PyObject *module = import_numpy() ? PyModule_Create(&definition) : NULL;
    PyObject *isas = module == NULL ? NULL : list_isas();
    if (module != NULL && (isas == NULL || PyModule_AddObjectRef(module, "ISAS", isas) < 0)) {
        Py_CLEAR(module);
    }
    Py_XDECREF(isas);
    return module;
}
