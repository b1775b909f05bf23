/* Training: the gradient of a batch, and an epoch of batches.
 *
 * A batch goes through in chunks of rows whose activations and deltas fit the
 * cache; each member takes its rows of a chunk forward and backward, then, past
 * a barrier, its input units' gradients over the whole chunk, and once the
 * batch is whole, the update of the same units.
 */

/* What one member works with: views of its own of memory that the team shares. */
typedef struct {
    CHUNK chunk;
    mlp_matrix rows;    /* the chunk's rows of x, gathered */
    double *row_losses; /* of the chunk */
    double **squares;   /* by layer and input unit */
    double loss;        /* member 0's: the sum of weighted row losses of the batch */
} SPACE;

static void
FN(take_space)(mlp_arena *arena, const mlp_data *data, const mlp_network *network,
               ptrdiff_t batch_size, int n_threads, int rank, SPACE *space)
{
    ptrdiff_t n_layers = network->n_layers;
    ptrdiff_t rows = batch_size < FN(CHUNK_ROWS) ? batch_size : FN(CHUNK_ROWS);
    *space = (SPACE){0};
    FN(take_chunk)(arena, n_layers, n_threads, rank, &space->chunk);
    FN(take_layers)(arena, network, n_layers, rows, space->chunk.activations);
    FN(take_layers)(arena, network, n_layers, rows, space->chunk.deltas);
    double **squares = mlp_take(arena, n_threads, n_layers, sizeof(double *));
    if (squares != NULL) {
        space->squares = squares + rank * n_layers;
    }
    for (ptrdiff_t l = 0; l < n_layers; l++) {
        double *layer_squares = mlp_take(arena, network->weights[l].rows, 1, sizeof(double));
        if (squares != NULL) {
            space->squares[l] = layer_squares;
        }
    }
    bool gathers = data->order != NULL && data->x.values == NULL;
    space->rows = FN(take_matrix)(arena, gathers ? rows : 0, data->x.cols);
    space->row_losses = mlp_take(arena, rows, 1, sizeof(double));
}

/* Points the chunk at n rows of the data from `first` on; where dense rows are
 * scattered, gathers the member's share of them. */
static void
FN(load_chunk)(const mlp_data *data, ptrdiff_t n_layers, SPACE *space, ptrdiff_t first, ptrdiff_t n,
               ptrdiff_t begin, ptrdiff_t end)
{
    for (ptrdiff_t l = 0; l < n_layers; l++) {
        space->chunk.activations[l].rows = space->chunk.deltas[l].rows = n;
    }
    FN(set_rows)(&space->chunk, &data->x, data->order, first, n);
    if (data->order == NULL || data->x.values != NULL) {
        return;
    }
    space->chunk.x = FN(rows_of)(&space->rows, 0, n);
    ptrdiff_t stride = data->x.dense.col_stride;
    for (ptrdiff_t i = begin; i < end; i++) {
        const REAL *from = FN(at)(&data->x.dense, data->order[first + i], 0);
        REAL *to = FN(at)(&space->rows, i, 0);
        for (ptrdiff_t j = 0; j < data->x.cols; j += LANES) {
            ptrdiff_t count = data->x.cols - j;
            FN(store)(to + j, 1, count, FN(load)(from + j * stride, stride, count));
        }
    }
}

static inline ptrdiff_t
FN(data_row)(const mlp_data *data, ptrdiff_t i)
{
    return data->order == NULL ? i : (ptrdiff_t)data->order[i];
}

static inline REAL
FN(row_weight)(const mlp_data *data, ptrdiff_t row)
{
    return data->sample_weight == NULL ? 1 : ((const REAL *)data->sample_weight)[row];
}

/* The sum of the sample weights of n rows from `first` on, in order. */
static double
FN(sum_weights)(const mlp_data *data, ptrdiff_t first, ptrdiff_t n)
{
    if (data->sample_weight == NULL) {
        return (double)n;
    }
    double sum = 0;
    for (ptrdiff_t i = first; i < first + n; i++) {
        sum += (double)FN(row_weight)(data, FN(data_row)(data, i));
    }
    return sum;
}

/* Losses and the last layer's deltas of the member's rows of the chunk. */
static void
FN(loss_rows)(const mlp_data *data, const mlp_loss *loss, ptrdiff_t last_layer, SPACE *space,
              ptrdiff_t first, ptrdiff_t begin, ptrdiff_t end, double weight_sum)
{
    const mlp_matrix *logits = &space->chunk.activations[last_layer];
    const mlp_matrix *deltas = &space->chunk.deltas[last_layer];
    REAL scale = (REAL)(loss->gradient_scale / weight_sum);
    for (ptrdiff_t i = begin; i < end; i++) {
        ptrdiff_t row = FN(data_row)(data, first + i);
        REAL weight = FN(row_weight)(data, row);
        double value = FN(loss_row)(loss, FN(at)(logits, i, 0), logits->cols, &data->targets, row,
                                    weight * scale, FN(at)(deltas, i, 0));
        space->row_losses[i] = (double)weight * value;
    }
}

/* The gradients over n rows of the data from `first` on, without the L2 term, in
 * dweights and dbiases, and their loss in space->loss; whole past its end.
 * Returns whether the team is to stop. */
static bool
FN(batch_gradient)(mlp_worker *worker, const mlp_data *data, const mlp_objective *objective,
                   SPACE *space, ptrdiff_t first, ptrdiff_t n, double weight_sum,
                   const mlp_matrix *dweights, const mlp_matrix *dbiases)
{
    const mlp_network *network = &objective->network;
    ptrdiff_t n_layers = network->n_layers;
    space->loss = 0;
    for (ptrdiff_t done = 0; done < n; done += FN(CHUNK_ROWS)) {
        ptrdiff_t rows = n - done < FN(CHUNK_ROWS) ? n - done : FN(CHUNK_ROWS);
        ptrdiff_t begin, end;
        mlp_share(worker, rows, TILE_ROWS, &begin, &end);
        FN(load_chunk)(data, n_layers, space, first + done, rows, begin, end);
        FN(forward_rows)(worker, network, &space->chunk, begin, end);
        FN(loss_rows)
        (data, &objective->loss, n_layers - 1, space, first + done, begin, end, weight_sum);
        FN(backward_rows)(worker, network, &space->chunk, begin, end);
        if (mlp_barrier(worker)) {
            return true;
        }
        FN(gradients)(worker, n_layers, &space->chunk, done > 0, dweights, dbiases);
        for (ptrdiff_t i = 0; i < rows && worker->rank == 0; i++) {
            space->loss += space->row_losses[i];
        }
        if (mlp_barrier(worker)) {
            return true;
        }
    }
    return false;
}

/* l2 / 2 times the sum of all squared weights, in order. */
static double
FN(l2_loss)(double l2, const mlp_network *network, double **squares)
{
    double sum = 0;
    if (l2 == 0) {
        return 0;
    }
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        for (ptrdiff_t i = 0; i < network->weights[l].rows; i++) {
            sum += squares[l][i];
        }
    }
    return 0.5 * l2 * sum;
}

/* The gradients' memory, views of it written for each layer. */
static void
FN(take_gradients)(mlp_arena *arena, const mlp_network *network, int n_threads, int rank,
                   mlp_matrix **dweights, mlp_matrix **dbiases)
{
    ptrdiff_t n_layers = network->n_layers;
    mlp_matrix *views = mlp_take(arena, n_threads, 2 * n_layers, sizeof(mlp_matrix));
    if (views != NULL) {
        *dweights = views + rank * 2 * n_layers;
        *dbiases = *dweights + n_layers;
    }
    for (ptrdiff_t l = 0; l < n_layers; l++) {
        const mlp_matrix *weights = &network->weights[l];
        mlp_matrix dw = FN(take_matrix)(arena, weights->rows, weights->cols);
        mlp_matrix db = FN(take_matrix)(arena, 1, weights->cols);
        if (views != NULL) {
            (*dweights)[l] = dw;
            (*dbiases)[l] = db;
        }
    }
}

static void
FN(take_epoch)(mlp_arena *arena, const mlp_train_epoch_args *args, int n_threads, int rank,
               SPACE *space, mlp_matrix **dweights, mlp_matrix **dbiases)
{
    const mlp_network *network = &args->objective.network;
    FN(take_space)(arena, &args->data, network, args->batch_size, n_threads, rank, space);
    FN(take_gradients)(arena, network, n_threads, rank, dweights, dbiases);
}

static size_t
FN(train_epoch_workspace)(const void *arguments, int n_threads)
{
    mlp_arena arena = {NULL, 0};
    SPACE space;
    mlp_matrix *dweights = NULL, *dbiases = NULL;
    FN(take_epoch)(&arena, arguments, n_threads, 0, &space, &dweights, &dbiases);
    return arena.used;
}

/* The update of the member's input units of every layer; member 0 the biases. */
static void
FN(update_network)(mlp_worker *worker, const mlp_train_epoch_args *args, SPACE *space,
                   const mlp_matrix *dweights, const mlp_matrix *dbiases, int64_t steps,
                   double weight_sum)
{
    const mlp_network *network = &args->objective.network;
    mlp_optimizer optimizer = args->optimizer;
    optimizer.steps += steps;
    CONSTANTS for_weights = FN(constants)(&optimizer, args->objective.l2 / weight_sum);
    CONSTANTS for_biases = FN(constants)(&optimizer, 0);
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        ptrdiff_t begin, end;
        mlp_share(worker, network->weights[l].rows, TILE_ROWS, &begin, &end);
        FN(update_rows)
        (optimizer.rule, &for_weights, &network->weights[l], &dweights[l], args->moments, l, begin,
         end, space->squares[l] + begin);
        if (worker->rank == 0) {
            FN(update_rows)
            (optimizer.rule, &for_biases, &network->biases[l], &dbiases[l], args->moments,
             network->n_layers + l, 0, 1, NULL);
        }
    }
}

static void
FN(train_epoch)(mlp_worker *worker, void *arguments)
{
    mlp_train_epoch_args *args = arguments;
    const mlp_objective *objective = &args->objective;
    mlp_arena arena = {args->workspace, 0};
    SPACE space;
    mlp_matrix *dweights = NULL, *dbiases = NULL;
    FN(take_epoch)(&arena, args, worker->size, worker->rank, &space, &dweights, &dbiases);
    double total_loss = 0;
    int64_t steps = 0;
    for (ptrdiff_t first = 0; first < args->data.n; first += args->batch_size) {
        ptrdiff_t left = args->data.n - first;
        ptrdiff_t n = left < args->batch_size ? left : args->batch_size;
        double weight_sum = FN(sum_weights)(&args->data, first, n);
        if (weight_sum == 0) {
            continue;
        }
        if (FN(batch_gradient)(worker, &args->data, objective, &space, first, n, weight_sum,
                               dweights, dbiases)) {
            break;
        }
        FN(update_network)(worker, args, &space, dweights, dbiases, steps, weight_sum);
        steps++;
        if (mlp_barrier(worker)) {
            break;
        }
        if (worker->rank == 0) {
            double l2 = FN(l2_loss)(objective->l2, &objective->network, space.squares);
            total_loss += (space.loss + l2) * ((double)n / weight_sum);
        }
    }
    if (worker->rank == 0) {
        args->total_loss = total_loss;
        args->optimizer.steps += steps;
    }
}

static size_t
FN(loss_gradient_workspace)(const void *arguments, int n_threads)
{
    const mlp_loss_gradient_args *args = arguments;
    mlp_arena arena = {NULL, 0};
    SPACE space;
    FN(take_space)
    (&arena, &args->data, &args->objective.network, args->data.n, n_threads, 0, &space);
    return arena.used;
}

static void
FN(loss_gradient)(mlp_worker *worker, void *arguments)
{
    mlp_loss_gradient_args *args = arguments;
    const mlp_objective *objective = &args->objective;
    const mlp_network *network = &objective->network;
    mlp_arena arena = {args->workspace, 0};
    SPACE space;
    FN(take_space)(&arena, &args->data, network, args->data.n, worker->size, worker->rank, &space);
    double weight_sum = FN(sum_weights)(&args->data, 0, args->data.n);
    if (FN(batch_gradient)(worker, &args->data, objective, &space, 0, args->data.n, weight_sum,
                           args->dweights, args->dbiases)) {
        return;
    }
    for (ptrdiff_t l = 0; l < network->n_layers && objective->l2 != 0; l++) {
        ptrdiff_t begin, end;
        mlp_share(worker, network->weights[l].rows, TILE_ROWS, &begin, &end);
        FN(add_l2)
        ((REAL)(objective->l2 / weight_sum), &network->weights[l], &args->dweights[l], begin, end,
         space.squares[l]);
    }
    if (!mlp_barrier(worker) && worker->rank == 0) {
        args->loss = (space.loss + FN(l2_loss)(objective->l2, network, space.squares)) / weight_sum;
    }
}
