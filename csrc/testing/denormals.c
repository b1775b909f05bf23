#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* names of registers */
#endif
#include "testing/denormals.h"

#if defined(__linux__) && defined(__x86_64__)

#include <immintrin.h>
#include <signal.h>
#include <ucontext.h>

/* Of MXCSR: the exceptions for a denormal operand and for a tiny result, masked; and the flags of
 * all exceptions. Of EFLAGS: a trap after the next instruction. */
enum { MASKS = 0x0900, FLAGS = 0x003f, SINGLE_STEP = 0x0100 };

static volatile sig_atomic_t count;

/* An instruction is about to take or make a denormal number: lets it, and stops after it. */
static void
on_denormal(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *thread = context;
    (void)signal_number;
    (void)info;
    count++;
    thread->uc_mcontext.fpregs->mxcsr |= MASKS;
    thread->uc_mcontext.gregs[REG_EFL] |= SINGLE_STEP;
}

static void
on_step(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *thread = context;
    (void)signal_number;
    (void)info;
    thread->uc_mcontext.fpregs->mxcsr &= ~(unsigned)(MASKS | FLAGS);
    thread->uc_mcontext.gregs[REG_EFL] &= ~SINGLE_STEP;
}

PyObject *
count_denormals(PyObject *module, PyObject *function)
{
    struct sigaction fpe = {.sa_sigaction = on_denormal, .sa_flags = SA_SIGINFO}, old_fpe;
    struct sigaction trap = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO}, old_trap;
    (void)module;
    count = 0;
    sigaction(SIGFPE, &fpe, &old_fpe);
    sigaction(SIGTRAP, &trap, &old_trap);
    unsigned before = _mm_getcsr();
    _mm_setcsr(before & ~(unsigned)(MASKS | FLAGS));
    PyObject *result = PyObject_CallNoArgs(function);
    _mm_setcsr(before);
    sigaction(SIGFPE, &old_fpe, NULL);
    sigaction(SIGTRAP, &old_trap, NULL);
    if (result == NULL) {
        return NULL;
    }
    Py_DECREF(result);
    return PyLong_FromLong(count);
}

#else

PyObject *
count_denormals(PyObject *module, PyObject *function)
{
    (void)module;
    (void)function;
    PyErr_SetString(PyExc_NotImplementedError, "counted on Linux on x86-64 alone");
    return NULL;
}

#endif
