"""`python -m deia` is `deia`."""

from __future__ import annotations

from deia.cli import main

if __name__ == "__main__":
    main()
