/* Training: the gradient of a batch, and an epoch of batches.
 *
 * A batch goes through in chunks of rows whose activations and deltas fit the
 * cache; each member takes its rows of a chunk forward and backward, then, past
 * a barrier, its input units' gradients over the whole chunk, and once the
 * batch is whole, the update of the same units.
 */

/* What one member works with: views of its own of memory that the team shares,
 * and sums of its own. */
typedef struct {
    CHUNK chunk;
    double *row_losses;             /* of the chunk */
    double **squares;               /* of weights, by layer and input unit */
    mlp_matrix *dweights, *dbiases; /* by layer; weights only where they must be kept */
    mlp_matrix *sums;               /* the member's, by layer, otherwise: a block of units */
    double loss;                    /* member 0's: weighted row losses of the batch */
} SPACE;

static void
FN(take_space)(mlp_arena *arena, const mlp_data *data, const mlp_network *network,
               ptrdiff_t batch_size, bool keep_gradients, int n_threads, int rank, SPACE *space)
{
    ptrdiff_t n_layers = network->n_layers;
    ptrdiff_t rows = batch_size < FN(CHUNK_ROWS) ? batch_size : FN(CHUNK_ROWS);
    *space = (SPACE){0};
    FN(take_chunk)(arena, n_layers, n_threads, rank, &space->chunk);
    FN(take_layers)(arena, network, n_layers, rows, space->chunk.activations);
    FN(take_layers)(arena, network, n_layers, rows, space->chunk.deltas);
    FN(take_rows)(arena, data, rows, n_threads, &space->chunk);
    FN(take_forward_packs)(arena, network, rows, &space->chunk);
    FN(take_backward_packs)(arena, network, rows, &space->chunk);
    space->row_losses = mlp_take(arena, rows, 1, sizeof(double));

    mlp_matrix *views = mlp_take(arena, n_threads, 3 * n_layers, sizeof(mlp_matrix));
    double **squares = mlp_take(arena, n_threads, n_layers, sizeof(double *));
    if (arena->base != NULL) {
        space->dweights = views + rank * 3 * n_layers;
        space->dbiases = space->dweights + n_layers;
        space->sums = space->dbiases + n_layers;
        space->squares = squares + rank * n_layers;
    }
    for (ptrdiff_t l = 0; l < n_layers; l++) {
        ptrdiff_t units = network->weights[l].rows, cols = network->weights[l].cols;
        mlp_matrix dbiases = FN(take_matrix)(arena, 1, cols);
        mlp_matrix dweights = FN(take_matrix)(arena, keep_gradients ? units : 0, cols);
        double *layer_squares = mlp_take(arena, units, 1, sizeof(double));
        ptrdiff_t block = FN(unit_block)(network, &space->chunk, l);
        block = block < units ? block : units;
        for (int member = 0; member < n_threads; member++) {
            mlp_matrix sums = FN(take_matrix)(arena, keep_gradients ? 0 : block, cols);
            if (arena->base != NULL && member == rank) {
                space->sums[l] = sums;
            }
        }
        if (arena->base != NULL) {
            space->dweights[l] = dweights;
            space->dbiases[l] = dbiases;
            space->squares[l] = layer_squares;
        }
    }
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

/* Takes the member's pieces of a chunk's rows forward and backward. */
static void
FN(run_rows)(mlp_worker *worker, const mlp_data *data, const mlp_objective *objective, SPACE *space,
             ptrdiff_t first, ptrdiff_t n, double weight_sum)
{
    const mlp_network *network = &objective->network;
    ptrdiff_t n_layers = network->n_layers, tiles = (n + TILE_ROWS - 1) / TILE_ROWS;
    ptrdiff_t piece = (tiles + worker->size - 1) / worker->size * TILE_ROWS;
    FN(set_chunk)(data, &space->chunk, first, n, piece);
    for (ptrdiff_t l = 0; l < n_layers; l++) {
        space->chunk.activations[l].rows = space->chunk.deltas[l].rows = n;
    }
    for (ptrdiff_t begin; (begin = mlp_claim(worker) * piece) < n;) {
        ptrdiff_t end = n - begin < piece ? n : begin + piece;
        FN(gather_rows)(data, &space->chunk, first, begin, end);
        if (FN(forward_rows)(worker, network, &space->chunk, begin, end)) {
            return;
        }
        if (space->chunk.is_sparse) {
            FN(list_columns)(&space->chunk.sparse, begin, end);
        }
        FN(loss_rows)(data, &objective->loss, n_layers - 1, space, first, begin, end, weight_sum);
        FN(backward_rows)(worker, network, &space->chunk, begin, end);
    }
}

/* Asks for the weights of a piece, to write them, while its gradient is computed: in a
 * larger team others have them. */
static inline ALWAYS_INLINE void
FN(prefetch_piece)(const mlp_matrix *weights, const PIECE *piece)
{
    for (ptrdiff_t i = piece->begin; i < piece->end && !piece->is_bias; i++) {
        for (ptrdiff_t j = 0; j < weights->cols; j += MLP_ALIGNMENT / (ptrdiff_t)sizeof(REAL)) {
            __builtin_prefetch(FN(at)(weights, i, j), 1, 3);
        }
    }
}

/* Updates what a piece of the gradients belongs to. */
static void
FN(update_piece)(const mlp_train_epoch_args *args, const CONSTANTS *for_weights,
                 const CONSTANTS *for_biases, SPACE *space, const PIECE *piece,
                 const mlp_matrix *sums)
{
    const mlp_network *network = &args->objective.network;
    ptrdiff_t l = piece->layer;
    if (piece->is_bias) {
        FN(update_rows)
        (args->optimizer.rule, for_biases, &network->biases[l], sums, args->moments,
         network->n_layers + l, 0, 1, NULL);
    }
    else {
        FN(update_rows)
        (args->optimizer.rule, for_weights, &network->weights[l], sums, args->moments, l,
         piece->begin, piece->end, args->objective.l2 == 0 ? NULL : space->squares[l]);
        FN(pack_weights)(network, &space->chunk, l, piece->begin, piece->end);
    }
}

/* A batch: the gradients over n rows of the data from `first` on, and their loss,
 * without the L2 term, in space->loss. With an epoch's arguments, parameters are
 * updated piece by piece as their gradients come to be whole, which nothing stops
 * half way; else the gradients are kept. Returns whether the team is to stop. */
static bool
FN(run_batch)(mlp_worker *worker, const mlp_data *data, const mlp_objective *objective,
              SPACE *space, ptrdiff_t first, ptrdiff_t n, double weight_sum,
              const mlp_train_epoch_args *epoch, int64_t steps)
{
    const mlp_network *network = &objective->network;
    CONSTANTS for_weights = {0}, for_biases = {0};
    if (epoch != NULL) {
        mlp_optimizer optimizer = epoch->optimizer;
        optimizer.steps += steps;
        for_weights = FN(constants)(&optimizer, objective->l2 / weight_sum);
        for_biases = FN(constants)(&optimizer, 0);
    }
    space->loss = 0;
    for (ptrdiff_t done = 0; done < n; done += FN(CHUNK_ROWS)) {
        ptrdiff_t rows = n - done < FN(CHUNK_ROWS) ? n - done : FN(CHUNK_ROWS);
        bool accumulate = done > 0, update = epoch != NULL && done + rows == n;
        FN(run_rows)(worker, data, objective, space, first + done, rows, weight_sum);
        if (mlp_barrier(worker)) {
            return true;
        }
        for (ptrdiff_t i = 0; i < rows && worker->rank == 0; i++) {
            space->loss += space->row_losses[i];
        }
        worker->finishing = update;
        PIECE piece;
        while (FN(claim_piece)(worker, network, &space->chunk, &piece)) {
            mlp_matrix sums = space->dbiases[piece.layer];
            if (update && worker->size > 1) {
                FN(prefetch_piece)(&network->weights[piece.layer], &piece);
            }
            if (piece.is_bias) {
                FN(sum_rows)(&space->chunk.deltas[piece.layer], accumulate, &sums);
            }
            else {
                sums = space->dweights[piece.layer].rows > 0
                           ? FN(rows_of)(&space->dweights[piece.layer], piece.begin, piece.end)
                           : FN(rows_of)(&space->sums[piece.layer], 0, piece.end - piece.begin);
                FN(gradient_block)
                (worker, &space->chunk, piece.layer, piece.begin, piece.end, accumulate, &sums);
            }
            if (update) {
                FN(update_piece)(epoch, &for_weights, &for_biases, space, &piece, &sums);
            }
        }
        worker->finishing = false;
        if (mlp_barrier(worker) && !update) {
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

static void
FN(take_epoch)(mlp_arena *arena, const mlp_train_epoch_args *args, int n_threads, int rank,
               SPACE *space)
{
    bool keep_gradients = args->batch_size > FN(CHUNK_ROWS) && args->data.n > FN(CHUNK_ROWS);
    ptrdiff_t batch_size = args->batch_size < args->data.n ? args->batch_size : args->data.n;
    FN(take_space)
    (arena, &args->data, &args->objective.network, batch_size, keep_gradients, n_threads, rank,
     space);
}

static size_t
FN(train_epoch_workspace)(const void *arguments, int n_threads)
{
    mlp_arena arena = {NULL, 0};
    SPACE space;
    FN(take_epoch)(&arena, arguments, n_threads, 0, &space);
    return arena.used;
}

static void
FN(train_epoch)(mlp_worker *worker, void *arguments)
{
    mlp_train_epoch_args *args = arguments;
    const mlp_objective *objective = &args->objective;
    mlp_arena arena = {args->workspace, 0};
    SPACE space;
    FN(take_epoch)(&arena, args, worker->size, worker->rank, &space);
    double total_loss = 0;
    ptrdiff_t rows = 0;
    int64_t steps = 0;
    FN(pack_network)(worker, &objective->network, &space.chunk);
    bool stop = mlp_barrier(worker);
    for (ptrdiff_t first = 0; first < args->data.n && !stop; first += args->batch_size) {
        ptrdiff_t left = args->data.n - first;
        ptrdiff_t n = left < args->batch_size ? left : args->batch_size;
        double weight_sum = FN(sum_weights)(&args->data, first, n);
        if (weight_sum == 0) {
            continue;
        }
        stop = FN(run_batch)(worker, &args->data, objective, &space, first, n, weight_sum, args,
                             steps);
        if (stop) {
            break;
        }
        steps++;
        rows += n;
        if (worker->rank == 0) {
            double l2 = FN(l2_loss)(objective->l2, &objective->network, space.squares);
            total_loss += (space.loss + l2) * ((double)n / weight_sum);
        }
    }
    if (worker->rank == 0) {
        args->total_loss = total_loss;
        args->rows = rows;
        args->steps = steps;
    }
}

static void
FN(take_gradient)(mlp_arena *arena, const mlp_loss_gradient_args *args, int n_threads, int rank,
                  SPACE *space)
{
    FN(take_space)
    (arena, &args->data, &args->objective.network, args->data.n, true, n_threads, rank, space);
}

static size_t
FN(loss_gradient_workspace)(const void *arguments, int n_threads)
{
    mlp_arena arena = {NULL, 0};
    SPACE space;
    FN(take_gradient)(&arena, arguments, n_threads, 0, &space);
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
    FN(take_gradient)(&arena, args, worker->size, worker->rank, &space);
    double weight_sum = FN(sum_weights)(&args->data, 0, args->data.n);
    FN(pack_network)(worker, network, &space.chunk);
    if (mlp_barrier(worker)) {
        return;
    }
    if (FN(run_batch)(worker, &args->data, objective, &space, 0, args->data.n, weight_sum, NULL,
                      0)) {
        return;
    }
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        ptrdiff_t begin, end;
        mlp_share(worker, network->weights[l].rows, 1, &begin, &end);
        FN(add_l2)
        ((REAL)(objective->l2 / weight_sum), &network->weights[l], &space.dweights[l],
         &args->dweights[l], begin, end, space.squares[l]);
        if (worker->rank == 0) {
            FN(add_l2)(0, &network->biases[l], &space.dbiases[l], &args->dbiases[l], 0, 1, NULL);
        }
    }
    if (!mlp_barrier(worker) && worker->rank == 0) {
        args->loss = (space.loss + FN(l2_loss)(objective->l2, network, space.squares)) / weight_sum;
    }
}
