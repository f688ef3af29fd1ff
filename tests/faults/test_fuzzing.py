"""The coverage-guided fuzzer of `tests/fuzz`: in the long run it runs, in every run its seeds hold."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from deia import system
from support.effort import FULL
from support.fuzz_inputs import assert_input, seeds

FUZZER = Path(__file__).parents[1] / "fuzz/fuzz_session_files.py"
DURATION_S = 300


@pytest.mark.parametrize("number", range(len(seeds())))
def test_seed_of_the_fuzzer_holds(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of any format is read, recovered and mended, alone or cut with a ring that goes on; packed, it is read."""
    monkeypatch.setattr(system, "sync", lambda fd: None)
    monkeypatch.setattr(system, "sync_directory", lambda path: None)
    assert_input(tmp_path, seeds()[number])


@pytest.mark.skipif(not FULL, reason=f"takes {DURATION_S} s: a part of the long run (DEIA_FAULTS=full)")
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
@pytest.mark.timeout(DURATION_S + 600)
def test_fuzzer_guided_by_coverage_finds_nothing(tmp_path: Path) -> None:
    """No bytes it comes upon break what holds for all bytes; none is looked at for a minute or longer."""
    corpus, findings = tmp_path / "corpus", tmp_path / "findings"
    corpus.mkdir()
    findings.mkdir()
    options = [f"-max_total_time={DURATION_S}", "-timeout=60", f"-artifact_prefix={findings}/"]
    command = [sys.executable, FUZZER, corpus, *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stderr[-5000:]
    assert not list(findings.iterdir())
    assert "cov:" in done.stderr
