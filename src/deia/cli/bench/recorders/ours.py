"""`SessionLogger`, with its shipped defaults and without a look for secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from deia.cli.bench.event import AGENT_ID, SESSION_ID, TASK
from deia.cli.bench.recorders.face import Recorder

_FLUSH_TIMEOUT_S = 60.0
"""A slow disk is a slow result, not a failed run."""


class Deia(Recorder):
    """`SessionLogger`.

    Attributes:
        options: What differs from the shipped defaults.
    """

    label = "Deia"
    file_name = f"{AGENT_ID}_{SESSION_ID}.jsonl"
    options: ClassVar[dict[str, Any]] = {}

    def __init__(self, directory: Path) -> None:
        from deia import SessionLogger

        self.logger = SessionLogger(AGENT_ID, SESSION_ID, output_dir=directory, **self.options)
        self.path = self.logger.path
        self.log_tool_call = self.logger.log_tool_call

    def start(self) -> None:
        """Start the task, and with it the recording."""
        self.logger.log_task_start(TASK, {})

    def flush(self) -> None:
        """Wait until the journal holds everything."""
        self.logger.flush(timeout_s=_FLUSH_TIMEOUT_S)

    def close(self) -> None:
        """Close the session."""
        self.logger.close()


class Unredacted(Deia):
    """The same with `redact=False`: what the redaction costs is the difference."""

    label = "Deia, redact=False"
    options: ClassVar[dict[str, Any]] = {"redact": False}
