#include "threads/team.h"

#include <assert.h>
#include <fenv.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/sizes.h"
#include "threads/os.h"
#include "threads/spin.h"
#include "threads/stages.h"

enum {
    SPIN_NS = 20000,        /* no less than it costs to put a thread to sleep and wake it */
    FIRST_SPIN_NS = 200000, /* until that was in vain: others may just be waking, and a sleeper is
                               often woken where its waker runs, to wait for the CPU */
    POLL_PERIOD_MS = 20,    /* keeps Ctrl-C well under 0.1 s, together with */
    PATIENCE_MS = 30        /* how long what is being finished may take */
};

typedef struct {
    mlp_worker worker;
    mlp_spinner spinner;
} member;

struct mlp_team {
    const mlp_job *job;
    void *args;
    mlp_caller caller;
    int64_t next_poll_ms;
    atomic_int command;  /* an mlp_command, which only grows */
    mlp_outcome outcome; /* what polling makes of it */
    fenv_t environment;  /* the caller's */
    int64_t process;     /* that the members are of */
    bool forked;         /* this is a child of it: member 0, who alone reads this, is alone */

    mutex mutex;
    condition released;
    int64_t released_ns; /* when sleepers were last woken; under the mutex */
    atomic_int sleepers;
    atomic_int arrived;
    mlp_round round;
    atomic_int generation;
    mlp_command decided; /* when the last member arrived */

    int size;
    member members[];
};

/* The most threads of any call, 0 where there is no limit. */
static atomic_int process_limit;

int
mlp_c_get_num_threads(void)
{
    return atomic_load_explicit(&process_limit, memory_order_relaxed);
}

void
mlp_c_set_num_threads(int n_threads)
{
    atomic_store_explicit(&process_limit, n_threads > 0 ? n_threads : 0, memory_order_relaxed);
}

static int64_t
now_ms(void)
{
    return now_ns() / 1000000;
}

static mlp_command
command_of(const mlp_team *team)
{
    return (mlp_command)atomic_load_explicit(&team->command, memory_order_relaxed);
}

/* Takes note of what the caller's code has done: asked for a stop, forked, changed the
 * floating-point environment, which is undone. */
static void
heed_caller(mlp_team *team, bool stop)
{
    fesetenv(&team->environment);
    team->forked = team->size > 1 && process_id() != team->process;
    team->outcome = stop ? MLP_STOPPED : team->forked ? MLP_FORKED : MLP_DONE;
    atomic_store(&team->command, team->forked ? MLP_LEAVE : stop ? MLP_STOP : MLP_GO_ON);
    team->next_poll_ms = now_ms() + (stop ? PATIENCE_MS : POLL_PERIOD_MS);
}

/* Polls. Not again once a stop was asked for, when the exception that asked for it is set: then
 * patience is at its end. */
static void
poll_caller(mlp_team *team)
{
    if (command_of(team) == MLP_STOP) {
        atomic_store(&team->command, MLP_LEAVE);
        return;
    }
    heed_caller(team, team->caller.poll(team->caller.context));
}

/* Whether the member has still to look at the clock. */
static bool
is_polling(const mlp_worker *worker)
{
    const mlp_team *team = worker->team;
    return worker->is_caller && team->caller.poll != NULL && command_of(team) != MLP_LEAVE;
}

bool
mlp_poll(mlp_worker *worker)
{
    mlp_team *team = worker->team;
    if (is_polling(worker) && now_ms() >= team->next_poll_ms) {
        poll_caller(team);
    }
    if (!worker->finishing) {
        return command_of(team) != MLP_GO_ON;
    }
    if (command_of(team) != MLP_LEAVE) {
        return false;
    }
    atomic_store(&worker->round->is_left, true);
    return true;
}

void
mlp_ask(mlp_worker *worker, bool (*may_go_on)(void *context), void *context)
{
    mlp_team *team = worker->team;
    assert(worker->is_caller);
    if (command_of(team) == MLP_GO_ON) {
        heed_caller(team, !may_go_on(context));
    }
}

ptrdiff_t
mlp_claim(mlp_worker *worker)
{
    return atomic_fetch_add_explicit(&worker->round->claimed, 1, memory_order_relaxed);
}

/* Waits, under the mutex, to be woken; one that polls until it is time to at most, and then does.
 * Returns false in a child that this forked: there the mutex is not held, and may never be had,
 * for a member that the child has not may have held it. */
static bool
wait_or_poll(mlp_team *team, mlp_worker *worker)
{
    if (!is_polling(worker)) {
        condition_wait(&team->released, &team->mutex);
        return true;
    }
    int64_t left_ms = team->next_poll_ms - now_ms();
    condition_wait_for(&team->released, &team->mutex, left_ms > 0 ? (int)left_ms : 0);
    mutex_unlock(&team->mutex);
    mlp_poll(worker);
    if (team->forked) {
        return false;
    }
    mutex_lock(&team->mutex);
    return true;
}

/* Sleeps until the generation ends. Returns when it ended, or 0 where there was no
 * need to sleep. Either the last member to arrive sees the sleeper counted, or the
 * sleeper sees the generation it ended: both are sequentially consistent. One that wakes by
 * itself may see it before the last member says when that was. */
static int64_t
sleep_until_released(mlp_team *team, mlp_worker *worker, int generation)
{
    int64_t start = now_ns(), ended = 0;
    mutex_lock(&team->mutex);
    atomic_fetch_add(&team->sleepers, 1);
    while (atomic_load(&team->generation) == generation) {
        if (!wait_or_poll(team, worker)) {
            return 0;
        }
        ended = team->released_ns < start ? now_ns() : team->released_ns;
    }
    atomic_fetch_sub(&team->sleepers, 1);
    mutex_unlock(&team->mutex);
    return ended;
}

/* Spins, then sleeps. */
static void
wait_for_release(mlp_team *team, member *self, int generation)
{
    int64_t start = now_ns();
    if (!mlp_spin_while(&self->spinner, &team->generation, generation, start)) {
        mlp_spin_less(&self->spinner, SPIN_NS);
        mlp_slept(&self->spinner, sleep_until_released(team, &self->worker, generation) - start);
    }
}

/* Whether this is the calling thread in a forked child, where no other ever meets it. */
static bool
is_forked(const mlp_worker *worker)
{
    return worker->is_caller && worker->team->forked;
}

/* What a barrier says to those who meet there. */
static mlp_command
decide(mlp_team *team, mlp_round *round)
{
    mlp_command command = (mlp_command)atomic_load(&team->command);
    return command == MLP_LEAVE && !atomic_load(&round->is_left) ? MLP_STOP : command;
}

/* Counts the member among those that have met; the last of them releases the others. Returns
 * whether it is the last. */
static bool
arrive(mlp_worker *worker)
{
    mlp_team *team = worker->team;
    if (atomic_fetch_add(&team->arrived, 1) + 1 < worker->size) {
        return false;
    }
    team->decided = decide(team, &team->round);
    atomic_store(&team->arrived, 0);
    atomic_store(&team->round.claimed, 0);
    atomic_fetch_add(&team->generation, 1);
    if (atomic_load(&team->sleepers) > 0) {
        mutex_lock(&team->mutex);
        team->released_ns = now_ns();
        condition_broadcast(&team->released);
        mutex_unlock(&team->mutex);
    }
    return true;
}

mlp_command
mlp_barrier(mlp_worker *worker)
{
    mlp_team *team = worker->team;
    if (is_forked(worker)) {
        return MLP_LEAVE;
    }
    if (worker->size == 1) {
        atomic_store_explicit(&worker->round->claimed, 0, memory_order_relaxed);
        return decide(team, worker->round);
    }
    mlp_enter_stage(MLP_STAGE_WAIT);
    int generation = atomic_load(&team->generation);
    if (!arrive(worker)) {
        wait_for_release(team, &team->members[worker->rank], generation);
    }
    mlp_enter_stage(MLP_STAGE_OTHER);
    return is_forked(worker) ? MLP_LEAVE : team->decided;
}

/* As at the beginning of a job. */
static void
begin_round(mlp_round *round)
{
    atomic_init(&round->claimed, 0);
    atomic_init(&round->is_left, false);
}

mlp_worker
mlp_work_alone(const mlp_worker *worker, mlp_round *round)
{
    begin_round(round);
    return (mlp_worker){
        .team = worker->team, .round = round, .size = 1, .is_caller = worker->is_caller};
}

static void
member_main(void *arg)
{
    member *self = arg;
    mlp_team *team = self->worker.team;
    fesetenv(&team->environment);
    mlp_begin_stages(self->worker.rank);
    team->job->run(&self->worker, team->args);
    mlp_end_stages();
    arrive(&self->worker);
}

/* Makes n members, of which the calling thread is the first, that spin for so long at first. */
static void
make_members(mlp_team *team, int n, int64_t spin_ns, void *members[])
{
    team->size = n;
    for (int rank = 0; rank < n; rank++) {
        member *m = &team->members[rank];
        m->worker = (mlp_worker){
            .team = team, .round = &team->round, .rank = rank, .size = n, .is_caller = rank == 0};
        mlp_spinner_init(&m->spinner, spin_ns);
        members[rank] = m;
    }
}

/* Runs a job that is prepared for the calling thread and n others. */
static void
run_members(mlp_team *team, int n, mlp_thread *const threads[])
{
    void *members[MLP_MOST_THREADS];
    if (n == 0) {
        make_members(team, 1, 0, members);
    }
    else {
        affinity cpus;
        get_affinity(&cpus);
        make_members(team, n + 1, n < count_cpus(&cpus) ? FIRST_SPIN_NS : SPIN_NS, members);
        mlp_use_threads(n, threads, &cpus, member_main, members + 1);
    }
    mlp_begin_stages(0);
    team->job->run(&team->members[0].worker, team->args);
    mlp_barrier(&team->members[0].worker); /* the others only arrive, and return */
    mlp_end_stages();
}

mlp_outcome
mlp_run(int n_threads, const mlp_job *job, void *args, mlp_caller caller)
{
    assert(1 <= n_threads && n_threads <= MLP_MOST_THREADS);
    mlp_thread *threads[MLP_MOST_THREADS];
    mlp_team *team = calloc(1, sizeof *team + (size_t)n_threads * sizeof(member));
    if (team == NULL) {
        return MLP_NO_MEMORY;
    }
    team->job = job;
    team->args = args;
    team->caller = caller;
    team->next_poll_ms = now_ms() + POLL_PERIOD_MS;
    team->outcome = MLP_DONE;
    team->process = process_id();
    fegetenv(&team->environment);
    atomic_init(&team->command, MLP_GO_ON);
    atomic_init(&team->sleepers, 0);
    atomic_init(&team->arrived, 0);
    atomic_init(&team->generation, 0);
    begin_round(&team->round);
    mutex_init(&team->mutex);
    condition_init(&team->released);

    int n_others = n_threads > 1 ? mlp_take_threads(n_threads - 1, threads) : 0;
    if (job->prepare(args, n_others + 1)) {
        run_members(team, n_others, threads);
    }
    else {
        team->outcome = MLP_NO_MEMORY;
    }
    if (!team->forked) { /* else the others are the parent's, and may be left holding these */
        mlp_park_threads(n_others, threads);
        condition_destroy(&team->released);
        mutex_destroy(&team->mutex);
    }
    mlp_outcome outcome = team->outcome;
    free(team);
    return outcome;
}

void
mlp_share(int size, int rank, ptrdiff_t total, ptrdiff_t grain, ptrdiff_t *begin, ptrdiff_t *end)
{
    ptrdiff_t grains = mlp_ceil_div(total, grain);
    ptrdiff_t each = grains / size, more = grains % size;
    ptrdiff_t first = rank * each + mlp_min(rank, more);
    ptrdiff_t last = first + each + (rank < more);
    *begin = mlp_min(first * grain, total);
    *end = mlp_min(last * grain, total);
}
