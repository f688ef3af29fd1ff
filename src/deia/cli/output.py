"""Where a command's words go: standard output for the result, standard error for what went wrong."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
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
        in_terminal: Whether standard output is a terminal.
        interactive: Whether somebody watches: both streams are terminals.
        unicode: Whether what reads the output can be given any character.
        code: The exit code; the highest of all that happened.
    """

    def __init__(self) -> None:
        self._stdout = sys.stdout
        self.in_terminal = sys.stdout.isatty()
        self.interactive = self.in_terminal and sys.stderr.isatty()
        self.unicode = _is_unicode(sys.stdout.encoding)
        self.page: Page = TerminalPage(ascii_only=not self.unicode) if self.in_terminal else PlainPage()
        self.limit = _TERMINAL_ROWS if self.in_terminal else None
        self.code = FINE
        self._instead: str | None = None

    def document(self, value: object) -> None:
        """Make `value`, as JSON, the whole of the output."""
        # ASCII only: whatever a log holds, no terminal obeys it and no locale chokes on it.
        self.replace(json.dumps(jsonable(value), indent=2, ensure_ascii=True, allow_nan=False) + "\n")

    def stream(self, pieces: Iterable[bytes]) -> None:
        """Write what is too long to be collected, at once and piece by piece, in place of the page.

        A terminal is shown what it would obey, as in a page.
        """
        self.replace("")
        for piece in pieces:
            if not self._put(_shown(piece) if self.in_terminal else piece):
                return
        self._put(b"")

    def _put(self, piece: bytes) -> bool:
        to = getattr(self._stdout, "buffer", None)
        if to is None:
            return True  # standard output is closed: the exit code alone is wanted
        try:
            to.write(piece)
            if not piece:
                to.flush()
        except OSError as error:
            self.give_up(error)
            return False
        return True

    def give_up(self, error: OSError) -> None:
        """Write no more: standard output is gone."""
        # What is still buffered must not fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # that is a reader (`head`, a pager) that has seen enough
            self.fail(error, "standard output")

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


def _shown(piece: bytes) -> bytes:
    """Return text with everything made visible that a terminal would obey."""
    return "\n".join(map(clean, piece.decode(errors="backslashreplace").split("\n"))).encode()


def _is_unicode(encoding: str | None) -> bool:
    return (encoding or "").lower().replace("-", "").replace("_", "").startswith("utf")
