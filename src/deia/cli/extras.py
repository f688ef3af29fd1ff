"""What is not installed with the command line."""

from __future__ import annotations

from importlib.util import find_spec

from deia.cli.output import Output
from deia.cli.status import WRONG_USAGE


def has_duckdb(output: Output, what: str) -> bool:
    """Whether DuckDB is there; if not, it is said what to install for what was asked for."""
    if find_spec("duckdb") is not None:
        return True
    output.complain(f"{what} needs duckdb: python -m pip install 'deia[analytics]'")
    output.code = WRONG_USAGE
    return False
