/* Views of somebody's arrays. */
#ifndef MLP_VIEWS_H
#define MLP_VIEWS_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

/* What is computed in. */
typedef enum { MLP_FLOAT32, MLP_FLOAT64, MLP_N_DTYPES } mlp_dtype;

/* Bytes of an element. */
static inline int
mlp_item_of(mlp_dtype dtype)
{
    return dtype == MLP_FLOAT32 ? 4 : 8;
}

/* A matrix. Strides count elements and may be zero or negative. A vector is one row. A matrix
 * without data is absent, and so are the views of it. */
typedef struct {
    void *data;
    ptrdiff_t rows, cols;
    ptrdiff_t row_stride, col_stride;
    int item;    /* bytes of an element */
    bool padded; /* a workspace's: rows may be read and written up to a whole vector */
} mlp_matrix;

/* Rows begin to end. */
static inline mlp_matrix
mlp_rows_of(const mlp_matrix *m, ptrdiff_t begin, ptrdiff_t end)
{
    assert(m->data == NULL || (0 <= begin && begin <= end && end <= m->rows));
    mlp_matrix rows = *m;
    rows.rows = end - begin;
    if (m->data != NULL) {
        rows.data = (char *)m->data + begin * m->row_stride * m->item;
    }
    return rows;
}

/* Columns begin to end. Where these end before those of the matrix, they end with a whole vector,
 * or the matrix is not padded. */
static inline mlp_matrix
mlp_cols_of(const mlp_matrix *m, ptrdiff_t begin, ptrdiff_t end)
{
    assert(m->data == NULL || (0 <= begin && begin <= end && end <= m->cols));
    mlp_matrix cols = *m;
    cols.cols = end - begin;
    if (m->data != NULL) {
        cols.data = (char *)m->data + begin * m->col_stride * m->item;
    }
    return cols;
}

/* Whether rows are whole vectors of so many lanes, one element beside the other. */
static inline bool
mlp_has_whole_vectors(const mlp_matrix *m, ptrdiff_t lanes)
{
    return m->col_stride == 1 && m->cols % lanes == 0;
}

static inline mlp_matrix
mlp_transpose(const mlp_matrix *m)
{
    return (mlp_matrix){m->data, m->cols, m->rows, m->col_stride, m->row_stride, m->item, false};
}

#endif
