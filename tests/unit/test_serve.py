"""`deia serve`: who is answered, with what, and that a page follows its session."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import re
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deia import SessionLogger
from deia.analysis.sessions import SessionFigures, look_at
from deia.cli import serve as command
from deia.cli.app import run
from deia.journal.progress import OnProgress
from deia.queue.layout import queue_path
from deia.report import page as page_module
from deia.report.model import make_report
from deia.serve import server as server_module
from deia.serve import survey as survey_module
from deia.serve.server import Server
from deia.serve.watched import WatchedDirectory, WatchedSession
from support.journals import Lines, journal_path

LOOK_S = 0.01


class Client:
    """Asks a server, and hangs up at the end."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._connections: list[http.client.HTTPConnection] = []

    def ask(
        self, path: str = "", *, method: str = "GET", host: str | None = None, token: str | None = None
    ) -> http.client.HTTPResponse:
        """Ask for a path below the token's."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=30)
        self._connections.append(connection)
        token = self.server.token if token is None else token
        connection.request(method, f"/{token}/{path}", headers={} if host is None else {"Host": host})
        return connection.getresponse()

    def status(self, path: str = "", **how: Any) -> int:
        response = self.ask(path, **how)
        response.read()
        return response.status

    def page(self, path: str = "") -> str:
        response = self.ask(path)
        assert response.status == 200
        return response.read().decode()

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


def next_event(stream: http.client.HTTPResponse) -> int:
    """Wait for the next event of a stream, and return its number."""
    while True:
        line = stream.readline()
        assert line, "the stream has ended"
        if line.startswith(b"data: "):
            return int(line[6:])


@contextlib.contextmanager
def serving(shown: WatchedSession | WatchedDirectory) -> Iterator[Client]:
    with Server(shown, look_s=LOOK_S) as server:
        thread = threading.Thread(target=server.serve_forever, args=(LOOK_S,))
        thread.start()
        client = Client(server)
        try:
            yield client
        finally:
            client.close()
            server.shutdown()
            thread.join()


def no_complaint(error: OSError, path: str) -> None:
    raise AssertionError(f"{path}: {error}")


@pytest.fixture(autouse=True)
def charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library of one line."""
    for module in (command, page_module):
        monkeypatch.setattr(module, "charts_code", lambda: "/* charts */")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A session that was closed."""
    path = journal_path(tmp_path)
    lines = Lines()
    path.write_bytes(lines.begin("build") + lines.tool("ls", 10, at=1) + lines.complete(1, "build", at=9))
    return path


@pytest.fixture
def one(log: Path) -> Iterator[Client]:
    """A server of one session."""
    with serving(WatchedSession(log, LOOK_S)) as client:
        yield client


# Who is answered


def test_only_this_machine_is_listened_to(one: Client) -> None:
    """The address is the loopback's, and the port one that was free."""
    assert one.server.server_address[0] == "127.0.0.1"
    assert re.fullmatch(rf"http://127\.0\.0\.1:{one.server.server_port}/[\w-]{{22}}/", one.server.url)


def test_token_is_another_one_each_time(one: Client, log: Path) -> None:
    """Sixteen random bytes: an address of yesterday opens nothing today."""
    with serving(WatchedSession(log)) as other:
        assert other.server.token != one.server.token
        assert other.status(token=one.server.token) == 404


@pytest.mark.parametrize("token", ["", "x", "%C3%A9", "A" * 22])
def test_who_does_not_know_the_token_finds_nothing(one: Client, token: str) -> None:
    """Neither a page nor events; nor does the answer say that there is anything to be found."""
    for path in ("", "events"):
        response = one.ask(path, token=token)
        assert (response.status, response.read()) == (404, b"404 Not Found\n")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "localhost."])
def test_request_by_another_name_is_refused_though_it_has_the_token(one: Client, host: str) -> None:
    """A page of somebody else's whose name was made to mean this machine (DNS rebinding) reads nothing."""
    assert one.status(host=host.format(port=one.server.server_port)) == 421


def test_request_with_two_names_is_refused(one: Client) -> None:
    """Whoever is in between may have gone by the other one."""
    connection = http.client.HTTPConnection("127.0.0.1", one.server.server_port, timeout=30)
    with contextlib.closing(connection):
        connection.putrequest("GET", f"/{one.server.token}/", skip_host=True)
        for host in (f"localhost:{one.server.server_port}", "evil.example"):
            connection.putheader("Host", host)
        connection.endheaders()
        assert connection.getresponse().status == 421


def test_machine_may_be_called_localhost(one: Client) -> None:
    """As browsers and tunnels do."""
    assert one.status(host=f"localhost:{one.server.server_port}") == 200


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_every_method_but_get_is_refused(one: Client, method: str) -> None:
    """There is nothing that could be changed."""
    response = one.ask(method=method)
    response.read()
    assert (response.status, response.headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize(
    "path", ["x", "0/", "../", "..%2f..%2fetc/passwd", "//etc/passwd", "0/0/", "events/", "-1/", "report.html"]
)
def test_nothing_but_what_was_listed_has_an_address(one: Client, path: str) -> None:
    """No path of a request is ever one of the file system's."""
    assert one.status(path) == 404


@pytest.mark.parametrize("line", [b"GET", b"GET *", b"GET x HTTP/1.0", b"\x00\xff", b"GET / HTTP/9.9", b"G" * 70_000])
def test_what_is_no_request_is_answered_and_harms_nothing(
    one: Client, line: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor does it fill the terminal."""
    connection = http.client.HTTPConnection("127.0.0.1", one.server.server_port, timeout=30)
    connection.connect()
    with contextlib.suppress(ConnectionError), contextlib.closing(connection):
        connection.sock.sendall(line + b"\r\n\r\n")
        assert b"200" not in connection.sock.recv(1000)
    assert one.status() == 200
    assert capfd.readouterr().err == ""


# With what


def test_answers_are_kept_nowhere_and_tell_nobody_of_the_address(one: Client) -> None:
    """No cache, no guessing of types, no referrer, no frame of somebody else's; and no version of ours."""
    for path in ("", "events", "nothing"):
        headers = one.ask(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Server"] == "deia"


def test_page_is_the_report_and_may_ask_its_own_server_alone(one: Client) -> None:
    """What `deia report` makes, with its policy, and one permission more."""
    page = one.page()
    assert "is a bottleneck" in page
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert "default-src &#x27;none&#x27;; script-src &#x27;sha256-" in policy
    assert "connect-src &#x27;self&#x27;;" in policy


def test_page_of_a_file_on_disk_may_still_ask_nobody(log: Path) -> None:
    """`deia report` makes what it made."""
    page = page_module.page(make_report(log)).decode()
    assert "connect-src" not in page
    assert "EventSource" not in page


def test_page_of_a_compressed_log_is_served(log: Path, tmp_path: Path) -> None:
    """As it is reported."""
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    with serving(WatchedSession(packed, LOOK_S)) as client:
        assert "is a bottleneck" in client.page()


def test_session_that_cannot_be_shown_has_a_page_that_says_why(tmp_path: Path) -> None:
    """And that follows: what is no log may become one."""
    path = tmp_path / "agent_session.jsonl"
    path.write_bytes(b"no log\n")
    with serving(WatchedSession(path, LOOK_S)) as client:
        assert "not a session log" in client.page()
        stream = client.ask("events")
        seen = next_event(stream)
        path.write_bytes(Lines().tool("ls", 10))
        assert next_event(stream) > seen
        assert "not a session log" not in client.page()


def test_pipe_in_the_place_of_a_log_is_not_waited_for(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may ever write to it: its page says so, the list goes on, and the server ends."""
    monkeypatch.setattr("deia.live.directory._LOOK_S", 0.0)
    with serving(WatchedDirectory(str(log.parent), no_complaint, LOOK_S)) as client:
        assert listed(client) == {log.name: "finished"}
        log.unlink()
        os.mkfifo(log)
        assert "not a plain file" in client.page("0/")
        next_event(client.ask("0/events"))
        stream = client.ask("events")
        while listed(client) != {log.name: "unreadable"}:
            next_event(stream)


def test_serving_writes_nothing(one: Client, log: Path) -> None:
    """Neither beside the log nor into it."""
    before = log.read_bytes()
    one.page()
    next_event(one.ask("events"))
    assert [path.name for path in log.parent.iterdir()] == [log.name]
    assert log.read_bytes() == before


# As it goes on


def test_event_arrives_after_a_log_call_and_the_page_then_shows_it(tmp_path: Path) -> None:
    """From the moment that the call has returned, wherever the line is; and the end of the session, too."""
    log = SessionLogger("agent", "watched", output_dir=tmp_path)
    log.log_tool_call("first-tool", {}, duration_ms=5)
    with serving(WatchedSession(Path(log.path), LOOK_S)) as client:
        page = client.page()
        assert "state recording" in page
        stream = client.ask("events")
        assert stream.headers["Content-Type"] == "text/event-stream"
        seen = next_event(stream)
        assert f'data-version="{seen}"' in page
        log.log_tool_call("second-tool", {}, duration_ms=5)
        assert next_event(stream) > seen
        assert "second-tool" in client.page()
        log.close()
        while "state finished" not in client.page():
            next_event(stream)  # there may be one of the closing itself


def test_page_is_made_once_while_nothing_happens(one: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is asked for: the number on it says of which moment it is."""
    page = one.page()
    monkeypatch.setattr("deia.serve.watched.make_report", None)
    assert one.page() == page
    assert f'data-version="{next_event(one.ask("events"))}"' in page


def test_directory_has_a_page_that_leads_to_each_session(log: Path) -> None:
    """At any depth, those that come later included; a session's number stays its own."""
    with serving(WatchedDirectory(str(log.parent), no_complaint, LOOK_S)) as client:
        stream = client.ask("events")
        next_event(stream)
        page = client.page()
        assert re.findall(r'href="(\./[^"]*)">([^<]*)<', page) == [("./0/", log.name)]
        assert "is a bottleneck" in client.page("0/")
        assert client.status("1/") == 404
        later = SessionLogger("agent", "later", output_dir=log.parent / "below")
        later.log_tool_call("came-later", {}, duration_ms=5)
        while sorted(re.findall(r'href="\./(\d)/"', client.page())) != ["0", "1"]:
            next_event(stream)  # there may be one that tells what became of the first
        assert "came-later" in client.page("1/")
        assert next_event(client.ask("1/events")) >= 0
        later.close()


def listed(client: Client) -> dict[str, str]:
    """The sessions of a list, each with what it says of it, once all of them were read."""
    stream = client.ask("events")
    while True:
        next_event(stream)
        rows = re.findall(r'href="\./\d+/">([^<]*)</a></td><td[^>]*>([^<]*)<', client.page())
        if "not read yet" not in dict(rows).values():
            return dict(rows)


def test_list_says_of_each_session_what_ls_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which reads their logs for it: a damaged one is not taken for one that was closed in peace."""
    for name in ("finished", "damaged", "in-task", "killed", "other", "empty"):
        lines = Lines(session_id=name)
        task = lines.begin("build")
        end = lines.complete(1, "build", at=9)
        content = {"damaged": b"garbage\n" + task + end, "in-task": task, "other": b"!\n", "empty": b""}.get(
            name, task + end
        )
        journal_path(tmp_path, session_id=name).write_bytes(content)
    queue_path(journal_path(tmp_path, session_id="killed")).touch(mode=0o600)
    with SessionLogger("agent", "open", output_dir=tmp_path) as log:
        log.log_tool_call("x", {}, duration_ms=1)
        run(["ls", str(tmp_path), "--json"])
        states = {Path(session["path"]).name: session["state"] for session in json.loads(capsys.readouterr().out)}
        assert set(states.values()) == {"finished", "damaged", "interrupted", "no log", "recording"}
        with serving(WatchedDirectory(str(tmp_path), no_complaint, LOOK_S)) as client:
            assert listed(client) == states


def test_list_waits_for_no_log_to_be_read(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there at once, however long the logs are, and is loaded anew when there is more to say."""
    go_on = threading.Event()

    def read_slowly(*arguments: Any, **how: Any) -> SessionFigures:
        assert go_on.wait(30)
        return look_at(*arguments, **how)

    monkeypatch.setattr(survey_module, "look_at", read_slowly)
    with serving(WatchedDirectory(str(log.parent), no_complaint, LOOK_S)) as client:
        assert "not read yet" in client.page()
        stream = client.ask("events")
        seen = next_event(stream)
        go_on.set()
        assert next_event(stream) > seen
        assert listed(client) == {log.name: "finished"}


def test_list_follows_what_becomes_of_its_sessions(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is damaged later, one that is closed, one that is removed."""
    monkeypatch.setattr("deia.live.directory._LOOK_S", 0.0)
    logger = SessionLogger("agent", "open", output_dir=log.parent)
    logger.log_tool_call("x", {}, duration_ms=1)
    with serving(WatchedDirectory(str(log.parent), no_complaint, LOOK_S)) as client:
        assert listed(client) == {log.name: "finished", logger.path.name: "recording"}
        stream = client.ask("events")
        with log.open("ab") as file:
            file.write(b"garbage\n")
        while listed(client)[log.name] != "damaged":
            next_event(stream)
        logger.close()
        while listed(client)[logger.path.name] != "finished":
            next_event(stream)
        log.unlink()
        while log.name in listed(client):
            next_event(stream)


def test_reading_for_the_list_ends_with_the_server(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a log: nobody waits for the rest of it."""
    reads = threading.Event()

    def read_for_ever(_journal: Path, *, on_progress: OnProgress, **_how: Any) -> SessionFigures:
        reads.set()
        while True:
            on_progress(0, 1)

    monkeypatch.setattr(survey_module, "look_at", read_for_ever)
    with serving(WatchedDirectory(str(log.parent), no_complaint, LOOK_S)) as client:
        client.page()
        assert reads.wait(30)
    assert "deia-serve-survey" not in {thread.name for thread in threading.enumerate()}


def test_empty_directory_waits_for_its_first_session(tmp_path: Path) -> None:
    """It need not be there, either."""
    with serving(WatchedDirectory(str(tmp_path / "none"), no_complaint, LOOK_S)) as client:
        assert "0 sessions" in client.page()
        assert client.status("0/") == 404


def test_only_so_many_may_watch_at_once(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a thread; a place is free again when its browser hangs up."""
    monkeypatch.setattr(server_module, "_MOST_STREAMS", 1)
    with serving(WatchedSession(log, LOOK_S)) as client:
        stream = client.ask("events")
        next_event(stream)
        assert client.status("events") == 503
        assert client.status() == 200
        client.close()
        stream.close()
        assert client.server.streams.acquire(timeout=30)


def test_only_so_many_may_be_connected_at_once(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opens a thousand and says nothing has no more threads of ours for it: whoever is too many is hung up on."""
    monkeypatch.setattr(server_module, "_MOST_CONNECTIONS", 2)
    with serving(WatchedSession(log, LOOK_S)) as client, contextlib.ExitStack() as silent:
        address = ("127.0.0.1", client.server.server_port)
        first, _ = (silent.enter_context(socket.create_connection(address, timeout=30)) for _ in range(2))
        for _ in range(20):
            with socket.create_connection(address, timeout=30) as further:
                assert further.recv(1) == b""
        first.close()
        assert client.server.connections.acquire(timeout=30)
        client.server.connections.release()
        assert client.status() == 200


def test_connection_that_no_thread_can_answer_leaves_its_place_to_the_next(
    log: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The system may have no thread for us, for a while."""
    monkeypatch.setattr(server_module, "_MOST_CONNECTIONS", 1)
    with serving(WatchedSession(log, LOOK_S)) as client:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse_to_start)
            with socket.create_connection(("127.0.0.1", client.server.server_port), timeout=30) as refused:
                assert refused.recv(1) == b""
        assert client.status() == 200
    assert "can't start new thread" in capfd.readouterr().err


def refuse_to_start(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_browser_that_takes_no_answer_is_waited_for_only_so_long(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then its place is free again."""
    monkeypatch.setattr(server_module, "_PATIENCE_S", 0.2)
    monkeypatch.setattr(server_module, "_MOST_CONNECTIONS", 1)
    shown = WatchedSession(log, LOOK_S)
    monkeypatch.setattr(shown, "page", lambda: b"x" * (64 << 20))  # more than the system takes for it
    with serving(shown) as client:
        client.ask()
        assert client.server.connections.acquire(timeout=30)


def test_request_that_is_sent_byte_by_byte_is_waited_for_only_so_long(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it counts, not each byte; nothing is answered."""
    monkeypatch.setattr(server_module, "_PATIENCE_S", 0.2)
    with serving(WatchedSession(log, LOOK_S)) as client:
        with socket.create_connection(("127.0.0.1", client.server.server_port), timeout=30) as slow:
            said: list[object] = []
            with contextlib.suppress(ConnectionError):
                while not said:
                    slow.sendall(b"G")
                    said, _, _ = select.select([slow], [], [], 0.01)
                assert slow.recv(1) == b""
        assert client.status() == 200


def test_stream_with_nothing_new_says_that_it_is_still_there(one: Client) -> None:
    """A comment, which a browser passes over."""
    stream = one.ask("events")
    next_event(stream)
    assert stream.readline() == b"\n"
    assert stream.readline() == b": still here\n"


# The command


@pytest.mark.parametrize("as_json", [False, True])
def test_command_prints_the_address_and_ends_with_ctrl_c(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    """The exit code is that of every command that is interrupted."""
    served: list[str] = []

    def interrupted(server: Server) -> None:
        served.append(server.url)
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "serve_forever", interrupted)
    assert run(["serve", str(log), *(["--json"] if as_json else [])]) == 130
    out, err = capsys.readouterr()
    assert err == ""
    assert served == [json.loads(out)["url"] if as_json else out.strip()]


def test_port_that_is_taken_is_said_in_one_line(one: Client, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the address."""
    assert run(["serve", str(log), "--port", str(one.server.server_port)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"127.0.0.1:{one.server.server_port}: " in err


def test_log_that_is_not_there_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory may come later, a file that was named is there."""
    assert run(["serve", str(tmp_path / "none.jsonl")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
