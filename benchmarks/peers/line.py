"""The fields of a line, for peers that leave it to their caller what a line holds: the package's."""

from __future__ import annotations

import orjson

from deia.cli.bench.recorders.line import Fields, Numbered, encode_text

__all__ = ["Fields", "Numbered", "encode", "encode_text"]


def encode(fields: Fields) -> bytes:
    """Return fields as a line."""
    return orjson.dumps(fields, None, orjson.OPT_APPEND_NEWLINE)
