"""Embedded stores: SQLite in WAL mode, and two that are built on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import orjson

from benchmarks.event import Params
from benchmarks.peers.face import Peer
from benchmarks.peers.line import Numbered, encode


class Sqlite(Peer):
    """One row for each event, each in a transaction of its own; `synchronous=NORMAL`, which goes with the WAL."""

    label = "SQLite, WAL"
    durability = "the death of the process at once; loss of power up to the last checkpoint"

    def __init__(self, directory: Path) -> None:
        self.path = directory / "events.db"
        self.numbered = Numbered()
        self.connection = sqlite3.connect(self.path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=NORMAL")
        self.connection.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, line BLOB NOT NULL)")
        self._execute = self.connection.execute

    def log_tool_call(self, tool_name: str, params: Params, duration_ms: int) -> None:
        """Insert a row."""
        fields = self.numbered.tool(tool_name, params, duration_ms)
        self._execute("INSERT INTO events VALUES (?, ?)", (fields["seq"], orjson.dumps(fields)))

    def start(self) -> None:
        """Insert the task's start."""
        fields = self.numbered.task()
        self._execute("INSERT INTO events VALUES (?, ?)", (fields["seq"], orjson.dumps(fields)))

    def flush(self) -> None:
        """Nothing to wait for: each transaction was committed."""

    def close(self) -> int:
        """Close the database, which moves the WAL into it."""
        self.connection.close()
        return 0

    @classmethod
    def lines(cls, path: Path) -> Iterable[bytes]:
        """Select all rows."""
        with closing(sqlite3.connect(path)) as connection:
            for (line,) in connection.execute("SELECT line FROM events ORDER BY seq"):
                yield line + b"\n"


class PersistQueue(Peer):
    """`persistqueue.SQLiteQueue` with its defaults: a transaction for each event, `synchronous=FULL`."""

    label = "persist-queue, SQLiteQueue"
    durability = "the death of the process and loss of power, at once"
    needs = ("persist-queue",)

    def __init__(self, directory: Path) -> None:
        from persistqueue import SQLiteQueue

        self.path = directory / "queue"
        self.numbered = Numbered()
        self.queue = SQLiteQueue(str(self.path))

    def log_tool_call(self, tool_name: str, params: Params, duration_ms: int) -> None:
        """Put the line."""
        self.queue.put(encode(self.numbered.tool(tool_name, params, duration_ms)))

    def start(self) -> None:
        """Put the task's start."""
        self.queue.put(encode(self.numbered.task()))

    def flush(self) -> None:
        """Nothing to wait for: each transaction was committed."""

    def close(self) -> int:
        """Close the queue."""
        self.queue.close()
        return 0

    @classmethod
    def lines(cls, path: Path) -> Iterable[bytes]:
        """Return what waits in the queue."""
        from persistqueue import SQLiteQueue

        with closing(SQLiteQueue(str(path))) as queue:
            return [item["data"] for item in queue.queue()]


class Diskcache(Peer):
    """`diskcache.Deque`, with its defaults."""

    label = "diskcache, Deque"
    durability = Sqlite.durability
    needs = ("diskcache",)

    def __init__(self, directory: Path) -> None:
        from diskcache import Deque

        self.path = directory / "deque"
        self.numbered = Numbered()
        self.deque = Deque(directory=str(self.path))

    def log_tool_call(self, tool_name: str, params: Params, duration_ms: int) -> None:
        """Append the line."""
        self.deque.append(encode(self.numbered.tool(tool_name, params, duration_ms)))

    def start(self) -> None:
        """Append the task's start."""
        self.deque.append(encode(self.numbered.task()))

    def flush(self) -> None:
        """Nothing to wait for: each transaction was committed."""

    def close(self) -> int:
        """Close the database."""
        self.deque.cache.close()
        return 0

    @classmethod
    def lines(cls, path: Path) -> Iterable[bytes]:
        """Iterate over the deque."""
        from diskcache import Deque

        return list(Deque(directory=str(path)))
