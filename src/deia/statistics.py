"""What a logger tells about itself: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Mode = Literal["unopened", "mmap", "write", "memory", "closed", "disabled"]


@dataclass(frozen=True)
class Statistics:
    """The state of one session's recording, as of the call that returned it.

    Offsets count the bytes of the whole session, and never go back: in a session of one file they are offsets in it.

    Attributes:
        mode: `"mmap"` (the ring), `"write"` (each line written through), `"memory"` (no file can be made at the
            moment), or why there is no recording: `"unopened"`, `"closed"`, `"disabled"`.
        path: The journal.
        run: How many times the session was opened, from 1; 0 before that.
        locked: Whether the session is locked against other loggers; None where the file system has no locks.
        logged: `seq` of the newest event.
        dropped: Events dropped on purpose since the session began.
        end_offset: Offset, bytes, up to which events are safe from the death of the process.
        flushed_offset: Offset up to which they are in the journal.
        durable_offset: Offset up to which they survive a loss of power.
        pending_bytes: Bytes logged and not yet in the journal.
        ring_bytes: Size of the ring; 0 where there is none.
        segment: Number of the file that is written; more than 1 where the session went on in further ones.
        error: What keeps the writer from writing, in words; None while all is well.
    """

    mode: Mode
    path: Path
    run: int
    locked: bool | None
    logged: int
    dropped: int
    end_offset: int
    flushed_offset: int
    durable_offset: int
    pending_bytes: int
    ring_bytes: int
    error: str | None
    segment: int = 1
