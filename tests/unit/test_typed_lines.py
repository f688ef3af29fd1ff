"""Lines that two parsers read differently: whatever is in one, the lane has what the reader has, or nothing."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from deia.analysis import plain_lane
from deia.analysis.analyze import analyze_session, read_log
from deia.analysis.plain_lane import read_stretch
from deia.analysis.session import SessionAccumulator, SessionAnalysis
from deia.analysis.stretch import Stretch
from deia.analysis.typed_lines import PARSING_ERRORS, IrregularError, TypedLines
from support.journals import AGENT, SESSION, Lines, journal_path


def stretch(content: bytes) -> Stretch | None:
    """Return what the plain lane makes of some bytes, the same with types for all sessions and with types for one."""
    found = []
    for many_bytes in (len(content), len(content) - 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plain_lane, "_MANY_BYTES", many_bytes)
            found.append(read_stretch(lambda size, at: content[at : at + size], 0, len(content), len(content)))
    assert found[0] == found[1]
    return found[0]


def both(tmp_path: Path, content: bytes) -> tuple[SessionAnalysis, SessionAnalysis]:
    """Return the analysis of a log by the reader alone, and with the plain lane wherever it has a say."""
    journal = journal_path(tmp_path)
    journal.write_bytes(content)
    accumulator = SessionAccumulator()
    damages = read_log(journal, accumulator, None)
    alone = accumulator.finish(bottleneck_share=0.3, end=None, damages=damages)
    found = stretch(content)
    if found is None:
        return alone, analyze_session(journal)
    accumulator = SessionAccumulator()
    accumulator.add(found)
    return alone, accumulator.finish(bottleneck_share=0.3, end=None, damages=damages)


VALUES = [
    pytest.param(b'"\xff"', False, id="no UTF-8"),
    pytest.param(b'"\xed\xa0\x80"', False, id="surrogate in UTF-8"),
    pytest.param(b'"\\ud800"', False, id="half a surrogate pair"),
    pytest.param(b'"\\ud83d\\ude00"', True, id="surrogate pair"),
    pytest.param(b"1e999", False, id="float that overflows"),
    pytest.param(b"1e-999", True, id="float that vanishes"),
    pytest.param(b"1" * 400, False, id="integer of hundreds of digits"),
    pytest.param(b"1" * 300, True, id="integer that is read as a float"),
    pytest.param(b"NaN", False, id="NaN"),
    pytest.param(b"-Infinity", False, id="infinity"),
    pytest.param(b"01", False, id="leading zero"),
    pytest.param(b'"a\tb"', False, id="control character"),
    pytest.param(b"[" * 1100 + b"]" * 1100, False, id="too deep"),
    pytest.param(b"[" * 600 + b"]" * 600, True, id="deep"),
    pytest.param(b'{"a":[{"b":[{"c":[1.5,true,null]}]}]}', True, id="objects in lists in objects"),
    pytest.param(b'{"type":"FileEvent","seq":1}', True, id="fields of a line"),
]


@pytest.mark.parametrize(("value", "regular"), VALUES)
@pytest.mark.parametrize("field", [b'"params":{"a":%s}', b'"params":{},"more":%s', b'"params":{},"cancelled":%s'])
def test_value_is_taken_where_the_reader_takes_it(tmp_path: Path, value: bytes, regular: bool, field: bytes) -> None:
    """In parameters, under a name that nobody knows, and in a field that tells of no figure."""
    lines = Lines()
    content = lines.tool() + lines.tool().replace(b'"params":{}', field.replace(b"%s", value)) + lines.tool()
    assert (stretch(content) is not None) is regular
    alone, found = both(tmp_path, content)
    assert repr(found) == repr(alone)
    assert alone.events == (3 if regular else 2)


@pytest.mark.parametrize(
    ("field", "errors"),
    [
        (b'"params":{"error":"x"}', 1),
        (b'"params":{"error":{"a":[]}}', 1),
        (b'"params":{"error":0}', 0),
        (b'"params":{"error":0.0}', 0),
        (b'"params":{"error":[]}', 0),
        (b'"params":{"error":null}', 0),
        (b'"params":{"\\u0065rror":1}', 1),
        (b'"params":{"error":1,"error":0}', 0),
        (b'"params":{"error":0,"error":1}', 1),
        (b'"params":{"a":{"error":1}}', 0),
        (b'"params":{},"error":""', 0),
        (b'"params":{},"error":"x"', 1),
        (b'"params":{},"error":false', 0),
        (b'"params":{"error":false},"error":[[[[[[1]]]]]]', 1),
        (b'"params":{"error":false},"more":1,"error":{}', 0),
        (b'"params":{"error":1},"params":{}', 0),
    ],
)
def test_failed_calls_are_told_as_the_reader_tells_them(tmp_path: Path, field: bytes, errors: int) -> None:
    """By what is true under `error`, wherever it stands, however it is written; of two the last."""
    content = Lines().tool().replace(b'"params":{}', field)
    assert stretch(content) is not None
    alone, found = both(tmp_path, content)
    assert repr(found) == repr(alone)
    assert found.tools["pytest"].errors == errors


@pytest.mark.parametrize(
    "change",
    [
        (b'"type":"ToolEvent"', b'"type":"ToolEvent","type":"ToolEvent"'),
        (b'"type":"ToolEvent"', b'"type":"FileEvent","type":"ToolEvent"'),
        (b'"type":"ToolEvent"', b'"type":"ToolEvent","type":"FileEvent"'),
        (b'"type":"ToolEvent"', b'"t\\u0079pe":"ToolEvent"'),
        (b'"type":"ToolEvent",', b""),
        (b'"duration_ms":5', b'"duration_ms":4,"duration_ms":5'),
        (b'"duration_ms":5', b'"duration_ms":"x","duration_ms":5'),
        (b'"duration_ms":5', b'"duration_ms":true'),
        (b'"duration_ms":5', b'"duration_ms":5.0'),
        (b'"duration_ms":5', b'"duration_ms":-5'),
        (b'"duration_ms":5', b'"duration_ms":%d' % 2**46),
        (b'"duration_ms":5', b'"duration_ms":%d' % (2**46 + 1)),
        (b'"duration_ms":5', b'"duration_ms":%d' % 2**63),
        (b'"duration_ms":5', b'"duration_ms":%d' % 2**64),
        (b'"timestamp":1700000000.0', b'"timestamp":1700000001'),
        (b'"timestamp":1700000000.0', b'"timestamp":1e300'),
        (b'"timestamp":1700000000.0', b'"timestamp":true'),
        (b'"v":1', b'"v":1.0'),
        (b'"v":1', b'"v":true'),
        (b'"task_id":null', b'"task_id":1.0'),
        (b'"task_id":null,', b""),
        (b'"seq":2', b'"seq":2.0'),
        (b'{"type"', b' {\t"type"'),
        (b"}\n", b"} \r\n"),
        (b"}\n", b"}}\n"),
        (b"}\n", b"}{}\n"),
        (b"}\n", b"}\n\n"),
        (b'"params":{},', b'\n"params":{},'),
        (b'"params":{},', b'"params":null,'),
        (b'"params":{},', b'"params":[],'),
        (b'{"type"', b'\xef\xbb\xbf{"type"'),
    ],
)
def test_line_that_is_written_oddly_is_what_the_reader_says(tmp_path: Path, change: tuple[bytes, bytes]) -> None:
    """Keys that stand twice or are escaped, numbers of another type, white space."""
    lines = Lines()
    first, second, third = lines.tool(), lines.tool(), lines.tool()
    assert change[0] in second
    alone, found = both(tmp_path, first + second.replace(*change) + third)
    assert repr(found) == repr(alone)


@pytest.mark.parametrize("many", [True, False])
def test_every_line_that_the_loggers_write_is_parsed_at_once(many: bool) -> None:
    """Nothing in them is unexpected, in a failed call or a cancelled task either."""
    lines = Lines()
    lines.seq = 1
    parse = TypedLines(AGENT, SESSION, many=many).parse
    outcome = {"error_type": "ValueError", "error": "boom"}
    for line in [
        *(lines.begin(), lines.complete(2), lines.complete(2, **outcome), lines.complete(2, cancelled=True)),
        *(lines.complete(None, orphan=True), lines.file(), lines.file(duration_ms=3), lines.tool(**outcome)),
        *(lines.tool(params={"a": [1, {"b": 2.5}]}), lines.llm(), lines.message(content=[{"text": "x"}])),
        *(lines.error(), lines.decision(), lines.action_item(), lines.dropped(3)),
    ]:
        assert parse(line).seq == orjson.loads(line)["seq"]


@pytest.mark.parametrize("many", [True, False])
def test_lines_of_another_session_are_not_parsed(many: bool) -> None:
    """Whose they are is part of what is expected."""
    parse = TypedLines(None, SESSION, many=many).parse
    with pytest.raises((*PARSING_ERRORS, IrregularError)):
        parse(Lines(AGENT).tool())


def test_odd_lines_cost_their_own_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those around them are parsed as ever; where there are many, all are parsed with care, and runs are told apart."""
    lines = Lines()
    content = b""
    for index in range(30):
        content += lines.tool(at=index) + lines.tool(more=index, at=index) + lines.continued(index + 2, at=index + 0.5)
    for most in (1, 3, 1000):
        monkeypatch.setattr(plain_lane, "_MOST_ODD_LINES", most)
        assert stretch(content) is not None
        alone, found = both(tmp_path, content)
        assert repr(found) == repr(alone)
        assert found.runs == 31


def test_start_that_calls_itself_an_orphan_is_the_readers(tmp_path: Path) -> None:
    """The clock of the reader does not count when an orphan began."""
    lines = Lines()
    content = lines.tool() + lines.begin(orphan=True, start_time=5.0)
    assert stretch(content) is None
    alone, found = both(tmp_path, content)
    assert repr(found) == repr(alone)
