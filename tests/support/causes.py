"""What makes a session go on in another file: done to a running logger by a test, or by the script of one."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deia import system
from deia.queue.layout import queue_path


def reach_size(path: Path) -> None:
    """Nothing to do: `max_segment_bytes` is reached by logging."""


def fail_sync(path: Path) -> None:
    """The next fsync of a journal fails, and no other."""
    real = system.sync

    def fail(fd: int) -> None:
        system.sync = real
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    system.sync = fail


def delete(path: Path) -> None:
    """The journal is deleted."""
    path.unlink()


def move_away(path: Path) -> None:
    """The journal is moved, as a log rotation does."""
    path.rename(path.with_name(path.name + ".1"))


def delete_and_make_again(path: Path) -> None:
    """The journal is deleted, and an empty file made in its place."""
    path.unlink()
    path.touch()


def restore_from_a_backup(path: Path) -> None:
    """An older copy of the journal takes its place."""
    copy = path.with_name("backup")
    lines = path.read_bytes().splitlines(keepends=True)
    copy.write_bytes(b"".join(lines[: len(lines) // 2]))
    copy.replace(path)


def truncate(path: Path) -> None:
    """The journal is cut in the middle of a line."""
    os.truncate(path, path.stat().st_size - 200)


def delete_queue_file(path: Path) -> None:
    """The queue file, and with it the lock, is deleted."""
    queue_path(path).unlink()


def remove_directory(path: Path) -> None:
    """The whole directory is removed."""
    shutil.rmtree(path.parent)


def move_directory_behind_a_link(path: Path) -> None:
    """The directory is copied to another place, and replaced by a link to that."""
    elsewhere = path.parent.with_name("elsewhere")
    shutil.copytree(path.parent, elsewhere)
    shutil.rmtree(path.parent)
    path.parent.symlink_to(elsewhere)


def replace_directory_by_a_link(path: Path) -> None:
    """The directory is removed, and a link to an empty one is in its place."""
    elsewhere = path.parent.with_name("elsewhere")
    elsewhere.mkdir()
    shutil.rmtree(path.parent)
    path.parent.symlink_to(elsewhere)


CAUSES: dict[str, Callable[[Path], object]] = {
    "size": reach_size,
    "sync-failed": fail_sync,
    "deleted": delete,
    "moved": move_away,
    "made-again": delete_and_make_again,
    "backup": restore_from_a_backup,
    "truncated": truncate,
    "queue-deleted": delete_queue_file,
    "directory-removed": remove_directory,
    "directory-moved": move_directory_behind_a_link,
    "directory-linked": replace_directory_by_a_link,
}
"""By the name that tests use."""

REASONS = {
    "size": "size",
    "sync-failed": "sync-failed",
    "deleted": "removed",
    "moved": "removed",
    "made-again": "replaced",
    "backup": "replaced",
    "truncated": "truncated",
    "queue-deleted": "queue-removed",
    "directory-removed": "removed",
    "directory-moved": "replaced",
    "directory-linked": "removed",
}
"""What the segment's first line has to say of each."""

OPTIONS: dict[str, dict[str, Any]] = {"size": {"max_segment_bytes": 64 * 1024}}
"""What a logger needs for it."""
