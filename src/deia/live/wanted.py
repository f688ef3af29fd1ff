"""Which events somebody wants to see: by type, and by what their lines say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from deia.bus.filters import Filter
from deia.events import AnyEvent, UnknownEvent
from deia.journal.reader import Entry
from deia.live.where import parse
from deia.registry import BUILT_IN

Wants = Callable[[Entry], bool]

_SHORT = {name.removesuffix("Event").casefold(): name for name in BUILT_IN}
"""`task` is quicker to type than `TaskEvent`."""


def type_of(event: AnyEvent) -> str:
    """Return the name of an event's class, as its line has it."""
    return event.type if isinstance(event, UnknownEvent) else type(event).__name__


def wanted(types: Sequence[str], where: str | None) -> Wants:
    """Return the function that tells whether an event is wanted.

    Args:
        types: Names of classes, or patterns of names such as `Tool*`; the short form of one of ours (`task`, `tool`,
            `file`, …). All if there are none.
        where: An expression over the line's fields; see `deia.live.where`.

    Raises:
        ValueError: The expression cannot be understood, or a name is empty.
    """
    by_type = Filter(tuple(_SHORT.get(name.casefold(), name) for name in types))
    by_fields = None if where is None else parse(where)

    def wants(entry: Entry) -> bool:
        name = type_of(entry.event)
        if not by_type.wants(name):
            return False
        if by_fields is None:
            return True
        fields = entry.record.fields
        return by_fields(fields if "type" in fields else {**fields, "type": name})  # the original format has no type

    return wants
