"""`max_event_bytes`: an event that is too long loses the most of its longest values, and says so."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deia import SessionLogger
from deia.options import MIN_EVENT_BYTES
from deia.shortening import shorten
from support import planted
from support.lines import assert_sound, lines_of

MARK = re.compile(r"… \[cut from (\d+) (bytes|items), sha256 ([0-9a-f]{16})\]$")


def size(value: object) -> int:
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def test_longest_values_are_cut_to_one_length_and_shorter_ones_stay() -> None:
    """As long as can be: the room is used."""
    texts = {"name": "x", "params": {"a": "a" * 5000, "b": ["b" * 4000], "c": "c" * 200, "n": 12345}}
    cut = shorten(texts, 1000)
    assert cut["params"]["c"] == "c" * 200
    assert cut["params"]["n"] == 12345
    assert cut["name"] == "x"
    assert size(cut["params"]["a"]) == size(cut["params"]["b"][0])
    assert 980 <= size(cut) <= 1000


def test_mark_tells_length_in_bytes_and_hash_of_what_was_there() -> None:
    """SHA-256 of the text in UTF-8, so that anyone can check it against the thing itself."""
    text = "Größe " * 1000
    cut = shorten({"params": {"a": text}}, 500)["params"]["a"]
    found = MARK.search(cut)
    assert found is not None
    assert text.startswith(cut[: found.start()])
    assert found[1] == str(len(text.encode()))
    assert found[2] == "bytes"
    assert hashlib.sha256(text.encode()).hexdigest().startswith(found[3])


def test_long_lists_and_mappings_are_cut_where_texts_are_not_the_reason() -> None:
    """The first items stay, and a mark in the place of the others says how many there were."""
    cut = shorten({"params": {"numbers": list(range(10_000)), "map": {str(at): at for at in range(10_000)}}}, 1000)
    numbers, mapping = cut["params"]["numbers"], cut["params"]["map"]
    assert numbers[:-1] == list(range(len(numbers) - 1))
    found = MARK.search(numbers[-1])
    assert found is not None
    assert (found[1], found[2]) == ("10000", "items")
    assert MARK.search(mapping["…"])
    assert size(cut) <= 1000


def test_long_keys_are_cut_too() -> None:
    """What is too long may be a key."""
    cut = shorten({"params": {"k" * 5000: 1, "k" * 6000: 2}}, 500)
    assert size(cut) <= 500
    assert sorted(cut["params"].values()) == [1, 2]


trees = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=2000),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=100), inner),
    max_leaves=50,
)


@pytest.mark.once
@given(st.text(min_size=1, max_size=3000), st.dictionaries(st.text(max_size=200), trees), st.integers(300, 5000))
def test_whatever_it_is_it_fits_and_what_fits_stays(name: str, params: dict[str, Any], room: int) -> None:
    """At any depth, with characters of any length; types of the fields are what they were."""
    texts = {"name": name, "params": params}
    cut = shorten(texts, room)
    assert size(cut) <= room
    assert isinstance(cut["name"], str) and cut["name"]
    assert isinstance(cut["params"], dict)
    if size(texts) <= room:
        assert cut == texts


def log_long_ones(log: SessionLogger) -> None:
    log.log_tool_call("first", {"a": "x" * 50_000}, 5)
    log.log_tool_call("n" * 50_000, {"a": ["y" * 20_000, {"b": '"\\\n' * 20_000}]}, 5)
    log.log_file_read("/p" * 50_000)
    log.log_task_start("t" * 3000, {"a": "z" * 50_000})
    log.log_task_complete("t" * 3000, 5, {"b": list(range(50_000))})
    log.log_tool_call("odd", {"s": {*range(50_000)}, "o": b"\xff" * 50_000}, 5)
    log.log_message("r" * 3000, [{"text": "x" * 50_000}] * 3, message_id="i" * 3000, metadata={"b": "y" * 3000})
    log.log_llm_call("p" * 3000, "m" * 3000, 5, 5, error="e" * 50_000, error_type="t" * 3000, response_id="i" * 3000)
    log.log_error(
        "e" * 50_000, error_type="t" * 3000, where="w" * 3000, traceback="t" * 50_000, metadata={"b": "y" * 999}
    )
    log.log_tool_call("short", {"a": "x" * 100}, 5)


@pytest.mark.parametrize("most", [MIN_EVENT_BYTES, 4096])
@pytest.mark.parametrize("mode", ["mmap", "write"])
def test_no_line_is_longer_than_it_may_be(tmp_path: Path, most: int, mode: Any) -> None:
    """Of any call, the session's first line included; each is a whole line with the fields of its type."""
    with SessionLogger("agent", "s", output_dir=tmp_path, max_event_bytes=most, queue_mode=mode) as log:
        log_long_ones(log)
        assert log.get_session_summary().tasks_completed == 1
    data = log.path.read_bytes()
    assert max(map(len, data.splitlines(keepends=True))) <= most
    lines = lines_of(log.path)
    assert [line["type"] for line in lines] == [
        *("ToolEvent", "ToolEvent", "FileEvent", "TaskEvent", "TaskEvent", "ToolEvent"),
        *("MessageEvent", "LLMEvent", "ErrorEvent", "ToolEvent"),
    ]
    for line in lines[:-1]:
        assert "[cut from " in json.dumps(line)
    assert lines[-1]["params"] == {"a": "x" * 100}
    assert list(lines[1])[:5] == ["type", "name", "params", "duration_ms", "task_id"]
    assert_sound(log.path)


def test_without_a_bound_a_line_is_as_long_as_what_is_logged(tmp_path: Path) -> None:
    """The default loses nothing."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_tool_call("x", {"a": "x" * 3_000_000}, 5)
    assert lines_of(log.path)[0]["params"] == {"a": "x" * 3_000_000}


def test_a_cut_falls_on_what_is_redacted_already(tmp_path: Path) -> None:
    """Half a secret would be one that no rule knows."""
    token = planted.BY_FORM["github-token"][0]
    for redact in (True, False):
        with SessionLogger("agent", f"s{redact}", output_dir=tmp_path, max_event_bytes=1024, redact=redact) as log:
            log.log_tool_call("x", {"a": token + " x" * 5000}, 5)
        text = lines_of(log.path)[0]["params"]["a"]
        assert text.startswith("[redacted:" if redact else token)


@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (1023, ValueError), (-1, ValueError), (1e6, TypeError), (True, TypeError), ("1024", TypeError)],
)
def test_a_bound_that_cannot_be_one_is_refused(tmp_path: Path, value: Any, error: Any) -> None:
    """An event's own fields and a mark must have room; the error names the option."""
    with pytest.raises(error, match="max_event_bytes"):
        SessionLogger("agent", "s", output_dir=tmp_path, max_event_bytes=value)
