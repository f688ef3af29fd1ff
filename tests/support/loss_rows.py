"""The rows of the table in `docs/explanation/durability.md`: kinds of deaths and faults, and what is promised of each.

A test adds what it found to a row by its id (`support.losses`). The order here is the table's.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One kind of death or fault.

    Attributes:
        id: What tests call it.
        fault: What happens.
        promise: What holds of the log afterwards.
    """

    id: str
    fault: str
    promise: str


EVERY_CALL = "every call that had returned"
COMPLETE = "every call that had returned, in the journal itself"
ACCEPTED = "nothing accepted is lost; it is told; writing resumes by itself"
BOTH_LINES = "both lines, whole, without a gap"
GOES_ON = "the session goes on in another file, which is read with the first"

ROWS = (
    # The process dies
    Row("end", "end of the program without `close`", COMPLETE),
    Row("sys-exit", "`sys.exit`", COMPLETE),
    Row("exception", "unhandled exception", COMPLETE),
    Row("exception-in-thread", "exception in a thread", COMPLETE),
    Row("sigint", "SIGINT", COMPLETE),
    Row("threads-at-exit", "the interpreter ends while seven other threads log", EVERY_CALL),
    Row("os-exit", "`os._exit`", EVERY_CALL),
    Row("os-abort", "`os.abort`", EVERY_CALL),
    Row("sigterm", "SIGTERM", EVERY_CALL),
    Row("sigsegv", "crash of the interpreter (SIGSEGV)", EVERY_CALL),
    Row("exec", "another program takes the process over (`os.execv`)", EVERY_CALL),
    Row("sigkill", "SIGKILL at a random instant", EVERY_CALL),
    Row("sigkill-while-opening", "SIGKILL in the first calls of a session", EVERY_CALL),
    Row("sigkill-in-recovery", "SIGKILL at each operation of a recovery", EVERY_CALL),
    Row("sigkill-in-second-recovery", "SIGKILL at each operation of the recovery of that", EVERY_CALL),
    Row("killed-at-any-operation", "death at each file operation of a run (simulated disk)", EVERY_CALL),
    Row("recovery-killed-at-any-operation", "death at each operation of its recovery (simulated disk)", EVERY_CALL),
    Row("event-loops", "one logger under many event loops at once, closed, replaced or blocked", EVERY_CALL),
    # Calls made inside calls
    Row("signal-handler", "a signal handler that logs, inside a log call", BOTH_LINES),
    Row("exception-inside", "an exception inside a log call (Ctrl-C, a timeout)", "its line whole, or nothing"),
    Row("destructor", "a destructor that logs, inside a log call or at exit", BOTH_LINES),
    Row(
        "gc-callback",
        "a callback of the garbage collector that logs, inside a log call",
        BOTH_LINES,
    ),
    Row("exit-hook", "an `atexit` hook that logs, before and after ours", EVERY_CALL),
    Row("handler-os-exit", "a signal handler that logs inside a log call, then calls `os._exit`", EVERY_CALL),
    # The disk fails
    Row("disk-full", "the disk fills, and is freed again", ACCEPTED),
    Row("disk-full-killed", "SIGKILL while the disk is full", EVERY_CALL),
    Row("disk-full-at-open", "the disk is full when the session begins", "kept in memory until there is room"),
    Row("file-size-limit", "the journal may not grow any more (RLIMIT_FSIZE): short writes, EFBIG", ACCEPTED),
    Row("error-on-write", "EIO, ENOSPC, EDQUOT, EINTR, writes of nothing, injected into `pwrite`", ACCEPTED),
    Row("error-on-sync", "EIO, ENOSPC, EINTR, injected into `fsync`", ACCEPTED),
    Row("error-on-open", "EMFILE, EIO, EACCES, ENOSPC, EINTR, injected while a session is opened", ACCEPTED),
    Row("error-elsewhere", "errors of `mmap`, `rename`, `flock`, `unlink`, `close`", ACCEPTED),
    Row("short-writes", "writes that take a part of what they are given (simulated disk)", ACCEPTED),
    Row("operation-fails", "each file operation of a run fails, once and several in a row (simulated disk)", ACCEPTED),
    # The session goes on in another file
    Row("segment-size", "`max_segment_bytes` reached", GOES_ON),
    Row("segment-sync-failed", "an `fsync` fails", GOES_ON),
    Row("segment-deleted", "the journal deleted", GOES_ON),
    Row("segment-moved", "the journal moved away", GOES_ON),
    Row("segment-made-again", "the journal deleted, and an empty file made in its place", GOES_ON),
    Row("segment-backup", "the journal replaced by an older copy of it", GOES_ON),
    Row("segment-truncated", "the journal cut in the middle of a line", GOES_ON),
    Row("segment-queue-deleted", "the queue file deleted", GOES_ON),
    Row("segment-directory-removed", "the directory removed", GOES_ON),
    Row("segment-directory-moved", "the directory moved behind a symbolic link", GOES_ON),
    Row("segment-directory-linked", "the directory replaced by a symbolic link", GOES_ON),
    # The power fails
    Row("power-lost-interval", 'loss of power, `sync_policy="interval"`', "everything up to the last sync"),
    Row("power-lost-always", 'loss of power, `sync_policy="always"`', EVERY_CALL),
    Row("power-lost-never", 'loss of power, `sync_policy="never"`', "everything up to the last `sync()`"),
    Row("fsync-fails-then-power-lost", "an `fsync` fails, then the power", "all up to the last sync that did not"),
    Row("killed-then-restarted", "death of the process, then a restart of the machine", EVERY_CALL),
    # Damage
    Row("damage-truncation", "a log cut at each of its bytes", "every whole line before; the cut is told"),
    Row("damage-flip", "a byte of a log changed, at any place", "every other line; the damage is told"),
    Row("damage-queue", "a queue file cut or changed, at any place", "every line of the journal; the damage is told"),
    # Many processes, many loggers
    Row("fork", "`fork`, from the main thread and from another one, while others log", "each process has every event"),
    Row("multiprocessing", "`multiprocessing`: fork, spawn, forkserver", "each process has every event"),
    Row("copies", "pickled, deep-copied, dropped without `close`", "each copy is a session, and has every event"),
    Row("two-processes", "a second process on an open session, then SIGKILL of the first", EVERY_CALL),
    Row("eight-processes", "eight processes in one directory, each killed at work", EVERY_CALL),
    Row("loggers-400", "400 loggers active at once, 1,024 descriptors", "each has its ring, and every event"),
    Row("loggers-1000", "1,000 loggers active at once, 4,096 descriptors", "each has its ring, and every event"),
    Row("idle-session", "idle and synced for 10 s", "gives its pages back, keeps one descriptor, goes on"),
    # The queue
    Row(
        "queue-full-wait",
        '`when_full="wait"`, the disk stalls for ever',
        "held for `full_timeout_s`, then counted",
    ),
    Row("queue-full-drop", '`when_full="drop"`, likewise', "counted at once, and the count survives SIGKILL"),
    Row("queue-full-raise", '`when_full="raise"`, likewise', "what was not refused is there"),
    Row("event-sizes", "events of 0 bytes to 64 MiB", "each is whole"),
    Row("sigkill-in-largest-write", "SIGKILL inside the write of 64 MiB", "every call that had returned; a torn end"),
)
"""All of them, in the order of the table."""
