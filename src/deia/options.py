"""The options of a logger: unit, scope and price of each."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

QueueMode = Literal["auto", "mmap", "write"]
SyncPolicy = Literal["interval", "always", "never"]
WhenFull = Literal["wait", "drop", "raise"]

Redact = bool | Callable[[dict[str, Any]], dict[str, Any]] | str | re.Pattern[str] | Mapping[str, Any] | Iterable[Any]
"""See `Options.redact`."""

MIN_EVENT_BYTES = 1024
"""What a tool call's own fields take, with the longest ids, and room for a mark in the place of each of its texts. (A
model call or an error with the longest of everything takes some 500 bytes more.)"""

MIN_QUEUE_BYTES = 64 * 1024
"""Sixteen pages: below that every few hundred events would wait for the writer."""

MIN_SEGMENT_BYTES = 64 * 1024
"""Below that a session would spend its time on making files."""

MAX_QUEUE_BYTES = 1 << 30
"""A gigabyte: the ring is written in full when it is made, and mapped."""


@dataclass(frozen=True)
class Options:
    """How one session is recorded. Every default is meant for production.

    Attributes:
        queue_bytes: Size of the ring, bytes; rounded up to a power of two, 64 KiB at least. It is the memory a session
            pins while it is active, and how much may be logged while the disk stalls: 1 MiB holds about 5,000 events.
        queue_dir: Directory of the ring, where it is not to lie beside the journal: a tmpfs spares the disk the ring's
            write-back, and loses with the machine what was not flushed yet.
        queue_mode: `"auto"` maps the ring and falls back to `"write"` where that cannot be done. `"write"` has no ring:
            each line is written to the journal before the call returns; the same promise for one system call more, and
            the caller waits for a disk that stalls. While the disk takes no writes, lines are kept in memory.
        flush_interval_s: Seconds between two flushes, a thousandth at least. Crash safety does not depend on it, only
            how far other tools that read the journal lag behind.
        sync_policy: What survives a loss of power. `"interval"`: all but the last `sync_interval_s` seconds.
            `"always"`: each call returns after an fsync that covers it (milliseconds). `"never"`: whatever the kernel
            wrote by itself.
        sync_interval_s: Seconds after which an unsynced event starts an fsync, under `"interval"`.
        when_full: What a call does when the ring is full. `"wait"`: up to `full_timeout_s`, then it is dropped and
            counted. `"drop"`: dropped and counted at once. `"raise"`: `QueueFullError`, nothing recorded.
        full_timeout_s: Seconds, see `when_full`. Writes that a caller makes itself (a line longer than the ring, mode
            `"write"`) take as long as the disk takes.
        max_segment_bytes: Size of the session log at which the session goes on in a further file
            (`{agent}_{session}.2.jsonl` and so on; readers given the first read all), 64 KiB at least. Each switch
            costs an fsync or two and a new ring, which no call waits for; calls are held up for as long as the newest
            lines take to be copied. It is noticed when the log is written, so a file gets longer than that by what
            comes in one flush, and in a tenth of a second or two where calls never stop. None: one file, however long,
            which is what tools that know nothing of segments expect.
        memory_bytes: How much is kept in memory where no file can be made at all; beyond it `when_full` applies.
        exit_timeout_s: Seconds that the last drain may take at interpreter exit; what is left stays in the queue file.
        redact: What is kept out of the log. True: secrets, by the rules of the reference. False: nothing. A callable
            and patterns come on top of the rules: a callable gets the fields of each event that its caller gave (`type`
            and `name`, `path`, `params`, `metadata`, `content` and so on, whichever the event has) as plain data in a
            dict of its own, and returns a dict with the same keys; a pattern is a regular expression (text, or
            compiled), of which each match in a text, or the part of it in a group called `secret`, is replaced. An
            iterable may hold several of both, and a mapping names its patterns: kind → pattern. If a callable raises,
            or returns something else, the texts of that event are replaced as a whole: the event is kept, and one
            warning logged. Ids are not redacted.
        max_event_bytes: Bytes of the longest line. Of an event that would make a longer one, the longest values are
            cut, after redaction, and end in a mark that says how long they were and gives a hash. 1024 at least; None
            records whatever it is given as a whole.
    """

    queue_bytes: int = 1024 * 1024
    queue_dir: str | os.PathLike[str] | None = None
    queue_mode: QueueMode = "auto"
    flush_interval_s: float = 0.25
    sync_policy: SyncPolicy = "interval"
    sync_interval_s: float = 1.0
    when_full: WhenFull = "wait"
    full_timeout_s: float = 5.0
    max_segment_bytes: int | None = None
    memory_bytes: int = 16 * 1024 * 1024
    exit_timeout_s: float = 5.0
    redact: Redact = True
    max_event_bytes: int | None = None

    def __post_init__(self) -> None:
        for name in ("queue_bytes", "memory_bytes"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{name} must be a whole number of bytes, not {value!r}")
            if not 0 < value <= MAX_QUEUE_BYTES:
                raise ValueError(f"{name} must be positive and at most {MAX_QUEUE_BYTES}, not {value!r}")
        segment = self.max_segment_bytes
        if segment is not None:
            if type(segment) is not int:
                raise TypeError(f"max_segment_bytes must be a whole number of bytes or None, not {segment!r}")
            if segment < MIN_SEGMENT_BYTES:
                raise ValueError(f"max_segment_bytes must be {MIN_SEGMENT_BYTES} at least, not {segment!r}")
        for name in ("flush_interval_s", "sync_interval_s", "full_timeout_s", "exit_timeout_s"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise TypeError(f"{name} must be a number of seconds, not {value!r}")
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name} must be a finite number of seconds, 0 or more, not {value!r}")
        for name, known in (
            ("queue_mode", ("auto", "mmap", "write")),
            ("sync_policy", ("interval", "always", "never")),
            ("when_full", ("wait", "drop", "raise")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, not {getattr(self, name)!r}")

        most: Any = self.max_event_bytes
        if most is not None and (not isinstance(most, int) or isinstance(most, bool)):
            raise TypeError(f"max_event_bytes must be a whole number of bytes, or None, not {most!r}")
        if most is not None and most < MIN_EVENT_BYTES:
            raise ValueError(f"max_event_bytes must be at least {MIN_EVENT_BYTES}, not {most!r}")
        if isinstance(self.redact, Iterator):
            object.__setattr__(self, "redact", tuple(self.redact))
        self.custom_redaction()  # what is wrong with it shows here and now

    def custom_redaction(self) -> tuple[list[Callable[[dict[str, Any]], Any]], list[tuple[str, re.Pattern[str]]]]:
        """Return what `redact` has beside our own rules: callables, and patterns with their kinds.

        Raises:
            TypeError: It is neither a bool, nor a callable, nor a pattern, nor several of these.
            ValueError: A pattern is no regular expression, or a kind is no plain word.
        """
        callables: list[Callable[[dict[str, Any]], Any]] = []
        patterns: list[tuple[str, re.Pattern[str]]] = []
        given: Any = self.redact
        if isinstance(given, bool):
            return callables, patterns
        if isinstance(given, Mapping):
            items = list(given.items())
        elif isinstance(given, Iterable) and not isinstance(given, (str, bytes)) and not callable(given):
            items = [("custom", item) for item in given]
        else:
            items = [("custom", given)]
        for kind, item in items:
            if not isinstance(kind, str) or not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", kind):
                raise ValueError(f"redact: a kind must be of small letters, digits and hyphens, not {kind!r}")
            if isinstance(item, (str, re.Pattern)):
                patterns.append((kind, _checked_pattern(item)))
            elif callable(item):
                callables.append(item)
            else:
                raise TypeError(f"redact must be a bool, a callable, a pattern, or several of these, not {item!r}")
        return callables, patterns

    @property
    def ring_bytes(self) -> int:
        """`queue_bytes` as the ring is made: a power of two, so that a position is one mask away from its offset."""
        return 1 << (max(self.queue_bytes, MIN_QUEUE_BYTES) - 1).bit_length()


def _checked_pattern(pattern: Any) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"redact: {pattern!r} is no regular expression: {error}") from error
    if not isinstance(compiled.pattern, str):
        raise TypeError(f"redact: a pattern must be text, not bytes: {pattern!r}")
    return compiled


class LoggerOptions(TypedDict, total=False):
    """The keyword arguments that both loggers pass on to `Options`."""

    queue_bytes: int
    queue_dir: str | os.PathLike[str] | None
    queue_mode: QueueMode
    flush_interval_s: float
    sync_policy: SyncPolicy
    sync_interval_s: float
    when_full: WhenFull
    full_timeout_s: float
    max_segment_bytes: int | None
    memory_bytes: int
    exit_timeout_s: float
    redact: Redact
    max_event_bytes: int | None
