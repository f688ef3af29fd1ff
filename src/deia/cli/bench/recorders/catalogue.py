"""Which recorders there are. A process that measures one imports no other's library."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import cast

from deia.cli.bench.recorders.face import Recorder

DEIA = "deia"
DEIA_UNREDACTED = "deia-unredacted"
WRITE_THROUGH = "write-through"

_HERE = "deia.cli.bench.recorders"

RECORDERS = {
    DEIA: f"{_HERE}.ours:Deia",
    DEIA_UNREDACTED: f"{_HERE}.ours:Unredacted",
    WRITE_THROUGH: f"{_HERE}.write_through:WriteThrough",
    "logging": f"{_HERE}.logs:LoggingFile",
    "logging-queue": f"{_HERE}.logs:LoggingQueue",
    "structlog": f"{_HERE}.structured:Structlog",
    "loguru": f"{_HERE}.structured:Loguru",
    "loguru-enqueue": f"{_HERE}.structured:LoguruEnqueue",
    "picologging": f"{_HERE}.logs:Picologging",
}
"""Name → module and class, in the order in which they are shown."""

OURS = frozenset({DEIA, DEIA_UNREDACTED})
"""Those that must lose nothing."""


def find_recorder(name: str) -> type[Recorder]:
    """Return a recorder by its name."""
    module, _, attribute = RECORDERS[name].partition(":")
    return cast("type[Recorder]", getattr(importlib.import_module(module), attribute))


def missing(name: str) -> list[str]:
    """Return the distributions that a recorder needs and that are not installed; none of them is imported."""
    return [needed for needed in find_recorder(name).needs if find_spec(needed) is None]
