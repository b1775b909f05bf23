/* The kernels that list the pairs of a dense array: count_nonzeros, list_nonzeros. */

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

/* How many pairs a row of n elements has; or less where the team is to stop. */
static ptrdiff_t
FN(count_pairs)(mlp_worker *worker, const REAL *row, ptrdiff_t stride, ptrdiff_t n)
{
    BITS_VEC counts = {0};
    for (SEGMENT some = {0}; FN(next_segment)(worker, n, &some);) {
        for (ptrdiff_t j = some.begin; j < some.end; j += LANES) {
            /* In even lanes, an element and the next; asked for as is_pair does. */
            const REAL *p = row + j * stride;
            BITS_VEC elements = (BITS_VEC)FN(load)(p, stride, n - j);
            BITS_VEC next = (BITS_VEC)FN(load)(p + stride, stride, n - j - 1);
            counts -= ((elements | next) & ~SIGN_BIT) != 0;
        }
    }
    ptrdiff_t count = 0;
    for (ptrdiff_t lane = 0; lane < LANES; lane += 2) {
        count += counts[lane];
    }
    return count;
}

static void
FN(count_nonzeros)(mlp_worker *worker, void *arguments)
{
    mlp_nonzeros_args *args = arguments;
    const mlp_input *x = &args->x;
    mlp_arena arena = {args->workspace, 0};
    REAL *room = FN(take_row)(&arena, x, worker->size, worker->rank);
    ptrdiff_t begin, end, stride, work = 0;
    mlp_share(worker->size, worker->rank, x->rows, 1, &begin, &end);
    for (ptrdiff_t i = begin; i < end && !FN(poll_work)(worker, &work, x->cols); i++) {
        const REAL *row = FN(dense_row)(worker, x, i, room, &stride);
        args->counts[i] = FN(count_pairs)(worker, row, stride, x->cols);
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
    mlp_share(worker->size, worker->rank, x->rows, 1, &begin, &end);
    for (ptrdiff_t i = begin; i < end && !FN(poll_work)(worker, &work, x->cols); i++) {
        ptrdiff_t start = args->row_starts[i], n = args->row_starts[i + 1] - start;
        PAIR *pairs = (PAIR *)args->values + start;
        char *columns = (char *)args->columns + start * bytes;
        const REAL *row = FN(dense_row)(worker, x, i, room, &stride);
        ptrdiff_t found = bytes == 2
                              ? FN(list_pairs)(worker, row, stride, x->cols, pairs, columns, 2, n)
                              : FN(list_pairs)(worker, row, stride, x->cols, pairs, columns, 4, n);
        /* Fewer than were counted, where another thread has changed them. */
        memset(pairs + found, 0, (size_t)(n - found) * sizeof(PAIR));
        memset(columns + found * bytes, 0, (size_t)((n - found) * bytes));
    }
}
