"""Deia, the flight recorder for AI agents.

The names below are loaded at first use: a program that only records never loads the reader, and the other way round.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deia.analysis import (
        AnalysisCache,
        SessionAnalysis,
        SessionProfile,
        analyze_session,
        profile_session,
        summarize_session,
    )
    from deia.bus.subscription import Subscription
    from deia.errors import (
        DamagedLineError,
        DeiaError,
        FlushTimeoutError,
        ForeignJournalError,
        HandlerTimeoutError,
        JournalError,
        LoggerClosedError,
        NotASessionLogError,
        QueueFullError,
        SessionLockedError,
        WriterFailedError,
    )
    from deia.events import (
        ActionItemEvent,
        CustomEvent,
        DecisionEvent,
        ErrorEvent,
        FileEvent,
        LLMEvent,
        MessageEvent,
        SessionEvent,
        SessionSummary,
        TaskEvent,
        ToolEvent,
        UnknownEvent,
    )
    from deia.journal.reader import read_events
    from deia.registry import register_event
    from deia.services.async_session_logger import AsyncSessionLogger
    from deia.services.context import in_context
    from deia.services.conversation_logger import AsyncConversationLogger, ConversationLogger
    from deia.services.event_bus import EventBus
    from deia.services.session_logger import SessionLogger
    from deia.statistics import Statistics

__version__ = "0.1.0"

_IMPORT_ORDER = (
    ("errors",),
    ("system",),
    ("events", "options", "plain", "statistics", "text"),
    ("registry",),
    ("line", "redaction", "shortening", "trace"),
    ("queue",),
    ("journal",),
    ("bus", "analysis"),
    ("live",),
    ("conversation", "importing"),
    ("pruning",),
    ("services",),
    ("export", "report"),
    ("serve",),
    ("cli", "testing"),
    ("pytest_plugin",),
)
"""Who may import whom. Data moves one way, and imports with it: a row may import the rows above it and nothing else of
ours; the modules of one package may import each other. `tests/unit/test_imports.py` holds the source to it."""

_HOMES = {
    "deia.analysis": (
        "AnalysisCache",
        "SessionAnalysis",
        "SessionProfile",
        "analyze_session",
        "profile_session",
        "summarize_session",
    ),
    "deia.bus.subscription": ("Subscription",),
    "deia.errors": (
        "DamagedLineError",
        "DeiaError",
        "FlushTimeoutError",
        "ForeignJournalError",
        "HandlerTimeoutError",
        "JournalError",
        "LoggerClosedError",
        "NotASessionLogError",
        "QueueFullError",
        "SessionLockedError",
        "WriterFailedError",
    ),
    "deia.events": (
        "ActionItemEvent",
        "CustomEvent",
        "DecisionEvent",
        "ErrorEvent",
        "FileEvent",
        "LLMEvent",
        "MessageEvent",
        "SessionEvent",
        "SessionSummary",
        "TaskEvent",
        "ToolEvent",
        "UnknownEvent",
    ),
    "deia.journal.reader": ("read_events",),
    "deia.registry": ("register_event",),
    "deia.services.async_session_logger": ("AsyncSessionLogger",),
    "deia.services.context": ("in_context",),
    "deia.services.conversation_logger": ("AsyncConversationLogger", "ConversationLogger"),
    "deia.services.event_bus": ("EventBus",),
    "deia.services.session_logger": ("SessionLogger",),
    "deia.statistics": ("Statistics",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [  # spelled out for type checkers, which do not read `_HOMES`
    "ActionItemEvent",
    "AnalysisCache",
    "AsyncConversationLogger",
    "AsyncSessionLogger",
    "ConversationLogger",
    "CustomEvent",
    "DamagedLineError",
    "DecisionEvent",
    "DeiaError",
    "ErrorEvent",
    "EventBus",
    "FileEvent",
    "FlushTimeoutError",
    "ForeignJournalError",
    "HandlerTimeoutError",
    "JournalError",
    "LLMEvent",
    "LoggerClosedError",
    "MessageEvent",
    "NotASessionLogError",
    "QueueFullError",
    "SessionAnalysis",
    "SessionEvent",
    "SessionLockedError",
    "SessionLogger",
    "SessionProfile",
    "SessionSummary",
    "Statistics",
    "Subscription",
    "TaskEvent",
    "ToolEvent",
    "UnknownEvent",
    "WriterFailedError",
    "analyze_session",
    "in_context",
    "profile_session",
    "read_events",
    "register_event",
    "summarize_session",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
