"""The recorders of `deia bench` for the standard library's logging and picologging, and what they survive."""

from __future__ import annotations

from benchmarks.peers.face import WRITES_EACH, Peer
from deia.cli.bench.recorders import logs


class LoggingFile(logs.LoggingFile, Peer):
    """`logging.FileHandler`, which writes and flushes each record."""

    durability = WRITES_EACH


class LoggingQueue(logs.LoggingQueue, Peer):
    """`QueueHandler`, which formats on the caller's thread as shipped, and `QueueListener`, whose thread writes."""

    durability = "nothing: what the listener's thread has not written yet is gone with the process, at its exit too"


class Picologging(logs.Picologging, Peer):
    """`picologging.FileHandler`."""

    durability = WRITES_EACH
