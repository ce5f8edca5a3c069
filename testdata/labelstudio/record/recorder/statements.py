"""The server's log of statements, turned into changes.sql.

Label Studio talks to PostgreSQL with values written into the statements (psycopg's client-side binding), so the log has
every statement as it can be run again. The log is CSV, in the order in which the statements came.
"""

from __future__ import annotations

import csv
import io
import re
import sys
import time
from dataclasses import dataclass, field

import psycopg

from .labelstudio import DATABASE
from .postgres import APPLICATION, Server
from .wal import TABLES

csv.field_size_limit(sys.maxsize)

_LOG_SECONDS = 30.0

# Columns of the CSV log, from the chapter "Error Reporting and Logging" of PostgreSQL's manual.
_USER, _SESSION, _SEVERITY, _MESSAGE = 1, 5, 11, 13

_STATEMENT = re.compile(r"statement: (.*)", re.DOTALL)
_PREPARED = re.compile(r"execute [^:]+: (.*)", re.DOTALL)
_WRITE = re.compile(
    r'\s*(?:INSERT INTO|UPDATE|DELETE FROM|MERGE INTO|COPY)\s+(?:ONLY\s+)?"?(?:public"?\."?)?(\w+)', re.I
)
_SAVEPOINT = re.compile(r"\s*(SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT)\b", re.I)
_BEGIN = re.compile(r"\s*(BEGIN|START TRANSACTION)\b", re.I)
_COMMIT = re.compile(r"\s*(COMMIT|END)\b", re.I)
_ROLLBACK = re.compile(r"\s*(ROLLBACK|ABORT)\s*;?\s*$", re.I)


class StatementLog:
    """The statements of Label Studio since the last look."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._offset = 0
        self._marks = 0
        with server.connect(DATABASE) as connection:
            self._enable(connection)

    def take(self) -> str:
        """Returns the CSV log since the last take. To be called while Label Studio is idle."""
        mark = self._mark().encode()
        deadline = time.monotonic() + _LOG_SECONDS
        while True:
            with open(self._server.log, "rb") as log:
                log.seek(self._offset)
                text = log.read()
            end = text.find(mark)
            line_end = text.find(b"\n", end)
            if end >= 0 and line_end >= 0:
                self._offset += line_end + 1
                return text[: line_end + 1].decode("utf-8", "replace")
            if time.monotonic() > deadline:
                raise RuntimeError(f"the server's log {self._server.log} does not show what was executed")
            time.sleep(0.01)

    def _mark(self) -> str:
        """Has the server log a text that marks the end of what is to be read."""
        self._marks += 1
        mark = f"recorder mark {self._marks}."
        with self._server.connect(DATABASE) as connection:
            connection.execute(f"SELECT '{mark}'")
        return mark

    def _enable(self, connection: psycopg.Connection) -> None:
        connection.execute("ALTER ROLE CURRENT_USER SET log_statement = 'all'")


@dataclass
class _Session:
    """One session of Label Studio within its transaction, if there is one."""

    open: bool = False
    statements: list[str] = field(default_factory=list)
    latest: str = ""


def changes(log: str) -> str:
    """Returns the statements of the log that write to TABLES, alone or within BEGIN and COMMIT as they were sent.

    Transactions are in the order of their commits. What was rolled back is left out unless it took an id from a
    sequence: then it is kept with its ROLLBACK, so that the ids after it come out the same.
    """
    sessions: dict[str, _Session] = {}
    blocks: list[str] = []
    for row in csv.reader(io.StringIO(log, newline="")):
        if len(row) <= _MESSAGE or row[_USER] != APPLICATION:
            continue
        session = sessions.setdefault(row[_SESSION], _Session())
        if row[_SEVERITY] == "ERROR":
            _drop_failed(session, blocks)
        if (prepared := _PREPARED.match(row[_MESSAGE])) and _WRITE.match(prepared.group(1)):
            raise RuntimeError("Label Studio sends values apart from statements (server-side binding): not supported")
        if statement := _STATEMENT.match(row[_MESSAGE]):
            session.latest = statement.group(1)
            _add(session, blocks, session.latest)
    return "".join(f"{block}\n\n" for block in blocks)


def _add(session: _Session, blocks: list[str], statement: str) -> None:
    if _BEGIN.match(statement):
        session.open, session.statements = True, []
    elif _COMMIT.match(statement):
        _close(session, blocks, "COMMIT")
    elif _ROLLBACK.match(statement):
        if any(kept.lstrip().upper().startswith("INSERT") for kept in session.statements):
            _close(session, blocks, "ROLLBACK")
        session.open, session.statements = False, []
    elif _writes(statement):
        if session.open:
            session.statements.append(_terminated(statement))
        else:
            blocks.append(_terminated(statement))
    elif session.open and _SAVEPOINT.match(statement):
        session.statements.append(_terminated(statement))


def _writes(statement: str) -> bool:
    table = _WRITE.match(statement)
    return table is not None and table.group(1) in TABLES


def _close(session: _Session, blocks: list[str], ending: str) -> None:
    """Ends a transaction; it is kept if it writes, without savepoints around nothing."""
    statements = _without_empty_savepoints(session.statements)
    if any(_writes(statement) for statement in statements):
        blocks.append("\n".join(["BEGIN;", *statements, f"{ending};"]))
    session.open, session.statements = False, []


def _without_empty_savepoints(statements: list[str]) -> list[str]:
    kept: list[str] = []
    for statement in statements:
        released = statement.upper().startswith("RELEASE SAVEPOINT")
        if released and kept and kept[-1].upper().startswith("SAVEPOINT") and _name(kept[-1]) == _name(statement):
            kept.pop()
            continue
        kept.append(statement)
    return kept


def _name(statement: str) -> str:
    return statement.rstrip(";").rsplit(" ", 1)[-1]


def _drop_failed(session: _Session, blocks: list[str]) -> None:
    """Forgets the session's latest statement, which the server has just refused."""
    kept = session.statements if session.open else blocks
    if kept and kept[-1] == _terminated(session.latest):
        kept.pop()


def _terminated(statement: str) -> str:
    return statement.strip().rstrip(";") + ";"
