"""The Markdown file of one session: how it is made, grown, taken up again after a crash, and completed.

`docs/reference/conversation-file.md` has the protocol, and what a death between any two steps leaves.
"""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote as url_quote
from zlib import crc32

from deia import system
from deia.conversation.descriptors import close, hold, lock
from deia.conversation.rendering import moment
from deia.conversation.view import BODY, FORMAT, Identity, View, front_of
from deia.errors import NotASessionLogError
from deia.journal.aside import set_aside
from deia.journal.reader import read_entries

SUFFIX = "-conversation.md"

_STEM_BYTES = 200
"""The file system's 255 less the time, the suffix, and what further names of the file add: `.aside-12`."""

_TOP_BYTES = 1024 * 1024
"""What stands before the pieces of the events is shorter by far."""

_CHUNK_BYTES = 256 * 1024
_BATCH = 1024
_LOCK_TRIES = 50
_LOCK_PAUSE_S = 0.004
"""Whoever asks whether a file is locked holds it for an instant."""


class DiffersError(Exception):
    """A file does not say what its journal says: somebody has changed it, or it was written in another format.

    Attributes:
        keep: Whether somebody may miss what it said.
    """

    def __init__(self, *, keep: bool) -> None:
        super().__init__(keep)
        self.keep = keep


def identify(journal: Path) -> Identity:
    """Return whose journal it is.

    Raises:
        OSError: It cannot be read.
        NotASessionLogError: There is no event in it that says so.
    """
    for entry in read_entries(journal):
        event = entry.event
        if event.agent_id is not None and event.session_id is not None:
            start = entry.session_start
            return Identity(event.agent_id, event.session_id, journal.name, event.timestamp if start is None else start)
    raise NotASessionLogError(f"{journal} has no event of a session that could be shown", path=journal)


def events_of(journal: Path, session_id: str) -> Iterator[Any]:
    """Yield the events of a session in order, as who subscribes with a replay gets them, but for the users' classes."""
    seen = 0
    for entry in read_entries(journal):
        event = entry.event
        if event.session_id == session_id and (event.seq or 0) > seen:
            seen = event.seq or 0
            yield event


def file_stem(stem: str) -> str:
    """Return the part of a file's name that tells whose conversation it is, from `{agent}_{session}`."""
    raw = stem.encode(errors="surrogateescape")  # a name in a directory may be no text
    return stem if len(raw) <= _STEM_BYTES else f"{raw[: _STEM_BYTES - 9].decode(errors='ignore')}-{crc32(raw):08x}"


def path_of(directory: Path, identity: Identity) -> Path:
    """Return the file of a session: the one that is there, or else the name that it gets.

    Raises:
        OSError: The directory cannot be read.
    """
    stem = file_stem(f"{identity.agent_id}_{identity.session_id}")
    pattern = re.compile(rf"\d{{8}}-\d{{6}}-{re.escape(stem + SUFFIX)}")
    there = sorted(filter(pattern.fullmatch, system.list_directory(directory)))
    if there:
        return directory / there[0]
    day, clock = moment(identity.started)
    began = f"{day}-{clock}".replace(":", "") if day else "0000-00-00-000000"
    return directory / f"{began[:10].replace('-', '')}-{began[11:]}-{stem}{SUFFIX}"


class Page:
    """A file that is open, and locked, for growing.

    Growing begins at the first event of the session, in a file that has it already: what is there is compared, what is
    not is appended.

    Attributes:
        path: Where it is.
        identity: Whose conversation it is.
    """

    def __init__(self, path: Path, fd: int, identity: Identity, body_at: int, size: int) -> None:
        self.path = path
        self.identity = identity
        self._fd = fd
        self._body_at = self._at = body_at
        self._size = size

    @classmethod
    def adopt(cls, path: Path, identity: Identity) -> Page | None:
        """Take up a file; None where there is none.

        Raises:
            OSError: It cannot be opened, is a link, or somebody else keeps it.
            DiffersError: It is no conversation of this session.
        """
        try:
            fd = hold(system.open_existing(path, writable=True))
        except FileNotFoundError:
            return None
        try:
            _lock(fd, path)
            head = system.pread(fd, _TOP_BYTES, 0)
            found = front_of(head)
            front = View(identity).front("recording")
            body = head.find(BODY)
            mine = front_of(front)
            assert mine is not None
            if found is None or found["format"] != FORMAT:
                raise DiffersError(keep=found is None)
            same = all(found.get(name) == mine[name] for name in ("agent", "session", "journal", "started"))
            if not same or body < 0 or head[len(front) - 4 : len(front)] != b"---\n":
                raise DiffersError(keep=True)
            return cls(path, fd, identity, body + len(BODY), system.fstat(fd).st_size)
        except BaseException:
            close(fd)
            raise

    def put(self, data: bytes, view: View) -> bool:
        """Have the next bytes of the body in the file, and then what the front matter says of them.

        Returns:
            Whether some were not there yet.

        Raises:
            OSError: It cannot be written.
            DiffersError: Other bytes are there, or the file is not where it was.
        """
        self._look()
        grows = False
        if data:
            there = system.pread(self._fd, min(len(data), max(0, self._size - self._at)), self._at)
            if there != data[: len(there)]:
                same = next(at for at, byte in enumerate(there) if byte != data[at])
                if not self._ends_in_zeros(self._at + same):
                    raise DiffersError(keep=True)
                system.ftruncate(self._fd, self._at)  # what a loss of power has left of an append
                self._size = self._at
            end = self._at + len(data)
            grows = end > self._size
            if grows:
                system.write_all(self._fd, data, self._at)
                self._size = end
            self._at = end
        if self._at == self._size:  # else it knows more already than we do by now
            system.write_all(self._fd, view.front("recording"), 0)
        return grows

    def complete(self, view: View) -> None:
        """Sum it up at its top, and say that it is complete: by another file in its place.

        Raises:
            OSError: That cannot be written.
            DiffersError: There is more in the file than there should be, or it is not where it was.
        """
        self._look()
        if self._at < self._size:
            raise DiffersError(keep=True)
        close(_replace(self.path, [*_head(view, "complete"), *self._body()]))

    def _body(self) -> Iterator[bytes]:
        at = self._body_at
        while at < self._at:
            chunk = system.pread(self._fd, min(_CHUNK_BYTES, self._at - at), at)
            if not chunk:
                raise OSError(errno.EIO, "the conversation cannot be read back", str(self.path))
            at += len(chunk)
            yield chunk

    def _look(self) -> None:
        """Make sure that the file is where it was, and nobody has written to it."""
        here = system.fstat(self._fd)
        try:
            there = system.lstat(self.path)
        except FileNotFoundError:
            raise DiffersError(keep=False) from None
        if (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino) or here.st_size != self._size:
            raise DiffersError(keep=True)

    def _ends_in_zeros(self, at: int) -> bool:
        while at < self._size:
            chunk = system.pread(self._fd, _CHUNK_BYTES, at)
            if not chunk or chunk.strip(b"\0"):
                return False
            at += len(chunk)
        return True

    def release(self) -> None:
        """Let go of the file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            close(fd)


def write_whole(journal: Path, identity: Identity, path: Path, status: str) -> Page:
    """Write the file anew from its journal, in the place of whatever is there.

    Args:
        journal: The journal.
        identity: Whose it is.
        path: The file.
        status: What its front matter says: `"recording"` or `"complete"`.

    Returns:
        The file, locked; to be grown from its beginning.

    Raises:
        OSError: The journal cannot be read, or the file not be written; then what was there is there still.
    """
    survey, events = View(identity), 0
    for event in events_of(journal, identity.session_id):
        survey.add(event)
        events += 1
    head = _head(survey, status)
    fd = _replace(path, _chain(head, _render(islice(events_of(journal, identity.session_id), events), identity)))
    return Page(path, fd, identity, sum(map(len, head)), system.fstat(fd).st_size)


def bring_up_to_date(journal: Path) -> Path:
    """Have the file of a session say all that its journal says, and be complete.

    Returns:
        The file.

    Raises:
        OSError: The journal cannot be read, the file cannot be written, or somebody keeps it.
        NotASessionLogError: There is nothing in the journal that could be shown.
    """
    identity = identify(journal)
    path = path_of(journal.parent, identity)
    page = None
    try:
        page = Page.adopt(path, identity)
        if page is None:
            page = write_whole(journal, identity, path, "complete")
            return path
        view = View(identity)
        events = events_of(journal, identity.session_id)
        while batch := list(islice(events, _BATCH)):
            page.put(b"".join(map(view.add, batch)), view)
        page.complete(view)
    except DiffersError as difference:
        if difference.keep:
            put_aside(path)
        write_whole(journal, identity, path, "complete").release()
    finally:
        if page is not None:
            page.release()
    return path


def put_aside(path: Path) -> None:
    """Keep a file under a second name, if it is there, before another one takes its place.

    Raises:
        OSError: That cannot be.
    """
    with contextlib.suppress(FileNotFoundError):
        set_aside(path, path.with_name(f"{path.name}.aside"))


def link_to(path: Path) -> str:
    """Return the target of a link in the same directory."""
    return url_quote(path.name)


def _head(view: View, status: str) -> list[bytes]:
    return [view.front(status), view.top(summed_up=status == "complete")]


def _chain(head: list[bytes], body: Iterable[bytes]) -> Iterator[bytes]:
    yield from head
    yield from body


def _render(events: Iterable[Any], identity: Identity) -> Iterator[bytes]:
    view = View(identity)
    pieces: list[bytes] = []
    size = 0
    for event in events:
        piece = view.add(event)
        pieces.append(piece)
        size += len(piece)
        if size >= _CHUNK_BYTES:
            yield b"".join(pieces)
            pieces.clear()
            size = 0
    yield b"".join(pieces)


def _replace(path: Path, chunks: Iterable[bytes]) -> int:
    """Write a file under another name, have it on the disk, and give it its name; return it, open and locked.

    Raises:
        OSError: It cannot be, or somebody else is at it.
    """
    new = path.with_name(f".{path.name}.new")
    fd = hold(system.open_or_create(new))  # one may be there, of somebody who was killed
    is_ours = False
    try:
        _lock(fd, new)
        is_ours = True
        system.ftruncate(fd, 0)
        at = 0
        for chunk in chunks:
            at = system.write_all(fd, chunk, at)
        system.sync(fd)
        system.rename(new, path)
        is_ours = False
        system.sync_directory(path.parent)
    except BaseException:
        if is_ours:
            with contextlib.suppress(OSError):  # the next one writes over it
                system.unlink(new)
        close(fd)
        raise
    return fd


def _lock(fd: int, path: Path) -> None:
    """Lock a file, and make sure that it is the one at its path.

    Raises:
        OSError: Somebody else has locked it, or has put another one in its place.
    """
    lock(fd, path, tries=_LOCK_TRIES, pause_s=_LOCK_PAUSE_S, why_not="somebody else keeps this conversation")
    here, there = system.fstat(fd), system.lstat(path)
    if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
        raise BlockingIOError(errno.EAGAIN, "somebody else has put another file there", str(path))
