"""The file that an export goes to: whole, or not there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from deia import system


@contextlib.contextmanager
def replacing(path: str) -> Iterator[Path]:
    """Give a name beside a path for a file that is to take its place; where making it fails, all is as it was.

    What is there already must be a plain file: a pipe, say, cannot be replaced by what should go through it.

    Raises:
        OSError: There can be no file; or what is there is none.
    """
    target = Path(path)
    if system.exists(target):
        target = Path(system.real_path(target))
        system.close(system.open_existing(target))
    new = target.with_name(f".{target.name}.exporting-{os.urandom(4).hex()}")
    try:
        yield new
        system.rename(new, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            system.unlink(new)
        raise
