"""Hand the events of one session to its subscribers: what is new is read, decoded once, and given to all who are live.

`docs/explanation/delivery.md` has the states of a subscriber and what it is promised.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from deia.bus.background import background
from deia.bus.course import Chunk, Position
from deia.bus.progress import Progress

if TYPE_CHECKING:
    from deia.bus.filters import Filter
    from deia.bus.loop import Background, Bell
    from deia.bus.session import Session
    from deia.bus.subscription import Subscription

logger = logging.getLogger(__name__)

POLL_S = 0.010
"""How often it is looked for new events while anyone subscribes: half of what a subscriber is promised, as the loop is
late at times."""

Numbered = tuple[int, Any]
"""An event and, before it, its `seq`, for which a class of the user's may have no place."""


class Feed:
    """Who subscribes to a session, and how far events were handed out to those who are live.

    Attributes:
        lock: Held while events are handed out, and while a subscriber comes, goes, falls behind or goes live.
        head: Up to where events were handed out; None while nobody subscribes.
        rings: Whether the background is to be woken for each event: somebody wants it at once.
        progress: Wakes who waits for handlers.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.lock = threading.RLock()
        self.head: Position | None = None
        self.rings = False
        self.progress = Progress()
        self._subscriptions: list[Subscription[Any]] = []
        self._read_by: Background | None = None
        self._bell: Bell | None = None
        self._asleep = False

    # From any thread

    def add(self, subscription: Subscription[Any], place: Callable[[Position], None]) -> None:
        """Have a subscriber.

        Args:
            subscription: Who.
            place: Called with the end of what is recorded by now, at the moment from which on it is a subscriber.

        Raises:
            RuntimeError: The system gives us no background thread.
        """
        home = background()
        home.hurry()
        with self.lock:
            now = self._session.course.now()
            if self.head is None:
                self.head = now
            place(now)
            self._subscriptions.append(subscription)
        self._note_bells()
        self.go_on(home)
        self.wake()

    def remove(self, subscription: Subscription[Any]) -> None:
        """Have a subscriber no more."""
        with self.lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
            if not self._subscriptions:
                self.head = None
        self._note_bells()
        self.wake()
        self.progress.announce()

    def _note_bells(self) -> None:
        """Stop the fast path while somebody wants each event at once; that takes the session's lock, without ours."""
        with self.lock:
            self.rings = any(subscription.at_once for subscription in self._subscriptions)
        self._session.set_limit()

    def go_on(self, home: Background) -> None:
        """Have somebody read for the subscribers, if there are any; who did may have died with its loop."""
        with self.lock:
            if self._subscriptions and self._read_by is not home:
                self._read_by = home
                home.start(_read, self, home)

    def note(self) -> None:
        """Look for an event that was just recorded by the slow path, if nobody will look soon."""
        if self._asleep or self.rings:
            self.wake()

    def wake(self) -> None:
        """Look for new events, and for an end, now."""
        bell = self._bell
        if bell is not None:
            bell.ring()

    def disown(self) -> None:
        """End all subscriptions in a forked child."""
        self.lock = threading.RLock()  # another thread of the parent may have held it
        subscriptions, self._subscriptions = self._subscriptions, []
        self.head, self.rings, self._bell = None, False, None
        for subscription in subscriptions:
            subscription.break_off()

    # On the background loop

    async def read(self, home: Background) -> None:
        """Hand out what is new, for as long as anyone subscribes."""
        import anyio.lowlevel
        from aiofiles.os import wrap

        from deia.bus.loop import Bell

        self._bell = bell = Bell(home)
        while (head := self.head) is not None:
            try:
                if self._session.course.is_in_memory(head):
                    chunk = self._session.course.read(head)
                else:
                    chunk = await wrap(self._session.course.read)(head, executor=home.executor)
            except OSError:
                self._skip(head)
                continue
            if chunk.data or chunk.missed:
                self._hand_out(head, chunk)
                await anyio.lowlevel.checkpoint()
            elif self._session.course.is_over(chunk.position):
                self.end()
            else:
                self._asleep = True  # first: from now on `note` rings
                self._asleep = self._is_idle(chunk.position)
                await bell.wait(None if self._asleep else POLL_S)
                self._asleep = False
        with self.lock:
            self._bell = self._read_by = None
        if self._subscriptions:  # somebody came in between
            self.go_on(home)

    def _is_idle(self, position: Position) -> bool:
        """Whether whatever comes after a position comes by `note`."""
        session = self._session
        if not session.parked and session.state != "unopened":
            return False
        now = session.course.now()  # it may have become idle since the position was read
        return (now.stretch, now.offset) == (position.stretch, position.offset)

    def _hand_out(self, head: Position, chunk: Chunk) -> None:
        """Decode what somebody wants, and give it to those who are live."""
        from deia.bus.recorded import event_of, lines_of

        with self.lock:
            live = [subscription for subscription in self._subscriptions if subscription.is_live]
        by_filter: dict[object, tuple[Filter, list[Numbered]]] = {}
        for subscription in live:
            by_filter.setdefault(subscription.filter.key, (subscription.filter, []))
        wanted = list(by_filter.values())
        reached = chunk.position
        for reached, name, line in lines_of(chunk):
            takers = [events for wants, events in wanted if reached.seq > reached.after and wants.wants(name)]
            if takers and (event := event_of(line)) is not None:
                for events in takers:
                    events.append((reached.seq, event))
        with self.lock:
            if self.head is not head:
                return  # everyone has gone meanwhile, and others may have come
            self.head = reached
            has_opened = chunk.position.stretch is not head.stretch
            for subscription in self._subscriptions:
                if not subscription.is_live:
                    continue
                found = by_filter.get(subscription.filter.key)
                if found is None or (has_opened and subscription.awaits_past):  # it came meanwhile, or has to go back
                    subscription.fall_behind(head)
                else:
                    subscription.offer(found[1], head, chunk)
        self.progress.announce()

    def _skip(self, head: Position) -> None:
        """Go on at the end of what is recorded: what comes before cannot be read now, or by who catches up."""
        with self.lock:
            if self.head is head:
                self.head = self._session.course.now()
                for subscription in self._subscriptions:
                    if subscription.is_live:
                        subscription.skip(head, self.head)
        self.progress.announce()

    def end(self, defect: Exception | None = None) -> None:
        """End all subscriptions."""
        with self.lock:
            subscriptions, self._subscriptions = self._subscriptions, []
            self.head = None
            if defect is not None:
                self._bell = self._read_by = None  # whoever comes next has somebody else read
        for subscription in subscriptions:
            subscription.end(defect)
        self._note_bells()
        self.progress.announce()


async def _read(feed: Feed, home: Background) -> None:
    try:
        await feed.read(home)
    except Exception as defect:  # in one session: the others' subscribers are served all the same
        logger.exception("The subscribers of a session are not served any more")
        feed.end(defect)
