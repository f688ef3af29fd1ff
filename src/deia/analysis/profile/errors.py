"""What failed, by kind."""

from __future__ import annotations

from deia.analysis.profile.result import ERRORS_KEPT, ErrorFigure, ErrorSource
from deia.analysis.profile.shown import MESSAGE_SHOWN, NAME_SHOWN, shown

KINDS_KEPT = 1024
"""How many kinds are counted one by one: those that come first."""


class ErrorTable:
    """Takes errors.

    Attributes:
        count: How many there were.
        exact: False once there were more kinds than are kept.
    """

    def __init__(self) -> None:
        self.count = 0
        self.exact = True
        self._kinds: dict[tuple[ErrorSource, str, str | None], _Kind] = {}

    def feed(self, source: ErrorSource, name: str, error_type: str | None, message: str, seq: int | None) -> None:
        """Take one error; see `ErrorFigure`."""
        self.count += 1
        key = (source, shown(name, NAME_SHOWN), None if error_type is None else shown(error_type, NAME_SHOWN))
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) >= KINDS_KEPT:
                self.exact = False
                return
            kind = self._kinds[key] = _Kind(shown(message, MESSAGE_SHOWN), seq)
        kind.count += 1

    def finish(self) -> tuple[list[ErrorFigure], bool]:
        """Return the kinds, the most frequent first, and whether there are others."""
        by_count = sorted(self._kinds.items(), key=lambda item: -item[1].count)  # as they came where they are equal
        errors = [ErrorFigure(*key, kind.message, kind.count, kind.first_seq) for key, kind in by_count[:ERRORS_KEPT]]
        return errors, len(by_count) > ERRORS_KEPT or not self.exact


class _Kind:
    __slots__ = ("count", "first_seq", "message")

    def __init__(self, message: str, first_seq: int | None) -> None:
        self.count = 0
        self.message = message
        self.first_seq = first_seq
