"""The shape of the package: imports go one way, and one module alone touches the operating system."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import deia

PACKAGE = Path(deia.__file__).parent
MODULES = {
    ".".join(("deia", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
ROW_OF = {part: row for row, parts in enumerate(deia._IMPORT_ORDER) for part in parts}
TOP = frozenset({"deia", "deia.__main__"})
"""The public names and `python -m deia`: they may import everything, and only the command line imports them."""


def part_of(module: str) -> str:
    """Return the module or package directly under `deia` that a dotted name belongs to."""
    return module.split(".")[1]


def imported_by(module: str) -> Iterator[str]:
    """Yield every module of ours that a module imports, at its top, inside a function or for its annotations."""
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(MODULES[module].read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")
                base = ".".join([*above[: len(above) + 1 - node.level], *filter(None, [node.module])])
            # `from deia import system` names a module, `from deia.system import now` something in one
            names = [f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "deia")


def test_map_of_imports_names_every_module() -> None:
    """A new module or package has a place in the order, and the order names nothing that is not there."""
    assert {part_of(module) for module in MODULES if module not in TOP} == set(ROW_OF)


@pytest.mark.once
@pytest.mark.parametrize("module", [module for module in MODULES if module not in TOP])
def test_imports_go_one_way(module: str) -> None:
    """A module imports only its own package and the rows above its own: never a neighbour, never downstream."""
    mine = part_of(module)
    against = [
        name
        for name in imported_by(module)
        if (mine != "cli" if name in TOP else part_of(name) != mine and ROW_OF[part_of(name)] >= ROW_OF[mine])
    ]
    assert not against, f"{module} imports {against}"


# Only system.py opens, writes, syncs, maps, locks a file, or reads a clock.

WORLD: dict[str, frozenset[str] | None] = {
    "datetime": frozenset({"datetime.now", "datetime.today", "datetime.utcnow", "date.today"}),
    "fcntl": None,
    "io": frozenset({"open", "open_code"}),
    "mmap": frozenset({"mmap"}),
    "os": frozenset(
        {
            *("open", "fdopen", "close", "read", "readv", "pread", "preadv", "write", "writev", "pwrite", "pwritev"),
            *("fsync", "fdatasync", "sync", "truncate", "ftruncate", "posix_fallocate", "sendfile", "copy_file_range"),
            *("mkdir", "makedirs", "mkfifo", "mknod", "link", "symlink", "rename", "renames", "replace", "lockf"),
            *("remove", "unlink", "rmdir", "removedirs", "chmod", "fchmod", "chown", "utime", "times"),
            *("stat", "lstat", "fstat", "access", "listdir", "scandir", "walk", "readlink"),
            *("path.exists", "path.lexists", "path.isfile", "path.isdir", "path.islink", "path.realpath"),
            *("path.samefile", "path.getsize", "path.getmtime"),
        }
    ),
    "shutil": None,
    "tempfile": None,
    "time": None,
}
"""Module → what in it opens, writes, syncs, maps, locks, makes, removes or asks for a file, or reads a clock; None: all
of it.
"""

METHODS = frozenset(
    {
        *(
            "open",
            "read_bytes",
            "read_text",
            "write_bytes",
            "write_text",
            "touch",
            "mkdir",
            "rmdir",
            "rename",
            "unlink",
        ),
        *("symlink_to", "hardlink_to", "chmod"),
        *(
            "exists",
            "is_file",
            "is_dir",
            "is_symlink",
            "stat",
            "lstat",
            "resolve",
            "samefile",
            "iterdir",
            "glob",
            "rglob",
        ),
    }
)
"""Methods by which a Path does the same."""

EXCEPTIONS = {
    ("deia.cli.bench", ...): "the measurement stands beside the package, and so do its clocks, files and write-through",
    ("deia.cli.demo", ...): "the demonstration is an agent at work: a user of the package, not a part of it",
    ("deia.cli.paths", "os.path.exists"): "looks for session logs by the names that a user gave",
    ("deia.cli.paths", "os.path.isdir"): "the same",
    ("deia.cli.paths", "os.walk"): "the same, below a directory",
    ("deia.cli.report", "os.path.isdir"): "whether a user gave a directory for the pages, or a page",
    ("deia.testing.child", "os.open"): "the witness of a crash stands outside of what it bears witness of",
    ("deia.testing.child", "os.write"): "the same",
    ("deia.testing.counters", ...): "the same",
    ("deia.testing.crash", ...): "the same: a test's own files, beside those of the agent that it kills",
    ("deia.cli.output", "os.open"): "points standard output at os.devnull when its reader has gone",
}
"""(Module or package, what it may) → why."""


def reaches_the_world(module: str) -> Iterator[tuple[str, int]]:
    """Yield (what, line) for each place in a module that opens, writes, syncs or maps a file, or reads a clock."""
    tree = ast.parse(MODULES[module].read_bytes())
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names if WORLD.get(alias.name, ()) is None)
        elif isinstance(node, ast.ImportFrom) and node.module in WORLD and not node.level:
            names = WORLD[node.module]
            for alias in node.names:
                if names is None or alias.name in names:
                    yield f"{node.module}.{alias.name}", node.lineno
        elif isinstance(node, ast.Attribute):
            owner, _, name = ast.unparse(node).partition(".")
            if name in (WORLD.get(owner) or ()):
                # `mmap.mmap` is also the type of a mapping, which anyone may hold
                if owner != "mmap" or id(node) in called:
                    yield f"{owner}.{name}", node.lineno
            elif node.attr in METHODS and id(node) in called and owner not in {"self", "session", "system"}:
                yield f".{node.attr}()", node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"open", "FileIO"}:
            yield f"{node.func.id}()", node.lineno


def exceptions_for(module: str, what: str) -> list[tuple[str, object]]:
    """Return the stated exceptions that cover a use."""
    return [
        (owner, use)
        for owner, use in EXCEPTIONS
        if (module == owner or module.startswith(f"{owner}.")) and use in (what, ...)
    ]


@pytest.mark.once
@pytest.mark.parametrize("module", [module for module in MODULES if module != "deia.system"])
def test_only_the_system_module_touches_files_and_clocks(module: str) -> None:
    """Everything else goes through `deia.system`, so that a test can put a world behind it that fails."""
    found = [f"{what} (line {line})" for what, line in reaches_the_world(module) if not exceptions_for(module, what)]
    assert not found, f"{module} does by itself what belongs into deia.system: {found}"


@pytest.mark.once
def test_exceptions_from_the_rule_are_in_use() -> None:
    """An exception that no module needs any more is taken off the list."""
    used = {
        pair for module in MODULES for what, _ in reaches_the_world(module) for pair in exceptions_for(module, what)
    }
    assert used == EXCEPTIONS.keys()


def test_the_system_module_is_seen_to_touch_the_world() -> None:
    """The check sees what it looks for: in the one module where it stands."""
    seen = {what for what, _ in reaches_the_world("deia.system")}
    assert {"time", "os.open", "os.fsync", "mmap.mmap", "open()"} <= seen


def modules_after(statement: str) -> set[str]:
    """Return the names in `sys.modules` of a fresh interpreter that ran one statement."""
    code = f"import sys\nbefore = set(sys.modules)\n{statement}\nprint(*sorted(set(sys.modules) - before))"
    # isolated, without site: what the environment imports at start (a coverage hook, say) would hide what we import
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys\nsys.path[:0] = {sys.path!r}\n{code}"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


LATER = frozenset({"aiofiles", "anyio", "asyncio", "click", "msgspec", "rich", "trio", "uvloop"})


@pytest.mark.parametrize(
    "statement",
    [
        "import deia",
        "import deia.services.session_logger",
        "from deia import AsyncSessionLogger, SessionLogger",
        "import deia.testing",
        "import deia.testing.child",
    ],
)
def test_importing_deia_imports_no_framework_and_no_extra(statement: str) -> None:
    """What only the background thread or an extra needs is imported with the first event, or when it is used."""
    assert modules_after(statement) & LATER == set()


def test_constructing_a_logger_imports_no_framework() -> None:
    """Nor does a logger that has not logged yet: the first event pays for the background."""
    assert modules_after("import deia\ndeia.SessionLogger('agent')\ndeia.AsyncSessionLogger('agent')") & LATER == set()


def test_command_begins_without_importing_the_others() -> None:
    """Together they import the whole package, which would be most of the time that `deia --version` takes."""
    loaded = modules_after("from deia.cli.app import run\nrun(['summary', '/no/such/file'])")
    assert "deia.cli.summary" in loaded
    assert not loaded & {"deia.cli.analyze", "deia.export", "deia.importing", "deia.report", "deia.serve"}


def test_who_only_records_imports_nothing_that_reads() -> None:
    """Subscribers and readers bring it along; the start of a program pays for what it uses."""
    code = "from deia import AsyncSessionLogger, SessionLogger\nAsyncSessionLogger('agent')\nSessionLogger('agent')"
    assert not modules_after(code) & {"deia.bus.recorded", "deia.journal.decode", "deia.journal.records"}


def test_only_the_analysis_of_a_long_log_imports_the_typed_parser(tmp_path: Path) -> None:
    """To import it takes as long as to read a short log without it."""
    line = '{"type":"FileEvent","path":"%s","operation":"read","size_bytes":1,"lines":null,"task_id":null,"seq":%d,'
    line += '"timestamp":1.5,"agent_id":"a","session_id":"s","v":1}\n'
    short, long = tmp_path / "a_s.jsonl", tmp_path / "b_s.jsonl"
    short.write_text("".join(line % ("x", seq) for seq in range(1, 101)), encoding="utf-8")
    long.write_text("".join(line % ("x" * 30_000, seq) for seq in range(1, 101)), encoding="utf-8")
    code = "import deia, deia.analysis.analyze, deia.cli.app\ndeia.analyze_session({!r}, workers=1)"
    assert "msgspec" not in modules_after(code.format(str(short)))
    assert "msgspec" in modules_after(code.format(str(long)))


def test_importing_deia_starts_no_thread_and_configures_no_logging() -> None:
    """An import has no effect that another package could notice."""
    code = (
        "import logging, threading, deia.services.session_logger as module\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "assert not logging.root.handlers and not module.logger.handlers\n"
        "assert module.logger.level == logging.NOTSET and module.logger.propagate\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("module", list(MODULES))
def test_no_module_knows_the_machine_it_was_written_on(module: str) -> None:
    """No path of one machine stands in the source."""
    source = MODULES[module].read_text(encoding="utf-8")
    assert not re.findall(r"(?<![\w.])/(?:home|root|Users|work|opt|mnt|srv|var|tmp)/\w+", source)
