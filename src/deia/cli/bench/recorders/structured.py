"""Structured logging: structlog and loguru, each set up for JSON lines as its documentation says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import orjson

from deia.cli.bench.event import Params
from deia.cli.bench.recorders.face import Recorder
from deia.cli.bench.recorders.line import Numbered, encode_text


class Structlog(Recorder):
    """structlog as its page on performance has it: cached bound logger, orjson, a logger of bytes."""

    label = "structlog"
    needs = ("structlog",)

    def __init__(self, directory: Path) -> None:
        import logging

        import structlog

        self.path = directory / self.file_name
        self.numbered = Numbered()
        self.file = self.path.open("ab")
        structlog.configure(
            cache_logger_on_first_use=True,
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            processors=[structlog.processors.JSONRenderer(serializer=orjson.dumps)],
            logger_factory=structlog.BytesLoggerFactory(self.file),
        )
        self.log = structlog.get_logger().bind()  # what a function that logs often is told to do, once

    def log_tool_call(self, tool_name: str, params: Params, duration_ms: int) -> None:
        """Log the fields."""
        self.log.info("tool call", **self.numbered.tool(tool_name, params, duration_ms))

    def start(self) -> None:
        """Log the task's start."""
        self.log.info("task start", **self.numbered.task())

    def flush(self) -> None:
        """Nothing to wait for: each line is flushed."""

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class Loguru(Recorder):
    """loguru with a format function of its own, as its recipe for other JSON libraries has it."""

    label = "loguru"
    needs = ("loguru",)
    enqueue: ClassVar[bool] = False

    def __init__(self, directory: Path) -> None:
        from loguru import logger

        self.path = directory / self.file_name
        self.numbered = Numbered()
        self.log = logger
        logger.remove()
        logger.add(self.path, format=self._format, enqueue=self.enqueue)

    @staticmethod
    def _format(record: Any) -> str:
        extra = record["extra"]
        extra["line"] = encode_text(extra["fields"])
        return "{extra[line]}\n"

    def log_tool_call(self, tool_name: str, params: Params, duration_ms: int) -> None:
        """Log the fields."""
        self.log.info("tool call", fields=self.numbered.tool(tool_name, params, duration_ms))

    def start(self) -> None:
        """Log the task's start."""
        self.log.info("task start", fields=self.numbered.task())

    def flush(self) -> None:
        """Wait until the queue, if there is one, is written."""
        self.log.complete()

    def close(self) -> None:
        """Remove the file from the logger, which closes it."""
        self.log.remove()


class LoguruEnqueue(Loguru):
    """loguru with `enqueue=True`: a queue between processes, and a thread that writes."""

    label = "loguru, enqueue=True"
    enqueue: ClassVar[bool] = True
