"""Which events somebody wants to see: by type, and by what their lines say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from deia.bus.filters import Filter
from deia.events import AnyEvent, UnknownEvent
from deia.journal.reader import Entry
from deia.live.where import parse
from deia.registry import BUILT_IN, class_named

Wants = Callable[[Entry], bool]

SHORT_NAMES = {name.removesuffix("Event").casefold(): name for name in BUILT_IN}
"""`task` is quicker to type than `TaskEvent`."""


def type_of(event: AnyEvent) -> str:
    """Return the name of an event's class, as its line has it."""
    return event.type if isinstance(event, UnknownEvent) else type(event).__name__


OTHERS_KEPT = 20
"""Of the types that are none of ours and were met: a log may have made up thousands."""


class Wanted:
    """Tells whether an event is wanted.

    Attributes:
        others: While there are `unknown` types: what is none of ours either, of the events that were asked about.
    """

    def __init__(self, types: Sequence[str], where: str | None) -> None:
        """Want some events.

        Args:
            types: Names of classes, or patterns of names such as `Tool*`; the short form of one of ours (`task`,
                `tool`, `file`, …). All if there are none.
            where: An expression over the line's fields; see `deia.live.where`.

        Raises:
            ValueError: The expression cannot be understood, or a name is empty.
        """
        patterns = {name: SHORT_NAMES.get(name.casefold(), name) for name in types}
        self._by_type = Filter(tuple(patterns.values()))
        self._by_fields = None if where is None else parse(where)
        self._unknown = {name: pattern for name, pattern in patterns.items() if not _is_known(pattern)}
        self.others: list[str] = []

    def __call__(self, entry: Entry) -> bool:
        """Whether an event is wanted."""
        name = type_of(entry.event)
        if self._unknown and name not in BUILT_IN:
            self._meet(name)
        if not self._by_type.wants(name):
            return False
        if self._by_fields is None:
            return True
        fields = entry.record.fields
        return self._by_fields(fields if "type" in fields else {**fields, "type": name})  # the original has no type

    @property
    def unknown(self) -> list[str]:
        """The types that were asked for and that nobody knows.

        None of ours is called so, no class of this program, and no event that was asked about: what another program's
        own classes are called, only their events tell.
        """
        return list(self._unknown)

    def _meet(self, name: str) -> None:
        self._unknown = {asked: pattern for asked, pattern in self._unknown.items() if not fnmatchcase(name, pattern)}
        if len(self.others) < OTHERS_KEPT and name not in self.others:
            self.others.append(name)


def _is_known(pattern: str) -> bool:
    return class_named(pattern) is not None or any(fnmatchcase(name, pattern) for name in BUILT_IN)
