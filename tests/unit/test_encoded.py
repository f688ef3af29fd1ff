"""An event on its slow way: encoded once, with whichever `seq` it gets."""

from __future__ import annotations

import orjson
import pytest

from deia.queue.producer import CALLED
from deia.services.recording import Encoded

AGENT = 'a","seq":1,"'
"""A name that looks like the field, where it may stand without being escaped."""

PARAMS = [
    {},
    {"seq": 4},
    {"a": 1, "seq": 7, "b": {"c": [], "seq": 8}},
    {"text": ',"seq":5,', "more": '\\",\\"seq\\":6'},
    {',"seq":9': ',"seq":9'},
]


@pytest.mark.parametrize("params", PARAMS)
def test_only_the_seq_changes_whatever_the_caller_has_given(params: object) -> None:
    """Fields and texts of the caller's that are called `seq`, or look like it, are left alone."""

    def line(seq: int) -> bytes:
        fields = {"name": AGENT, "params": params, "task_id": None, "seq": seq, "timestamp": 1.5, "agent_id": AGENT}
        return orjson.dumps(fields, None, orjson.OPT_APPEND_NEWLINE)

    encoded = Encoded(line(9), 9, CALLED, None)
    assert [encoded(seq).line for seq in (9, 10, 10, 12345678, 1)] == [line(seq) for seq in (9, 10, 10, 12345678, 1)]
