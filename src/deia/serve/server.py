"""A web server for one pair of eyes: on the loopback address, for whoever knows the token, and for reading alone.

What a request names is a number of a session that we have listed, never a path. Any program and any web page on the
machine can reach the port: the token keeps out who was not given the address, and the check of `Host` keeps out a page
whose name was made to mean this machine.
"""

from __future__ import annotations

import io
import secrets
import socketserver
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from deia.serve.request import Hurried
from deia.serve.watched import LOOK_S, Watched, WatchedDirectory, WatchedSession

ADDRESS = "127.0.0.1"

_NAMES = (ADDRESS, "localhost")
"""What a browser on this machine calls it."""

_TOKEN_BYTES = 16

_PATIENCE_S = 10.0
"""How long a request may take to arrive, all of it, and an answer to be taken."""

_MOST_STREAMS = 64
"""How many may watch at once; each has a thread."""

_MOST_CONNECTIONS = 2 * _MOST_STREAMS
"""How many connections there may be, those that watch included; each has a thread, and needs no token for it. A browser
has six, some of them open before it knows what to ask for."""

_STILL_HERE_LOOKS = 15
"""After so many looks with nothing new a line is sent nevertheless, so that nothing in between hangs up."""

_HEADERS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)

_PAGE_POLICY = "frame-ancestors 'none'"
"""What a page cannot say by itself; the rest of its content security policy stands in it."""

_OTHER_POLICY = "default-src 'none'; frame-ancestors 'none'"


class Server(ThreadingHTTPServer):
    """Serves what is watched until `shutdown`.

    Attributes:
        token: What the path of each address begins with.
        shown: What is served.
        look_s: How often a stream looks for something new, seconds.
        connections: One place for each connection that may be there.
        streams: One place for each that may watch.
        stopped: Set when the streams are to end.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = _MOST_CONNECTIONS

    def __init__(self, shown: WatchedSession | WatchedDirectory, port: int = 0, *, look_s: float = LOOK_S) -> None:
        """Listen, on the loopback address alone.

        Args:
            shown: What is served.
            port: Where; 0 for any that is free.
            look_s: How often a stream looks for something new, seconds.

        Raises:
            OSError: The port is taken, or not ours to take.
        """
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)
        self.shown = shown
        self.look_s = look_s
        self.connections = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self.streams = threading.BoundedSemaphore(_MOST_STREAMS)
        self.stopped = threading.Event()
        super().__init__((ADDRESS, port), _Handler)

    def server_bind(self) -> None:
        """Bind, without asking any name server what the address is called, as the base class does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    @property
    def url(self) -> str:
        """The address to open."""
        return f"http://{ADDRESS}:{self.server_port}/{self.token}/"

    @property
    def hosts(self) -> frozenset[str]:
        """What a request may call us."""
        names = [f"{name}:{self.server_port}" for name in _NAMES]
        return frozenset(names if self.server_port != 80 else [*names, *_NAMES])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Have a thread answer, where there is a place; hang up where there is none, and a browser asks again."""
        if not self.connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # there is no thread that would do it
            self.connections.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, on a thread of its own."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.release()

    def server_close(self) -> None:
        """Listen no more, and let go of all files."""
        self.stopped.set()
        super().server_close()
        self.shown.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let an error of ours be told as those of any thread are; a browser that hung up is none."""
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request, and hangs up."""

    server: Server

    def setup(self) -> None:
        """Begin to listen to one connection, and not for long."""
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(Hurried(self.connection, _PATIENCE_S))

    def do_GET(self) -> None:
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0].lower() not in self.server.hosts:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        token, *names = self.path.split("?", 1)[0].removeprefix("/").split("/")
        # in the same time whatever they have in common
        is_known = secrets.compare_digest(token.encode(), self.server.token.encode())
        found = self._find(names) if is_known else None
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        elif names[-1] == "events":
            self._stream(found)
        else:
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", found.page(), _PAGE_POLICY)

    def _find(self, names: list[str]) -> Watched | None:
        """Return what `/TOKEN/`, `/TOKEN/events`, `/TOKEN/7/` and `/TOKEN/7/events` are of."""
        shown = self.server.shown
        if not names or names[-1] not in ("", "events"):
            return None
        if len(names) == 1:
            return shown
        number = names[0]
        if len(names) != 2 or not isinstance(shown, WatchedDirectory):
            return None
        if not (number.isascii() and number.isdecimal() and len(number) < 10):
            return None
        return shown.session(int(number))

    def _stream(self, shown: Watched) -> None:
        if not self.server.streams.acquire(blocking=False):
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        try:
            self._begin(HTTPStatus.OK, "text/event-stream", _OTHER_POLICY)
            self.end_headers()
            told, looks = -1, 0
            while not self.server.stopped.is_set():
                version = shown.version()
                looks += 1
                if version != told:
                    told, looks = version, 0
                    self.wfile.write(f"data: {version}\n\n".encode())
                elif looks == _STILL_HERE_LOOKS:
                    looks = 0
                    self.wfile.write(b": still here\n\n")
                if self._has_gone_within(self.server.look_s):
                    return
        finally:
            self.server.streams.release()

    def _has_gone_within(self, timeout_s: float) -> bool:
        """Wait so long; return early where the browser hangs up, or says something, which is not for it to do."""
        self.connection.settimeout(timeout_s)
        try:
            self.connection.recv(1)
        except TimeoutError:
            self.connection.settimeout(_PATIENCE_S)
            return False
        return True

    def _answer(self, status: HTTPStatus, kind: str, body: bytes, policy: str) -> None:
        self._begin(status, kind, policy)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _begin(self, status: HTTPStatus, kind: str, policy: str) -> None:
        self.connection.settimeout(_PATIENCE_S)  # for each piece that is sent as a whole
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", policy)
        for name, value in _HEADERS:
            self.send_header(name, value)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Say in a few words what is wrong, and nothing of what was asked for."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:  # so the base class answers any method but ours
            status = HTTPStatus.METHOD_NOT_ALLOWED
        body = f"{status.value} {status.phrase}\n".encode()
        self.close_connection = True
        self._begin(status, "text/plain; charset=utf-8", _OTHER_POLICY)
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        """Return what the header `Server` says: no versions."""
        return "deia"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class calls it so
        """Log nothing: the address has the token in it."""
