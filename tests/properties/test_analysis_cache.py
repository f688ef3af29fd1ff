"""An analysis that goes on from an earlier one gives what one in full does, whatever happened to the log meanwhile."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deia import AnalysisCache, analyze_session, system
from deia.analysis import analyze, groups
from deia.analysis.chunks import Chunks
from deia.errors import DeiaError
from deia.journal import bookmark
from deia.journal.segments import Segment, first_line, segment_path
from deia.queue.layout import queue_path
from support.any_session import CHANGES, STEPS, lines_of, logs
from support.journals import AGENT, SESSION, START, journal_path, write_queue


@pytest.fixture(autouse=True, scope="module")
def small_measures() -> Iterator[None]:
    """A few dozen lines are to what these sessions are what many thousand are to real ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "_COMPACT_AT", 3)
        patch.setattr(groups, "_RECENT", 1)
        patch.setattr(bookmark, "_TAIL_BYTES", 400)
        patch.setattr(system, "now", lambda: START)  # segments of the same length each time
        yield


def outcome(path: Path, *, strict: bool, chunk_bytes: int, cache: AnalysisCache | None = None) -> object:
    """Return every field of an analysis, in its order, or the error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analyze, "Chunks", partial(Chunks, chunk_bytes=chunk_bytes))
        try:
            analysis = analyze_session(path, strict=strict, workers=1, cache=cache)
        except DeiaError as error:
            return type(error), str(error), vars(error)
    return {name: repr(value) for name, value in dataclasses.asdict(analysis).items()}


@settings(max_examples=300)
@given(logs(), st.integers(1, 1500), st.data())
def test_growing_log_is_analysed_as_in_full(content: bytes, chunk_bytes: int, data: st.DataObject) -> None:
    """Whatever is in a log, wherever each analysis found its end, and whatever the queue file had beyond it."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), min_size=1, max_size=5)))
    ends = [index + 1 for index, byte in enumerate(content) if byte == 10]
    cache = AnalysisCache()
    with tempfile.TemporaryDirectory() as directory:
        journal = journal_path(Path(directory))
        journal.touch()
        for cut in cuts:
            with journal.open("ab") as file:
                file.write(content[file.tell() : cut])
            queue_path(journal).unlink(missing_ok=True)
            if data.draw(st.booleans()):
                committed = data.draw(st.sampled_from([0, *ends]))
                write_queue(journal, content[:committed], committed=committed)
            strict = data.draw(st.booleans())
            again = outcome(journal, strict=strict, chunk_bytes=chunk_bytes, cache=cache)
            assert again == outcome(journal, strict=strict, chunk_bytes=10**9)


class Writer:
    """Does to a session's files what loggers do, and what else may be done to them."""

    def __init__(self, journal: Path, steps: list[tuple[str, Any, Any]], data: st.DataObject) -> None:
        self.journal = self.file = journal
        self.steps = steps
        self.data = data
        self.sessions = 0
        self.number = 1
        self.before = b""
        self.lines = self.another_session()
        self.count = len(self.lines)
        journal.touch()

    def another_session(self) -> list[bytes]:
        """Return lines of which each has another time than those of the sessions before."""
        start = START + 9999 * self.sessions
        self.sessions += 1
        return [line for line in lines_of(self.steps, start=start) if b'"v"' in line]

    def change_a_line(self) -> None:
        if self.lines:
            index = self.data.draw(st.integers(0, len(self.lines) - 1))
            self.lines[index] = self.data.draw(CHANGES)(self.lines[index])

    def content(self) -> bytes:
        return self.before + b"".join(self.lines)

    def size(self) -> int:
        return self.file.stat().st_size

    def grow(self) -> None:
        with self.file.open("ab") as file:
            file.write(self.content()[self.size() :][: self.data.draw(st.integers(0, 2500))])

    def switch(self) -> None:
        """Go on in another file, which repeats some of what was written, or leaves some of it out."""
        self.number += 1
        after_seq = self.data.draw(st.integers(0, self.count))
        segment = Segment(Path("x"), self.number, after_seq=after_seq, offset=1000, reason="size")
        self.file = segment_path(self.journal, self.number)
        self.before, self.lines = first_line(AGENT, SESSION, segment), self.lines[after_seq:]
        self.file.write_bytes(self.before)
        self.grow()

    def replace(self) -> None:
        """Put another file in its place, as an editor does."""
        content = self.file.read_bytes().replace(b"plan", b"edit", 1)
        self.file.rename(self.file.with_name("kept"))  # its inode is not given to the other
        self.file.write_bytes(content)

    def rewrite(self) -> None:
        """Write another session into the same file."""
        self.lines = self.another_session()
        self.file.write_bytes(self.content()[: self.size() + self.data.draw(st.integers(-500, 500))])

    def truncate(self) -> None:
        os.truncate(self.file, self.data.draw(st.integers(0, self.size())))
        if self.data.draw(st.booleans()):
            self.lines = self.another_session()
            self.grow()

    def change_an_earlier_file(self) -> None:
        os.truncate(self.journal, self.data.draw(st.integers(0, self.journal.stat().st_size)))


@settings(max_examples=300)
@given(st.lists(STEPS, min_size=1, max_size=30), st.integers(1, 1500), st.data())
def test_whatever_happens_to_the_files_of_a_session_the_analysis_is_that_of_what_is_there(
    steps: list[tuple[str, Any, Any]], chunk_bytes: int, data: st.DataObject
) -> None:
    """They grow, go on in segments, are replaced, truncated, written anew."""
    does = [Writer.grow, Writer.grow, Writer.switch, Writer.replace, Writer.rewrite, Writer.truncate]
    cache = AnalysisCache()
    with tempfile.TemporaryDirectory() as directory:
        journal = journal_path(Path(directory))
        writer = Writer(journal, steps, data)
        if data.draw(st.booleans()):
            writer.change_a_line()
        for do in data.draw(st.lists(st.sampled_from([*does, Writer.change_an_earlier_file]), max_size=8)):
            do(writer)
            strict = data.draw(st.booleans())
            again = outcome(journal, strict=strict, chunk_bytes=chunk_bytes, cache=cache)
            assert again == outcome(journal, strict=strict, chunk_bytes=10**9)
