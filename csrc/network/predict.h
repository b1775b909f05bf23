/* The kernel predict: rows of the data, forward. */

/* Rows that one member takes through the layers at a time. */
enum { FN(PREDICT_ROWS) = FN(BLOCK_ROWS) };

/* Pieces that a block of rows is listed in: none where rows are few, or the outputs of the
 * first layer the caller's, which are not padded. */
static ptrdiff_t
FN(count_predict_pieces)(const mlp_predict_args *args)
{
    return args->data.n > MLP_FEW_ROWS && args->network.n_layers > 1;
}

static CHUNK
FN(take_predict)(mlp_arena *arena, const mlp_predict_args *args, int n_threads, int rank,
                 ROWS *rows)
{
    const mlp_network *network = &args->network;
    ptrdiff_t n = args->data.n < FN(PREDICT_ROWS) ? args->data.n : FN(PREDICT_ROWS);
    CHUNK chunk = FN(take_chunk)(arena, network, n_threads, rank, false);
    for (int member = 0; member < n_threads; member++) {
        ROWS other;
        bool own = member == rank;
        FN(take_layers)(arena, network, network->n_layers - 1, n, own ? chunk.activations : NULL);
        FN(take_rows)
        (arena, &args->data, n, FN(count_predict_pieces)(args), 1, own ? rows : &other);
    }
    FN(take_forward_packs)(arena, network, args->data.n, args->data.x.is_sparse, &chunk);
    return chunk;
}

static size_t
FN(predict_workspace)(const void *arguments, int n_threads)
{
    mlp_arena arena = {NULL, 0};
    ROWS rows;
    FN(take_predict)(&arena, arguments, n_threads, 0, &rows);
    return arena.used;
}

static void
FN(predict)(mlp_worker *worker, void *arguments)
{
    mlp_predict_args *args = arguments;
    mlp_arena arena = {args->workspace, 0};
    ROWS rows;
    CHUNK chunk = FN(take_predict)(&arena, args, worker->size, worker->rank, &rows);
    ptrdiff_t n_layers = args->network.n_layers;
    FN(pack_network)(worker, &args->network, &chunk);
    if (mlp_barrier(worker)) {
        return;
    }
    mlp_matrix *logits = &chunk.activations[n_layers - 1];
    for (ptrdiff_t first; (first = mlp_claim(worker) * FN(PREDICT_ROWS)) < args->data.n;) {
        if (mlp_poll(worker)
            || atomic_load_explicit(&args->found_non_finite, memory_order_relaxed)) {
            return;
        }
        ptrdiff_t left = args->data.n - first;
        ptrdiff_t n = left < FN(PREDICT_ROWS) ? left : FN(PREDICT_ROWS);
        FN(set_rows)(&args->data, first, n, FN(count_predict_pieces)(args), n, &rows);
        if (args->check_finite && !FN(are_finite)(worker, &rows.span)) {
            atomic_store_explicit(&args->found_non_finite, true, memory_order_relaxed);
            return;
        }
        FN(load_rows)(worker, &rows, 0, n);
        bool is_listed = rows.sparse.n_pieces > 0 && FN(are_many)(&rows);
        if (is_listed && FN(list_rows)(worker, &rows)) {
            return;
        }
        *logits = FN(rows_of)(&args->out, first, first + n);
        if (FN(forward_first)(worker, &args->network, &chunk, &rows)
            || FN(forward_others)(worker, &args->network, &chunk, 0, n)) {
            return;
        }
        ptrdiff_t work = 0;
        for (ptrdiff_t i = 0; i < n && !FN(poll_work)(worker, &work, logits->cols); i++) {
            REAL *row = FN(at)(logits, i, 0);
            FN(output_row)(worker, args->loss, row, logits->col_stride, logits->cols);
        }
    }
}
