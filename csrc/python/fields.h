/* Arguments by name: the fields of a dict.
 *
 * A list of fields makes the members of a struct, what a dict must hold, and what the messages say:
 *
 *     #define EXAMPLE_FIELDS(F) F(object, X) F(real, l2) F(size, batch_size) F(integer, n_threads)
 *     typedef struct { EXAMPLE_FIELDS(MLP_MEMBER) } example_fields;
 *     example_fields given;
 *     MLP_ARG_FIELDS(call, dict, "fields of example", EXAMPLE_FIELDS, &given);
 *
 * Numbers are converted when all objects have been taken from the dict, for to convert one may run
 * Python code; arrays are to be looked at after that.
 */
#ifndef MLP_PYFIELDS_H
#define MLP_PYFIELDS_H

#include <Python.h>

#include "kernels/lists.h"
#include "python/arrays.h"

/* What a field may be: anything, which the call keeps; a number with a value that fits. */
typedef PyObject *mlp_object_field;
typedef double mlp_real_field;
typedef mlp_reals_constant mlp_reals_field;
typedef Py_ssize_t mlp_size_field;
typedef int mlp_integer_field;

typedef struct {
    /* Writes what an object is worth. Returns false with an exception set where it is not of this
     * kind: TypeError; or where its value does not fit: OverflowError. NULL: real numbers. */
    bool (*read)(PyObject *obj, void *value);
    const char *what, *fitting; /* for "must be a real number" */
} mlp_kind;

extern const mlp_kind mlp_object_kind, mlp_real_kind, mlp_size_kind, mlp_integer_kind;

/* A list or tuple of real numbers, copied until the call ends: an mlp_reals_constant. */
extern const mlp_kind mlp_reals_kind;

/* The kind of what is read elsewhere. */
extern const mlp_kind mlp_known_kind;

typedef struct {
    const char *name; /* NULL after the last */
    const mlp_kind *kind;
    size_t offset; /* of the value, in the struct that is written */
} mlp_field;

typedef struct {
    const char *title; /* of what has the fields */
    const char *names; /* for messages */
    const mlp_field *fields;
} mlp_record;

/* Reads a dict that has each field of a record, and no more, into a struct. Of a subclass of dict,
 * what it holds: its methods are not asked. TypeError for another object, another field, one that
 * is missing or is of another type, ValueError for a number that does not fit. */
void mlp_arg_fields(mlp_call *call, PyObject *dict, const mlp_record *record, void *values);

/* What a dict holds under one name, kept by the call; NULL, with the call failed, if nothing. The
 * messages say that it is to have `names`. */
PyObject *mlp_arg_field(mlp_call *call, PyObject *dict, const char *title, const char *names,
                        const char *name);

#define MLP_MEMBER(kind, name) mlp_##kind##_field name;
#define MLP_FIELD(kind, name) {#name, &mlp_##kind##_kind, offsetof(__typeof__(*these), name)},
#define MLP_FIELD_NAME(kind, name) ", '" #name "'"

/* mlp_arg_fields, with the record of a list of fields. */
#define MLP_ARG_FIELDS(call, dict, title, FIELDS, values)                             \
    do {                                                                              \
        __typeof__(values) these = values;                                            \
        static const mlp_field listed[] = {FIELDS(MLP_FIELD){NULL, NULL, 0}};         \
        static const mlp_record record = {title, &FIELDS(MLP_FIELD_NAME)[2], listed}; \
        mlp_arg_fields(call, dict, &record, these);                                   \
    } while (0)

/* A field that was read, as an argument and its name. */
#define MLP_NAMED(given, field) (given).field, #field

#endif
