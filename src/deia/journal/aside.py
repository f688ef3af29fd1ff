"""Keep a file as it was, under a second name, before another one takes its place."""

from __future__ import annotations

import contextlib
from pathlib import Path

from deia import system

_COPY_BYTES = 1024 * 1024
"""Written at a time: large enough that the cost per write does not show."""


def set_aside(file: Path, name: Path) -> Path:
    """Give a file a second name, the first free one of `name`-1, `name`-2 …, under which it stays.

    Done again after a death before its first name was taken away, it gives no third.

    Raises:
        OSError: It cannot be.
    """
    number = 0
    while True:
        number += 1
        aside = name.with_name(f"{name.name}-{number}")
        try:
            system.link(file, aside)
        except FileExistsError:
            if not _is_same(file, aside):
                continue
        except OSError:  # a file system without second names, or another file system
            try:
                _copy(file, aside)
            except FileExistsError:
                continue
        return aside


def _is_same(file: Path, aside: Path) -> bool:
    here, there = system.lstat(file), system.lstat(aside)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _copy(file: Path, aside: Path) -> None:
    with contextlib.ExitStack() as stack:
        source = system.open_existing(file)
        stack.callback(system.close, source)
        target = system.open_new(aside)
        stack.callback(system.close, target)
        try:
            at = 0
            while data := system.pread(source, _COPY_BYTES, at):
                at = system.write_all(target, data, at)
            system.sync(target)
        except BaseException:
            system.unlink(aside)
            raise
