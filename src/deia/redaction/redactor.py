"""Take the secrets out of an event: what stands in their place, where they are looked for, what happens on failure."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import orjson

from deia.events import given_in, is_custom
from deia.redaction.names import is_placeholder, kind_of
from deia.redaction.search import Search
from deia.redaction.text import find, replace
from deia.system import raised_by_signal_handler

_NUMBERS = frozenset(("password", "secret"))
"""Kinds of names whose value is secret even where it is a number. (A token may be counted.)"""

_SCHEME = re.compile(r"(?i)\s*(?:bearer|basic|token|digest|negotiate|api-?key|key|bot)\s+(?=\S)")
_SCHEMA_TYPES = frozenset(("string", "number", "integer", "boolean", "object", "array", "null"))


class Redactor:
    """Redacts the events of one session.

    A secret is replaced by `[redacted:KIND:HASH]`. The hash is keyed: equal secrets of one session have the same, and
    without the key, which is kept nowhere, a guess at a secret cannot be checked against it.

    Args:
        key: Of the hashes.
        callables: The user's own, each from an event's fields to the fields to record.
        patterns: The user's own, each with the kind of what it finds.
        warn: Called with what there is to say when something failed.
    """

    def __init__(
        self,
        key: bytes,
        callables: Iterable[Callable[[dict[str, Any]], Any]] = (),
        patterns: Iterable[tuple[str, re.Pattern[str]]] = (),
        warn: Callable[[str, object], None] | None = None,
    ) -> None:
        self._key = key
        self._callables = tuple(callables)
        self._patterns = tuple((kind, Search(pattern)) for kind, pattern in patterns)
        self._warn = warn
        self._asked: set[int] = set()

    def event(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return an event without its secrets; it is never lost, whatever fails.

        Args:
            fields: Plain data, as JSON has it.
        """
        try:
            fields = self._ask(fields)
            given = {name: fields[name] for name in given_in(fields)}
            if is_custom(fields):  # the names of its fields are the caller's, and may tell what is secret
                screened = dict(zip(given, self._mapping(given).items(), strict=True))
                return dict(screened.get(name, (name, value)) for name, value in fields.items())
            return {**fields, **{name: self._data(value) for name, value in given.items()}}
        except Exception as error:  # a callable of the user's, or data that is nested beyond our means
            if raised_by_signal_handler(error):
                raise
            if self._warn is not None:
                self._warn("Redaction failed, the texts of that event are replaced as a whole: %r", error)
            own = is_custom(fields)
            names = {name: self._text(name) if own else name for name in given_in(fields)}
            return {
                names.get(name, name): self._withhold(names[name], value) if name in names else value
                for name, value in fields.items()
            }

    def data(self, value: Any) -> Any:
        """Return plain data without what our own rules find; on failure nothing of it."""
        try:
            return self._data(value)
        except RecursionError:
            return self._withhold("metadata", value)

    def mark(self, kind: str, secret: str) -> str:
        """Return what stands in a secret's place."""
        from hashlib import blake2b  # it loads OpenSSL, and most sessions hold no secret

        digest = blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=4, key=self._key)
        return f"[redacted:{kind}:{digest.hexdigest()}]"

    def _ask(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Have the user's callables look at the event, and check what they return."""
        if not self._callables:
            return fields
        me = threading.get_ident()
        if me in self._asked:
            raise RecursionError("redact= has logged an event itself")
        self._asked.add(me)
        try:
            for ask in self._callables:
                given = {name: fields[name] for name in ("type", *given_in(fields))}
                answer = ask(orjson.loads(orjson.dumps(given)))
                if not isinstance(answer, dict) or answer.keys() != given.keys():
                    raise TypeError("redact= must return a dict with the keys that it was given")
                for name, value in answer.items():
                    if type(value) is not type(given[name]) or value == "" != given[name]:
                        raise TypeError(f"redact= must leave {name!r} what it was: {type(given[name]).__name__}")
                fields = {**fields, **orjson.loads(orjson.dumps(answer)), "type": fields["type"]}
        finally:
            self._asked.discard(me)
        return fields

    def _withhold(self, name: str, value: Any) -> Any:
        if not isinstance(value, (str, dict, list)):
            return value
        mark = self.mark(name, orjson.dumps(value).decode())
        return {"value": mark} if isinstance(value, dict) else [mark] if isinstance(value, list) else mark

    # Data

    def _data(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind is dict:
            return self._mapping(value)
        if kind is list:
            if len(value) == 2 and type(value[0]) is str and type(value[1]) is str:
                name, named = self._text(value[0]), kind_of(value[0])
                if named is not None and name == value[0]:  # a header, as a pair; what ends so may be a secret itself
                    return [name, self._named(value[1], named)]
            return [self._data(item) for item in value]
        return value

    def _mapping(self, value: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        told = _told(value)
        for key, item in value.items():
            kind = kind_of(key)
            if kind is None and told is not None and key.lower() == "value":  # {"name": "API_TOKEN", "value": …}
                kind = told
            if kind == "token" and ("logprob" in value or "logprobs" in value):  # what a model says, word by word
                kind = None
            name = self._text(key)
            while name in result:  # only where secrets were keys, and equal but for them
                name += "'"
            result[name] = self._data(item) if kind is None or _is_schema(item) else self._named(item, kind)
        return result

    def _named(self, value: Any, kind: str) -> Any:
        """The value of a secret's name, or whatever texts are in it."""
        if type(value) is str:
            return value if is_placeholder(value) else self._whole(value, kind)
        if type(value) in (int, float):
            return self.mark(kind, str(value)) if kind in _NUMBERS else value
        if type(value) is list:
            return [self._named(item, kind) for item in value]
        if type(value) is dict:
            return {self._text(key): self._named(item, kind_of(key) or kind) for key, item in value.items()}
        return value

    def _whole(self, value: str, kind: str) -> str:
        start = 0
        if kind == "authorization":
            scheme = _SCHEME.match(value)
            start = scheme.end() if scheme else 0
        if is_placeholder(value[start:]):
            return value
        for begin, end, form in find(value, self._patterns):
            if (begin, end) == (start, len(value)):
                kind = form
        return value[:start] + self.mark(kind, value[start:])

    def _text(self, text: str) -> str:
        inner, stripped = None, text.strip()
        if (stripped[:1], stripped[-1:]) in (("{", "}"), ("[", "]")):
            with suppress(orjson.JSONDecodeError):
                inner = orjson.loads(stripped)
        if inner is not None:  # JSON in a text: its structure tells more than its characters
            clean = self._data(inner)
            if clean != inner:
                text = orjson.dumps(clean, option=orjson.OPT_INDENT_2 if "\n" in stripped else 0).decode()
        spans = find(text, self._patterns, names=inner is None)
        return replace(text, spans, self.mark) if spans else text


def _told(value: dict[str, Any]) -> str | None:
    """The kind of secret that is the `value` of a mapping, by what stands beside it: `{"name": "API_TOKEN", …}`."""
    for key, item in value.items():
        if type(item) is str and key.lower() in ("name", "key", "header"):
            kind = kind_of(item)
            if kind is not None:
                return kind
    return None


def _is_schema(value: Any) -> bool:
    """Whether a value describes what a parameter of that name has to look like (JSON Schema, as tools have it)."""
    if not isinstance(value, dict):
        return False
    types = value.get("type")
    names = types if type(types) is list and types else [types]
    return all(type(name) is str and name in _SCHEMA_TYPES for name in names)
