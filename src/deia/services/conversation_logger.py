"""Keep a conversation as people read it: a Markdown file beside the session's log, written while it goes on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from deia.conversation import index
from deia.conversation.keeper import Keeper
from deia.conversation.page import bring_up_to_date, identify, path_of
from deia.errors import HandlerTimeoutError, NotASessionLogError, SessionLockedError
from deia.journal.segments import is_there
from deia.services.async_session_logger import AsyncSessionLogger, Closing, in_thread
from deia.services.session_logger import DEFAULT_TIMEOUT_S, SessionLogger
from deia.system import monotonic

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from deia.options import LoggerOptions


class _Companion:
    """What both faces are: a recorder, and who keeps the conversation of its session."""

    _recorder: SessionLogger
    _owns: bool
    _keeper: Keeper | None

    def _accompany(self, recorder: SessionLogger, *, owns: bool) -> None:
        self._recorder = recorder
        self._owns = owns
        self._keeper = None
        self._keep()

    def _keep(self) -> None:
        """Keep the session that is recorded now: in a forked child it is another one."""
        session = self._recorder._session
        if self._recorder._producer is not None and (self._keeper is None or self._keeper.session is not session):
            keeper = Keeper(session)
            keeper.start()
            self._keeper = keeper

    def _flush(self, timeout_s: float) -> None:
        keeper = self._keeper
        if keeper is not None and not keeper.wait_shown(timeout_s):
            raise self._late(keeper, timeout_s)

    def _close(self, timeout_s: float) -> None:
        keeper = self._keeper
        deadline = monotonic() + timeout_s
        if keeper is None or keeper.has_finished:
            if self._owns:
                self._recorder.close(timeout_s)
            return
        if self._owns:
            self._recorder.close(timeout_s)
            complete = keeper.wait_finished(max(0.0, deadline - monotonic()))
        else:
            has_all = keeper.wait_shown(timeout_s)
            complete = keeper.stop(max(0.0, deadline - monotonic()), has_all=has_all)
        if not complete:
            raise self._late(keeper, timeout_s)

    def _late(self, keeper: Keeper, timeout_s: float) -> HandlerTimeoutError:
        where = keeper.path or self._recorder.path.parent
        error = HandlerTimeoutError(f"the conversation is not up to date in {timeout_s} s: {where}")
        error.__cause__ = keeper.error
        return error

    @property
    def path(self) -> Path | None:
        """The Markdown file; None before the first event."""
        journal = self._recorder.path
        if self._keeper is None:
            return None
        if self._keeper.path is not None:
            return self._keeper.path
        if not is_there(journal):
            return None
        try:
            return path_of(journal.parent, identify(journal))
        except NotASessionLogError:
            return None

    @property
    def agent_id(self) -> str:
        """Who records."""
        return self._recorder.agent_id

    @property
    def session_id(self) -> str:
        """The session that is recorded."""
        return self._recorder.session_id

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._recorder.path}>"


class ConversationLogger(_Companion):
    """Keeps a session as a conversation that people read, in a Markdown file beside the session's log.

    Everything that is recorded has its place there as soon as it is recorded: messages, tool calls (folded), model
    calls, files, tasks, decisions, action items, errors. `INDEX.md` lists the conversations of the directory. The file
    is a view over the log: what it shows survives the death of the process, and what a death kept from it comes when
    the session is opened again, or by `rebuild`.

    It records by itself (`user`, `assistant`, `decision` …); what else a `SessionLogger` records is recorded by
    `logger`. `ConversationLogger.of` keeps the conversation of a logger that is there already.

    Args:
        agent_id: As for `SessionLogger`.
        session_id: As for `SessionLogger`.
        output_dir: As for `SessionLogger`; the Markdown file is in the same directory.
        **options: See `deia.options.Options`.

    Raises:
        TypeError: As for `SessionLogger`.
        ValueError: As for `SessionLogger`.
        RuntimeError: The system gives us no thread.
    """

    def __init__(
        self,
        agent_id: str,
        session_id: str | None = None,
        *,
        output_dir: str | os.PathLike[str] | None = None,
        **options: Unpack[LoggerOptions],
    ) -> None:
        self._accompany(SessionLogger(agent_id, session_id, output_dir=output_dir, **options), owns=True)

    @classmethod
    def of(cls, logger: SessionLogger) -> Self:
        """Keep the conversation of a logger's session, from its beginning on, as long as it is recorded.

        Raises:
            LoggerClosedError: The logger is closed.
            RuntimeError: The system gives us no thread.
        """
        conversation = object.__new__(cls)
        conversation._accompany(logger, owns=False)
        return conversation

    @property
    def logger(self) -> SessionLogger:
        """What records: for tool calls, files, tasks and everything else."""
        return self._recorder

    def user(self, content: Any, *, metadata: Mapping[str, Any] | None = None) -> None:
        """Record what the user said; otherwise as `message`."""
        self.message("user", content, metadata=metadata)

    def assistant(
        self, content: Any, *, message_id: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Record what the model said; otherwise as `message`."""
        self.message("assistant", content, message_id=message_id, metadata=metadata)

    def system(self, content: Any, *, metadata: Mapping[str, Any] | None = None) -> None:
        """Record what the model was told beforehand; otherwise as `message`."""
        self.message("system", content, metadata=metadata)

    def message(
        self, role: str, content: Any, *, message_id: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Record that somebody said something; see `SessionLogger.log_message`."""
        self._keep()
        self._recorder.log_message(role, content, message_id=message_id, metadata=metadata)

    def decision(
        self,
        decision: str,
        *,
        reason: str | None = None,
        alternatives: Iterable[Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Record that something was decided; see `SessionLogger.log_decision`."""
        self._keep()
        self._recorder.log_decision(decision, reason=reason, alternatives=alternatives, metadata=metadata)

    def action_item(
        self,
        item: str,
        *,
        assignee: str | None = None,
        due: object = None,
        done: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Record that something is to be done, or is done; see `SessionLogger.log_action_item`."""
        self._keep()
        self._recorder.log_action_item(item, assignee=assignee, due=due, done=done, metadata=metadata)

    def flush(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """Wait until everything that was recorded before this call is in the Markdown file, and in `INDEX.md`.

        Args:
            timeout_s: Seconds to wait.

        Raises:
            HandlerTimeoutError: It is not, yet; where the file cannot be written, its cause is the system's error.
        """
        self._flush(timeout_s)

    def close(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """Complete the file; what it comes to stands at its top then. May be called twice, and need not be called.

        A logger of its own is closed, too; that of `ConversationLogger.of` goes on without being shown.

        Args:
            timeout_s: Seconds to wait.

        Raises:
            HandlerTimeoutError: As for `flush`.
            DeiaError: As `SessionLogger.close`.
        """
        self._close(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @staticmethod
    def rebuild(journal: str | os.PathLike[str]) -> Path:
        """Bring the conversation of a session log up to date, or make it, and list it in `INDEX.md`.

        A file that says something else than the log is kept beside the new one, under a name that ends in `.aside-1`
        and so on.

        Args:
            journal: The session log.

        Returns:
            The Markdown file.

        Raises:
            SessionLockedError: Somebody keeps it: it is up to date.
            NotASessionLogError: The log has no event that could be shown.
            OSError: The log cannot be read, or the file not be written.
        """
        path = Path(os.path.abspath(journal))
        try:
            made = bring_up_to_date(path)
        except BlockingIOError as error:
            raise SessionLockedError(f"the conversation is being kept: {path}", path=path) from error
        index.update(path.parent)
        return made


class AsyncConversationLogger(_Companion, Closing):
    """`ConversationLogger` with every call awaited, on asyncio, uvloop or trio; see there.

    Args:
        agent_id: As for `ConversationLogger`.
        session_id: As for `ConversationLogger`.
        output_dir: As for `ConversationLogger`.
        **options: See `deia.options.Options`.
    """

    def __init__(
        self,
        agent_id: str,
        session_id: str | None = None,
        *,
        output_dir: str | os.PathLike[str] | None = None,
        **options: Unpack[LoggerOptions],
    ) -> None:
        self._logger = AsyncSessionLogger(agent_id, session_id, output_dir=output_dir, **options)
        self._accompany(self._logger._recorder, owns=True)

    @classmethod
    def of(cls, logger: AsyncSessionLogger) -> Self:
        """See `ConversationLogger.of`."""
        conversation = object.__new__(cls)
        conversation._logger = logger
        conversation._accompany(logger._recorder, owns=False)
        return conversation

    @property
    def logger(self) -> AsyncSessionLogger:
        """See `ConversationLogger.logger`."""
        return self._logger

    async def user(self, content: Any, *, metadata: Mapping[str, Any] | None = None) -> None:
        """See `ConversationLogger.user`."""
        await self.message("user", content, metadata=metadata)

    async def assistant(
        self, content: Any, *, message_id: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """See `ConversationLogger.assistant`."""
        await self.message("assistant", content, message_id=message_id, metadata=metadata)

    async def system(self, content: Any, *, metadata: Mapping[str, Any] | None = None) -> None:
        """See `ConversationLogger.system`."""
        await self.message("system", content, metadata=metadata)

    async def message(
        self, role: str, content: Any, *, message_id: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """See `ConversationLogger.message`."""
        self._keep()
        await self._logger.log_message(role, content, message_id=message_id, metadata=metadata)

    async def decision(
        self,
        decision: str,
        *,
        reason: str | None = None,
        alternatives: Iterable[Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """See `ConversationLogger.decision`."""
        self._keep()
        await self._logger.log_decision(decision, reason=reason, alternatives=alternatives, metadata=metadata)

    async def action_item(
        self,
        item: str,
        *,
        assignee: str | None = None,
        due: object = None,
        done: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """See `ConversationLogger.action_item`."""
        self._keep()
        await self._logger.log_action_item(item, assignee=assignee, due=due, done=done, metadata=metadata)

    async def flush(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """See `ConversationLogger.flush`."""
        await in_thread(partial(self._flush, timeout_s))

    async def close(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """See `ConversationLogger.close`."""
        await in_thread(partial(self._close, timeout_s))

    @staticmethod
    async def rebuild(journal: str | os.PathLike[str]) -> Path:
        """See `ConversationLogger.rebuild`."""
        return await in_thread(partial(ConversationLogger.rebuild, journal))
