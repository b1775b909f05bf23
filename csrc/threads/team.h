/* A team of threads that lives inside one C call.
 *
 * mlp_run starts the team, runs one body on every member and joins them before
 * it returns, so nothing idles or spins between calls and fork() is safe.
 * Members meet at barriers. The calling thread is member 0; it alone polls the
 * caller (for Ctrl-C), and what it learns reaches the others as a command.
 *
 * All members compute in the floating-point environment that the caller has when the
 * call begins: how it rounds, and what it does with denormals.
 */
#ifndef MLP_THREADS_H
#define MLP_THREADS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct mlp_team mlp_team;

/* One member's place in its team. */
typedef struct {
    mlp_team *team;
    int rank; /* 0 is the calling thread */
    int size;
    bool finishing; /* in work that is not to be left half done: mlp_poll says go on, for a while */
} mlp_worker;

/* What members are told: to go on, to stop, and to leave even what they are finishing. */
typedef enum { MLP_GO_ON, MLP_STOP, MLP_LEAVE } mlp_command;

typedef void mlp_body(mlp_worker *worker, void *args);

/* Called by the calling thread about every 20 ms; true asks the work to stop. It may fork:
 * the child stops, too, if there are members that it has not. */
typedef bool mlp_poll_function(void *context);

typedef enum { MLP_DONE, MLP_STOPPED, MLP_NO_MEMORY, MLP_FORKED } mlp_outcome;

/* The most threads that any call may use, 0 for no limit. It is the process's, read as each call
 * begins (mlp_run_kernel), and exported for threadpoolctl, which sets it. */
#define MLP_EXPORTED __attribute__((visibility("default")))
MLP_EXPORTED int mlp_c_get_num_threads(void);
MLP_EXPORTED void mlp_c_set_num_threads(int n_threads);

/* Runs body(worker, args) on up to n_threads threads (fewer where the system refuses
 * more) and waits for all of them, polling. poll may be NULL.
 * Returns MLP_STOPPED wherever it asked to stop, be it after the last member's last tile, and
 * else MLP_FORKED in a child that poll has forked. */
mlp_outcome mlp_run(int n_threads, mlp_body *body, void *args, mlp_poll_function *poll,
                    void *poll_context);

/* Every member must meet as many: what decides about that is read from memory that
 * nobody outside the team can change.
 *
 * Waits for every member, member 0 polling meanwhile; what they wrote before is visible to all
 * after.
 * Returns the same answer to every member: MLP_STOP where the work is to stop, and MLP_LEAVE
 * where what some member was finishing has been left half done, too. */
mlp_command mlp_barrier(mlp_worker *worker);

/* To be called between tiles of long work: polls if this is the calling thread
 * and it is time. Returns whether a stop was asked for, and to a member that is finishing not
 * before this was so for 30 ms; a member that leaves its tiles because of it goes on to the next
 * barrier, which then says so to all, so results are only used past a barrier that returned
 * MLP_GO_ON, and what was finished past one that returned MLP_STOP. */
bool mlp_poll(mlp_worker *worker);

/* A number that no other member gets, counted from 0 since the last barrier: the
 * next piece of work that is not taken yet. */
ptrdiff_t mlp_claim(mlp_worker *worker);

/* The contiguous share of `total` items, in multiples of `grain`, of one of so many. */
void mlp_share(int size, int rank, ptrdiff_t total, ptrdiff_t grain, ptrdiff_t *begin,
               ptrdiff_t *end);

#endif
