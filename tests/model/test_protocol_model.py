"""The protocol keeps its promises in every state it can reach, and none of its rules can be left out.

`pytest -rP tests/model` tells how many states there were.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from model import broken_protocols
from model.exploration import Exploration, explore
from model.protocol_model import Protocol
from model.states import Disk, Queue
from model.worlds import SIGHTS, WORLDS

pytestmark = pytest.mark.once

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "protocol-model.md"


@cache
def explored(name: str) -> Exploration:
    world = WORLDS[name]
    return explore(world.under(Protocol), {sight: SIGHTS[sight] for sight in world.sights})


def all_promises_hold_in(name: str) -> None:
    found = explored(name)
    print(f"{name}: {found.states} states, {sum(found.steps.values())} steps")
    assert found.fault is None, f"\n{found}"
    assert found.sights == WORLDS[name].sights


def test_every_returned_call_is_recorded_once_and_in_order_however_calls_interleave() -> None:
    """Two threads, a call that interrupts another anywhere outside its section, and a ring too small for two lines."""
    all_promises_hold_in("threads")


def test_a_reader_gets_every_acknowledged_line_whole_while_the_ring_is_used_again() -> None:
    """Copying the ring takes two steps, reading the journal any number, and the process goes on meanwhile."""
    all_promises_hold_in("reader")


def test_short_failed_repeated_and_late_writes_do_no_harm() -> None:
    """Two writes of the same bytes may be in flight, and land when their places in the ring hold other lines."""
    all_promises_hold_in("slow writes")


def test_a_line_longer_than_the_ring_is_whole_or_not_there() -> None:
    """A call that interrupts its write finishes it first, and a reader sees all of it or nothing."""
    all_promises_hold_in("long line")


def test_a_line_longer_than_the_ring_keeps_its_place_among_those_of_other_threads() -> None:
    """It waits for what is queued before it, and other threads wait for it."""
    all_promises_hold_in("long lines")


def test_a_line_longer_than_the_ring_may_be_logged_inside_the_write_of_another_one() -> None:
    """The inner call finishes the outer one's line before it writes its own."""
    all_promises_hold_in("long line in a long line")


def test_a_direct_write_that_an_exception_ended_is_finished_by_the_next_call() -> None:
    """A line that a reader may have got is never cut again, whoever failed to write it once more."""
    all_promises_hold_in("long line, exceptions")


def test_mode_write_promises_the_same() -> None:
    """Without a ring, each line is written through, by threads and nested calls, while a reader reads."""
    all_promises_hold_in("mode write")


def test_mode_write_promises_the_same_when_exceptions_hit_calls() -> None:
    """A line that was begun is finished by the next call, or by `close`."""
    all_promises_hold_in("mode write, exceptions")


def test_a_killed_session_is_recovered_and_continued_though_recovery_is_killed_too() -> None:
    """What was acknowledged before the crash, and after it, is there once and in order, and `seq` goes on."""
    all_promises_hold_in("crashes")


def test_a_reader_needs_no_repair_and_is_not_disturbed_by_one() -> None:
    """It may read before, during and after recovery, or begin in one run and end in the next."""
    all_promises_hold_in("crashes, reader")


def test_recovery_cuts_a_torn_direct_write_and_keeps_a_whole_one() -> None:
    """Killed or not, it comes to the same journal; and what a reader got stays."""
    all_promises_hold_in("crashes, long line")


def test_recovery_in_mode_write_promises_the_same() -> None:
    """There is no ring to recover from, only a torn end to cut."""
    all_promises_hold_in("crashes, mode write")


def test_close_leaves_a_journal_with_every_call_that_was_not_refused() -> None:
    """Calls of other threads, and nested ones, may come at any time before and after."""
    all_promises_hold_in("close")


def test_a_queue_file_that_vanishes_or_is_replaced_under_a_reader_does_no_harm() -> None:
    """A clean close and the next opening may come between any two steps of a reader."""
    all_promises_hold_in("close, reader")


@pytest.mark.parametrize(
    "disk",
    [
        Disk("", Queue(3, "a1\n..")),
        Disk("a", Queue(3, "a1\n..")),
        Disk("a1\nb", Queue(6, "\n1\nb2")),
        Disk("a1\nL2", Queue(3, "a1\n..")),
        Disk("a1\nL2LLL\n", Queue(3, "a1\n..")),
        Disk("a1\nb", None),
    ],
    ids=repr,
)
def test_recovery_done_again_changes_nothing(disk: Disk) -> None:
    """A recovered disk has nothing left to mend."""
    protocol = Protocol(ring=5, runs=(("a",),))
    assert protocol.recovery_step(protocol.recovered(disk)) is None


BROKEN = {
    "CommitsBeforeCopying": ("threads", "recovery makes"),
    "ChecksAndCopiesApart": ("threads", "'n1\\n' is missing"),
    "CopiesAndCommitsApart": ("threads", "'a1\\n' is missing"),
    "KeepsTheOldLine": ("threads", "line 2 is 'c1\\n'"),
    "ReusesWhatIsBeingWritten": ("threads", "recovery makes"),
    "BelievesWhatItAsked": ("threads", "recovery makes 'a\\x00\\x00"),
    "AddsUp": ("slow writes", "recovery makes"),
    "WritesFromTheRing": ("slow writes", "recovery makes"),
    "Appends": ("slow writes", "recovery makes 'aa"),
    "CommitsBeforeWritingDirectly": ("long line", "recovery makes"),
    "DoesNotWaitForTheQueue": ("long lines", "recovery makes '\\x00"),
    "LeavesTheFastPathOpen": ("long lines", "line 1 is 'M1\\n'"),
    "NestedCallWaits": ("long line", "a call waits for ever"),
    "NestedCallGoesItsOwnWay": ("mode write", "'n1\\n' is missing"),
    "NestedCallCutsBack": ("mode write", "a reader had already got 'a1\\n'"),
    "OuterCallLooksOnlyAtEnd": ("long line, exceptions", "recovery makes '\\x00"),
    "WritesBlindly": ("long line", "line 1 is 'L1\\n'"),
    "LeavesTornBytes": ("long line", "line 1 is 'L1\\n'"),
    "CutsWholeLines": ("long line, exceptions", "a reader had already got 'L1LLL\\n'"),
    "ForgetsAndCutsApart": ("mode write, exceptions", "'n1\\n' is missing"),
    "ReadsTheJournalFirst": ("reader", "a reader gets"),
    "CopiesTheRingFirst": ("reader", "a reader gets"),
    "JoinsTwoReads": ("crashes, long line", "a reader gets 'L1MM\\n'"),
    "RemovesTheQueueFirst": ("crashes", "recovery, interrupted and done again"),
    "AppendsTheWholeWindow": ("reader", "recovery makes 'aa1\\n'"),
    "KeepsATornEnd": ("crashes, long line", "line 1 is 'L1'"),
    "CutsToCommitted": ("crashes, long line", "a reader had already got 'L1LLL\\n'"),
    "OpensAtCommitted": ("crashes, long line", "recovery makes"),
    "ClosesBeforeDraining": ("close", "'a1\\n' is missing"),
    "AcceptsAfterClose": ("close", "is missing"),
}
"""For each broken rule the world in which it is tried, and what comes of it."""


@pytest.mark.parametrize("name", BROKEN)
def test_no_rule_can_be_left_out(name: str) -> None:
    """The exploration finds what each broken rule breaks, so it can fail."""
    world, fault = BROKEN[name]
    found = explore(WORLDS[world].under(getattr(broken_protocols, name)))
    print(found)
    assert found.fault is not None
    assert fault in found.fault


def test_every_broken_rule_is_tried_and_is_on_the_page() -> None:
    """The page's table of broken rules is complete."""
    names = {
        name
        for name, rules in vars(broken_protocols).items()
        if isinstance(rules, type) and issubclass(rules, Protocol) and rules is not Protocol
    }
    assert set(BROKEN) == names
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) == names


def test_every_kind_of_step_is_taken_and_is_on_the_page() -> None:
    """Together the worlds take each step that the model has, and the page says what it stands for."""
    taken = {step for name in WORLDS for step in explored(name).steps}
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\*.+?\*) \|", page, re.MULTILINE)
    assert {step for row in rows for step in re.findall(r"\*(.+?)\*", row)} == taken
