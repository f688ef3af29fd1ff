"""What has to be found after a crash, and whether it is: read, checked, recovered, continued, and checked again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from deia import SessionLogger, TaskEvent, analyze_session, read_events, system
from deia.errors import NotASessionLogError
from deia.events import AnyEvent
from deia.journal.check import check
from deia.journal.damage import Damage
from deia.journal.mend import mend
from deia.journal.recovery import recover
from deia.queue.layout import queue_path
from deia.testing.tally import Tally
from support.simulated_disk.operations import Mark, Operation
from support.simulated_disk.scenes import AGENT, SESSION, Run, label_of


@dataclass(frozen=True)
class Promised:
    """What a run had been promised when it was cut off.

    Attributes:
        acknowledged: Labels of the events whose calls had returned, in order.
        begun: The same, and the one whose call had not.
        durable: Of the acknowledged, how many were covered by a sync that had returned.
        saved: Likewise, how many were in the newest copy that had been saved elsewhere.
    """

    acknowledged: list[str]
    begun: list[str]
    durable: int
    saved: int

    @classmethod
    def by(cls, operations: Sequence[Operation]) -> Promised:
        marks = [operation for operation in operations if isinstance(operation, Mark)]
        noted: dict[str, list[Any]] = {"acknowledged": [], "begun": [], "durable": [0], "saved": [0]}
        for mark in marks:
            noted.setdefault(mark.what, []).append(mark.value)
        return cls(noted["acknowledged"], noted["begun"], max(noted["durable"]), max(noted["saved"]))


@dataclass
class Reading:
    """What a reader finds.

    Attributes:
        events: All of them.
        labels: Those that the scene logged.
        damages: What it reports.
    """

    events: list[AnyEvent] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)

    @classmethod
    def of(cls, journal: Path) -> Reading:
        reading = cls()
        with suppress(FileNotFoundError):
            with suppress(NotASessionLogError):  # of a loss of power that left no line whole
                reading.events += read_events(journal, on_damage=reading.damages.append)
            report = check(journal)
            assert report.events == len(reading.events)
            assert [damage for damage in report.damages if damage.kind != "foreign"] == reading.damages
            assert report.ok == (reading.kinds <= {"torn"} and "foreign" not in report.damage_counts)
        reading.labels = [label for event in reading.events if (label := label_of(event)) is not None]
        return reading

    @property
    def kinds(self) -> set[str]:
        return {damage.kind for damage in self.damages}


@contextmanager
def after_restart(monkeypatch: pytest.MonkeyPatch, boots: int) -> Iterator[None]:
    """Have another kernel than the one that recorded, after so many boots; with 0, the same one.

    fsync does nothing here: what these calls leave is looked at, and not crashed again.
    """
    with monkeypatch.context() as patch:
        if boots:
            patch.setattr(system, "boot_id", lambda: bytes([boots]) * 16)
        patch.setattr(system, "sync", lambda fd: None)
        patch.setattr(system, "sync_directory", lambda path: None)
        yield


class Oracle:
    """Looks at one state of the disk as whoever comes next would: this is done on real files."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._ways = 0

    def after_death(self, promised: Promised) -> Tally:
        """The process was killed: everything acknowledged is there once and in order, and nothing torn is read."""
        found = Reading.of(self._run.journal)
        self._is_genuine(found)
        assert found.labels in (promised.acknowledged, promised.begun)
        assert found.kinds <= {"torn"}
        self._go_on(self._recover(found))
        return self._tally(promised.acknowledged, found)

    def after_power_loss(self, promised: Promised) -> Tally:
        """The machine died: everything that a sync covered is there, only whole lines are read, and a gap is told."""
        found = Reading.of(self._run.journal)
        self._is_genuine(found)
        owed = promised.acknowledged[: promised.durable]
        assert found.labels[: len(owed)] == owed
        if promised.saved:
            copy = Reading.of(self._run.copy)
            assert copy.damages == []
            assert copy.labels[: promised.saved] == promised.acknowledged[: promised.saved]
            assert copy.labels == promised.acknowledged[: len(copy.labels)]
        order = {label: number for number, label in enumerate(promised.begun)}
        numbers = [order[label] for label in found.labels]
        assert numbers == sorted(set(numbers))
        self._go_on(self._recover(found))
        return self._tally(owed, found)

    def _is_genuine(self, found: Reading) -> None:
        """Assert that each event is what was logged, in order, and that whatever is missing in between is told."""
        seqs = [event.seq or 0 for event in found.events]
        if seqs != list(range(1, len(seqs) + 1)):
            assert found.kinds & {"gap", "unreadable"}, seqs
            assert seqs == sorted(set(seqs)), seqs
        for event in found.events:
            label = label_of(event)
            if isinstance(event, TaskEvent):
                assert label is not None
                logged = self._run.logged[label]
                assert isinstance(logged, TaskEvent)
                assert event.metadata == logged.metadata
            elif label is not None:
                assert event == self._run.logged[label]

    def _recover(self, before: Reading) -> Reading:
        """Recover, each time in the next of the three ways there are; it changes nothing of what can be read.

        One way is to do nothing: then opening the session again recovers it.
        """
        self._ways += 1
        journal = self._run.journal
        no_journal = not journal.exists()  # it comes back out of its queue file
        if self._ways % 3 == 0 and (journal.exists() or queue_path(journal).exists()):
            recover(journal)
        elif self._ways % 3 == 1 and (before.events or self._is_without_journal()):
            mend(journal)
        else:
            return before
        after = Reading.of(journal)
        assert after.labels == before.labels or (no_journal and not before.labels)
        allowed = before.kinds - {"torn", "queue"}
        if "unreadable" in allowed:  # what was taken out is a gap now
            allowed.add("gap")
        assert after.kinds <= allowed
        assert not queue_path(journal).exists()
        return after

    def _is_without_journal(self) -> bool:
        return not self._run.journal.exists() and queue_path(self._run.journal).exists()

    def _go_on(self, before: Reading) -> None:
        """Open the session again, write on, close it, and find all of it."""
        journal = self._run.journal
        no_journal = not journal.exists()
        logger = SessionLogger(AGENT, SESSION, output_dir=journal.parent, **self._run.options)
        logger.log_file_read("after 1")
        logger.log_tool_call("after 2", {}, 1)
        logger.flush()
        labels = Reading.of(journal).labels
        assert labels == [*before.labels, "after 1", "after 2"] or (no_journal and not before.labels)
        logger.close()
        after = Reading.of(journal)
        assert after.labels == labels
        assert after.kinds <= before.kinds - {"torn", "queue"}
        assert not queue_path(journal).exists()
        if before.events:
            assert [e.seq for e in after.events][: len(before.events)] == [e.seq for e in before.events]
        analysis = analyze_session(journal)
        assert analysis.file_operation_stats["read"] >= 1

    def _tally(self, owed: list[str], found: Reading) -> Tally:
        there = [label for label in found.labels if label in set(owed)]
        return Tally(
            tried=1,
            acknowledged=len(owed),
            found=len(set(there)),
            missing=len(set(owed) - set(there)),
            torn=sum(damage.kind == "unreadable" for damage in found.damages),
            duplicated=len(there) - len(set(there)),
        )
