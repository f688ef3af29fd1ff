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
    compare,
    figures,
    overhead,
    page,
    peer_figures,
    peer_runs,
    peer_tables,
    tables,
)
from benchmarks.results import read_result, result_name, write_result

Result = dict[str, Any]
Settings = TypeVar("Settings", overhead.Settings, peer_runs.Settings, analysis.Settings)


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
    single.add_argument("--quick", action="store_true", help="seconds instead of minutes; the figures mean nothing")

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
        "record", parents=[measuring], help="measure in full, into benchmarks/results/, and make the page anew"
    )
    command.add_argument(
        "--only",
        action="append",
        choices=["overhead", "appends", "peers", "analysis"],
        help="one of them; may be given again (default: overhead and appends, which need no peers)",
    )
    command.set_defaults(run=_record)

    command = commands.add_parser("table", help="docs/reference/benchmarks.md and its charts from benchmarks/results/")
    command.add_argument("--check", action="store_true", help="only tell whether it is up to date")
    command.set_defaults(run=_table)

    command = commands.add_parser("compare", help="two results of the same interpreter, of two commits for instance")
    command.add_argument("before", type=Path)
    command.add_argument("after", type=Path)
    command.set_defaults(run=_compare)
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
    elif result["benchmark"] == "analysis":
        text, lost = analysis.tables(result), analysis.failures(result)
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


def _analysis(options: argparse.Namespace) -> int:
    settings = _settings(options, analysis.QUICK, analysis.Settings())
    return _show(analysis.run(settings, options.directory, only=options.analyst, say=_say), options.json)


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
    print(compare.compare(read_result(options.before), read_result(options.after)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
