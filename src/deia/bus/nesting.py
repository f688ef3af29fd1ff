"""Whether a log call is made inside another one of the same thread: by a signal handler, or a destructor."""

from __future__ import annotations

import sys
from inspect import CO_COROUTINE
from types import FrameType

_PARTS = frozenset(("_begin", "_end", "_log_closed", "_log_custom"))
"""What blocks, files and `publish` record by: they are log calls by another name."""


def depth() -> int:
    """Return how many log calls this thread is in: 1 in an ordinary one, 0 where the background appends.

    By a look at the stack and not by a mark: an exception could keep its owner from taking a mark back.
    """
    found = 0
    frame = sys._getframe()
    while frame is not None:
        found += _is_log_call(frame)
        frame = frame.f_back  # type: ignore[assignment]  # None above the outermost
    return found


def _is_log_call(frame: FrameType) -> bool:
    """Whether a function of ours runs there that records; an awaited one does so by its plain twin."""
    code = frame.f_code
    named = code.co_name in _PARTS or (code.co_name.startswith("log_") and not code.co_flags & CO_COROUTINE)
    return named and str(frame.f_globals.get("__name__")).startswith("deia.services.")
