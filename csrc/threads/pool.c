#include "threads/pool.h"

#include <stdatomic.h>

#include "threads/os.h"
#include "threads/spin.h"

enum {
    PARKED_SPIN_NS = 250000, /* longer than what a loop does between two calls of kernels */
    IDLE_MS = 1000,          /* until a parked thread ends */
    STACK_BYTES = 512 << 10, /* kernels keep up to 40 KB of tiles on the stack */
    YIELDS = 1000            /* to a thread that is about to return, before its waiter sleeps */
};

typedef enum { IDLE, WORKING, ENDING } thread_state;

struct mlp_thread {
    bool exists;
    thread thread;
    atomic_int state; /* a thread_state: what the thread is to do, until it has done it */
    void (*main)(void *arg);
    void *arg;
    urgency urgency; /* that of the thread that started it */
    affinity affinity;
    bool moves; /* to this affinity, before it works */

    mlp_spinner spinner;
    int64_t given_ns; /* when it was last given something to do */
    int taken_cpu;    /* where its caller works, if there is a CPU for each; else negative */
    atomic_bool sleeps;
    bool is_initialized; /* what follows */
    mutex mutex;
    condition woken;
};

/* All threads of the process. */
static struct {
    once ready;
    mutex mutex; /* of what follows, and of whether a thread exists */
    mlp_thread threads[MLP_MOST_THREADS];
    mlp_thread *parked[MLP_MOST_THREADS];
    int n_parked;
} pool = {.ready = ONCE};

/* In a child of a fork, where no other thread is. */
static void
forget_threads(void)
{
    mutex_init(&pool.mutex);
    for (int i = 0; i < MLP_MOST_THREADS; i++) {
        pool.threads[i].exists = pool.threads[i].is_initialized = false;
    }
    pool.n_parked = 0;
}

static void
make_ready(void)
{
    mutex_init(&pool.mutex);
    at_fork(mlp_end_threads, forget_threads);
}

/* ---- a thread's life ---- */

/* Takes the i-th of the parked threads away. Under the pool's mutex. */
static void
unpark(int i)
{
    pool.n_parked--;
    for (; i < pool.n_parked; i++) {
        pool.parked[i] = pool.parked[i + 1];
    }
}

/* Whether a thread that has slept for long is still parked, and so may end: it then is no longer
 * one of the process's. */
static bool
retire(mlp_thread *self)
{
    mutex_lock(&pool.mutex);
    int i = 0;
    while (i < pool.n_parked && pool.parked[i] != self) {
        i++;
    }
    bool is_parked = i < pool.n_parked;
    if (is_parked) {
        unpark(i);
        thread_detach(&self->thread);
        self->exists = false;
    }
    mutex_unlock(&pool.mutex);
    return is_parked;
}

static thread_state
state_of(mlp_thread *self)
{
    return (thread_state)atomic_load(&self->state);
}

/* Sleeps until there is something to do, for so long at most. Either who gives it something sees
 * that it sleeps, or it sees what that is: both are sequentially consistent. */
static void
sleep_for(mlp_thread *self, int ms)
{
    mutex_lock(&self->mutex);
    atomic_store(&self->sleeps, true);
    int64_t end = now_ns() + ms * (int64_t)1000000;
    for (int64_t left; state_of(self) == IDLE && (left = end - now_ns()) > 0;) {
        condition_wait_for(&self->woken, &self->mutex, (int)(left / 1000000) + 1);
    }
    atomic_store(&self->sleeps, false);
    mutex_unlock(&self->mutex);
}

/* Waits until there is something to do. Returns what; IDLE where the thread is to end, and may no
 * longer be looked at. */
static thread_state
wait_for_work(mlp_thread *self)
{
    int64_t start = now_ns();
    if (!mlp_spin_while(&self->spinner, &self->state, IDLE, start)) {
        do {
            sleep_for(self, IDLE_MS);
            if (state_of(self) == IDLE && retire(self)) {
                return IDLE;
            }
        } while (state_of(self) == IDLE);
        mlp_slept(&self->spinner, self->given_ns - start); /* without the time it takes to wake */
    }
    return state_of(self);
}

static void
thread_life(void *arg)
{
    mlp_thread *self = arg;
    while (wait_for_work(self) == WORKING) {
        if (self->moves) {
            set_affinity(&self->affinity);
        }
        leave_cpu(self->taken_cpu, &self->affinity);
        self->main(self->arg);
        atomic_store_explicit(&self->state, IDLE, memory_order_release);
    }
}

static void
give(mlp_thread *thread, thread_state state)
{
    thread->given_ns = now_ns();
    atomic_store(&thread->state, state);
    if (atomic_load(&thread->sleeps)) {
        mutex_lock(&thread->mutex);
        condition_broadcast(&thread->woken);
        mutex_unlock(&thread->mutex);
    }
}

/* ---- taking and parking ---- */

/* Starts a thread that is said to exist. Returns whether it does. */
static bool
start_thread(mlp_thread *thread)
{
    if (!thread->is_initialized) {
        mutex_init(&thread->mutex);
        condition_init(&thread->woken);
        thread->is_initialized = true;
    }
    atomic_init(&thread->state, IDLE);
    atomic_init(&thread->sleeps, false);
    mlp_spinner_init(&thread->spinner, PARKED_SPIN_NS);
    get_affinity(&thread->affinity);
    thread->urgency = get_urgency();
    return thread_start(&thread->thread, STACK_BYTES, thread_life, thread);
}

/* Says that a thread exists, or no longer does. */
static void
set_exists(mlp_thread *thread, bool exists)
{
    mutex_lock(&pool.mutex);
    thread->exists = exists;
    mutex_unlock(&pool.mutex);
}

/* Takes up to n parked threads as urgent as their caller; the others end in time. Returns how many.
 * Under the pool's mutex. */
static int
take_parked(int n, const urgency *callers, mlp_thread *threads[])
{
    int taken = 0;
    for (int i = pool.n_parked; i-- > 0 && taken < n;) {
        if (is_same_urgency(&pool.parked[i]->urgency, callers)) {
            threads[taken++] = pool.parked[i];
            unpark(i);
        }
    }
    return taken;
}

int
mlp_take_threads(int n, mlp_thread *threads[])
{
    call_once_only(&pool.ready, make_ready);
    urgency callers = get_urgency();
    mutex_lock(&pool.mutex);
    int taken = take_parked(n, &callers, threads), n_parked = taken;
    for (int i = 0; taken < n && i < MLP_MOST_THREADS; i++) {
        if (!pool.threads[i].exists) {
            pool.threads[i].exists = true;
            threads[taken++] = &pool.threads[i];
        }
    }
    mutex_unlock(&pool.mutex);
    for (int i = n_parked; i < taken; i++) { /* which takes long */
        if (!start_thread(threads[i])) {
            for (; taken > i; taken--) {
                set_exists(threads[taken - 1], false);
            }
        }
    }
    return taken;
}

void
mlp_use_threads(int n, mlp_thread *const threads[], const affinity *callers,
                void (*main)(void *arg), void *const args[])
{
    int taken_cpu = n < count_cpus(callers) ? current_cpu() : -1;
    for (int i = 0; i < n; i++) {
        mlp_thread *thread = threads[i];
        thread->main = main;
        thread->arg = args[i];
        thread->moves = !is_same_affinity(callers, &thread->affinity);
        thread->affinity = *callers;
        thread->taken_cpu = taken_cpu;
        give(thread, WORKING);
    }
}

void
mlp_park_threads(int n, mlp_thread *const threads[])
{
    for (int i = 0; i < n; i++) {
        for (int look = 0; state_of(threads[i]) != IDLE; look++) {
            thread_wait(look < YIELDS ? 0 : 1);
        }
    }
    if (n == 0) {
        return; /* there may be no pool yet */
    }
    mutex_lock(&pool.mutex);
    for (int i = n; i-- > 0;) { /* the first is taken first again */
        pool.parked[pool.n_parked++] = threads[i];
    }
    mutex_unlock(&pool.mutex);
}

void
mlp_end_threads(void)
{
    mlp_thread *ending[MLP_MOST_THREADS];
    call_once_only(&pool.ready, make_ready);
    mutex_lock(&pool.mutex);
    int n = pool.n_parked;
    for (int i = 0; i < n; i++) {
        ending[i] = pool.parked[i];
    }
    pool.n_parked = 0;
    mutex_unlock(&pool.mutex);
    for (int i = 0; i < n; i++) {
        give(ending[i], ENDING);
    }
    for (int i = 0; i < n; i++) {
        thread_join(&ending[i]->thread);
        set_exists(ending[i], false);
    }
}
