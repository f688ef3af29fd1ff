"""How large a number in a line may be."""

from __future__ import annotations

LARGEST = 2**64 - 1
"""What the logger takes; JSON parsers make a float of anything beyond."""

LATEST = 2**53 // 1000
"""Unix seconds up to which milliseconds can be told apart: the year 287,000."""

LARGEST_SEQ = 2**53
"""No session counts so far: a higher `seq` is damage, and would soon be too large for a line to hold."""
