"""Exit codes, and the error that a command ends with."""

from __future__ import annotations

import os

from deia.errors import DeiaError, NotASessionLogError

FINE = 0
FINDINGS = 1
"""Something was found, or is damaged, lost or locked."""
WRONG_USAGE = 2
"""The command could not do what it was asked to: no such file, not a session log, no such option."""
INTERRUPTED = 130
"""128 + SIGINT, as a shell reports it."""


def reason(error: DeiaError | OSError, path: str | os.PathLike[str]) -> tuple[str, int]:
    """Return one line that says what went wrong with a file, and the exit code it means."""
    if isinstance(error, DeiaError):
        return with_path(str(error), path), WRONG_USAGE if isinstance(error, NotASessionLogError) else FINDINGS
    return f"{os.fspath(path)}: {error.strerror or error}", WRONG_USAGE


def with_path(message: str, path: str | os.PathLike[str]) -> str:
    """Return a message that names the file it is about, once."""
    return message if os.fspath(path) in message else f"{os.fspath(path)}: {message}"
