/* The job train_members: several networks at once, each trained by one member of the team. */
#include <string.h>

#include "kernels/poll.h"
#include "network/plan.h"

/* ---- memory ---- */

/* Plans a learner's epoch or evaluation, for one member. The workspace is to be one that is large
 * enough for any. Returns false without memory. */
static bool
plan_alone(mlp_train_members_args *args, const mlp_job *job, void *job_args, mlp_plan *const *plan)
{
    mlp_job_memory *memory = job_args;
    *memory = (mlp_job_memory){.calloc = args->memory.calloc,
                               .malloc = args->memory.malloc,
                               .lacks_workspace = true,
                               .next = args->memory.next};
    args->memory.next = memory;
    if (!job->prepare(job_args, 1)) {
        return false;
    }
    size_t bytes = (*plan)->cleared + (*plan)->uncleared;
    if (bytes > PTRDIFF_MAX) {
        return false;
    }
    args->workspace_bytes = mlp_max(args->workspace_bytes, (ptrdiff_t)bytes);
    return true;
}

/* All memory is had before a learner begins: none may find out that there is too little when others
 * have been trained. */
static bool
prepare_members(void *arguments, int n_members)
{
    mlp_train_members_args *args = arguments;
    for (ptrdiff_t i = 0; i < args->n; i++) {
        mlp_learner *learner = &args->learners[i];
        mlp_train_epoch_args *epoch = &learner->epoch;
        mlp_evaluate_args *held_out = &learner->held_out;
        if (!plan_alone(args, &mlp_train_epoch_job, epoch, &epoch->plan)
            || (learner->has_held_out
                && !plan_alone(args, &mlp_evaluate_job, held_out, &held_out->plan))) {
            return false;
        }
    }
    ptrdiff_t bytes;
    if (__builtin_mul_overflow(args->workspace_bytes, n_members, &bytes)
        || __builtin_add_overflow(bytes, MLP_ALIGNMENT, &bytes)) {
        return false;
    }
    args->workspaces = mlp_keep_block(&args->memory, args->memory.malloc((size_t)bytes));
    return args->workspaces != NULL;
}

/* ---- learners ---- */

/* Runs a job that was planned for one member. Returns what a barrier after it says. */
static mlp_command
run_alone(mlp_worker *alone, const mlp_job *job, void *job_args, mlp_plan *plan, char *workspace)
{
    ptrdiff_t bytes = (ptrdiff_t)plan->cleared;
    mlp_segment some = {0};
    while (mlp_next_segment(alone, bytes, &some)) {
        memset(workspace + some.begin, 0, (size_t)(some.end - some.begin));
    }
    if (some.end == bytes) {
        mlp_give_workspace(plan, workspace);
        job->run(alone, job_args);
    }
    return mlp_barrier(alone);
}

static void
run_members(mlp_worker *worker, void *arguments)
{
    mlp_train_members_args *args = arguments;
    char *workspace = args->workspaces + worker->rank * args->workspace_bytes;
    for (ptrdiff_t i; !mlp_poll(worker) && (i = mlp_claim(worker)) < args->n;) {
        mlp_learner *learner = &args->learners[i];
        mlp_train_epoch_args *epoch = &learner->epoch;
        mlp_evaluate_args *held_out = &learner->held_out;
        mlp_round round;
        mlp_worker alone = mlp_work_alone(worker, &round);
        mlp_command command =
            run_alone(&alone, &mlp_train_epoch_job, epoch, epoch->plan, workspace);
        if (command == MLP_GO_ON && learner->has_held_out) {
            run_alone(&alone, &mlp_evaluate_job, held_out, held_out->plan, workspace);
        }
    }
}

const mlp_job mlp_train_members_job = {prepare_members, run_members};
