"""How properties are tried out."""

from __future__ import annotations

from hypothesis import settings

# Every example makes a directory and files in it: how long that takes says something about the machine, not about us.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
