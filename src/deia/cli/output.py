"""Where a command's words go: standard output for the result, standard error for what went wrong."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from deia import system
from deia.cli.page import Page, PlainPage, TerminalPage
from deia.cli.status import FINDINGS, FINE, WRONG_USAGE, reason
from deia.cli.text import clean
from deia.errors import DeiaError

_TERMINAL_ROWS = 20
"""What fits a screen together with the rest."""


class CannotWriteError(Exception):
    """Standard output does not take any more.

    Attributes:
        error: Why.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


class Output:
    """The output of one command, written when it is done, or page by page.

    Attributes:
        page: What people are shown.
        in_terminal: Whether the output goes to a terminal.
        ascii_only: Whether the terminal's encoding has nothing beyond ASCII, as far as is known.
        limit: How many rows a long table has in a terminal; None in a pipe, where grep and cut want them all.
        interactive: Whether somebody watches: both streams are terminals.
        code: The exit code; the highest of all that happened.
    """

    def __init__(self) -> None:
        self._stream = sys.stdout  # which click is kept from while a command runs
        self.in_terminal = in_terminal = self._stream.isatty()
        self.interactive = in_terminal and sys.stderr.isatty()
        self.ascii_only = not _is_unicode(self._stream.encoding)
        self.page: Page = TerminalPage(ascii_only=self.ascii_only) if in_terminal else PlainPage()
        self.limit = _TERMINAL_ROWS if in_terminal else None
        self.code = FINE
        self._instead: str | None = None

    def document(self, value: object) -> None:
        """Make `value`, as JSON, the whole of the output."""
        # ASCII only: whatever a log holds, no terminal obeys it and no locale chokes on it.
        self.replace(json.dumps(jsonable(value), indent=2, ensure_ascii=True, allow_nan=False) + "\n")

    def stream(self, pieces: Iterable[bytes]) -> None:
        """Write what is too long to be collected, at once and piece by piece, in place of the page.

        A terminal is shown what it would obey, as in a page. Errors are those of `write`.
        """
        self.replace("")
        for piece in pieces:
            self._put(_shown(piece) if self.in_terminal else piece)
        self._put(b"")

    def _put(self, piece: bytes) -> None:
        to = getattr(self._stream, "buffer", None)
        if to is None:
            return  # standard output is closed: the exit code alone is wanted
        try:
            to.write(piece)
            if not piece:
                to.flush()
        except OSError as error:
            raise CannotWriteError(error) from error

    def give_up(self, error: OSError) -> None:
        """Write no more to standard output, and say why unless nobody is there to read it."""
        # What is still buffered must not fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        if not isinstance(error, BrokenPipeError):  # that is a reader (`head`, a pager) that has seen enough
            self.fail(error, "standard output")

    def replace(self, text: str) -> None:
        """Make `text` the whole of the output, in place of the page."""
        self._instead = text

    def found(self) -> None:
        """Note that something was found, or is damaged, lost or locked."""
        self.code = max(self.code, FINDINGS)

    def found_state(self, state: str) -> None:
        """Note what became of a session, as `deia.analysis.sessions.State` has it."""
        if state == "no log":
            self.code = max(self.code, WRONG_USAGE)
        elif state in ("damaged", "unreadable"):
            self.found()

    def fail(self, error: DeiaError | OSError, path: str) -> str:
        """Say what went wrong with a file, and let the exit code tell; return what was said."""
        message, code = reason(error, path)
        self.complain(message)
        self.code = max(self.code, code)
        return message

    def has_none(self, where: str, to_do: str) -> None:
        """Say that there is no session for what the command is to do, and let the exit code tell."""
        self.complain(f"{where}: no session there to {to_do}")
        self.code = max(self.code, WRONG_USAGE)

    def complain(self, message: str) -> None:
        """Say on standard error, in one line, what went wrong."""
        print(f"deia: {clean(' '.join(message.split()))}", file=sys.stderr)

    def write(self) -> None:
        """Write what was collected.

        Raises:
            CannotWriteError: Whoever read the output has gone, or the disk is full.
        """
        self.say(self._instead if self._instead is not None else self.page.text())

    def write_page(self) -> None:
        """Write what is on the page by now, and begin anew; errors are those of `write`."""
        self.say(self.page.text())
        self.page.clear()

    def is_closed_within(self, timeout_s: float) -> bool:
        """Wait so many seconds; return early, and say so, if whoever reads the output goes meanwhile."""
        try:
            fd = self._stream.fileno()
        except (OSError, ValueError):  # no file of the system's, but an object in its place
            system.pause(timeout_s)
            return False
        return system.wait_closed(fd, timeout_s)

    def say(self, text: str) -> None:
        """Write a text at once; errors are those of `write`."""
        encoding = self._stream.encoding or "utf-8"
        # A name may hold what the terminal's encoding has no character for.
        try:
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.flush()
        except OSError as error:
            raise CannotWriteError(error) from error


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
