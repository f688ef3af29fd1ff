"""Which events a subscriber wants: by class, by base class, by name."""

from __future__ import annotations

import dataclasses
from fnmatch import fnmatchcase

from deia.events import CustomEvent, UnknownEvent
from deia.registry import BUILT_IN, class_named, event_class, place_of

Wanted = type | str


class Filter:
    """Tells by the name of an event's class whether the event is wanted.

    Attributes:
        key: Equal for filters that want the same.
    """

    def __init__(self, wanted: tuple[Wanted, ...]) -> None:
        """Want events of these classes and those that inherit from them, and of these names; all if there are none.

        Raises:
            TypeError: One is neither a class nor a name.
            ValueError: A name is empty; or as `register_event` says of a class.
        """
        classes: set[str] = set()
        patterns: set[str] = set()
        for each in wanted:
            if isinstance(each, str):
                if not each:
                    raise ValueError(f"a name of events must not be empty: {each!r}")
                patterns.add(each)
            elif isinstance(each, type):
                if dataclasses.is_dataclass(each) and not _is_ours(each):
                    event_class(each)
                classes.add(place_of(each))
            else:
                raise TypeError(f"events are subscribed to by class or by name, not by {each!r}")
        self.key = (frozenset(classes), frozenset(patterns))
        self._classes, self._patterns = self.key
        self._known: dict[str, tuple[type | None, bool]] = {}

    def wants(self, name: str) -> bool:
        """Whether events of a class of this name are wanted."""
        found = class_named(name)
        known = self._known.get(name)
        if known is None or known[0] is not found:  # it may have been registered since
            known = self._known[name] = (found, self._look(name, found))
        return known[1]

    def _look(self, name: str, found: type | None) -> bool:
        if not self._classes and not self._patterns:
            return True
        # not `issubclass`: a protocol or a metaclass may answer that with an exception, and other subscribers wait here
        if any(place_of(base) in self._classes for base in (found or UnknownEvent).__mro__):
            return True
        return any(fnmatchcase(name, pattern) for pattern in self._patterns)


def _is_ours(cls: type) -> bool:
    return cls in (CustomEvent, UnknownEvent) or BUILT_IN.get(cls.__name__) is cls
