"""Where a command's words go: standard output for the result, standard error for what went wrong."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
from collections.abc import Mapping
from typing import Any

from deia.cli.page import Page, PlainPage, TerminalPage
from deia.cli.status import FINDINGS, FINE, reason
from deia.cli.text import clean
from deia.errors import DeiaError

_TERMINAL_ROWS = 20
"""What fits a screen together with the rest."""


class Output:
    """The output of one command, written at once when it is done.

    Attributes:
        page: What people are shown.
        limit: How many rows a long table has in a terminal; None in a pipe, where grep and cut want them all.
        interactive: Whether somebody watches: both streams are terminals.
        unicode: Whether what reads the output can be given any character.
        code: The exit code; the highest of all that happened.
    """

    def __init__(self) -> None:
        in_terminal = sys.stdout.isatty()
        self.interactive = in_terminal and sys.stderr.isatty()
        self.unicode = _is_unicode(sys.stdout.encoding)
        self.page: Page = TerminalPage(ascii_only=not self.unicode) if in_terminal else PlainPage()
        self.limit = _TERMINAL_ROWS if in_terminal else None
        self.code = FINE
        self._instead: str | None = None

    def document(self, value: object) -> None:
        """Make `value`, as JSON, the whole of the output."""
        # ASCII only: whatever a log holds, no terminal obeys it and no locale chokes on it.
        self.replace(json.dumps(jsonable(value), indent=2, ensure_ascii=True, allow_nan=False) + "\n")

    def replace(self, text: str) -> None:
        """Make `text` the whole of the output, in place of the page."""
        self._instead = text

    def found(self) -> None:
        """Note that something was found, or is damaged, lost or locked."""
        self.code = max(self.code, FINDINGS)

    def fail(self, error: DeiaError | OSError, path: str) -> str:
        """Say what went wrong with a file, and let the exit code tell; return what was said."""
        message, code = reason(error, path)
        self.complain(message)
        self.code = max(self.code, code)
        return message

    def complain(self, message: str) -> None:
        """Say on standard error, in one line, what went wrong."""
        print(f"deia: {clean(' '.join(message.split()))}", file=sys.stderr)

    def write(self) -> None:
        """Write what was collected.

        Raises:
            BrokenPipeError: Whoever read the output has gone.
        """
        text = self._instead if self._instead is not None else self.page.text()
        encoding = sys.stdout.encoding or "utf-8"
        # A name may hold what the terminal's encoding has no character for.
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()


def jsonable(value: object) -> Any:
    """Return `value` in the types of JSON: data classes as objects, paths as text, what is no number as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if dataclasses.is_dataclass(value):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no form in JSON: {value!r}")


def _is_unicode(encoding: str | None) -> bool:
    return (encoding or "").lower().replace("-", "").replace("_", "").startswith("utf")
