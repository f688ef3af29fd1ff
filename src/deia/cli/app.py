"""The `deia` program: its commands, and how each of them ends."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from importlib import import_module

import click

from deia import __version__
from deia.cli.completion import answer
from deia.cli.output import CannotWriteError, Output
from deia.cli.status import INTERRUPTED, WRONG_USAGE

PROGRAM = "deia"

_COMMANDS = {
    "analyze": "deia.cli.analyze:analyze",
    "bench": "deia.cli.bench.command:bench",
    "check": "deia.cli.check:check",
    "compare": "deia.cli.compare:compare_command",
    "completion": "deia.cli.completion:completion",
    "demo": "deia.cli.demo.command:demo",
    "export": "deia.cli.export:export",
    "import": "deia.cli.import_:import_",
    "ls": "deia.cli.ls:ls",
    "profile": "deia.cli.profile:profile",
    "prune": "deia.cli.prune:prune_command",
    "query": "deia.cli.query:query",
    "recover": "deia.cli.recover:recover",
    "report": "deia.cli.report:report",
    "serve": "deia.cli.serve:serve",
    "summary": "deia.cli.summary:summary",
    "tail": "deia.cli.tail.command:tail",
    "top": "deia.cli.top.command:top",
    "trend": "deia.cli.trend:trend_command",
}
"""Name → module and name in it. A call needs one of them, and to import them all takes longer than most of them do."""


class _Commands(click.Group):
    """The commands, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=_Commands, invoke_without_command=True, subcommand_metavar="COMMAND [ARGUMENTS]...")
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s", help="Show the version and exit.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_context
def commands(context: click.Context) -> None:
    """Look at what an agent recorded, and see where the time went.

    Exit codes: 0 fine, 1 findings or damage, 2 wrong usage, 130 interrupted. Output is plain text when it goes to a
    pipe; NO_COLOR is respected.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        context.exit(WRONG_USAGE)  # as a missing command is


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    click's own `main` is left out: it has other exit codes, and says in several lines what we say in one.
    """
    try:
        answered = answer(commands, PROGRAM)
        return _run(arguments) if answered is None else answered
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(arguments: Sequence[str]) -> int:
    output = Output()
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), commands.make_context(PROGRAM, list(arguments), obj=output) as context:
            commands.invoke(context)
    except click.exceptions.Exit as done:  # after --help or --version, which click prints by itself
        output.replace(said.getvalue())
        output.code = done.exit_code
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx is not None else PROGRAM
        output.complain(f"{error.format_message()} (see: {where} --help)")
        return WRONG_USAGE
    except CannotWriteError as stopped:  # in a command that goes on and on
        output.give_up(stopped.error)
        return output.code
    try:
        output.write()
    except CannotWriteError as stopped:
        output.give_up(stopped.error)
    return output.code
