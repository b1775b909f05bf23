/* What the files beside it, which alone include this, ask of the operating system: threads and
 * where they may run, a mutex, a condition, a clock, forks and which process this is, for Windows
 * and for POSIX.
 *
 * A started thread's `thread` stays where it is until it is joined, or has detached itself. A
 * condition may wake for no reason. thread_start says whether there is a thread.
 */
#ifndef MLP_THREADS_OS_H
#define MLP_THREADS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void thread_main(void *arg);

#if defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <process.h>

typedef SRWLOCK mutex;
typedef CONDITION_VARIABLE condition;
typedef struct {
    HANDLE handle;
    thread_main *main;
    void *arg;
} thread;

static inline void
mutex_init(mutex *m)
{
    InitializeSRWLock(m);
}

static inline void
mutex_destroy(mutex *m)
{
    (void)m;
}

static inline void
mutex_lock(mutex *m)
{
    AcquireSRWLockExclusive(m);
}

static inline void
mutex_unlock(mutex *m)
{
    ReleaseSRWLockExclusive(m);
}

static inline void
condition_init(condition *c)
{
    InitializeConditionVariable(c);
}

static inline void
condition_destroy(condition *c)
{
    (void)c;
}

static inline void
condition_wait(condition *c, mutex *m)
{
    SleepConditionVariableSRW(c, m, INFINITE, 0);
}

static inline void
condition_wait_for(condition *c, mutex *m, int ms)
{
    SleepConditionVariableSRW(c, m, (DWORD)ms, 0);
}

static inline void
condition_broadcast(condition *c)
{
    WakeAllConditionVariable(c);
}

static unsigned __stdcall thread_enter(void *arg)
{
    thread *self = arg;
    self->main(self->arg);
    return 0;
}

static inline bool
thread_start(thread *t, size_t stack_bytes, thread_main *main, void *arg)
{
    t->main = main;
    t->arg = arg;
    t->handle = (HANDLE)_beginthreadex(NULL, (unsigned)stack_bytes, thread_enter, t,
                                       STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    return t->handle != NULL;
}

static inline void
thread_join(thread *t)
{
    WaitForSingleObject(t->handle, INFINITE);
    CloseHandle(t->handle);
}

static inline int64_t
now_ns(void)
{
    LARGE_INTEGER count, per_second;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&per_second);
    return count.QuadPart / per_second.QuadPart * 1000000000
           + count.QuadPart % per_second.QuadPart * 1000000000 / per_second.QuadPart;
}

static inline int64_t
process_id(void)
{
    return GetCurrentProcessId();
}

static inline void
thread_detach(thread *t)
{
    CloseHandle(t->handle);
}

/* Lets others run, for so many milliseconds, or only if one is ready. */
static inline void
thread_wait(int ms)
{
    if (ms == 0) {
        SwitchToThread();
    }
    else {
        Sleep((DWORD)ms);
    }
}

typedef INIT_ONCE once;
#define ONCE INIT_ONCE_STATIC_INIT

static BOOL CALLBACK
once_enter(INIT_ONCE *done, void *function, void **context)
{
    (void)done;
    (void)context;
    (*(void (**)(void))function)();
    return TRUE;
}

static inline void
call_once_only(once *done, void (*function)(void))
{
    InitOnceExecuteOnce(done, once_enter, &function, NULL);
}

/* There is no fork. */
static inline void
at_fork(void (*before)(void), void (*in_child)(void))
{
    (void)before;
    (void)in_child;
}

#else

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

typedef pthread_mutex_t mutex;
typedef pthread_cond_t condition;
typedef struct {
    pthread_t handle;
    thread_main *main;
    void *arg;
} thread;

static inline void
mutex_init(mutex *m)
{
    pthread_mutex_init(m, NULL);
}

static inline void
mutex_destroy(mutex *m)
{
    pthread_mutex_destroy(m);
}

static inline void
mutex_lock(mutex *m)
{
    pthread_mutex_lock(m);
}

static inline void
mutex_unlock(mutex *m)
{
    pthread_mutex_unlock(m);
}

/* A wait with a limit goes by the clock that nobody sets. */
static inline void
condition_init(condition *c)
{
#ifdef __APPLE__
    pthread_cond_init(c, NULL);
#else
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attributes);
    pthread_condattr_destroy(&attributes);
#endif
}

static inline void
condition_destroy(condition *c)
{
    pthread_cond_destroy(c);
}

static inline void
condition_wait(condition *c, mutex *m)
{
    pthread_cond_wait(c, m);
}

static inline void
condition_wait_for(condition *c, mutex *m, int ms)
{
    struct timespec at = {ms / 1000, ms % 1000 * 1000000L};
#ifdef __APPLE__
    pthread_cond_timedwait_relative_np(c, m, &at);
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    at.tv_sec += now.tv_sec + (at.tv_nsec + now.tv_nsec) / 1000000000;
    at.tv_nsec = (at.tv_nsec + now.tv_nsec) % 1000000000;
    pthread_cond_timedwait(c, m, &at);
#endif
}

static inline void
condition_broadcast(condition *c)
{
    pthread_cond_broadcast(c);
}

static void *
thread_enter(void *arg)
{
    thread *self = arg;
    self->main(self->arg);
    return NULL;
}

/* With all signals blocked but those of faults, so that Python's handlers run on
 * the threads that Python knows. */
static inline bool
thread_start(thread *t, size_t stack_bytes, thread_main *main, void *arg)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    pthread_attr_setstacksize(&attributes, stack_bytes);
    sigset_t blocked, previous;
    sigfillset(&blocked);
    sigdelset(&blocked, SIGSEGV);
    sigdelset(&blocked, SIGBUS);
    sigdelset(&blocked, SIGFPE);
    sigdelset(&blocked, SIGILL);
    t->main = main;
    t->arg = arg;
    pthread_sigmask(SIG_SETMASK, &blocked, &previous);
    bool started = pthread_create(&t->handle, &attributes, thread_enter, t) == 0;
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

static inline void
thread_join(thread *t)
{
    pthread_join(t->handle, NULL);
}

static inline int64_t
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t
process_id(void)
{
    return getpid();
}

static inline void
thread_detach(thread *t)
{
    pthread_detach(t->handle);
}

/* Lets others run, for so many milliseconds, or only if one is ready. */
static inline void
thread_wait(int ms)
{
    if (ms == 0) {
        sched_yield();
    }
    else {
        nanosleep(&(struct timespec){0, ms * 1000000L}, NULL);
    }
}

typedef pthread_once_t once;
#define ONCE PTHREAD_ONCE_INIT

static inline void
call_once_only(once *done, void (*function)(void))
{
    pthread_once(done, function);
}

/* Has functions called at each fork: in the parent before it, and in the child. */
static inline void
at_fork(void (*before)(void), void (*in_child)(void))
{
    pthread_atfork(before, NULL, in_child);
}

#endif

#include "threads/os_linux.h"

#endif
