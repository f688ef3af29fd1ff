"""The `deia` program: its commands, and how each of them ends."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence

import click

from deia import __version__
from deia.cli.analyze import analyze
from deia.cli.bench.command import bench
from deia.cli.check import check
from deia.cli.demo.command import demo
from deia.cli.output import Output
from deia.cli.profile import profile
from deia.cli.recover import recover
from deia.cli.report import report
from deia.cli.status import INTERRUPTED, WRONG_USAGE
from deia.cli.summary import summary

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


for _command in (analyze, profile, report, summary, check, recover, demo, bench):
    commands.add_command(_command)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    click's own `main` is left out: it has other exit codes, and says in several lines what we say in one.
    """
    try:
        return _run(arguments)
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
    _write(output)
    return output.code


def _write(output: Output) -> None:
    """Write what the command has to say, if anyone is there to read it."""
    try:
        output.write()
    except OSError as error:
        # What is still buffered must not fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # that is a reader (`head`, a pager) that has seen enough
            output.fail(error, "standard output")
