"""Progress on stderr: a bar on a terminal, lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Yields a function to call with a line of text after each of `total` steps."""
    if not sys.stderr.isatty():
        yield lambda text: print(text, file=sys.stderr, flush=True)
        return
    from tqdm import tqdm

    with tqdm(total=total, bar_format="{l_bar}{bar}| {elapsed}<{remaining} {postfix}") as bar:

        def step(text: str) -> None:
            bar.set_postfix_str(text)
            bar.update()

        yield step
