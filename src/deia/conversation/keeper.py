"""Keep the Markdown file of a session while it is recorded: a subscriber, on a thread of its own."""

from __future__ import annotations

import logging
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deia import system
from deia.bus.background import at_exit
from deia.bus.subscription import Subscription
from deia.conversation import index
from deia.conversation.descriptors import let_go
from deia.conversation.page import (
    DiffersError,
    Page,
    bring_up_to_date,
    identify,
    path_of,
    put_aside,
    write_whole,
)
from deia.conversation.rendering import SHOWN
from deia.conversation.view import View
from deia.errors import JournalError, LoggerClosedError

if TYPE_CHECKING:
    from deia.bus.session import Session

logger = logging.getLogger(__name__)

_BATCH = 256
"""Events that are written at once: what a reader sees grows in such steps where much is logged."""

_FIRST_RETRY_S = 0.25
_LAST_RETRY_S = 30.0

_INDEX_SHARE = 20
"""The index is written anew for at most one part in so many of the time …"""

_INDEX_LATEST_S = 1.0
"""… but so soon at the latest, however many conversations it lists: `flush` waits for it."""

_LONG_S = 3600.0
"""How long a wait lasts that news end."""


class Keeper:
    """Who keeps the conversation of one session up to date.

    Attributes:
        session: The session.
        path: The file, once there is one.
        error: Why it cannot be written for now.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.path: Path | None = None
        self.error: Exception | None = None
        self._subscription: Subscription[Any] | None = None
        self._page: Page | None = None
        self._stopping = False
        self._has_all = False
        self._finished = False
        self._appended = True
        self._index_due = 0.0
        self._index_is_stale = False
        self._said: set[str] = set()

    # From any thread

    def start(self) -> None:
        """Begin.

        Raises:
            LoggerClosedError: The session is closed.
            RuntimeError: The system gives us no thread.
        """
        self._subscribe()  # here, where what is in the way is raised, and threads can be started
        _keepers.add(self)
        _register()
        system.start_thread(self._keep)

    def has_shown(self, seq: int) -> bool:
        """Whether everything up to a `seq` is in the file, and nothing is in the way of what comes."""
        subscription = self._subscription
        return self._finished or not seq or (subscription is not None and subscription.has_dealt_with(seq))

    def wait_shown(self, timeout_s: float) -> bool:
        """Wait until everything that is recorded by now is in the file, or for so long, or until that fails.

        The end of a session that is closed belongs to it.
        """
        if self.session.state == "closed":
            return self.wait_finished(timeout_s)
        seq = self.session.producer.seq
        self.session.feed.progress.wait_until(lambda: self.error is not None or self.has_shown(seq), timeout_s)
        return self.error is None and self.has_shown(seq)

    def stop_soon(self, *, has_all: bool) -> None:
        """Keep it no more, and complete the file, without waiting for that.

        Args:
            has_all: Whether everything that was recorded is in it, but for what comes now; else it is read again.
        """
        self._has_all = has_all
        self._stopping = True
        subscription = self._subscription
        if subscription is not None:
            subscription.close()
        self.session.feed.progress.announce()

    def stop(self, timeout_s: float, *, has_all: bool) -> bool:
        """The same; return whether the file is complete in so many seconds."""
        self.stop_soon(has_all=has_all)
        return self.wait_finished(timeout_s)

    @property
    def has_finished(self) -> bool:
        """Whether nothing more is written."""
        return self._finished

    def wait_finished(self, timeout_s: float) -> bool:
        """Wait until the file of a session that is closed is complete; return whether it is."""
        self.session.feed.progress.wait_until(lambda: self._finished, timeout_s)
        return self._finished and self.error is None

    def disown(self) -> None:
        """Let go of the file in a forked child: whoever holds a copy of a descriptor holds its lock."""
        self._page = None
        self._finished = True

    # On its thread

    def _keep(self) -> None:
        pause_s = _FIRST_RETRY_S
        try:
            while True:
                try:
                    if self._stopping:
                        self._complete_from_journal()
                    else:
                        self._follow()
                except DiffersError as difference:  # noqa: PERF203  # a try that failed is followed by another
                    if not self._appended:
                        raise
                    self._appended = False
                    self._write_anew(difference)
                except LoggerClosedError:
                    self._stopping = True
                except (OSError, JournalError) as error:
                    ended = self._has_ended()
                    self._failed(error)
                    if ended:
                        break
                    self.session.feed.progress.wait_until(self._has_ended, pause_s)
                    pause_s = min(2 * pause_s, _LAST_RETRY_S)
                else:
                    break
                finally:
                    self._release()
        except Exception as error:  # a defect: the session, its log and other subscribers are served all the same
            self.error = error
            logger.exception("The conversation is not kept any more: %s", self.session.path)
        finally:
            self._finished = True
            self.session.feed.progress.announce()

    def _has_ended(self) -> bool:
        return self._stopping or self.session.state == "closed"

    def _follow(self) -> None:
        """Write what comes, from the session's beginning on, until it is over or we are stopped."""
        subscription = self._subscription or self._subscribe()
        view = None
        try:
            while (events := subscription.take_batch(_BATCH, self._patience_s())) is not None:
                if events:
                    if view is None or self._page is None:
                        self._page = self._open()
                        view = View(self._page.identity)
                    if self._page.put(b"".join(map(view.add, events)), view):
                        self._appended = True
                    self._index_is_stale, self.error = True, None
                if self._index_is_stale and system.monotonic() >= self._index_due:
                    self._update_index()
                if not self._index_is_stale:
                    subscription.rest()
        finally:
            self._subscription = None
            subscription.close()
        if subscription.missed or (self._stopping and not self._has_all):
            self._release()
            self._complete_from_journal()
        elif view is not None and self._page is not None:
            self._page.complete(view)
            self._release()
            self._update_index()

    def _subscribe(self) -> Subscription[Any]:
        subscription: Subscription[Any] = Subscription(self.session, SHOWN, None, replay=True)
        subscription.begin()
        self._subscription = subscription
        return subscription

    def _open(self) -> Page:
        """Take up the file of the session, or make it."""
        journal = self.session.path
        identity = identify(journal)
        self.path = path_of(journal.parent, identity)
        return Page.adopt(self.path, identity) or write_whole(journal, identity, self.path, "recording")

    def _write_anew(self, difference: DiffersError) -> None:
        """Put a file aside that does not say what the journal says, and have another in its place."""
        assert self.path is not None
        if difference.keep:
            put_aside(self.path)
            logger.warning("A conversation that somebody has changed was put aside, and is written anew: %s", self.path)
        journal = self.session.path
        write_whole(journal, identify(journal), self.path, "recording").release()

    def _complete_from_journal(self) -> None:
        if self.session.producer.seq:
            self.path = bring_up_to_date(self.session.path)
            self._update_index()

    def _patience_s(self) -> float:
        return max(0.0, self._index_due - system.monotonic()) if self._index_is_stale else _LONG_S

    def _update_index(self) -> None:
        began = system.monotonic()
        try:
            index.update(self.session.path.parent)
        except OSError as error:  # the conversation itself is kept all the same; it is tried again with the next event
            self._say("The index of conversations cannot be written", error)
        now = system.monotonic()
        self._index_is_stale = False
        self._index_due = now + min(_INDEX_SHARE * (now - began), _INDEX_LATEST_S)

    def _failed(self, error: Exception) -> None:
        self._say("The conversation cannot be written, and is written later", error)
        self.error = error
        self.session.feed.progress.announce()

    def _say(self, what: str, error: Exception) -> None:
        """Warn of what is in the way, once for each kind of it."""
        if str(error) not in self._said:
            self._said.add(str(error))
            logger.warning("%s: %s", what, error)

    def _release(self) -> None:
        page, self._page = self._page, None
        if page is not None:
            page.release()


_keepers: weakref.WeakSet[Keeper] = weakref.WeakSet()
_registered = False


def _register() -> None:
    """Complete conversations at interpreter exit."""
    global _registered
    if not _registered:
        _registered = True
        at_exit(_stop_all, _wait_for_all)


def _stop_all() -> None:
    for keeper in list(_keepers):
        keeper.stop_soon(has_all=keeper.has_shown(keeper.session.producer.seq))


def _wait_for_all() -> None:
    for keeper in list(_keepers):
        keeper.wait_finished(keeper.session.options.exit_timeout_s)


def _start_over() -> None:
    """In a forked child: the threads, the files and their locks are the parent's."""
    for keeper in list(_keepers):
        keeper.disown()
    _keepers.clear()
    let_go()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_over)
