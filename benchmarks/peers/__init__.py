"""The peers: one face for each way of recording an event, so that all are measured by the same loops.

`face.py` says what a peer is, `catalogue.py` which there are; each of the other modules holds one family of them. What
a peer needs is imported when it is made, so all can be named where few are installed.
"""

from __future__ import annotations

from benchmarks.peers.catalogue import PEERS, AnyPeer, find_peer
from benchmarks.peers.face import AwaitedLog, AwaitedPeer, LeftOutError, Log, Peer, Recorder

__all__ = ["PEERS", "AnyPeer", "AwaitedLog", "AwaitedPeer", "LeftOutError", "Log", "Peer", "Recorder", "find_peer"]
