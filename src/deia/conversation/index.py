"""`INDEX.md`: the conversations of a directory, the newest first, whichever processes keep them."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from deia import system
from deia.conversation.descriptors import close, hold, lock
from deia.conversation.markdown import inline
from deia.conversation.page import SUFFIX, link_to
from deia.conversation.view import FRONT_BYTES, front_of

NAME = "INDEX.md"

_MARK = "<!-- Kept by Deia, from the files that it lists: what is written here is written over. -->"
_HEAD = (
    f"# Conversations\n\n{_MARK}\n\n"
    "| Began (UTC) | Conversation | Agent | State | Messages | Tool calls | Decisions | Open items |\n"
    "| --- | --- | --- | --- | ---: | ---: | ---: | ---: |\n"
)
_LOCK_TRIES = 500
_LOCK_PAUSE_S = 0.01


def update(directory: Path) -> None:
    """Have the index say what the conversations of a directory say by now.

    What it says is read while the directory is locked, so the last one to write it has seen all that was there. Each
    reader finds a whole index, the old one or the new one. An `INDEX.md` that is not ours is left alone.

    Raises:
        OSError: It cannot be read or written.
    """
    fd = hold(system.open_directory(directory))
    try:
        lock(fd, directory, tries=_LOCK_TRIES, pause_s=_LOCK_PAUSE_S, why_not="another process is at the index")
        _write(directory)
    finally:
        close(fd)


def _write(directory: Path) -> None:
    path = directory / NAME
    there = _read(path)
    if there is not None and _MARK.encode() not in there[:FRONT_BYTES]:
        raise FileExistsError(errno.EEXIST, "there is an index that is not kept by Deia", str(path))
    text = _text(directory).encode()
    if text == there:
        return
    new = directory / f".{NAME}.new"
    fd = system.open_or_create(new)  # one may be there, of somebody who was killed
    try:
        system.ftruncate(fd, 0)
        system.write_all(fd, text, 0)
    finally:
        system.close(fd)
    system.rename(new, path)


def _read(path: Path) -> bytes | None:
    try:
        fd = system.open_existing(path)
    except FileNotFoundError:
        return None
    try:
        return system.pread(fd, system.fstat(fd).st_size, 0)
    finally:
        system.close(fd)


def _text(directory: Path) -> str:
    rows = []
    for name in sorted(system.list_directory(directory), reverse=True):
        if name.endswith(SUFFIX) and not name.startswith("."):
            row = _row(directory / name)
            if row is not None:
                rows.append(row)
    return _HEAD + "".join(rows)


def _row(path: Path) -> str | None:
    try:
        fd = system.open_existing(path)
    except OSError:  # removed since, or no file
        return None
    try:
        front = front_of(system.pread(fd, FRONT_BYTES, 0))
        kept = system.is_locked(fd)
    finally:
        system.close(fd)
    if front is None:
        return None
    state = str(front.get("status", ""))
    if state == "recording" and kept is False:
        state = "interrupted"
    title = inline(str(front.get("title") or front.get("agent", "")), 80) or path.stem
    cells = [
        inline(str(front.get("started", ""))[:16].replace("T", " ")),
        f"[{title}]({link_to(path)})",
        inline(str(front.get("agent", ""))),
        inline(state),
        *(_number(front, name) for name in ("messages", "tool_calls", "decisions", "action_items_open")),
    ]
    return f"| {' | '.join(cells)} |\n"


def _number(front: dict[str, Any], name: str) -> str:
    value = front.get(name)
    return f"{value:,}" if type(value) is int else ""
