"""Values that JSON cannot hold, each with what its recorded form must keep."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import io
import ipaddress
import math
import pathlib
import re
import threading
import types
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from unittest.mock import MagicMock

import orjson
import pytest


class Colour(enum.Enum):
    """An Enum."""

    RED = "red"


class Shape(enum.Enum):
    """An Enum whose value is odd as well."""

    POINT = object()


class Level(enum.IntEnum):
    """An Enum that is a number."""

    HIGH = 3


class Text(str):
    """A string, if not quite."""


class Number(int):
    """A number, if not quite."""


@dataclass
class Job:
    """A dataclass with odd data in it."""

    name: str
    due: datetime.date
    tags: set[str] = field(default_factory=set)
    self: Any = None


@dataclass(frozen=True)
class Slotted:
    """A dataclass without a `__dict__`."""

    __slots__ = ("x",)
    x: int


Pair = collections.namedtuple("Pair", "left right")


class SilentRepr:
    """Cannot be shown at all."""

    def __repr__(self) -> NoReturn:
        raise RuntimeError("no repr")

    __str__ = __repr__


class WrongRepr:
    """Breaks the promise that `__repr__` returns text."""

    def __repr__(self) -> str:
        return 5  # type: ignore[return-value]


class EndlessRepr:
    """Runs out of stack when shown."""

    def __repr__(self) -> str:
        return f"<{self!r}>"


class SurrogateRepr:
    """Shows itself as text that UTF-8 cannot hold."""

    def __repr__(self) -> str:
        return "<odd \ud800>"


class BrokenAttributes:
    """Raises at every look-up, of `model_dump` or `__dataclass_fields__` as well."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(name)


class BrokenKey:
    """A key that cannot be shown."""

    def __hash__(self) -> int:
        return 1

    __repr__ = SilentRepr.__repr__
    __str__ = SilentRepr.__repr__


class BrokenMapping(Mapping[str, Any]):
    """A mapping that cannot be read."""

    def __getitem__(self, key: str) -> NoReturn:
        raise RuntimeError("no items")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no keys")

    def __len__(self) -> int:
        return 1


def cyclic_dict() -> dict[str, Any]:
    """A dict that holds itself."""
    value: dict[str, Any] = {"name": "ring"}
    value["self"] = value
    return value


def cyclic_list() -> list[Any]:
    """A list that holds itself."""
    value: list[Any] = ["ring"]
    value.append(value)
    return value


def cyclic_dataclass() -> Job:
    """A dataclass that holds itself."""
    job = Job("ring", datetime.date(2024, 1, 2))
    job.self = job
    return job


def deep_list(levels: int = 5_000) -> list[Any]:
    """Lists in lists, deeper than any recursion limit."""
    value: list[Any] = ["bottom"]
    for _ in range(levels):
        value = [value]
    return value


def deep_dict(levels: int = 5_000) -> dict[str, Any]:
    """Dicts in dicts, with odd data beside them."""
    value: dict[str, Any] = {"bottom": {1, 2}}
    for _ in range(levels):
        value = {"down": value, "odd": {1}}
    return value


def generator() -> Iterator[int]:
    """Something that can be read only once, and is not ours to read."""
    yield 1


def pydantic_model() -> Any:
    """A pydantic model with odd data in it."""
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Model", name=(str, ...), when=(datetime.date, ...))
    return model(name="n", when=datetime.date(2024, 1, 2))


def numpy_value(make: Callable[[Any], Any]) -> Callable[[], Any]:
    """A value that needs numpy, which users may have and the tests may lack."""
    return lambda: make(pytest.importorskip("numpy"))


def is_text(value: Any) -> bool:
    """Whether something that a person can read was recorded."""
    return isinstance(value, str) and value != ""


def anything(value: Any) -> bool:
    """For what has no obvious form: it is enough that it was recorded."""
    return True


@dataclass(frozen=True)
class Odd:
    """One odd value.

    Attributes:
        label: What it is.
        make: Makes a fresh one.
        kept: Whether a recorded form, as JSON gives it back, keeps what a reader wants to know.
    """

    label: str
    make: Callable[[], Any]
    kept: Callable[[Any], bool]


def _equals(*forms: Any) -> Callable[[Any], bool]:
    return lambda value: any(value == form and type(value) is type(form) for form in forms)


def _says(*parts: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and all(part in value for part in parts)


WHEN = datetime.datetime(2024, 1, 2, 3, 4, 5)
A_UUID = uuid.UUID("0192f0c1-2345-7678-9abc-def012345678")

ODD_DATA = [
    Odd("datetime", lambda: WHEN, _says("2024-01-02T03:04:05")),
    Odd("aware datetime", lambda: WHEN.replace(tzinfo=datetime.timezone.utc), _says("2024-01-02T03:04:05")),
    Odd("date", lambda: WHEN.date(), _equals("2024-01-02")),
    Odd("time", lambda: WHEN.time(), _equals("03:04:05")),
    Odd(
        "timedelta",
        lambda: datetime.timedelta(seconds=90),
        lambda value: value == 90 or "90" in value or "1:30" in value,
    ),
    Odd("UUID", lambda: A_UUID, _equals(str(A_UUID))),
    Odd("Fragment", lambda: orjson.Fragment(b'{ "a": [1, null]} '), _equals({"a": [1, None]})),
    Odd("Path", lambda: pathlib.PurePosixPath("/a/b"), _equals("/a/b")),
    Odd("Enum", lambda: Colour.RED, lambda value: value == "red" or "RED" in value),
    Odd("Enum of an odd value", lambda: Shape.POINT, is_text),
    Odd("IntEnum", lambda: Level.HIGH, lambda value: value == 3 or "HIGH" in value),
    Odd(
        "dataclass",
        lambda: Job("j", datetime.date(2024, 1, 2), {"t"}),
        _equals({"name": "j", "due": "2024-01-02", "tags": ["t"], "self": None}),
    ),
    Odd("dataclass with slots", lambda: Slotted(1), _equals({"x": 1})),
    Odd("dataclass type", lambda: Job, _says("Job")),
    Odd("cyclic dataclass", cyclic_dataclass, lambda value: "ring" in str(value)),
    Odd("pydantic model", pydantic_model, _equals({"name": "n", "when": "2024-01-02"})),
    Odd("numpy integer", numpy_value(lambda np: np.int64(5)), _equals(5)),
    Odd("numpy float", numpy_value(lambda np: np.float64(0.5)), _equals(0.5)),
    Odd("numpy bool", numpy_value(lambda np: np.bool_(True)), _equals(True)),
    Odd("numpy array", numpy_value(lambda np: np.arange(4).reshape(2, 2)), _equals([[0, 1], [2, 3]])),
    Odd("numpy view with steps", numpy_value(lambda np: np.arange(6)[::2]), _equals([0, 2, 4])),
    Odd("numpy array of objects", numpy_value(lambda np: np.array([{1}, "a"], dtype=object)), anything),
    Odd("numpy array without dimension", numpy_value(lambda np: np.array(7)), lambda value: value == 7 or "7" in value),
    Odd("numpy datetime", numpy_value(lambda np: np.datetime64("2024-01-02T03:04:05")), _says("2024-01-02T03:04:05")),
    Odd("numpy big-endian array", numpy_value(lambda np: np.array([1, 2], dtype=">i4")), _equals([1, 2])),
    Odd("numpy complex", numpy_value(lambda np: np.complex128(1 + 2j)), is_text),
    Odd("set", lambda: {1, 2, 3}, lambda value: sorted(value) == [1, 2, 3]),
    Odd("frozenset of mixed things", lambda: frozenset({1, "a", None}), lambda value: len(value) == 3),
    Odd("bytes of text", lambda: b"abc", _says("abc")),
    Odd("bytes that are no text", lambda: b"\xff\x00\xfe", is_text),
    Odd("bytearray", lambda: bytearray(b"abc"), _says("abc")),
    Odd("memoryview", lambda: memoryview(b"abc"), is_text),
    Odd("exception", lambda: ValueError("boom"), _says("ValueError", "boom")),
    Odd("exception that cannot be shown", lambda: ValueError(SilentRepr()), _says("ValueError")),
    Odd("integer past 64 bits", lambda: 2**70, _equals(2**70, str(2**70))),
    Odd("negative integer past 64 bits", lambda: -(2**70), _equals(-(2**70), str(-(2**70)))),
    Odd("integer past the digits that may be printed", lambda: 10**5000, lambda value: value is not None),
    Odd("lone surrogate", lambda: "a\ud800b", lambda value: value.startswith("a") and value.endswith("b")),
    Odd("surrogate pair in halves", lambda: "\ud83d\ude00", is_text),
    Odd("text with line ends", lambda: "a\nb\r\u2028c\0", _equals("a\nb\r\u2028c\0")),
    Odd(
        "keys that are no text",
        lambda: {1: "a", None: "b", (1, 2): "c", A_UUID: "d", 2.5: "e", Colour.RED: "f", b"g": "g"},
        lambda value: sorted(value.values()) == list("abcdefg"),
    ),
    Odd("key with a lone surrogate", lambda: {"\ud800": 1, "good": 2}, lambda value: sorted(value.values()) == [1, 2]),
    Odd("key past 64 bits", lambda: {2**70: 1}, _equals({str(2**70): 1})),
    Odd("key that cannot be shown", lambda: {BrokenKey(): 1}, lambda value: list(value.values()) == [1]),
    Odd("keys that read the same", lambda: {1: "a", "1": "b"}, anything),
    Odd("NaN", lambda: math.nan, lambda value: "nan" in value.lower()),
    Odd("infinity", lambda: math.inf, lambda value: "inf" in value.lower()),
    Odd("minus infinity", lambda: -math.inf, lambda value: "-inf" in value.lower()),
    Odd("NaN inside", lambda: [{"loss": math.nan}], lambda value: "nan" in value[0]["loss"].lower()),
    Odd("cyclic dict", cyclic_dict, lambda value: value["name"] == "ring"),
    Odd("cyclic list", cyclic_list, lambda value: value[0] == "ring"),
    Odd("deep lists", deep_list, anything),
    Odd("deep dicts", deep_dict, anything),
    Odd("lists deeper than C can go", lambda: deep_list(200_000), anything),
    Odd("Decimal", lambda: decimal.Decimal("1.10"), _equals("1.10", 1.1)),
    Odd("Fraction", lambda: fractions.Fraction(1, 3), _says("1", "3")),
    Odd("complex", lambda: 1 + 2j, _says("1+2j")),
    Odd("tuple", lambda: (1, "a"), _equals([1, "a"])),
    Odd("named tuple", lambda: Pair(1, {2}), lambda value: value in ([1, [2]], {"left": 1, "right": [2]})),
    Odd("range", lambda: range(3), lambda value: value == [0, 1, 2] or "range(0, 3)" in value),
    Odd("deque", lambda: collections.deque([1, 2]), lambda value: value == [1, 2] or "[1, 2]" in value),
    Odd("dict keys", lambda: {"a": 1}.keys(), lambda value: value == ["a"] or "'a'" in value),
    Odd("OrderedDict", lambda: collections.OrderedDict(a={1}), _equals({"a": [1]})),
    Odd("defaultdict", lambda: collections.defaultdict(int, a=1), _equals({"a": 1})),
    Odd("Counter", lambda: collections.Counter("aab"), _equals({"a": 2, "b": 1})),
    Odd("mapping proxy", lambda: types.MappingProxyType({"a": 1}), _equals({"a": 1})),
    Odd("UserDict", lambda: collections.UserDict(a=1), _equals({"a": 1})),
    Odd("mapping that cannot be read", BrokenMapping, anything),
    Odd("subclass of str", lambda: Text("t"), _equals("t")),
    Odd("subclass of int", lambda: Number(7), _equals(7)),
    Odd("generator", generator, is_text),
    Odd("function", lambda: generator, _says("generator")),
    Odd("class", lambda: SilentRepr, _says("SilentRepr")),
    Odd("module", lambda: re, _says("re")),
    Odd("plain object", object, _says("object")),
    Odd("object that cannot be shown", SilentRepr, _says("SilentRepr")),
    Odd("object whose repr is no text", WrongRepr, _says("WrongRepr")),
    Odd("object whose repr never ends", EndlessRepr, is_text),
    Odd("object whose repr has a lone surrogate", SurrogateRepr, _says("<odd")),
    Odd("object that raises at every look-up", BrokenAttributes, is_text),
    Odd("mock that has every attribute", MagicMock, is_text),
    Odd("pattern", lambda: re.compile("a+"), _says("a+")),
    Odd("address", lambda: ipaddress.ip_address("10.0.0.1"), _says("10.0.0.1")),
    Odd("lock", threading.Lock, _says("lock")),
    Odd("stream", io.StringIO, _says("StringIO")),
]
"""Every kind that the contract lists, and those that agents come with."""

each_odd_value = pytest.mark.parametrize("odd", ODD_DATA, ids=lambda odd: odd.label)
"""Decorator: run a test with each of them, as the argument `odd`."""
