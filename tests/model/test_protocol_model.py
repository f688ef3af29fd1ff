"""Every state that the queue's protocol can reach keeps its promises; and no rule of it can be left out."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import pytest

from model import broken_protocols
from model.exploration import Exploration, explore
from model.protocol_model import Protocol
from model.states import State, whole_lines

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "protocol-model.md"

# Two lines fit no ring here, so that every second one waits, wraps and uses places again. A reader sees the disk and nothing
# else, so worlds with many threads do without one, and worlds with one have few threads.
WORLDS: dict[str, dict[str, object]] = {
    "threads": {"ring": 5, "runs": (("ab", "c"),), "nested": "n", "reads": False},
    "reader": {"ring": 4, "runs": (("abc",),)},
    "slow writes": {"ring": 5, "runs": (("abc",),), "writes": 2, "reads": False},
    "long line": {"ring": 4, "runs": (("L",),), "nested": "n", "cells": (("L", 6),)},
    "long lines": {"ring": 4, "runs": (("aL", "M"),), "nested": "n", "cells": (("L", 6), ("M", 5)), "reads": False},
    "long line inside a long line": {
        "ring": 4,
        "runs": (("L",),),
        "nested": "nM",
        "cells": (("L", 6), ("M", 5)),
        "reads": False,
    },
    "long line, exceptions": {"ring": 4, "runs": (("L",),), "nested": "n", "cells": (("L", 6),), "raises": 1},
    "mode write": {"ring": 0, "runs": (("a", "b"),), "nested": "n"},
    "mode write, exceptions": {"ring": 0, "runs": (("ab!",),), "nested": "n", "raises": 1},
    "crashes": {"ring": 5, "runs": (("ab",), ("c",)), "nested": "n", "crashes": 2, "reads": False},
    "crashes, reader": {"ring": 5, "runs": (("a",), ("b",)), "crashes": 2},
    "crashes, long line": {"ring": 4, "runs": (("L",), ("M",)), "cells": (("L", 6), ("M", 5)), "crashes": 2},
    "crashes, mode write": {"ring": 0, "runs": (("a",), ("b",)), "nested": "n", "crashes": 2},
    "close": {"ring": 5, "runs": (("a!", "b"),), "nested": "n", "reads": False},
    "close, reader": {"ring": 5, "runs": (("a!",), ("b!",))},
}
