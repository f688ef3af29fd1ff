"""The producer's side of the queue, where nothing else is needed to see what it does."""

from __future__ import annotations

import gc
import itertools

from deia.queue.producer import Producer


def test_lines_are_copied_while_others_append() -> None:
    """Without a ring; also where the garbage collector runs in the middle, and a destructor or another thread then."""
    producer = Producer(65536)
    producer.kept.update((number, b"x\n") for number in range(10_000))
    offsets = itertools.count(20_000)

    def append(phase: str, info: object) -> None:
        producer.kept[next(offsets)] = b"x\n"

    threshold = gc.get_threshold()
    gc.callbacks.append(append)
    gc.set_threshold(10)
    try:
        start, data = producer.copy_unflushed(1 << 20)
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(append)
    assert start == 0
    assert len(data) >= 20_000
