"""What happens to the files of a run, one operation at a time; files are known by number, directories by path."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Create:
    """A file comes to be, empty, under a name."""

    path: str
    file: int


@dataclass(frozen=True)
class MakeDirectory:
    """A directory comes to be."""

    path: str


@dataclass(frozen=True)
class Rename:
    """A name takes the place of another one."""

    path: str
    target: str


@dataclass(frozen=True)
class Link:
    """A file gets a second name."""

    path: str
    target: str


@dataclass(frozen=True)
class Unlink:
    """A name goes."""

    path: str


@dataclass(frozen=True)
class Write:
    """Bytes are put into a file: by a write, or by a store to a mapping of it."""

    file: int
    offset: int
    data: bytes
    stored: bool = False

    def __repr__(self) -> str:
        how = "store" if self.stored else "write"
        return f"{how}(file={self.file}, offset={self.offset}, {len(self.data)} bytes {self.data[:24]!r}…)"


@dataclass(frozen=True)
class Truncate:
    """A file gets another size."""

    file: int
    size: int


@dataclass(frozen=True)
class Sync:
    """An fsync of a file has returned; or has failed, and then nobody knows."""

    file: int
    failed: bool = False


@dataclass(frozen=True)
class SyncDirectory:
    """An fsync of a directory has returned."""

    path: str


@dataclass(frozen=True)
class Mark:
    """Nothing of the disk's: the test notes what has been promised by now.

    Attributes:
        what: `"begun"`, `"acknowledged"` (both with an event's label), `"durable"` (with the number of events that are)
            or a note.
        value: See `what`.
    """

    what: str
    value: object = None


Operation = Create | MakeDirectory | Rename | Link | Unlink | Write | Truncate | Sync | SyncDirectory | Mark
NameOperation = (Create, MakeDirectory, Rename, Link, Unlink)
DataOperation = (Write, Truncate)
