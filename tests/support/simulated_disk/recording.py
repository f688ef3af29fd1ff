"""Put a recorder behind `deia.system`: the code under test runs unmodified on real files, and every operation that
changes one is noted with its content.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deia import system
from deia.queue.layout import COMMITTED_AT, DROPPED_AT, HEADER_BYTES
from support.simulated_disk.operations import (
    Create,
    Link,
    MakeDirectory,
    Mark,
    Operation,
    Rename,
    Sync,
    SyncDirectory,
    Truncate,
    Unlink,
    Write,
)
from support.simulated_disk.world import World


class Recorder:
    """Notes every operation below the root of a world, in order.

    fsync is noted and not done: what it would make durable is the simulated disk's business, and the machine that runs
    the tests need not wait for it.

    Attributes:
        operations: What happened so far.
        before: Called before each operation with its name; may raise what the operation is to fail with.
        room: Called before each write with its size; returns how many bytes it is to take.
    """

    def __init__(self, world: World) -> None:
        self.operations: list[Operation] = []
        self.before: Callable[[str], None] | None = None
        self.room: Callable[[int], int] | None = None
        self._world = world
        self._maps: list[_RecordedMap] = []

    def mark(self, what: str, value: object = None) -> None:
        """Note what has been promised by now."""
        self.look_at_maps()
        self.operations.append(Mark(what, value))

    @contextmanager
    def recording(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
        """Record what happens inside."""
        with monkeypatch.context() as patch:
            for name in (
                *("open_new", "open_or_create", "open_existing", "open_for_reading", "pread", "pwrite", "ftruncate"),
                *("unlink", "rename", "link", "sync", "sync_directory", "make_directory", "map_shared"),
            ):
                patch.setattr(system, name, self._recorded(name, getattr(system, name)))
            yield self
            self.look_at_maps()

    def _recorded(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        note = getattr(self, f"_{name}", None)

        def recorded(*arguments: Any, **options: Any) -> Any:
            self.look_at_maps()
            if self.before is not None:
                try:
                    self.before(name)
                except OSError:
                    if name == "sync" and (file := self._world.file_of(arguments[0])) is not None:
                        self._note(Sync(file, failed=True))
                    raise
            if note is None:
                return real(*arguments, **options)
            return note(real, *arguments, **options)

        return recorded

    def _note(self, operation: Operation) -> None:
        self.operations.append(operation)

    def _create(self, path: Any, fd: int) -> None:
        relative = self._world.relative(path)
        if relative is not None:
            self._note(Create(relative, self._world.adopt(fd, path)))

    # The functions of `deia.system`, by name

    def _open_new(self, real: Callable[..., int], path: Any) -> int:
        fd = real(path)
        self._create(path, fd)
        return fd

    def _open_or_create(self, real: Callable[..., int], path: Any) -> int:
        existed = os.path.lexists(path)
        fd = real(path)
        if not existed:
            self._create(path, fd)
        return fd

    def _pwrite(self, real: Callable[..., int], fd: int, data: Any, offset: int) -> int:
        if self.room is not None:
            data = memoryview(data)[: self.room(len(data))]
        written = real(fd, data, offset)
        if (file := self._world.file_of(fd)) is not None and written:
            self._note(Write(file, offset, bytes(data[:written])))
        return written

    def _ftruncate(self, real: Callable[..., None], fd: int, size: int) -> None:
        real(fd, size)
        if (file := self._world.file_of(fd)) is not None:
            self._note(Truncate(file, size))

    def _unlink(self, real: Callable[..., None], path: Any) -> None:
        real(path)
        if (relative := self._world.relative(path)) is not None:
            self._note(Unlink(relative))

    def _rename(self, real: Callable[..., None], path: Any, target: Any) -> None:
        real(path, target)
        before, after = self._world.relative(path), self._world.relative(target)
        if before is not None and after is not None:
            self._note(Rename(before, after))

    def _link(self, real: Callable[..., None], path: Any, target: Any) -> None:
        real(path, target)
        before, after = self._world.relative(path), self._world.relative(target)
        if before is not None and after is not None:
            self._note(Link(before, after))

    def _sync(self, real: Callable[..., None], fd: int) -> None:
        if (file := self._world.file_of(fd)) is not None:
            self._note(Sync(file))

    def _sync_directory(self, real: Callable[..., None], path: Any) -> None:
        if (relative := self._world.relative(path)) is not None:
            self._note(SyncDirectory(relative))

    def _make_directory(self, real: Callable[..., list[Path]], path: Path) -> list[Path]:
        made = real(path)
        for directory in made:
            if (relative := self._world.relative(directory)) is not None:
                self._note(MakeDirectory(relative))
        return made

    def _map_shared(self, real: Callable[..., mmap.mmap], fd: int, size: int, **options: Any) -> mmap.mmap:
        file = self._world.file_of(fd)
        if file is None:
            return real(fd, size, **options)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mmap, "mmap", _RecordedMap)
            mapping = real(fd, size, **options)
        assert isinstance(mapping, _RecordedMap)
        mapping.follow(self, file)
        self._maps.append(mapping)
        return mapping

    # Mappings

    def look_at_maps(self) -> None:
        """Note what was stored by other ways than a slice: the two words, by a view of the mapping."""
        for mapping in self._maps:
            for offset, data in mapping.changes():
                self._note(Write(mapping.file, offset, data, stored=True))

    def stored(self, mapping: _RecordedMap, offset: int, data: bytes) -> None:
        """Note a store to a mapping."""
        self.look_at_maps()
        self._note(Write(mapping.file, offset, data, stored=True))

    def unmapped(self, mapping: _RecordedMap) -> None:
        """Forget a mapping that is closed."""
        self.look_at_maps()
        self._maps.remove(mapping)


class _RecordedMap(mmap.mmap):
    """A real mapping whose stores are noted: those by a slice at once, any others when it is looked at next."""

    file: int
    _recorder: Recorder
    _seen: bytearray

    def follow(self, recorder: Recorder, file: int) -> None:
        self._recorder = recorder
        self.file = file
        self._seen = bytearray(self)

    def __setitem__(self, where: Any, data: Any) -> None:
        start, stop, _ = where.indices(len(self))
        if start < stop:
            self._recorder.look_at_maps()
            super().__setitem__(where, data)
            self._seen[where] = data
            self._recorder.stored(self, start, bytes(data))

    def changes(self) -> Iterator[tuple[int, bytes]]:
        """Yield what differs from what was seen, the ring before the words: the order of the format page."""
        if self[:] == self._seen:
            return
        pages = range(HEADER_BYTES, len(self), HEADER_BYTES)
        for start, size in (*((page, HEADER_BYTES) for page in pages), (COMMITTED_AT, 8), (DROPPED_AT, 8)):
            now = self[start : start + size]
            if now != self._seen[start : start + size]:
                self._seen[start : start + size] = now
                yield start, now
        assert self[:] == self._seen, "something was stored where nothing is to be stored"

    def close(self) -> None:
        self._recorder.unmapped(self)
        super().close()
