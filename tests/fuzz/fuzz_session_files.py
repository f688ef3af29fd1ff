"""Fuzz all that reads a session's two files, guided by coverage: `python tests/fuzz/fuzz_session_files.py CORPUS`.

Needs atheris (`pip install --group fuzz`). Further arguments are libFuzzer's, such as `-max_total_time=300`; an empty
CORPUS directory is filled with seeds first. What an input means is in `support.fuzz_inputs`, what must hold of it in
`support.invariants`; a finding is kept in a file of the current directory (`-artifact_prefix=` says where else), which
as the only argument repeats it.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["deia"]):
    from support import fuzz_inputs, invariants


def main() -> None:
    """Run libFuzzer."""
    logging.disable(logging.CRITICAL)
    invariants.without_syncs()
    directories = [Path(argument) for argument in sys.argv[1:] if Path(argument).is_dir()]
    if directories and not any(directories[0].iterdir()):
        for number, seed in enumerate(fuzz_inputs.seeds()):
            (directories[0] / f"seed-{number}").write_bytes(seed)
    with tempfile.TemporaryDirectory(dir=invariants.ram()) as scratch:

        def test_one_input(data: bytes) -> None:
            fuzz_inputs.assert_input(Path(scratch), data)

        atheris.Setup(sys.argv, test_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
