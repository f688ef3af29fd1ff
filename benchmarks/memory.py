"""How much memory a process takes."""

from __future__ import annotations

from pathlib import Path


def resident() -> dict[str, int]:
    """Return this process's resident memory in KiB: all of it, and the part that is its own (heap and stacks).

    Mapped files are in the first only. Empty where there is no /proc.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        return {}
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {"rss_kib": int(fields["VmRSS"].split()[0]), "own_kib": int(fields["RssAnon"].split()[0])}
