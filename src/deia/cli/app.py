"""The `deia` program: its commands, and how each of them ends."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

import click

from deia import __version__
from deia.cli.analyze import analyze
from deia.cli.bench.command import bench
from deia.cli.check import check
from deia.cli.compare import compare_command
from deia.cli.completion import answer, completion
from deia.cli.demo.command import demo
from deia.cli.export import export
from deia.cli.import_ import import_
from deia.cli.ls import ls
from deia.cli.output import CannotWriteError, Output
from deia.cli.profile import profile
from deia.cli.prune import prune_command
from deia.cli.query import query
from deia.cli.recover import recover
from deia.cli.report import report
from deia.cli.serve import serve
from deia.cli.status import INTERRUPTED, WRONG_USAGE
from deia.cli.summary import summary
from deia.cli.tail.command import tail
from deia.cli.top.command import top
from deia.cli.trend import trend_command

PROGRAM = "deia"


@click.group(invoke_without_command=True, subcommand_metavar="COMMAND [ARGUMENTS]...")
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


for _command in (
    *(analyze, profile, report, serve, summary, ls, compare_command, trend_command, tail, top),
    *(query, export, import_, check, recover, prune_command, demo, bench, completion),
):
    commands.add_command(_command)


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
