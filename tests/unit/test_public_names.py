"""Everything that is exported is exported on purpose."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import deia
from deia.services import session_logger

PUBLIC = {
    *("SessionLogger", "AsyncSessionLogger", "analyze_session", "summarize_session", "read_events"),
    *("LLMEvent", "MessageEvent", "ErrorEvent", "DecisionEvent", "ActionItemEvent", "CustomEvent"),
    *("ConversationLogger", "AsyncConversationLogger"),
    *("EventBus", "Subscription", "register_event", "HandlerTimeoutError"),
    *("TaskEvent", "FileEvent", "ToolEvent", "SessionEvent", "UnknownEvent", "SessionSummary", "SessionAnalysis"),
    *("AnalysisCache", "Statistics", "in_context", "SessionProfile", "profile_session"),
    *(
        "DeiaError",
        "LoggerClosedError",
        "QueueFullError",
        "FlushTimeoutError",
        "SessionLockedError",
        "WriterFailedError",
    ),
    *("JournalError", "NotASessionLogError", "ForeignJournalError", "DamagedLineError"),
}
ORIGINAL = {
    *("SessionLogger", "TaskEvent", "FileEvent", "ToolEvent", "SessionSummary", "SessionAnalysis", "logger"),
}
"""What the original module documents under `deia.services.session_logger`."""


def test_deia_exports_exactly_its_documented_names() -> None:
    """A name is added here, and to the reference, when it is added to `deia`."""
    assert set(deia.__all__) == PUBLIC
    assert len(deia.__all__) == len(PUBLIC)


def test_original_module_exports_exactly_its_documented_names() -> None:
    """Code written for the original module finds every name where it was."""
    assert set(session_logger.__all__) == ORIGINAL


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_name_is_documented_and_lives_in_a_public_place(name: str) -> None:
    """Each public object has a docstring and a home without an underscore in it."""
    thing = getattr(deia, name)
    assert inspect.getdoc(thing)
    assert not any(part.startswith("_") for part in thing.__module__.split("."))


@pytest.mark.parametrize("face", [deia.SessionLogger, deia.AsyncSessionLogger], ids=lambda face: face.__name__)
def test_every_public_method_and_property_of_a_logger_is_documented(face: type) -> None:
    """The reference is made from these docstrings."""
    public = {name: thing for name, thing in inspect.getmembers(face) if not name.startswith("_")}
    assert [name for name, thing in public.items() if not inspect.getdoc(thing)] == []


def test_both_loggers_have_the_same_calls() -> None:
    """Whoever knows one knows the other: same names, same parameters, same defaults."""

    def calls(face: type) -> dict[str, list[tuple[str, object]]]:
        members = {name: getattr(face, name) for name in dir(face) if not name.startswith("_") or name == "__init__"}
        return {
            name: [(each.name, each.default) for each in inspect.signature(thing).parameters.values()]
            for name, thing in members.items()
            if callable(thing)
        }

    awaited = calls(deia.AsyncSessionLogger)
    assert awaited.pop("events") == [("self", inspect.Parameter.empty)]  # a property there
    for name, parameters in calls(deia.SessionLogger).items():
        if name != "analyze_session":  # passes its options on
            assert awaited.pop(name) == parameters, name
    assert awaited.keys() == {"analyze_session"}


def test_public_names_are_listed_before_they_are_used() -> None:
    """`dir(deia)` shows the public names, though most are imported when first asked for."""
    code = "import deia; assert set(deia.__all__) <= set(dir(deia)), dir(deia)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_star_import_gives_the_public_names_only() -> None:
    """`from deia import *` brings what `__all__` says."""
    names: dict[str, object] = {}
    exec("from deia import *", names)
    assert names.keys() - {"__builtins__"} == PUBLIC


def test_unknown_name_raises_attribute_error_naming_the_module() -> None:
    """A misspelt name fails as it does in any other module."""
    with pytest.raises(AttributeError, match=r"module 'deia' has no attribute 'SesionLogger'"):
        deia.SesionLogger  # type: ignore[attr-defined]  # noqa: B018


def test_name_is_one_object_wherever_it_is_imported_from() -> None:
    """The class under `deia` is the class under the original module: `isinstance` works across both."""
    for name in {*ORIGINAL, *deia.__all__} - {"logger"}:
        if not name.endswith("Event") or name in ORIGINAL:
            assert getattr(session_logger, name) is getattr(deia, name), name


def test_version_is_the_installed_one() -> None:
    """`deia.__version__` is what the package index and `pip` see."""
    assert deia.__version__ == metadata.version("deia")
    assert re.fullmatch(r"\d+\.\d+\.\d+(?:\.dev\d+|(?:a|b|rc)\d+)?", deia.__version__)


def test_package_says_that_it_is_typed() -> None:
    """Type checkers read our annotations."""
    assert Path(deia.__file__).with_name("py.typed").is_file()


def test_every_error_is_a_deia_error() -> None:
    """One root: `except DeiaError` catches all that is ours."""
    errors = importlib.import_module("deia.errors")
    defined = [thing for _, thing in inspect.getmembers(errors, inspect.isclass) if thing.__module__ == errors.__name__]
    assert all(issubclass(error, deia.DeiaError) for error in defined)
    assert {error.__name__ for error in defined} <= PUBLIC


@pytest.mark.parametrize(
    "path",
    sorted(Path(deia.__file__).parent.rglob("*.py")),
    ids=lambda path: str(path.relative_to(Path(deia.__file__).parent)),
)
def test_names_in_all_are_defined_in_their_module(path: Path) -> None:
    """A module that lists its names lists only names that it has, once, and none with an underscore."""
    tree = ast.parse(path.read_bytes())
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            parts = path.relative_to(Path(deia.__file__).parent).with_suffix("").parts
            module = importlib.import_module(".".join(("deia", *parts)).removesuffix(".__init__"))
            assert len(set(module.__all__)) == len(module.__all__)
            assert [name for name in module.__all__ if name.startswith("_") or not hasattr(module, name)] == []
