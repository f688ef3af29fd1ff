"""`deia import`: make session logs of what other recorders have written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from deia import system
from deia.cli import views
from deia.cli.output import Output, jsonable
from deia.cli.page import Column
from deia.cli.paths import sessions_directory
from deia.cli.reading import reading
from deia.cli.status import WRONG_USAGE
from deia.cli.text import count, plural
from deia.errors import DeiaError
from deia.importing.activity_log import import_activity_log
from deia.importing.claude_code.agents import SessionFiles, grouped, session_in
from deia.importing.claude_code.session import AGENT, import_session
from deia.importing.prices import Prices, read
from deia.importing.report import ImportReport
from deia.journal.progress import OnProgress
from deia.services.ids import checked_id

_COLUMNS = [Column("State"), Column("Events", number=True), Column("Log"), Column("Remarks")]

Import = Callable[[OnProgress | None], ImportReport]


def _agent(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else checked_id("agent", value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _prices(_: click.Context, __: click.Parameter, value: str | None) -> Prices | None:
    try:
        return None if value is None else read(value)
    except OSError as error:
        raise click.BadParameter(f"{value}: {error.strerror or error}") from error
    except ValueError as error:
        raise click.BadParameter(f"{value}: {error}") from error


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what all imports have in common."""
    for decorate in (
        click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path()),
        click.option(
            "--output-dir", metavar="DIR", help="Where session logs go: $DEIA_SESSIONS_DIR, else .deia/sessions."
        ),
        click.option("--agent", metavar="NAME", callback=_agent, help="Whose sessions they are to be."),
        click.option("--no-redact", is_flag=True, help="Keep secrets as they are."),
        click.option("--json", "as_json", is_flag=True, help="Print a JSON array with one object per session."),
        click.help_option("-h", "--help", help="Show this help and exit."),
        click.pass_obj,
    )[::-1]:
        command = decorate(command)
    return command


@click.group(
    "import",
    invoke_without_command=True,
    short_help="Make session logs of other recorders' files.",
    subcommand_metavar="FORMAT FILE...",
)
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_context
def import_(context: click.Context) -> None:
    """Make session logs of what other recorders have written, with the times that it was written with.

    What is imported can be looked at like any other session. Importing it again changes nothing, unless there is more
    by now; then the log is replaced by the longer one. A log that a logger has written is never touched.

    The exit code is 1 where lines could not be read, or where a logger has the session.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        context.exit(WRONG_USAGE)  # as a missing command is


@import_.command("claude-code", short_help="Import transcripts of Claude Code.")
@click.option(
    "--prices",
    metavar="FILE",
    type=click.Path(),
    callback=_prices,
    help="What models cost: JSON, dollars per million tokens. [default: as the log was imported before]",
)
@_options
def claude_code(
    output: Output,
    files: tuple[str, ...],
    *,
    prices: Prices | None,
    output_dir: str | None,
    agent: str | None,
    no_redact: bool,
    as_json: bool,
) -> None:
    """Import transcripts of Claude Code: ~/.claude/projects/*/*.jsonl.

    Each prompt becomes a task; so does each sub-agent, whose own file (agent-*.jsonl) is found beside the transcript,
    and each item of its list of things to do. Tools, files, model calls with their tokens, messages and errors are
    recorded in them.

    Secrets are redacted as a logger does it. FILE is one transcript; several of one session are imported as one only if
    they are its sub-agents'. Another transcript of the same session, as of one that was resumed, gets a log of its own.

    Transcripts have no prices, and none are built in. A list of them looks like this: {"MODEL": {"input": 5, "output":
    25, "cache_read": 0.5, "cache_write_5m": 6.25, "cache_write_1h": 10}}; a * in MODEL stands for any characters.
    """
    found: dict[str, tuple[str, str]] = {}
    objects: list[dict[str, Any]] = []
    for path in files:
        try:
            found.setdefault(system.real_path(path), (path, session_in(path)))
        except OSError as error:  # noqa: PERF203  # each file is dealt with whatever happened to the others
            objects.append({"source": path, "error": output.fail(error, path)})
    directory = _directory(output_dir)

    def importing(session: SessionFiles) -> Import:
        return lambda on_progress: import_session(
            session,
            directory,
            agent_id=agent or AGENT,
            redact=not no_redact,
            prices=prices,
            on_progress=on_progress,
        )

    sessions = grouped(found.values())
    _run(output, [(session.path, importing(session)) for session in sessions], objects, as_json=as_json)


@import_.command("deia", short_help="Import activity logs of the original project.")
@_options
def deia(
    output: Output,
    files: tuple[str, ...],
    *,
    output_dir: str | None,
    agent: str | None,
    no_redact: bool,
    as_json: bool,
) -> None:
    """Import activity logs of the original project: .deia/bot-logs/*-activity.jsonl, .deia/hive-log.jsonl.

    Tasks that were accepted and completed become tasks, assignments action items, decisions decisions; what has no
    counterpart is kept as it stands. Nothing of FILE is lost.
    """
    directory = _directory(output_dir)

    def importing(path: str) -> Import:
        return lambda on_progress: import_activity_log(
            path, directory, agent_id=agent, redact=not no_redact, on_progress=on_progress
        )

    paths = dict.fromkeys(files)
    _run(output, [(path, importing(path)) for path in paths], [], as_json=as_json)


def _directory(given: str | None) -> Path:
    """Return where session logs go: as for loggers."""
    return Path(given or sessions_directory())


def _run(
    output: Output, imports: Iterable[tuple[str, Import]], objects: list[dict[str, Any]], *, as_json: bool
) -> None:
    """Do imports, each whatever happened to the others, and show what became of them."""
    reports: list[ImportReport] = []
    made: dict[str, str] = {}
    for path, do in imports:
        try:
            # whoever asks for JSON does not watch
            with contextlib.nullcontext() if as_json else reading(output, path) as on_progress:
                report = do(on_progress)
        except (DeiaError, OSError) as error:
            where = str(error.filename or path) if isinstance(error, OSError) else path  # the directory's, maybe
            objects.append({"source": path, "error": output.fail(error, where)})
            continue
        if report.path in made and report.state == "updated":
            output.complain(f"{path} is of the same session as {made[report.path]}, and has taken its place")
            output.found()
        made[report.path] = path
        reports.append(report)
        objects.append(jsonable(report))
        if report.damage_count:
            output.found()
    if as_json:
        output.document(objects)
    elif reports:
        _show(output, reports)


def _show(output: Output, reports: list[ImportReport]) -> None:
    rows = [[report.state, count(report.events), report.path, _remarks(report)] for report in reports]
    output.page.table(_COLUMNS, rows)
    for report in reports:
        if report.damages:
            output.page.heading(", ".join(report.sources))
        views.show_damages(output.page, report.damages, report.damage_count)


def _remarks(report: ImportReport) -> str:
    remarks = [f"from {plural(report.records, 'record')}"]
    if len(report.sources) > 1:
        remarks.append(f"in {count(len(report.sources))} files")
    if report.damage_count:
        remarks.append(f"{plural(report.damage_count, 'line')} could not be read")
    if left_out := sum(report.left_out.values()):
        remarks.append(f"{count(left_out)} left out")
    if report.repriced:
        remarks.append("other prices than before")
    if report.unpriced:
        remarks.append(f"no price for {', '.join(report.unpriced)}")
    return ", ".join(remarks)
