"""What to make of a window whose offsets do not tell: after a loss of power, in a copied directory, on macOS.

Byte *o* of the session lies in the ring at *o* mod N, whatever happened. So the line that the journal lacks first is
looked for at its place. After a loss of power a page of the ring may be an older one than its neighbours: then it holds
what the journal has one lap before, or several, and the line that it is a part of is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from deia import system
from deia.journal.continuity import Continuity
from deia.journal.glue import parts_of
from deia.queue.layout import HEADER_BYTES
from deia.queue.window import Window

Read = Callable[[int, int], bytes]
"""Reads so many bytes of the journal, at an offset."""

_SECTOR = 512
"""What a disk stores as a whole; a page is eight of them, and starts where one does."""

_TELLING_BYTES = 64
"""Less than that of a line in one sector says nothing: the end of each line is the same but for its place."""

_BY_CHANCE = 8
"""How many bytes beside an old page may be the same by chance."""

_LAPS = 100
"""How many laps back an old page may be from: it is written out after 30 s, and few sessions log 3 MB/s for long."""

assert HEADER_BYTES % _SECTOR == 0, "a sector of the file is one of the ring"


def belongs(window: Window, journal_name: str, continuity: Continuity) -> bool:
    """Whether a window is of the session that a journal holds: by its lines, or by its name while it has none."""
    header = window.header
    if continuity.sessions:
        return continuity.goes_on_after(header.session_id) is not None
    return journal_name == f"{header.agent_id}_{header.session_id}.jsonl"


def lines_that_follow(window: Window, continuity: Continuity, end: int, read: Read) -> list[bytes]:
    """Return the window's whole lines that go on where the journal's end.

    Args:
        window: The window.
        continuity: What was seen of the journal.
        end: Where the journal's whole lines end.
        read: Reads the journal.
    """
    seq = continuity.goes_on_after(window.header.session_id) or 0
    boot_id = window.header.boot_id
    may_be_mixed = not any(boot_id) or boot_id != system.boot_id()
    found: list[bytes] = []
    if window.start <= end <= window.committed:
        for piece in window.data[end - window.start :].split(b"\n")[:-1]:
            line = piece.rpartition(b"\0")[2] + b"\n"
            if (line, seq + 1) not in _lines_of_ours([piece], window):
                break
            if may_be_mixed and _is_mixed(window, end, line, read):
                return found
            found.append(line)
            seq += 1
            end += len(line)
    if may_be_mixed and (found or any(boot_id)):
        return found
    # The journal was edited, or `committed` is damaged, so that nothing is at its place any more; but the kernel that
    # stored it all has not died.
    lines = _lines_after(window, seq)
    while following := lines.get(seq := seq + 1):
        found.append(following)
    return found


def lines_beyond_a_gap(window: Window, continuity: Continuity, end: int, following: int = 0) -> int:
    """Count the window's lines of this session that nothing goes up to: not the journal, nor so many lines after it.

    Args:
        window: The window.
        continuity: What was seen of the journal.
        end: Where the journal's lines, and those of the window that follow them, end.
        following: How many of the window's lines follow that `continuity` has not seen.
    """
    if end == window.committed:  # what seems to be beyond is the line of a call that had not returned
        return 0
    return len(_lines_after(window, (continuity.goes_on_after(window.header.session_id) or 0) + following))


def _lines_after(window: Window, seq: int) -> dict[int, bytes]:
    """Return the whole lines of the window's session with a higher `seq` than that, wherever in the ring they lie."""
    pieces = (window.data + window.rest).split(b"\n")
    last = pieces.pop()
    if pieces:
        pieces.append(last + pieces[0])  # the ring is a circle: cut anywhere, one line is in two pieces
    lines: dict[int, bytes] = {}
    for line, number in _lines_of_ours(pieces, window):
        if number > seq:
            lines.setdefault(number, line)
    return lines


def _lines_of_ours(pieces: list[bytes], window: Window) -> Iterator[tuple[bytes, int]]:
    """Yield the whole lines of the window's session that stand between newlines, each with its `seq`."""
    header = window.header
    for piece in pieces:
        for line, fields in _whole_lines(piece):
            seq = fields.get("seq")
            ids = (fields.get("agent_id"), fields.get("session_id"))
            if type(seq) is int and ids == (header.agent_id, header.session_id):
                yield line + b"\n", seq


def _whole_lines(piece: bytes) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield what can be read of the bytes between two newlines; the oldest line's beginning was overwritten."""
    line = piece.rpartition(b"\0")[2]  # zeros where nothing was written yet
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        for part in parts_of(line):
            yield line[part.start : part.end], part.fields
    else:
        if isinstance(fields, dict):
            yield line, fields


def _is_mixed(window: Window, offset: int, line: bytes, read: Read) -> bool:
    """Whether a part of a line is what the ring held there before: a page that was not stored again in time.

    It parses all the same where both are in the middle of a text. What the ring held before is in the journal: a
    position is reused only after it was written there.
    """
    earlier = list(_earlier_laps(window.header.ring_bytes, offset, len(line), read))
    offset += window.header.base  # from here on its place in the ring counts
    start = 0
    while start < len(line) and earlier:
        stop = min(len(line), start + _SECTOR - (offset + start) % _SECTOR)
        following = stop
        if stop - start >= _TELLING_BYTES:
            part = line[start:stop]
            old = next((content for content in earlier if content[start:stop] == part), None)
            if old is not None:
                first = start - _alike(line[:start][::-1], old[:start][::-1])
                following = stop + _alike(line[stop:], old[stop:])
                if _is_cut_by_sectors(offset, len(line), first, following):
                    return True
            elif _is_of_two(part, [content[start:stop] for content in earlier]):
                return True
        start = following + -(offset + following) % _SECTOR
    return False


def _earlier_laps(n: int, offset: int, size: int, read: Read) -> Iterator[bytes]:
    """Yield what the journal has in the places of a line one lap of the ring before, two laps before, and so on."""
    for lap in range(1, _LAPS + 1):
        start = offset - lap * n
        if start + size <= 0:
            return
        yield bytes(max(0, -start)) + read(size + min(0, start), max(0, start))


def _is_cut_by_sectors(offset: int, size: int, first: int, last: int) -> bool:
    """Whether what a line has in common with an earlier content ends where sectors do: then it is an old page.

    What is the same because the same was logged again, in the same place by chance, ends anywhere.
    """
    begins = first == 0 or -(offset + first) % _SECTOR <= _BY_CHANCE
    ends = last == size or (offset + last) % _SECTOR <= _BY_CHANCE
    return begins and ends


def _is_of_two(part: bytes, earlier: list[bytes]) -> bool:
    """Whether a part begins as one of the earlier contents and ends as another: the ring as it was in between."""
    edge = _TELLING_BYTES // 2
    begins = max((_alike(part, content) for content in earlier if content[:edge] == part[:edge]), default=0)
    ends = max((_alike(part[::-1], old[::-1]) for old in earlier if old[-edge:] == part[-edge:]), default=0)
    return begins + ends >= len(part)


def _alike(one: bytes, another: bytes) -> int:
    """How many bytes are the same from the start."""
    unlike = (at for at, (a, b) in enumerate(zip(one, another, strict=False)) if a != b)
    return next(unlike, min(len(one), len(another)))
