"""What an event passes before it is recorded: secrets are taken out of it, and values that are too long are cut."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from deia.bus.session import Session
from deia.events import given_in
from deia.line import encode
from deia.redaction import suspicion
from deia.redaction.suspicion import AFTER_PARAMS, ALL, SIGNS, are_known

if TYPE_CHECKING:
    from deia.redaction.redactor import Redactor


class Screen:
    """Screens the events of one session, by its options.

    Attributes:
        signs: For the first look at a tool call, which its log call takes itself: `suspicion.SIGNS`, or `ALL`.
        suspects_call: Whether a tool call has to be looked at closely; see `suspicion.in_tool_call`.
        suspects_path: Whether a file event has to be, by its line.
        suspects: Whether an event about a model, a message or an error has to be, by its line.
    """

    def __init__(self, session: Session) -> None:
        options = session.options
        self._session = session
        self._redacts = options.redact is not False
        self._most = options.max_event_bytes
        callables, patterns = options.custom_redaction()
        self._custom = bool(callables or patterns)
        self._key = os.urandom(32)  # of this logger and of nothing else: neither stored, nor copied, nor inherited
        self._redactor: Redactor | None = None
        plainly = self._redacts and not self._custom and self._most is None
        self.signs = SIGNS if plainly else ALL
        self.suspects_call = suspicion.in_tool_call if plainly else self._suspects_call
        self.suspects_path = suspicion.in_file_event if plainly else partial(self._suspects, suspicion.in_file_event)
        self.suspects = suspicion.in_event if plainly else partial(self._suspects, suspicion.in_event)

    def _suspects_call(self, line: bytes, head: bytes, signs: bytes, params: dict[str, Any]) -> object:
        return (
            self._custom
            or (self._most is not None and len(line) > self._most)
            or (self._redacts and suspicion.in_tool_call(line, head, head.translate(SIGNS), params))
        )

    def _suspects(self, look: Callable[[bytes], bool], line: bytes) -> bool:
        return self._custom or (self._redacts and look(line)) or (self._most is not None and len(line) > self._most)

    def suspects_tool(self, params: bytes, line: bytes) -> object:
        """Whether a tool call that has nothing of its caller's behind its params, encoded, has to be looked at closely.

        As `SessionLogger.log_tool_call` tells it, in place.
        """
        names = suspicion.decoded(params)
        head = line.rpartition(AFTER_PARAMS)[0]
        signs = head.translate(self.signs)
        return not (signs.isascii() and are_known(names)) and self.suspects_call(line, head, signs, names)

    @property
    def redactor(self) -> Redactor:
        """Made at the first suspicion: its rules take milliseconds to load, and many a session needs none."""
        if self._redactor is None:
            from deia.redaction.redactor import Redactor

            callables, patterns = self._session.options.custom_redaction()
            warn = partial(self._session.warn, "redaction")
            self._redactor = Redactor(self._key, callables, patterns, warn)
        return self._redactor

    def event(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return an event, whatever it holds, as plain data without secrets.

        It is encoded before it is looked at: what is looked at is what is recorded.
        """
        decoded: dict[str, Any] = orjson.loads(encode(fields))
        return self.redactor.event(decoded) if self._redacts else decoded

    def task(
        self, name: str, metadata: bytes, outcome: dict[str, Any] | None = None
    ) -> tuple[str, bytes, dict[str, Any]]:
        """Return the name, the encoded metadata and the outcome of a task without secrets."""
        outcome = outcome or {}
        if not self._redacts:
            return name, metadata, outcome
        encoded = name.encode("utf-8", "backslashreplace")
        if not (
            self._custom
            or suspicion.in_task(encoded, metadata)
            or ("error" in outcome and suspicion.in_task(outcome["error"].encode(), b"{}"))
        ):
            return name, metadata, outcome
        given = {"type": "TaskEvent", "name": encoded.decode(), "metadata": orjson.loads(metadata), **outcome}
        event = self.redactor.event(dict(given))
        self._session.say()
        return (
            event["name"] if event["name"] != given["name"] else name,
            orjson.dumps(event["metadata"]) if event["metadata"] != given["metadata"] else metadata,
            {field: event[field] for field in outcome},
        )

    def metadata(self, encoded: bytes) -> bytes:
        """Return the encoded metadata of a task that an earlier run has started, without what our rules find."""
        if not self._redacts or not suspicion.in_task(b"", encoded):
            return encoded
        return orjson.dumps(self.redactor.data(orjson.loads(encoded)))

    def data(self, value: Any) -> Any:
        """Return plain data without what our rules find."""
        return self.redactor.data(value) if self._redacts and isinstance(value, (str, dict, list)) else value

    def fit(self, line: bytes) -> bytes:
        """Return a line that is no longer than it may be, its longest values cut."""
        first = self._session.first_fields if self._session.producer.seq == 0 else None
        most = self._most
        if most is None or len(line) + (0 if first is None else len(orjson.dumps(first))) <= most:
            return line
        from deia.shortening import shorten

        fields = orjson.loads(line)
        texts = {name: fields[name] for name in given_in(fields)}
        others = {name: value for name, value in fields.items() if name not in texts}
        # between the two parts is a comma, around them are braces twice, and a newline is to come
        fields.update(shorten(texts, most - len(orjson.dumps({**others, **(first or {})}))))
        return orjson.dumps(fields, None, orjson.OPT_APPEND_NEWLINE)
