"""The sections that must not be interrupted: their bytecode holds nothing at which Python runs other code."""

from __future__ import annotations

import ast
import dis
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deia.journal.writer import Writer
from deia.queue.producer import Producer

SECTIONS: list[tuple[Callable[..., Any], str]] = [
    (Producer.commit, "self.end == start"),
    (Producer.place, "self.end == start"),
    (Producer.commit_written, "self.end == start"),
    (Producer.rebase, "self.end == expected"),
    (Producer.advance, "flushed > self.flushed"),
    (Writer._write_as_long_as_last, "producer.end == start"),
    (Writer.cut_back, "producer.end == start"),
]
"""Each function, and the check that its section begins with."""

ONE_SYSTEM_CALL = {"_write_as_long_as_last", "cut_back"}
"""Here the section ends in one call of a C function: other code may run when it has returned, not before."""

HARMLESS = {
    "BINARY_ADD",
    "BINARY_OP",
    "BINARY_SUBSCR",
    "CACHE",
    "COMPARE_OP",
    "COPY",
    "COPY_FREE_VARS",
    "DUP_TOP",
    "DUP_TOP_TWO",
    "EXTENDED_ARG",
    "INPLACE_ADD",
    "LOAD_ATTR",
    "LOAD_CONST",
    "LOAD_DEREF",
    "LOAD_FAST",
    "LOAD_FAST_LOAD_FAST",
    "LOAD_FAST_CHECK",
    "NOP",
    "POP_JUMP_FORWARD_IF_FALSE",
    "POP_JUMP_IF_FALSE",
    "RETURN_CONST",
    "RETURN_VALUE",
    "ROT_THREE",
    "ROT_TWO",
    "STORE_ATTR",
    "STORE_FAST",
    "STORE_FAST_LOAD_FAST",
    "STORE_SUBSCR",
    "SWAP",
}
"""Opcodes that, on the built-in types that these sections handle, neither call Python code nor make a container, and after
which the interpreter does not look whether a signal, another thread or the garbage collector waits. Not in it, on purpose:
calls, backward jumps, the making of slices, tuples and lists."""

CALLS = {"CALL", "CALL_FUNCTION", "PRECALL", "PUSH_NULL", "KW_NAMES"}


def section_of(function: Callable[..., Any], check: str) -> Iterator[dis.Instruction]:
    """Yield the instructions of the one source line that holds the check, from the check's comparison to its end."""
    source, first = inspect.getsourcelines(function)
    numbers = [first + index for index, text in enumerate(source) if text.lstrip().startswith("if ") and check in text]
    assert len(numbers) == 1, f"{function.__qualname__} has one line with the check {check!r}"
    line = None
    for instruction in dis.get_instructions(function):
        if instruction.starts_line:
            starts = instruction.starts_line
            line = getattr(instruction, "line_number", None) if starts is True else starts
        elif hasattr(instruction, "line_number"):
            line = instruction.line_number
        if line == numbers[0]:
            yield instruction


@pytest.mark.parametrize(("function", "check"), SECTIONS, ids=[function.__qualname__ for function, _ in SECTIONS])
def test_section_holds_no_instruction_at_which_other_code_may_run(function: Callable[..., Any], check: str) -> None:
    """From the check to the last store no handler, thread or collection can come between."""
    names = [instruction.opname for instruction in section_of(function, check)]
    assert any(name.startswith("STORE") or name in CALLS for name in names), "the section was found"
    if function.__name__ in ONE_SYSTEM_CALL:
        names = names[: next(index for index, name in enumerate(names) if name in ("CALL", "CALL_FUNCTION"))]
        names = [name for name in names if name not in CALLS]
    assert set(names) <= HARMLESS, sorted(set(names) - HARMLESS)


@pytest.mark.parametrize(("function", "check"), SECTIONS, ids=[function.__qualname__ for function, _ in SECTIONS])
def test_section_stands_on_one_line_so_that_a_tracer_gets_no_event_inside(
    function: Callable[..., Any], check: str
) -> None:
    """A debugger runs its code at each new line: the check and all that hangs on it share one."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.If) and check in ast.unparse(node.test)]
    assert len(found) == 1
    assert {statement.lineno for statement in found[0].body} == {found[0].lineno}


@pytest.mark.parametrize("function", [function for function, _ in SECTIONS], ids=lambda function: function.__qualname__)
def test_no_jump_stands_between_the_check_and_the_stores(function: Callable[..., Any]) -> None:
    """In 3.10 the interpreter looks for waiting work at a jump that is taken, too."""
    instructions = list(section_of(function, dict(SECTIONS)[function]))
    jumps = [index for index, item in enumerate(instructions) if "JUMP_IF" in item.opname or "POP_JUMP" in item.opname]
    effects = [
        index
        for index, item in enumerate(instructions)
        if item.opname in ("STORE_ATTR", "STORE_SUBSCR", "CALL", "CALL_FUNCTION")
    ]
    assert max(jumps) < min(effects)
