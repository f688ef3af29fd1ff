"""The consumer's side of a session, without its timing: what is written, what is durable, and what is wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from deia import system
from deia.journal.files import DisplacedError, SessionFiles
from deia.queue.producer import Direct, Entry, Producer

BATCH_BYTES = 512 * 1024
"""What one write to the journal takes: half of a ring of the default size, so that a flood of events is held up by few
writes; each takes the interpreter from the caller twice, for as long as a copy takes (100 µs or so) and a bit."""


class Writer:
    """Writes a queue's bytes at their offsets in the journal. Any thread may, and several at once do no harm.

    Attributes:
        files: The open session's; None before, after, and while no file can be made.
        durable: Session offset up to which an fsync has returned.
        error: What keeps the journal from being written or synced; None while all is well.
        failures: How often that happened: a waiter sees by it that an attempt made since has failed.
        sync_error: The fsync that failed. What it should have covered is of unknown durability, and a later one that
            succeeds would say nothing about it: from then on nothing more counts as durable.
    """

    def __init__(self, producer: Producer, on_progress: Callable[[], None]) -> None:
        self.files: SessionFiles | None = None
        self.durable = 0
        self.error: Exception | None = None
        self.failures = 0
        self.sync_error: OSError | None = None
        self._producer = producer
        self._on_progress = on_progress

    def begin(self, files: SessionFiles) -> None:
        """Write to these files from now on; nobody knows yet how much of what they hold is durable."""
        self.files = files
        self.durable = 0
        self.sync_error = self.sync_error or files.recovery.sync_error
        self.error = self.sync_error

    def go_on(self, files: SessionFiles) -> None:
        """Write to the files of the next segment from now on; they hold all that the ones before did not make safe."""
        self.files = files
        self.error = self.sync_error = None

    def drain(self, deadline: float | None = None, target: int | None = None) -> None:
        """Write whatever is not in the journal yet, what is committed meanwhile too.

        Args:
            deadline: Monotonic seconds after which no further batch is begun.
            target: Session offset up to which it has to be written; threads that never stop logging would keep who
                waits for more for ever.

        Raises:
            OSError: The journal cannot be written.
        """
        while (files := self.files) is not None and (target is None or self._producer.flushed < target):
            start, data = self._producer.copy_unflushed(BATCH_BYTES)
            if not data or (deadline is not None and system.monotonic() >= deadline):
                return
            if self._producer.home is not files:
                continue  # it went on in other files meanwhile
            try:
                self.wrote(files.write_all(data, start))
            except OSError:
                if self.files is files:  # else they were closed under this write, after everything was written
                    raise

    def try_to_drain(self) -> None:
        """Write what was committed before this call; an error is noted."""
        try:
            self.drain(target=self._producer.end)
        except OSError as error:
            self.failed(error)

    def wrote(self, offset: int) -> None:
        """Note that the journal is written up to an offset."""
        self.error = self.sync_error
        self._producer.advance(offset)
        self._on_progress()

    def failed(self, error: Exception) -> None:
        """Note that the journal could not be written."""
        self.error = error
        self.failures += not isinstance(error, DisplacedError)  # that is for the session to go on in another segment
        self._on_progress()

    def sync(self) -> None:
        """fsync the journal, if something in it is not durable yet; an error is noted."""
        files, offset = self.files, self._producer.flushed
        if files is None or self.sync_error is not None or self.durable >= offset:
            return
        try:
            files.sync()
        except OSError as error:
            if self.files is files:  # else it was closed meanwhile, after a sync of its own
                self.sync_error = error
                self.failed(error)
        else:
            if self.files is files or self.files is None:  # else what it covered may be repeated in other files
                self.durable = max(self.durable, offset)
            self._on_progress()

    def write_directly(self, start: int, seq: int, entry: Entry) -> bool | None:
        """Write a line to the journal at its offset, after everything before it, and commit it.

        The caller holds the session's lock; what may still come between is a call made inside this one.

        Returns:
            Whether it was committed: False if another line came first, None if the journal cannot be written.
        """
        producer = self._producer
        direct = Direct(start, entry)
        try:
            self.drain()
            if self.files is not None:
                self.files.require_place_now_and_then(start)
        except OSError as error:
            self.failed(error)
            return None
        # fmt: off
        if producer.seq == seq and producer.flushed == start and producer.end == start: producer.limit = -1; producer.direct = direct  # noqa: E501, E701, E702
        # fmt: on
        if producer.direct is not direct and not direct.committed:
            return False
        self.finish_direct()
        if direct.committed:
            self.error = self.sync_error
            return True
        return None

    def finish_direct(self) -> None:
        """Write and commit the line that is being written directly, if there is one; an error is noted.

        With the session's lock held. Each write, the commit and the cut are one section with the check that the line is
        still pending: once a call made inside this one has finished it, nothing more is written in its place.
        """
        producer, files = self._producer, self.files
        direct = producer.direct
        if direct is None or files is None:
            return
        pwrite, ftruncate, start = system.pwrite, system.ftruncate, direct.start - files.base
        line = memoryview(direct.entry.line)
        direct.writer = threading.get_ident()
        try:
            with files.in_use() as fd:
                try:
                    while producer.direct is direct and direct.written < len(line):
                        left = line[direct.written :]
                        offset = start + direct.written
                        # fmt: off
                        if producer.direct is direct: direct.written += pwrite(fd, left, offset)  # noqa: E701
                        # fmt: on
                    producer.commit_written(direct)
                except OSError as error:
                    with suppress(OSError):  # no whole line is there, and the next one covers what is
                        # fmt: off
                        if producer.direct is direct: producer.direct = None; ftruncate(fd, start)  # noqa: E701, E702
                        # fmt: on
                    self.failed(error)
        except OSError as error:  # after a rest the journal could not be opened again
            # fmt: off
            if producer.direct is direct: producer.direct = None  # noqa: E701
            # fmt: on
            self.failed(error)
        finally:
            direct.writer = 0
        self._on_progress()
