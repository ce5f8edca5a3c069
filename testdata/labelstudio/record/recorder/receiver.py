"""The HTTP receiver that the hooks point at."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# The headers that every HTTP client sets by itself. Whatever else is in a request comes from the hook.
_CLIENT_HEADERS = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-length"}


@dataclass(frozen=True)
class Request:
    """One delivery, as it arrived."""

    hook: int
    method: str
    headers: dict[str, str]
    body: bytes
    arrived: float = field(compare=False)

    @property
    def json(self) -> Any:
        """The body as JSON, or as text when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return self.body.decode("utf-8", "replace")

    @property
    def action(self) -> str:
        """The action that the body names, or an empty string."""
        body = self.json
        return str(body.get("action", "")) if isinstance(body, dict) else ""

    @property
    def by_hooktail(self) -> bool:
        """Whether hooktail sent it, and not Label Studio."""
        return self.headers.get("user-agent", "").lower().startswith("hooktail/")

    def recorded(self) -> dict[str, Any]:
        """The request as in expected.json: without what every HTTP client adds by itself."""
        headers = {name: value for name, value in self.headers.items() if name not in _CLIENT_HEADERS}
        return {
            "hook": self.hook,
            "action": self.action,
            "method": self.method,
            "headers": headers,
            "body": self.json,
        }


class Receiver:
    """Answers 200 to every request at /h/HOOK and keeps it. Safe for use by several threads."""

    def __init__(self, port: int) -> None:
        self._requests: list[Request] = []
        self._lock = threading.Lock()
        try:
            self._server = _Server(("127.0.0.1", port), _handler(self))
        except OSError as error:
            raise SystemExit(f"the receiver cannot listen on port {port}: {error}") from error
        self.url = f"http://127.0.0.1:{self._server.server_port}/h/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Closes the port and waits for the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def keep(self, request: Request) -> None:
        """Adds one request."""
        with self._lock:
            self._requests.append(request)

    def seen(self) -> list[Request]:
        """Returns what arrived since the last take, and keeps it."""
        with self._lock:
            return list(self._requests)

    def take(self) -> list[Request]:
        """Returns what arrived since the last take, and forgets it."""
        with self._lock:
            taken, self._requests = self._requests, []
        return taken


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            last = self.path.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
            headers = {name.lower(): value for name, value in self.headers.items()}
            hook = int(last) if last.isdigit() else 0
            receiver.keep(Request(hook, self.command, headers, body, time.monotonic()))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_PUT = do_GET = do_PATCH = answer

        def log_message(self, *_: object) -> None:
            """Says nothing: the requests are the record."""

    return Handler
