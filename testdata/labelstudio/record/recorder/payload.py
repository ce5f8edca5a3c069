"""The comparison of two request bodies, as parsed JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

# Where the order means nothing, since PostgreSQL visits the rows of one statement in none.
_UNORDERED = ("$.tasks", "$.task", "$.annotations", "$.annotation")

_ABSENT = object()


@dataclass(frozen=True)
class Difference:
    """Two values at one path that are not the same; one of them may be absent."""

    path: str
    native: Any
    other: Any

    def __str__(self) -> str:
        return f"{self.path}: {_show(self.native)} != {_show(self.other)}"


def load(body: bytes) -> Any:
    """Returns a body as JSON with its numbers exact, or as text when it is no JSON."""
    try:
        return json.loads(body, parse_float=Decimal)
    except ValueError:
        return body.decode("utf-8", "replace")


def differences(native: Any, other: Any, ignore: tuple[str, ...] = ()) -> list[Difference]:
    """Returns where two bodies differ, but for paths that match one of the shell patterns in ignore.

    Numbers are compared by value: 1e+21 is 1000000000000000000000, and -0.0 is 0.
    """
    found: list[Difference] = []
    _compare(native, other, "$", found)
    return [one for one in found if not any(fnmatchcase(one.path, pattern) for pattern in ignore)]


def _compare(native: Any, other: Any, path: str, found: list[Difference]) -> None:
    if isinstance(native, dict) and isinstance(other, dict):
        for key in [*native, *(key for key in other if key not in native)]:
            _compare(native.get(key, _ABSENT), other.get(key, _ABSENT), f"{path}.{key}", found)
    elif isinstance(native, list) and isinstance(other, list):
        if path in _UNORDERED and _have_ids(native) and _have_ids(other):
            _compare_by_id(native, other, path, found)
        else:
            _compare_in_order(native, other, path, found)
    elif not _same(native, other):
        found.append(Difference(path, native, other))


def _compare_in_order(native: list[Any], other: list[Any], path: str, found: list[Difference]) -> None:
    for index in range(max(len(native), len(other))):
        left = native[index] if index < len(native) else _ABSENT
        right = other[index] if index < len(other) else _ABSENT
        _compare(left, right, f"{path}[{index}]", found)


def _compare_by_id(native: list[Any], other: list[Any], path: str, found: list[Difference]) -> None:
    left, right = ({item["id"]: item for item in side} for side in (native, other))
    for key in [*left, *(key for key in right if key not in left)]:
        _compare(left.get(key, _ABSENT), right.get(key, _ABSENT), f"{path}[id={key}]", found)
    if len(native) != len(left) or len(other) != len(right):
        found.append(Difference(f"{path}.length", len(native), len(other)))


def _have_ids(items: list[Any]) -> bool:
    return all(isinstance(item, dict) and isinstance(item.get("id"), int) for item in items)


def _same(native: Any, other: Any) -> bool:
    if isinstance(native, bool) or isinstance(other, bool):
        return native is other
    return bool(native == other)


def _show(value: Any) -> str:
    if value is _ABSENT:
        return "(absent)"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else f"{text[:120]}..."
