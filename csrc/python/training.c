/* The functions behind the estimators' training and prediction. */
#include "python/data.h"
#include "python/run.h"

#define R(CODE, name, moments) moments,
static const int rule_moments[] = {MLP_RULES(R)};
#undef R

/* What a function that trains is given of its data and objective. */
typedef struct {
    PyObject *x, *y, *sample_weight, *order, *weights, *biases;
    PyObject *activation, *loss;
} training_arguments;

/* Takes the data and the network, whose weights it returns. */
static mlp_list
take_training(mlp_call *call, const training_arguments *given, mlp_access access, mlp_data *data,
              mlp_objective *objective)
{
    objective->loss.function = mlp_parse_loss(call, given->loss);
    data->x = mlp_take_input(call, given->x);
    mlp_list weights = mlp_take_weights(call, given->weights, data->x.cols, access);
    objective->network = mlp_take_network(call, weights, given->biases, given->activation, access);
    data->targets =
        mlp_take_targets(call, given->y, "y", data->x.rows, mlp_count_outputs(call, weights));
    if (!call->failed && data->targets.labels != NULL
        && objective->loss.function != MLP_CROSS_ENTROPY) {
        PyErr_Format(PyExc_ValueError, "y must be a row of targets each for loss %R, got labels",
                     given->loss);
        call->failed = true;
    }
    data->sample_weight =
        mlp_take_vector(call, given->sample_weight, "sample_weight", data->x.rows);
    data->order = mlp_take_order(call, given->order, "order", data->x.rows, &data->n);
    data->places = mlp_count_all_places(call, data);
    return weights;
}

/* train_epoch(X, y, sample_weight, order, weights, biases, activation,
 *     (loss, floor, ceiling), l2, batch_size,
 *     (rule, learning_rate, momentum, beta_1, beta_2, epsilon), moments, steps, n_threads)
 *     -> (total loss, rows it is of)
 *
 * X is an array or the tuple of a sparse matrix; order is None or row numbers;
 * moments is a tuple of as many lists as the rule keeps, each with an array for
 * every weights array and then every biases array; steps is an int64 array of one element, how
 * many were made, which goes on counting: even where an exception ends the epoch. */
PyObject *
mlp_core_train_epoch(PyObject *module, PyObject *args)
{
    training_arguments given;
    PyObject *loss, *rule_constants, *moments, *rule, *steps_obj, *result = NULL;
    int n_threads;
    mlp_train_epoch_args epoch = {.objective.loss.gradient_scale = 1};
    mlp_objective *objective = &epoch.objective;
    mlp_optimizer *optimizer = &epoch.optimizer;
    if (!PyArg_ParseTuple(args, "OOOOOOOO!dnO!O!Oi:train_epoch", &given.x, &given.y,
                          &given.sample_weight, &given.order, &given.weights, &given.biases,
                          &given.activation, &PyTuple_Type, &loss, &objective->l2,
                          &epoch.batch_size, &PyTuple_Type, &rule_constants, &PyTuple_Type,
                          &moments, &steps_obj, &n_threads)
        || !PyArg_ParseTuple(loss, "Odd;loss must be (name, floor, ceiling)", &given.loss,
                             &objective->loss.floor, &objective->loss.ceiling)
        || !PyArg_ParseTuple(rule_constants, "Oddddd;optimizer must be (rule, five constants)",
                             &rule, &optimizer->learning_rate, &optimizer->momentum,
                             &optimizer->beta_1, &optimizer->beta_2, &optimizer->epsilon)) {
        return NULL;
    }
    if (epoch.batch_size < 1) {
        PyErr_Format(PyExc_ValueError, "batch_size must be at least 1, got %zd", epoch.batch_size);
        return NULL;
    }
    mlp_call call;
    mlp_begin(&call);
    mlp_list weights = take_training(&call, &given, MLP_WRITE, &epoch.data, objective);
    optimizer->rule = mlp_parse_rule(&call, rule);
    int n_moments = rule_moments[optimizer->rule];
    if (!call.failed && PyTuple_GET_SIZE(moments) != n_moments) {
        PyErr_Format(PyExc_ValueError, "moments must hold %d lists for rule %R, got %zd", n_moments,
                     rule, PyTuple_GET_SIZE(moments));
        call.failed = true;
    }
    mlp_list parameters = mlp_join(&call, weights, objective->network.biases);
    for (int m = 0; m < n_moments && !call.failed; m++) {
        epoch.moments[m] = mlp_take_list_like(&call, PyTuple_GET_ITEM(moments, m), "moments",
                                              parameters, MLP_LIKE, MLP_LIKE, MLP_WRITE)
                               .views;
    }
    int64_t *steps = mlp_take_count(&call, steps_obj, "steps", &optimizer->steps);
    ptrdiff_t batch_rows = Py_MIN(epoch.batch_size, epoch.data.n);
    n_threads = mlp_threads_for(n_threads, 3 * mlp_count_work(epoch.data.n, weights));
    n_threads = mlp_threads_for_batch(n_threads, 3 * mlp_count_work(batch_rows, weights));
    if (mlp_ready(&call)) {
        if (mlp_run_kernel(module, &mlp_kernels_for(module, &call)->train_epoch, &epoch,
                           n_threads)) {
            result = Py_BuildValue("(dn)", epoch.total_loss, (Py_ssize_t)epoch.rows);
        }
        __atomic_store_n(steps, optimizer->steps + epoch.steps, __ATOMIC_RELAXED);
    }
    mlp_end(&call);
    return result;
}

/* loss_gradient(X, y, sample_weight, weights, biases, activation,
 *     (loss, floor, ceiling, gradient_scale), l2, dweights, dbiases, n_threads) -> loss */
PyObject *
mlp_core_loss_gradient(PyObject *module, PyObject *args)
{
    training_arguments given = {.order = Py_None};
    PyObject *loss, *dweights_obj, *dbiases_obj, *result = NULL;
    int n_threads;
    mlp_loss_gradient_args kernel_args = {0};
    mlp_objective *objective = &kernel_args.objective;
    if (!PyArg_ParseTuple(args, "OOOOOOO!dOOi:loss_gradient", &given.x, &given.y,
                          &given.sample_weight, &given.weights, &given.biases, &given.activation,
                          &PyTuple_Type, &loss, &objective->l2, &dweights_obj, &dbiases_obj,
                          &n_threads)
        || !PyArg_ParseTuple(loss, "Oddd;loss must be (name, floor, ceiling, gradient scale)",
                             &given.loss, &objective->loss.floor, &objective->loss.ceiling,
                             &objective->loss.gradient_scale)) {
        return NULL;
    }
    mlp_call call;
    mlp_begin(&call);
    mlp_list weights = take_training(&call, &given, MLP_READ, &kernel_args.data, objective);
    kernel_args.dweights =
        mlp_take_list_like(&call, dweights_obj, "dweights", weights, MLP_LIKE, 2, MLP_WRITE).views;
    kernel_args.dbiases =
        mlp_take_list_like(&call, dbiases_obj, "dbiases", weights, 1, 1, MLP_WRITE).views;
    n_threads = mlp_threads_for(n_threads, 3 * mlp_count_work(kernel_args.data.n, weights));
    if (mlp_ready(&call)
        && mlp_run_kernel(module, &mlp_kernels_for(module, &call)->loss_gradient, &kernel_args,
                          n_threads)) {
        result = PyFloat_FromDouble(kernel_args.loss);
    }
    mlp_end(&call);
    return result;
}

/* predict(X, order, weights, biases, activation, loss, check_finite, n_threads)
 *     -> outputs, or None where check_finite, X is dense and of the weights' dtype, and an
 *     element of it is infinite or NaN */
PyObject *
mlp_core_predict(PyObject *module, PyObject *args)
{
    PyObject *x_obj, *order, *weights_obj, *biases_obj, *result = NULL;
    PyObject *activation, *loss;
    int check_finite, n_threads;
    if (!PyArg_ParseTuple(args, "OOOOOOpi:predict", &x_obj, &order, &weights_obj, &biases_obj,
                          &activation, &loss, &check_finite, &n_threads)) {
        return NULL;
    }
    mlp_predict_args kernel_args = {0};
    mlp_call call;
    mlp_begin(&call);
    kernel_args.loss = mlp_parse_loss(&call, loss);
    kernel_args.data.x = mlp_take_input(&call, x_obj);
    mlp_list weights = mlp_take_weights(&call, weights_obj, kernel_args.data.x.cols, MLP_READ);
    kernel_args.network = mlp_take_network(&call, weights, biases_obj, activation, MLP_READ);
    mlp_data *data = &kernel_args.data;
    data->order = mlp_take_order(&call, order, "order", data->x.rows, &data->n);
    kernel_args.check_finite =
        check_finite && data->x.values == NULL && (int)data->x.element == call.dtype;
    if (data->n <= MLP_FEW_ROWS) {
        mlp_skip_zeros(&data->x);
    }
    data->places = mlp_count_all_places(&call, data);
    ptrdiff_t n = data->n;
    ptrdiff_t n_outputs = mlp_count_outputs(&call, weights);
    PyObject *out = mlp_new_matrix(&call, n, n_outputs);
    kernel_args.out = mlp_take_matrix(&call, out, "out", n, n_outputs, MLP_WRITE);
    n_threads = mlp_threads_for(n_threads, mlp_count_work(n, weights));
    if (mlp_ready(&call)
        && mlp_run_kernel(module, &mlp_kernels_for(module, &call)->predict, &kernel_args,
                          n_threads)) {
        result = Py_NewRef(atomic_load(&kernel_args.found_non_finite) ? Py_None : out);
    }
    mlp_end(&call);
    return result;
}

/* index_nonzeros(X, dtype, max_density, max_bytes, n_threads) -> None, (X, None), or
 *     (values, columns, row_starts, n_columns)
 *
 * How to train on X: as it is where more than that fraction of its pairs of columns is not
 * zero, else as a sparse array of such pairs, of that dtype; or, where that would take more
 * than max_bytes, so that its zeros are skipped as its rows are used. */
PyObject *
mlp_core_index_nonzeros(PyObject *module, PyObject *args)
{
    PyObject *x_obj, *dtype, *result = NULL;
    double max_density, max_bytes;
    int n_threads;
    if (!PyArg_ParseTuple(args, "OUddi:index_nonzeros", &x_obj, &dtype, &max_density, &max_bytes,
                          &n_threads)) {
        return NULL;
    }
    mlp_call call;
    mlp_begin(&call);
    mlp_set_dtype(&call, dtype);
    mlp_input x = mlp_take_dense(&call, x_obj);
    int64_t *starts;
    PyObject *row_starts = mlp_new_starts(&call, x.rows, &starts);
    n_threads = mlp_threads_for(n_threads, (double)x.rows * (double)x.cols);
    mlp_nonzeros_args found = {.x = x, .counts = call.failed ? NULL : starts + 1};
    if (!mlp_ready(&call)
        || !mlp_run_kernel(module, &mlp_kernels_for(module, &call)->count_nonzeros, &found,
                           n_threads)) {
        goto done;
    }
    starts[0] = 0;
    for (ptrdiff_t row = 0; row < x.rows && mlp_go_on(&call, row); row++) {
        starts[row + 1] += starts[row];
    }
    if (call.failed) {
        goto done;
    }
    ptrdiff_t n = starts[x.rows];
    if (x.cols > INT32_MAX || (double)n > max_density * (double)x.rows * (double)x.row_places) {
        result = Py_NewRef(Py_None);
        goto done;
    }
    found.row_starts = starts;
    found.column_bytes = x.row_places <= UINT16_MAX + 1 ? 2 : 4;
    int item = call.dtype == MLP_FLOAT32 ? 4 : 8;
    if ((double)n * (2 * item + found.column_bytes) + 8.0 * (double)x.rows > max_bytes) {
        result = PyTuple_Pack(2, x_obj, Py_None);
        goto done;
    }
    PyObject *columns = mlp_new_columns(&call, n, found.column_bytes, &found.columns);
    PyObject *values = mlp_new_pairs(&call, n, &found.values);
    if (!call.failed
        && mlp_run_kernel(module, &mlp_kernels_for(module, &call)->list_nonzeros, &found,
                          n_threads)) {
        result = Py_BuildValue("(OOOn)", values, columns, row_starts, (Py_ssize_t)x.cols);
    }
done:
    mlp_end(&call);
    return result;
}
