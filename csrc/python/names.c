#include "python/names.h"

#include "python/fields.h"
#include "python/run.h"

/* ---- names ---- */

#define NAME(CODE, name, ...) #name,
#define OUTPUT_NAME(CODE, name) #name,
#define TEXT(CODE, name, ...) ", '" #name "'"
#define OUTPUT_TEXT(CODE, name) ", '" #name "'"

static const char *const activations[] = {MLP_ACTIVATIONS(NAME) NULL};
static const char *const outputs[] = {MLP_OUTPUTS(OUTPUT_NAME) NULL};
static const char *const losses[] = {MLP_LOSSES(NAME) NULL};
static const char *const rules[] = {MLP_RULES(NAME) NULL};

#define NAMES(list, text) list, &text[2]

const mlp_names mlp_activation_names = {NAMES(activations, MLP_ACTIVATIONS(TEXT))};
const mlp_names mlp_output_names = {NAMES(outputs, MLP_OUTPUTS(OUTPUT_TEXT))};
const mlp_names mlp_loss_names = {NAMES(losses, MLP_LOSSES(TEXT))};
const mlp_names mlp_rule_names = {NAMES(rules, MLP_RULES(TEXT))};

int
mlp_arg_name(mlp_call *call, PyObject *obj, const char *name, Py_ssize_t index,
             const mlp_names *names)
{
    if (call->failed) {
        return 0;
    }
    mlp_expectation expected = {.name = name, .index = index};
    if (!PyUnicode_Check(obj)) {
        mlp_reject_text(call, PyExc_TypeError, &expected, "be a str", Py_TYPE(obj)->tp_name);
        return 0;
    }
    for (int code = 0; names->names[code] != NULL; code++) {
        if (PyUnicode_CompareWithASCIIString(obj, names->names[code]) == 0) {
            return code;
        }
    }
    char what[MLP_TEXT_BYTES];
    PyOS_snprintf(what, sizeof what, "be one of %s", names->text);
    mlp_reject(call, PyExc_ValueError, &expected, what, PyObject_Repr(obj));
    return 0;
}

mlp_output
mlp_arg_output(mlp_call *call, PyObject *obj, const char *name)
{
    return (mlp_output)mlp_arg_name(call, obj, name, MLP_ANY, &mlp_output_names);
}

/* ---- names with constants ---- */

/* What the dict of a loss or a rule names. */
static int
arg_named(mlp_call *call, PyObject *obj, const char *argument, const char *argument_name,
          const mlp_names *names)
{
    PyObject *name = mlp_arg_field(call, obj, argument, "'name' and its constants", "name");
    return mlp_arg_name(call, name, argument_name, MLP_ANY, names);
}

#define CONSTANT(kind, name) {#name, &mlp_##kind##_kind, offsetof(__typeof__(*these), name)},
#define CONSTANT_NAME(kind, name) ", '" #name "'"

/* Reads the constants of one entry of a list into its struct. */
#define ARG_CONSTANTS(call, dict, title, constants, values)                                  \
    do {                                                                                     \
        __typeof__(values) these = values;                                                   \
        static const mlp_field listed[] = {{"name", &mlp_known_kind, 0},                     \
                                           constants(CONSTANT){NULL, NULL, 0}};              \
        static const mlp_record record = {title, "'name'" constants(CONSTANT_NAME), listed}; \
        mlp_arg_fields(call, dict, &record, these);                                          \
    } while (0)

mlp_loss
mlp_arg_loss(mlp_call *call, PyObject *obj)
{
    mlp_loss loss = {0};
    loss.code = (mlp_loss_code)arg_named(call, obj, "loss", "loss['name']", &mlp_loss_names);
    switch (loss.code) {
#define L(CODE, name, constants) \
    case MLP_##CODE: ARG_CONSTANTS(call, obj, "loss '" #name "'", constants, &loss.name); break;
        MLP_LOSSES(L)
#undef L
    }
    return loss;
}

ptrdiff_t
mlp_outputs_per_target(const mlp_loss *loss)
{
    switch (loss->code) {
    case MLP_PINBALL_LOSS: return loss->pinball_loss.quantiles.n;
    case MLP_GAUSSIAN_LOSS: return 2; /* the mean, and the logarithm of the variance */
    default: return 1;
    }
}

mlp_rule
mlp_arg_rule(mlp_call *call, PyObject *obj)
{
    mlp_rule rule = {0};
    rule.code = (mlp_rule_code)arg_named(call, obj, "rule", "rule['name']", &mlp_rule_names);
    switch (rule.code) {
#define R(CODE, name, n_moments, constants) \
    case MLP_##CODE: ARG_CONSTANTS(call, obj, "rule '" #name "'", constants, &rule.name); break;
        MLP_RULES(R)
#undef R
    }
    return rule;
}

int
mlp_count_moments(const mlp_rule *rule)
{
#define R(CODE, name, n_moments, constants) n_moments,
    static const int counts[] = {MLP_RULES(R)};
#undef R
    return counts[rule->code];
}

/* ---- what there is, for tests ---- */

/* A list of str. */
static PyObject *
list_names(const char *const *names)
{
    PyObject *list = PyList_New(0);
    for (; list != NULL && *names != NULL; names++) {
        PyObject *name = PyUnicode_FromString(*names);
        if (name == NULL || PyList_Append(list, name) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(name);
    }
    return list;
}

/* dict[name] = value, whose reference it takes over; either may be NULL, with an exception set.
 * Returns the dict, or NULL, and no reference to it is left. */
static PyObject *
with_entry(PyObject *dict, const char *name, PyObject *value)
{
    if (dict != NULL && (value == NULL || PyDict_SetItemString(dict, name, value) < 0)) {
        Py_CLEAR(dict);
    }
    Py_XDECREF(value);
    return dict;
}

#define CONSTANT_ITEM(kind, name) #name,

/* {name: names of its constants} */
static PyObject *
list_losses(void)
{
    PyObject *found = PyDict_New();
#define L(CODE, name, constants)                                            \
    static const char *const of_##name[] = {constants(CONSTANT_ITEM) NULL}; \
    found = with_entry(found, #name, list_names(of_##name));
    MLP_LOSSES(L)
#undef L
    return found;
}

/* {name: (how many moments it keeps, names of its constants)} */
static PyObject *
list_rules(void)
{
    PyObject *found = PyDict_New();
#define R(CODE, name, n_moments, constants)                                 \
    static const char *const of_##name[] = {constants(CONSTANT_ITEM) NULL}; \
    found = with_entry(found, #name, Py_BuildValue("(iN)", n_moments, list_names(of_##name)));
    MLP_RULES(R)
#undef R
    return found;
}

/* names() -> what activations, outputs, losses and rules there are */
PyObject *
mlp_core_names(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    PyObject *found = PyDict_New();
    found = with_entry(found, "activations", list_names(activations));
    found = with_entry(found, "outputs", list_names(outputs));
    found = with_entry(found, "losses", list_losses());
    return with_entry(found, "rules", list_rules());
}
