"""The standard library's logging, and picologging, its rewrite in C++: the fields are the message, orjson formats."""

from __future__ import annotations

import logging
import logging.handlers
import queue
from pathlib import Path
from typing import Any

from deia.cli.bench.event import Params
from deia.cli.bench.recorders.face import Recorder
from deia.cli.bench.recorders.line import Numbered, encode_text


class OrjsonFormatter(logging.Formatter):
    """Formats a record whose message is the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return encode_text(record.msg)  # type: ignore[arg-type]  # a message may be any object


class LoggingFile(Recorder):
    """`logging.FileHandler`, which writes and flushes each record."""

    label = "logging, FileHandler"
    log: Any
    file: Any

    def __init__(self, directory: Path) -> None:
        self.path = directory / self.file_name
        self.numbered = Numbered()
        self.file = logging.FileHandler(self.path, encoding="utf-8")
        self.log = logging.getLogger("events")
        self.log.propagate = False
        self.log.setLevel(logging.INFO)
        self.attach()

    def attach(self) -> None:
        """Connect the logger with the file."""
        self.file.setFormatter(OrjsonFormatter())
        self.log.addHandler(self.file)

    def log_tool_call(self, tool_name: str, params: Params, duration_ms: int) -> None:
        """Log the fields."""
        self.log.info(self.numbered.tool(tool_name, params, duration_ms))

    def start(self) -> None:
        """Log the task's start."""
        self.log.info(self.numbered.task())

    def flush(self) -> None:
        """Nothing to wait for: the handler flushes each record."""

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class LoggingQueue(LoggingFile):
    """`QueueHandler`, which formats on the caller's thread as shipped, and `QueueListener`, whose thread writes."""

    label = "logging, QueueHandler"

    def attach(self) -> None:
        """Put a queue between logger and file."""
        self.queue: queue.Queue[Any] = queue.Queue()
        handler = logging.handlers.QueueHandler(self.queue)
        handler.setFormatter(OrjsonFormatter())
        self.log.addHandler(handler)
        self.listener = logging.handlers.QueueListener(self.queue, self.file)
        self.listener.start()

    def flush(self) -> None:
        """Wait until the listener has written everything."""
        self.queue.join()

    def close(self) -> None:
        """Stop the listener, and close the file."""
        self.listener.stop()
        super().close()


class Picologging(LoggingFile):
    """`picologging.FileHandler`."""

    label = "picologging, FileHandler"
    needs = ("picologging",)

    def __init__(self, directory: Path) -> None:
        import picologging

        class PicologgingFormatter(picologging.Formatter):  # type: ignore[misc,unused-ignore]  # unknown, unless installed
            """The same formatter."""

            def format(self, record: Any) -> str:
                """Return the line."""
                return encode_text(record.msg)

        self.path = directory / self.file_name
        self.numbered = Numbered()
        self.file = picologging.FileHandler(self.path, encoding="utf-8")
        self.file.setFormatter(PicologgingFormatter())
        self.log = picologging.getLogger("events")
        self.log.setLevel(picologging.INFO)
        self.log.addHandler(self.file)
