"""Event classes: those of this package, and the users' own, by the name that stands in a line's `type`."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, TypeVar

from deia import events
from deia.events import CARRIED, CustomEvent, UnknownEvent

C = TypeVar("C", bound=type)

BUILT_IN: dict[str, type] = {
    each.__name__: each
    for each in (
        *(events.TaskEvent, events.FileEvent, events.ToolEvent, events.LLMEvent, events.MessageEvent),
        *(events.ErrorEvent, events.DecisionEvent, events.ActionItemEvent, events.SessionEvent),
    )
}
"""The classes that this package records by itself."""


class EventClass(NamedTuple):
    """A user's own class of events.

    Attributes:
        name: What stands as `type` in its lines.
        type: The class.
        fields: Names of the fields that are recorded.
        given: Of these, those that its constructor takes.
        carried: Names of what every line carries, where the class has a place for it.
    """

    name: str
    type: type
    fields: tuple[str, ...]
    given: tuple[str, ...]
    carried: tuple[str, ...]


_classes: dict[str, EventClass] = {}


def register_event(cls: C) -> C:
    """Have events of this class read back as this class: by `read_events`, and by whoever subscribes.

    A class is registered by itself when an event of it is published, or when it is subscribed to; a program that only
    reads names it here, or puts this above it as a decorator. Its events are recorded under the class's name, with its
    fields; reading gives the constructor what the line has, as JSON has it.

    Args:
        cls: A dataclass. One that inherits from `CustomEvent` also has `seq`, `timestamp` and so on when read.

    Returns:
        The class.

    Raises:
        TypeError: It is no dataclass, or one of this package's own.
        ValueError: A field has a name that the format needs for itself, the class has none that Python takes for one,
            or another class has it.
    """
    if not isinstance(cls, type):
        raise TypeError(f"an event class is a class, not {cls!r}")
    event_class(cls)
    return cls


def event_class(cls: type) -> EventClass:
    """Return what is known of a user's class, registered now if it was not; errors are those of `register_event`."""
    known = _classes.get(cls.__name__)
    if known is not None and known.type is cls:
        return known
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"an event must be of a dataclass, not {cls!r}")
    name = cls.__name__
    if cls in (UnknownEvent, CustomEvent) or BUILT_IN.get(name) is cls:
        raise TypeError(f"{name} is no class of your own to record events under")
    if name in BUILT_IN or name == UnknownEvent.__name__:
        raise ValueError(f"{cls.__qualname__} has the name of an event of this package; give it another one")
    if not name.isidentifier():
        raise ValueError(f"a class of events needs a name that is one in Python, not {name!r}")
    if known is not None and place_of(known.type) != place_of(cls):
        raise ValueError(
            f"two classes of events are called {name}: {place_of(known.type)} and {place_of(cls)}; rename one of them"
        )
    bases: tuple[Any, ...] = (CustomEvent, *BUILT_IN.values())
    ours = {id(field) for base in bases for field in dataclasses.fields(base)}
    own, carried = [], []
    for field in dataclasses.fields(cls):
        if field.name not in CARRIED:
            own.append(field)
        elif id(field) in ours:
            carried.append(field.name)
        else:
            filled_in = field.name in (other.name for other in dataclasses.fields(CustomEvent))
            instead = ", or inherit from deia.CustomEvent to have it filled in where the event is read" * filled_in
            raise ValueError(
                f"{cls.__qualname__}.{field.name}: lines have {field.name!r} for themselves; rename the field{instead}"
            )
    made = EventClass(
        name,
        cls,
        tuple(field.name for field in own),
        tuple(field.name for field in own if field.init),
        tuple(carried),
    )
    _classes[name] = made
    return made


def class_named(name: str) -> type | None:
    """Return the class that lines of this type are read back as; None for `UnknownEvent`."""
    own = _classes.get(name)
    return BUILT_IN.get(name) if own is None else own.type


def revived(event: Any) -> Any:
    """Return an event as the class that is registered for it, if there is one and it takes what the line has."""
    if type(event) is not UnknownEvent:
        return event
    own = _classes.get(event.type)
    if own is None:
        return event
    fields = event.fields
    values = {name: fields[name] for name in own.given if name in fields}
    values.update((name, fields.get(name)) for name in own.carried)
    try:
        return own.type(**values)
    except Exception:  # noqa: BLE001  # the class has changed since, or its own checks refuse it: the event is there all the same
        return event


def place_of(cls: type) -> str:
    """Return what tells classes apart: one that was made again, by reloading its module say, is the same class."""
    return f"{cls.__module__}.{cls.__qualname__}"
