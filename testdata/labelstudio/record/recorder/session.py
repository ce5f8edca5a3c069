"""Everything that runs while scenarios are played: server, Label Studio, receiver, base data."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import base
from .labelstudio import DATABASE, LabelStudio
from .postgres import APPLICATION, Server
from .receiver import Receiver

_IDLE_SECONDS = 60.0


@dataclass(frozen=True)
class Session:
    """A Label Studio with the base data, ready for the first scenario."""

    server: Server
    app: LabelStudio
    receiver: Receiver

    def wait_idle(self) -> None:
        """Returns when no session of Label Studio is within a statement or a transaction."""
        deadline = time.monotonic() + _IDLE_SECONDS
        query = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND state <> 'idle' AND backend_type = %s"
        with self.server.connect(DATABASE) as connection:
            while True:
                row = connection.execute(query, (APPLICATION, "client backend")).fetchone()
                if row == (0,):
                    return
                if time.monotonic() > deadline:
                    raise RuntimeError("Label Studio does not come to rest")
                time.sleep(0.02)


@contextlib.contextmanager
def session(folder: Path, hook_port: int, python: Path = Path(sys.executable)) -> Iterator[Session]:
    """Starts everything in a folder, makes the base, and stops everything afterwards.

    Label Studio is the one of the given Python.
    """
    with contextlib.ExitStack() as stack:
        receiver = Receiver(hook_port)
        receiver.start()
        stack.callback(receiver.stop)
        server = Server(folder / "pg")
        server.folder.mkdir()
        stack.callback(server.stop)
        server.start()
        app = LabelStudio(server, folder / "app", python)
        stack.callback(app.stop)
        app.start()
        base.build(server, app, receiver.url)
        receiver.take()
        yield Session(server, app, receiver)
