"""What a disk holds after so many operations, and which of that a loss of power may leave."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from posixpath import dirname

from support.simulated_disk.operations import (
    Create,
    DataOperation,
    Link,
    MakeDirectory,
    NameOperation,
    Operation,
    Rename,
    Sync,
    SyncDirectory,
    Truncate,
    Unlink,
    Write,
)

SECTOR = 512
PAGE = 4096

Names = dict[str, "int | None"]
"""Path → file, or None for a directory."""


@dataclass
class Image:
    """Files and names, as they are at one moment."""

    files: dict[int, bytearray] = field(default_factory=dict)
    names: Names = field(default_factory=dict)

    def copy(self) -> Image:
        return Image({file: bytearray(data) for file, data in self.files.items()}, dict(self.names))

    def apply(self, operation: Operation) -> None:
        if isinstance(operation, Create):
            self.files.setdefault(operation.file, bytearray())
        if isinstance(operation, NameOperation):
            change_names(self.names, operation)
        elif isinstance(operation, DataOperation):
            change_data(self.files[operation.file], operation)

    def reachable(self) -> Image:
        """Return it without what has no name, or lies in a directory that has none."""
        names: Names = {}
        for path in sorted(self.names, key=lambda path: path.count("/")):
            if dirname(path) == "" or names.get(dirname(path), 0) is None:
                names[path] = self.names[path]
        return Image({file: self.files[file] for file in names.values() if file is not None}, names)


def change_names(names: Names, operation: Operation) -> None:
    """Apply an operation on names; each is all or nothing."""
    if isinstance(operation, Create):
        names[operation.path] = operation.file
    elif isinstance(operation, MakeDirectory):
        names.setdefault(operation.path, None)
    elif isinstance(operation, Unlink):
        names.pop(operation.path, None)
    elif isinstance(operation, Rename) and operation.path in names:
        names[operation.target] = names.pop(operation.path)
    elif isinstance(operation, Link) and operation.path in names:
        names[operation.target] = names[operation.path]


def change_data(data: bytearray, operation: Write | Truncate) -> None:
    """Apply an operation on a file's content; what it leaves out is NULs."""
    if isinstance(operation, Truncate):
        del data[operation.size :]
        data.extend(bytes(operation.size - len(data)))
    else:
        data.extend(bytes(max(0, operation.offset - len(data))))
        data[operation.offset : operation.offset + len(operation.data)] = operation.data


@dataclass
class Disk:
    """A disk under a running kernel: what everyone sees, what is stored for good, and what lies between the two.

    Attributes:
        image: What everyone sees.
        stored: What is on the disk itself, whatever happens.
        unsynced: File → its changes since the last fsync, oldest first.
        doubtful: File → changes whose fsync has failed: no later one makes them durable.
        unsynced_names: Changes of names since their directory was synced, oldest first, as what they mean by number.
    """

    image: Image = field(default_factory=Image)
    stored: Image = field(default_factory=Image)
    unsynced: dict[int, list[Write | Truncate]] = field(default_factory=dict)
    doubtful: dict[int, list[Write | Truncate]] = field(default_factory=dict)
    unsynced_names: list[tuple[str, Names, list[str]]] = field(default_factory=list)

    def copy(self) -> Disk:
        return Disk(
            self.image.copy(),
            self.stored.copy(),
            {file: list(changes) for file, changes in self.unsynced.items()},
            {file: list(changes) for file, changes in self.doubtful.items()},
            list(self.unsynced_names),
        )

    def apply(self, operation: Operation) -> None:
        """Let the next thing happen."""
        if isinstance(operation, NameOperation):
            before = dict(self.image.names)
            self.image.apply(operation)
            after = self.image.names
            gone = [path for path in before if path not in after]
            come = {path: file for path, file in after.items() if path not in before or before[path] != file}
            if isinstance(operation, Create):
                self.stored.files.setdefault(operation.file, bytearray())
            if gone or come:
                self.unsynced_names.append((dirname((*come, *gone)[0]), come, gone))
        elif isinstance(operation, DataOperation):
            self.image.apply(operation)
            self.unsynced.setdefault(operation.file, []).append(operation)
        elif isinstance(operation, Sync):
            changes = self.unsynced.pop(operation.file, [])
            if operation.failed:
                self.doubtful.setdefault(operation.file, []).extend(changes)
            else:
                for change in changes:
                    change_data(self.stored.files[operation.file], change)
        elif isinstance(operation, SyncDirectory):
            left = []
            for change in self.unsynced_names:
                if change[0] == operation.path:
                    _adopt_names(self.stored.names, change)
                else:
                    left.append(change)
            self.unsynced_names = left

    # What is found after the power was lost

    def after_a_clean_restart(self) -> Image:
        """Everything: the machine was shut down in order, after the process was killed."""
        return self.image.copy()

    def forgetful(self) -> Image:
        """Only what was synced: a file's content by its fsync, its name by that of its directory."""
        return self.stored.copy().reachable()

    def reordered(self, rng: random.Random) -> Image:
        """What was synced, and anything of what was not.

        Every page or sector that changed is found as it was at some moment since the last fsync, each at one of its
        own; a file has the size of any such moment, and NULs where it was extended over what had not arrived; the last
        sector of a file that grew may be torn in the middle. Names arrive in order, as on a journalling file system, or
        each for itself.
        """
        image = self.stored.copy()
        in_order = rng.random() < 0.5
        some = rng.choice((0.0, 0.2, 0.5, 0.8, 1.0))
        for change in self.unsynced_names:
            if rng.random() < some:
                _adopt_names(image.names, change)
            elif in_order:
                break
        for file in image.files:
            changes = [*self.doubtful.get(file, ()), *self.unsynced.get(file, ())]
            if changes:
                image.files[file] = _one_outcome(image.files[file], changes, rng)
        return image.reachable()

    def outcomes(self, file: int, most: int) -> Iterator[bytearray]:
        """Yield every content that the pages of one file can be found with, if there are no more than `most`."""
        changes = self.unsynced.get(file, [])
        versions = _Versions(self.stored.files[file], changes, PAGE)
        moments = [versions.moments(page, 0) for page in versions.changed]
        sizes = sorted(set(versions.sizes))
        if prod(map(len, moments)) * len(sizes) > most:
            return
        for size in sizes:
            for chosen in itertools.product(*moments):
                yield versions.compose(size, dict(zip(versions.changed, chosen, strict=True)))

    def with_one_old_block(self, file: int, block: int) -> Iterator[tuple[int, int, bytearray]]:
        """Yield a file as everyone sees it, but for one block that is an older one; with its number and its moment."""
        versions = _Versions(self.stored.files[file], self.unsynced.get(file, []), block)
        newest = {number: versions.moments(number, 0)[-1] for number in versions.changed}
        for number in versions.changed:
            for moment in versions.moments(number, 0)[:-1]:
                yield number, moment, versions.compose(versions.sizes[-1], {**newest, number: moment})


def _adopt_names(names: Names, change: tuple[str, Names, list[str]]) -> None:
    _, come, gone = change
    for path in gone:
        names.pop(path, None)
    names.update(come)


class _Versions:
    """The contents that the blocks of one file have had since it was synced.

    Attributes:
        changed: Numbers of the blocks that changed.
        sizes: The file's size at each moment.
        cuts: For each moment, the offset beyond which a truncation at that moment destroyed what was there.
    """

    def __init__(self, stored: bytearray, changes: list[Write | Truncate], block: int) -> None:
        self._stored = stored
        self._block = block
        self._contents: dict[int, dict[int, bytes]] = {}  # block → moment → content
        self._last_cut: dict[int, int] = {}  # block → the last moment at which a truncation took some of it
        self.sizes = [len(stored)]
        data = bytearray(stored)
        for moment, change in enumerate(changes, 1):
            before = len(data)
            change_data(data, change)
            if isinstance(change, Truncate):
                touched = range(change.size // block, -(-max(before, change.size) // block))
                self._last_cut.update(dict.fromkeys(touched, moment) if change.size < before else {})
            else:
                start = min(before, change.offset) if change.offset > before else change.offset
                touched = range(start // block, -(-(change.offset + len(change.data)) // block))
            for number in touched:
                versions = self._contents.setdefault(number, {0: self._at(stored, number)})
                versions[moment] = self._at(data, number)
            self.sizes.append(len(data))
        self.changed = sorted(self._contents)

    def _at(self, data: bytearray, number: int) -> bytes:
        return bytes(data[number * self._block : (number + 1) * self._block]).ljust(self._block, b"\0")

    def moments(self, number: int, size_from: int) -> list[int]:
        """Moments at which a block had a content of its own, given from when the file's size is.

        Once a truncation has arrived, what it took does not come back.
        """
        cut = self._last_cut.get(number, 0)
        oldest = cut if 0 < cut <= size_from else 0
        return [moment for moment in self._contents[number] if moment >= oldest]

    def compose(self, size: int, chosen: dict[int, int]) -> bytearray:
        """Return the file with the chosen version of each changed block."""
        data = bytearray(self._stored)
        for number, moment in chosen.items():
            end = (number + 1) * self._block
            data.extend(bytes(max(0, end - len(data))))
            data[end - self._block : end] = self._contents[number][moment]
        del data[size:]
        data.extend(bytes(size - len(data)))
        return data


def _one_outcome(stored: bytearray, changes: list[Write | Truncate], rng: random.Random) -> bytearray:
    versions = _Versions(stored, changes, rng.choice((SECTOR, PAGE)))
    size_from = rng.choice((0, len(changes), rng.randint(0, len(changes))))
    newest = rng.choice((0.0, 0.5, 0.9, 1.0))  # how likely a block has arrived as it was last
    chosen = {}
    for number in versions.changed:
        moments = versions.moments(number, size_from)
        chosen[number] = moments[-1] if rng.random() < newest else rng.choice(moments)
    size = versions.sizes[size_from]
    data = versions.compose(size, chosen)
    if size > len(stored) and rng.random() < 0.3:  # torn: its last sector stops in the middle
        sector = max(len(stored), (size - 1) // SECTOR * SECTOR)
        torn = rng.randint(sector, size)
        data[torn:] = bytes(size - torn)
    return data
