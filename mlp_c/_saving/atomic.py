"""Files that are written whole or not at all."""

import errno
import os
import secrets
import stat
from contextlib import suppress
from typing import Any

import numpy as np

from mlp_c._system.blocks import blocks


def write_atomically(path: Any, parts: list[bytes | memoryview]) -> None:
    """Put a file in the place of another, or of none, so that it is on the disk at return.

    Whenever the process or the machine stops, `path` is the old file or the new one. A process
    that is killed may leave a file beside it, ``.<name>.<random digits>.tmp``. A symbolic link
    stays, and what it points to is replaced. A new file has the usual permissions, any other
    those of the file it replaces.

    Raises
    ------
    OSError
        If there is no such directory, or it may not be written to, or the disk is full, or `path`
        is a directory or a device. The old file is as it was.
    """
    path = os.path.realpath(os.fsdecode(path))
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{secrets.token_hex(8)}.tmp")
    try:
        try:
            _write_new(temporary, parts, _mode_of(path))
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):  # the first error tells more
                os.unlink(temporary)
            raise
        _sync_directory(directory)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error  # the path that users know


def _mode_of(path: str) -> int | None:
    """The permissions of a file; None where there is none."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(code, os.strerror(code))
    return stat.S_IMODE(mode)


def _write_new(path: str, parts: list[bytes | memoryview], mode: int | None) -> None:
    """Write a file that is not there yet, to the disk."""
    with open(path, "xb") as file:
        if mode is not None:
            os.chmod(path, mode)
        for part in parts:
            for block in blocks(np.frombuffer(part, np.uint8)):
                file.write(block.data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: str) -> None:
    """Have a change of names on the disk; Windows knows no such thing."""
    if os.name == "nt":
        return
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
