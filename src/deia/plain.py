"""Odd data made plain: whatever a caller logs, in the most readable form that JSON can hold.

Nothing here raises for data (a recorder must not be what brings the agent down); only what interrupts the program
itself (KeyboardInterrupt, SystemExit, whatever a signal handler raises) passes through.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
import os
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

import orjson

from deia.system import raised_by_signal_handler

MAX_DEPTH = 100
"""Deeper nesting is recorded as text. orjson itself takes 254 levels; half of it leaves our recursion room in a caller
that is deep in its own."""

_INT_RANGE = range(-(2**63), 2**64)
"""What JSON readers (orjson's included) take as an integer."""

_EXACT = frozenset((str, int, bool, type(None)))


def plain(value: Any) -> Any:
    """Return `value` as data that `orjson.dumps` takes: dicts with text keys, lists, text, numbers, booleans, None."""
    return _plain(value, ())


def has_nonfinite(value: Any) -> bool:
    """Whether data may hold a NaN or an infinity, which orjson writes as null; True for types it does not look into."""
    kind = type(value)
    if kind in _EXACT:
        return False
    if kind is float:
        return not math.isfinite(value)
    if kind is dict:
        return any(map(has_nonfinite, value.values()))
    if kind is list or kind is tuple:
        return any(map(has_nonfinite, value))
    return True


def _plain(value: Any, parents: tuple[int, ...]) -> Any:
    try:
        kind = type(value)
        if kind is str:
            return _text(value)
        if kind is bool or value is None:
            return value
        if isinstance(value, enum.Enum):
            return _plain(value.value, parents)
        if isinstance(value, int):
            return _integer(value)
        if isinstance(value, float):
            return _float(value)
        if isinstance(value, str):
            return _text(str.__str__(value))
        if id(value) in parents:
            return f"<cycle: {kind.__name__}>"
        if len(parents) >= MAX_DEPTH:
            return readable(value)
        parents = (*parents, id(value))
        for accepts, convert in _FORMS:
            if accepts(value):
                return convert(value, parents)
        return readable(value)
    except Exception as error:  # whatever a value's own methods raise, the event is recorded: its text, or its type
        if raised_by_signal_handler(error):
            raise
        return readable(value)


def _text(value: str) -> str:
    """Text with lone surrogates (half of a UTF-16 pair, or an undecodable byte of a file name) written as escapes."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def _integer(value: int) -> int | str:
    value = int(value)
    if value in _INT_RANGE:
        return value
    try:
        return str(value)
    except ValueError:  # beyond sys.get_int_max_str_digits()
        return hex(value)


def _float(value: float) -> float | str:
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def readable(value: Any) -> str:
    """Return the `repr` of anything; a type's name where that raises."""
    try:
        return _text(repr(value))
    except Exception as error:  # a broken or endlessly recursive __repr__
        if raised_by_signal_handler(error):
            raise
        return f"<{type(value).__name__}: repr raised {type(error).__name__}>"


def _bytes(value: Any, _: tuple[int, ...]) -> str:
    data = bytes(value)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return repr(data)
    return text if text.isprintable() or text.isspace() else text if "\0" not in text else repr(data)


def _mapping(value: Mapping[Any, Any], parents: tuple[int, ...]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, item in value.items():
        name = _key(key, parents)
        if name in result:  # 1 and "1": both are kept, the later one under its repr
            name = readable(key)
        result[name] = _plain(item, parents)
    return result


def _key(key: Any, parents: tuple[int, ...]) -> str:
    form = _plain(key, parents)
    if isinstance(form, str):
        return form
    return readable(key) if isinstance(form, (dict, list)) else orjson.dumps(form).decode()


def _sequence(value: Iterable[Any], parents: tuple[int, ...]) -> list[Any]:
    return [_plain(item, parents) for item in value]


def _set(value: Set[Any], parents: tuple[int, ...]) -> list[Any]:
    """A list in an order that does not change from run to run."""
    return sorted(_sequence(value, parents), key=lambda item: (str(type(item)), repr(item)))


def _fields(value: Any, parents: tuple[int, ...]) -> dict[str, Any]:
    return {field.name: _plain(getattr(value, field.name), parents) for field in dataclasses.fields(value)}


def _model_dump(value: Any, parents: tuple[int, ...]) -> Any:
    return _plain(value.model_dump(), parents)


def _tolist(value: Any, parents: tuple[int, ...]) -> Any:
    return _plain(value.tolist(), parents)


def _is_decimal(value: Any) -> bool:
    """Told without importing what takes longer to import than this module: who has a Decimal has imported it."""
    decimal = sys.modules.get("decimal")
    return decimal is not None and isinstance(value, decimal.Decimal)


def _is_model(value: Any) -> bool:
    """pydantic's models, told by their method so that pydantic need not be there."""
    return not isinstance(value, type) and callable(getattr(value, "model_dump", None))


def _is_array(value: Any) -> bool:
    """numpy's arrays and scalars, likewise."""
    return type(value).__module__.partition(".")[0] == "numpy" and callable(getattr(value, "tolist", None))


def _of(*types: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, types)


_FORMS: tuple[tuple[Callable[[Any], bool], Callable[[Any, tuple[int, ...]], Any]], ...] = (
    (_of(dict, Mapping), _mapping),
    (lambda value: isinstance(value, tuple) and hasattr(value, "_asdict"), lambda v, p: _mapping(v._asdict(), p)),
    (_of(list, tuple), _sequence),
    (_of(set, frozenset, Set), _set),
    (_of(bytes, bytearray, memoryview), _bytes),
    (_of(datetime.datetime, datetime.date, datetime.time), lambda value, _: value.isoformat()),
    (_of(datetime.timedelta, uuid.UUID), lambda value, _: str(value)),
    (_is_decimal, lambda value, _: str(value)),
    (_of(os.PathLike), lambda value, _: _text(os.fsdecode(value))),
    (_of(orjson.Fragment), lambda value, _: orjson.loads(orjson.dumps(value))),
    (_of(BaseException), lambda value, _: _text(f"{type(value).__name__}: {value}")),
    (_is_model, _model_dump),
    (_is_array, _tolist),
    (lambda value: dataclasses.is_dataclass(value) and not isinstance(value, type), _fields),
)
"""How each kind of value is read, tried in this order."""
