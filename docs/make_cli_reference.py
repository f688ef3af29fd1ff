"""Make `reference/cli.md` from what `deia` says with `--help`: `python docs/make_cli_reference.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from deia.cli.app import PROGRAM, commands

PAGE = Path(__file__).with_name("reference") / "cli.md"

_INTRODUCTION = """\
# Command line

<!-- Made by docs/make_cli_reference.py from the commands' own help. Change it there. -->

`deia` comes with the extra `cli`: `python -m pip install 'deia[cli]'`. `python -m deia` is the same program.

What a command found goes to standard output: tables in a terminal, plain aligned text in a pipe or a file, and with
`--json` one JSON document and nothing else. What went wrong goes to standard error, one line each. Names and paths
are shown with every control character made visible (`\\x1b`), for what stands in a log is not to be trusted. In JSON a
number that is none (infinite) is `null`.
`deia completion` alone has no `--json`: what it prints is a program for a shell.

| Exit code | Meaning |
| ---: | --- |
| 0 | Fine. |
| 1 | Something was found: damage, lines that could not be read, a loss, a session that is locked. |
| 2 | Wrong usage: no such file or option, not a session log, an extra that is not installed. |
| 130 | Interrupted with Ctrl-C. |

A reader that stops early (`deia analyze a.jsonl | head`) is no error. With several files, each is dealt with whatever
happened to the others, and the highest code counts.

Where there is no session, as in an empty directory, a command that shows what there is says "No session there.", and
exits with 0. An export or a comparison cannot be made of nothing: `deia export` and `deia compare` say so, write
nothing, and exit with 2.

`deia completion` has bash, zsh and fish complete commands, options and file names.
"""


def page() -> str:
    """Return the page as it should be."""
    top = click.Context(commands, info_name=PROGRAM, terminal_width=80)
    parts = [_INTRODUCTION, _section(PROGRAM, commands.get_help(top))]
    parts += _sections(commands, top)
    return "\n".join(parts)


def _sections(group: click.Group, above: click.Context) -> Iterator[str]:
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=above)
        yield _section(context.command_path, command.get_help(context))
        if isinstance(command, click.Group):
            yield from _sections(command, context)


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n```text\n{text}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
