"""A Label Studio process on a throwaway database, and a client of its REST API."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .postgres import APPLICATION, Server

DATABASE = "labelstudio"
FIRST_USER = "lab@example.com"

_START_SECONDS = 600.0  # migrations included, on a slow machine
_CALL_SECONDS = 120.0


@dataclass(frozen=True)
class Answer:
    """The answer to one call of the REST API."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        """The body as JSON, or None when it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


def free_port() -> int:
    """Returns a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LabelStudio:
    """One Label Studio, without the internet, run by the Python that runs this program, or by another one.

    Webhooks are sent inside the request that causes them, since there is no Redis: when a call has returned,
    everything that it causes has happened.
    """

    def __init__(self, server: Server, folder: Path, python: Path = Path(sys.executable)) -> None:
        self.server = server
        self.folder = folder
        self.files = folder / "files"
        self.port = free_port()
        self.tokens: dict[int, str] = {1: secrets.token_hex(20)}
        self._process: subprocess.Popen[bytes] | None = None
        self._python = python

    def start(self) -> None:
        """Migrates the database, makes user 1 with organization 1, and returns when the server answers."""
        self.folder.mkdir(parents=True)
        self.files.mkdir()
        self.server.create_database(DATABASE)
        self._run()

    def restart(self, python: Path) -> None:
        """Starts it again, after stop, with the Label Studio of another Python: an upgrade."""
        self._python = python
        self._run()

    def manage(self, script: str) -> None:
        """Runs a script within the application, as `manage.py shell` does."""
        setup = (
            "import os, sys, label_studio; sys.path.insert(0, os.path.dirname(label_studio.__file__)); "
            'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings.label_studio"); import django; django.setup()'
        )
        done = subprocess.run(
            [str(self._python), "-c", setup + "\n" + script],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self._environment(),
        )
        if done.returncode:
            raise RuntimeError(f"script within Label Studio: {done.stderr[-4000:]}")

    def _run(self) -> None:
        command = [str(self._python), "-c", "from label_studio.server import main; main()", "start"]
        command += ["--no-browser", "--internal-host", "127.0.0.1", "--port", str(self.port)]
        command += ["--username", FIRST_USER, "--password", secrets.token_hex(12), "--user-token", self.tokens[1]]
        command += ["--enable-legacy-api-token"]
        with open(self.folder / "labelstudio.log", "ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self._environment(),
                start_new_session=True,
            )
        self._wait_ready()

    def stop(self) -> None:
        """Ends the process and waits for it."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def call(self, user: int, method: str, path: str, body: Any = None, file: tuple[str, str] | None = None) -> Answer:
        """Makes one call as a user; with a file (name, content) as an upload, else with a JSON body."""
        headers = {"Authorization": f"Token {self.tokens[user]}"}
        data: bytes | None = None
        if file is not None:
            data, headers["Content-Type"] = _multipart(*file)
        elif body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_CALL_SECONDS)
        try:
            connection.request(method, urllib.parse.quote(path, safe="/?&=%"), data, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode("utf-8", "replace"))
        finally:
            connection.close()

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LABEL_STUDIO_", "HEARTEX_"))}
        return {
            **kept,
            "DJANGO_DB": "default",
            "POSTGRE_HOST": str(self.server.folder),
            "POSTGRE_PORT": "5432",
            "POSTGRE_NAME": DATABASE,
            "POSTGRE_USER": APPLICATION,
            "POSTGRE_PASSWORD": "",
            "LABEL_STUDIO_HOST": f"http://127.0.0.1:{self.port}",
            "LABEL_STUDIO_BASE_DATA_DIR": str(self.folder / "data"),
            "LOCAL_FILES_SERVING_ENABLED": "true",
            "LOCAL_FILES_DOCUMENT_ROOT": str(self.files),
            "SSRF_PROTECTION_ENABLED": "false",
            "COLLECT_ANALYTICS": "false",
            "LATEST_VERSION_CHECK": "false",
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
            "SENTRY_RATE": "0",
            "FRONTEND_SENTRY_RATE": "0",
            "CONVERTER_DOWNLOAD_RESOURCES": "false",
            "DEBUG": "false",
            "PYTHONHASHSEED": "0",  # label_config_hash is Python's hash of a text
            "LOG_LEVEL": "WARNING",
            "TZ": "UTC",
            "NO_PROXY": "*",
        }

    def _wait_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                if self.call(1, "GET", "/health").status == 200:
                    return
            except OSError:
                pass
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "labelstudio.log").read_text(errors="replace")
                raise SystemExit(f"Label Studio does not start:\n{said[-4000:]}")
            time.sleep(0.25)


def _multipart(name: str, content: str) -> tuple[bytes, str]:
    """Returns a form with one file, and its content type."""
    boundary = secrets.token_hex(16)
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    body = f"{head}Content-Type: application/octet-stream\r\n\r\n{content}\r\n--{boundary}--\r\n"
    return body.encode(), f"multipart/form-data; boundary={boundary}"
