/* The first layer on rows of which most elements are zero: only the others are
 * multiplied, in the order of the columns, so that the sums are those of the dense
 * product with its zero terms left out.
 *
 * Forward, a row's sums stay in registers while the weights of its elements stream
 * by. For the gradient the elements of a chunk are listed by column (a counting
 * sort), so that there, too, the sums of an input unit stay in registers, while the
 * deltas of its rows, some vectors of them at a time, stay in the first-level cache.
 */

enum {
    /* of the gradient: the deltas of 128 rows fill the first-level cache */
    FN(GRADIENT_VECTORS) =
        256 / MLP_VECTOR_BYTES < FN(RUN_VECTORS) ? 256 / MLP_VECTOR_BYTES : FN(RUN_VECTORS),
    FN(SUMS_BYTES) = 16 << 10, /* of a block of input units */
};

typedef struct {
    REAL value;
    uint32_t row; /* of the chunk */
} ENTRY;

/* The elements of a chunk's rows that are multiplied. Each piece of rows is loaded
 * and listed by one member, in places of its own. */
typedef struct {
    ptrdiff_t cols;
    const REAL **values;      /* by row: its elements, where they lie */
    const uint32_t **columns; /* by row: their columns, in private memory */
    ptrdiff_t *counts;        /* by row: how many */
    REAL *value_places;       /* where x has no list of them */
    uint32_t *column_places;
    ENTRY *entries;          /* by piece, column and row */
    ptrdiff_t *entry_begins; /* by piece, cols + 1 */
    ptrdiff_t piece_rows, n_pieces;
} SPARSE;

/* How many places n rows of the data from `first` on may take. */
static ptrdiff_t
FN(count_places)(const mlp_data *data, ptrdiff_t first, ptrdiff_t n)
{
    if (data->x.values == NULL) {
        return n * data->x.cols;
    }
    ptrdiff_t places = 0;
    for (ptrdiff_t i = first; i < first + n; i++) {
        const int64_t *starts = data->x.row_starts + FN(data_row)(data, i);
        places += starts[1] - starts[0];
    }
    return places;
}

/* Sets out room for a chunk of up to `rows` rows, listed by column in n_pieces. */
static void
FN(take_sparse)(mlp_arena *arena, const mlp_input *x, ptrdiff_t rows, ptrdiff_t n_pieces,
                SPARSE *sparse)
{
    /* Rows may repeat in a chunk. Where one is far longer than the others, most of this
     * memory is never touched, and most systems never provide it. */
    ptrdiff_t places;
    if (__builtin_mul_overflow(rows, x->row_places, &places)) {
        places = PTRDIFF_MAX;
    }
    sparse->cols = x->cols;
    sparse->values = mlp_take(arena, rows, 1, sizeof(REAL *));
    sparse->columns = mlp_take(arena, rows, 1, sizeof(uint32_t *));
    sparse->counts = mlp_take(arena, rows, 1, sizeof(ptrdiff_t));
    sparse->value_places = mlp_take(arena, x->values == NULL ? places : 0, 1, sizeof(REAL));
    sparse->column_places = mlp_take(arena, places, 1, sizeof(uint32_t));
    sparse->entries = mlp_take(arena, n_pieces > 0 ? places : 0, 1, sizeof(ENTRY));
    sparse->entry_begins = mlp_take(arena, n_pieces, x->cols + 1, sizeof(ptrdiff_t));
}

/* Whether all bits are. */
static inline bool
FN(is_zero)(VEC v)
{
    typedef uint64_t words __attribute__((vector_size(MLP_VECTOR_BYTES)));
    words w = (words)v;
    uint64_t any = 0;
    for (size_t i = 0; i < sizeof w / sizeof w[0]; i++) {
        any |= w[i];
    }
    return any == 0;
}

/* Lists element j if it is not zero: written always, kept where it counts, so that
 * there is no branch on the data. */
static inline ALWAYS_INLINE ptrdiff_t
FN(list_element)(REAL value, ptrdiff_t j, REAL *values, void *columns, int column_bytes,
                 ptrdiff_t found)
{
    union {
        REAL value;
        BITS bits;
    } element = {value};
    if (column_bytes == 2) {
        ((uint16_t *)columns)[found] = (uint16_t)j;
    }
    else {
        ((uint32_t *)columns)[found] = (uint32_t)j;
    }
    values[found] = value;
    return found + ((element.bits & ~SIGN_BIT) != 0);
}

/* Lists what is not zero among n elements: values, which may take the place of the
 * elements, and columns of so many bytes, up to `room` of them; returns how many. */
static inline ALWAYS_INLINE ptrdiff_t
FN(list_elements)(const REAL *row, ptrdiff_t stride, ptrdiff_t n, REAL *values, void *columns,
                  int column_bytes, ptrdiff_t room)
{
    ptrdiff_t found = 0, j = 0;
    for (; stride == 1 && j + LANES <= n && found + LANES <= room; j += LANES) {
        if (!FN(is_zero)(*(const VEC *)(row + j))) {
            for (ptrdiff_t lane = 0; lane < LANES; lane++) {
                found =
                    FN(list_element)(row[j + lane], j + lane, values, columns, column_bytes, found);
            }
        }
    }
    for (; j < n && found < room; j++) {
        found = FN(list_element)(row[j * stride], j, values, columns, column_bytes, found);
    }
    return found;
}

/* n columns of so many bytes from `begin` on; one beyond `last` becomes `last`. */
static inline ALWAYS_INLINE void
FN(copy_columns)(const void *from, int bytes, ptrdiff_t begin, ptrdiff_t n, uint32_t last,
                 uint32_t *to)
{
    for (ptrdiff_t e = 0; e < n; e++) {
        uint64_t column = bytes == 2   ? ((const uint16_t *)from)[begin + e]
                          : bytes == 4 ? ((const uint32_t *)from)[begin + e]
                                       : ((const uint64_t *)from)[begin + e];
        to[e] = column < last ? (uint32_t)column : last;
    }
}

/* Loads a row of x as row i, to places from `place` on; returns how many it took.
 * A column out of range, which only another thread can have made, counts as the
 * last one. */
static ptrdiff_t
FN(load_sparse_row)(const mlp_input *x, ptrdiff_t row, const SPARSE *sparse, ptrdiff_t i,
                    ptrdiff_t place)
{
    uint32_t *columns = sparse->column_places + place;
    sparse->columns[i] = columns;
    if (x->values == NULL) {
        REAL *values = sparse->value_places + place;
        ptrdiff_t stride; /* of elements that may be converted in the list's own place */
        const REAL *elements = FN(dense_row)(x, row, values, &stride);
        sparse->values[i] = values;
        sparse->counts[i] =
            FN(list_elements)(elements, stride, x->cols, values, columns, 4, x->cols);
        return sparse->counts[i];
    }
    ptrdiff_t begin = x->row_starts[row], n = x->cols == 0 ? 0 : x->row_starts[row + 1] - begin;
    uint32_t last = (uint32_t)x->cols - 1;
    switch (x->column_bytes) {
    case 2: FN(copy_columns)(x->columns, 2, begin, n, last, columns); break;
    case 4: FN(copy_columns)(x->columns, 4, begin, n, last, columns); break;
    default: FN(copy_columns)(x->columns, 8, begin, n, last, columns); break;
    }
    sparse->values[i] = (const REAL *)x->values + begin;
    sparse->counts[i] = n;
    return n;
}

/* Lists the elements of rows begin to end, a piece that is loaded, by column. */
static void
FN(list_columns)(const SPARSE *sparse, ptrdiff_t begin, ptrdiff_t end)
{
    ptrdiff_t *next = sparse->entry_begins + begin / sparse->piece_rows * (sparse->cols + 1);
    ptrdiff_t place = sparse->columns[begin] - sparse->column_places;
    ENTRY *entries = sparse->entries;
    memset(next, 0, (size_t)(sparse->cols + 1) * sizeof *next);
    for (ptrdiff_t i = begin; i < end; i++) {
        for (ptrdiff_t e = 0; e < sparse->counts[i]; e++) {
            next[sparse->columns[i][e] + 1]++;
        }
    }
    /* next[c + 1] is to become where column c begins, and ends once it is filled. */
    next[0] = place;
    for (ptrdiff_t c = 0; c < sparse->cols; c++) {
        ptrdiff_t count = next[c + 1];
        next[c + 1] = place;
        place += count;
    }
    for (ptrdiff_t i = begin; i < end; i++) {
        const uint32_t *columns = sparse->columns[i];
        const REAL *values = sparse->values[i];
        for (ptrdiff_t e = 0, n = sparse->counts[i]; e < n; e++) {
            entries[next[columns[e] + 1]++] = (ENTRY){values[e], (uint32_t)i};
        }
    }
}

/* ---- forward ---- */

/* Loads rows of the span from `begin` on, as many as out has: out = bias + rows times weights.
 * Returns whether the team is to stop: then not all of it is done. */
static bool
FN(sparse_forward)(mlp_worker *worker, const SPARSE *sparse, const SPAN *span,
                   const mlp_matrix *weights, const mlp_matrix *bias, const mlp_matrix *out,
                   ptrdiff_t begin)
{
    enum { AHEAD = 8 };
    const mlp_data *data = span->data;
    ptrdiff_t place = FN(count_places)(data, span->first, begin), work = 0;
    for (ptrdiff_t i = begin, end = begin + out->rows; i < end; i++) {
        /* Past the end of these rows, those that follow in the next chunk. */
        ptrdiff_t ahead = i + AHEAD < end ? i + AHEAD : i + AHEAD - end + begin + span->n;
        FN(prefetch_row)(data, span->first + ahead);
        place +=
            FN(load_sparse_row)(&data->x, FN(data_row)(data, span->first + i), sparse, i, place);
        ROW row = {sparse->values[i], 1, sparse->columns[i], sparse->counts[i]};
        FN(multiply_row)(row, weights, bias, FN(at)(out, i - begin, 0), out->col_stride);
        if (FN(poll_work)(worker, &work, sparse->counts[i] * out->cols)) {
            return true;
        }
    }
    return false;
}

/* ---- the gradient ---- */

/* sums (n vectors for each column from begin to end) = the columns' entries times
 * their rows' deltas, or that added. */
static inline ALWAYS_INLINE void
FN(gradient_run)(int n, const SPARSE *sparse, ptrdiff_t begin, ptrdiff_t end,
                 const mlp_matrix *deltas, bool accumulate, const mlp_matrix *sums, ptrdiff_t j)
{
    const REAL *first_delta = FN(at)(deltas, 0, j);
    ptrdiff_t stride = deltas->row_stride;
    for (ptrdiff_t c = begin; c < end; c++) {
        VEC *out = (VEC *)FN(at)(sums, c - begin, j);
        VEC run[FN(RUN_VECTORS)];
        for (int v = 0; v < n; v++) {
            run[v] = accumulate ? out[v] : (VEC){0};
        }
        const ptrdiff_t *begins = sparse->entry_begins + c;
        for (ptrdiff_t piece = 0; piece < sparse->n_pieces; piece++, begins += sparse->cols + 1) {
            const ENTRY *last = sparse->entries + begins[1];
            for (const ENTRY *e = sparse->entries + begins[0]; e < last; e++) {
                const VEC *delta = (const VEC *)(first_delta + (ptrdiff_t)e->row * stride);
                for (int v = 0; v < n; v++) {
                    run[v] += e->value * delta[v];
                }
            }
        }
        for (int v = 0; v < n; v++) {
            out[v] = run[v];
        }
    }
}

/* sums = x^T deltas for the columns from begin to end, or added to. The rows of
 * both are padded to whole vectors. */
static void
FN(sparse_gradient)(const SPARSE *sparse, ptrdiff_t begin, ptrdiff_t end, const mlp_matrix *deltas,
                    bool accumulate, const mlp_matrix *sums)
{
    ptrdiff_t n_vectors = (deltas->cols + LANES - 1) / LANES;
    ptrdiff_t n_runs = (n_vectors + FN(GRADIENT_VECTORS) - 1) / FN(GRADIENT_VECTORS);
    ptrdiff_t run = n_runs == 0 ? 1 : (n_vectors + n_runs - 1) / n_runs;
    for (ptrdiff_t v = 0; v < n_vectors; v += run) {
        ptrdiff_t j = v * LANES;
        switch (n_vectors - v < run ? n_vectors - v : run) {
#define RUN(n) \
    case n: FN(gradient_run)(n, sparse, begin, end, deltas, accumulate, sums, j); break;
            RUN(1) RUN(2) RUN(3) RUN(4) RUN(5) RUN(6) RUN(7) RUN(8)
#undef RUN
        }
    }
}

/* ---- finding the elements of a dense array that are not zero ---- */

/* Room for a converted row, each member's own. */
static REAL *
FN(take_row)(mlp_arena *arena, const mlp_input *x, int n_threads, int rank)
{
    REAL *rows = mlp_take(arena, n_threads, x->cols, sizeof(REAL));
    return rows == NULL ? NULL : rows + rank * x->cols;
}

static size_t
FN(nonzeros_workspace)(const void *arguments, int n_threads)
{
    mlp_arena arena = {NULL, 0};
    FN(take_row)(&arena, &((const mlp_nonzeros_args *)arguments)->x, n_threads, 0);
    return arena.used;
}

static void
FN(count_nonzeros)(mlp_worker *worker, void *arguments)
{
    mlp_nonzeros_args *args = arguments;
    const mlp_input *x = &args->x;
    mlp_arena arena = {args->workspace, 0};
    REAL *room = FN(take_row)(&arena, x, worker->size, worker->rank);
    ptrdiff_t begin, end, stride, work = 0;
    mlp_share(worker, x->rows, 1, &begin, &end);
    for (ptrdiff_t i = begin; i < end && !FN(poll_work)(worker, &work, x->cols); i++) {
        const REAL *row = FN(dense_row)(x, i, room, &stride);
        BITS_VEC counts = {0};
        for (ptrdiff_t j = 0; j < x->cols; j += LANES) {
            /* As list_element asks: by the bits, whatever is done to denormals. */
            VEC elements = FN(load)(row + j * stride, stride, x->cols - j);
            counts -= ((BITS_VEC)elements & ~SIGN_BIT) != 0;
        }
        args->counts[i] = 0;
        for (ptrdiff_t lane = 0; lane < LANES; lane++) {
            args->counts[i] += counts[lane];
        }
    }
}

static void
FN(list_nonzeros)(mlp_worker *worker, void *arguments)
{
    mlp_nonzeros_args *args = arguments;
    const mlp_input *x = &args->x;
    mlp_arena arena = {args->workspace, 0};
    REAL *room = FN(take_row)(&arena, x, worker->size, worker->rank);
    int bytes = args->column_bytes;
    ptrdiff_t begin, end, stride, work = 0;
    mlp_share(worker, x->rows, 1, &begin, &end);
    for (ptrdiff_t i = begin; i < end && !FN(poll_work)(worker, &work, x->cols); i++) {
        ptrdiff_t start = args->row_starts[i], n = args->row_starts[i + 1] - start;
        REAL *values = (REAL *)args->values + start;
        char *columns = (char *)args->columns + start * bytes;
        const REAL *row = FN(dense_row)(x, i, room, &stride);
        ptrdiff_t found = bytes == 2
                              ? FN(list_elements)(row, stride, x->cols, values, columns, 2, n)
                              : FN(list_elements)(row, stride, x->cols, values, columns, 4, n);
        /* Fewer than were counted, where another thread has changed them. */
        memset(values + found, 0, (size_t)(n - found) * sizeof(REAL));
        memset(columns + found * bytes, 0, (size_t)((n - found) * bytes));
    }
}
