"""Plays the scenarios and writes the record."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import dumps, statements
from .scenario import Caller, Made, Scenario, describe
from .scenarios import numbered
from .session import Session
from .statements import StatementLog
from .wal import Slots


@dataclass(frozen=True)
class Recorded:
    """What one scenario brought. Surprises are answers with another status than expected."""

    name: str
    requests: int
    surprises: list[str]


def record(live: Session, out: Path, version: str, notes: Path) -> list[Recorded]:
    """Writes schema.sql, base.sql and a folder per scenario into the folder out, which it makes.

    The NOTES.md are written by people: they are taken from the scenarios of the same name in the record `notes`.
    """
    out.mkdir()
    live.wait_idle()
    (out / "schema.sql").write_text(dumps.schema(live.server, version), encoding="utf-8")
    (out / "base.sql").write_text(dumps.base(live.server), encoding="utf-8")
    recorder = _Recorder(live)
    results = []
    for name, scenario in numbered():
        folder = out / "scenarios" / name
        folder.mkdir(parents=True)
        written = notes / "scenarios" / name / "NOTES.md"
        if written.exists():
            shutil.copyfile(written, folder / "NOTES.md")
        results.append(recorder.record(folder, scenario))
    return results


def publish(record_folder: Path, out: Path) -> None:
    """Puts a finished record in the place of the one in out, if there is one."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out / "scenarios", ignore_errors=True)
    for part in ("schema.sql", "base.sql"):
        shutil.copyfile(record_folder / part, out / part)
    shutil.copytree(record_folder / "scenarios", out / "scenarios")


class _Recorder:
    """Plays one scenario after another, and writes what each brought."""

    def __init__(self, live: Session) -> None:
        self._live = live
        self._caller = Caller(live.server, live.app, live.receiver.url)
        self._slots = Slots(live.server)
        self._log = StatementLog(live.server)
        self._slots.create()
        self._log.take()

    def record(self, folder: Path, scenario: Scenario) -> Recorded:
        """Makes the scenario's calls and writes its files."""
        live = self._live
        first = self._slots.position()
        made = self._caller.run(scenario.calls, after_each=live.wait_idle)
        last = self._slots.position()
        requests = live.receiver.take()
        hidden = {str(live.app.folder): "${LAB}", f"127.0.0.1:{live.app.port}": "127.0.0.1:8090"}
        head = f"-- {folder.name}: the statements that changed rows, in the transactions of the application\n"
        expected = [request.recorded() for request in requests]
        _write(folder / "api.txt", describe(made, first, last, hidden))
        _write(folder / "changes.sql", head + (statements.changes(self._log.take()) or "\n"))
        _write(folder / "wal.txt", self._slots.text())
        _write(folder / "wal.pgoutput.hex", self._slots.binary())
        _write(folder / "expected.json", json.dumps(expected, indent=1, ensure_ascii=False))
        return Recorded(folder.name, len(requests), [_surprise(one) for one in made if one.surprising])


def _surprise(made: Made) -> str:
    call = made.call
    return f"{call.method} {made.path} as user {call.user}: {made.answer.status} {made.answer.text[:300]}"


def _write(file: Path, text: str) -> None:
    """Writes a text as it is: no newline is translated."""
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
