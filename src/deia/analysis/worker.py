"""What one of several processes does: it takes the next chunk of the journal, says what that amounts to, and so on.

Standard input is the journal, opened once for all workers. They share its position, and use it for a counter: who
moves it on by a chunk has that chunk. The kernel does that in one step, and nobody has to hand out anything. Nothing is
read at that position.
"""

from __future__ import annotations

import gc
import sys

from deia import system
from deia.analysis.plain_lane import read_stretch
from deia.analysis.stretch import pack

_JOURNAL = 0


def main(arguments: list[str]) -> None:
    """Work until no chunk is left.

    Args:
        arguments: Offset of the first chunk; size of the journal and of a chunk, bytes.
    """
    gc.disable()  # nothing here makes cycles
    first, size, chunk_bytes = map(int, arguments)
    answer = sys.stdout.buffer

    def read(count: int, offset: int) -> bytes:
        return system.pread(_JOURNAL, count, offset)

    while (begin := system.advance(_JOURNAL, chunk_bytes)) < size:
        stretch = read_stretch(read, begin, min(begin + chunk_bytes, size), size)
        answer.write(pack((begin - first) // chunk_bytes, stretch))
        answer.flush()
