"""Random generators as plain dicts of what they hold."""

from typing import Any

import numpy as np

from mlp_c._saving import checks

_BIT_GENERATORS = {
    cls.__name__: cls
    for cls in (
        np.random.MT19937,
        np.random.PCG64,
        np.random.PCG64DXSM,
        np.random.Philox,
        np.random.SFC64,
    )
}


def _read(generator: Any) -> Any:
    if isinstance(generator, np.random.RandomState):
        return generator.get_state(legacy=False)
    return generator.bit_generator.state


def encode_generator(value: Any) -> Any:
    """A RandomState or Generator as a dict; anything else, unusual ones included, as it is."""
    if type(value) not in (np.random.RandomState, np.random.Generator):
        return value
    state = _read(value)
    if state["bit_generator"] not in _BIT_GENERATORS:
        return value
    return {"class": type(value).__name__, "state": state}


def decode_generator(name: str, value: Any) -> Any:
    """The generator that a dict stands for; anything else as it is.

    Raises
    ------
    ValueError
        If a dict stands for none, or for one that would read beyond its arrays or never end.
    """
    if not isinstance(value, dict):
        return value
    checks.entries(name, value, ["class", "state"])
    cls = checks.one_of("RandomState", "Generator")(f"{name}.class", value["class"])
    state = value["state"]
    if not isinstance(state, dict):
        checks.refuse(f"{name}.state", "a dict", state)
    bits = checks.one_of(*_BIT_GENERATORS)(
        f"{name}.state.bit_generator", state.get("bit_generator")
    )
    generator = getattr(np.random, cls)(_BIT_GENERATORS[bits](0))
    try:
        if cls == "RandomState":
            generator.set_state(state)
        else:
            generator.bit_generator.state = state
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{name}.state of a state is not one of {bits}: {error}") from error
    _check_use(name, _read(generator))
    return generator


def _check_use(name: str, state: Any) -> None:
    """Refuse what NumPy takes and cannot use."""
    inner = state["state"]
    if state["bit_generator"] == "MT19937":
        key, pos = inner["key"], inner["pos"]
        if not 0 <= pos <= len(key):
            checks.refuse(f"{name}.state.pos", f"from 0 to {len(key)}", pos)
        if not (key[0] >> 31 or key[1:].any()):  # it would give nothing but zeros
            checks.refuse(f"{name}.state.key", "not all zero", key)
    elif state["bit_generator"] == "Philox":
        pos, size = state["buffer_pos"], len(state["buffer"])
        if not 0 <= pos <= size:
            checks.refuse(f"{name}.state.buffer_pos", f"from 0 to {size}", pos)
