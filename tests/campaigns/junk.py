"""Values that no caller should pass: arrays of every description, and objects that misbehave."""

import datetime
import decimal
import fractions
import itertools
from dataclasses import is_dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.lib.stride_tricks import as_strided

DTYPES = [*np.typecodes["All"], ">f8", ">f4", ">i4", "S3", "U2", "V8", "f8,i4", "(2,)f8"]
USUAL = ["f4", "f8", "i8", "i4", "u2", "?"]
SHAPES = [(), (0,), (1,), (3,), (7,), (20,), (0, 0), (0, 4), (4, 0), (1, 1), (20, 1), (1, 20)]
SHAPES += [(7, 5), (20, 8), (8, 4), (4, 3), (20, 3), (20, 4), (5, 4, 3), (1,) * 32, (2, 0, 2)]
ENDLESS = 2**40  # rows: whoever asks to read them all waits for it
SIZES = [-(2**63), -1, 0, 1, 2, 3, 17, 2**15, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 10**400]
NUMBERS = [0.0, -0.0, 0.5, 1.0, -1.5, 1e-320, 1e38, 1e308, np.inf, -np.inf, np.nan]
WORDS = [
    "",
    "relu",
    "gelu",
    "mish",
    "orthogonal",
    "cross_entropy",
    "gaussian",
    "quantile",
    "loss",
    "accuracy",
    "balanced",
    "float32",
    "adam",
    "lbfgs",
    "auto",
    "cosine",
    "one_cycle",
    "\0",
    "\udc80",
    "é" * 300,
]


class Misled(np.ndarray):
    """An array whose answers to NumPy's questions are wrong."""

    def __array_function__(self, func, types, args, kwargs):
        return NotImplemented if func is np.sum else "no array"

    def __getitem__(self, key):
        raise LookupError("of a misled array")


class Name(str):
    """What is spelt as another key, and is none."""

    __hash__, __eq__ = object.__hash__, object.__eq__


class Liar(dict):
    """A dict whose methods all fail, while it holds what it holds."""

    def _respond(self, *_, **__):
        raise LookupError("of a liar")

    __getitem__ = __iter__ = __len__ = __contains__ = __eq__ = __bool__ = _respond
    keys = values = items = get = copy = _respond
    __hash__ = None


class Mischief:
    """Answers as whatever it is asked to be, once it has changed the other arguments.

    Parameters
    ----------
    answer
        What it answers, or the exception it raises.
    victims : list
        The arguments of the call, so that it can empty lists and reshape arrays in them.
    """

    def __init__(self, answer, victims):
        self.answer, self.victims = answer, victims

    def _respond(self, *_, **__):
        for victim in self.victims:
            if isinstance(victim, list):
                victim.clear()
            elif isinstance(victim, dict):
                victim["new"] = self
            elif type(victim) is np.ndarray and victim.flags.writeable:
                victim.setflags(write=False)
        if isinstance(self.answer, type) and issubclass(self.answer, Exception):
            raise self.answer("mischief")
        return self.answer

    __array__ = __index__ = __float__ = __int__ = __bool__ = __len__ = __iter__ = _respond
    __getitem__ = __eq__ = __lt__ = __call__ = __repr__ = __str__ = __enter__ = _respond
    __hash__ = None


def choose(rng, options):
    return options[rng.integers(len(options))]


def array(rng):
    """An array of any dtype, shape, layout, alignment, order, class and writeability."""
    dtype = np.dtype(choose(rng, DTYPES if rng.random() < 0.5 else USUAL))
    shape = choose(rng, SHAPES)
    if rng.random() < 0.3:
        shape = tuple(int(rng.integers(22)) for _ in range(rng.integers(4)))
    made = filled(rng, shape, dtype)
    return described(rng, made) if rng.random() < 0.2 else laid_out(rng, made)


def filled(rng, shape, dtype):
    """An array of bytes that are 0, at most 1 or any, not always aligned."""
    if dtype.hasobject or dtype.kind == "U":  # not of any bytes
        return np.full(shape, None, dtype=dtype)
    n = 2 * int(np.prod(shape)) * dtype.itemsize + 16
    memory = rng.integers(0, choose(rng, [1, 2, 256]), n).astype(np.uint8)
    return np.ndarray(shape, dtype, memory, offset=choose(rng, [0, 0, 8, 1]))


def described(rng, made):
    """Any strides and start that stay within an array's memory."""
    if made.base is None:  # objects, of which no other bytes may be read
        return made
    strides = [int(rng.integers(-24, 25)) * choose(rng, [1, 8]) for _ in made.shape]
    lowest = sum(min(s * (n - 1), 0) for s, n in zip(strides, made.shape, strict=True))
    try:
        return np.ndarray(made.shape, made.dtype, made.base, offset=-lowest, strides=strides)
    except ValueError:  # they do not
        return made


def laid_out(rng, made):
    """The same elements, or some of them, seen in another way."""
    made, kind = np.asarray(made), rng.integers(16)
    if made.ndim and 0 < made.size < ENDLESS:
        match kind:
            case 0:
                return made[::-1]
            case 1:
                return made[..., ::2]
            case 2:  # one element everywhere
                return np.broadcast_to(made.ravel()[:1].reshape(()), made.shape)
            case 3:  # in the memory of one row
                return np.broadcast_to(made.ravel()[:4], (ENDLESS, min(made.size, 4)))
            case 4:  # rows that overlap
                strides = [made.dtype.itemsize] * made.ndim
                return as_strided(np.ascontiguousarray(made), strides=strides)
    match kind:
        case 5:
            return made.T
        case 6 if made.size < ENDLESS:
            return np.asfortranarray(made)
        case 7:
            return made.view(Misled)
        case 8 if made.size < ENDLESS:
            return np.ma.masked_array(made)
        case 9 if made.ndim == 2:
            return np.asmatrix(made)
        case 10:
            made = made.view()
            made.setflags(write=False)
    return made


def retyped(rng, made):
    """Elements of another type in the same shape."""
    return made if made.size >= ENDLESS else filled(rng, made.shape, np.dtype(choose(rng, DTYPES)))


def extreme(rng, made):
    """Some elements at the end of what their type holds, or beyond."""
    if made.size >= ENDLESS or made.size == 0 or made.dtype.kind not in "iuf":
        return made
    made = made.copy()
    value = choose(rng, NUMBERS) if made.dtype.kind == "f" else choose(rng, SIZES[:-1])
    with np.errstate(all="ignore"):
        # `flat` takes 32 dimensions at most.
        place = np.unravel_index(rng.integers(made.size), made.shape)
        made[place] = np.array(value).astype(made.dtype)
    return made


def table(rng):
    """What estimators take besides arrays."""
    rows = rng.integers(-2, 3, (choose(rng, [0, 1, 20]), choose(rng, [0, 1, 8]))) / 1.0
    made = choose(rng, [pd.DataFrame, sp.csr_array, sp.csc_matrix, sp.coo_array, list, np.asmatrix])
    made = made(rows)
    if isinstance(made, sp.csr_array) and made.nnz and rng.random() < 0.7:
        part = choose(rng, [made.indices, made.indptr, made.data])
        part[rng.integers(len(part))] = choose(rng, [-1, 1, 2**31 - 1, 7])
    return made


def scalar(rng):
    pool = choose(rng, [SIZES, NUMBERS, WORDS, [True, False, None]])
    value = choose(rng, pool)
    wrappers = [lambda v: v] * 4 + [np.asarray, lambda v: [v], lambda v: (v, v), lambda v: {v: v}]
    return choose(rng, wrappers)(value)


def thing(rng):
    """Something of a type that has nothing to do with networks."""
    itself = []
    itself.append(itself)
    things = [b"", b"\0" * 8, bytearray(8), memoryview(np.ones((2, 2))), {}, {1: 2}, set(), itself]
    things += [object(), object, len, (i for i in range(3)), range(3), slice(None), ..., 1j]
    things += [lambda *_, **__: float("nan"), lambda *_, **__: 10**400, itertools.count()]
    things += [np.ones_like, np.cumsum, lambda t: -t, lambda t: t.resize(2**20), lambda t: [t]]
    things += [NotImplemented, fractions.Fraction(1, 3), decimal.Decimal("NaN"), itself, []]
    things += [datetime.date(2000, 1, 1), np.float32("nan"), np.datetime64("NaT"), np.str_("relu")]
    things += [
        np.random.default_rng(0),
        np.random.RandomState(0),
        (),
        pd.NA,
        pd.Series(["a", pd.NA]),
    ]
    return choose(rng, things)


def value(rng, victims=()):
    """Any of all these; `victims` are the other arguments of its call."""
    kind = rng.integers(10)
    if kind < 4:
        return array(rng)
    if kind == 4:
        return table(rng)
    if kind < 7:
        return scalar(rng)
    if kind == 7:
        answers = [1, -1, 0.5, "relu", None, 2**70, np.ones((20, 8)), ValueError, KeyError]
        return Mischief(choose(rng, answers), list(victims))
    if kind == 8:
        return choose(rng, [list, tuple])(value(rng, victims) for _ in range(rng.integers(4)))
    return thing(rng)


def arrays_in(value, depth=4):
    """The arrays in nested lists, tuples, dicts and dataclasses, which may hold themselves."""
    if isinstance(value, np.ndarray):
        return [value]
    if is_dataclass(value):
        value = vars(value)
    if depth == 0 or not isinstance(value, (dict, list, tuple)):
        return []
    items = dict.values(value) if isinstance(value, dict) else value
    return [array for item in items for array in arrays_in(item, depth - 1)]
