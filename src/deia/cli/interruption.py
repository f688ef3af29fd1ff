"""Ctrl-C, for commands that go on until it comes.

What a signal's handler raises is dropped where it happens to run inside a destructor, or in a callback of the garbage
collector. A command that ends by itself can do without; one that waits for Ctrl-C would go on for ever.
"""

from __future__ import annotations

import signal
from types import FrameType

_came = False


def watch() -> None:
    """Note each Ctrl-C from now on; a handler that is not Python's own stays."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _note)


def require_none() -> None:
    """Go on if no Ctrl-C has come.

    Raises:
        KeyboardInterrupt: One has come, and nobody has noticed.
    """
    if _came:
        raise KeyboardInterrupt


def _note(signum: int, frame: FrameType | None) -> None:
    global _came
    _came = True
    signal.default_int_handler(signum, frame)
