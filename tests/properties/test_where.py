"""Expressions of `--where` mean what they say, and none, on whatever line, makes the program fail."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deia.live.where import WhereError, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text("ab\"'\\/ é", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
LINES = st.dictionaries(st.sampled_from(["a", "b", "c"]), JSON, max_size=3)

Tree = tuple[Any, ...]
VALUES = st.one_of(
    st.tuples(st.just("field"), st.sampled_from(["a", "b", "c", "a.a", "b.1", "c.b.a"])),
    st.tuples(st.just("constant"), st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5)),
    st.tuples(st.just("constant"), st.text("ab\"'\\/ é", max_size=4)),
)
TREES: st.SearchStrategy[Tree] = st.recursive(
    st.tuples(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), VALUES, VALUES) | VALUES,
    lambda inner: st.tuples(st.sampled_from(["and", "or"]), inner, inner) | st.tuples(st.just("not"), inner),
    max_leaves=8,
)


def text_of(tree: Tree) -> str:
    """Write a tree down, every part of it in parentheses."""
    if tree[0] == "field":
        return str(tree[1])
    if tree[0] == "constant":
        if isinstance(tree[1], str):
            return '"' + tree[1].replace("\\", "\\\\").replace('"', '\\"') + '"'
        return json.dumps(tree[1])
    if tree[0] == "not":
        return f"(not {text_of(tree[1])})"
    if tree[0] in ("and", "or"):
        return f"({text_of(tree[1])} {tree[0]} {text_of(tree[2])})"
    return f"{text_of(tree[1])}{tree[0]}{text_of(tree[2])}"


def value_of(tree: Tree, line: dict[str, Any]) -> Any:
    """Say what a tree means, step by step."""
    if tree[0] == "constant":
        return tree[1]
    if tree[0] == "field":
        found: Any = line
        for name in tree[1].split("."):
            if isinstance(found, dict):
                found = found.get(name)
            elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                found = None
        return found
    if tree[0] == "not":
        return not value_of(tree[1], line)
    left, right = value_of(tree[1], line), value_of(tree[2], line)
    if tree[0] == "and":
        return bool(left) and bool(right)
    if tree[0] == "or":
        return bool(left) or bool(right)
    same = type(left) is type(right) and left == right if bool in (type(left), type(right)) else left == right
    if tree[0] in ("==", "!="):
        return same is (tree[0] == "==")
    kinds = {"number" if type(side) in (int, float) else type(side).__name__ for side in (left, right)}
    if kinds not in ({"number"}, {"str"}):
        return False
    compared = {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}
    return compared[tree[0]]


@given(TREES, LINES)
def test_expression_means_what_it_says(tree: Tree, line: dict[str, Any]) -> None:
    """As a plain reading of it does, one step after the other."""
    assert parse(text_of(tree))(line) is bool(value_of(tree, line))


@given(st.text() | st.text("ab.01 ()[]'\"/~!=<>,\\ notinrd", max_size=30), LINES)
def test_no_text_makes_it_fail(expression: str, line: dict[str, Any]) -> None:
    """It is understood, or it is said where it is not; nothing else is ever raised."""
    with contextlib.suppress(WhereError):
        assert parse(expression)(line) in (True, False)
