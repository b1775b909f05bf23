"""Where other projects describe the names that our pages refer to.

A file `inventories/project.txt` is an inventory of Sphinx as text: a line with the project's
address, the four lines of an inventory's header, and a line for each name. intersphinx reads the
same compressed, so that is what the build makes of it.
"""

import zlib
from pathlib import Path


def _compressed(text, folder):
    address, *lines = text.read_text().splitlines(keepends=True)
    names = "".join(lines[4:])
    inventory = folder / f"{text.stem}.inv"
    inventory.write_bytes("".join(lines[:4]).encode() + zlib.compress(names.encode()))
    return address.strip(), str(inventory)


def _map(app, config):
    texts = (Path(app.confdir) / "inventories").glob("*.txt")
    folder = Path(app.doctreedir)
    folder.mkdir(parents=True, exist_ok=True)
    config.intersphinx_mapping = {text.stem: _compressed(text, folder) for text in sorted(texts)}


def setup(app):
    # Before intersphinx checks the mapping.
    app.connect("config-inited", _map, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
