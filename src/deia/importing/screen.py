"""Keep secrets out of a journal that is made after the fact, by the rules that loggers have as their default."""

from __future__ import annotations

import os
from typing import Any

import orjson

from deia.events import is_custom
from deia.line import encode
from deia.redaction.suspicion import in_event


class Screen:
    """Encodes events, without their secrets.

    As with a logger, the key of the hashes is random and kept nowhere.
    """

    def __init__(self) -> None:
        from deia.redaction.redactor import (
            Redactor,  # its rules take milliseconds to load, and other commands need none
        )

        self._redactor = Redactor(os.urandom(32))

    def encode(self, fields: dict[str, Any]) -> bytes:
        """Return the line of an event without what our rules take for a secret."""
        line = encode(fields)
        if "task_id" not in fields or is_custom(fields) or in_event(line):
            # what is looked at is what is recorded: the encoded form, whatever odd data there was
            return encode(self._redactor.event(orjson.loads(line)))
        return line
