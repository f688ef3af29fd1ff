"""Take events from subscriptions, and wait until they were handed out."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import anyio

from deia import CustomEvent, EventBus, Subscription
from support.waiting import PATIENCE_S, eventually

E = TypeVar("E")


@dataclasses.dataclass
class Step(CustomEvent):
    """An event of the tests' own."""

    number: int


@dataclasses.dataclass
class LastStep(Step):
    """One that inherits from it."""


async def take(events: Subscription[E], count: int) -> list[E]:
    """Return the next so many events."""
    found: list[E] = []
    with anyio.fail_after(PATIENCE_S):
        while len(found) < count:
            found.append(await anext(events))
    return found


async def rest_of(events: Subscription[E]) -> list[E]:
    """Return all events until the subscription ends."""
    with anyio.fail_after(PATIENCE_S):
        return [event async for event in events]


def handed_out(bus: EventBus) -> None:
    """Return once everything that is recorded was handed to whoever is live."""
    session = bus._recorder._session

    def is_done() -> bool:
        with session.feed.lock:
            head = session.feed.head
            return head is None or head.seq >= session.producer.seq

    eventually(is_done, "for the background to hand out events")


def seqs(events: list[Any]) -> list[int]:
    """Return the `seq` of each event."""
    return [event.seq for event in events]
