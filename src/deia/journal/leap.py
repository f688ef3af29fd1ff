"""How a reader leaves lines to somebody who reads ahead of it.

Most of a long journal is regular: nothing in it needs a reader's care, and what wants only its figures can have them
cheaper. So a reader may be given one who reads ahead, in stretches of whole lines. At the beginning of each, when all
before it has been read, the reader looks whether the stretch goes on where it stands; then it leaps over it, with its
own state as if it had read every line. Everything else it reads itself.
"""

from __future__ import annotations

import os
from typing import NamedTuple, Protocol


class Lines(Protocol):
    """Whole lines of one session that follow each other, without anything that would have to be reported.

    Attributes:
        begin: Offset of the first byte.
        end: Offset after the last.
        last: Offset of the last line.
        lines: How many there are.
        session_id: Whose they are.
        first_seq: `seq` of the first; it counts up by one from there.
        last_seq: Of the last.
    """

    begin: int
    end: int
    last: int
    lines: int
    session_id: str
    first_seq: int

    @property
    def last_seq(self) -> int: ...


class ReadAhead(Protocol):
    """Reads plain journals ahead of a reader, one after the other; stretches come in order."""

    def open(self, path: str, status: os.stat_result, begin: int) -> None:
        """Begin with a journal that the reader has opened, at an offset where a line begins."""

    def next(self) -> Lines | None:
        """Return the stretch that comes next; the same again until it was dropped or taken, None after the last."""

    def drop(self) -> None:
        """Forget that stretch: the reader reads it."""

    def fits(self) -> bool:
        """Whether it can be taken, as far as whoever takes it is concerned."""

    def take(self) -> None:
        """Take it: the reader leaps over it."""


class Place(NamedTuple):
    """Where to go on, and where to ask again.

    Attributes:
        number: Number of the next line.
        offset: Of its first byte.
        previous: Offset of the line before.
        ask_at: Offset at which the next stretch begins; None where there is none.
    """

    number: int
    offset: int
    previous: int
    ask_at: int | None


class Leaper(Protocol):
    """What a file's source asks where it may leap."""

    def begin(self, status: os.stat_result, offset: int) -> None:
        """Take it that the file was opened, to be read from an offset on, where a line begins."""

    def leap(self, place: Place) -> Place:
        """Leap from a place, where all before it was read, as far as that can be done at once."""
