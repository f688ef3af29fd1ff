"""What a recorder is.

`log_tool_call` of a recorder is the measured method itself, not a wrapper around it.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from deia.cli.bench.event import Params

Log = Callable[[str, Params, int], object]


class Recorder(abc.ABC):
    """A way of recording events in a file, one JSON line each.

    Attributes:
        label: Its name in tables.
        needs: The distributions it stands on, which are imported by the same names.
        file_name: Of its file.
        path: Its file.
        log_tool_call: The measured method.
    """

    __slots__ = ()

    label: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    file_name: ClassVar[str] = "events.jsonl"
    path: Path
    log_tool_call: Log

    @abc.abstractmethod
    def __init__(self, directory: Path) -> None:
        """Make the logger; what it opens lies in `directory`.

        Raises:
            ModuleNotFoundError: What it needs is not installed.
        """

    @abc.abstractmethod
    def start(self) -> None:
        """Start the task that the tool calls belong to: the first event, which opens what has to be opened."""

    @abc.abstractmethod
    def flush(self) -> None:
        """Return once every event is in the file."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the file."""
