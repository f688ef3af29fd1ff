"""What the demo's agent sets out to do: the interpreter's standard library, package by package.

The plan follows from the files alone, so that the process which continues the work after the crash makes the same one.
"""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LEVELS = (0, 2)
"""Optimisation levels of the byte-compiler: asserts and docstrings kept, and without."""

GROUP_MODULES = 8
MAX_FILES = 400
"""With seven events a file that is a good deal more than the 2,000 events which the demo promises, and it stays within
half a minute where two slow processors are shared with others."""

MIN_MODULES = 10
"""Of one package, and more where there is little else: the code pages of `encodings` are to leave room for others."""

_SKIPPED = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}
"""What is not the standard library, or (its tests) is broken on purpose."""

TOP_LEVEL = "top-level modules"

IMPORTS = {
    "asyncio": "asyncio",
    "concurrent": "concurrent.futures",
    "email": "email.mime.text",
    "http": "http.client",
    "importlib": "importlib.resources",
    "json": "json",
    "logging": "logging",
    "multiprocessing": "multiprocessing.pool",
    "unittest": "unittest",
    "urllib": "urllib.request",
    "xml": "xml.etree.ElementTree",
    "zoneinfo": "zoneinfo",
}
"""Package → the module whose import is timed in a process of its own; all harmless to import. The sources of these
packages are also checked by such a process; for each small package, starting one would cost more than all the rest."""


@dataclass(frozen=True)
class Group:
    """Modules that are reviewed in one task.

    Attributes:
        name: Name of the task.
        files: Their paths.
    """

    name: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Package:
    """One package, or the modules that belong to none.

    Attributes:
        name: Name of the package.
        groups: Its modules, in the order of review. Where there are several, each is a task inside the package's.
        module: What is imported to time it, where that is done.
    """

    name: str
    groups: tuple[Group, ...]
    module: str | None

    @property
    def task(self) -> str:
        """Name of the package's task."""
        return f"review {self.name}"

    @property
    def files(self) -> list[Path]:
        """All files of the package."""
        return [file for group in self.groups for file in group.files]


@dataclass(frozen=True)
class Plan:
    """The whole of the work.

    Attributes:
        root: Directory of the standard library.
        packages: In the order of review.
    """

    root: Path
    packages: tuple[Package, ...]

    @property
    def files(self) -> list[Path]:
        """All files of the plan."""
        return [file for package in self.packages for file in package.files]

    @property
    def checked(self) -> list[Package]:
        """The packages that processes of their own look at."""
        return [package for package in self.packages if package.module is not None]

    @property
    def events(self) -> int:
        """How many events the work takes when nothing interrupts it."""
        groups = sum(len(package.groups) for package in self.packages if len(package.groups) > 1)
        tasks = 2 + len(self.packages) + groups
        per_file = 3 + 2 * len(LEVELS)  # read, two counts; compiled and written at each level
        processes = 2 * len(self.checked) + (
            2 if self.checked else 0
        )  # one fails and is tried again, one is for nothing
        conversation = 2 + 2 * (2 + len(self.packages))  # what the person says; calls of models, and what they say
        others = 2  # the sources listed, the report written
        return 2 * tasks + per_file * len(self.files) + processes + conversation + others


def make_plan(root: Path | None = None) -> Plan:
    """Plan a review of the Python sources under `root`, by default the running interpreter's standard library."""
    root = Path(sysconfig.get_path("stdlib")) if root is None else root
    by_package: dict[str, list[Path]] = {}
    for file in _sources(root):
        parts = file.relative_to(root).parts
        by_package.setdefault(parts[0] if len(parts) > 1 else TOP_LEVEL, []).append(file)
    most = _most_of_a_package({name: len(files) for name, files in by_package.items()})
    left = MAX_FILES
    packages: list[Package] = []
    for name in sorted(by_package, key=lambda name: (name == TOP_LEVEL, name)):
        files = by_package[name][: left if name == TOP_LEVEL else min(left, most)]
        left -= len(files)
        if files:
            packages.append(Package(name, tuple(_groups(name, files)), IMPORTS.get(name)))
    return Plan(root, tuple(packages))


def _most_of_a_package(sizes: dict[str, int]) -> int:
    """Return how many modules of one package to take, so that small libraries and large ones give as many in all."""
    for most in range(MIN_MODULES, MAX_FILES):
        if sum(size if name == TOP_LEVEL else min(size, most) for name, size in sizes.items()) >= MAX_FILES:
            return most
    return MAX_FILES


def _groups(package: str, files: list[Path]) -> Iterator[Group]:
    starts = range(0, len(files), GROUP_MODULES)
    for number, start in enumerate(starts, 1):
        yield Group(f"review {package} ({number} of {len(starts)})", tuple(files[start : start + GROUP_MODULES]))


def _sources(root: Path) -> Iterator[Path]:
    for directory, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name not in _SKIPPED and not name.startswith("config-"))
        for file in sorted(files):
            path = Path(directory, file)
            # A name that is not Unicode is recorded in another form than it is compared in.
            if file.endswith(".py") and path.is_file() and str(path).isprintable():
                yield path
