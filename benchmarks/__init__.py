"""What Deia costs, measured so that anyone can measure it again: see `benchmarks/README.md`."""

from __future__ import annotations
