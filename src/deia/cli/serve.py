"""`deia serve`: the report, live in a browser."""

from __future__ import annotations

import json

import click

from deia import system
from deia.cli.interruption import require_none
from deia.cli.output import Output
from deia.cli.paths import sessions, sessions_directory
from deia.cli.status import WRONG_USAGE
from deia.report.library import ChartsMissingError, charts_code
from deia.serve.server import ADDRESS, Server
from deia.serve.watched import WatchedDirectory, WatchedSession


@click.command(short_help="Show the report live in a browser.")
@click.argument("path", required=False, metavar="[PATH]", type=click.Path())
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Where to listen. [default: any that is free]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the address as one line of JSON.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def serve(output: Output, path: str | None, port: int, *, as_json: bool) -> None:
    """Show the report of a session live in a browser, until Ctrl-C.

    PATH is a session log, or a directory: then a page leads to all sessions in it, at any depth. Left out, it is
    $DEIA_SESSIONS_DIR, else .deia/sessions. A page is loaded anew when its session has something new.

    The pages are served to this machine alone (127.0.0.1), to whoever knows the address, which is printed and has a
    random token in it. They can be read, and nothing else; nothing is written anywhere.

    Needs the extra report: python -m pip install 'deia[report]'.
    """
    try:
        charts_code()  # before an address is given that would have no page
    except ChartsMissingError as error:
        output.complain(str(error))
        output.code = WRONG_USAGE
        return
    shown = _shown(output, path)
    if shown is None:
        return
    try:
        server = _Server(shown, port)
    except OSError as error:
        shown.close()
        output.fail(error, f"{ADDRESS}:{port}")
        return
    with server:
        output.say(json.dumps({"url": server.url}) + "\n" if as_json else f"{server.url}\n")
        server.serve_forever()


class _Server(Server):
    def service_actions(self) -> None:
        super().service_actions()
        require_none()


def _shown(output: Output, path: str | None) -> WatchedSession | WatchedDirectory | None:
    if path is None or system.is_directory(path):
        return WatchedDirectory(path or sessions_directory(), output.fail)
    journal = next(sessions(path, output.fail), None)
    return None if journal is None else WatchedSession(journal)
