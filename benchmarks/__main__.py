"""The command line of the benchmarks: see `benchmarks/README.md`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from benchmarks import appends, compare, figures, overhead, page, peer_figures, peer_runs, peer_tables, tables
from benchmarks.results import read_result, result_name, write_result

Settings = TypeVar("Settings", overhead.Settings, peer_runs.Settings)


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        0, or 1 where events were lost or the page is not up to date. A missed target is a result, not a failure.
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

    command = commands.add_parser(
        "overhead", parents=[single], help="what a log call costs its caller, against the floor"
    )
    command.add_argument("--pairs", type=int, metavar="N", help="pairs of processes per comparison")
    command.add_argument("--calls", type=int, metavar="N", help="calls of a process in the tight loop")
    command.add_argument("--paced-calls", type=int, metavar="N", help="calls of a process at the paced rate")
    command.add_argument("--rate", type=float, metavar="HZ", help="paced calls per second")
    command.add_argument(
        "--peer", action="append", default=[], metavar="MODULE:CLASS", help="compare a peer of your own with the floor"
    )
    command.set_defaults(run=_overhead)

    command = commands.add_parser(
        "peers", parents=[single], help="the same event, recorded by what one would otherwise use"
    )
    command.add_argument("--rounds", type=int, metavar="N", help="processes of each peer in each mode")
    command.add_argument("--calls", type=int, metavar="N", help="calls of a process in the tight loop")
    command.add_argument("--paced-calls", type=int, metavar="N", help="calls of a process at the paced rate")
    command.add_argument("--rate", type=float, metavar="HZ", help="paced calls per second")
    command.add_argument("--deaths", type=int, metavar="N", help="rounds in which processes are killed")
    command.add_argument(
        "--peer", action="append", metavar="NAME", help="only these (and the floor), or one of your own: module:Class"
    )
    command.set_defaults(run=_peers)

    command = commands.add_parser("appends", parents=[single], help="what one append costs in each way there is")
    command.set_defaults(run=_appends)

    command = commands.add_parser(
        "record", parents=[measuring], help="both into benchmarks/results/, and the page anew"
    )
    command.set_defaults(run=_record)

    command = commands.add_parser("table", help="docs/reference/benchmarks.md from benchmarks/results/")
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


def _peers(options: argparse.Namespace) -> int:
    settings = _settings(options, peer_runs.QUICK, peer_runs.Settings())
    result = peer_runs.run(settings, options.directory, peers=options.peer, say=_say)
    print(peer_tables.peers(result))
    if options.json is not None:
        write_result(result, options.json)
    return 1 if peer_figures.failures(result) else 0


def _overhead(options: argparse.Namespace) -> int:
    settings = _settings(options, overhead.QUICK, overhead.Settings())
    result = overhead.run(settings, options.directory, own_peers=options.peer, say=_say)
    print(tables.overhead(result))
    if options.json is not None:
        write_result(result, options.json)
    return 1 if figures.losses(result) else 0


def _appends(options: argparse.Namespace) -> int:
    result = appends.run(options.directory, **(appends.QUICK if options.quick else {}))
    print(tables.appends(result))
    if options.json is not None:
        write_result(result, options.json)
    return 0


def _record(options: argparse.Namespace) -> int:
    code = 0
    page.RESULTS.mkdir(exist_ok=True)
    for result in (overhead.run(overhead.Settings(), options.directory, say=_say), appends.run(options.directory)):
        write_result(result, page.RESULTS / result_name(result))
        if result["benchmark"] == "overhead":
            print(tables.overhead(result))
            code = 1 if figures.losses(result) else 0
    page.PAGE.write_text(page.make_page(page.load_results()), encoding="utf-8")
    return code


def _table(options: argparse.Namespace) -> int:
    made = page.make_page(page.load_results())
    if not options.check:
        page.PAGE.write_text(made, encoding="utf-8")
        return 0
    if page.PAGE.exists() and page.PAGE.read_text(encoding="utf-8") == made:
        return 0
    print(
        "docs/reference/benchmarks.md is not made from benchmarks/results/: run `python -m benchmarks table`",
        file=sys.stderr,
    )
    return 1


def _compare(options: argparse.Namespace) -> int:
    print(compare.compare(read_result(options.before), read_result(options.after)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
