"""Make the table in `explanation/durability.md` from `explanation/durability.json`.

`python docs/make_durability.py` writes the table anew. With a directory as its argument it first takes over what a run
of the tests has left there (see `tests/support/losses.py`); `tox -e faults` does that.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deia.testing.tally import Tally

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path(__file__).with_name("explanation") / "durability.md"
NUMBERS = PAGE.with_suffix(".json")

sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # for the rows, and for the conditions under which they were filled

from support.effort import FULL  # noqa: E402
from support.loss_rows import ROWS  # noqa: E402

COLUMNS = ("tried", "acknowledged", "found", "missing", "torn", "duplicated")
BEGIN = "<!-- What follows, up to the next such line, is made by docs/make_durability.py. -->\n"
END = "<!-- Here ends what is made. -->\n"


def collect(directory: Path) -> dict[str, Any]:
    """Return the sums of what the workers of one run have written.

    Raises:
        ValueError: A test has filled a row that the table does not have.
    """
    from benchmarks.conditions import conditions

    sums: dict[str, Tally] = {}
    for path in sorted(directory.glob("*.json")):
        for row, numbers in json.loads(path.read_text(encoding="utf-8")).items():
            sums[row] = sums.get(row, Tally()) + Tally(**numbers)
    unknown = sums.keys() - {row.id for row in ROWS}
    if unknown:
        raise ValueError(f"tests/support/loss_rows.py does not know {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as scratch:
        found = conditions(Path(scratch))
    rows = {row.id: asdict(sums[row.id]) for row in ROWS if row.id in sums}
    return {**found, "effort": "full" if FULL else "reduced", "rows": rows}


def table(result: dict[str, Any]) -> str:
    """Return the table, and under what conditions its numbers were found."""
    lines = [
        "| Death or fault | Promise: afterwards the log has | "
        + " | ".join(name.capitalize() for name in COLUMNS)
        + " |",
        "| --- | --- |" + " ---: |" * len(COLUMNS),
    ]
    for row in ROWS:
        numbers = result["rows"].get(row.id)
        cells = [f"{numbers[name]:,}" for name in COLUMNS] if numbers else ["not run"] + [""] * (len(COLUMNS) - 1)
        lines.append(f"| {row.fault} | {row.promise} | {' | '.join(cells)} |")
    machine, python = result["machine"], result["python"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    where = f"{machine['system']} {machine['kernel']}, {machine['cores']} cores, {machine['file_system']}"
    commit = f"`{result['commit'][:12]}`{' with changes' if result['dirty'] else ''}"
    when = f"Run in {result['effort']} form on {result['recorded_at'][:10]} at commit {commit}"
    lines += ["", f"{when}: Python {python['version']}, {versions}; {where}."]
    return "\n".join(lines) + "\n"


def page(text: str, result: dict[str, Any]) -> str:
    """Return the page with the table made anew."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{table(result)}\n{END}{after}"


def main(arguments: list[str]) -> None:
    """Write the numbers, if there are new ones, and the page."""
    if arguments:
        NUMBERS.write_text(json.dumps(collect(Path(arguments[0])), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), json.loads(NUMBERS.read_text(encoding="utf-8"))), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
