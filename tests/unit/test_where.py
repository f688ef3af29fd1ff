"""The language of `--where`: what expressions mean, and what is said of those that mean nothing."""

from __future__ import annotations

from typing import Any

import pytest

from deia.live.where import DEEPEST, WhereError, parse

LINE: dict[str, Any] = {
    "type": "ToolEvent",
    "name": "pytest",
    "params": {"path": "tests/", "retries": 2, "files": ["a.py", "b.py"], "dry run": True},
    "duration_ms": 2500,
    "error": None,
    "cancelled": True,
    "ratio": 0.5,
    "empty": "",
}


@pytest.mark.parametrize(
    "expression",
    [
        *("duration_ms > 1000", "duration_ms >= 2500", "duration_ms < 2500.5", "duration_ms <= 2.5e3", "ratio = 0.5"),
        *('name == "pytest"', "name = 'pytest'", 'name != "ruff"', 'name < "q"', r'"a\"b" = "a\"b"', r"'\n' != 'n'"),
        *("cancelled", "cancelled = true", "not error", "error = null", "missing = null", "not missing", "not empty"),
        *("params.retries = 2", 'params.path ~ "TEST"', 'params.files.1 = "b.py"', "params.files.2 = null"),
        *('name in ["ruff", "pytest"]', "name not in ['ruff']", '"a.py" in params.files', '"retries" in params'),
        *('"yte" in name', "2 in [1, 2, 3]", "not (2 in [])", "[] = []", "duration_ms in [name, 2500]"),
        *("name ~ /^py.est$/", "name ~ /PYTEST/i", "name !~ /PYTEST/", 'name !~ "ruff"', 'params ~ "b.py"'),
        *(r"params.path ~ /s\//", "duration_ms ~ '250'", "duration_ms ~ /^25/", "error !~ 'x'"),
        *("true or missing", "not true or true", "not (true and false)", "false and false or true", "not not true"),
        *("name", "params", "-1 < 0", "duration_ms>1000 and name='pytest'", "  true  "),
        *("error = none", "params.retries in [2]"),
    ],
)
def test_expression_holds(expression: str) -> None:
    """Comparisons, words, parts of values, lists, texts that contain others, regular expressions."""
    assert parse(expression)(LINE) is True


@pytest.mark.parametrize("word", ["or", "and"])
def test_expression_may_be_as_long_as_one_likes(word: str) -> None:
    """A program may have made it, of thousands of names."""
    names = f" {word} ".join(f"name {'=' if word == 'or' else '!='} 'n{number}'" for number in range(5000))
    assert parse(f"{names} {word} name = 'pytest'")(LINE) is True
    assert parse(f"{names} {word} name = 'ruff'")(LINE) is False


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "duration_ms > '1000'",
            "name > 1",
            "error < 1",
            "missing >= 0",
            "cancelled > 0",
            "cancelled = 1",
            "1 = true",
        ),
        *("not name", "params.path.deeper", "name.0", "params.files.x", "false or missing", "true and empty"),
        *("error ~ 'None'", "name in 5", "5 in name", "null in name", "name ~ null", "params > 1", "[1] < [2]"),
    ],
)
def test_expression_does_not_hold(expression: str) -> None:
    """What is missing is null; values of two kinds are not equal and in no order, and that is no error."""
    assert parse(expression)(LINE) is False


@pytest.mark.parametrize(
    ("expression", "at", "says"),
    [
        ("", 0, "a value is expected"),
        ("name =", 6, "a value is expected"),
        ("name = = 1", 7, "a value is expected"),
        ("and", 0, "a value is expected"),
        ("name 'x'", 5, "and, or or a comparison is expected"),
        ("(name", 5, ") is expected"),
        ("name)", 4, "and, or or a comparison is expected"),
        ("name in [1", 10, "] is expected"),
        ("name = 'x", 7, "closing quote"),
        ("name ~ /x", 7, "closing /"),
        ("name ~ /(/", 7, "not a regular expression"),
        ("/x/", 0, "behind ~"),
        ("a; b", 1, "no part of an expression"),
        ("__import__('os')", 10, "and, or or a comparison is expected"),
        ("1 < 2 < 3", 6, "and, or or a comparison is expected"),
        ("10m", 0, "no part of an expression"),
    ],
)
def test_error_points_at_the_place(expression: str, at: int, says: str) -> None:
    """With what is expected there, and what stands there."""
    with pytest.raises(WhereError) as caught:
        parse(expression)
    assert caught.value.at == at
    assert says in str(caught.value)
    assert f"character {at + 1}" in str(caught.value)


@pytest.mark.parametrize("opening", ["(", "[", "not "])
def test_nesting_has_a_bound(opening: str) -> None:
    """No expression makes Python run out of its stack."""
    with pytest.raises(WhereError, match="too deep"):
        parse(opening * (DEEPEST + 1) + "1")


def test_line_nested_beyond_all_measure_is_not_wanted() -> None:
    """Looking into it ends, whatever somebody has put into a log."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert parse("params ~ 'x'")({"params": deep}) is False
