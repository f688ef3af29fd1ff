"""Read a journal ahead of its reader, chunk by chunk, in this process or in several."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from io import FileIO

from deia import system
from deia.analysis.session import SessionAccumulator
from deia.analysis.stretch import Stretch
from deia.analysis.workers import Workers, WorkersLostError

logger = logging.getLogger(__name__)

CHUNK_BYTES = 4 * 1024 * 1024
"""The shortest chunk: adding it up costs little beside reading it."""

LONGEST_CHUNK_BYTES = 16 * 1024 * 1024
"""The longest: one line out of order costs no more, and what a chunk amounts to takes little memory."""

_CHUNKS_PER_WORKER = 16
"""At least, where chunks may be so short: then all end at about the same time."""

_LANE = "deia.analysis.plain_lane"

SHORT_BYTES = 2 * 1024 * 1024
"""A journal up to which the reader is left alone with it: to import what reads ahead takes as long, where that has not
been imported yet."""

BYTES_PER_WORKER = 16 * 1024 * 1024
"""What a worker should have to do, at least: to start one costs as much as to read a third of that."""


def import_lane() -> None:
    """Import what reads ahead, which is worth it where many logs are read, however short each of them is."""
    import deia.analysis.plain_lane  # noqa: F401  # that it is there is all that is wanted


def fitting_workers(size: int) -> int:
    """Return how many processes so many bytes of a journal are worth."""
    return max(1, min(system.usable_processors(), size // BYTES_PER_WORKER))


class Chunks:
    """Reads journals ahead in chunks, and hands what they amount to to an accumulator.

    Where no process can be started, or one is lost, the chunks that are missing are read here.
    """

    def __init__(
        self, accumulator: SessionAccumulator, *, workers: int | None = None, chunk_bytes: int | None = None
    ) -> None:
        """Read for an accumulator.

        Args:
            accumulator: Gets the stretches that the reader leaps over.
            workers: How many processes read; None for as many as may be used and are worth it.
            chunk_bytes: Size of a chunk; None for one that fits the journal.
        """
        self._accumulator = accumulator
        self._count = workers
        self._given_chunk_bytes = chunk_bytes
        self._chunk_bytes = CHUNK_BYTES
        self._file: FileIO | None = None
        self._begin = 0
        self._size = 0
        self._workers: Workers | None = None
        self._stretches: Iterator[Stretch] = iter(())
        self._next: Stretch | None = None

    def open(self, path: str, status: os.stat_result, begin: int) -> None:
        """Begin with a journal that the reader has opened, at an offset where a line begins."""
        self.close()
        try:
            self._file = system.open_for_reading(path)
        except OSError:  # it is gone by now, say; the reader has it open
            return
        here = system.fstat(self._file.fileno())
        if (here.st_dev, here.st_ino) != (status.st_dev, status.st_ino):
            return  # another file is there by now: the reader has the right one
        if self._given_chunk_bytes is None and status.st_size - begin <= SHORT_BYTES and _LANE not in sys.modules:
            return
        self._begin, self._size = begin, status.st_size
        self._start_workers()
        self._stretches = self._read()
        self.drop()

    def close(self) -> None:
        """Read no further."""
        self._stretches, self._next = iter(()), None
        if self._workers is not None:
            self._workers.close()
            self._workers = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def next(self) -> Stretch | None:
        """Return the stretch that comes next."""
        return self._next

    def drop(self) -> None:
        """Forget that stretch."""
        self._next = next(self._stretches, None)

    def fits(self) -> bool:
        """Whether the accumulator can add it."""
        return self._next is not None and self._accumulator.fits(self._next)

    def take(self) -> None:
        """Have the accumulator add it."""
        assert self._next is not None
        self._accumulator.add(self._next)
        self.drop()

    def _start_workers(self) -> None:
        size = self._size - self._begin
        count = fitting_workers(size) if self._count is None else self._count
        fitting = min(max(CHUNK_BYTES, size // (_CHUNKS_PER_WORKER * count)), LONGEST_CHUNK_BYTES)
        self._chunk_bytes = self._given_chunk_bytes or fitting
        count = min(count, -(-size // self._chunk_bytes))
        if count < 2:
            return
        assert self._file is not None
        try:
            self._workers = Workers(self._file.fileno(), self._begin, self._size, self._chunk_bytes, count)
        except OSError as error:
            logger.info("no process can be started (%s): the log is read in this one", error)

    def _read(self) -> Iterator[Stretch]:
        """Yield the regular stretches, in order; up to where the file cannot be read, which the reader will report."""
        read = 0
        if self._workers is not None:
            try:
                for stretch in self._workers:
                    read += 1
                    if stretch is not None:
                        yield stretch
            except WorkersLostError:
                logger.warning("a process that reads the log was lost: the rest is read in this one")
                self._workers.close()
        assert self._file is not None
        fd = self._file.fileno()
        from deia.analysis.plain_lane import read_stretch  # with msgspec, which only this needs

        for begin in range(self._begin + read * self._chunk_bytes, self._size, self._chunk_bytes):
            end = min(begin + self._chunk_bytes, self._size)
            try:
                stretch = read_stretch(lambda count, at: system.pread(fd, count, at), begin, end, self._size)
            except OSError:
                return
            if stretch is not None:
                yield stretch
