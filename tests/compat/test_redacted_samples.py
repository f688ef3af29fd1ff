"""Real transcripts of agents: no false alarm in any of their strings, and every secret planted in them is found."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deia import SessionLogger
from deia.redaction.redactor import Redactor
from support import planted
from support.lines import lines_of

pytestmark = pytest.mark.once  # what is redacted is the same on each Python

SAMPLES = Path(__file__).parent / "samples"
TRANSCRIPTS = sorted(
    path
    for folder in ("claude-code", "deia", "gemini-cli", "swe-agent")
    for path in (SAMPLES / folder).iterdir()
    if path.suffix != ".md"
)


def records(path: Path) -> Iterator[Any]:
    """Yield what a transcript holds, whole or line by line; lines that are no JSON as the texts they are."""
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix != ".jsonl":
        yield json.loads(text)
        return
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            yield line


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def test_all_the_transcripts_are_there() -> None:
    """Nine, of four kinds of recorder."""
    assert len(TRANSCRIPTS) == 9


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.name)
def test_no_false_alarm_in_a_transcript(path: Path) -> None:
    """Its records as they are, and each of their strings by itself, are what they were."""
    redactor = Redactor(b"k" * 32)
    for record in records(path):
        assert redactor.data(record) == record
        for text in strings(record):
            assert redactor.data(text) == text


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.name)
def test_a_transcript_is_recorded_as_it_is(path: Path, tmp_path: Path) -> None:
    """Through the log calls, and so through the quick look: what was logged is what is read."""
    given = [record if isinstance(record, dict) else {"line": record} for record in records(path)]
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        for record in given:
            log.log_tool_call("record", record, 5)
    assert [line["params"] for line in lines_of(log.path)] == given


@pytest.mark.parametrize(
    ("kind", "secret"), planted.ALL, ids=[f"{kind}-{at}" for at, (kind, _) in enumerate(planted.ALL)]
)
def test_planted_secret_is_found(kind: str, secret: str, tmp_path: Path) -> None:
    """In the middle of strings of real transcripts, wherever a word ends."""
    rng = random.Random(kind)
    texts = [text for path in TRANSCRIPTS for record in records(path) for text in strings(record) if " " in text]
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        for text in rng.sample(texts, 20):
            at = rng.choice([at for at, character in enumerate(text) if character == " "])
            log.log_tool_call("record", {"text": f"{text[:at]} {secret} {text[at:]}"}, 5)
    hidden = planted.secret_of(kind, secret)
    for line in lines_of(log.path):
        assert hidden not in line["params"]["text"]
        assert f"[redacted:{kind}:" in line["params"]["text"]
