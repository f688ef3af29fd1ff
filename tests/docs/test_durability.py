"""The table of losses is made from what tests have found, and from nothing else."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from deia.testing.tally import Tally
from support.loss_rows import ROWS
from support.losses import Losses

SCRIPT = Path(__file__).parents[2] / "docs" / "make_durability.py"


@pytest.fixture(scope="module")
def make_durability() -> ModuleType:
    """The script that makes the table."""
    spec = importlib.util.spec_from_file_location("make_durability", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_table_is_what_the_script_makes_of_the_numbers(make_durability: ModuleType) -> None:
    """Whoever changes a number by hand, or a row without making the page again, is told."""
    text = make_durability.PAGE.read_text(encoding="utf-8")
    assert text == make_durability.page(text, json.loads(make_durability.NUMBERS.read_text(encoding="utf-8")))


def test_numbers_are_of_rows_that_are_there_and_nothing_is_missing(make_durability: ModuleType) -> None:
    """A loss would stand in the table; but no such table is released."""
    rows = json.loads(make_durability.NUMBERS.read_text(encoding="utf-8"))["rows"]
    assert set(rows) <= {row.id for row in ROWS}
    for name, numbers in rows.items():
        assert numbers["missing"] == numbers["duplicated"] == 0, name
        assert numbers["found"] == numbers["acknowledged"] > 0, name


def test_each_row_has_an_id_and_a_text_of_its_own() -> None:
    """Nothing is counted twice."""
    for field in ("id", "fault"):
        texts = [getattr(row, field) for row in ROWS]
        assert len(set(texts)) == len(texts)
    assert all(re.fullmatch(r"[a-z0-9-]+", row.id) for row in ROWS)


def test_what_workers_found_is_summed_and_an_unknown_row_is_refused(
    make_durability: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each worker of a run leaves a file; a row that no page would show is an error."""
    for pid, count in ((1, 3), (2, 4)):
        monkeypatch.setattr("os.getpid", lambda pid=pid: pid)
        losses = Losses()
        losses.add("end", Tally(tried=1, acknowledged=count, found=count))
        losses.add("end", Tally(tried=1, acknowledged=1, found=0, missing=1))
        losses.write(tmp_path)
    result = make_durability.collect(tmp_path)
    assert result["rows"] == {
        "end": {"tried": 4, "acknowledged": 9, "found": 7, "missing": 2, "torn": 0, "duplicated": 0}
    }
    table = make_durability.table(result)
    assert "| 4 | 9 | 7 | 2 | 0 | 0 |" in table
    assert table.count("not run") == len(ROWS) - 1
    losses.add("no such row", Tally())
    losses.write(tmp_path)
    with pytest.raises(ValueError, match="no such row"):
        make_durability.collect(tmp_path)
