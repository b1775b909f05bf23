/* A team of threads that lives inside one C call.
 *
 * mlp_run takes threads of the pool (pool.h), runs one job on every member, and parks the threads
 * before it returns. Members meet at barriers. The calling thread is member 0. It alone polls the
 * caller (for Ctrl-C); the others learn from it by a command.
 *
 * All members compute in the floating-point environment that the caller has when the call begins:
 * how it rounds, and what it does with denormals.
 */
#ifndef MLP_THREADS_H
#define MLP_THREADS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "threads/pool.h"

typedef struct mlp_team mlp_team;

/* What those share who meet at a barrier. */
typedef struct {
    atomic_ptrdiff_t claimed; /* tasks, since they last met */
    atomic_bool is_left;      /* whether some member left what it was finishing */
} mlp_round;

/* One member of a team. */
typedef struct {
    mlp_team *team;
    mlp_round *round;
    int rank; /* 0 is the calling thread, or one that works alone */
    int size;
    bool is_caller; /* the calling thread, which polls */
    bool
        finishing; /* in work that is not to be left half done: mlp_poll says to go on, for 30 ms */
} mlp_worker;

/* What members are told: to go on, to stop, and to leave even what they are finishing. */
typedef enum { MLP_GO_ON, MLP_STOP, MLP_LEAVE } mlp_command;

/* What a team does with some arguments. */
typedef struct {
    /* Called once, by the calling thread, when it is known how many members the team has and
     * before any of them begins. Returns false where there is no memory for so many. */
    bool (*prepare)(void *args, int n_members);
    void (*run)(mlp_worker *worker, void *args);
} mlp_job;

/* Asked by the calling thread about every 20 ms; true asks the work to stop. It may fork: the child
 * stops, too, if the team has members that the child has not. */
typedef struct {
    bool (*poll)(void *context); /* may be NULL */
    void *context;
} mlp_caller;

typedef enum { MLP_DONE, MLP_STOPPED, MLP_NO_MEMORY, MLP_FORKED } mlp_outcome;

/* The most threads that any call may use, 0 for no limit. It is the process's, read as each call
 * begins (mlp_run_job), and exported for threadpoolctl, which sets it. */
#define MLP_EXPORTED __attribute__((visibility("default")))
MLP_EXPORTED int mlp_c_get_num_threads(void);
MLP_EXPORTED void mlp_c_set_num_threads(int n_threads);

/* Runs a job on up to n_threads threads, of 1 to MLP_MOST_THREADS (fewer where the system refuses
 * more), and waits for all of them, polling. Returns
 *     MLP_STOPPED    where polling asked to stop, be it after the last member's last tile;
 *     MLP_FORKED     else, in a child that polling has forked;
 *     MLP_NO_MEMORY  where the job was not prepared, and so not run. */
mlp_outcome mlp_run(int n_threads, const mlp_job *job, void *args, mlp_caller caller);

/* Waits for every member; member 0 polls meanwhile. What members wrote before is visible to all
 * after. Every member must meet as many barriers: what decides about that is read from memory that
 * nobody outside the team can change.
 *
 * Returns the same answer to every member: MLP_STOP where the work is to stop, and MLP_LEAVE where,
 * moreover, some member left half done what it was finishing. */
mlp_command mlp_barrier(mlp_worker *worker);

/* To be called between tiles of long work. Polls if this is the calling thread and it is time.
 * Returns whether a stop was asked for; to a member that is finishing, whether that was 30 ms ago.
 *
 * A member that leaves its tiles because of it goes on to the next barrier, which then tells all.
 * So results are used only past a barrier that returned MLP_GO_ON, and what was being finished past
 * one that returned MLP_STOP. */
bool mlp_poll(mlp_worker *worker);

/* Calls a function of the caller's in the midst of the work: on the calling thread, which alone
 * may. It may do what polling may. Where it returns false, the work is to stop, as the next barrier
 * tells all. It is not called where that is so before. */
void mlp_ask(mlp_worker *worker, bool (*may_go_on)(void *context), void *context);

/* The number of the next task that no member has taken, counted from 0 since the last barrier. */
ptrdiff_t mlp_claim(mlp_worker *worker);

/* The member as a team of one, for a task that is a job in itself. It meets nobody at barriers, and
 * claims what nobody else does. It polls, and is to stop, as the member does; MLP_LEAVE says that
 * it left something itself. The round, which it begins, is to last as long as the worker. */
mlp_worker mlp_work_alone(const mlp_worker *worker, mlp_round *round);

/* The contiguous share of `total` items, in multiples of `grain`, of one of `size` members. */
void mlp_share(int size, int rank, ptrdiff_t total, ptrdiff_t grain, ptrdiff_t *begin,
               ptrdiff_t *end);

#endif
