"""A directory of real files that stands for the simulated disk, and can be laid out as any state of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.simulated_disk.disk import Image


@contextmanager
def scratch_directory(fallback: Path) -> Iterator[Path]:
    """A directory in memory where there is such a thing: thousands of states are laid out, and none is to last."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK):
        with tempfile.TemporaryDirectory(dir=memory, prefix="deia-") as directory:
            yield Path(directory)
    else:
        yield fallback


class World:
    """Real files below one root, each known by a number that stays its own.

    Every file has a second name in a store outside the root. So it keeps its inode whatever happens to its names, and a
    state that is laid out again has the same inodes: the queue file, which knows its journal's, is recognised or not as
    it would be.

    Attributes:
        root: Where the code under test works.
    """

    def __init__(self, directory: Path) -> None:
        self.root = directory / "root"
        self._store = directory / "store"
        self.root.mkdir(parents=True)
        self._store.mkdir()
        self._numbers: dict[tuple[int, int], int] = {}
        self._next = 0

    def relative(self, path: Any) -> str | None:
        """Return a path as the simulated disk knows it; None for one that is not on it."""
        absolute = os.path.abspath(path)
        if absolute == str(self.root):
            return ""
        return os.path.relpath(absolute, self.root) if absolute.startswith(f"{self.root}/") else None

    def adopt(self, fd: int, path: Any) -> int:
        """Give a file that was just made its number."""
        number, self._next = self._next, self._next + 1
        os.link(path, self._store / str(number))
        status = os.fstat(fd)
        self._numbers[status.st_dev, status.st_ino] = number
        return number

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Forget the files that are made inside, at its end: thousands of recoveries would fill any disk."""
        first = self._next
        try:
            yield
        finally:
            for identity, number in list(self._numbers.items()):
                if number >= first:
                    del self._numbers[identity]
                    (self._store / str(number)).unlink()

    def file_of(self, fd: int) -> int | None:
        """Return the number of an open file."""
        status = os.fstat(fd)
        return self._numbers.get((status.st_dev, status.st_ino))

    def lay_out(self, image: Image) -> None:
        """Make the root hold this state and nothing else."""
        for directory, directories, files in os.walk(self.root, topdown=False):
            for name in files:
                os.unlink(os.path.join(directory, name))
            for name in directories:
                path = os.path.join(directory, name)
                if image.names.get(os.path.relpath(path, self.root), 0) is not None:
                    os.rmdir(path)
        for path, file in sorted(image.names.items(), key=lambda item: item[0].count("/")):
            if file is not None:
                os.link(self._store / str(file), self.root / path)
            elif not (self.root / path).exists():
                os.mkdir(self.root / path)
        for file in {file for file in image.names.values() if file is not None}:
            fd = os.open(self._store / str(file), os.O_WRONLY | os.O_TRUNC)
            try:
                os.write(fd, image.files[file])
            finally:
                os.close(fd)
