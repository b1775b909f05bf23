/* Output activations, on rows of logits in place.
 *
 * One is a line of MLP_OUTPUTS in lists.h and a function NAME_output here.
 */
#ifndef MLP_OUTPUTS_TEMPLATE
#define MLP_OUTPUTS_TEMPLATE

#include "kernels/activations.h"
#include "kernels/functions.h"
#include "kernels/poll.h"
#include "kernels/softmax.h"

static void
FN(map_row)(FN(vector_function) * f, mlp_worker *worker, ROW z)
{
    for (mlp_segment some = {0}; mlp_next_segment(worker, z.n, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            REAL *p = z.data + j * z.stride;
            FN(store)(p, z.stride, z.n - j, f(FN(load)(p, z.stride, z.n - j)));
        }
    }
}

static void
FN(identity_output)(mlp_worker *worker, ROW z)
{
    (void)worker;
    (void)z;
}

static void
FN(logistic_output)(mlp_worker *worker, ROW z)
{
    FN(map_row)(FN(logistic), worker, z);
}

static void
FN(softmax_output)(mlp_worker *worker, ROW z)
{
    FN(normalize)(worker, z, z);
}

static void
FN(exp_output)(mlp_worker *worker, ROW z)
{
    FN(map_row)(FN(exp), worker, z);
}

static void
FN(apply_output)(mlp_worker *worker, mlp_output output, const mlp_matrix *z)
{
    mlp_poller poller = {worker, 0};
    for (ptrdiff_t i = 0; i < z->rows && !mlp_poll_after(&poller, z->cols); i++) {
        ROW row = FN(row_of)(z, i);
        switch (output) {
#define O(CODE, name) \
    case MLP_OUTPUT_##CODE: FN(name##_output)(worker, row); break;
            MLP_OUTPUTS(O)
#undef O
        }
    }
}

#endif
