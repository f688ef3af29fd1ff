"""Processes that commands start to show how recording goes in one."""

from __future__ import annotations

import os
import sys


def environment() -> dict[str, str]:
    """Return the environment of such a process: it finds what this process imports, and records as shipped."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("DEIA_")}
    plain["PYTHONPATH"] = os.pathsep.join(os.path.abspath(path) for path in sys.path if path)
    return plain
