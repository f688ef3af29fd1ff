"""Whether a log call is made inside another one of the same thread: by a signal handler, or a destructor."""

from __future__ import annotations

import sys

_FACES = frozenset(
    f"deia.services.{name}" for name in ("session_logger", "model_calls", "handles", "nesting", "publishing")
)
_CALLS = frozenset(
    (
        *("log_task_start", "log_task_complete", "log_file_read", "log_file_write", "log_tool_call"),
        *("log_llm_call", "log_message", "log_error"),
        *("_begin", "_end", "_log_closed", "_log_custom"),
    )
)


def depth() -> int:
    """Return how many log calls this thread is in: 1 in an ordinary one, 0 where the background appends.

    By a look at the stack and not by a mark: an exception could keep its owner from taking a mark back.
    """
    found = 0
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name in _CALLS and frame.f_globals.get("__name__") in _FACES:
            found += 1
        frame = frame.f_back  # type: ignore[assignment]  # None above the outermost
    return found
