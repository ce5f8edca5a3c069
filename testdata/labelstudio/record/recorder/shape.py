"""The comparison of a record with an earlier one: what a new version of Label Studio sends otherwise."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from . import sequence

# Objects whose keys are data of the tasks and projects, not fields of Label Studio's payload.
_FREE = {"data", "meta", "result", "prediction", "parsed_label_config", "control_weights", "data_types"}


def compare(old: Path, new: Path) -> list[str]:
    """Returns one line per difference between two records: tables, requests and transactions per scenario, fields per action."""
    lines = _tables(old / "schema.sql", new / "schema.sql")
    before, after = _expected(old), _expected(new)
    for name in sorted(before.keys() - after.keys()):
        lines.append(f"scenario {name}: not recorded")
    for name in sorted(after.keys() - before.keys()):
        lines.append(f"scenario {name}: new")
    for name in sorted(before.keys() & after.keys()):
        lines += _requests(name, before[name], after[name])
    return lines + _fields(before, after) + sequence.compare(old, new)


def _expected(folder: Path) -> dict[str, list[dict[str, Any]]]:
    files = sorted((folder / "scenarios").glob("*/expected.json"))
    return {file.parent.name: json.loads(file.read_bytes()) for file in files}


def _requests(name: str, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    was, now = (Counter((request["hook"], request["action"]) for request in side) for side in (before, after))
    gone = [f"scenario {name}: hook {hook} no longer gets {action}" for hook, action in (was - now).elements()]
    come = [f"scenario {name}: hook {hook} now gets {action}" for hook, action in (now - was).elements()]
    return gone + come


def _fields(before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]) -> list[str]:
    was, now = _fields_by_action(before), _fields_by_action(after)
    lines = []
    for action in sorted(was.keys() | now.keys()):
        gone, come = was.get(action, {}), now.get(action, {})
        lines += [f"{action}: {path} is gone" for path in sorted(gone.keys() - come.keys())]
        lines += [f"{action}: {path} is new" for path in sorted(come.keys() - gone.keys())]
        for path in sorted(gone.keys() & come.keys()):
            if gone[path] != come[path]:
                lines.append(f"{action}: {path} was {_types(gone[path])}, is {_types(come[path])}")
    return lines


def _fields_by_action(record: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, set[str]]]:
    """Returns the JSON types seen at each path of the bodies, by action."""
    actions: dict[str, dict[str, set[str]]] = {}
    for requests in record.values():
        for request in requests:
            _walk(request["body"], "$", actions.setdefault(request["action"], {}))
    return actions


def _walk(value: Any, path: str, seen: dict[str, set[str]]) -> None:
    seen.setdefault(path, set()).add(_type(value))
    if isinstance(value, dict):
        for key, item in value.items():
            if key in _FREE:
                seen.setdefault(f"{path}.{key}", set())
            else:
                _walk(item, f"{path}.{key}", seen)
    elif isinstance(value, list):
        for item in value:
            _walk(item, f"{path}[]", seen)


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    names = {str: "string", list: "array", dict: "object", type(None): "null"}
    return names[type(value)]


def _types(names: set[str]) -> str:
    return " or ".join(sorted(names)) or "nothing"


def _tables(before: Path, after: Path) -> list[str]:
    was, now = _columns(before.read_text(encoding="utf-8")), _columns(after.read_text(encoding="utf-8"))
    lines = []
    for table in sorted(was.keys() | now.keys()):
        gone, come = was.get(table, {}), now.get(table, {})
        lines += [f"column {table}.{column} is gone" for column in gone if column not in come]
        lines += [f"column {table}.{column} is new: {come[column]}" for column in come if column not in gone]
        for column in gone.keys() & come.keys():
            if gone[column] != come[column]:
                lines.append(f"column {table}.{column} was {gone[column]}, is {come[column]}")
    return lines


def _columns(schema: str) -> dict[str, dict[str, str]]:
    """Returns the definitions of the columns of every table of a schema.sql."""
    tables: dict[str, dict[str, str]] = {}
    for table, body in re.findall(r"CREATE TABLE public\.(\w+) \((.*?)\n\);", schema, re.DOTALL):
        definitions = (line.strip().rstrip(",").partition(" ") for line in body.strip().split("\n"))
        tables[table] = {name.strip('"'): kind for name, _, kind in definitions if name != "CONSTRAINT"}
    return tables
