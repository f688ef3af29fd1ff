"""How much the tests of deaths and faults try: `DEIA_FAULTS=full` asks for the long run."""

from __future__ import annotations

import os

FULL = os.environ.get("DEIA_FAULTS") == "full"


def amount(*, reduced: int, full: int) -> int:
    """Return how often something is tried."""
    return full if FULL else reduced
