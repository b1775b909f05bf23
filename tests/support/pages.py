"""The examples in pages of prose."""

import re

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def python_blocks(text):
    """The blocks of Python in a page's text."""
    return _BLOCK.findall(text)
