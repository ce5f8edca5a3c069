"""Two replication slots on Label Studio's database, read once per scenario."""

from __future__ import annotations

import re

from .labelstudio import DATABASE
from .postgres import Server

# The tables of the record. Label Studio has many more; the row changes of those are left out.
TABLES = (
    "data_import_fileupload",
    "data_manager_view",
    "htx_user",
    "organization",
    "organizations_organizationmember",
    "prediction",
    "project",
    "projects_projectmember",
    "projects_projectsummary",
    "task",
    "task_comment_authors",
    "task_completion",
    "tasks_annotationdraft",
    "tasks_tasklock",
    "webhook",
    "webhook_action",
)
PUBLISHED = ("project", "task", "task_completion", "webhook", "webhook_action")

_PUBLICATION = "recorder"
_TEXT_SLOT = "recorder_text"
_BINARY_SLOT = "recorder_binary"
_CHANGE = re.compile(r'table public\."?(\w+)"?: ')

TEXT_OPTIONS = "'include-xids', '0', 'skip-empty-xacts', '1'"


class Slots:
    """The changes of Label Studio's database since the last look, in both forms of the record."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def create(self) -> None:
        """Makes the publication and then the slots."""
        with self._server.connect(DATABASE) as connection:
            connection.execute(f"CREATE PUBLICATION {_PUBLICATION} FOR TABLE {', '.join(PUBLISHED)}")
            for name, plugin in ((_TEXT_SLOT, "test_decoding"), (_BINARY_SLOT, "pgoutput")):
                connection.execute("SELECT pg_create_logical_replication_slot(%s, %s)", (name, plugin))

    def position(self) -> str:
        """Returns the end of the WAL."""
        with self._server.connect(DATABASE) as connection:
            row = connection.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
        assert row is not None
        return str(row[0])

    def text(self) -> str:
        """Returns wal.txt: the row changes of TABLES by test_decoding."""
        with self._server.connect(DATABASE) as connection:
            query = f"SELECT data FROM pg_logical_slot_get_changes('{_TEXT_SLOT}', NULL, NULL, {TEXT_OPTIONS})"
            return render(only_tables([row[0] for row in connection.execute(query)], TABLES))

    def binary(self) -> str:
        """Returns wal.pgoutput.hex: one line "LSN hex" per message of pgoutput, protocol version 1."""
        with self._server.connect(DATABASE) as connection:
            query = (
                "SELECT lsn::text || ' ' || encode(data, 'hex') FROM pg_logical_slot_get_binary_changes("
                f"'{_BINARY_SLOT}', NULL, NULL, 'proto_version', '1', 'publication_names', '{_PUBLICATION}')"
            )
            lines = [row[0] for row in connection.execute(query)]
        return "".join(f"{line}\n" for line in _without_empty(lines))


def only_tables(records: list[str], tables: tuple[str, ...]) -> list[list[str]]:
    """Returns the row changes of the tables by transaction; transactions without any are left out."""
    transactions: list[list[str]] = []
    current: list[str] = []
    for record in records:
        if record == "BEGIN":
            current = []
        elif record == "COMMIT":
            if current:
                transactions.append(current)
        elif (change := _CHANGE.match(record)) and change.group(1) in tables:
            current.append(record)
    return transactions


def render(transactions: list[list[str]]) -> str:
    """Returns transactions as the text of wal.txt."""
    lines: list[str] = []
    for changes in transactions:
        lines += ["BEGIN", *changes, "COMMIT"]
    return "".join(f"{line}\n" for line in lines)


def parse(text: str) -> list[list[str]]:
    """Returns the transactions of a wal.txt. A change may go over several lines, for so may the values."""
    records = re.split(r"\n(?=BEGIN(?:\n|$)|COMMIT(?:\n|$)|table public\.)", text.strip("\n"))
    return only_tables(records, TABLES)


def _without_empty(lines: list[str]) -> list[str]:
    """Drops transactions without a message between Begin and Commit: servers before 15 send those."""
    kept: list[str] = []
    for line in lines:
        kind = line.split(" ", 1)[1][:2]
        if kind == "43" and kept and kept[-1].split(" ", 1)[1].startswith("42"):
            kept.pop()
            continue
        kept.append(line)
    return kept
