"""The bytes of one file of a session: the journal, plain or compressed, and what the queue file has beyond it.

The order of reading is the format page's ("Reading"): the window first, then the journal to its end, then the rest.
"""

from __future__ import annotations

import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader, FileIO
from pathlib import Path

from deia import system
from deia.journal.bookmark import Bookmark
from deia.journal.leap import Leaper, Place
from deia.journal.scan import LineScanner, RawLine
from deia.journal.unpack import GZIP_MAGIC, unpack
from deia.queue.layout import Header
from deia.queue.window import Window, is_repeated, read_window

CHUNK_BYTES = 256 * 1024
"""Large enough that the cost per read does not show, small enough for the cache."""

OnEnd = Callable[[int, os.stat_result, Place], None]
"""Told when a plain journal was read to its end for the first time: the open file, its status when it was opened, and
the place behind its last whole line. All lines before have been taken by whoever reads them."""


class Source:
    """One file's lines, read once.

    Attributes:
        path: The journal, as it was asked for.
        journal: The session's first file, with links resolved: the queue file lies beside this one.
        begin: Offset of the first line that is read.
        window: What the queue file held when it was looked at last; None where there is none, or none that can be read.
        queue_problem: Why the queue file cannot be read.
        stream_problem: Why the compressed data could not be read to its end.
        compressed: Whether the journal is packed with gzip.
        journal_bytes: Bytes that came from the journal, unpacked.
        window_bytes: Bytes that came from the window, by their offset.
        unfinished: What stands after the last newline.
        leaper: Says where lines need not be read, in a plain journal.
        on_end: Told when a plain journal was read to its end, before what the window has beyond it.
        on_read: Told the position in the file after each piece.
        status: Of the journal, when it was opened.
        offsets_tell: Whether the window's offsets said what belongs after the journal.
    """

    def __init__(self, path: str | os.PathLike[str], journal: Path | None = None, *, queue: bool = True) -> None:
        self._with_queue = queue
        self.path = os.fspath(path)
        self.journal = Path(system.real_path(self.path)) if journal is None else journal
        self._looked = False
        self.begin = 0
        self._scanner = LineScanner()
        self.window: Window | None = None
        self.queue_problem: str | None = None
        self.stream_problem: str | None = None
        self.compressed = False
        self.journal_bytes = 0
        self.window_bytes = 0
        self.unfinished: RawLine | None = None
        self.offsets_tell = False
        self.leaper: Leaper | None = None
        self.on_end: OnEnd | None = None
        self.on_read: Callable[[int], None] | None = None
        self.status: os.stat_result | None = None
        self._bookmark: Bookmark | None = None

    @property
    def has_queue(self) -> bool:
        """Whether a queue file was there, readable or not."""
        return self.window is not None or self.queue_problem is not None

    def lines(self) -> Iterator[RawLine]:
        """Yield every whole line, in order.

        Raises:
            FileNotFoundError: There is no such journal.
            IsADirectoryError: It is a directory.
            OSError: It cannot be read.
            StaleBookmarkError: Before the place to begin at, it is not what was read before.
        """
        if not self._looked:
            self.look()
        with BufferedReader(system.open_for_reading(self.path), CHUNK_BYTES) as file:
            self.status = system.fstat(file.fileno())
            if self._bookmark is not None:
                self._bookmark.require_content(file.fileno(), self.status)
            self.compressed = file.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
            if self.compressed:
                yield from self._unpack(file)
            else:
                yield from self._follow(file, self.status)
        self.unfinished = self._scanner.take_unfinished()

    def reread(self, size: int, offset: int) -> bytes:
        """Read a piece of a plain journal again; nothing of a compressed one.

        Raises:
            OSError: It cannot be read.
        """
        if self.compressed:
            return b""
        fd = system.open_existing(system.real_path(self.path))
        try:
            return system.pread(fd, size, offset)
        finally:
            system.close(fd)

    def look(self) -> None:
        """Copy the window; before the journal is read, and before a reader finds out which files there are."""
        self._looked = True
        if not self._with_queue:
            return
        try:
            self.window = read_window(self.journal)
            self.queue_problem = None
        except (OSError, ValueError) as error:
            self.window = None
            self.queue_problem = str(error)

    def look_for_another(self) -> bool:
        """Look whether the session has another queue file by now, and copy its window if it has; else keep the copy.

        A newer copy of the same one may begin where the journal had not ended yet when it was read.
        """
        window, problem = self.window, self.queue_problem
        self.look()
        if _header_of(self.window) != _header_of(window):
            return True
        self.window, self.queue_problem = window, problem
        return False

    def begin_at(self, number: int, offset: int) -> None:
        """Leave out what stands before a line: it was read before, when the file ended there."""
        self.begin = offset
        self._scanner = LineScanner(number, offset)

    def begin_at_bookmark(self, bookmark: Bookmark) -> None:
        """Leave out what stands before a bookmark; whether it is the same is found out when the journal is opened."""
        self._bookmark = bookmark
        self.begin = bookmark.place.offset
        self._scanner = LineScanner(bookmark.place.number, self.begin, bookmark.place.previous)

    def see(self, source: Source) -> None:
        """Take over what another file's source saw of the queue file."""
        self._looked = True
        self.window, self.queue_problem = source.window, source.queue_problem

    def _follow(self, file: BufferedReader[FileIO], status: os.stat_result) -> Iterator[RawLine]:
        """Read a plain journal to its end as of now, and on in the window.

        As of now, for a writer may be faster than we are. An end in the middle of a line is a crash's, or that of a
        writer who is at it; so the window is looked at again, for as long as that gets on, and a live session shows no
        torn line. So it is where the journal is ahead of the window.
        """
        limit = status.st_size if stat.S_ISREG(status.st_mode) else sys.maxsize
        end = self.begin
        if end:
            file.seek(end)
        ask_at = None
        if self.leaper is not None and stat.S_ISREG(status.st_mode):
            self.leaper.begin(status, end)
            ask_at = end
        looked_at = -1
        while True:
            while True:
                if end == ask_at:
                    end, ask_at = self._leap(file, end)
                until = limit if ask_at is None else min(limit, ask_at)
                chunk = file.read(max(0, min(CHUNK_BYTES, until - end)))
                if not chunk:
                    break
                end += len(chunk)
                self.journal_bytes += len(chunk)
                yield from self._scanner.feed(chunk)
                if self.on_read is not None:
                    self.on_read(end)
            if self.on_end is not None and looked_at < 0 and stat.S_ISREG(status.st_mode):
                self.on_end(file.fileno(), status, self._place())
            beyond = self._beyond(file.fileno(), status, end)
            self.offsets_tell = beyond is not None
            if beyond:
                end += len(beyond)
                self.window_bytes += len(beyond)
                yield from self._scanner.feed(beyond)
            ahead = self.window is not None and end > self.window.committed and self.window.trusts(status)
            if not (self._scanner.pending or ahead) or end == looked_at or not file.seekable():
                return
            looked_at = end
            # that line is read again from its first byte: what was read of it may be cut, and another line be there
            dropped = self._scanner.drop_unfinished()
            end -= dropped
            self.journal_bytes -= dropped
            self.look()
            status = system.fstat(file.fileno())
            limit = status.st_size
            if self.window is not None and self.window.committed > end and self.window.trusts(status):
                limit = self.window.committed  # a line ends there, and it is all we need
            file.seek(end)

    def _place(self) -> Place:
        """Return the place behind the last whole line."""
        return Place(self._scanner.number, self._scanner.offset, self._scanner.previous, None)

    def _leap(self, file: BufferedReader[FileIO], end: int) -> tuple[int, int | None]:
        """Leap over what need not be read; return where to go on, and where to ask again."""
        scanner = self._scanner
        if self.leaper is None or scanner.pending:
            return end, None  # what stands there has changed since: a stretch begins behind a newline
        place = self.leaper.leap(self._place())
        if place.offset > end:
            self.journal_bytes += place.offset - end
            self._scanner = LineScanner(place.number, place.offset, place.previous)
            file.seek(place.offset)
        return place.offset, place.ask_at

    def _beyond(self, journal: int, status: os.stat_result, end: int) -> bytes | None:
        """Return what the window has beyond the end of the journal; None where offsets do not tell."""
        window = self.window
        if window is None:
            return None
        if end >= window.committed and window.committed not in (self._scanner.previous, self._scanner.offset):
            return None  # one line at most is written before it is committed: the word is damaged
        beyond = window.beyond(status, end)
        return None if beyond and is_repeated(beyond, journal, end) else beyond

    def _unpack(self, file: BufferedReader[FileIO]) -> Iterator[RawLine]:
        """Read a compressed log, as far as it can be unpacked."""
        try:
            for chunk in unpack(file):
                self.journal_bytes += len(chunk)
                yield from self._scanner.feed(chunk)
                if self.on_read is not None:
                    self.on_read(file.tell())
        except (EOFError, zlib.error) as error:
            self.stream_problem = f"the compressed data is cut or damaged: {error}"


def _header_of(window: Window | None) -> Header | None:
    return None if window is None else window.header
