"""The standard library's logging, and picologging, its rewrite in C++: the fields are the message, orjson formats."""

from __future__ import annotations

import logging
import logging.handlers
import queue
from pathlib import Path
from typing import Any

from benchmarks.event import Params
from benchmarks.peers.face import Peer
from benchmarks.peers.line import Numbered, encode_text


class OrjsonFormatter(logging.Formatter):
    """Formats a record whose message is the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return encode_text(record.msg)  # type: ignore[arg-type]  # a message may be any object


class LoggingFile(Peer):
    """`logging.FileHandler`, which writes and flushes each record."""

    label = "logging, FileHandler"
    durability = "the death of the process at once; loss of power whenever the kernel wrote by itself"

    def __init__(self, directory: Path) -> None:
        self.path = directory / "events.jsonl"
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

    def close(self) -> int:
        """Close the file."""
        self.file.close()
        return 0


class LoggingQueue(LoggingFile):
    """`QueueHandler`, which formats on the caller's thread as shipped, and `QueueListener`, whose thread writes."""

    label = "logging, QueueHandler"
    durability = "nothing: what the listener's thread has not written yet is gone with the process, at its exit too"

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

    def close(self) -> int:
        """Stop the listener, and close the file."""
        self.listener.stop()
        return super().close()


class Picologging(LoggingFile):
    """`picologging.FileHandler`."""

    label = "picologging, FileHandler"
    needs = ("picologging",)

    def __init__(self, directory: Path) -> None:
        import picologging

        class PicologgingFormatter(picologging.Formatter):
            """The same formatter."""

            def format(self, record: Any) -> str:
                """Return the line."""
                return encode_text(record.msg)

        self.path = directory / "events.jsonl"
        self.numbered = Numbered()
        self.file = picologging.FileHandler(self.path, encoding="utf-8")
        self.file.setFormatter(PicologgingFormatter())
        self.log = picologging.getLogger("events")
        self.log.setLevel(picologging.INFO)
        self.log.addHandler(self.file)
