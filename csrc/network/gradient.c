/* The job loss_gradient: the objective over all rows, and its gradients. */
#include "network/batches.h"
#include "network/layout.h"
#include "network/update.h"

static bool
prepare(void *arguments, int n_members)
{
    mlp_loss_gradient_args *args = arguments;
    mlp_plan_spec spec =
        mlp_training_spec(args->kernels, &args->network, &args->data, args->data.n, n_members);
    spec.keeps_gradients = true;
    args->plan = mlp_make_plan(&args->memory, &spec);
    return args->plan != NULL;
}

/* Takes all rows through the network, as one batch. Returns the sum of their losses, to member 0.
 * *stop says whether the team was stopped. */
static double
run_rows(mlp_member *m, const mlp_loss_gradient_args *args, bool *stop)
{
    double loss = 0;
    int buffer = 0;
    mlp_cursor next = {0};
    mlp_pack_network(m);
    bool more = mlp_load_next_chunk(m, args->data.n, &next, &m->buffers[buffer]);
    *stop = mlp_barrier(m->worker) != MLP_GO_ON;
    while (!*stop && more) {
        const mlp_cursor chunk = next;
        const mlp_rows *rows = &m->buffers[buffer];
        *stop = mlp_run_chunk(m, &args->objective, rows, chunk.weight_sum) != MLP_GO_ON;
        if (*stop) {
            break;
        }
        if (m->worker->rank == 0) {
            loss = mlp_add_row_losses(m, chunk.n, loss);
        }
        mlp_compute_gradients(m, rows, chunk.first > chunk.batch);
        buffer = (buffer + 1) % m->group->n_buffers;
        more = mlp_load_next_chunk(m, args->data.n, &next, &m->buffers[buffer]);
        *stop = mlp_barrier(m->worker) != MLP_GO_ON;
    }
    return loss;
}

static void
run(mlp_worker *worker, void *arguments)
{
    mlp_loss_gradient_args *args = arguments;
    mlp_member m = mlp_join_plan(args->plan, worker);
    bool stop;
    double loss = run_rows(&m, args, &stop);
    if (stop) {
        return;
    }
    double weight_sum = mlp_sum_weights(worker, &args->data, m.kernels->dtype, 0, args->data.n);
    mlp_write_gradients(&m, args->objective.l2 / weight_sum);
    if (mlp_barrier(worker) == MLP_GO_ON && worker->rank == 0) {
        args->value = (loss + mlp_l2_loss(&m, args->objective.l2)) / weight_sum;
    }
}

const mlp_job mlp_loss_gradient_job = {prepare, run};
