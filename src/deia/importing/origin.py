"""Which transcript a log was made of, so that no other one of the same session takes its place.

A session that was resumed may be in several files that all call it by one id, and a later one may begin with a copy of
an earlier one. So a log is replaced only by what the same file has become, and only where that still begins with every
record that the log was made of.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from deia import system
from deia.importing.journal import first_fields
from deia.importing.report import journal_of

Fields = dict[str, Any]

NAME = "origin"
"""Where the metadata of a log's first line says it."""

_DIGEST_BYTES = 8
_FILE_BYTES = 4

_TOLD_APART_BY = ("type", "uuid", "timestamp", "leafUuid")
"""What makes a record this one. Its text is not among them: a hash of a secret may tell it to whoever guesses."""


class Trail:
    """The records of one file, in order, as one number for each place that it may have ended at."""

    def __init__(self) -> None:
        """Begin with none."""
        self._digests: list[bytes] = []

    def add(self, fields: Fields, length: int) -> None:
        """Take the next record.

        Args:
            fields: The record.
            length: Bytes of its line.
        """
        before = self._digests[-1] if self._digests else b""
        told = repr((before, length, *(_in_brief(fields.get(name)) for name in _TOLD_APART_BY)))
        self._digests.append(blake2b(told.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest())

    @property
    def mark(self) -> list[Any]:
        """How many records there are, and the digest of them all, as the log has it."""
        return [len(self._digests), self._digests[-1].hex() if self._digests else ""]

    def goes_on_from(self, mark: object) -> bool:
        """Whether it begins with all records of a file that had this mark."""
        if type(mark) is not list or len(mark) != len(self.mark):
            return False
        number, digest = mark
        if type(number) is not int or not 0 <= number <= len(self._digests):
            return False
        return number == 0 or self._digests[number - 1].hex() == digest


class Origin:
    """The files that a log is to be made of.

    Attributes:
        file: Which file is the session's own, as a short hash of where it lies.
    """

    def __init__(self, path: str, trails: Sequence[Trail]) -> None:
        """Say which.

        Args:
            path: The session's own file.
            trails: The records of it, and of each other file.
        """
        self._trails = trails
        self._own = blake2b(os.fsencode(system.real_path(path)), digest_size=_FILE_BYTES).hexdigest()
        self.file = self._own

    def session_id(self, directory: Path, agent_id: str, session_id: str) -> str:
        """Return what the session is called in its log: its id, with a suffix where another file's log has that.

        A copy of a file is taken for the file.

        Args:
            directory: Where logs are.
            agent_id: Whose session.
            session_id: Its id.

        Raises:
            OSError: A log there cannot be read.
        """
        apart = f"{session_id}-{self._own}"
        for name in (apart, session_id):
            first = first_fields(journal_of(directory, agent_id, name))
            known = _origin_in(first)
            if self.goes_on_from(first) or known == {**self.object, "file": known.get("file")}:
                self.file = known.get("file", self._own)
                return name
        # what no import has written is no reason for another name: who writes to it tells what it is
        return session_id if first_fields(journal_of(directory, agent_id, session_id)) is None else apart

    @property
    def object(self) -> Fields:
        """What the log says of it."""
        return {"file": self.file, "records": [trail.mark for trail in self._trails]}

    def goes_on_from(self, first: Fields | None) -> bool:
        """Whether a log may be replaced: it is of the same file, and no record of it is missing here.

        Args:
            first: The fields of its first line.
        """
        known = _origin_in(first)
        marks = known.get("records")
        if known.get("file") != self.file or type(marks) is not list:
            return False
        return all(any(trail.goes_on_from(mark) for trail in self._trails) for mark in marks)


def _in_brief(value: object) -> object:
    """Return what tells a value from others; of one that may be of any depth, which none of these is, its type."""
    return value if value is None or isinstance(value, (str, int, float)) else type(value)


def _origin_in(first: Fields | None) -> Fields:
    metadata = (first or {}).get("metadata")
    known = metadata.get(NAME) if type(metadata) is dict else None
    return known if type(known) is dict else {}
