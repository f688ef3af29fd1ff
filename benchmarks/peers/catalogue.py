"""Which peers there are. A process that measures one imports no other."""

from __future__ import annotations

import importlib
from typing import TypeAlias, cast

from benchmarks.peers.face import AwaitedPeer, Peer

AnyPeer: TypeAlias = "type[Peer | AwaitedPeer]"

PEERS = {
    "sync": "benchmarks.peers.ours:Sync",
    "unredacted": "benchmarks.peers.ours:Unredacted",
    "sync-always": "benchmarks.peers.ours:SyncAlways",
    "awaited": "benchmarks.peers.ours:Awaited",
    "awaited-unredacted": "benchmarks.peers.ours:AwaitedUnredacted",
    "awaited-uvloop": "benchmarks.peers.ours:AwaitedUvloop",
    "awaited-trio": "benchmarks.peers.ours:AwaitedTrio",
    "floor": "benchmarks.peers.bounds:Floor",
    "bare": "benchmarks.peers.bounds:Bare",
    "original": "benchmarks.peers.bounds:Original",
    "logging": "benchmarks.peers.logs:LoggingFile",
    "logging-queue": "benchmarks.peers.logs:LoggingQueue",
    "picologging": "benchmarks.peers.logs:Picologging",
    "structlog": "benchmarks.peers.structured:Structlog",
    "loguru": "benchmarks.peers.structured:Loguru",
    "loguru-enqueue": "benchmarks.peers.structured:LoguruEnqueue",
    "eliot": "benchmarks.peers.structured:Eliot",
    "otel": "benchmarks.peers.tracing:BatchSpans",
    "otel-roomy": "benchmarks.peers.tracing:RoomyBatchSpans",
    "bubus": "benchmarks.peers.asynchronous:Bubus",
    "aiofiles": "benchmarks.peers.asynchronous:Aiofiles",
    "sqlite": "benchmarks.peers.stores:Sqlite",
    "persist-queue": "benchmarks.peers.stores:PersistQueue",
    "diskcache": "benchmarks.peers.stores:Diskcache",
}


def find_peer(name: str) -> AnyPeer:
    """Return a peer by its name, or one of your own as `module:Class`.

    Raises:
        LookupError: There is no peer of that name.
    """
    module, colon, attribute = PEERS.get(name, name).partition(":")
    if not colon:
        raise LookupError(f"no peer {name!r}: choose one of {', '.join(PEERS)}, or give module:Class")
    return cast(AnyPeer, getattr(importlib.import_module(module), attribute))
