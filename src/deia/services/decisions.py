"""Record what was decided, and what is to be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from deia.line import encode_mapping, encode_value
from deia.plain import plain
from deia.queue.producer import OTHER
from deia.queue.tasks import entered_last
from deia.services import arguments
from deia.services.recording import Recording


class Decisions(Recording):
    """The log calls about decisions and action items."""

    def log_decision(
        self,
        decision: str,
        *,
        reason: str | None = None,
        alternatives: Iterable[Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Record that something was decided.

        Args:
            decision: What.
            reason: Why.
            alternatives: What was not chosen.
            metadata: Anything worth keeping with it.
        """
        producer = self._producer
        if producer is None:
            return
        if type(decision) is not str or not decision:
            decision = arguments.text("decision", decision)
        fields = {
            "type": "DecisionEvent",
            "decision": decision,
            "reason": arguments.readable_text(reason),
            "alternatives": orjson.Fragment(_items(alternatives)),
            "metadata": {} if metadata is None else orjson.Fragment(encode_mapping(metadata)),
        }
        self._log(producer, fields, OTHER, entered_last())

    def log_action_item(
        self,
        item: str,
        *,
        assignee: str | None = None,
        due: object = None,
        done: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Record that something is to be done, or, with `done`, that it is done.

        Args:
            item: What; the same text again is about the same item.
            assignee: By whom.
            due: By when: a date, or whatever says it.
            done: Whether it is done.
            metadata: Anything worth keeping with it.
        """
        producer = self._producer
        if producer is None:
            return
        if type(item) is not str or not item:
            item = arguments.text("item", item)
        fields = {
            "type": "ActionItemEvent",
            "item": item,
            "assignee": arguments.readable_text(assignee),
            "due": arguments.readable_text(due),
            "done": bool(plain(done)),
            "metadata": {} if metadata is None else orjson.Fragment(encode_mapping(metadata)),
        }
        self._log(producer, fields, OTHER, entered_last())


def _items(values: object) -> bytes:
    """Return the list of what was not chosen; what is none is the only item of one."""
    if values is None:
        return b"[]"
    encoded = encode_value(values)
    return encoded if encoded.startswith(b"[") else b"[" + encoded + b"]"
