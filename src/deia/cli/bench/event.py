"""The event that every recorder is given: the tool event of the design, with short ids, inside an open task."""

from __future__ import annotations

from typing import Any

AGENT_ID = "AGENT-004"
SESSION_ID = "s1"
TASK = "write_tests"
TOOL = "pytest"

Params = dict[str, Any]
