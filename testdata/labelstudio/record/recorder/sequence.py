"""The transactions of each scenario, as far as hooktail tells the end of an action by them."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

_CHANGE = re.compile(r"table public\.(project|task|task_completion): (INSERT|UPDATE|DELETE):")
_UPDATED_AT = re.compile(r" updated_at\[[^]]*\]:'([^']*)'")
_UPDATED_BY = re.compile(r" updated_by_id\[[^]]*\]:(\w+)")


def of_record(folder: Path) -> dict[str, list[str]]:
    """Returns the sequence of each scenario of a record, by name."""
    files = sorted((folder / "scenarios").glob("*/wal.txt"))
    return {file.parent.name: of_wal(file.read_text(encoding="utf-8")) for file in files}


def of_wal(text: str) -> list[str]:
    """Returns what each transaction does to projects, tasks and annotations, in order.

    An update of a task is its counters or a stamp, as in mapping/endings.go: a stamp sets updated_at later than that of
    the last annotation that was written. Transactions without such changes are left out.
    """
    sequence: list[str] = []
    written, current = "", []
    for line in text.splitlines():
        if line.startswith("BEGIN"):
            current = []
        elif line.startswith("COMMIT"):
            if current:
                sequence.append(", ".join(_counted(current)))
        elif found := _CHANGE.match(line):
            table, operation = found.groups()
            at = _UPDATED_AT.search(line)
            if table == "task_completion" and at:
                written = at[1]
            current.append(_task_update(line, written) if (table, operation) == ("task", "UPDATE") else f"{operation} {table}")
    return sequence


def _task_update(line: str, written: str) -> str:
    at, by = _UPDATED_AT.search(line), _UPDATED_BY.search(line)
    if not written or at is None:
        return "UPDATE task"
    if at[1] <= written:
        return "counters of task"
    return "stamp of task" if by is None or by[1] == "null" else "stamp of task with user"


def _counted(changes: list[str]) -> list[str]:
    """Several rows changed in one way are one entry: how many there are depends on the scenario's data alone."""
    return [change if len(list(rows)) == 1 else f"{change}, several" for change, rows in groupby(changes)]


def compare(old: Path, new: Path) -> list[str]:
    """Returns the scenarios whose transactions are others, with the first that is."""
    before, after = of_record(old), of_record(new)
    lines = []
    for name in sorted(before.keys() & after.keys()):
        was, now = before[name], after[name]
        if was == now:
            continue
        at = next((n for n, pair in enumerate(zip(was, now, strict=False)) if pair[0] != pair[1]), min(len(was), len(now)))
        lines.append(f"scenario {name}: transaction {at + 1} was {_nth(was, at)}, is {_nth(now, at)} ({len(was)} were, {len(now)} are)")
    return lines


def _nth(sequence: list[str], n: int) -> str:
    return sequence[n] if n < len(sequence) else "none"
