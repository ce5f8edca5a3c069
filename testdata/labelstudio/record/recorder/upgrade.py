"""An upgrade of Label Studio on a database with rows, and what it does to them."""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from . import statements
from .labelstudio import DATABASE
from .scenario import Caller
from .scenarios import numbered
from .session import Session
from .statements import StatementLog
from .wal import Slots

_WHOLE_ROWS = ("project", "task_completion")  # as `hooktail setup` leaves them: REPLICA IDENTITY FULL
_CHANGED = re.compile(r"^table public\.\"?(\w+)\"?: (INSERT|UPDATE|DELETE)", re.MULTILINE)

_REMOVE_USER = """
from django.contrib.auth import get_user_model
get_user_model().objects.get(id=2).delete()
"""


@dataclass(frozen=True)
class Step:
    """What one step of the upgrade brought."""

    name: str
    migrations: int
    changes: str


def record(live: Session, out: Path) -> list[Step]:
    """Plays all scenarios, so that there are rows of all kinds, then upgrades; writes a folder per step into out.

    The upgrade is to the Label Studio of the Python that runs this program.
    """
    caller = Caller(live.server, live.app, live.receiver.url)
    for _, scenario in numbered():
        caller.run(scenario.calls, after_each=live.wait_idle)
    live.app.stop()
    recorder = _Recorder(live, out)
    live.app.restart(Path(sys.executable))  # migrates first
    live.wait_idle()
    steps = [recorder.step("01-migrations")]
    live.app.manage(_REMOVE_USER)
    steps.append(recorder.step("02-user-removed"))
    return steps


class _Recorder:
    """Writes what happened since the last step."""

    def __init__(self, live: Session, out: Path) -> None:
        self._live = live
        self._out = out
        with live.server.connect(DATABASE) as connection:
            for table in _WHOLE_ROWS:
                connection.execute(f"ALTER TABLE {table} REPLICA IDENTITY FULL")
        self._slots = Slots(live.server)
        self._log = StatementLog(live.server)
        self._slots.create()
        self._log.take()
        self._migrations = self._applied()

    def step(self, name: str) -> Step:
        """Writes the folder of a step."""
        folder = self._out / name
        folder.mkdir(parents=True, exist_ok=True)
        head = f"-- {name}: the statements that changed rows, in the transactions of the application\n"
        text = self._slots.text()
        (folder / "changes.sql").write_text(head + statements.changes(self._log.take()), encoding="utf-8")
        (folder / "wal.txt").write_text(text, encoding="utf-8")
        (folder / "wal.pgoutput.hex").write_text(self._slots.binary(), encoding="utf-8")
        before, self._migrations = self._migrations, self._applied()
        (folder / "migrations.txt").write_text("".join(f"{one}\n" for one in sorted(self._migrations - before)), encoding="utf-8")
        counts = Counter(" ".join(found) for found in _CHANGED.findall(text))
        changes = ", ".join(f"{n} × {what}" for what, n in sorted(counts.items()))
        return Step(name, len(self._migrations - before), changes)

    def _applied(self) -> set[str]:
        with self._live.server.connect(DATABASE) as connection:
            return {f"{app}.{name}" for app, name in connection.execute("SELECT app, name FROM django_migrations")}
