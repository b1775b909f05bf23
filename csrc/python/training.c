/* The functions behind the estimators' training. Each takes a dict of named fields. */
#include "python/training.h"

#include "python/data.h"
#include "python/fields.h"
#include "python/layers.h"
#include "python/names.h"
#include "python/run.h"
#include "python/vectors.h"

/* What all of them take: X, an array or the tuple of a sparse matrix (data.h); y, an array or the
 * tuple of the labels of several heads (data.h); sample_weight, which may be None; activation, a
 * name or a list of one a hidden layer; loss, a dict (names.h); order, row numbers or None. */
#define SHARED_FIELDS(F)     \
    F(object, X)             \
    F(object, y)             \
    F(object, sample_weight) \
    F(object, weights)       \
    F(object, biases)        \
    F(object, activation)    \
    F(object, loss)          \
    F(object, order)         \
    F(integer, n_threads)

/* Beside these: rule, a dict (names.h); learning_rates, a float64 array with one for each batch,
 * passed over or not; max_grad_norm, 0 for none; moments, a list for each that the rule keeps, of
 * an array for every weights array and then every biases array; steps, an int64 array of one
 * element, how many were made; dropout, a list of a probability for the inputs and one for each
 * hidden layer, and the seed of its masks. */
#define TRAIN_EPOCH_FIELDS(F) \
    SHARED_FIELDS(F)          \
    F(real, l2)               \
    F(size, batch_size)       \
    F(object, rule)           \
    F(real, weight_decay)     \
    F(real, max_grad_norm)    \
    F(object, learning_rates) \
    F(object, moments)        \
    F(object, steps)          \
    F(reals, dropout)         \
    F(size, seed)

#define SHARE_GRADIENT_FIELDS(F) \
    SHARED_FIELDS(F)             \
    F(real, gradient_scale)      \
    F(real, l2)

#define LOSS_GRADIENT_FIELDS(F) \
    SHARE_GRADIENT_FIELDS(F)    \
    F(object, dweights)         \
    F(object, dbiases)

/* Beside these: output, a name; outputs and losses, arrays of rows of outputs and of the float64
 * loss of each row to write, or None. */
#define EVALUATE_FIELDS(F) \
    SHARED_FIELDS(F)       \
    F(object, output)      \
    F(object, outputs)     \
    F(object, losses)

typedef struct {
    SHARED_FIELDS(MLP_MEMBER)
} shared_fields;

typedef struct {
    TRAIN_EPOCH_FIELDS(MLP_MEMBER)
} train_epoch_fields;

typedef struct {
    SHARE_GRADIENT_FIELDS(MLP_MEMBER)
} share_gradient_fields;

typedef struct {
    LOSS_GRADIENT_FIELDS(MLP_MEMBER)
} loss_gradient_fields;

typedef struct {
    EVALUATE_FIELDS(MLP_MEMBER)
} evaluate_fields;

/* The shared ones of `given`. */
#define SHARED_VALUE(kind, name) given.name,
#define SHARED_OF_GIVEN ((shared_fields){SHARED_FIELDS(SHARED_VALUE)})

/* What a function is given, as views and copies. */
typedef struct {
    mlp_data data;
    mlp_network network;
    mlp_list weights, biases;
} problem;

/* How many targets a row has for a loss, of a network's outputs. */
static ptrdiff_t
count_targets(mlp_call *call, const mlp_loss *loss, ptrdiff_t n_outputs)
{
    ptrdiff_t n = mlp_outputs_per_target(loss);
    if (!call->failed && (n < 1 || n_outputs % n != 0)) {
        PyErr_Format(PyExc_ValueError,
                     "weights must have a multiple of %zd outputs for loss '%s', got %zd",
                     (Py_ssize_t)n, mlp_loss_names.names[loss->code], (Py_ssize_t)n_outputs);
        call->failed = true;
    }
    return call->failed ? 0 : n_outputs / n;
}

/* Takes the data and the network, which is written to, or only read. The loss is taken before. */
static problem
arg_problem(mlp_call *call, shared_fields given, const mlp_loss *loss, mlp_access access)
{
    problem p = {0};
    mlp_data *data = &p.data;
    data->x = mlp_arg_input(call, given.X);
    ptrdiff_t n_rows = data->x.rows;
    p.weights = mlp_arg_weights(call, given.weights, data->x.cols, access);
    p.biases = mlp_arg_biases(call, given.biases, p.weights, access);
    p.network = mlp_arg_network(call, p.weights, p.biases, given.activation, p.weights.n - 1);
    ptrdiff_t n_outputs = mlp_count_outputs(call, p.weights);
    ptrdiff_t n_targets = count_targets(call, loss, n_outputs);
    data->targets = !call->failed && PyTuple_Check(given.y)
                        ? mlp_arg_label_rows(call, given.y, n_rows, n_outputs)
                        : mlp_arg_targets(call, MLP_NAMED(given, y), n_rows, n_targets);
    if (!call->failed && data->targets.labels != NULL && loss->code != MLP_CROSS_ENTROPY) {
        PyErr_Format(PyExc_ValueError, "y must be a row of targets each for loss '%s', got labels",
                     mlp_loss_names.names[loss->code]);
        call->failed = true;
    }
    data->sample_weight = mlp_arg_vector(call, MLP_NAMED(given, sample_weight), n_rows);
    data->order = mlp_arg_order(call, MLP_NAMED(given, order), n_rows, &data->n);
    mlp_settle_rows(call, data);
    return p;
}

/* Takes the moments of a rule. */
static void
arg_moments(mlp_call *call, PyObject *obj, const mlp_rule *rule, problem *p)
{
    int n = mlp_count_moments(rule);
    char of[MLP_TEXT_BYTES];
    PyOS_snprintf(of, sizeof of, "lists for rule '%s'", mlp_rule_names.names[rule->code]);
    PyObject *lists = mlp_arg_items(call, obj, "moments", n, of);
    mlp_list parameters = mlp_join(call, p->weights, p->biases);
    for (int m = 0; m < n && !call->failed; m++) {
        char *name = mlp_alloc_for(call, 1, MLP_TEXT_BYTES);
        if (name != NULL) {
            PyOS_snprintf(name, MLP_TEXT_BYTES, "moments[%d]", m);
            mlp_expectation each = mlp_expect(name, MLP_LIKE, MLP_LIKE, MLP_WRITE);
            mlp_list list = mlp_arg_list_like(call, PyTuple_GET_ITEM(lists, m), parameters, each);
            mlp_set_moments(&p->network, m, list);
        }
    }
}

/* Takes the probabilities of dropout, which have been read. */
static void
arg_dropout(mlp_call *call, mlp_reals_constant given, problem *p)
{
    ptrdiff_t n = call->failed ? 0 : p->network.n_layers;
    if (!call->failed && given.n != n) {
        PyErr_Format(PyExc_ValueError,
                     "dropout must hold %zd probabilities, of the inputs and each hidden layer, "
                     "got %zd",
                     (Py_ssize_t)n, (Py_ssize_t)given.n);
        call->failed = true;
    }
    for (ptrdiff_t i = 0; i < n && !call->failed; i++) {
        double *to = i == 0 ? &p->data.dropout : &p->network.layers[i - 1].dropout;
        *to = mlp_check_probability(call, "dropout", i, given.values[i]);
    }
}

/* How many batches there are of n rows. */
static ptrdiff_t
count_batches(mlp_call *call, ptrdiff_t n, ptrdiff_t batch_size)
{
    if (!call->failed && batch_size < 1) {
        PyErr_Format(PyExc_ValueError, "batch_size must be at least 1, got %zd",
                     (Py_ssize_t)batch_size);
        call->failed = true;
    }
    return call->failed ? 0 : mlp_ceil_div(n, batch_size);
}

int64_t *
mlp_arg_epoch(PyObject *module, mlp_call *call, PyObject *fields, ptrdiff_t n_batches,
              mlp_train_epoch_args *epoch, mlp_effort *effort)
{
    train_epoch_fields given = {0};
    MLP_ARG_FIELDS(call, fields, "fields of train_epoch", TRAIN_EPOCH_FIELDS, &given);
    *epoch = (mlp_train_epoch_args){.batch_size = given.batch_size,
                                    .weight_decay = given.weight_decay,
                                    .max_gradient_norm = given.max_grad_norm};
    mlp_loss loss = mlp_arg_loss(call, given.loss);
    epoch->objective = (mlp_objective){loss, given.l2, .gradient_scale = 1};
    epoch->rule = mlp_arg_rule(call, given.rule);
    problem p = arg_problem(call, SHARED_OF_GIVEN, &loss, MLP_WRITE);
    arg_moments(call, given.moments, &epoch->rule, &p);
    arg_dropout(call, given.dropout, &p);
    epoch->seed = (uint64_t)given.seed;
    ptrdiff_t n = p.data.n;
    n_batches = n_batches == MLP_ANY ? count_batches(call, n, given.batch_size) : n_batches;
    epoch->learning_rates = mlp_arg_rates(call, MLP_NAMED(given, learning_rates), n_batches);
    int64_t *steps = mlp_arg_count(call, MLP_NAMED(given, steps), &epoch->first_step);
    epoch->data = p.data;
    epoch->network = p.network;
    epoch->kernels = mlp_kernels_for(module, call);
    effort->n_threads = given.n_threads;
    effort->work = 3 * mlp_count_work(n, p.weights);
    effort->batch_work = 3 * mlp_count_work(mlp_min(n, given.batch_size), p.weights);
    return steps;
}

/* train_epoch(fields) -> (total loss, rows that it is of)
 *
 * steps goes on counting even where an exception ends the epoch. */
PyObject *
mlp_core_train_epoch(PyObject *module, PyObject *fields)
{
    PyObject *result = NULL;
    mlp_train_epoch_args epoch;
    mlp_effort effort;
    mlp_call call;
    mlp_begin(&call);
    int64_t *steps = mlp_arg_epoch(module, &call, fields, MLP_ANY, &epoch, &effort);
    int n_threads = mlp_threads_for(effort.n_threads, effort.work);
    n_threads = mlp_threads_for_batch(n_threads, effort.batch_work);
    if (mlp_ready(&call)) {
        if (mlp_run_job(module, &mlp_train_epoch_job, &epoch, n_threads)) {
            result = Py_BuildValue("(dn)", epoch.total_loss, (Py_ssize_t)epoch.rows);
        }
        mlp_count_steps(steps, &epoch);
    }
    mlp_end(&call);
    return result;
}

void
mlp_arg_share_gradient(PyObject *module, mlp_call *call, PyObject *fields,
                       mlp_share_gradient_args *gradient, mlp_effort *effort)
{
    share_gradient_fields given = {0};
    MLP_ARG_FIELDS(call, fields, "fields of share_gradient", SHARE_GRADIENT_FIELDS, &given);
    mlp_loss loss = mlp_arg_loss(call, given.loss);
    *gradient = (mlp_share_gradient_args){.objective = {loss, given.l2, given.gradient_scale}};
    problem p = arg_problem(call, SHARED_OF_GIVEN, &loss, MLP_READ);
    gradient->data = p.data;
    gradient->network = p.network;
    gradient->kernels = mlp_kernels_for(module, call);
    effort->n_threads = given.n_threads;
    effort->work = 3 * mlp_count_work(p.data.n, p.weights);
}

/* loss_gradient(fields) -> value of the objective */
PyObject *
mlp_core_loss_gradient(PyObject *module, PyObject *fields)
{
    PyObject *result = NULL;
    loss_gradient_fields given = {0};
    mlp_call call;
    mlp_begin(&call);
    MLP_ARG_FIELDS(&call, fields, "fields of loss_gradient", LOSS_GRADIENT_FIELDS, &given);
    mlp_loss loss = mlp_arg_loss(&call, given.loss);
    mlp_loss_gradient_args gradient = {.objective = {loss, given.l2, given.gradient_scale}};
    problem p = arg_problem(&call, SHARED_OF_GIVEN, &loss, MLP_READ);
    mlp_list dweights = mlp_arg_list_like(&call, given.dweights, p.weights,
                                          mlp_expect("dweights", 2, MLP_LIKE, MLP_WRITE));
    mlp_list dbiases =
        mlp_arg_list_like(&call, given.dbiases, p.weights, mlp_expect("dbiases", 1, 1, MLP_WRITE));
    mlp_set_gradients(&p.network, dweights, dbiases);
    gradient.data = p.data;
    gradient.network = p.network;
    gradient.kernels = mlp_kernels_for(module, &call);
    int n_threads = mlp_threads_for(given.n_threads, 3 * mlp_count_work(p.data.n, p.weights));
    if (mlp_ready(&call) && mlp_run_job(module, &mlp_loss_gradient_job, &gradient, n_threads)) {
        result = PyFloat_FromDouble(gradient.value);
    }
    mlp_end(&call);
    return result;
}

/* The outputs to write: of each row next to each other, as its loss is computed from them. */
static mlp_matrix
arg_outputs(mlp_call *call, PyObject *obj, ptrdiff_t rows, ptrdiff_t cols)
{
    mlp_matrix out = mlp_arg_matrix(call, obj, "outputs", rows, cols, MLP_WRITE);
    if (!call->failed && cols > 1 && out.col_stride != 1) {
        mlp_expectation expected = {.name = "outputs", .index = MLP_ANY};
        mlp_reject_text(call, PyExc_ValueError, &expected, "have contiguous rows", "others");
    }
    return out;
}

void
mlp_arg_evaluation(PyObject *module, mlp_call *call, PyObject *fields, mlp_evaluate_args *evaluate,
                   mlp_effort *effort)
{
    evaluate_fields given = {0};
    MLP_ARG_FIELDS(call, fields, "fields of evaluate", EVALUATE_FIELDS, &given);
    *evaluate = (mlp_evaluate_args){.loss = mlp_arg_loss(call, given.loss)};
    evaluate->output = mlp_arg_output(call, given.output, "output");
    mlp_access access = call->purpose.is_held_out ? MLP_READ_LATER : MLP_READ;
    problem p = arg_problem(call, SHARED_OF_GIVEN, &evaluate->loss, access);
    evaluate->data = p.data;
    evaluate->network = p.network;
    if (given.outputs != Py_None) {
        ptrdiff_t n_outputs = mlp_count_outputs(call, p.weights);
        evaluate->out = arg_outputs(call, given.outputs, p.data.n, n_outputs);
    }
    if (given.losses != Py_None) {
        evaluate->losses = mlp_arg_doubles(call, MLP_NAMED(given, losses), p.data.n);
    }
    evaluate->kernels = mlp_kernels_for(module, call);
    effort->n_threads = given.n_threads;
    effort->work = mlp_count_work(p.data.n, p.weights);
}

/* evaluate(fields) -> the sum over rows of sample weight times loss */
PyObject *
mlp_core_evaluate(PyObject *module, PyObject *fields)
{
    PyObject *result = NULL;
    mlp_evaluate_args evaluate;
    mlp_effort effort;
    mlp_call call;
    mlp_begin(&call);
    mlp_arg_evaluation(module, &call, fields, &evaluate, &effort);
    int n_threads = mlp_threads_for(effort.n_threads, effort.work);
    if (mlp_ready(&call) && mlp_run_job(module, &mlp_evaluate_job, &evaluate, n_threads)) {
        result = PyFloat_FromDouble(evaluate.total);
    }
    mlp_end(&call);
    return result;
}
