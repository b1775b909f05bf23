"""The bounds that every campaign takes: CALLS, SECONDS and SEED of its make target."""

import argparse
from typing import Any


def parse(description: str | None, **defaults: Any) -> argparse.Namespace:
    """The bounds, by name, and whether the campaign is to be a quick one.

    A default is that of a campaign on demand, or a pair of that and of a quick one.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="within the bounds of CI")
    for name in defaults:
        parser.add_argument(f"--{name}", type=int)
    given = parser.parse_args()
    for name, bounds in defaults.items():
        if getattr(given, name) is None:
            both = bounds if isinstance(bounds, tuple) else (bounds, bounds)
            setattr(given, name, both[given.quick])
    return given
