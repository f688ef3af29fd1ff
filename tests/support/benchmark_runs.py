"""Quick runs of the benchmarks, with peers of the tests' own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.conditions import ROOT
from benchmarks.results import read_result

QuickRun = tuple["subprocess.CompletedProcess[str]", dict[str, Any]]
"""What a run printed, and its raw result."""


def quick_run(directory: Path, own_peers: tuple[str, str], *arguments: str) -> QuickRun:
    """Run `python -m benchmarks` with its quick form.

    Args:
        directory: An empty directory; the measured files lie in it, and are gone afterwards.
        own_peers: Name and source of a module with further peers.
        arguments: Its command, and more.
    """
    module, source = own_peers
    (directory / f"{module}.py").write_text(source)
    measured = directory / "measured"
    measured.mkdir()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks", *arguments, "--quick"),
            *("--directory", str(measured), "--json", str(directory / "result.json")),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(directory), os.environ.get("PYTHONPATH")]))},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert (directory / "result.json").exists(), done.stderr
    assert list(measured.iterdir()) == []
    return done, read_result(directory / "result.json")
