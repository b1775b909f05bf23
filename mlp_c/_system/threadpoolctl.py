"""threadpoolctl's view of the extension: one limit, for the whole process."""

from typing import Any

from threadpoolctl import LibController

from mlp_c._system.threads import MAX_THREADS, effective_n_threads
from mlp_c._version import __version__


class _Unlimited(int):
    """How many threads there are without a limit; set as a limit, it is none.

    threadpoolctl restores what it read: the mere number would limit from then on the calls
    that ask for more.
    """


class ThreadLimit(LibController):
    """Reads and sets the most threads that any call may use, whatever it asks for.

    The extension is found by its file's name, which it shares with others (SciPy has a
    ``_core`` too), and told from them by its symbols.
    """

    user_api = "mlp_c"
    internal_api = "mlp_c"
    filename_prefixes = ("_core.",)
    check_symbols = ("mlp_c_get_num_threads", "mlp_c_set_num_threads")

    def get_num_threads(self) -> int:
        """Return the limit, or what a call without a number uses where there is none."""
        return self.dynlib.mlp_c_get_num_threads() or _Unlimited(effective_n_threads())

    def set_num_threads(self, num_threads: Any) -> None:
        """Set the limit; none where it is less than 1."""
        none = isinstance(num_threads, _Unlimited) or num_threads < 1
        self.dynlib.mlp_c_set_num_threads(0 if none else min(int(num_threads), MAX_THREADS))

    def get_version(self) -> str:
        """Return the package's version."""
        return __version__
