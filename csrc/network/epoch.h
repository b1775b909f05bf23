/* Training: the gradient of a batch, and an epoch of batches.
 *
 * A batch goes through in chunks of rows whose activations and deltas fit the cache.
 * With a chunk, each group takes all rows through its slice of the first layer; past a
 * barrier, each member takes its rows through the other layers, forward and backward; and
 * past another, computes the gradients of its input units over the whole chunk and, once
 * the batch is whole, updates them. With the next chunk loaded, all meet again. Each group
 * loads all rows: that costs less than to have them come from another core's cache.
 */

static inline REAL
FN(row_weight)(const mlp_data *data, ptrdiff_t row)
{
    return data->sample_weight == NULL ? 1 : ((const REAL *)data->sample_weight)[row];
}

/* The sum of the sample weights of n rows from `first` on, in order; of some of them where the
 * team is to stop. */
static double
FN(sum_weights)(mlp_worker *worker, const mlp_data *data, ptrdiff_t first, ptrdiff_t n)
{
    if (data->sample_weight == NULL) {
        return (double)n;
    }
    double sum = 0;
    for (SEGMENT some = {0}; FN(next_segment)(worker, n, &some);) {
        for (ptrdiff_t i = first + some.begin; i < first + some.end; i++) {
            sum += (double)FN(row_weight)(data, mlp_data_row(data, i));
        }
    }
    return sum;
}

/* A chunk of an epoch's rows, and the batch that it is of. */
typedef struct {
    ptrdiff_t first, n;
    ptrdiff_t batch, batch_rows;
    double weight_sum; /* of the batch */
} PLACE;

/* Goes on to the next chunk, or the next batch whose weights have a sum that can be divided
 * by. Returns whether there is one: the same to all members where the next barrier says to go on.
 * Begins with {0}. */
static bool
FN(next_chunk)(mlp_worker *worker, const mlp_data *data, ptrdiff_t batch_size, PLACE *place)
{
    ptrdiff_t work = 0;
    place->first += place->n;
    place->n = 0;
    while (place->first == place->batch + place->batch_rows) {
        if (place->first == data->n || FN(poll_work)(worker, &work, place->batch_rows)) {
            return false;
        }
        ptrdiff_t left = data->n - place->first;
        place->batch = place->first;
        place->batch_rows = left < batch_size ? left : batch_size;
        place->weight_sum = FN(sum_weights)(worker, data, place->batch, place->batch_rows);
        if (place->weight_sum < SMALLEST_NORMAL) {
            place->first += place->batch_rows;
        }
    }
    ptrdiff_t left = place->batch + place->batch_rows - place->first;
    place->n = left < FN(CHUNK_ROWS) ? left : FN(CHUNK_ROWS);
    return true;
}

/* Goes on to the next chunk and loads the member's share of its group's rows: whole pieces, as many
 * for each. Returns whether there is one, as next_chunk does. */
static bool
FN(load_next_chunk)(mlp_worker *worker, const mlp_data *data, ptrdiff_t batch_size,
                    const SLICE *slice, PLACE *place, ROWS *rows)
{
    if (!FN(next_chunk)(worker, data, batch_size, place)) {
        return false;
    }
    ptrdiff_t n = place->n, tiles = n / TILE_ROWS + (n % TILE_ROWS != 0);
    ptrdiff_t n_pieces = FN(count_pieces)(n, slice->size), each = n_pieces / slice->size;
    ptrdiff_t piece = (tiles / n_pieces + (tiles % n_pieces != 0)) * TILE_ROWS;
    ptrdiff_t begin = slice->rank * each * piece, end = begin + each * piece;
    FN(set_rows)(data, place->first, n, n / piece + (n % piece != 0), piece, rows);
    FN(load_rows)(worker, rows, begin < n ? begin : n, end < n ? end : n);
    FN(list_rows)(worker, rows);
    return true;
}

/* Losses and the last layer's deltas of the member's rows of the chunk. */
static void
FN(loss_rows)(mlp_worker *worker, const SPAN *span, const mlp_loss *loss, ptrdiff_t last_layer,
              SPACE *space, ptrdiff_t begin, ptrdiff_t end, double weight_sum)
{
    const mlp_matrix *logits = &space->chunk.activations[last_layer];
    const mlp_matrix *deltas = &space->chunk.deltas[last_layer];
    REAL scale = (REAL)(loss->gradient_scale / weight_sum);
    ptrdiff_t work = 0;
    for (ptrdiff_t i = begin; i < end && !FN(poll_work)(worker, &work, logits->cols); i++) {
        ptrdiff_t row = mlp_data_row(span->data, span->first + i);
        REAL weight = FN(row_weight)(span->data, row);
        double value =
            FN(loss_row)(worker, loss, FN(at)(logits, i, 0), logits->cols, &span->data->targets,
                         row, weight * scale, FN(at)(deltas, i, 0));
        space->row_losses[i] = (double)weight * value;
    }
}

/* Takes a loaded chunk forward and backward. Returns whether the team is to stop. */
static bool
FN(run_rows)(mlp_worker *worker, const mlp_objective *objective, SPACE *space, const ROWS *rows,
             double weight_sum)
{
    const mlp_network *network = &space->network;
    const CHUNK *chunk = &space->chunk;
    ptrdiff_t n_layers = network->n_layers, n = rows->span.n, begin, end;
    for (ptrdiff_t l = 0; l < n_layers; l++) {
        chunk->activations[l].rows = chunk->deltas[l].rows = n;
    }
    FN(forward_first)(worker, network, chunk, rows);
    if (worker->size > 1 && mlp_barrier(worker)) {
        return true;
    }
    mlp_share(worker->size, worker->rank, n, TILE_ROWS, &begin, &end);
    if (!FN(forward_others)(worker, network, chunk, begin, end)) {
        FN(loss_rows)
        (worker, &rows->span, &objective->loss, n_layers - 1, space, begin, end, weight_sum);
        FN(backward_rows)(worker, network, chunk, begin, end);
    }
    return mlp_barrier(worker);
}

/* Where the squares of the weights of layer l go, from input unit `begin` on, unless there is
 * no L2 term; of the first layer, those of the member's slice. */
static SQUARES
FN(squares_of)(const SPACE *space, ptrdiff_t l, ptrdiff_t begin, bool has_l2)
{
    const SLICE *slice = &space->chunk.slice;
    ptrdiff_t units = space->network.weights[l].rows;
    SQUARES squares = FN(no_squares)(space->network.weights[l].cols);
    if (!has_l2) {
        return squares;
    }
    squares.sums = space->squares[l] + begin;
    squares.stride = units;
    if (l == 0) {
        squares.n_parts = FN(PARTS) / slice->n_groups;
        ptrdiff_t first = slice->group * squares.n_parts;
        squares.sums += first * units;
        for (ptrdiff_t part = 0; part < squares.n_parts; part++) {
            squares.ends[part] = FN(part_begin)(slice->cols, first + part + 1) - slice->begin;
        }
    }
    return squares;
}

/* Updates what a piece of the gradients belongs to. */
static void
FN(update_piece)(mlp_worker *worker, const mlp_train_epoch_args *args, const CONSTANTS *constants,
                 const SPACE *space, const PIECE *piece, const mlp_matrix *sums)
{
    const mlp_network *network = &space->network;
    ptrdiff_t l = piece->layer, begin = piece->begin, end = piece->end;
    mlp_rule rule = args->optimizer.rule;
    mlp_matrix moments[MLP_MAX_MOMENTS];
    if (piece->is_bias) {
        SQUARES none = FN(no_squares)(sums->cols);
        FN(rows_of_moments)(space->moments, network->n_layers + l, begin, end, moments);
        FN(update_matrix)(worker, rule, constants, &network->biases[l], sums, moments, &none);
        return;
    }
    mlp_matrix weights = FN(rows_of)(&network->weights[l], begin, end);
    SQUARES squares = FN(squares_of)(space, l, begin, args->objective.l2 != 0);
    FN(rows_of_moments)(space->moments, l, begin, end, moments);
    FN(update_matrix)(worker, rule, constants, &weights, sums, moments, &squares);
    FN(pack_weights)(worker, network, &space->chunk, l, begin, end);
}

/* The gradients of a chunk, or those added, for what the member has of them. With an epoch's
 * arguments, parameters are updated piece by piece; else the gradients are kept. */
static void
FN(run_pieces)(mlp_worker *worker, const mlp_objective *objective, SPACE *space, const ROWS *rows,
               bool accumulate, const mlp_train_epoch_args *epoch, int64_t steps, double weight_sum)
{
    CONSTANTS for_weights = {0}, for_biases = {0};
    if (epoch != NULL) {
        mlp_optimizer optimizer = epoch->optimizer;
        optimizer.steps += steps;
        for_weights = FN(constants)(&optimizer, objective->l2 / weight_sum);
        for_biases = FN(constants)(&optimizer, 0);
    }
    PIECE piece = {0};
    while (FN(next_piece)(worker, &space->network, &space->chunk, rows, &piece)) {
        ptrdiff_t l = piece.layer;
        const mlp_matrix *kept = piece.is_bias ? &space->dbiases[l] : &space->dweights[l];
        mlp_matrix sums = kept->rows > 0 ? FN(rows_of)(kept, piece.begin, piece.end)
                                         : FN(rows_of)(&space->sums[l], 0, piece.end - piece.begin);
        FN(gradient)(worker, &space->chunk, rows, &piece, accumulate, &sums);
        if (mlp_poll(worker)) { /* the sums may not be whole */
            return;
        }
        if (epoch != NULL) {
            FN(update_piece)
            (worker, epoch, piece.is_bias ? &for_biases : &for_weights, space, &piece, &sums);
        }
    }
}

/* l2 / 2 times the sum of all squared weights, in order of the parts; of some of them where the
 * team is to stop. */
static double
FN(l2_loss)(mlp_worker *worker, double l2, const mlp_network *network, double **squares)
{
    double sum = 0;
    if (l2 == 0) {
        return 0;
    }
    for (ptrdiff_t l = 0; l < network->n_layers; l++) {
        ptrdiff_t n = network->weights[l].rows * FN(count_parts)(l);
        for (SEGMENT some = {0}; FN(next_segment)(worker, n, &some);) {
            for (ptrdiff_t i = some.begin; i < some.end; i++) {
                sum += squares[l][i];
            }
        }
    }
    return 0.5 * l2 * sum;
}

/* What came of the batches. */
typedef struct {
    double loss; /* member 0's: the sum over the epoch's batches of objective * rows */
    ptrdiff_t rows;
    int64_t steps;
} TOTAL;

/* Takes the batches of the data through the network: with an epoch's arguments, updates it
 * with each; else, of a single batch, keeps the gradients. Returns whether it was stopped, the
 * same to all members; the total is of the batches that are whole, its loss where none was. */
static bool
FN(run_batches)(mlp_worker *worker, const mlp_data *data, const mlp_objective *objective,
                SPACE *space, ptrdiff_t batch_size, const mlp_train_epoch_args *epoch, TOTAL *total)
{
    const SLICE *slice = &space->chunk.slice;
    ptrdiff_t n_sides = FN(count_sides)(slice), side = 0;
    PLACE next = {0};
    *total = (TOTAL){0};
    FN(pack_network)(worker, &space->network, &space->chunk);
    bool more = FN(load_next_chunk)(worker, data, batch_size, slice, &next, &space->rows[0]);
    mlp_command command = mlp_barrier(worker);
    while (command == MLP_GO_ON && more) {
        const PLACE place = next;
        const ROWS *rows = &space->rows[side];
        bool is_first = place.first == place.batch;
        bool is_last = place.first + place.n == place.batch + place.batch_rows;
        const mlp_train_epoch_args *update = is_last ? epoch : NULL;
        if (FN(run_rows)(worker, objective, space, rows, place.weight_sum)) {
            return true;
        }
        space->loss = is_first ? 0 : space->loss;
        for (ptrdiff_t i = 0; i < place.n && worker->rank == 0; i++) {
            space->loss += space->row_losses[i];
        }
        worker->finishing = update != NULL;
        FN(run_pieces)
        (worker, objective, space, rows, !is_first, update, total->steps, place.weight_sum);
        worker->finishing = false;
        side = (side + 1) % n_sides;
        more = FN(load_next_chunk)(worker, data, batch_size, slice, &next, &space->rows[side]);
        command = mlp_barrier(worker);
        if (update != NULL && command != MLP_LEAVE) {
            double l2 = worker->rank == 0 ? objective->l2 : 0;
            l2 = FN(l2_loss)(worker, l2, &space->network, space->squares);
            total->loss += (space->loss + l2) * ((double)place.batch_rows / place.weight_sum);
            total->rows += place.batch_rows;
            total->steps++;
        }
    }
    return command != MLP_GO_ON;
}

static void
FN(take_epoch)(mlp_arena *arena, const mlp_train_epoch_args *args, int n_threads, int rank,
               SPACE *space)
{
    bool keep_gradients = args->batch_size > FN(CHUNK_ROWS) && args->data.n > FN(CHUNK_ROWS);
    ptrdiff_t batch_size = args->batch_size < args->data.n ? args->batch_size : args->data.n;
    FN(take_space)
    (arena, &args->data, &args->objective.network, args->moments, batch_size, keep_gradients,
     n_threads, rank, space);
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
    mlp_arena arena = {args->workspace, 0};
    SPACE space;
    TOTAL total;
    FN(take_epoch)(&arena, args, worker->size, worker->rank, &space);
    FN(copy_slices)(args, &space, false);
    FN(run_batches)
    (worker, &args->data, &args->objective, &space, args->batch_size, args, &total);
    FN(copy_slices)(args, &space, true);
    if (worker->rank == 0) {
        args->total_loss = total.loss;
        args->rows = total.rows;
        args->steps = total.steps;
    }
}

static void
FN(take_gradient)(mlp_arena *arena, const mlp_loss_gradient_args *args, int n_threads, int rank,
                  SPACE *space)
{
    FN(take_space)
    (arena, &args->data, &args->objective.network, NULL, args->data.n, true, n_threads, rank,
     space);
}

static size_t
FN(loss_gradient_workspace)(const void *arguments, int n_threads)
{
    mlp_arena arena = {NULL, 0};
    SPACE space;
    FN(take_gradient)(&arena, arguments, n_threads, 0, &space);
    return arena.used;
}

/* The gradients of layer l, with that of the L2 term, for the member's share of the input
 * units, of the first layer in its slice. */
static void
FN(add_l2_to_layer)(mlp_worker *worker, const mlp_loss_gradient_args *args, const SPACE *space,
                    ptrdiff_t l, REAL l2)
{
    const SLICE *slice = &space->chunk.slice;
    mlp_matrix dweights = args->dweights[l], dbias = args->dbiases[l];
    if (l == 0) {
        dweights = FN(slice_of)(&dweights, slice);
        dbias = FN(slice_of)(&dbias, slice);
    }
    ptrdiff_t begin, end;
    FN(share_units)(worker, slice, l, dweights.rows, &begin, &end);
    mlp_matrix p = FN(rows_of)(&space->network.weights[l], begin, end);
    mlp_matrix gradient = FN(rows_of)(&space->dweights[l], begin, end);
    mlp_matrix out = FN(rows_of)(&dweights, begin, end);
    SQUARES squares = FN(squares_of)(space, l, begin, true);
    FN(add_l2)(worker, l2, &p, &gradient, &out, &squares);
    if ((l == 0 ? slice->rank : worker->rank) == 0) {
        SQUARES none = FN(no_squares)(dbias.cols);
        FN(add_l2)(worker, 0, &space->network.biases[l], &space->dbiases[l], &dbias, &none);
    }
}

static void
FN(loss_gradient)(mlp_worker *worker, void *arguments)
{
    mlp_loss_gradient_args *args = arguments;
    const mlp_objective *objective = &args->objective;
    ptrdiff_t n_layers = objective->network.n_layers;
    mlp_arena arena = {args->workspace, 0};
    SPACE space;
    TOTAL total;
    FN(take_gradient)(&arena, args, worker->size, worker->rank, &space);
    if (FN(run_batches)(worker, &args->data, objective, &space, args->data.n, NULL, &total)) {
        return;
    }
    double weight_sum = FN(sum_weights)(worker, &args->data, 0, args->data.n);
    for (ptrdiff_t l = 0; l < n_layers; l++) {
        FN(add_l2_to_layer)(worker, args, &space, l, (REAL)(objective->l2 / weight_sum));
    }
    if (mlp_barrier(worker) == MLP_GO_ON && worker->rank == 0) {
        double l2 = FN(l2_loss)(worker, objective->l2, &space.network, space.squares);
        args->loss = (space.loss + l2) / weight_sum;
    }
}
