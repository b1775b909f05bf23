#include "threads/stages.h"

#ifdef MLP_PROFILE

#include <stdatomic.h>
#include <string.h>

#include "threads/os.h"

/* Nanoseconds by rank and stage, of all teams together. */
static _Atomic int64_t totals[MLP_MOST_PROFILED][MLP_N_STAGES];

/* Where the calling thread is, and since when. */
static _Thread_local struct {
    int rank;
    mlp_stage stage;
    int64_t since;
    int64_t ns[MLP_N_STAGES];
} here;

void
mlp_enter_stage(mlp_stage stage)
{
    int64_t now = now_ns();
    here.ns[here.stage] += now - here.since;
    here.stage = stage;
    here.since = now;
}

void
mlp_begin_stages(int rank)
{
    memset(&here, 0, sizeof here);
    here.rank = rank < MLP_MOST_PROFILED ? rank : MLP_MOST_PROFILED - 1;
    here.since = now_ns();
}

void
mlp_end_stages(void)
{
    mlp_enter_stage(MLP_STAGE_OTHER);
    for (int stage = 0; stage < MLP_N_STAGES; stage++) {
        atomic_fetch_add(&totals[here.rank][stage], here.ns[stage]);
    }
}

void
mlp_take_stages(int64_t ns[MLP_MOST_PROFILED][MLP_N_STAGES])
{
    for (int rank = 0; rank < MLP_MOST_PROFILED; rank++) {
        for (int stage = 0; stage < MLP_N_STAGES; stage++) {
            ns[rank][stage] = atomic_exchange(&totals[rank][stage], 0);
        }
    }
}

#else

typedef int no_stages; /* C has no empty source */

#endif
