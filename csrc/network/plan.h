/* The plan of a job: all that is decided once a call, laid out before the team begins.
 *
 * A plan says who has which slice of the first layer, which rows are in work at a time, where what
 * the layers make of them lies, and which tasks the work on gradients is made of. Members index it;
 * what they write of it is memory that it gives them.
 */
#ifndef MLP_PLAN_H
#define MLP_PLAN_H

#include "base/arena.h"
#include "network/jobs.h"
#include "network/slices.h"

enum {
    MLP_CHUNK_ROWS = 256, /* in work at a time: their activations and deltas fit the cache */
    MLP_MAX_BUFFERS = 2   /* chunks that there is room for where several members load them: while
                           one loads the next chunk, others may still use this one */
};

/* What a layer makes of the rows in work. */
typedef struct {
    mlp_matrix outputs; /* the activations; of the last layer the logits */
    mlp_matrix slopes;  /* f'(z), times the mask's factor where there is dropout; absent where the
                           pass backward computes it from the outputs */
    mlp_matrix deltas;  /* gradients in z */
    mlp_packed packed_deltas; /* of all layers but the first, whose deltas are by group */
} mlp_layer_rows;

/* A group of members, and what it has of its own: above all, its slice of the first layer. */
typedef struct {
    mlp_slice slice;
    int size;
    mlp_layer *layers;        /* the network's, of which the first is the slice's */
    mlp_packed *weights;      /* by layer; not packed where they are taken as they lie */
    mlp_packed *weights_t;    /* transposed, of all layers but the first */
    mlp_matrix deltas;        /* the slice of the first layer's deltas for sparse rows; absent where
                                 one group has all, and they are padded */
    mlp_packed packed_deltas; /* the same for dense rows */
    mlp_rows buffers[MLP_MAX_BUFFERS]; /* room for the rows in work; of sparse ones the team's */
    int n_buffers;                     /* none where each member has rows of its own */
} mlp_group;

/* A task of the work on a batch's gradients: input units begin to end of a layer's weights, of the
 * first layer those of a slice; or a layer's biases, which are one row. */
typedef struct {
    ptrdiff_t layer, begin, end;
    bool is_bias;
} mlp_task;

typedef struct {
    const mlp_task *tasks;
    ptrdiff_t n;
} mlp_task_list;

/* What one member has. A member works on a copy, on its own stack. */
typedef struct {
    mlp_worker *worker;
    const struct mlp_plan *plan;
    const mlp_kernels *kernels;
    mlp_group *group;
    int rank;                          /* in the group */
    mlp_layer_rows *layers;            /* the team's, or in predictions the member's own */
    mlp_rows buffers[MLP_MAX_BUFFERS]; /* its view of the group's; or its own */
    mlp_matrix sums;         /* the slice of the first layer's z, the group's or the member's own;
                                absent where it is computed in place of the outputs */
    mlp_task_list own_tasks; /* on the first layer */
    void *scratch; /* the gradient of a task that is not kept, or not padded where it is */
} mlp_member;

/* What a plan is made for. */
typedef struct {
    const mlp_kernels *kernels;
    const mlp_network *network;
    const mlp_data *data;
    ptrdiff_t n_rows;   /* the most rows in work at a time */
    uint64_t seed;      /* of dropout's masks */
    int64_t first_step; /* steps of the fit that were made before */
    int n_members;
    int n_groups; /* of the members, a slice of the first layer each */
    bool is_sparse;
    bool lists_rows;    /* sparse ones of a member's own, by column */
    bool packs_weights; /* unless rows are few */
    bool packs_tails;   /* only where weights have no whole vectors */
    bool goes_backward;
    bool copies_slices;     /* of the first layer, to avoid false sharing where they meet */
    bool keeps_gradients;   /* of a whole batch */
    bool squares_gradients; /* which are kept, for their norm */
    bool drops_tiny;        /* deltas, lest training become slow: see kernels/tiny.h */
    bool has_own_layers;    /* each member */
    /* Sets out the memory: see network/layout.h. */
    void (*lay_out)(mlp_arena *arena, struct mlp_plan *plan);
} mlp_plan_spec;

typedef struct mlp_plan {
    mlp_plan_spec spec;
    mlp_group groups[MLP_MAX_PARTS];
    mlp_member *members;
    mlp_layer_rows *layers;     /* of the network; n_members times over if each has its own */
    mlp_task *tasks;            /* each member's own, then those that they share */
    mlp_task_list shared_tasks; /* on all layers but the first; members claim them */
    double *row_losses;         /* of the rows in work */
    double **squares;           /* sums of squared weights, by layer: see mlp_squares */
    double **gradient_squares;  /* the same of gradients: of weights, then of biases */
    size_t cleared, uncleared;  /* bytes of its workspace */
} mlp_plan;

/* What a plan is made for that trains on batches of so many rows; the rest of it is for the caller
 * to say. */
mlp_plan_spec mlp_training_spec(const mlp_kernels *kernels, const mlp_network *network,
                                const mlp_data *data, ptrdiff_t batch_rows, int n_members);

/* Lays out a plan in memory that the caller's functions give. Returns NULL without memory. */
mlp_plan *mlp_make_plan(mlp_job_memory *memory, const mlp_plan_spec *spec);

/* Keeps a block that is to be freed, of MLP_ALIGNMENT bytes more than are needed. Returns it from a
 * cache line on; NULL where there is none. */
char *mlp_keep_block(mlp_job_memory *memory, void *block);

/* Gives a plan that lacks its workspace one: memory from a cache line on, of which as much as is to
 * be cleared, which comes first, is. */
void mlp_give_workspace(mlp_plan *plan, char *workspace);

/* A member's part of the plan. */
mlp_member mlp_join_plan(const mlp_plan *plan, mlp_worker *worker);

/* Sums of squares that are kept of an input unit of a layer. */
static inline ptrdiff_t
mlp_count_parts(ptrdiff_t layer)
{
    return layer == 0 ? MLP_MAX_PARTS : 1;
}

/* Sums of squares that are kept of the gradients of a layer's weights, in each part. */
static inline ptrdiff_t
mlp_count_gradient_sums(const mlp_layer *layer)
{
    return mlp_ceil_div(mlp_layer_inputs(layer), MLP_SQUARE_ROWS);
}

/* Input units in a task on the weights of a layer. Of sparse rows whole pairs, whose sums stay in
 * the first-level cache. Where gradients are squared, whole sums of their squares. */
ptrdiff_t mlp_task_units(const mlp_plan *plan, const mlp_group *group, ptrdiff_t layer);

#endif
