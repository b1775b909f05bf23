"""What this build is and what it runs on."""

from typing import Any, Literal

from mlp_c import _core
from mlp_c._system.threads import MAX_THREADS, effective_n_threads
from mlp_c._version import __version__


def show_config(mode: Literal["stdout", "dicts"] = "stdout") -> dict[str, Any] | None:
    """Show the version, the instruction set in use, threads, compiler and flags.

    Parameters
    ----------
    mode : {'stdout', 'dicts'}, default='stdout'
        Whether to print or to return them, as ``numpy.show_config`` does.

    Returns
    -------
    dict or None
        With 'dicts': 'version', 'isa' (in use), 'supported_isas' (what this build
        has and this machine runs, worst first), 'n_threads' (the default),
        'compiler' and 'build_flags'.

    Raises
    ------
    ValueError
        If `mode` is neither.

    Notes
    -----
    The environment variable ``MLP_C_ISA``, read at import, names the best
    instruction set to use.

    Examples
    --------
    >>> import mlp_c
    >>> sorted(mlp_c.show_config(mode="dicts"))
    ['build_flags', 'compiler', 'isa', 'n_threads', 'supported_isas', 'version']
    """
    n_threads = min(effective_n_threads(), _core.thread_limit() or MAX_THREADS)
    config = {"version": __version__, "n_threads": n_threads, **_core.config()}
    if mode == "dicts":
        return config
    if mode != "stdout":
        raise ValueError(f"mode must be 'stdout' or 'dicts', got {mode!r}")
    for name in ("version", "isa", "supported_isas", "n_threads", "compiler", "build_flags"):
        value = config[name]
        print(f"{name:>14}: {' '.join(value) if isinstance(value, list) else value}")
    return None
