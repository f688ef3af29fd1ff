"""A small language to say which lines of a log are wanted: `duration_ms > 1000 and not error`.

`docs/reference/where.md` has the grammar. An expression is parsed into functions of a line's fields; nothing of it is
ever run as Python, and no line, whatever it holds, makes it fail.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Fields = Mapping[str, Any]

_Value = Callable[[Fields], Any]

DEEPEST = 50
"""How deep parentheses, lists and `not` may be nested."""

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<pattern>/(?:[^/\\]|\\.)+/i?(?!\w))
    | (?P<name>[^\W\d]\w*(?:\.\w+)*)
    | (?P<sign>==|!=|<=|>=|!~|[=<>~()\[\],])
    """,
    re.VERBOSE | re.DOTALL,
)

_CONSTANTS = {"true": True, "false": False, "null": None, "none": None}
_WORDS = frozenset({"and", "or", "not", "in", *_CONSTANTS})
_ESCAPES = {"n": "\n", "t": "\t"}


class WhereError(ValueError):
    """An expression that cannot be understood.

    Attributes:
        at: Where, in characters from 0.
    """

    def __init__(self, message: str, expression: str, at: int) -> None:
        rest = expression[at : at + 20]
        super().__init__(f"{message} at character {at + 1}" + (f", before {rest!r}" if rest else ", where it ends"))
        self.at = at


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse(expression: str) -> Callable[[Fields], bool]:
    """Return the function that tells of a line's fields whether they are wanted.

    Args:
        expression: What is wanted.

    Raises:
        WhereError: It cannot be understood; the text says where.
    """
    parser = _Parser(expression)
    wanted = parser.whole()

    def wants(fields: Fields) -> bool:
        try:
            return _is_true(wanted(fields))
        except RecursionError:  # a line that is nested as deep as Python goes: nobody asks for that
            return False

    return wants


class _Parser:
    """Reads an expression from left to right, one rule of the grammar a method."""

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._tokens = list(_tokens(expression))
        self._next = 0
        self._depth = 0

    def whole(self) -> _Value:
        value = self._either()
        if self._token.kind != "end":
            raise self._error("and, or or a comparison is expected")
        return value

    def _either(self) -> _Value:
        values = [self._both()]
        while self._take("or"):
            values.append(self._both())
        return values[0] if len(values) == 1 else _either_of(values)

    def _both(self) -> _Value:
        values = [self._unless()]
        while self._take("and"):
            values.append(self._unless())
        return values[0] if len(values) == 1 else _all_of(values)

    def _unless(self) -> _Value:
        if not self._take("not"):
            return self._comparison()
        self._go_deeper()
        value = self._unless()
        self._depth -= 1
        return lambda fields: not _is_true(value(fields))

    def _comparison(self) -> _Value:
        left = self._value()
        for sign, compare in _COMPARISONS.items():
            if self._take(sign):
                right = self._value()
                return lambda fields: compare(left(fields), right(fields))
        if self._token.text in ("~", "!~"):
            found = self._take("~") or not self._take("!~")
            return self._search(left, wanted=found)
        if self._take("in"):
            return _in(left, self._value())
        if self._token.text == "not" and self._tokens[self._next + 1].text == "in":
            self._next += 2
            found_in = _in(left, self._value())
            return lambda fields: not found_in(fields)
        return left

    def _search(self, left: _Value, *, wanted: bool) -> _Value:
        if self._token.kind != "pattern":
            part = self._value()
            return lambda fields: _contains(left(fields), part(fields)) is wanted
        token = self._advance()
        source, _, flags = token.text[1:].rpartition("/")
        try:
            pattern = re.compile(source.replace("\\/", "/"), re.IGNORECASE if flags else 0)
        except (re.error, OverflowError, RecursionError) as error:
            raise WhereError(f"not a regular expression ({error})", self._expression, token.at) from None
        return lambda fields: (pattern.search(_text_of(left(fields))) is not None) is wanted

    def _value(self) -> _Value:
        token = self._token
        if token.kind == "number":
            self._advance()
            number: int | float = float(token.text) if re.search("[.eE]", token.text) else _whole(token.text)
            return lambda _: number
        if token.kind == "text":
            self._advance()
            text = re.sub(
                r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), token.text[1:-1], flags=re.DOTALL
            )
            return lambda _: text
        if token.kind == "name" and token.text in _CONSTANTS:
            self._advance()
            constant = _CONSTANTS[token.text]
            return lambda _: constant
        if token.kind == "name" and token.text not in _WORDS:
            self._advance()
            return _field(token.text.split("."))
        if self._take("("):
            self._go_deeper()
            value = self._either()
            self._require(")")
            self._depth -= 1
            return value
        if self._take("["):
            return self._list()
        if token.kind == "pattern":
            raise self._error("a regular expression stands behind ~ or !~ only:")
        raise self._error("a value is expected")

    def _list(self) -> _Value:
        self._go_deeper()
        items: list[_Value] = []
        if not self._take("]"):
            items.append(self._value())
            while self._take(","):
                items.append(self._value())
            self._require("]")
        self._depth -= 1
        return lambda fields: [item(fields) for item in items]

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _advance(self) -> _Token:
        token = self._token
        self._next += 1
        return token

    def _take(self, text: str) -> bool:
        """Go on behind a word or a sign, if it is the next."""
        token = self._token
        if token.text != text or token.kind not in ("name", "sign"):
            return False
        self._next += 1
        return True

    def _require(self, sign: str) -> None:
        if not self._take(sign):
            raise self._error(f"{sign} is expected")

    def _go_deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error("it is nested too deep")

    def _error(self, message: str) -> WhereError:
        return WhereError(message, self._expression, self._token.at)


def _tokens(expression: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None or match.lastgroup is None:
            raise WhereError(_what_is_wrong(expression[at]), expression, at)
        if match.lastgroup != "space":
            found.append(_Token(match.lastgroup, match[0], at))
        at = match.end()
    found.append(_Token("end", "", len(expression)))
    return found


def _what_is_wrong(character: str) -> str:
    if character in "\"'":
        return "a text without its closing quote"
    if character == "/":
        return "a regular expression without its closing /"
    return "something that is no part of an expression"


def _whole(text: str) -> int | float:
    """Return a whole number; one that no line can have as a float, for Python refuses to make some integers of text."""
    return int(text) if len(text) <= 20 else float(text)


def _either_of(values: list[_Value]) -> _Value:
    """Join any number side by side: nested in each other, a thousand would be deeper than Python goes."""
    return lambda fields: any(_is_true(value(fields)) for value in values)


def _all_of(values: list[_Value]) -> _Value:
    return lambda fields: all(_is_true(value(fields)) for value in values)


def _in(left: _Value, right: _Value) -> _Value:
    return lambda fields: _is_in(left(fields), right(fields))


def _field(names: list[str]) -> _Value:
    def value(fields: Fields) -> Any:
        found: Any = fields
        for name in names:
            if isinstance(found, Mapping):
                found = found.get(name)
            elif isinstance(found, list) and name.isdecimal() and len(name) < 10 and int(name) < len(found):
                found = found[int(name)]
            else:
                return None
        return found

    return value


def _is_true(value: Any) -> bool:
    """Whether there is something: nothing is what is missing, false, 0, and whatever is empty."""
    return bool(value)


def _is_same(left: Any, right: Any) -> bool:
    """Whether two values are the same in JSON: true is no number."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def _is_in(item: Any, where: Any) -> bool:
    if isinstance(where, list):
        return any(_is_same(item, other) for other in where)
    if isinstance(item, str):
        return isinstance(where, (str, Mapping)) and item in where
    return False


def _contains(value: Any, part: Any) -> bool:
    """Whether a text has another in it, whether its letters are small or not; of what is no text, its JSON."""
    return part is not None and _text_of(part).casefold() in _text_of(value).casefold()


def _text_of(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Compare two numbers, or two texts; anything else is not in order."""

    def both(left: Any, right: Any) -> bool:
        if isinstance(left, bool) or isinstance(right, bool):
            return False
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        return (numbers or (isinstance(left, str) and isinstance(right, str))) and compare(left, right)

    return both


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": _is_same,
    "=": _is_same,
    "!=": lambda left, right: not _is_same(left, right),
    "<=": _ordered(lambda left, right: left <= right),
    ">=": _ordered(lambda left, right: left >= right),
    "<": _ordered(lambda left, right: left < right),
    ">": _ordered(lambda left, right: left > right),
}
