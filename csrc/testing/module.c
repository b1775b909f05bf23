/* mlp_c._testing: lends single kernels to the tests, of every instruction set that this machine
 * has. It is no part of the package: setup.py builds it where MLP_C_TESTING=1, with the kernels'
 * assertions on.
 *
 *     kernel(isa, *arguments)
 *
 * computes on NumPy arrays in place. A table (lent, below) says of each kernel what it takes. Its
 * callers are trusted to give shapes that fit each other; the kernels assert that indices stay
 * inside.
 */
#include "testing/arguments.h"

#include "base/arena.h"
#include "kernels/isa.h"

/* Aligned memory that the call frees; NULL without any. */
static void *
alloc_aligned(lent_call *call, size_t size)
{
    call->memory = malloc(size + 2 * (size_t)MLP_ALIGNMENT);
    if (call->memory == NULL) {
        return NULL;
    }
    size_t beyond = (uintptr_t)call->memory % MLP_ALIGNMENT;
    return (char *)call->memory + (MLP_ALIGNMENT - beyond);
}

/* ---- the kernels, with their arguments ---- */

static void
run_map(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    (void)worker;
    call->functions[call->code][call->dtype](&call->arrays[0], &call->arrays[1]);
}

static void
run_activate(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_matrix *a = call->arrays;
    call->kernels->activate(worker, (mlp_activation)call->code, &a[0], &a[1], &a[2]);
}

static void
run_apply_slopes(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_matrix *a = call->arrays;
    call->kernels->apply_slopes(worker, (mlp_activation)call->code, &a[0], &a[1], &a[2]);
}

/* c = start + a b, with b packed: its rows and columns after the first apart, too, so as to be
 * packed in the midst of others. */
static void
run_multiply(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_kernels *kernels = call->kernels;
    const mlp_matrix *a = &call->arrays[0], *b = &call->arrays[1], *bias = &call->arrays[2];
    ptrdiff_t panels = mlp_ceil_div(b->cols, kernels->tile_cols);
    size_t size = (size_t)(panels * kernels->tile_cols * b->rows * b->item);
    mlp_packed packed = {alloc_aligned(call, size), b->rows};
    if (packed.data == NULL) {
        return;
    }
    memset(packed.data, 0xff, size); /* NaN */
    ptrdiff_t rows = mlp_min(b->rows, 1), cols = mlp_min(b->cols, 1);
    for (int part = 0; part < 4; part++) {
        ptrdiff_t row = part / 2 ? rows : 0, col = part % 2 ? cols : 0;
        mlp_matrix some = mlp_rows_of(b, row, part / 2 ? b->rows : rows);
        some = mlp_cols_of(&some, col, part % 2 ? b->cols : cols);
        kernels->pack(worker, &some, row, col, &packed);
    }
    mlp_start start = {bias->data == NULL ? NULL : bias, call->numbers[0] != 0};
    kernels->multiply(worker, a, &packed, &call->arrays[3], start);
}

static void
run_multiply_few(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_matrix *a = call->arrays;
    call->kernels->multiply_few(worker, &a[0], &a[1], &a[2], &a[3]);
}

static void
run_sum_rows(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    call->kernels->sum_rows(worker, &call->arrays[0], call->numbers[0] != 0, &call->arrays[1]);
}

static void
run_apply_output(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    call->kernels->apply_output(worker, (mlp_output)call->code, &call->arrays[0]);
}

static void
run_softmax(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    call->kernels->softmax(worker, &call->arrays[0], &call->arrays[1]);
}

/* The sum of the losses is written to a vector of one. */
static void
run_softmax_cross_entropy(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_matrix *a = call->arrays;
    *(double *)a[1].data =
        call->kernels->softmax_cross_entropy(worker, &call->loss, &a[0], &call->targets, &a[2]);
}

static void
run_compute_losses(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_matrix *logits = &call->arrays[0];
    mlp_data data = {
        .targets = call->targets, .sample_weight = call->arrays[1].data, .n = logits->rows};
    mlp_loss_rows rows = {
        .span = {&data, 0, logits->rows},
        .begin = 0,
        .end = logits->rows,
        .logits = *logits,
        .losses = call->arrays[2].data,
        .deltas = call->arrays[3],
        .scale = call->numbers[0],
    };
    call->kernels->compute_losses(worker, &call->loss, &rows);
}

static mlp_squares
squares_of(const mlp_matrix *sums, const mlp_matrix *value)
{
    return (mlp_squares){.sums = sums->data, .n_parts = 1, .ends = {value->cols}};
}

static void
run_update(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    mlp_step step = {&call->rule, call->numbers[0], call->numbers[1], (int64_t)call->numbers[2]};
    mlp_update_rows rows = {.value = call->arrays[0], .gradient = call->arrays[1]};
    memcpy(rows.moments, call->moments, sizeof rows.moments);
    mlp_squares squares = squares_of(&call->arrays[2], &rows.value);
    call->kernels->update(worker, &step, &rows, &squares);
}

static void
run_add_l2(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    mlp_update_rows rows = {.value = call->arrays[0], .gradient = call->arrays[1]};
    mlp_squares squares = squares_of(&call->arrays[3], &rows.value);
    call->kernels->add_l2(worker, call->numbers[0], &rows, &call->arrays[2], &squares);
}

/* ---- sparse rows ---- */

/* A matrix of the arena's, its rows padded. */
static mlp_matrix
alloc_padded(mlp_arena *arena, const mlp_kernels *kernels, ptrdiff_t rows, ptrdiff_t cols)
{
    int item = mlp_item_of(kernels->dtype);
    ptrdiff_t stride = mlp_ceil_div(cols, kernels->lanes) * kernels->lanes;
    void *part = mlp_alloc(arena, rows, stride, (size_t)item);
    return (mlp_matrix){part, rows, cols, stride, 1, item, true};
}

/* What multiplies sparse rows: x as such, and the padded matrices that come with it. */
typedef struct {
    mlp_data data;
    mlp_rows rows;
    mlp_matrix outputs, deltas, sums;
} sparse_work;

static void
lay_out(const lent_call *call, ptrdiff_t strip_rows, mlp_arena *arena, sparse_work *work)
{
    const mlp_matrix *x = &call->arrays[0], *second = &call->arrays[1];
    const mlp_kernels *kernels = call->kernels;
    ptrdiff_t n = x->rows, cols = mlp_count_pair_columns(x->cols), slots = n * cols;
    ptrdiff_t n_strips = strip_rows == 0 ? 0 : mlp_ceil_div(n, strip_rows);
    work->data = (mlp_data){
        .x = {.rows = n, .cols = x->cols, .dense = *x, .is_sparse = true, .row_slots = cols},
        .n = n,
        .slots = slots,
    };
    work->data.x.element = (mlp_element)kernels->dtype;
    work->rows = (mlp_rows){.span = {&work->data, 0, n}, .end = n, .is_sparse = true};
    work->rows.pairs = (mlp_pairs){
        .cols = cols,
        .pairs = mlp_alloc(arena, n, 1, sizeof(void *)),
        .columns = mlp_alloc(arena, n, 1, sizeof(uint32_t *)),
        .counts = mlp_alloc(arena, n, 1, sizeof(ptrdiff_t)),
        .pair_slots = mlp_alloc(arena, slots, 2, (size_t)x->item),
        .column_slots = mlp_alloc(arena, slots, 1, sizeof(uint32_t)),
        .entries = mlp_alloc(arena, slots, 1, (size_t)kernels->entry_bytes),
        .entry_begins = mlp_alloc(arena, n_strips, cols + 1, sizeof(ptrdiff_t)),
        .strip_rows = strip_rows,
        .n_strips = n_strips,
    };
    work->outputs = alloc_padded(arena, kernels, n, second->cols);
    work->deltas = alloc_padded(arena, kernels, n, second->cols);
    work->sums = alloc_padded(arena, kernels, x->cols + x->cols % 2, second->cols);
}

/* Loads the rows of the call's first array as sparse ones, and lists them in strips of so many, if
 * any. Returns whether there is memory. */
static bool
load_sparse(mlp_worker *worker, lent_call *call, ptrdiff_t strip_rows, sparse_work *work)
{
    mlp_arena arena = {NULL, 0};
    lay_out(call, strip_rows, &arena, work);
    arena = (mlp_arena){alloc_aligned(call, arena.used), 0};
    if (arena.base == NULL) {
        return false;
    }
    lay_out(call, strip_rows, &arena, work);
    call->kernels->load_rows(worker, &work->rows);
    if (strip_rows > 0) {
        call->kernels->list_rows(worker, &work->rows);
    }
    return true;
}

static void
run_multiply_pairs(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_matrix *a = call->arrays;
    sparse_work work;
    if (load_sparse(worker, call, (ptrdiff_t)call->numbers[0], &work)) {
        call->kernels->multiply_pairs(worker, &work.rows, &a[1], &a[2], &work.outputs);
        call->kernels->copy(&work.outputs, &a[3]);
    }
}

/* The rows of x^T deltas from `begin` on, as many as sums has. */
static void
run_multiply_pairs_transposed(mlp_worker *worker, void *arguments)
{
    lent_call *call = arguments;
    const mlp_matrix *sums = &call->arrays[2];
    sparse_work work;
    if (load_sparse(worker, call, (ptrdiff_t)call->numbers[0], &work)) {
        work.sums.rows = sums->rows;
        call->kernels->copy(&call->arrays[1], &work.deltas);
        call->kernels->copy(sums, &work.sums);
        call->kernels->multiply_pairs_transposed(worker, &work.rows.pairs,
                                                 (ptrdiff_t)call->numbers[1], &work.deltas,
                                                 call->numbers[2] != 0, &work.sums);
        call->kernels->copy(&work.sums, sums);
    }
}

/* A name, what its arguments are, and what computes. Kinds of arguments: the name of an activation
 * (A), output (O) or function (F); a loss (L) or rule (R) with its constants; a matrix of the
 * call's dtype (m), or None (?); one of doubles, or None (d); targets (t); moments (M); a number or
 * truth value (n). */
#define LENT(K)                            \
    K(map, "Fmm")                          \
    K(activate, "Amm?")                    \
    K(apply_slopes, "A??m")                \
    K(multiply, "mm?nm")                   \
    K(multiply_few, "mmmm")                \
    K(multiply_pairs, "mmmnm")             \
    K(multiply_pairs_transposed, "mmnnnm") \
    K(sum_rows, "mnm")                     \
    K(apply_output, "Om")                  \
    K(softmax, "mm")                       \
    K(softmax_cross_entropy, "Lmtdm")      \
    K(compute_losses, "Lmt?nd?")           \
    K(update, "RnnnmmMd")                  \
    K(add_l2, "nmmmd")

/* ---- the module ---- */

static const struct {
    const char *name;
    mlp_map *const (*functions)[MLP_N_DTYPES];
} functions_of[] = {
    {"baseline", mlp_functions_baseline},
#if MLP_HAVE_NEON
    {"neon", mlp_functions_neon},
#endif
#if MLP_HAVE_AVX2
    {"avx2", mlp_functions_avx2},
#endif
#if MLP_HAVE_AVX512
    {"avx512", mlp_functions_avx512},
#endif
};

static const mlp_isa *
find_isa(PyObject *name, lent_call *call)
{
    const mlp_isa *isas[MLP_MAX_ISAS];
    const char *text = PyUnicode_AsUTF8(name);
    int n = mlp_supported_isas(isas);
    for (size_t i = 0; text != NULL && i < sizeof functions_of / sizeof functions_of[0]; i++) {
        if (strcmp(functions_of[i].name, text) == 0) {
            call->functions = functions_of[i].functions;
        }
    }
    for (int i = 0; text != NULL && i < n; i++) {
        if (strcmp(isas[i]->name, text) == 0) {
            return isas[i];
        }
    }
    PyErr_Format(PyExc_ValueError, "no instruction set %R here", name);
    return NULL;
}

static bool
prepare_nothing(void *arguments, int n_members)
{
    (void)arguments;
    (void)n_members;
    return true;
}

static PyObject *
run_kernel(const char *signature, void (*run)(mlp_worker *, void *), PyObject *const *args,
           Py_ssize_t n)
{
    lent_call call = {.dtype = -1};
    if (n != (Py_ssize_t)strlen(signature) + 1) {
        return PyErr_Format(PyExc_TypeError, "expected an ISA and arguments %s", signature);
    }
    const mlp_isa *isa = find_isa(args[0], &call);
    bool is_ready = isa != NULL;
    for (Py_ssize_t i = 1; i < n && is_ready; i++) {
        is_ready = take_argument(&call, signature[i - 1], args[i]);
    }
    if (!is_ready) {
        return NULL;
    }
    call.kernels = &isa->tables[call.dtype];
    const mlp_job job = {prepare_nothing, run};
    mlp_outcome outcome = mlp_run(1, &job, &call, (mlp_caller){NULL, NULL});
    free(call.memory);
    if (outcome != MLP_DONE) {
        return PyErr_NoMemory();
    }
    return Py_NewRef(Py_None);
}

#define K(name, signature)                                                            \
    static PyObject *lent_##name(PyObject *self, PyObject *const *args, Py_ssize_t n) \
    {                                                                                 \
        (void)self;                                                                   \
        return run_kernel(signature, run_##name, args, n);                            \
    }
LENT(K)
#undef K

static PyMethodDef methods[] = {
#define K(name, signature) \
    {#name, (PyCFunction)(void (*)(void))lent_##name, METH_FASTCALL, "(isa, " signature ")"},
    LENT(K)
#undef K
        {0},
};

/* The instruction sets that this machine has. */
static PyObject *
list_isas(void)
{
    const mlp_isa *isas[MLP_MAX_ISAS];
    int n = mlp_supported_isas(isas);
    PyObject *names = PyTuple_New(n);
    for (int i = 0; i < n && names != NULL; i++) {
        PyObject *name = PyUnicode_FromString(isas[i]->name);
        if (name == NULL) {
            Py_CLEAR(names);
        }
        else {
            PyTuple_SET_ITEM(names, i, name);
        }
    }
    return names;
}

PyMODINIT_FUNC
PyInit__testing(void)
{
    static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "mlp_c._testing",
                                     .m_size = -1, .m_methods = methods};
    PyObject *module = import_numpy() ? PyModule_Create(&definition) : NULL;
    PyObject *isas = module == NULL ? NULL : list_isas();
    if (module != NULL && (isas == NULL || PyModule_AddObjectRef(module, "ISAS", isas) < 0)) {
        Py_CLEAR(module);
    }
    Py_XDECREF(isas);
    return module;
}
