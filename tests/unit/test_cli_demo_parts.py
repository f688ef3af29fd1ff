"""The parts of `deia demo`: its plan, its tools, and how it proves that nothing is missing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deia.cli.demo import plan as plans
from deia.cli.demo import tools
from deia.cli.demo.proof import Proof, Recording
from deia.cli.demo.report import make_report
from deia.cli.demo.script import Answer, Model
from deia.events import AnyEvent, FileEvent, SessionEvent, TaskEvent, ToolEvent, UnknownEvent


def library(root: Path, **packages: int) -> Path:
    """Make a small library: package → number of modules; `_` for modules that belong to none."""
    for package, modules in packages.items():
        home = root if package == "_" else root / package
        home.mkdir(parents=True, exist_ok=True)
        for number in range(modules):
            (home / f"m{number}.py").write_text(f"def f{number}():\n    return {number}\n")
    return root


# The plan.


def test_plan_of_the_running_interpreter_has_the_promised_events() -> None:
    """At least 2,000, from the standard library of whatever Python runs this."""
    plan = plans.make_plan()
    assert plan.events >= 2000
    assert len(plan.files) <= plans.MAX_FILES
    assert all(file.suffix == ".py" for file in plan.files)


def test_plan_goes_package_by_package_in_groups(tmp_path: Path) -> None:
    """Modules of no package come last; a large package is reviewed in several groups."""
    plan = plans.make_plan(library(tmp_path, json=3, _=2, email=20))
    assert [package.name for package in plan.packages] == ["email", "json", plans.TOP_LEVEL]
    email, json, _ = plan.packages
    assert [len(group.files) for group in email.groups] == [8, 8, 4]
    assert [group.name for group in email.groups] == [f"review email ({number} of 3)" for number in (1, 2, 3)]
    assert json.module == "json"


def test_plan_is_the_same_each_time(tmp_path: Path) -> None:
    """The second process must mean the same work as the first one."""
    library(tmp_path, b=5, a=5, _=5)
    assert plans.make_plan(tmp_path) == plans.make_plan(tmp_path)


def test_plan_leaves_out_tests_and_installed_packages(tmp_path: Path) -> None:
    """They are not the library, or are broken on purpose."""
    library(tmp_path, json=1)
    for name in ("site-packages", "dist-packages", "test", "__pycache__", "config-3.11-x86_64", "json/tests"):
        library(tmp_path / name, _=1)
    (tmp_path / "json" / "data.txt").touch()
    assert plans.make_plan(tmp_path).files == [tmp_path / "json" / "m0.py"]


def test_plan_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large a library is, the demo stays short."""
    monkeypatch.setattr(plans, "MAX_FILES", 9)
    monkeypatch.setattr(plans, "MIN_MODULES", 3)
    plan = plans.make_plan(library(tmp_path, a=7, b=3, _=5))
    assert [len(package.files) for package in plan.packages] == [3, 3, 3]


def test_plan_takes_more_of_a_package_where_there_is_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system whose library is cut down gives enough events all the same."""
    monkeypatch.setattr(plans, "MAX_FILES", 9)
    monkeypatch.setattr(plans, "MIN_MODULES", 3)
    plan = plans.make_plan(library(tmp_path, a=7, b=3, _=2))
    assert [len(package.files) for package in plan.packages] == [4, 3, 2]
    monkeypatch.setattr(plans, "MAX_FILES", 99)
    assert len(plans.make_plan(tmp_path).files) == 12


# The tools.


def test_definitions_are_counted() -> None:
    """Functions of both kinds, classes, branches."""
    source = b"class A:\n    def f(self):\n        if 1:\n            pass\n    async def g(self): pass\n"
    assert tools.count_definitions(source) == {"functions": 2, "classes": 1, "branches": 1}


def test_lines_are_told_apart() -> None:
    """A comment beside code is code."""
    source = b"# one\nx = 1  # two\n\n    # three\ny = 2"
    assert tools.count_lines(source) == {"lines": 5, "code": 2, "comments": 2}


@pytest.mark.parametrize("source", [b"def (:\n", b"x = '''\n", b"# coding: nonsense\n"])
def test_source_that_is_no_python_is_a_failure_of_the_tool(tmp_path: Path, source: bytes) -> None:
    """One that the agent expects; what it would have written is there all the same."""
    broken = tmp_path / "broken.py"
    broken.write_bytes(source)
    with pytest.raises(tools.FAILURES):
        tools.count_definitions(source)
    with pytest.raises(tools.FAILURES):
        tools.byte_compile(broken, tmp_path / "broken.pyc", 0)
    assert (tmp_path / "broken.pyc").exists()


def test_byte_compiled_file_has_its_size_in_the_result(tmp_path: Path) -> None:
    """And docstrings are left out at level 2."""
    (tmp_path / "m.py").write_text('"""A docstring that takes some room in the compiled file."""\nx = 1\n')
    kept = tools.byte_compile(tmp_path / "m.py", tmp_path / "m.0.pyc", 0)
    left_out = tools.byte_compile(tmp_path / "m.py", tmp_path / "m.2.pyc", 2)
    assert kept == {"bytes": (tmp_path / "m.0.pyc").stat().st_size}
    assert left_out["bytes"] < kept["bytes"]


def test_import_is_timed_in_another_process() -> None:
    """Where that fails, the error is the last thing it said."""
    assert tools.time_import("json") == {}
    with pytest.raises(ChildProcessError, match=r"^ModuleNotFoundError: No module named 'no_such_module_at_all'$"):
        tools.time_import("no_such_module_at_all")


def test_indentation_is_checked_in_another_process(tmp_path: Path) -> None:
    """tabnanny names the file."""
    bad = tmp_path / "bad.py"
    bad.write_text("if 1:\n        x = 1\n\ty = 2\n")
    assert tools.check_indentation([bad])["output_bytes"] > 0


def test_tool_that_hangs_is_a_failure_of_the_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo goes on without it."""

    def hang(*_arguments: object, timeout: float, **_more: object) -> None:
        raise subprocess.TimeoutExpired("python", timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(TimeoutError, match="^no answer within 30 seconds$"):
        tools.time_import("json")


# The report.


def test_report_sums_what_the_tools_found_and_names_what_they_could_not_do(tmp_path: Path) -> None:
    """One row a package; what was tried again and then done is done."""
    plan = plans.make_plan(library(tmp_path, json=2, _=1))
    one, two, top = map(str, plan.files)
    events: list[AnyEvent] = [
        TaskEvent("review json", 0.0),
        ToolEvent("count_definitions", {"target": one, "functions": 2, "classes": 1}, 1),
        ToolEvent("count_definitions", {"target": two, "functions": 3, "classes": 0}, 1),
        ToolEvent("count_lines", {"target": two, "lines": 9, "code": 8, "comments": 1}, 1),
        ToolEvent("count_lines", {"target": top}, 1, error="broken"),
        ToolEvent("import", {"target": "json"}, 1, error="too slow"),
        ToolEvent("import", {"target": "json"}, 1),
    ]
    text = make_report(plan, events)
    assert "| json | 2 | 9 | 8 | 1 | 5 | 1 |\n" in text
    assert f"| {plans.TOP_LEVEL} | 1 | 0 | 0 | 0 | 0 | 0 |\n" in text
    assert text.endswith(f"\n## What a tool could not do\n\n- `count_lines` on `{top}`: broken\n")


# The script.


def test_answers_of_models_cost_what_their_tokens_do() -> None:
    """What comes from the cache is a part of the input, at a price of its own."""
    answer = Answer(Model("m", 1.0, 0.1, 10.0, 0.0), "a", "x" * 400, read_tokens=1000)
    assert (answer.input_tokens, answer.output_tokens) == (1000 + answer.cached_tokens, 100)
    assert answer.cost_usd == pytest.approx((1000 + 0.1 * answer.cached_tokens + 10 * 100) / 1e6)


# The proof.


def numbered(*events: AnyEvent) -> list[AnyEvent]:
    for seq, event in enumerate(events, 1):
        event.seq = seq
    return list(events)


EVENTS = numbered(
    TaskEvent("t", 1.0),
    FileEvent("a.py", "read"),
    SessionEvent("continued", run=2, recovered_bytes=300, lost_bytes=7),
    ToolEvent("tool", {}, 1),
    TaskEvent("t", 1.0, 2.0),
)


def test_recording_is_taken_apart_by_run() -> None:
    """Each run's events as they were acknowledged, and what the second one had to recover."""
    recording = Recording.of(EVENTS)
    assert recording.runs == ((("start", "t"), ("read", "a.py")), (("tool", "tool"), ("complete", "t")))
    assert (recording.recovered_bytes, recording.lost_bytes, recording.has_gap) == (300, 7, False)


def test_acknowledged_events_are_found() -> None:
    """An event more than was acknowledged is the one that the kill came between."""
    recording = Recording.of(EVENTS)
    assert recording.prove([[("start", "t")]]) == Proof(acknowledged=1, found=4, missing=0)
    assert recording.prove(recording.runs) == Proof(acknowledged=4, found=4, missing=0)


def test_missing_event_is_counted() -> None:
    """At the end of a run, a run of which nothing is there, and one that is another event than the acknowledged one."""
    recording = Recording.of(EVENTS)
    first, second = recording.runs
    assert recording.prove([[*first, ("tool", "lost")], second]).missing == 1
    assert recording.prove([first, second, [("tool", "lost")]]).missing == 1
    assert recording.prove([[("start", "other"), first[1]], second]).missing == 1


def test_gap_in_the_numbering_is_seen() -> None:
    """And an event of a type that is not known is only counted."""
    assert Recording.of(numbered(UnknownEvent("New"))[:1]).runs == ((("unknown", "UnknownEvent"),),)
    assert Recording.of(EVENTS[:1] + EVENTS[2:]).has_gap
