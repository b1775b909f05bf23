/* Where the time of a thread goes, stage by stage: counted in builds with MLP_PROFILE, and else
 * nothing. `make profile` makes such a build and prints what it counts. At the end of a job, only
 * the calling thread's wait for the others is counted. */
#ifndef MLP_STAGES_H
#define MLP_STAGES_H

#include <stdint.h>

/* Stages: code and name. */
#define MLP_STAGES(S)                 \
    S(OTHER, "other")                 \
    S(LOAD, "load")                   \
    S(INDEX, "index")                 \
    S(LIST, "list")                   \
    S(CHECK, "check")                 \
    S(FORWARD_FIRST, "forward 1")     \
    S(FORWARD_OTHERS, "forward 2+")   \
    S(LOSS, "loss")                   \
    S(BACKWARD, "backward")           \
    S(GRADIENT_FIRST, "gradient 1")   \
    S(GRADIENT_OTHERS, "gradient 2+") \
    S(UPDATE, "update")               \
    S(PACK, "pack")                   \
    S(OUTPUT, "output")               \
    S(WAIT, "wait")

typedef enum {
#define S(CODE, name) MLP_STAGE_##CODE,
    MLP_STAGES(S)
#undef S
        MLP_N_STAGES
} mlp_stage;

enum { MLP_MOST_PROFILED = 64 }; /* members of a team; those of higher ranks count with the last */

#ifdef MLP_PROFILE

/* The calling thread is in a stage from now on, until it enters another. */
void mlp_enter_stage(mlp_stage stage);

/* The calling thread begins to work as a member of this rank. */
void mlp_begin_stages(int rank);

/* What it spent in stages since then counts for that member. */
void mlp_end_stages(void);

/* Nanoseconds by member and stage, since this was last asked. */
void mlp_take_stages(int64_t ns[MLP_MOST_PROFILED][MLP_N_STAGES]);

#else

static inline void
mlp_enter_stage(mlp_stage stage)
{
    (void)stage;
}

static inline void
mlp_begin_stages(int rank)
{
    (void)rank;
}

static inline void
mlp_end_stages(void)
{
}

#endif

#endif
