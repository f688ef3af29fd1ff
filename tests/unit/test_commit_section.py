"""The sections that must not be interrupted: their bytecode holds nothing at which Python runs other code."""

from __future__ import annotations

import ast
import dis
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from deia.journal.writer import Writer
from deia.queue.producer import Producer
from deia.services.session_logger import SessionLogger

SECTIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "tool call": (SessionLogger.log_tool_call, "producer.end == start"),
    "commit": (Producer.commit, "self.end == start"),
    "place": (Producer.place, "self.end == start"),
    "commit_written": (Producer.commit_written, "self.direct is direct"),
    "rebase": (Producer.rebase, "self.end == expected"),
    "advance": (Producer.advance, "flushed > self.flushed"),
    "begin": (Writer.write_directly, "producer.end == start"),
    "write": (Writer.finish_direct, "pwrite(fd, left, offset)"),
    "cut": (Writer.finish_direct, "ftruncate(fd, start)"),
}
"""Each section: the function it is in, and what its one line holds."""

ONE_SYSTEM_CALL = {"write", "cut"}
"""These end in one call of a C function: other code may run when it has returned, not before."""

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
    "IS_OP",
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
"""Opcodes that, on the built-in types that these sections handle, neither call Python code nor make a container, and
after which the interpreter does not look whether a signal, another thread or the garbage collector waits. Not in it, on
purpose: calls, backward jumps, the making of slices, tuples and lists."""

CALLS = {"CALL", "CALL_FUNCTION", "PRECALL", "PUSH_NULL", "KW_NAMES"}


def section_of(name: str) -> list[dis.Instruction]:
    """Return the instructions of a section's one source line."""
    function, text = SECTIONS[name]
    source, first = inspect.getsourcelines(function)
    numbers = [first + index for index, line in enumerate(source) if line.lstrip().startswith("if ") and text in line]
    assert len(numbers) == 1, f"{function.__qualname__} has one such line"
    line = None
    found = []
    for instruction in dis.get_instructions(function):
        if instruction.starts_line:
            starts = instruction.starts_line
            line = getattr(instruction, "line_number", None) if starts is True else starts
        elif hasattr(instruction, "line_number"):
            line = instruction.line_number
        if line == numbers[0]:
            found.append(instruction)
    return found


@pytest.mark.parametrize("name", SECTIONS)
def test_section_holds_no_instruction_at_which_other_code_may_run(name: str) -> None:
    """From the check to the last store no handler, thread or collection can come between."""
    opcodes = [instruction.opname for instruction in section_of(name)]
    assert any(opcode.startswith("STORE") or opcode in CALLS for opcode in opcodes), "the section was found"
    if name in ONE_SYSTEM_CALL:
        opcodes = opcodes[: next(index for index, opcode in enumerate(opcodes) if opcode in ("CALL", "CALL_FUNCTION"))]
        opcodes = [opcode for opcode in opcodes if opcode not in CALLS]
    assert set(opcodes) <= HARMLESS, sorted(set(opcodes) - HARMLESS)


@pytest.mark.parametrize("name", SECTIONS)
def test_section_stands_on_one_line_so_that_a_tracer_gets_no_event_inside(name: str) -> None:
    """A debugger runs its code at each new line: the check and all that hangs on it share one."""
    function, text = SECTIONS[name]
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.If) and text in ast.unparse(node)]
    innermost = min(found, key=lambda node: len(ast.unparse(node)))
    assert {statement.lineno for statement in innermost.body} == {innermost.lineno}


@pytest.mark.parametrize("name", SECTIONS)
def test_no_jump_stands_between_the_check_and_the_stores(name: str) -> None:
    """In 3.10 the interpreter looks for waiting work at a jump that is taken, too."""
    opcodes = [instruction.opname for instruction in section_of(name)]
    jumps = [index for index, opcode in enumerate(opcodes) if "POP_JUMP" in opcode]
    effects = [
        index
        for index, opcode in enumerate(opcodes)
        if opcode in ("STORE_ATTR", "STORE_SUBSCR", "CALL", "CALL_FUNCTION")
    ]
    assert max(jumps) < min(effects)
