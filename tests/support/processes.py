"""Run a script in an interpreter of its own, which may die in any way."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from deia.testing import processes
from deia.testing.processes import end, kill_at_work

TIMEOUT_S = 30
"""Only a hanging child meets it."""

_ABORTS_S = 5
"""What a process needs, on a busy machine, to say where it is and to end."""

_started: list[subprocess.Popen[bytes]] = []


def watched(child: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    """Have a process ended with the test that started it, however that ends: one that logs for ever fills a disk."""
    _started.append(child)
    return child


def end_all() -> None:
    """End what the test has started and has not seen the end of."""
    while _started:
        child = _started.pop()
        if child.poll() is None:
            end(child)
            child.communicate()


def start(script: str, *args: object, cwd: Path, prefix: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """Start a script, by another command if need be; its standard output is a pipe, for it to tell what it did."""
    path = cwd / "script.py"
    path.write_text(script, encoding="utf-8")
    command = [*prefix, sys.executable, "-X", "faulthandler", str(path), *map(str, args)]
    return watched(processes.start(command, cwd=cwd))


def run(
    script: str,
    *args: object,
    cwd: Path,
    returncode: int | None = 0,
    prefix: tuple[str, ...] = (),
    timeout_s: float = TIMEOUT_S,
) -> str:
    """Run a script to its end and return what it printed.

    Args:
        script: Its text.
        args: Its arguments.
        cwd: Where it runs.
        returncode: How it has to end; None where any end will do.
        prefix: A command that runs the interpreter, `strace` say.
        timeout_s: Seconds after which it hangs.

    Raises:
        AssertionError: It ended otherwise, with what it said; or it hangs, with where each of its threads does, and
            each of those of the processes that it has forked.
    """
    with start(script, *args, cwd=cwd, prefix=prefix) as child:
        try:
            out, err = child.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"hangs after {timeout_s} s:\n{_where(child)}") from None
        finally:
            end(child)
    message = err.decode(errors="replace")
    assert returncode is None or child.returncode == returncode, f"ended with {child.returncode}:\n{message}"
    return out.decode()


def _where(child: subprocess.Popen[bytes]) -> str:
    """Abort a script that hangs, and what it has forked after it, or their words would mix; return what they say."""
    child.send_signal(signal.SIGABRT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_ABORTS_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGABRT)
    try:
        _, err = child.communicate(timeout=_ABORTS_S)
    except subprocess.TimeoutExpired as error:  # one of them will not, or has left the group
        err = error.stderr or b""
    return err.decode(errors="replace")


def kill_after(child: subprocess.Popen[bytes], acknowledgements: int) -> list[str]:
    """Kill a child once so many lines came from it; return all that it had written by then.

    A child that ends by itself is a failure: it was to be killed at work.
    """
    assert child.stdout is not None and child.stderr is not None
    with child:
        lines = []
        while len(lines) < acknowledgements and (line := child.stdout.readline()):
            lines.append(line)
        alive = kill_at_work(child)
        lines += child.stdout.readlines()
        assert alive, f"ended with {child.wait()}:\n{child.stderr.read().decode(errors='replace')}"
    return [line.decode().rstrip("\n") for line in lines]
