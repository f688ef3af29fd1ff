"""The reference names everything that is there, and nothing that is not."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import get_args

import deia
from deia import errors, options, pytest_plugin, testing
from deia.analysis.conditions import PAID, STATISTICS
from deia.analysis.figures import METRICS
from deia.analysis.sessions import State
from deia.redaction import names, rules

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = {path.name: path.read_text("utf-8") for path in sorted((DOCS / "reference").glob("*.md"))}


def rows(page: str) -> list[list[str]]:
    """Return the cells of every table row of a reference page that begins with a name in code."""
    lines = re.findall(r"^\| (`.*) \|$", REFERENCE[page], re.MULTILINE)
    return [[cell.strip() for cell in line.split(" | ")] for line in lines]


def test_every_public_name_is_in_the_reference() -> None:
    """Rendered from its docstring, alone or with its module."""
    whole = "\n".join(REFERENCE.values())
    rendered = set(re.findall(r"^::: (\S+)", whole, re.MULTILINE))
    rendered |= {f"deia.events.{name}" for name in re.findall(r"^        - (\w+)$", whole, re.MULTILINE)}
    for name in deia.__all__:
        thing = getattr(deia, name)
        homes = {f"{thing.__module__}.{name}", f"{thing.__module__.rpartition('.')[0]}.{name}"}
        assert homes & rendered or (thing.__module__ == "deia.errors" and "deia.errors" in rendered), name


def test_testing_page_has_every_tool_and_every_fixture() -> None:
    """Those that `deia.testing` exports, and those that pytest finds."""
    page = REFERENCE["testing.md"]
    for name in testing.__all__:
        assert f"::: {getattr(testing, name).__module__}.{name}\n" in page, name
    fixtures = {name for name in vars(pytest_plugin) if name.startswith("deia_")}
    assert fixtures == {row[0].strip("`") for row in rows("testing.md") if row[0].startswith("`deia_")}


def test_options_page_lists_every_option_with_its_default_and_values() -> None:
    """Name, default and accepted words are those of the dataclass, in its order."""
    table = [row for row in rows("options.md") if not row[0].startswith("`DEIA_")]
    fields = dataclasses.fields(options.Options)
    assert [(row[0], row[1]) for row in table] == [(f"`{field.name}`", f"`{field.default!r}`") for field in fields]
    words = {row[0].strip("`"): re.findall(r"`'(\w+)'`", row[2]) for row in table}
    assert words["queue_mode"] == list(get_args(options.QueueMode))
    assert words["sync_policy"] == list(get_args(options.SyncPolicy))
    assert words["when_full"] == list(get_args(options.WhenFull))


def test_errors_page_lists_every_error() -> None:
    """Each class of `deia.errors` has a row that says who can act."""
    defined = {
        name for name, thing in inspect.getmembers(errors, inspect.isclass) if thing.__module__ == errors.__name__
    }
    assert {row[0].strip("`") for row in rows("errors.md")} == defined


def test_analysis_page_explains_every_figure_of_the_original() -> None:
    """The four figures that callers of the original module know, and the session time that they stand on."""
    named = {name for row in rows("analysis.md") for name in re.findall(r"`(\w+)`", row[0])}
    assert {"task_breakdown", "bottlenecks", "velocity_metrics", "file_operation_stats"} <= named
    assert named <= {field.name for field in dataclasses.fields(deia.SessionAnalysis)}


def test_comparing_page_has_every_figure_statistic_and_state() -> None:
    """Figures in their order, each with the direction that is the better one."""
    page = REFERENCE["comparing.md"]
    table = [(row[0].strip("`"), row[2]) for row in rows("comparing.md") if len(row) == 3]
    assert table == [(name, metric.better or "neither") for name, metric in METRICS.items()]
    of_names, of_models = page.split("Of a task, a tool and a model")[1].split("\n\n")[0].split("Of a model")
    assert set(re.findall(r"`(\w+)`", of_names)) == set(STATISTICS)
    assert [name for name in re.findall(r"`(\w+)`", of_models) if name not in STATISTICS] == list(PAID)
    states = page.split("## States")[1]
    assert re.findall(r"^\| `([\w ]+)` \|", states, re.MULTILINE) == list(get_args(State))


def test_every_variable_of_the_environment_is_documented() -> None:
    """What the package reads from the environment stands on the options page."""
    source = Path(deia.__file__).parent
    read = {
        name for path in source.rglob("*.py") for name in re.findall(r"\"(DEIA_[A-Z_]+)\"", path.read_text("utf-8"))
    }
    assert read == {row[0].strip("`") for row in rows("options.md") if row[0].startswith("`DEIA_")}


def test_links_between_pages_lead_to_files_that_exist() -> None:
    """Those of the README and of CONTRIBUTING, too, which the site's own check does not see."""
    root = DOCS.parent
    for page in [*root.glob("*.md"), *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(root)} links to {target}"


def test_redaction_page_lists_every_rule_and_every_name() -> None:
    """Kinds and sources of the forms, segments of the names, and what is excepted: as the code has them."""
    page = REFERENCE["redaction.md"]
    table = [(row[0], row[1], row[2]) for row in rows("redaction.md") if len(row) == 3]
    assert table == [
        (f"`{rule.kind}`", rule.what, f"[{rule.source.split('/')[2]}]({rule.source})") for rule in rules.RULES
    ]
    by_kind = {row[0].strip("`"): re.findall(r"`(\w+)`", row[1]) for row in rows("redaction.md") if len(row) == 2}
    for name, kind in names.KINDS.items():
        assert name in by_kind[kind]
    quoted = set(re.findall(r"`(\w+)`", page))
    assert quoted >= names.ALLOWED | names.KEY_OF | names.PASS_OF
