"""The event that every peer records: the tool event of the design, with short ids, inside an open task.

The constants stand in `deia.cli.bench.event` as well: `compare` measures packages of other commits by this one.
"""

from __future__ import annotations

from typing import Any

AGENT_ID = "AGENT-004"
SESSION_ID = "s1"
TASK = "write_tests"
TOOL = "pytest"

Params = dict[str, Any]


def params() -> Params:
    """Return the call's parameters: a dict of its own for each call, as an agent makes one."""
    return {"path": "tests/"}
