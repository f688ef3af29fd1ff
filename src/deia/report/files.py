"""Put a page where it is wanted."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

from deia import system

BEGINNING = b"<!doctype html>"
"""Of a page; a file that begins otherwise is something else, a session log by mistake perhaps."""


def write_page(path: Path, data: bytes) -> None:
    """Write a page, private to the user as the log is; a reader never sees half of it.

    Args:
        path: Where, in a directory that exists; a page that is there is replaced.
        data: The page.

    Raises:
        FileExistsError: There is a file that is no page.
        OSError: It cannot be written; then what was there is there still.
    """
    _refuse_what_is_no_page(path)
    temporary = path.with_name(f".{path.name}.{system.process_id()}.tmp")
    fd = system.open_new(temporary)
    try:
        try:
            system.write_all(fd, data, 0)
        finally:
            system.close(fd)
        system.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            system.unlink(temporary)
        raise


def _refuse_what_is_no_page(path: Path) -> None:
    try:
        with system.open_for_reading(path) as file:
            beginning = file.read(len(BEGINNING))
    except FileNotFoundError:
        return
    if beginning and beginning != BEGINNING:
        raise FileExistsError(errno.EEXIST, "there is a file that is no page: it is not overwritten", str(path))
