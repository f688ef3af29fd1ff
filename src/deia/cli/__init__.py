"""The command line, `deia`: one file per command."""

from __future__ import annotations

import io
import logging
import sys

_EXTRA = ("click", "rich")
_INSTALL = "deia: the command line needs click and rich: python -m pip install 'deia[cli]'"


def main() -> None:
    """Run `deia` with this process's arguments, and exit with its code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller (`>&-`), who wants the exit code alone
            setattr(sys, name, io.StringIO())
    try:
        from deia.cli.app import run
        from deia.cli.interruption import watch
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        print(_INSTALL, file=sys.stderr)
        sys.exit(2)
    # The commands say in their own form what is wrong with a file; unconfigured, `logging` would say it once more.
    logging.getLogger("deia").addHandler(logging.NullHandler())
    watch()
    sys.exit(run(sys.argv[1:]))
