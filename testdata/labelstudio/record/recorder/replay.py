"""The check of a record: its changes.sql, played into a fresh database, make the row changes of its wal.txt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .postgres import Server
from .wal import TABLES, TEXT_OPTIONS, only_tables, parse

_DATABASE = "replay"
_SLOT = "replay"


@dataclass(frozen=True)
class Replayed:
    """How one scenario came out. The errors are psql's, the difference is the first one found."""

    name: str
    same: bool
    reordered: bool
    errors: str
    difference: str


def check(server: Server, folder: Path) -> list[Replayed]:
    """Replays all scenarios of a record, in their order.

    The rows within a transaction are compared as a set: one statement visits its rows in no fixed order.
    """
    server.create_database(_DATABASE)
    for file in ("schema.sql", "base.sql"):
        loaded = server.psql(_DATABASE, "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", str(folder / file))
        if loaded.returncode:
            return [Replayed(file, False, False, loaded.stderr.strip(), "")]
    with server.connect(_DATABASE) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", (_SLOT,))
    results = []
    for scenario in sorted((folder / "scenarios").iterdir()):
        played = server.psql(_DATABASE, "-o", "/dev/null", "-f", str(scenario / "changes.sql"))
        wanted = parse((scenario / "wal.txt").read_bytes().decode())
        results.append(_compare(scenario.name, _decoded(server), wanted, played.stderr.strip()))
    with server.connect(_DATABASE) as connection:
        connection.execute("SELECT pg_drop_replication_slot(%s)", (_SLOT,))
    return results


def _decoded(server: Server) -> list[list[str]]:
    with server.connect(_DATABASE) as connection:
        query = f"SELECT data FROM pg_logical_slot_get_changes('{_SLOT}', NULL, NULL, {TEXT_OPTIONS})"
        return only_tables([row[0] for row in connection.execute(query)], TABLES)


def _compare(name: str, got: list[list[str]], wanted: list[list[str]], errors: str) -> Replayed:
    if got == wanted:
        return Replayed(name, not errors, False, errors, "")
    if [sorted(changes) for changes in got] == [sorted(changes) for changes in wanted]:
        return Replayed(name, not errors, True, errors, "")
    return Replayed(name, False, False, errors, _first_difference(got, wanted))


def _first_difference(got: list[list[str]], wanted: list[list[str]]) -> str:
    for number, (left, right) in enumerate(zip(wanted, got, strict=False), start=1):
        missing, extra = sorted(set(left) - set(right)), sorted(set(right) - set(left))
        if missing or extra:
            return f"transaction {number}: recorded {_short(missing)}, replayed {_short(extra)}"
        if sorted(left) != sorted(right):
            return f"transaction {number}: a row change is there more than once"
    return f"recorded {len(wanted)} transactions, replayed {len(got)}"


def _short(changes: list[str]) -> str:
    return repr(changes[0][:300]) if changes else "nothing"
