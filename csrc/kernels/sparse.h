/* The first layer on rows of which most elements are zero: only pairs of which one is
 * not are multiplied, in the order of the columns, so that the sums are those of the
 * dense product with most of its zero terms left out.
 *
 * The pairs of a chunk's rows are listed by column (a counting sort). Forward, the
 * weights of a column stay in registers while the sums of its rows come from the
 * first-level cache and go back; for the gradient, its sums stay in registers while the
 * rows' deltas come from there. Both take some vectors of the rows at a time.
 */

enum {
    FN(LIST_VECTORS) = 4,      /* in registers, for each column of a pair */
    FN(PIECE_ROWS) = 128,      /* whose vectors fill the first-level cache */
    FN(SUMS_BYTES) = 16 << 10, /* of a block of input units */
};

typedef struct {
    PAIR pair;
    uint32_t row; /* of the chunk */
} ENTRY;

/* The pairs of a chunk's rows. Each piece of rows is loaded and listed by one member, in
 * places of its own. */
typedef struct {
    ptrdiff_t cols; /* of pairs */
    /* By row, until they are listed: */
    const PAIR **pairs;       /* where they lie */
    const uint32_t **columns; /* theirs, in private memory */
    ptrdiff_t *counts;        /* how many */
    PAIR *pair_places;        /* where x has no list of them */
    uint32_t *column_places;
    /* Listed by piece, column and row: */
    ENTRY *entries;
    ptrdiff_t *entry_begins;        /* by piece, cols + 1 */
    ptrdiff_t piece_rows, n_pieces; /* none where they are not listed */
} SPARSE;

/* The most places that so many rows may take, which may repeat: as if all were as long as the
 * longest, or as many as all rows together. What is not touched of this memory, most systems
 * never provide. */
static ptrdiff_t
FN(most_places)(const mlp_data *data, ptrdiff_t rows)
{
    ptrdiff_t places;
    bool overflows = __builtin_mul_overflow(rows, data->x.row_places, &places);
    return overflows || places > data->places ? data->places : places;
}

/* Sets out room for the pairs of up to `rows` rows. */
static void
FN(take_sparse)(mlp_arena *arena, const mlp_data *data, ptrdiff_t rows, SPARSE *sparse)
{
    const mlp_input *x = &data->x;
    ptrdiff_t places = FN(most_places)(data, rows);
    sparse->cols = FN(count_pair_columns)(x->cols);
    sparse->pairs = mlp_take(arena, rows, 1, sizeof(PAIR *));
    sparse->columns = mlp_take(arena, rows, 1, sizeof(uint32_t *));
    sparse->counts = mlp_take(arena, rows, 1, sizeof(ptrdiff_t));
    sparse->pair_places = mlp_take(arena, x->is_paired ? 0 : places, 1, sizeof(PAIR));
    sparse->column_places = mlp_take(arena, places, 1, sizeof(uint32_t));
}

/* Sets out room to list them in n_pieces. */
static void
FN(take_lists)(mlp_arena *arena, const mlp_data *data, ptrdiff_t rows, ptrdiff_t n_pieces,
               SPARSE *sparse)
{
    ptrdiff_t places = n_pieces > 0 ? FN(most_places)(data, rows) : 0;
    sparse->entries = mlp_take(arena, places, 1, sizeof(ENTRY));
    sparse->entry_begins = mlp_take(arena, n_pieces, sparse->cols + 1, sizeof(ptrdiff_t));
}

/* Loads a row of x as row i, to places from `place` on; returns how many it took.
 * A column out of range, which only another thread can have made, counts as the
 * last one. */
static ptrdiff_t
FN(load_sparse_row)(mlp_worker *worker, const mlp_input *x, ptrdiff_t row, const SPARSE *sparse,
                    ptrdiff_t i, ptrdiff_t place)
{
    uint32_t *columns = sparse->column_places + place;
    sparse->columns[i] = columns;
    if (x->values == NULL) {
        PAIR *pairs = sparse->pair_places + place;
        ptrdiff_t stride; /* of elements that may be converted in the list's own place */
        const REAL *elements = FN(dense_row)(worker, x, row, pairs->values, &stride);
        sparse->pairs[i] = pairs;
        sparse->counts[i] =
            FN(list_pairs)(worker, elements, stride, x->cols, pairs, columns, 4, sparse->cols);
        return sparse->counts[i];
    }
    ptrdiff_t begin = x->row_starts[row], n = x->cols == 0 ? 0 : x->row_starts[row + 1] - begin;
    uint32_t last = (uint32_t)(x->is_paired ? sparse->cols : x->cols) - 1;
    switch (x->column_bytes) {
    case 2: n = FN(copy_columns)(worker, x->columns, 2, begin, n, last, columns); break;
    case 4: n = FN(copy_columns)(worker, x->columns, 4, begin, n, last, columns); break;
    default: n = FN(copy_columns)(worker, x->columns, 8, begin, n, last, columns); break;
    }
    if (x->is_paired) {
        sparse->pairs[i] = (const PAIR *)x->values + begin;
        sparse->counts[i] = n;
        return n;
    }
    sparse->pairs[i] = sparse->pair_places + place;
    sparse->counts[i] = FN(join_pairs)(worker, (const REAL *)x->values + begin, columns, n,
                                       sparse->pair_places + place);
    return sparse->counts[i];
}

/* Loads rows begin to end of the span. Returns how many pairs they have. Where the team is to
 * stop, the rows that are left have none. */
static ptrdiff_t
FN(load_sparse_rows)(mlp_worker *worker, const SPAN *span, const SPARSE *sparse, ptrdiff_t begin,
                     ptrdiff_t end)
{
    enum { N_AHEAD = 8 };
    const mlp_data *data = span->data;
    ptrdiff_t first_place = mlp_count_places(data, span->first, begin), place = first_place;
    ptrdiff_t i = begin, work = 0;
    bool stop = false;
    for (; i < end && !stop; i++) {
        if (i + N_AHEAD < end) {
            FN(prefetch_row)(data, span->first + i + N_AHEAD);
        }
        ptrdiff_t row = mlp_data_row(data, span->first + i);
        ptrdiff_t n = FN(load_sparse_row)(worker, &data->x, row, sparse, i, place);
        stop = FN(poll_work)(worker, &work, data->x.values == NULL ? data->x.cols : n);
        place += n;
    }
    for (; i < end; i++) {
        sparse->columns[i] = sparse->column_places + place;
        sparse->counts[i] = 0;
    }
    return place - first_place;
}

/* Lists the pairs of rows begin to end, a piece that is loaded, by column. Returns whether the
 * team is to stop: then there is no list. */
static bool
FN(list_piece)(mlp_worker *worker, const SPARSE *sparse, ptrdiff_t begin, ptrdiff_t end)
{
    ptrdiff_t *next = sparse->entry_begins + begin / sparse->piece_rows * (sparse->cols + 1);
    ptrdiff_t place = sparse->columns[begin] - sparse->column_places, work = 0;
    ENTRY *entries = sparse->entries;
    for (SEGMENT some = {0}; FN(next_segment)(worker, sparse->cols + 1, &some);) {
        memset(next + some.begin, 0, (size_t)(some.end - some.begin) * sizeof *next);
    }
    for (ptrdiff_t i = begin; i < end && !FN(poll_work)(worker, &work, sparse->counts[i]); i++) {
        for (SEGMENT some = {0}; FN(next_segment)(worker, sparse->counts[i], &some);) {
            for (ptrdiff_t e = some.begin; e < some.end; e++) {
                next[sparse->columns[i][e] + 1]++;
            }
        }
    }
    /* next[c + 1] is to become where column c begins, and ends once it is filled. */
    next[0] = place;
    for (SEGMENT some = {0}; FN(next_segment)(worker, sparse->cols, &some);) {
        for (ptrdiff_t c = some.begin; c < some.end; c++) {
            ptrdiff_t count = next[c + 1];
            next[c + 1] = place;
            place += count;
        }
    }
    if (mlp_poll(worker)) { /* what was not cleared would count, and lead out of the list */
        return true;
    }
    for (ptrdiff_t i = begin; i < end && !FN(poll_work)(worker, &work, sparse->counts[i]); i++) {
        const uint32_t *columns = sparse->columns[i];
        const PAIR *pairs = sparse->pairs[i];
        for (SEGMENT some = {0}; FN(next_segment)(worker, sparse->counts[i], &some);) {
            for (ptrdiff_t e = some.begin; e < some.end; e++) {
                entries[next[columns[e] + 1]++] = (ENTRY){pairs[e], (uint32_t)i};
            }
        }
    }
    return mlp_poll(worker);
}

/* Runs of vectors of like length that n columns are taken in: returns the length. */
static inline ptrdiff_t
FN(list_run)(ptrdiff_t cols)
{
    ptrdiff_t n_vectors = (cols + LANES - 1) / LANES;
    ptrdiff_t n_runs = (n_vectors + FN(LIST_VECTORS) - 1) / FN(LIST_VECTORS);
    return n_runs == 0 ? 1 : (n_vectors + n_runs - 1) / n_runs;
}

/* ---- forward ---- */

/* Asks for the rows that come next, step by step, so that they are near when they are
 * loaded. */
typedef struct {
    const mlp_data *data;
    ptrdiff_t next, end; /* rows to ask for */
    ptrdiff_t steps, rows, done;
} AHEAD;

static inline ALWAYS_INLINE void
FN(step_ahead)(AHEAD *ahead)
{
    ahead->done += ahead->rows;
    if (ahead->done >= ahead->steps && ahead->next < ahead->end) {
        FN(prefetch_row)(ahead->data, ahead->next++);
        ahead->done -= ahead->steps;
    }
}

/* out (n vectors of the rows, of a piece, that out has) += the piece's pairs times their
 * columns' weights. Returns whether the team is to stop. */
static inline ALWAYS_INLINE bool
FN(forward_run)(int n, bool whole, mlp_worker *worker, const SPARSE *sparse, ptrdiff_t piece,
                const mlp_matrix *weights, const mlp_matrix *out, ptrdiff_t j, AHEAD *ahead,
                ptrdiff_t *work)
{
    const ptrdiff_t *begins = sparse->entry_begins + piece * (sparse->cols + 1);
    ptrdiff_t stride = out->row_stride, tail = whole ? n * LANES : out->cols - j;
    ptrdiff_t col = whole ? 1 : weights->col_stride;
    REAL *first_out = FN(at)(out, 0, j);
    ptrdiff_t first_row = piece * sparse->piece_rows;
    for (ptrdiff_t c = 0; c < sparse->cols; c++) {
        const ENTRY *e = sparse->entries + begins[c], *last = sparse->entries + begins[c + 1];
        FN(step_ahead)(ahead);
        if (FN(poll_work)(worker, work, (last - e) * n * LANES + 1)) {
            return true;
        }
        if (e == last) {
            continue;
        }
        VEC w[2][FN(LIST_VECTORS)];
        for (ptrdiff_t k = 0; k < 2; k++) {
            const REAL *p = FN(at)(weights, FN(pair_row)((uint32_t)c, k, weights->rows), j);
            for (int v = 0; v < n; v++) {
                w[k][v] = FN(load)(p + v * LANES * col, col, tail - v * LANES);
            }
        }
        for (; e < last; e++) {
            VEC *sums = (VEC *)(first_out + ((ptrdiff_t)e->row - first_row) * stride);
            REAL first = e->pair.values[0], second = e->pair.values[1];
            for (int v = 0; v < n; v++) {
                VEC sum = sums[v] + first * w[0][v];
                sums[v] = sum + second * w[1][v];
            }
        }
    }
    return false;
}

/* out = bias + the rows of a piece times weights, for the columns of out from j on, in n
 * vectors. The rows of out are padded to these. Returns whether the team is to stop. */
static bool
FN(forward_piece)(ptrdiff_t n, mlp_worker *worker, const SPARSE *sparse, ptrdiff_t piece,
                  const mlp_matrix *weights, const mlp_matrix *bias, const mlp_matrix *out,
                  ptrdiff_t j, AHEAD *ahead, ptrdiff_t *work)
{
    for (ptrdiff_t at = j; at < j + n * LANES; at += LANES) {
        VEC start = FN(load_biases)(FN(at)(bias, 0, at), bias->col_stride, out->cols - at);
        for (ptrdiff_t i = 0; i < out->rows; i++) {
            *(VEC *)FN(at)(out, i, at) = start;
        }
    }
    bool whole = weights->col_stride == 1 && (weights->padded || out->cols - j >= n * LANES);
    switch (n) {
#define RUN(n)                                                                                     \
    case n:                                                                                        \
        return whole                                                                               \
                   ? FN(forward_run)(n, true, worker, sparse, piece, weights, out, j, ahead, work) \
                   : FN(forward_run)(n, false, worker, sparse, piece, weights, out, j, ahead,      \
                                     work);
        RUN(1) RUN(2) RUN(3) RUN(4)
#undef RUN
    }
    return false;
}

/* out = bias + the rows of the pieces first to last times weights. The rows of out, which
 * begin with these, are padded to whole vectors. Returns whether the team is to stop:
 * then not all of it is done. */
static bool
FN(sparse_forward)(mlp_worker *worker, const SPARSE *sparse, ptrdiff_t first, ptrdiff_t last,
                   const mlp_matrix *weights, const mlp_matrix *bias, const mlp_matrix *out,
                   AHEAD *ahead)
{
    ptrdiff_t run = FN(list_run)(out->cols), work = 0;
    ptrdiff_t n_vectors = (out->cols + LANES - 1) / LANES;
    ahead->steps = (last - first) * ((n_vectors + run - 1) / run) * sparse->cols;
    for (ptrdiff_t piece = first; piece < last; piece++) {
        ptrdiff_t begin = (piece - first) * sparse->piece_rows, left = out->rows - begin;
        ptrdiff_t end = left < sparse->piece_rows ? out->rows : begin + sparse->piece_rows;
        mlp_matrix rows = FN(rows_of)(out, begin, end);
        for (ptrdiff_t v = 0; v < n_vectors; v += run) {
            if (FN(forward_piece)(n_vectors - v < run ? n_vectors - v : run, worker, sparse, piece,
                                  weights, bias, &rows, v * LANES, ahead, &work)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- the gradient ---- */

/* sums (n vectors for each column of the pairs begin to end) = the pairs times their rows'
 * deltas, or that added; not all of them where the team is to stop. */
static inline ALWAYS_INLINE void
FN(gradient_run)(int n, mlp_worker *worker, const SPARSE *sparse, ptrdiff_t begin, ptrdiff_t end,
                 const mlp_matrix *deltas, bool accumulate, const mlp_matrix *sums, ptrdiff_t j,
                 ptrdiff_t *work)
{
    const REAL *first_delta = FN(at)(deltas, 0, j);
    ptrdiff_t stride = deltas->row_stride;
    for (ptrdiff_t c = begin; c < end; c++) {
        VEC *out[2] = {(VEC *)FN(at)(sums, 2 * (c - begin), j),
                       (VEC *)FN(at)(sums, 2 * (c - begin) + 1, j)};
        VEC run[2][FN(LIST_VECTORS)];
        for (int v = 0; v < n; v++) {
            run[0][v] = accumulate ? out[0][v] : (VEC){0};
            run[1][v] = accumulate ? out[1][v] : (VEC){0};
        }
        const ptrdiff_t *begins = sparse->entry_begins + c;
        for (ptrdiff_t piece = 0; piece < sparse->n_pieces; piece++, begins += sparse->cols + 1) {
            const ENTRY *last = sparse->entries + begins[1];
            if (FN(poll_work)(worker, work, (begins[1] - begins[0] + 1) * n * LANES)) {
                return;
            }
            for (const ENTRY *e = sparse->entries + begins[0]; e < last; e++) {
                const VEC *delta = (const VEC *)(first_delta + (ptrdiff_t)e->row * stride);
                for (int v = 0; v < n; v++) {
                    run[0][v] += e->pair.values[0] * delta[v];
                    run[1][v] += e->pair.values[1] * delta[v];
                }
            }
        }
        for (int v = 0; v < n; v++) {
            out[0][v] = run[0][v];
            out[1][v] = run[1][v];
        }
    }
}

/* sums = x^T deltas for the columns from begin to end, or added to; not all of them where the
 * team is to stop. begin is even, and sums has a row for the column past an odd end. The rows of
 * both are padded to whole vectors. */
static void
FN(sparse_gradient)(mlp_worker *worker, const SPARSE *sparse, ptrdiff_t begin, ptrdiff_t end,
                    const mlp_matrix *deltas, bool accumulate, const mlp_matrix *sums)
{
    ptrdiff_t run = FN(list_run)(deltas->cols), first = begin / 2, work = 0;
    ptrdiff_t last = FN(count_pair_columns)(end);
    for (ptrdiff_t j = 0; j < deltas->cols; j += run * LANES) {
        ptrdiff_t left = (deltas->cols - j + LANES - 1) / LANES;
        switch (left < run ? left : run) {
#define RUN(n)                                                                                \
    case n:                                                                                   \
        FN(gradient_run)(n, worker, sparse, first, last, deltas, accumulate, sums, j, &work); \
        break;
            RUN(1) RUN(2) RUN(3) RUN(4)
#undef RUN
        }
    }
}
