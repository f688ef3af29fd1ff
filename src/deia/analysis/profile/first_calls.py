"""The first call of each kind, for very many of them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from deia.journal.limits import LARGEST_SEQ

CALLS_KEPT = 1024 * 1024
"""How many different calls are remembered at most, and half as many at least once there were more: with 17 bytes in
each of two places they take 36 MB. A dict of as many would take four times that."""

_NO_SEQ = -1
_FAILED, _FOUND = 1, 2
_FEWEST_PLACES = 64


@dataclass(frozen=True)
class FirstCall:
    """The call that was the first of its kind.

    Attributes:
        seq: Of its line; None where it has none.
        failed: Whether it failed.
        found: Whether it was asked for before.
    """

    seq: int | None
    failed: bool
    found: bool


class FirstCalls:
    """Takes calls, each by a hash of 64 bits, of which two of a million are the same in one of 30 million logs.

    Attributes:
        exact: False once calls had to be forgotten: the next one of their kind is taken for the first.
    """

    def __init__(self) -> None:
        self.exact = True
        self._newer = _Table()
        self._older = _Table()

    def find(self, call: int, seq: int | None, *, failed: bool) -> FirstCall | None:
        """Return the first call of a kind, or None where this is the first, which is remembered."""
        key = call or 1  # 0 is a place that is free
        first = self._newer.find(key) or self._older.find(key)
        if first is None:
            self._remember(key, seq, failed=failed)
        return first

    def clear(self) -> None:
        """Give back the memory."""
        self._newer, self._older = _Table(), _Table()

    def _remember(self, key: int, seq: int | None, *, failed: bool) -> None:
        if self._newer.used >= CALLS_KEPT // 2:
            if self._older.used:
                self.exact = False
            self._newer, self._older = _Table(), self._newer
        self._newer.add(key, _NO_SEQ if seq is None or not 0 <= seq <= LARGEST_SEQ else seq, failed)


class _Table:
    """A hash table in flat arrays, at most half full; who looks for a free place goes on to the next one."""

    __slots__ = ("_flags", "_keys", "_mask", "_seqs", "used")

    def __init__(self, places: int = _FEWEST_PLACES) -> None:
        self.used = 0
        self._mask = places - 1
        self._keys = array("q", bytes(8 * places))
        self._seqs = array("q", bytes(8 * places))
        self._flags = bytearray(places)

    def find(self, key: int) -> FirstCall | None:
        """Return what was added with a key, and remember that it was found."""
        place = self._place(key)
        if not self._keys[place]:
            return None
        seq, flags = self._seqs[place], self._flags[place]
        self._flags[place] = flags | _FOUND
        return FirstCall(None if seq == _NO_SEQ else seq, bool(flags & _FAILED), bool(flags & _FOUND))

    def add(self, key: int, seq: int, flags: int) -> None:
        """Add a key that is not there."""
        if 2 * self.used > self._mask:
            self._grow()
        place = self._place(key)
        self._keys[place], self._seqs[place], self._flags[place] = key, seq, flags
        self.used += 1

    def _place(self, key: int) -> int:
        """Return where a key is, or would be."""
        keys, mask = self._keys, self._mask
        place = key & mask
        while (there := keys[place]) and there != key:
            place = place + 1 & mask
        return place

    def _grow(self) -> None:
        larger = _Table(2 * (self._mask + 1))
        for key, seq, flags in zip(self._keys, self._seqs, self._flags, strict=True):
            if key:
                larger.add(key, seq, flags)
        self._mask, self._keys, self._seqs, self._flags = larger._mask, larger._keys, larger._seqs, larger._flags
