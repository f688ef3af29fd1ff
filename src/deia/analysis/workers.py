"""Several processes that read one journal ahead, a chunk each at a time.

They are fresh interpreters that import this package and nothing else. A fork would be quicker to make, but not beside
other threads, which may hold locks; and `multiprocessing` imports the program's main module again in each of its
processes, which is a surprise where that has no guard.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from deia import system
from deia.analysis.stretch import Stretch, unpack

_CODE = "import sys; sys.path[:0] = sys.argv[4:]; from deia.analysis.worker import main; main(sys.argv[1:4])"
PACKAGES = tuple(
    dict.fromkeys(
        str(Path(spec.origin).parent.parent)
        for spec in map(find_spec, ("deia", "orjson", "msgspec"))  # of which the last is not imported here
        if spec is not None and spec.origin is not None
    )
)

_PIPE_BYTES = 256 * 1024


class WorkersLostError(Exception):
    """The workers did not answer for every chunk, or not by what can be an answer."""


class Workers:
    """The processes, and what they say; to be closed."""

    def __init__(self, journal: int, begin: int, size: int, chunk_bytes: int, count: int) -> None:
        """Start them.

        Args:
            journal: The journal's descriptor, of nobody else's use; its position is at 0.
            begin: Offset in the journal of the first chunk.
            size: Of the journal, bytes.
            chunk_bytes: Of a chunk.
            count: How many processes.

        Raises:
            OSError: None can be started.
        """
        self._chunks = -(-(size - begin) // chunk_bytes)
        self._answers: dict[int, Stretch | None] = {}
        self._begun: dict[int, bytes] = {}
        self._workers: dict[int, system.Process] = {}
        arguments = (str(begin), str(size), str(chunk_bytes), *PACKAGES)
        system.advance(journal, begin)
        try:
            for _ in range(count):
                worker = system.start_python(_CODE, arguments, stdin=journal)
                self._workers[worker.output] = worker
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Stretch | None]:
        """Yield what each chunk amounts to, in order; None where it is not wholly regular.

        Raises:
            WorkersLostError: A worker died, or said something else.
        """
        for number in range(self._chunks):
            while number not in self._answers:
                self._listen()
            yield self._answers.pop(number)

    def close(self) -> None:
        """End them."""
        while self._workers:
            self._workers.popitem()[1].kill()

    def _listen(self) -> None:
        """Wait until a worker says something, and take it down."""
        if not self._workers:
            raise WorkersLostError
        for output in system.wait_readable(list(self._workers)):
            said = system.read(output, _PIPE_BYTES)
            if not said and self._workers.pop(output).end() != 0:
                raise WorkersLostError
            *lines, self._begun[output] = (self._begun.get(output, b"") + said).split(b"\n")
            for line in lines:
                try:
                    number, stretch = unpack(line)
                except (ValueError, TypeError) as error:
                    raise WorkersLostError from error
                self._answers[number] = stretch
