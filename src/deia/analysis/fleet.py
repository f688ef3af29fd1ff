"""Many sessions, one after the other or in several processes.

The processes are fresh interpreters, for the reasons that `deia.analysis.workers` gives. Their standard input is a file
without a name that lists the journals; they share its position, and use it for a counter: who moves it on by one has
the journal of that number, so that none waits while another has the long ones.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import orjson

from deia import system
from deia.analysis.chunks import SHORT_BYTES, fitting_workers, import_lane
from deia.analysis.figures import Figures
from deia.analysis.sessions import Durations, SessionFigures, look_at
from deia.analysis.usage import ModelUsage
from deia.analysis.workers import PACKAGES
from deia.journal.progress import OnProgress
from deia.journal.segments import Listings

logger = logging.getLogger(__name__)

_CODE = "import sys; sys.path[:0] = sys.argv[1:]; from deia.analysis.fleet import work; work()"
_LIST = 0

_PIPE_BYTES = 256 * 1024

_BYTES_PER_LOG = 100 * 1024
"""To find and open a log takes as long as to read so much of one."""


def look_at_all(
    journals: Sequence[Path], *, workers: int | None = None, on_progress: OnProgress | None = None
) -> Iterator[SessionFigures]:
    """Yield what there is to say of each of many sessions, in their order.

    Memory grows with the number of sessions that one process is ahead of another, and not with their length.

    Args:
        journals: The sessions' first files.
        workers: How many processes look; None for as many as this one may use processors, and as are worth it.
        on_progress: Told how many bytes were read, and how many there are. What it raises ends it.
    """
    sizes = [_size(journal) for journal in journals]
    total = sum(sizes)
    count = _fitting(sizes) if workers is None else workers
    if count < 2 or len(journals) < 2:
        if total > SHORT_BYTES:
            import_lane()
        listings = Listings()
        done = 0
        for journal, size in zip(journals, sizes, strict=True):
            tell = _part_of(on_progress, done, size, total)
            yield look_at(journal, listings=listings, on_progress=tell)
            done += size
        return
    with closing(_Crew(journals, min(count, len(journals)))) as crew:
        done = 0
        for size, figures in zip(sizes, crew, strict=True):
            done += size
            if on_progress is not None:
                on_progress(done, total)
            yield figures


def _size(journal: Path) -> int:
    try:
        return system.stat(journal).st_size
    except OSError:  # what is the matter with it is found out when it is looked at
        return 0


def _fitting(sizes: Sequence[int]) -> int:
    """Return how many processes are worth it."""
    if sizes and 2 * max(sizes) > sum(sizes):
        return 1  # one is as long as all others: its chunks are read by several processes
    return fitting_workers(sum(sizes) + _BYTES_PER_LOG * len(sizes))


def _part_of(on_progress: OnProgress | None, done: int, size: int, total: int) -> OnProgress | None:
    """Return what is to be told of one log's progress, as a part of all."""
    if on_progress is None:
        return None
    return lambda read, there: on_progress(done + size * min(read, there) // max(1, there), total)


class _Crew:
    """Processes that look at sessions; to be closed."""

    def __init__(self, journals: Sequence[Path], count: int) -> None:
        self._journals = journals
        self._answers: dict[int, SessionFigures] = {}
        self._listings = Listings()
        self._begun: dict[int, bytes] = {}
        self._workers: dict[int, system.Process] = {}
        with system.open_scratch() as paths:
            system.write_all(paths.fileno(), b"\0".join(map(os.fsencode, journals)), 0)
            try:
                for _ in range(count):
                    worker = system.start_python(_CODE, PACKAGES, stdin=paths.fileno())
                    self._workers[worker.output] = worker
            except OSError as error:
                logger.info("no process can be started (%s): the logs are read in this one", error)
            except BaseException:
                self.close()
                raise

    def __iter__(self) -> Iterator[SessionFigures]:
        """Yield the answers in order; those that a lost process owes are found here."""
        for number, journal in enumerate(self._journals):
            while number not in self._answers and self._workers:
                self._listen()
            if number in self._answers:
                yield self._answers.pop(number)
            else:
                yield look_at(journal, listings=self._listings)

    def close(self) -> None:
        """End them."""
        while self._workers:
            self._workers.popitem()[1].kill()

    def _listen(self) -> None:
        """Wait until a worker says something, and take it down."""
        for output in system.wait_readable(list(self._workers)):
            said = system.read(output, _PIPE_BYTES)
            if not said:
                if self._workers.pop(output).end() != 0:
                    logger.warning("a process that reads logs was lost: the rest of its part is read in this one")
                continue
            *lines, self._begun[output] = (self._begun.get(output, b"") + said).split(b"\n")
            for line in lines:
                number, figures = _unpack(line, self._journals)
                self._answers[number] = figures


def work() -> None:
    """Look at sessions until none is left, and say what there is to say of each: what one of the processes does."""
    import sys

    import_lane()
    size = system.fstat(_LIST).st_size
    journals = [Path(os.fsdecode(path)) for path in system.pread(_LIST, size, 0).split(b"\0")]
    answer = sys.stdout.buffer
    listings = Listings()
    while (number := system.advance(_LIST, 1)) < len(journals):
        answer.write(_pack(number, look_at(journals[number], workers=1, listings=listings)))
        answer.flush()


def _pack(number: int, found: SessionFigures) -> bytes:
    """Return the line by which a worker tells of a session; its path the other side knows, and it may be no text."""
    problem = None if found.problem is None else found.problem.encode(errors="backslashreplace").decode()
    whose = (found.agent_id, found.session_id, found.state, found.began, found.ended)
    rest = (found.figures, found.durations, found.models, problem)
    return orjson.dumps([number, *whose, *rest], None, orjson.OPT_APPEND_NEWLINE)


def _unpack(line: bytes, journals: Sequence[Path]) -> tuple[int, SessionFigures]:
    number, agent_id, session_id, state, began, ended, figures, durations, models, problem = orjson.loads(line)
    named = {kind: {name: Durations(**each) for name, each in names.items()} for kind, names in durations.items()}
    usage = {name: ModelUsage(**each) for name, each in models.items()}
    path = os.fspath(journals[number])
    found = SessionFigures(path, agent_id, session_id, state, began, ended, Figures(**figures), named, usage, problem)
    return number, found
