"""The tools of the demo's agent. Each does real work on source files and returns what it found, or raises."""

from __future__ import annotations

import ast
import py_compile
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TIMEOUT_S = 30.0
"""Far beyond what a subprocess here needs: only a machine that has come to a stop gets there."""

FAILURES = (SyntaxError, ValueError, py_compile.PyCompileError, TimeoutError, ChildProcessError)
"""What a tool raises that cannot do its work."""


def list_sources(files: Sequence[Path]) -> dict[str, Any]:
    """Look at how much there is to review."""
    return {"files": len(files), "bytes": sum(file.stat().st_size for file in files)}


def count_definitions(source: bytes) -> dict[str, Any]:
    """Count what a module defines, with `ast`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own invalid escapes are not this program's warnings
        tree = ast.parse(source)
    functions = classes = branches = 0
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            functions += 1
        elif isinstance(node, ast.ClassDef):
            classes += 1
        elif isinstance(node, (ast.If, ast.For, ast.While, ast.Try)):
            branches += 1
    return {"functions": functions, "classes": classes, "branches": branches}


def count_lines(source: bytes) -> dict[str, Any]:
    """Count the lines, and tell code from comments and blank lines."""
    lines = [line.strip() for line in source.splitlines()]
    comments = sum(line.startswith(b"#") for line in lines)
    return {"lines": len(lines), "code": len(lines) - comments - lines.count(b""), "comments": comments}


def byte_compile(source: Path, target: Path, level: int) -> dict[str, Any]:
    """Compile a module to `target` at an optimisation level."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            py_compile.compile(str(source), cfile=str(target), doraise=True, optimize=level)
        except py_compile.PyCompileError:
            target.write_bytes(b"")  # the step has a result all the same: an empty file
            raise
    return {"bytes": target.stat().st_size}


def time_import(module: str, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """Import a module in an interpreter of its own, which has so many seconds for it; how long it takes is all."""
    _python("-c", f"import {module}", timeout_s=timeout_s)
    return {}


def check_indentation(files: Sequence[Path]) -> dict[str, Any]:
    """Look for ambiguous indentation, with the library's own `tabnanny` in a process of its own."""
    return _python("-m", "tabnanny", *map(str, files))


def _python(*arguments: str, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    # -I: neither the user's directory nor the environment gets a say in what is imported
    command = [sys.executable, "-I", *arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"no answer within {timeout_s:g} seconds") from None
    output = done.stdout + done.stderr
    if done.returncode:
        said = output.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise ChildProcessError(said or f"exit code {done.returncode}")
    return {"output_bytes": len(output)}
