"""The command line of the benchmarks: see `benchmarks/README.md`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from benchmarks import (
    analysis,
    appends,
    bus,
    calls,
    commits,
    compare,
    figures,
    fleet,
    instructions,
    overhead,
    page,
    peer_figures,
    peer_runs,
    peer_tables,
    scale,
    scale_tables,
    steps,
    tables,
)
from benchmarks.buses import BUSES
from benchmarks.fleet_jobs import WAYS
from benchmarks.results import read_result, result_name, write_result

Result = dict[str, Any]
Settings = TypeVar(
    "Settings",
    overhead.Settings,
    peer_runs.Settings,
    analysis.Settings,
    scale.Settings,
    bus.Settings,
    fleet.Settings,
    commits.Settings,
    instructions.Settings,
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        0, or 1 where events were lost, figures differ, or the page is not up to date. A missed target is a result.
    """
    options = _parser().parse_args(arguments)
    code: int = options.run(options)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what Deia costs.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    measuring = argparse.ArgumentParser(add_help=False)
    measuring.add_argument(
        "--directory",
        type=Path,
        default=Path(tempfile.gettempdir()),
        metavar="DIR",
        help="where the measured files lie while they are needed; its file system matters (default: %(default)s)",
    )
    single = argparse.ArgumentParser(add_help=False, parents=[measuring])
    single.add_argument("--json", type=Path, metavar="FILE", help="keep the raw result")
    single.add_argument("--quick", action="store_true", help="hardly any calls: does it work? The figures mean nothing")

    looped = argparse.ArgumentParser(add_help=False, parents=[single])
    looped.add_argument("--calls", type=int, metavar="N", help="calls of a process in the tight loop")
    looped.add_argument("--paced-calls", type=int, metavar="N", help="calls of a process at the paced rate")
    looped.add_argument("--rate", type=float, metavar="HZ", help="paced calls per second")

    command = commands.add_parser(
        "overhead", parents=[looped], help="what a log call costs its caller, against the floor"
    )
    command.add_argument("--pairs", type=int, metavar="N", help="pairs of processes per comparison")
    command.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="PEER",
        help="compare one more with the floor, by name or module:Class",
    )
    command.set_defaults(run=_overhead)

    command = commands.add_parser(
        "peers", parents=[looped], help="the same event, recorded by what one would otherwise use"
    )
    command.add_argument("--rounds", type=int, metavar="N", help="processes of each peer in each mode")
    command.add_argument("--deaths", type=int, metavar="N", help="rounds in which processes are killed")
    command.add_argument(
        "--peer", action="append", metavar="NAME", help="only these (and the floor), or one of your own: module:Class"
    )
    command.set_defaults(run=_peers)

    command = commands.add_parser("appends", parents=[single], help="what one append costs in each way there is")
    command.set_defaults(run=_appends)

    command = commands.add_parser("steps", parents=[single], help="where the time of one call goes")
    command.set_defaults(run=_steps)

    command = commands.add_parser("calls", parents=[single], help="what each kind of log call costs")
    command.set_defaults(run=_calls)

    command = commands.add_parser(
        "analysis", parents=[single], help="the analysis of a long log, beside what one would otherwise use"
    )
    command.add_argument("--bytes", type=int, metavar="N", help="size of the log")
    command.add_argument("--rounds", type=int, metavar="N", help="processes of each analyst; of slow ones one in all")
    command.add_argument(
        "--analyst", action="append", choices=list(analysis.ANALYSTS), metavar="NAME", help="only these, beside ours"
    )
    command.set_defaults(run=_analysis)

    command = commands.add_parser(
        "scale", parents=[single], help="what a call costs as the work grows: events, sessions, threads, payload"
    )
    command.add_argument("--events", type=int, metavar="N", help="events of the one long session")
    command.add_argument("--rounds", type=int, metavar="N", help="processes of each other kind")
    command.set_defaults(run=_scale)

    command = commands.add_parser(
        "bus", parents=[single], help="publish and deliver: events per second, and how long one takes to its handlers"
    )
    command.add_argument("--rounds", type=int, metavar="N", help="processes of each bus, in each way")
    command.add_argument("--bus", action="append", choices=list(BUSES), metavar="NAME", help="only these")
    command.set_defaults(run=_bus)

    command = commands.add_parser("fleet", parents=[single], help="thousands of sessions, asked in SQL and exported")
    command.add_argument("--sessions", type=int, metavar="N", help="how many sessions")
    command.add_argument("--bytes", type=int, metavar="N", help="size of all of them together")
    command.add_argument("--rounds", type=int, metavar="N", help="processes of each way")
    command.add_argument("--way", action="append", choices=list(WAYS), metavar="NAME", help="only these")
    command.set_defaults(run=_fleet)

    command = commands.add_parser(
        "record", parents=[measuring], help="measure in full, into benchmarks/results/, and make the page anew"
    )
    command.add_argument(
        "--only",
        action="append",
        choices=["overhead", "appends", "peers", "analysis", "scale", "bus", "fleet", "instructions", "calls", "steps"],
        help="one of them; may be given again (default: overhead and appends, which need no peers)",
    )
    command.set_defaults(run=_record)

    command = commands.add_parser("table", help="docs/reference/benchmarks.md and its charts from benchmarks/results/")
    command.add_argument("--check", action="store_true", help="only tell whether it is up to date")
    command.set_defaults(run=_table)

    command = commands.add_parser(
        "compare", parents=[single], help="two commits, measured in pairs of processes; or two results that were kept"
    )
    command.add_argument("before", metavar="BEFORE", help="a commit, or the file of a result of overhead")
    command.add_argument("after", metavar="AFTER", help="another")
    command.add_argument("--pairs", type=int, metavar="N", help="pairs of processes for each peer and mode")
    command.set_defaults(run=_compare)

    command = commands.add_parser(
        "instructions",
        parents=[single],
        help="how many instructions a call takes (valgrind): the same on a busy machine",
    )
    command.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 where a call takes more than benchmarks/results/ has recorded for this interpreter",
    )
    command.set_defaults(run=_instructions)
    return parser


def _say(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)


def _settings(options: argparse.Namespace, quick: Settings, usual: Settings) -> Settings:
    """Return how much is to be measured: the options of the same names, where they were given."""
    given = {name: value for name, value in vars(options).items() if name in asdict(usual) and value is not None}
    return replace(quick if options.quick else usual, **given)


def _show(result: Result, keep: Path | None) -> int:
    """Print a result's tables, keep it where a path is given, and return the exit code."""
    lost: list[str] = []
    if result["benchmark"] == "overhead":
        text, lost = tables.overhead(result), figures.losses(result)
    elif result["benchmark"] == "peers":
        text, lost = peer_tables.peers(result), peer_figures.failures(result)
    elif result["benchmark"] == "scale":
        text, lost = scale_tables.scale(result), scale_tables.failures(result)
    elif result["benchmark"] == "commits":
        text, lost = commits.tables(result), commits.failures(result)
    elif result["benchmark"] == "calls":
        text, lost = calls.tables(result), calls.failures(result)
    elif result["benchmark"] == "steps":
        text = steps.tables(result)
    elif result["benchmark"] == "instructions":
        text = instructions.tables([result])
    elif result["benchmark"] == "analysis":
        text, lost = analysis.tables(result), analysis.failures(result)
    elif result["benchmark"] == "fleet":
        text, lost = fleet.tables(result), fleet.failures(result)
    elif result["benchmark"] == "bus":
        text = bus.tables(result)
    else:
        text = tables.appends(result)
    print(text)
    if keep is not None:
        write_result(result, keep)
    return 1 if lost else 0


def _peers(options: argparse.Namespace) -> int:
    settings = _settings(options, peer_runs.QUICK, peer_runs.Settings())
    return _show(peer_runs.run(settings, options.directory, peers=options.peer, say=_say), options.json)


def _overhead(options: argparse.Namespace) -> int:
    settings = _settings(options, overhead.QUICK, overhead.Settings())
    return _show(overhead.run(settings, options.directory, own_peers=options.peer, say=_say), options.json)


def _appends(options: argparse.Namespace) -> int:
    return _show(appends.run(options.directory, **(appends.QUICK if options.quick else {})), options.json)


def _steps(options: argparse.Namespace) -> int:
    return _show(steps.run(options.directory, **(steps.QUICK if options.quick else {})), options.json)


def _calls(options: argparse.Namespace) -> int:
    return _show(calls.run(options.directory, **(calls.QUICK if options.quick else {})), options.json)


def _analysis(options: argparse.Namespace) -> int:
    settings = _settings(options, analysis.QUICK, analysis.Settings())
    return _show(analysis.run(settings, options.directory, only=options.analyst, say=_say), options.json)


def _scale(options: argparse.Namespace) -> int:
    settings = _settings(options, scale.QUICK, scale.Settings())
    return _show(scale.run(settings, options.directory, say=_say), options.json)


def _bus(options: argparse.Namespace) -> int:
    settings = _settings(options, bus.QUICK, bus.Settings())
    return _show(bus.run(settings, options.directory, only=options.bus, say=_say), options.json)


def _fleet(options: argparse.Namespace) -> int:
    settings = _settings(options, fleet.QUICK, fleet.Settings())
    return _show(fleet.run(settings, options.directory, only=options.way, say=_say), options.json)


def _record(options: argparse.Namespace) -> int:
    code = 0
    page.RESULTS.mkdir(exist_ok=True)
    for name in options.only or ("overhead", "appends"):
        result = _in_full(name, options.directory)
        code = max(code, _show(result, page.RESULTS / result_name(result)))
    page.write_pages(page.make_pages(page.load_results()))
    return code


def _in_full(benchmark: str, directory: Path) -> Result:
    if benchmark == "overhead":
        return overhead.run(overhead.Settings(), directory, say=_say)
    if benchmark == "analysis":
        return analysis.run(analysis.Settings(), directory, say=_say)
    if benchmark == "peers":
        return peer_runs.run(peer_runs.Settings(), directory, say=_say)
    if benchmark == "scale":
        return scale.run(scale.Settings(events=scale.LONG_EVENTS), directory, say=_say)
    if benchmark == "bus":
        return bus.run(bus.Settings(), directory, say=_say)
    if benchmark == "fleet":
        return fleet.run(fleet.FULL, directory, say=_say)
    if benchmark == "calls":
        return calls.run(directory)
    if benchmark == "steps":
        return steps.run(directory)
    if benchmark == "instructions":
        return instructions.run(instructions.Settings(), directory, say=_say)
    return appends.run(directory)


def _table(options: argparse.Namespace) -> int:
    made = page.make_pages(page.load_results())
    if not options.check:
        page.write_pages(made)
        return 0
    stale = page.out_of_date(made)
    for path in stale:
        print(
            f"docs/reference/{path.relative_to(page.PAGE.parent)} is not what benchmarks/results/ makes: "
            "run `python -m benchmarks table`",
            file=sys.stderr,
        )
    return 1 if stale else 0


def _compare(options: argparse.Namespace) -> int:
    before, after = options.before, options.after
    if Path(before).is_file() and Path(after).is_file():
        print(compare.compare(read_result(Path(before)), read_result(Path(after))))
        return 0
    settings = _settings(options, commits.QUICK, commits.Settings())
    try:
        result = commits.run(before, after, settings, options.directory, say=_say)
    except commits.NoSuchCommitError as error:
        print(error, file=sys.stderr)
        return 2
    return _show(result, options.json)


def _instructions(options: argparse.Namespace) -> int:
    settings = _settings(options, instructions.QUICK, instructions.Settings())
    try:
        result = instructions.run(settings, options.directory, say=_say)
    except instructions.NoValgrindError as error:
        print(f"NOT CHECKED: {error}" if options.check else error, file=sys.stderr)
        return 0 if options.check else 2
    _show(result, options.json)
    if not options.check:
        return 0
    recorded = page.RESULTS / result_name(result)
    if not recorded.exists():
        print(f"NOT CHECKED: nothing is recorded for this interpreter, there is no {recorded.name}", file=sys.stderr)
        return 0
    drifted = instructions.drifted(result, read_result(recorded))
    for _ in range(instructions.ATTEMPTS - 1):
        if not drifted:
            break
        result = instructions.run(settings, options.directory, say=_say)
        _show(result, options.json)
        drifted = instructions.drifted(result, read_result(recorded))
    for sentence in drifted:
        print(f"DRIFTED: {sentence}", file=sys.stderr)
    return 1 if drifted else 0


if __name__ == "__main__":
    sys.exit(main())
