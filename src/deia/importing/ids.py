"""Names that another program gave, as parts of a file name."""

from __future__ import annotations

_HASH_DIGITS = 8

LONGEST_AGENT_BYTES = 80
LONGEST_SESSION_BYTES = 120
"""Both together, with the separator, are well below what a logger takes (237 bytes), so that one may go on in it."""


def file_part(name: str, most_bytes: int) -> str:
    """Return a name as one plain part of a file name, as loggers want their ids.

    One that is none already has what cannot stand there replaced, and ends in a hash that tells it from others.

    Args:
        name: Any text.
        most_bytes: How long the part may be.
    """
    encoded = name.encode("utf-8", "backslashreplace")
    is_plain = name.isprintable() and not any(c in "/\\" for c in name) and name not in ("", ".", "..")
    if is_plain and len(encoded) <= most_bytes:
        return name
    from hashlib import sha256  # it loads OpenSSL, and most names are plain

    kept = "".join(c if c.isprintable() and c not in "/\\" else "-" for c in encoded.decode())
    kept = kept.encode()[: most_bytes - _HASH_DIGITS - 1].decode("utf-8", "ignore")
    return f"{kept}-{sha256(encoded).hexdigest()[:_HASH_DIGITS]}"
