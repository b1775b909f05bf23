/* The process's threads: parked between calls, so that the next one need not start them.
 *
 * A call takes parked threads, those that were parked last first, and starts what is missing. A
 * thread without work spins for a moment, then sleeps, and ends by itself a second after its last
 * work. Parked threads end before a fork, so that fork() finds no thread but those in calls; a
 * child begins with none.
 *
 * On Linux, threads run as their caller does: they take over its affinity, and are taken only if
 * their niceness and scheduling policy are the caller's, too.
 */
#ifndef MLP_POOL_H
#define MLP_POOL_H

#include "threads/os.h"

/* The most threads that the process has, parked and in calls: more than any machine has for one. */
enum { MLP_MOST_THREADS = 512 };

typedef struct mlp_thread mlp_thread;

/* Takes up to n threads. Returns how many: fewer where the system refuses more. */
int mlp_take_threads(int n, mlp_thread *threads[]);

/* Has n threads that were taken each call main with its argument, once, with the affinity of the
 * calling thread. */
void mlp_use_threads(int n, mlp_thread *const threads[], const affinity *callers,
                     void (*main)(void *arg), void *const args[]);

/* Parks n threads that were taken, once they have returned from what they were used for, and looks
 * for that again and again: what they have left to do must be short. */
void mlp_park_threads(int n, mlp_thread *const threads[]);

/* Ends all threads that are parked, and waits for that. */
void mlp_end_threads(void);

#endif
