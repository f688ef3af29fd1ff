"""`deia ls`, `deia compare`, `deia trend` and `deia prune`: what they print, and how they exit."""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deia import ConversationLogger, SessionLogger
from deia.cli.amounts import size
from deia.cli.trend import bars
from support.command_line import Run, runner
from support.fleets import DAY_S, write_session
from support.journals import START, write_queue


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    """Days and weeks are those of the local time zone: here it is UTC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `deia` in this process; `terminal=True` makes it believe that it writes to one."""
    return runner(capsys, monkeypatch, width=200)


def calls(number: int, median: float, seed: int) -> list[int]:
    generator = random.Random(seed)
    return [round(median * generator.lognormvariate(0, 0.3)) for _ in range(number)]


@pytest.fixture
def weeks(tmp_path: Path) -> Path:
    """Ten days of sessions, three a day: from the sixth on `pytest` takes twice as long."""
    directory = tmp_path / "sessions"
    for number in range(30):
        day = number // 3
        tools = {"pytest": calls(20, 1000 if day < 5 else 2000, number), "git diff": calls(20, 40, 99 - number)}
        write_session(directory, f"s{number:02}", day=day, tools=tools, tasks=10, agent_id=f"agent-{number % 2}")
    return directory


# ls


def test_ls_shows_each_session_once_with_its_key_figures(cli: Run, tmp_path: Path) -> None:
    """The newest first; segments are counted with their session, other files are none."""
    write_session(tmp_path, "old", tools={"pytest": [100]}, errors=1, tasks=8)
    write_session(tmp_path / "deep", "new", day=1)
    with SessionLogger("agent", "split", output_dir=tmp_path) as log:
        log.log_file_read("/a", 1)
        log.flush()
        os.rename(log.path, tmp_path / "moved.txt")
        log.log_file_read("/b", 1)
        log.flush()
    code, out, err = cli("ls", tmp_path)
    assert (code, err) == (0, "")
    rows = [re.split(r"  +", line) for line in out.splitlines()]
    assert rows[0] == [
        "State",
        "Began",
        "Agent",
        "Session",
        "Duration",
        "Events",
        "Tasks",
        "Tasks / h",
        "Calls",
        "Errors",
        "Size",
    ]
    assert [row[3] for row in rows[1:4]] == ["split", "new", "old"]
    assert rows[3][:8] == ["finished", "2023-11-14 22:13:20+00:00", "agent", "old", "1 h 00 min", "18", "8", "8.0"]
    assert rows[3][8:10] == ["1", "1"]
    assert out.splitlines()[-1].startswith("3 sessions, ")


def test_ls_shows_tokens_and_cost_where_there_are_any(cli: Run, tmp_path: Path) -> None:
    """Of each session, to sort by, and by model where there are several; a session without has a dash."""
    write_session(tmp_path, "a", day=2, models={"large": (1000, 0.5), "small": (200, None)})
    write_session(tmp_path, "b", day=1, models={"large": (5000, 2.25)})
    write_session(tmp_path, "none")
    rows = [re.split(r"  +", line) for line in cli("ls", tmp_path, "--sort", "tokens").out.splitlines()]
    assert rows[0][8:11] == ["Calls", "Tokens", "Cost", "Errors"][:3]
    assert [[row[3], *row[9:11]] for row in rows[1:4]] == [
        ["b", "5,500", "$2.25"],
        ["a", "1,320", "$0.5000"],
        ["none", "-", "-"],
    ]
    at = rows.index(["Models"])
    assert rows[at + 2 : at + 4] == [
        ["p/large", "2", "6,000", "600", "$2.75", "0.0 %"],
        ["p/small", "1", "200", "20", "-", "0.0 %"],
    ]
    found = cli("ls", tmp_path, "--sort", "cost", "--json").json
    assert [(each["session_id"], each["cost_usd"]) for each in found] == [("b", 2.25), ("a", 0.5), ("none", None)]
    assert found[1]["models"]["p/large"]["input_tokens"] == 1000
    assert "Models" not in cli("ls", tmp_path / "agent_b.jsonl").out
    assert "Tokens" in cli("ls", tmp_path, terminal=True).out
    write_session(tmp_path / "unpaid", "c", models={"small": (200, None)})
    unpaid = cli("ls", tmp_path / "unpaid").out
    assert "Tokens" in unpaid and "Cost" not in unpaid


def test_ls_without_a_path_lists_where_loggers_record(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`$DEIA_SESSIONS_DIR`, else `.deia/sessions` here."""
    write_session(tmp_path / "a", "there")
    write_session(tmp_path / ".deia" / "sessions", "here")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEIA_SESSIONS_DIR", str(tmp_path / "a"))
    assert [each["session_id"] for each in cli("ls", "--json").json] == ["there"]
    monkeypatch.delenv("DEIA_SESSIONS_DIR")
    assert [each["session_id"] for each in cli("ls", "--json").json] == ["here"]


def test_ls_tells_states_and_exits_2_where_one_is_no_log(cli: Run, tmp_path: Path) -> None:
    """What cannot be read is a row, with the reason below."""
    assert cli("ls", tmp_path).out == "No session there.\n"
    damaged, killed = (write_session(tmp_path, name) for name in ("damaged", "killed"))
    write_queue(killed, killed.read_bytes(), session_id="killed")
    assert cli("ls", tmp_path).code == 0
    damaged.write_bytes(damaged.read_bytes() + b"#\n")
    (tmp_path / "rows.jsonl").write_text("1\n")
    with SessionLogger("agent", "live", output_dir=tmp_path) as log:
        log.log_file_read("/a", 1)
        code, out, _ = cli("ls", tmp_path, "--sort", "state")
    assert code == 2
    assert [line.split("  ")[0] for line in out.splitlines()[1:5]] == ["damaged", "interrupted", "no log", "recording"]
    assert re.search(r"rows\.jsonl is not a session log: ", out)


@pytest.mark.parametrize(
    ("sort", "order"),
    [("began", "cab"), ("tasks", "bca"), ("tool-calls", "acb"), ("errors", "cab"), ("session", "abc"), ("size", "bac")],
)
def test_ls_sorts_numbers_from_the_highest_and_names_from_a(cli: Run, tmp_path: Path, sort: str, order: str) -> None:
    """And `--reverse` the other way round; what is equal by path."""
    write_session(tmp_path, "a", day=2, tasks=1, tools={"x": [1] * 9})
    write_session(tmp_path, "b", day=1, tasks=30, tools={"x": [1]})
    write_session(tmp_path, "c", day=3, tasks=2, tools={"x": [1] * 3}, errors=2)
    assert [each["session_id"] for each in cli("ls", tmp_path, "--json", "--sort", sort).json] == list(order)
    if sort != "errors":
        found = cli("ls", tmp_path, "--json", "--sort", sort, "--reverse").json
        assert [each["session_id"] for each in found] == list(reversed(order))


def test_ls_shows_what_is_asked_for(cli: Run, weeks: Path) -> None:
    """By agent and by when a session began: `--since` includes its moment, `--until` does not."""
    assert len(cli("ls", weeks, "--agent", "agent-1", "--json").json) == 15
    assert len(cli("ls", weeks, "--agent", "agent-*", "--json").json) == 30
    assert len(cli("ls", weeks, "--agent", "agent", "--json").json) == 0
    assert len(cli("ls", weeks, "--since", "2023-11-16T22:13:20", "--json").json) == 24
    assert len(cli("ls", weeks, "--until", "2023-11-16T22:13:20Z", "--json").json) == 6
    for ago in ("1d", "10m", "10 min"):
        assert len(cli("ls", weeks, "--since", ago, "--json").json) == 0
    assert len(cli("ls", f"{weeks}/*_s0[0-4].jsonl", "--json").json) == 5


def test_long_list_is_cut_in_a_terminal_and_says_so(cli: Run, weeks: Path) -> None:
    """In a pipe all of it is there."""
    assert "… and 10 more sessions; --json has them all" in cli("ls", weeks, terminal=True).out
    assert len(cli("ls", weeks).out.splitlines()) == 33


def test_hostile_names_reach_no_terminal(cli: Run, tmp_path: Path) -> None:
    """Escape sequences in names of tools are shown, in every view."""
    for number in range(2):
        write_session(tmp_path, f"s{number}", day=number * 10, tools={"\x1b[31mred": [100] * 20})
    for arguments in (["ls", tmp_path], ["compare", tmp_path, "--by", "week"], ["trend", tmp_path]):
        assert "\x1b" not in cli(*arguments).out
    assert r"\x1b[31mred" in cli("compare", tmp_path, "--by", "week").out


# compare


def test_compare_says_first_what_got_slower_and_by_how_much(cli: Run, weeks: Path) -> None:
    """In words; what did not change is in the tables only."""
    code, out, err = cli("compare", weeks, "--before", "2023-11-19")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "A: before 2023-11-19 00:00:00+00:00 (15 sessions)"
    assert lines[1] == "B: from 2023-11-19 00:00:00+00:00 on (15 sessions)"
    assert lines[3] == "What got slower"
    assert re.fullmatch(
        r"tool pytest: (1\.9|2\.)\d+ times as long, median .* s → .* s; 300 calls took \d min \d\d s more in all",
        lines[4],
    )
    assert re.search(r"^What got faster\nNothing, beyond noise\.$", out, re.MULTILINE)
    assert re.search(r"^git diff +300 +300 .* no$", out, re.MULTILINE)
    assert re.search(r"^build +150 +150 .* no$", out, re.MULTILINE)
    assert re.search(r"^Tasks / h +10 +10 +\+0\.0 % +no$", out, re.MULTILINE)


def test_compare_of_two_files_and_of_two_directories(cli: Run, tmp_path: Path) -> None:
    """The same figures; with few sessions it is said what that means."""
    one = write_session(tmp_path / "a", "x", tools={"pytest": calls(100, 1000, 1)})
    other = write_session(tmp_path / "b", "y", tools={"pytest": calls(100, 1500, 2)})
    by_file, by_directory = (
        cli("compare", *paths, "--json").json for paths in ((one, other), (one.parent, other.parent))
    )
    assert by_file["changes"] == by_directory["changes"]
    slower = [change for change in by_file["changes"] if change["verdict"] == "slower"]
    assert [change["name"] for change in slower] == ["pytest"]
    assert (
        "A name that fewer than 3 sessions a side have is judged by each run and call by itself"
        in cli("compare", one, other).out
    )


def test_compare_by_week_takes_the_last_two_with_sessions(cli: Run, weeks: Path) -> None:
    """Weeks begin on Mondays."""
    found = cli("compare", weeks, "--by", "week", "--json").json
    assert (found["before"]["label"], found["before"]["sessions"]) == ("2023-W46", 18)
    assert (found["after"]["label"], found["after"]["sessions"]) == ("2023-W47", 12)
    assert cli("compare", weeks, "--by", "day", "--json").json["after"]["label"] == "2023-11-23"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--fail-if", "slower"], 1),
        (["--fail-if", "tool:pytest p50 > 20%"], 1),
        (["--fail-if", 'tool:"git diff" slower', "--fail-if", "tasks_per_hour < 8"], 0),
        (["--fail-if", "tasks_per_hour < 11"], 1),
        (["--target", "tasks_per_hour=8"], 0),
        (["--target", "tasks_per_hour=12"], 1),
        (["--target", "tool:pytest p95=1s"], 1),
        (["--fail-if", "slower", "--min-change", "150%"], 0),
    ],
)
def test_compare_exits_1_on_a_regression(cli: Run, weeks: Path, arguments: list[str], code: int) -> None:
    """And says which check it was."""
    found = cli("compare", weeks, "--before", "2023-11-19", *arguments)
    assert (found.code, found.err) == (code, "")
    assert ("FAILED" in found.out or "MISSED" in found.out) is bool(code)
    checks = cli("compare", weeks, "--before", "2023-11-19", *arguments, "--json").json
    assert len(checks["fail_if"]) + len(checks["targets"]) == sum(
        each.startswith("--") for each in arguments if each != "--min-change"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a"], "Give A and B, or one directory with --before or with --by."),
        (["a", "b", "c"], "Give A and B"),
        (["a", "b", "--by", "week"], "Give A and B"),
        (["a", "b", "--fail-if", "tool:pytest p50 > x"], "a number is expected, not 'x' at character 19"),
        (["a", "b", "--target", "tool_calls=5"], "a target is for what is better the higher, or the lower"),
        (["a", "--before", "yesterday"], "'yesterday' is neither a date such as 2026-11-23"),
        (["a", "b", "--min-change", "some"], "'some' is no part in per cent such as 10%."),
    ],
)
def test_wrong_use_of_compare_is_one_line(cli: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    """Exit code 2, before anything is read."""
    code, out, err = cli("compare", *arguments)
    assert (code, out) == (2, "")
    assert message in err and err.count("\n") == 1


def test_condition_on_a_name_that_is_nowhere_is_wrong_usage(cli: Run, weeks: Path) -> None:
    """It would pass for ever."""
    code, _, err = cli("compare", weeks, "--before", "2023-11-19", "--fail-if", "tool:pytset slower")
    assert code == 2
    assert "there is no tool 'pytset' in either group" in err


def test_compare_says_what_it_could_not_read(cli: Run, weeks: Path, tmp_path: Path) -> None:
    """The rest is compared all the same."""
    (weeks / "rows.jsonl").write_text("1\n")
    code, out, err = cli("compare", weeks, "--before", "2023-11-19")
    assert code == 2
    assert "rows.jsonl is not a session log" in err
    assert "tool pytest" in out


@pytest.mark.parametrize("options", [[], ["--json"], ["--fail-if", "tool:pytest slower"]])
def test_compare_with_nothing_is_one_line_for_each_path(
    cli: Run, weeks: Path, tmp_path: Path, options: list[str]
) -> None:
    """No page of dashes: a path that is not there, a directory without a session, a time in which none began."""
    empty, log = tmp_path / "empty", weeks / "agent-0_s00.jsonl"
    empty.mkdir()
    gone = [tmp_path / "a", tmp_path / "b.jsonl"]
    missing = "".join(f"deia: {path}: No such file or directory\n" for path in gone)
    assert cli("compare", *gone, *options) == (2, "", missing)
    assert cli("compare", empty, log, *options) == (2, "", f"deia: {empty}: no session there to compare\n")
    assert cli("compare", empty, "--by", "week", *options) == (2, "", f"deia: {empty}: no session there to compare\n")
    code, out, err = cli("compare", weeks, "--before", "2001-01-01", *options)
    assert (code, out) == (2, "")
    assert re.fullmatch(r"deia: before 2001-01-01 .*: no session there to compare\n", err)


def test_compare_and_trend_show_what_was_paid_by_model(cli: Run, tmp_path: Path) -> None:
    """Side by side where there are several; figures, and conditions on them, in any case."""
    one = write_session(tmp_path, "a", models={"large": (1000, 0.5), "small": (200, None)})
    other = write_session(tmp_path, "b", day=8, models={"large": (3000, 1.5)})
    found = cli("compare", one, other, "--fail-if", "model:p/large cost_usd > 50%", "--fail-if", "cost_usd > 2 USD")
    assert found.code == 1
    assert re.search(r"^Cost +\$0\.5000 +\$1\.50 +\+200\.0 % +-$", found.out, re.MULTILINE)
    assert re.search(r"^p/large +1,000 +3,000 +100 +300 +\$0\.5000 +\$1\.50$", found.out, re.MULTILINE)
    assert re.search(r"^p/small +200 +- +20 +- +- +-$", found.out, re.MULTILINE)
    assert "FAILED: model:p/large cost_usd > 50%" in found.out and "passed: cost_usd > 2 USD" in found.out
    models = cli("compare", one, other, "--json").json["models"]
    assert [(each["name"], each["after"] is None) for each in models] == [("p/large", False), ("p/small", True)]
    out = cli("trend", tmp_path).out
    assert out.splitlines()[0].endswith("Input tokens  Output tokens     Cost")
    assert re.search(r"^p/small +1 +- +", out[out.index("\nModels\n") : out.index("\nTokens and cost\n")], re.MULTILINE)
    out = cli("trend", tmp_path, "--metric", "model:p/small calls", "--metric", "cost_per_session").out
    assert [re.split("  +", line)[1:] for line in out.splitlines()[:3]] == [
        ["p/small calls", "Cost / session"],
        ["1", "$0.5000"],
        ["-", "$1.50"],
    ]
    assert cli("compare", one, other, "--fail-if", "model:p/larg calls > 5").code == 2


def test_model_that_got_slower_is_named_and_fails_the_check(cli: Run, tmp_path: Path) -> None:
    """Though no task has the same name twice, so that nothing but the model itself can tell."""
    for side, median in (("a", 2000), ("b", 4000)):
        for number in range(8):
            write_session(
                tmp_path / side,
                f"s{number}",
                day=number + 8 * (side == "b"),
                task_name=f"ticket {side}{number}",
                tools={},
                model_times={"m": calls(60, median, number + 8 * (side == "b")), "other": calls(60, 500, number)},
            )
    one, other = tmp_path / "a", tmp_path / "b"
    checks = ("slower", "model:p/m slower", "model:p/m p50 > 20%", "model:p/other slower", "model:p/m errors > 0")
    found = cli("compare", one, other, *(part for check in checks for part in ("--fail-if", check)))
    assert found.code == 1
    at = found.out.index("What got slower\n")
    first, second = found.out[at:].splitlines()[1:3]
    assert re.fullmatch(
        r"model p/m: (1\.9|2\.0)\d times as long, median .* s → .* s; 480 calls took \d+ min .* more in all", first
    )
    assert second == ""
    assert re.search(r"^FAILED: slower \(model p/m\)$", found.out, re.MULTILINE)
    assert re.search(r"^FAILED: model:p/m slower", found.out, re.MULTILINE)
    assert re.search(
        r"^FAILED: model:p/m p50 > 20% \(model:p/m p50: \d\.\d+ s → \d\.\d+ s \(\+\d+\.\d%\)\)", found.out, re.MULTILINE
    )
    assert re.search(r"^passed: model:p/other slower", found.out, re.MULTILINE)
    assert re.search(r"^passed: model:p/m errors > 0", found.out, re.MULTILINE)
    table = found.out[found.out.index("\nModels\n") :].splitlines()[2:5]
    assert table[0].split("  ")[0] == "Model" and "Median A" in table[0]
    assert re.fullmatch(r"p/m +480 +480 .* slower, p < 0\.001", table[1])
    assert re.fullmatch(r"p/other +480 +480 .* no", table[2])
    changes = cli("compare", one, other, "--json").json["changes"]
    (model,) = (change for change in changes if (change["kind"], change["name"]) == ("model", "p/m"))
    assert (model["verdict"], model["before"]["count"], model["before"]["timed"]) == ("slower", 480, 480)
    trend = cli("trend", tmp_path, "--by", "day", "--metric", "model:p/m p50", "--fail-if", "model:p/m p95 > 50%")
    assert trend.code == 1
    assert trend.out.splitlines()[0].endswith("p/m p50")
    assert re.search(r"^20\d\d-\d\d-\d\d +[1-4]\.\d+ s$", trend.out, re.MULTILINE)


def test_model_whose_calls_do_not_say_how_long_they_took_is_not_compared(cli: Run, tmp_path: Path) -> None:
    """That is said, and neither taken for no time nor for too few calls; its failures and tokens are compared."""
    for side in ("a", "b"):
        write_session(tmp_path / side, "s", model_times={"m": [None] * 20})
    found = cli("compare", tmp_path / "a", tmp_path / "b", "--fail-if", "model:p/m p50 > 1s")
    assert found.code == 0
    assert re.search(r"^p/m +20 +20 +- +- +- +- +no durations$", found.out, re.MULTILINE)
    assert "cannot be told: model:p/m p50 > 1s" in found.out
    assert "Too few to tell it from noise: build, pytest\n" in found.out


# trend


def test_trend_shows_figures_by_week_and_what_changed_between_the_halves(cli: Run, weeks: Path) -> None:
    """A table, a row of bars for each figure, and the change in words."""
    code, out, err = cli("trend", weeks, "--by", "day", "--metric", "tool:pytest p50", "--metric", "tasks_per_hour")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert re.split("  +", lines[0]) == ["Day", "pytest p50", "Tasks / h"]
    assert [line.split()[0] for line in lines[1:11]] == [f"2023-11-{day}" for day in range(14, 24)]
    (row,) = [line for line in lines if line.startswith("pytest p50")]
    assert re.search(r" [▂-▅]{5}[▆-█]{5}$", row)
    assert "From the first 5 days (A) to the last 5 (B)" in out
    assert re.search(r"^tool pytest: .* times as long", out, re.MULTILINE)


def test_trend_without_metrics_shows_the_usual_ones_by_week(cli: Run, weeks: Path) -> None:
    """Two weeks are two points."""
    out = cli("trend", weeks).out
    assert re.split("  +", out.splitlines()[0])[:3] == ["Week", "Sessions", "Time of a session"]
    assert [line.split()[0] for line in out.splitlines()[1:3]] == ["2023-W46", "2023-W47"]
    found = cli("trend", weeks, "--by", "session", "--json").json
    assert len(found["points"]) == 30
    assert found["comparison"]["before"]["sessions"] == found["comparison"]["after"]["sessions"] == 15


def test_trend_fails_on_a_regression_and_on_a_missed_target(cli: Run, weeks: Path) -> None:
    """The first half against the last; a target is for the last day."""
    assert cli("trend", weeks, "--by", "day", "--fail-if", "slower").code == 1
    assert cli("trend", weeks, "--by", "day", "--fail-if", "task:build slower").code == 0
    assert cli("trend", weeks, "--by", "day", "--target", "tasks_per_hour=9").code == 0
    assert cli("trend", weeks, "--by", "day", "--target", "tasks_per_hour=11").code == 1
    assert cli("trend", weeks, "--metric", "tool:* p50").code == 2


def test_trend_of_one_week_or_of_nothing_is_fine(cli: Run, tmp_path: Path) -> None:
    """There is nothing to compare it with."""
    assert cli("trend", tmp_path) == (0, "No session there.\n", "")
    missing = tmp_path / "missing"
    assert cli("trend", missing) == (2, "", f"deia: {missing}: No such file or directory\n")
    write_session(tmp_path, "s")
    code, out, _ = cli("trend", tmp_path, "--fail-if", "slower", "--target", "tasks_per_hour=1")
    assert code == 0
    assert "What got slower" not in out
    assert "cannot be told: slower" in out


def test_bars_have_the_highest_for_the_highest_and_a_gap_for_none() -> None:
    """From 0 on; in plain characters where others cannot be written; never longer than a line."""
    assert bars([0, 1, None, 2]) == "▁▅ █"
    assert bars([0, 1, None, 2], ascii_only=True) == "_= #"
    assert bars([]) == ""
    assert bars([0, 0]) == "▁▁"
    assert len(bars([float(number) for number in range(1000)])) <= 60


# analyze


def test_analyze_holds_a_session_against_targets(cli: Run, tmp_path: Path) -> None:
    """Figures only; missed ones are findings."""
    path = write_session(tmp_path, "s", tasks=8)
    assert cli("analyze", path, "--target", "tasks_per_hour=8").code == 0
    code, out, _ = cli("analyze", path, "--target", "tasks_per_hour=9")
    assert code == 1
    assert "MISSED: tasks_per_hour=9 (tasks_per_hour: 8)" in out
    assert (
        cli("analyze", path, "--target", "tasks_per_hour=9", "--json").json[0]["targets"][0]["judgement"] == "not met"
    )
    assert "targets" not in cli("analyze", path, "--json").json[0]
    assert cli("analyze", path, "--target", "tool:pytest p95=1s").code == 2


# prune


def ended(days: float) -> float:
    """Return which day a session of an hour begins that ended so many days ago."""
    return (time.time() - 3600 - START) / DAY_S - days


def test_prune_says_what_it_removed_and_what_is_left(cli: Run, tmp_path: Path) -> None:
    """At any depth; with `--dry-run` it only says so."""
    write_session(tmp_path, "old", day=ended(40))
    write_session(tmp_path / "deep", "older", day=ended(50))
    new = write_session(tmp_path, "new", day=ended(0))
    size = new.stat().st_size
    code, out, _ = cli("prune", tmp_path, "--older-than", "30d", "--keep", "5", "--dry-run")
    assert code == 0
    assert [line.split("  ")[0] for line in out.splitlines()[1:3]] == ["would go", "would go"]
    assert "Would remove 2 sessions with 2 files, " in out
    code, out, err = cli("prune", tmp_path, "--older-than", "30d", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert [os.path.basename(each["path"]) for each in found["removed"]] == ["agent_older.jsonl", "agent_old.jsonl"]
    assert (found["left_sessions"], found["left_bytes"]) == (1, size)
    assert list(tmp_path.rglob("*.jsonl")) == [new]
    assert "Removed 0 sessions with 0 files, 0 B; 1 session, " in cli("prune", tmp_path, "--max-size", "1GB").out


def test_prune_without_a_criterion_is_wrong_usage(cli: Run, tmp_path: Path) -> None:
    """Nothing is removed by mistake."""
    path = write_session(tmp_path, "s")
    code, out, err = cli("prune", tmp_path)
    assert (code, out) == (2, "")
    assert err == "deia: Say which sessions: --older-than, --keep or --max-size. (see: deia prune --help)\n"
    missing = tmp_path / "missing"
    assert cli("prune", missing, "--keep", "1") == (2, "", f"deia: {missing}: No such file or directory\n")
    for wrong in (["--older-than", "30"], ["--older-than", "6m"], ["--keep", "-1"], ["--max-size", "large"]):
        assert cli("prune", tmp_path, *wrong).code == 2
    assert path.exists()


def test_prune_exits_1_where_an_unrecovered_session_has_to_stay(cli: Run, tmp_path: Path) -> None:
    """Not for one that a logger has open: that is as it should be."""
    with SessionLogger("agent", "live", output_dir=tmp_path) as log:
        log.log_file_read("/a", 1)
        code, out, _ = cli("prune", tmp_path, "--keep", "0")
        assert code == 0
        assert re.search(r"^kept .*agent_live\.jsonl +open in a logger$", out, re.MULTILINE)
    killed = write_session(tmp_path, "killed")
    write_queue(killed, killed.read_bytes(), session_id="killed")
    code, out, _ = cli("prune", tmp_path, "--keep", "0")
    assert code == 1
    assert "its queue file may hold events: recover it first" in out
    assert cli("recover", tmp_path).code == 0
    assert cli("prune", tmp_path, "--keep", "0").code == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [("500", 500), ("1kB", 1000), ("1.5 MB", 1_500_000), ("2GiB", 2 * 1024**3), ("3G", 3 * 10**9), ("7B", 7)],
)
def test_sizes_are_read_as_they_are_written(text: str, number: int) -> None:
    """Decimal units, and binary ones by their own names."""
    assert size(text) == number


@pytest.mark.parametrize("text", ["9" * 400, "9" * 300 + "TB"])
def test_size_beyond_any_number_is_wrong_usage(cli: Run, tmp_path: Path, text: str) -> None:
    """As any other text that is no size."""
    code, _, err = cli("prune", tmp_path, "--max-size", text)
    assert code == 2
    assert "more than any size" in err


def test_compare_says_what_fails_more_often_and_what_got_worse(cli: Run, tmp_path: Path) -> None:
    """And of how many names there is too little to tell, however many these are."""
    few = {f"rare-{number}": [5] for number in range(30)}
    for number in range(10):
        write_session(tmp_path / "a", f"s{number}", tools={"pytest": [100] * 20, **few}, tasks=20)
        write_session(
            tmp_path / "b", f"s{number}", tools={"pytest": [100] * 20, "new": [5]}, errors=8, tasks=10 + number % 2
        )
    found = cli("compare", tmp_path / "a", tmp_path / "b", "--fail-if", "failing", "--fail-if", "worse")
    assert found.code == 1
    assert "What fails more often\ntool pytest: 0.0 % → 40.0 % of its calls\n" in found.out
    assert "What got worse from session to session\nTasks / h: 20 → 10.5\n" in found.out
    assert re.search(r"^FAILED: failing \(tool pytest\)$", found.out, re.MULTILINE)
    assert re.search(r"^FAILED: worse \(.*tasks_per_hour.*\)$", found.out, re.MULTILINE)
    assert re.search(r"^new +- +10 .* only in B$", found.out, re.MULTILINE)
    one = write_session(tmp_path / "c", "s", tools={**few, "x": [1]})
    assert "rare-27 and 1 more" not in cli("compare", one, one).out
    assert re.search(r"^Too few to tell it from noise: .* and 12 more$", cli("compare", one, one).out, re.MULTILINE)


def test_session_that_says_no_time_is_in_no_period_and_that_is_told(cli: Run, weeks: Path) -> None:
    """Tool calls in the original format have none; nor has a clock beyond the calendar a day."""
    (weeks / "old.jsonl").write_text('{"name":"pytest","params":{},"duration_ms":5}\n')
    write_session(weeks, "far", day=10**8)
    out = cli("trend", weeks).out
    assert "2 sessions left out: no line says when.\n" in out
    assert len(cli("ls", weeks, "--since", "2023-01-01", "--json").json) == 31
    assert cli("ls", weeks, "--json").json[-1]["began"] is None


def test_compare_by_week_of_one_week_is_wrong_usage(cli: Run, tmp_path: Path) -> None:
    """There is nothing to compare it with."""
    write_session(tmp_path, "s")
    code, out, err = cli("compare", tmp_path, "--by", "week")
    assert (code, out) == (2, "")
    assert "has no sessions of two weeks." in err


def test_prune_says_what_could_not_be_updated(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sessions are gone all the same."""
    path = write_session(tmp_path, "s")
    ConversationLogger.rebuild(path)

    def refuse(_directory: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("deia.conversation.index.update", refuse)
    code, out, err = cli("prune", tmp_path, "--keep", "0")
    assert (code, err) == (2, f"deia: {tmp_path / 'INDEX.md'}: Permission denied\n")
    assert "Removed 1 session with 2 files, " in out


@pytest.mark.parametrize("command", ["trend", "compare"])
def test_damage_in_a_log_that_is_compared_is_told(cli: Run, weeks: Path, command: str) -> None:
    """Its figures are of what can be read: a gate in CI is not to pass in silence."""
    (damaged, other) = (weeks / "agent-0_s00.jsonl", weeks / "agent-1_s01.jsonl")
    damaged.write_bytes(damaged.read_bytes().replace(b'"seq":4,', b'"seq":four,'))
    found = cli(command, *((str(weeks),) if command == "trend" else (str(damaged), str(other))))
    assert (found.code, found.err) == (1, f"deia: {damaged}: there are problems with the file: deia check says which\n")
    assert found.out


@pytest.mark.parametrize("command", [["analyze"], ["ls"], ["trend"], ["tail"], ["export", "--to", "csv"]])
def test_file_that_is_no_session_log_has_one_exit_code_and_is_named_once(
    cli: Run, tmp_path: Path, command: list[str]
) -> None:
    """Whichever command meets it in a directory."""
    write_session(tmp_path, "sound")
    foreign = tmp_path / "foreign.jsonl"
    foreign.write_text("no log\n")
    code, out, err = cli(*command, tmp_path)
    assert code == 2
    said = [line for line in (out + err).splitlines() if "not a session log" in line or "no session log" in line]
    assert [line.count(str(foreign)) for line in said] == [1]
