"""The wall time of a log: what ran when, and how each of its moments is counted once.

Times are whole milliseconds since the first moment that was read, so that everything adds up exactly.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from heapq import heappush, heappushpop

from deia.analysis.profile.over_time import OverTime
from deia.analysis.profile.result import GAPS_KEPT, ConcurrencyOverTime, Gap, GapKind, TimeShares
from deia.analysis.profile.shown import NAME_SHOWN, shown

ENTRIES_KEPT = 256 * 1024
"""How many things are kept apart before the older half is summed up: with what that takes for a moment, some 40 MB."""

NAMES_KEPT = 64 * 1024
"""How many names there may be before what only happens, and is counted nowhere by its name, gets none any more."""

_OTHERS = "…"

LONGEST_MS = 2**61
"""Longer than any clock reaches; it fits into the arrays together with any time."""

FILE, TOOL, MODEL, TASK, RUN, MARK, USER = range(7)
"""What an entry is: what ran, by what is innermost; then what has no duration, messages of the user told apart."""

_TEXTS = ("file", "tool", "model", "task", "start of a run", "", "")

# A boundary is its time and what happens there in one integer, the user's messages before all else of a moment.
_BITS = 4
_CODES = 1 << _BITS
_USER_SPOKE, _HAPPENED, _FIRST_PAIR = 0, 1, 2

_HUMAN, _UNATTRIBUTED, _IDLE, _BETWEEN = 3, 4, 5, 6
_GAP_KINDS: dict[int, GapKind] = {
    _HUMAN: "human",
    _UNATTRIBUTED: "unattributed",
    _IDLE: "idle",
    _BETWEEN: "between_runs",
}


class Timeline:
    """Takes what happened, in any order, and sums it up.

    Attributes:
        exact: False once something came that reached back into what had been summed up already.
    """

    def __init__(self, end: float | None) -> None:
        """Begin with nothing.

        Args:
            end: What comes later is left out, Unix seconds.
        """
        self.exact = True
        self._end = end
        self._end_ms = LONGEST_MS
        self._origin: float | None = None
        self._starts = array("q")
        self._ends = array("q")
        self._names = array("i")
        self._kinds: list[int] = []
        self._texts: list[str] = []
        self._numbers: list[dict[str, int]] = [{} for _ in _TEXTS]
        self._base = 0
        self._summed_to: int | None = None
        self._summed_from = 0
        self._last_text = ""
        self._shares = [0] * 7
        self._at_once: Counter[int] = Counter()
        self._over_time = OverTime()
        self._reached = array("q")
        self._unions = array("q")
        self._gap_count = 0
        self._gaps: list[tuple[int, int, int]] = []
        self._after: dict[int, str] = {}
        self._before: dict[int, str] = {}

    def ms(self, time: float) -> int:
        """Return the millisecond of a time, Unix seconds."""
        if self._origin is None:
            self._origin = time
            if self._end is not None:
                self._end_ms = round((self._end - time) * 1000)
        ms = round((time - self._origin) * 1000)
        return ms if -LONGEST_MS <= ms <= LONGEST_MS else max(-LONGEST_MS, min(ms, LONGEST_MS))

    def unix_s(self, ms: int) -> float:
        """Return the time, Unix seconds, of a millisecond."""
        return (self._origin or 0.0) + ms / 1000

    def name(self, kind: int, name: str) -> int:
        """Return the number of a name, by which entries are added."""
        numbers = self._numbers[kind]
        number = numbers.get(name)
        if number is None:
            if kind >= MARK and len(self._kinds) >= NAMES_KEPT and name != _OTHERS:
                return self.name(kind, _OTHERS)
            number = numbers[name] = len(self._kinds)
            self._kinds.append(kind)
            self._texts.append(f"{_TEXTS[kind]} {shown(name, NAME_SHOWN)}".strip())
            self._reached.append(-LONGEST_MS)
            self._unions.append(0)
        return number

    def add(self, name: int, start: int, end: int, *, goes_on: bool = False) -> int:
        """Add what ran from `start` to `end`, or happened where both are the same; return its place.

        Args:
            name: Its number.
            start: Millisecond.
            end: Millisecond.
            goes_on: Whether it did not end then: it is open, or the rest will be added later.
        """
        summed_to = self._summed_to
        if summed_to is not None and (start < summed_to or end <= summed_to):
            self.exact = False
            start = max(start, summed_to)
        self._starts.append(start)
        self._ends.append(max(start, end))
        self._names.append(~name if goes_on else name)
        return self._base + len(self._names) - 1

    def withdraw(self, place: int) -> None:
        """Have what was added there not run, but only happen when it ended."""
        if place < self._base:
            self.exact = False
        else:
            self._starts[place - self._base] = self._ends[place - self._base]

    @property
    def crowded(self) -> bool:
        """Whether it is time to sum up."""
        return len(self._names) >= ENTRIES_KEPT

    def middle(self) -> int:
        """Return a moment that about half of the entries ended by, and that is over, unless most ended in it."""
        ends = sorted(self._ends)
        at = len(ends) // 2
        if ends[at] == ends[-1]:
            before = bisect_left(ends, ends[-1]) - 1
            at = before if before >= at // 2 else at
        return min(ends[at], self._end_ms)

    def begin(self, start: int) -> None:
        """Take note that something began that will be added when it has ended."""
        if self._summed_to is not None and start <= self._summed_to:
            self.exact = False

    def sum_up(self, first: int, to: int) -> None:
        """Sum up, and forget, what was before a moment.

        What runs on has to be there as if it had ended at that moment, and to be added again from there on.

        Args:
            first: The first moment of the log, as far as it is known.
            to: The moment: one at which something happened.
        """
        begin = self._summed_to
        if begin is None:
            begin = self._summed_from = first
        if to > begin:
            self._sum_unions(begin, to)
            self._sweep(begin, to)
            self._name_gaps(begin)
        # Where no time passed, too: what was before the first moment is forgotten, though that may prove a later one.
        self._summed_to = max(begin, to)
        self._forget(self._summed_to)

    def finish(self, first: int, last: int) -> None:
        """Sum up what is left.

        Args:
            first: The first moment of the log.
            last: Its last.
        """
        self.sum_up(first, last)
        if first < self._summed_from:  # a clock was set back to before all that had been summed up
            self.exact = False
            self._shares[_IDLE] += self._summed_from - first
            self._at_once[0] += self._summed_from - first

    def wall(self, *, has_tasks: bool) -> TimeShares:
        """Return each kind's share.

        Args:
            has_tasks: Whether the log has tasks at all. Where it has none, that no task was open says nothing.
        """
        file, tool, model, human, unattributed, idle, between = self._shares
        if not has_tasks:
            unattributed, idle = unattributed + idle, 0
        return TimeShares(
            model_ms=model,
            tool_ms=tool,
            file_ms=file,
            human_ms=human,
            unattributed_ms=unattributed,
            idle_ms=idle,
            between_runs_ms=between,
        )

    def union_ms(self, kind: int, name: str) -> int:
        """Return the milliseconds in which something of a name ran."""
        number = self._numbers[kind].get(name)
        return 0 if number is None else self._unions[number]

    @property
    def at_once(self) -> dict[int, int]:
        """How many tool and model calls ran at once → milliseconds."""
        return {count: ms for count, ms in sorted(self._at_once.items()) if ms}

    def over_time(self, first: int) -> ConcurrencyOverTime:
        """Return the same step by step; `first` is the first moment of the log, milliseconds."""
        return self._over_time.finish(first, self.unix_s)

    @property
    def gap_count(self) -> int:
        """How many gaps there are."""
        return self._gap_count

    def gaps(self, *, has_tasks: bool) -> list[Gap]:
        """Return the longest gaps, the longest first; `has_tasks` as for `wall`."""
        kinds = _GAP_KINDS if has_tasks else {**_GAP_KINDS, _IDLE: _GAP_KINDS[_UNATTRIBUTED]}
        return [
            Gap(
                kinds[kind],
                self.unix_s(-negative),
                self.unix_s(length - negative),
                self._after.get(-negative, "start of the log"),
                self._before.get(length - negative, "end of the log"),
            )
            for length, negative, kind in sorted(self._gaps, reverse=True)
        ]

    def _sum_unions(self, begin: int, to: int) -> None:
        """Add to each name the time in which it ran, without counting any twice."""
        starts, ends, names, kinds = self._starts, self._ends, self._names, self._kinds
        reached, unions = self._reached, self._unions
        for at in sorted(range(len(names)), key=starts.__getitem__):
            name = names[at] if names[at] >= 0 else ~names[at]
            if kinds[name] not in (TOOL, MODEL, TASK):
                continue
            start = max(starts[at], begin, reached[name])
            end = min(ends[at], to)
            if start < end:
                unions[name] += end - start
                reached[name] = end

    def _boundaries(self, begin: int, to: int) -> list[int]:
        kinds = self._kinds
        boundaries = [to << _BITS | _HAPPENED]
        for start, end, name in zip(self._starts, self._ends, self._names, strict=True):
            kind = kinds[name if name >= 0 else ~name]
            if start < end:
                from_ms, to_ms = max(start, begin), min(end, to)
                if from_ms < to_ms:
                    code = _FIRST_PAIR + 2 * kind
                    boundaries += (from_ms << _BITS | code, to_ms << _BITS | code + 1)
            elif begin <= end <= to:
                boundaries.append(end << _BITS | (_USER_SPOKE if kind == USER else _HAPPENED))
        boundaries.sort()
        return boundaries

    def _sweep(self, begin: int, to: int) -> None:
        """Give each moment to what is innermost then."""
        running = [0] * 5
        shares, at_once, over_time, gaps = self._shares, self._at_once, self._over_time, self._gaps
        now = begin
        for boundary in self._boundaries(begin, to):
            code = boundary % _CODES
            at = boundary >> _BITS
            if at > now:
                length = at - now
                tools, models = running[TOOL], running[MODEL]
                at_once[tools + models] += length
                if tools or models:
                    over_time.add(now, at, tools, models)
                if running[FILE]:
                    shares[FILE] += length
                elif tools:
                    shares[TOOL] += length
                elif models:
                    shares[MODEL] += length
                else:
                    if not running[RUN]:
                        kind = _BETWEEN
                    elif code == _USER_SPOKE:
                        kind = _HUMAN
                    else:
                        kind = _UNATTRIBUTED if running[TASK] else _IDLE
                    shares[kind] += length
                    self._gap_count += 1
                    if len(gaps) < GAPS_KEPT:
                        heappush(gaps, (length, -now, kind))
                    elif length > gaps[0][0]:
                        heappushpop(gaps, (length, -now, kind))
                now = at
            if code >= _FIRST_PAIR:
                running[(code - _FIRST_PAIR) >> 1] += -1 if code & 1 else 1

    def _name_gaps(self, begin: int) -> None:
        """Look up what had happened before the gaps that were found since a moment, and what came then."""
        opening = {-negative for _, negative, _ in self._gaps}
        closing = {length - negative for length, negative, _ in self._gaps}
        self._after = {at: text for at, text in self._after.items() if at in opening}
        self._before = {at: text for at, text in self._before.items() if at in closing}
        opening = {at for at in opening if at >= begin and at not in self._after}
        closing = {at for at in closing if at > begin and at not in self._before}
        ended: dict[int, str] = {}
        began: dict[int, str] = {}
        for start, end, number in zip(self._starts, self._ends, self._names, strict=True):
            goes_on = number < 0
            name = ~number if goes_on else number
            kind = self._kinds[name]
            # Of what came together: before a gap what ended, and of that the last; after it what began, and the first.
            if end in opening and kind != RUN and not goes_on:
                ended[end] = self._text(name, "end")
            if start in opening:
                self._after.setdefault(start, self._text(name, "start"))
            if start in closing:
                if kind == RUN:
                    self._before.setdefault(start, self._text(name, "start"))
                elif start not in began or kind == USER:
                    began[start] = self._text(name, "start")
            if end in closing and kind != RUN and not goes_on:
                self._before.setdefault(end, self._text(name, "end"))
        if begin in opening and self._last_text:
            ended.setdefault(begin, self._last_text)
        self._after.update(ended)
        self._before.update(began)

    def _text(self, name: int, which: str) -> str:
        text = self._texts[name]
        return f"{which} of {text}" if self._kinds[name] == TASK else text

    def _forget(self, to: int) -> None:
        starts, ends, names = array("q"), array("q"), array("i")
        for start, end, name in zip(self._starts, self._ends, self._names, strict=True):
            if end > to and to < self._end_ms:
                starts.append(max(start, to))
                ends.append(end)
                names.append(name)
            elif end == to and name >= 0 and self._kinds[name] != RUN:
                self._last_text = self._text(name, "end")
        self._base += len(self._names)
        self._starts, self._ends, self._names = starts, ends, names
