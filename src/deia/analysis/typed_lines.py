"""Lines parsed straight into structures, whose fields have the types that they should have.

`msgspec` checks types while it parses, and takes less time for that than `orjson` for dicts. But it looks only at what
it is asked for: in what it skips it lets texts pass that are no UTF-8, and numbers that no parser holds. So nothing is
skipped here. A line with a field that is rare or unknown, with a number beyond all use or with lists in lists in lists
is parsed by `orjson`, and what that made of it is typed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache, reduce
from operator import or_
from typing import Annotated, Any, Literal

import orjson
from msgspec import Meta, MsgspecError, Struct, convert, defstruct
from msgspec.json import Decoder

from deia.journal.limits import LATEST
from deia.line import VERSION

_LARGEST_WHOLE = 2**46
"""No file and no duration comes near it; and what a chunk's lines hold adds up to no more than 64 bits."""

_LARGEST_COST = 2.0**63
"""Below what the reader takes, which is no number that a float can be."""

_DEEPEST = 4
"""How many lists and objects in each other are parsed at once. `orjson` has a limit, `msgspec` on newer versions of
Python none that is near it; and each level doubles what there is to know of the types."""

_Whole = Annotated[int, Meta(ge=-_LARGEST_WHOLE, le=_LARGEST_WHOLE)]
_Seconds = Annotated[float, Meta(ge=-LATEST, le=LATEST)]
_Cost = Annotated[float, Meta(ge=-_LARGEST_COST, le=_LARGEST_COST)]

_WholeOrNone = _Whole | None
_SecondsOrNone = _Seconds | None
_TextOrNone = str | None


def _free(depth: int) -> Any:
    """Return the type of what may be anything, so many lists or objects deep."""
    inner: Any = str | _Whole | float | bool | None
    for _ in range(depth):
        inner = str | _Whole | float | bool | list[inner] | dict[str, inner] | None
    return inner


def _free_object(depth: int) -> Any:
    """Return the type of an object with anything in it."""
    inner: Any = _free(depth - 1)
    return dict[str, inner]


_FREE = _free(_DEEPEST)
_FREE_OBJECT = _free_object(_DEEPEST)

_OUTCOME = (("error_type", _FREE, None), ("error", _FREE, None), ("cancelled", _FREE, None))
_METADATA = ("metadata", _FREE, None)
_TASK_ID = ("task_id", _WholeOrNone)

_FIELDS: dict[str, tuple[tuple[Any, ...], ...]] = {
    "ToolEvent": (("name", str), ("params", _FREE_OBJECT), ("duration_ms", _Whole), _TASK_ID),
    "FileEvent": (
        *(("path", str), ("operation", str), ("size_bytes", _WholeOrNone), ("lines", _WholeOrNone)),
        *(("duration_ms", _WholeOrNone, None), _TASK_ID),
    ),
    "TaskEvent": (
        *(("name", str), ("start_time", _Seconds), ("end_time", _SecondsOrNone), _METADATA),
        *(("duration_ms", _WholeOrNone, None), ("orphan", _FREE, None)),
        *(_TASK_ID, ("parent_id", _WholeOrNone)),
    ),
    "LLMEvent": (
        *(("provider", str), ("model", str), ("input_tokens", _WholeOrNone), ("output_tokens", _WholeOrNone)),
        *(("cache_read_tokens", _WholeOrNone), ("cache_write_tokens", _WholeOrNone)),
        *(("reasoning_tokens", _WholeOrNone), ("duration_ms", _WholeOrNone)),
        *(("time_to_first_token_ms", _WholeOrNone), ("cost_usd", _Cost | None)),
        *(("response_id", _TextOrNone), ("attempt", _WholeOrNone)),
        *(("error_type", _TextOrNone), ("error", _TextOrNone), _METADATA, _TASK_ID),
    ),
    "MessageEvent": (("role", str), ("content", _FREE), ("message_id", _TextOrNone), _METADATA, _TASK_ID),
    "ErrorEvent": (
        *(("error_type", _TextOrNone), ("message", str), ("where", _TextOrNone), ("traceback", _TextOrNone)),
        *(_METADATA, _TASK_ID),
    ),
    "DecisionEvent": (
        *(("decision", str), ("reason", _TextOrNone), ("alternatives", _FREE, None), _METADATA, _TASK_ID),
    ),
    "ActionItemEvent": (
        *(("item", str), ("assignee", _TextOrNone), ("due", _TextOrNone), ("done", _FREE, None)),
        *(_METADATA, _TASK_ID),
    ),
    "SessionEvent": (
        *(("event", str), ("run", _WholeOrNone, None), ("recovered_bytes", _WholeOrNone, None)),
        *(("lost_bytes", _WholeOrNone, None), ("dropped", _WholeOrNone, None)),
    ),
}
"""Type of event → its fields, in the order in which they are written, which is the order in which they are looked up:
name, type, and the default of one that may be missing. Nothing is taken here that the reader would not take."""

_COUNTED = ("ToolEvent", "FileEvent", "TaskEvent", "LLMEvent", "SessionEvent")

_LAST_FIELDS = {"ToolEvent": _OUTCOME, "TaskEvent": _OUTCOME}
"""Of the fields that few lines have, the commonest: they come last, where the search for the others does not pass."""

PARSING_ERRORS = (MsgspecError, UnicodeDecodeError, RecursionError)
"""What `TypedLines.parse` raises where there is something that it does not know, or no JSON."""


class IrregularError(Exception):
    """Some line is not regular."""


class _Types:
    """The types of all lines, for one session or for any.

    Attributes:
        counted: Those of the lines that more is done with than to count them.
        all: Their union.
        decode: Returns a line of one of them; raises one of `PARSING_ERRORS`.
        names: Type of event → its fields.
        free: Type of event → its fields that may be anything.
    """

    def __init__(self, agent_id: Any, session_id: Any, *, loose: bool) -> None:
        """Make them, which takes some milliseconds.

        Args:
            agent_id: The type of that field.
            session_id: Likewise.
            loose: Whether anything may stand beside what is expected.
        """
        logged = (
            ("seq", _Whole),
            ("timestamp", _Seconds),
            ("agent_id", agent_id),
            ("session_id", session_id),
            ("v", Literal[VERSION]),
        )
        all_fields = {kind: (*fields, *logged, *_LAST_FIELDS.get(kind, ())) for kind, fields in _FIELDS.items()}
        kinds = {kind: _struct(kind, fields, loose=loose) for kind, fields in all_fields.items()}
        self.counted = tuple(map(kinds.__getitem__, _COUNTED))
        self.all: Any = reduce(or_, kinds.values())
        self.decode: Callable[[bytes], Any] = Decoder(self.all).decode
        self.names = {kind: struct.__struct_fields__ for kind, struct in kinds.items()}
        self.free = {
            kind: [name for name, type_, *_ in fields if type_ is _FREE] for kind, fields in all_fields.items()
        }


@lru_cache(2)
def _types_of_any(*, loose: bool) -> _Types:
    return _Types(_TextOrNone, str, loose=loose)


@lru_cache(4)
def _types_of(agent_id: str | None, session_id: str, *, loose: bool) -> _Types:
    return _Types(None if agent_id is None else Literal[agent_id], Literal[session_id], loose=loose)


class TypedLines:
    """Parses the lines of one session.

    A line becomes an object of a class that is named as its type, with what its type has and `seq` and `timestamp`.

    Attributes:
        counted: The classes of the lines that more is done with than to count them: ToolEvent, FileEvent, TaskEvent,
            LLMEvent, SessionEvent.
        parse: Returns a line, if everything in it is expected; raises one of `PARSING_ERRORS` where not, and where it
            has a `session_start`; or an `IrregularError`.
    """

    def __init__(self, agent_id: str | None, session_id: str, *, many: bool, loose: bool = False) -> None:
        """Parse the lines of a session.

        Args:
            agent_id: Whose they are.
            session_id: Likewise.
            many: Whether there are so many that types of this session alone are worth making: a line takes a tenth of a
                microsecond less, and they as long as 50,000 lines save.
            loose: Whether anything may stand beside what is expected: each line is parsed by `orjson`, too.
        """
        self._whose = (agent_id, session_id)
        self._types = _types_of(agent_id, session_id, loose=loose) if many else _types_of_any(loose=loose)
        self._decode = self._types.decode if many else self._decode_ours
        self.counted = self._types.counted
        self.parse: Callable[[bytes], Any] = self._parse_loosely if loose else self._decode

    def parse_with_care(self, line: bytes) -> tuple[Any, float | None]:
        """Return a line, whatever it holds beside what is expected, and its `session_start`, if it has one.

        Raises:
            IrregularError: It is not regular.
        """
        try:
            fields = orjson.loads(line)
            session_start = convert(fields["session_start"], _Seconds) if "session_start" in fields else None
            return self._ours(convert(self._expected(fields), self._types.all)), session_start
        except (orjson.JSONDecodeError, MsgspecError, KeyError, TypeError) as error:
            raise IrregularError from error

    def _decode_ours(self, line: bytes) -> Any:
        """Return a line; the errors are those of `parse`."""
        return self._ours(self._types.decode(line))

    def _ours(self, event: Any) -> Any:
        """Return a line if it is one of this session.

        Raises:
            IrregularError: It is another's.
        """
        if (event.agent_id, event.session_id) != self._whose:
            raise IrregularError
        return event

    def _parse_loosely(self, line: bytes) -> Any:
        """Return a line, whatever it holds beside what is expected, but for a `session_start`.

        Raises:
            IrregularError: It is no JSON to the reader.
        """
        event = self._decode(line)
        try:
            fields = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise IrregularError from error
        if "session_start" in fields:
            raise MsgspecError
        return event

    def _expected(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the part of a line that is to be typed. What may be anything matters only for whether it is true."""
        kind = fields["type"]
        kept = {name: fields[name] for name in self._types.names[kind] if name in fields}
        for name in self._types.free[kind]:
            if name in kept:
                kept[name] = _gist(kept[name])
        params = kept.get("params")
        if type(params) is dict:
            kept["params"] = {"error": _gist(params.get("error"))}
        return {"type": kind, **kept}


def _gist(value: Any) -> bool | str | None:
    """Return true, false and null as they are; in the place of anything else, a text that is as true as that."""
    return value if value is None or type(value) is bool else "something" if value else ""


def _struct(kind: str, fields: Iterable[tuple[Any, ...]], *, loose: bool) -> type[Struct]:
    """Return the class of a type of line."""
    if loose:
        types: dict[int, Any] = {id(_FREE): Any, id(_FREE_OBJECT): dict[str, Any]}
        fields = [(name, types.get(id(type_), type_), *default) for name, type_, *default in fields]
    return defstruct(
        kind,
        fields,
        tag_field="type",
        tag=kind,
        gc=False,  # nothing in it leads back to it
        kw_only=True,
        forbid_unknown_fields=not loose,
    )
