"""`deia completion`: have a shell complete commands, options and file names."""

from __future__ import annotations

import os

import click
from click.shell_completion import ShellComplete, get_completion_class, shell_complete

from deia.cli.output import Output

_VARIABLE = "_DEIA_COMPLETE"
"""Set by a shell that asks for completions; how it asks and is answered is click's own matter."""

_SHELLS = ("bash", "zsh", "fish")


@click.command(short_help="Print what has a shell complete deia's arguments.")
@click.argument("shell", metavar="SHELL", type=click.Choice(_SHELLS))
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_context
def completion(context: click.Context, /, *, shell: str) -> None:
    """Print a script that has a shell complete commands, options and file names.

    SHELL is bash, zsh or fish. For bash (from 4.4 on) and zsh, put `eval "$(deia completion bash)"` (or zsh) into
    ~/.bashrc (or ~/.zshrc); for fish, `deia completion fish | source` into ~/.config/fish/config.fish.
    """
    root = context.find_root()
    assert root.info_name is not None
    kind = get_completion_class(shell)
    assert kind is not None
    script = ShellComplete.source(kind(root.command, {}, root.info_name, _VARIABLE))  # its own looks for the shell
    output = context.find_object(Output)
    assert output is not None
    output.replace(f"{script.strip()}\n")


def answer(commands: click.Group, program: str) -> int | None:
    """Answer a shell that asks for completions; return the exit code, or None where none asks."""
    asked = os.environ.get(_VARIABLE)
    return None if not asked else shell_complete(commands, {}, program, _VARIABLE, asked)
