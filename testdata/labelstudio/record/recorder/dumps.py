"""schema.sql and base.sql: what a test loads into an empty database."""

from __future__ import annotations

import re

from .labelstudio import DATABASE
from .postgres import Server
from .wal import TABLES

# Lines of pg_dump that other versions of the server or of psql do not know, or that would change the caller's session.
_UNWANTED = re.compile(r"\\(un)?restrict |SET transaction_timeout |SELECT pg_catalog\.set_config\('search_path'")
_REFERENCE = re.compile(r"FOREIGN KEY .* REFERENCES public\.(\w+)\(")
_NEEDS_EXTENSION = re.compile(r"gin_trgm_ops|btree_gin")
_HEAD = re.compile(r"-- Dumped (from|by) ")


def schema(server: Server, version: str) -> str:
    """Returns schema.sql: the tables of the record as Label Studio's migrations make them."""
    text = server.dump(DATABASE, "--schema-only", "--no-owner", "--no-privileges", "--no-publications", *_tables())
    statements = [statement for statement in _statements(text) if _loadable(statement)]
    major = server.version().split(".")[0]
    head = (
        f"-- Label Studio {version} (PyPI) on PostgreSQL {major}: the tables that the webhook sidecar needs, as its "
        "migrations create them.\n"
        "-- Left out: indexes that need an extension, and foreign keys to tables that are not here.\n"
        "-- Loads with: psql -v ON_ERROR_STOP=1 -f schema.sql\n"
    )
    return head + "\n\n" + "\n\n".join(statements) + "\n"


def base(server: Server) -> str:
    """Returns base.sql: the rows before the first scenario, and the sequences."""
    text = server.dump(DATABASE, "--data-only", "--no-owner", "--no-privileges", *_tables())
    head = (
        "-- Data before the first scenario (organizations 1-2, users 1-3, projects 1-4, tasks 1-24, webhooks 1-10). "
        "One transaction: the foreign keys are deferred.\n"
        "BEGIN;\n"
    )
    return head + "\n\n" + "\n\n".join(_statements(text)) + "\n\n\nCOMMIT;\n"


def _tables() -> list[str]:
    return [argument for table in TABLES for argument in ("-t", f"public.{table}")]


def _statements(dump: str) -> list[str]:
    """Returns the statements of a dump without its comments; a COPY block is one statement, its rows untouched."""
    statements: list[str] = []
    block: list[str] = []
    in_copy = False
    for line in dump.split("\n"):
        if in_copy:
            block.append(line)
            if line == "\\.":
                statements.append("\n".join(block))
                block, in_copy = [], False
        elif line.startswith("COPY public."):
            block, in_copy = [line], True
        elif _UNWANTED.match(line) or (line.startswith("--") and not _HEAD.match(line)):
            continue
        elif line:
            block.append(line)
        elif block:
            statements.append("\n".join(block))
            block = []
    if block:
        statements.append("\n".join(block))
    return statements


def _loadable(statement: str) -> bool:
    """Whether a statement of the schema can be executed without extensions and without the tables left out."""
    reference = _REFERENCE.search(statement)
    if reference and reference.group(1) not in TABLES:
        return False
    return not (statement.startswith("CREATE INDEX") and _NEEDS_EXTENSION.search(statement))
