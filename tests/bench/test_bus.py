"""`python -m benchmarks bus` measures what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import bus, page
from benchmarks.__main__ import main


def test_quick_run_measures_each_bus_that_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ours and what comes with Python are; what is not installed is named, and left out."""
    kept = tmp_path / "result.json"
    chosen = [argument for name in ("deia", "deia-on", "queue", "bubus") for argument in ("--bus", name)]
    assert main(["bus", "--quick", "--directory", str(tmp_path), "--json", str(kept), *chosen]) == 0
    result = json.loads(kept.read_text())
    expected = {"deia", "deia-on", "queue", "bubus"} - result["left_out"].keys()
    assert {"deia", "deia-on", "queue"} <= expected
    assert result["complete"] is False
    assert {(row["bus"], row["subscribers"]) for row in result["rows"]} == {
        (name, count) for name in expected for count in bus.QUICK.subscribers
    }
    for row in result["rows"]:
        assert row["publish_p50_ns"] <= row["publish_p99_ns"]
        if not row["subscribers"]:
            assert row["delay_max_ns"] is None
            continue
        assert 0 < row["delay_p50_ns"] <= row["delay_p99_ns"] <= row["delay_max_ns"]
        assert row["events_per_s"] > 0
    assert "Deia, subscribe" in capsys.readouterr().out
    assert bus.tables(result) in page.make_pages([result])[page.PAGE]
