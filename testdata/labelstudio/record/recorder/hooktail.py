"""A hooktail process beside Label Studio."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from .labelstudio import DATABASE, free_port
from .postgres import ADMIN, Server

_SLOT = "hooktail"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


class HooktailError(RuntimeError):
    """hooktail cannot be built or started, or ended by itself."""


def build(repository: Path, folder: Path) -> Path:
    """Builds the binary from the repository's source and returns its path."""
    binary = folder / "hooktail"
    command = ["go", "build", "-o", str(binary), "./cmd/hooktail"]
    done = subprocess.run(command, check=False, cwd=repository, capture_output=True, text=True)
    if done.returncode:
        raise HooktailError(f"{' '.join(command)}:\n{done.stderr.strip()}")
    return binary


class Hooktail:
    """One hooktail with the native profile on Label Studio's database."""

    def __init__(self, binary: Path, server: Server, folder: Path) -> None:
        self._binary = binary
        self._server = server
        self._log = folder / "hooktail.log"
        self._process: subprocess.Popen[bytes] | None = None
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HOOKTAIL_")}
        self._environment = {
            **kept,
            "HOOKTAIL_DATABASE_URL": server.url(DATABASE, ADMIN),
            "HOOKTAIL_PROFILE": "native",
            "HOOKTAIL_SEND_SECRETS": "true",
            "HOOKTAIL_HTTP_ADDR": f"127.0.0.1:{free_port()}",
            "HOOKTAIL_LOG_LEVEL": "debug",
        }

    def start(self) -> None:
        """Sets the database up, starts hooktail, and returns when it reads from its slot."""
        with open(self._log, "wb") as log:
            done = subprocess.run(
                [str(self._binary), "setup"],
                check=False,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if done.returncode:
            raise HooktailError(f"hooktail setup: exit code {done.returncode}\n{self.said()}")
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [str(self._binary), "run"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._reads():
            self.check()
            if time.monotonic() > deadline:
                raise HooktailError(f"hooktail does not read from its slot\n{self.said()}")
            time.sleep(0.1)

    def check(self) -> None:
        """Fails when the process has ended."""
        if self._process is not None and (code := self._process.poll()) is not None:
            raise HooktailError(f"hooktail ended with exit code {code}\n{self.said()}")

    def stop(self) -> int | None:
        """Ends the process in an orderly way and returns its exit code, or None if it had to be killed."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def said(self) -> str:
        """Returns the end of its log."""
        return self._log.read_text(errors="replace")[-4000:]

    def _reads(self) -> bool:
        with self._server.connect(DATABASE) as connection:
            query = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"
            return connection.execute(query, (_SLOT,)).fetchone() == (True,)
