"""What a scenario is, and how its calls are made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .labelstudio import DATABASE, Answer, LabelStudio
from .postgres import Server

_LINE_LIMIT = 3000  # characters of a body or an answer in api.txt


@dataclass(frozen=True)
class Kept:
    """Stands in a body for an id that an earlier call kept. Several ids within a list become items of that list."""

    name: str


@dataclass(frozen=True)
class Call:
    """One call of the REST API.

    Names in braces in the path stand for kept ids, as `Kept` does in the body. `keep` names the id of the answer for
    later calls; `keep_rows` names the ids that a query finds after the call. `status` is the answer's expected class
    or code: 2 stands for any 2xx.
    """

    method: str
    path: str
    body: Any = None
    user: int = 1
    file: tuple[str, str] | None = None
    keep: str = ""
    keep_rows: tuple[str, str] | None = None
    status: int = 2


@dataclass(frozen=True)
class Tolerance:
    """What hooktail may do otherwise than Label Studio in a scenario, with the reason.

    extra: actions that hooktail may send and Label Studio does not; ignore: paths within bodies that may differ, as
    shell patterns; merge: actions whose task lists are compared as the union over all requests of a hook.
    """

    reason: str
    extra: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    merge: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """Some calls that are recorded together, under the name of a folder (its number goes before it)."""

    name: str
    calls: tuple[Call, ...]
    tolerance: Tolerance | None = None


def scenario(name: str, *calls: Call, tolerance: Tolerance | None = None) -> Scenario:
    """Returns a scenario of these calls."""
    return Scenario(name, calls, tolerance)


def post(path: str, body: Any = None, **more: Any) -> Call:
    """A POST call."""
    return Call("POST", path, body, **more)


def patch(path: str, body: Any, **more: Any) -> Call:
    """A PATCH call."""
    return Call("PATCH", path, body, **more)


def put(path: str, body: Any, **more: Any) -> Call:
    """A PUT call."""
    return Call("PUT", path, body, **more)


def delete(path: str, **more: Any) -> Call:
    """A DELETE call."""
    return Call("DELETE", path, **more)


@dataclass(frozen=True)
class Made:
    """A call that was made: as it was sent, and what came back."""

    call: Call
    path: str
    body: Any
    answer: Answer

    @property
    def surprising(self) -> bool:
        """Whether the answer's status is another one than the scenario expects."""
        expected = self.call.status
        return self.answer.status != expected and self.answer.status // 100 != expected


class Caller:
    """Makes the calls of scenarios one after another, and remembers the ids that they keep."""

    def __init__(self, server: Server, app: LabelStudio, hook_url: str) -> None:
        self._server = server
        self._app = app
        self._texts: dict[str, str] = {"HOOK": hook_url, "FILES": str(app.files)}
        self._kept: dict[str, Any] = {}

    def make(self, call: Call) -> Made:
        """Makes one call. Never fails because of the answer's status."""
        path = call.path.format_map(self._kept)
        body = self._fill(call.body)
        answer = self._app.call(call.user, call.method, path, body, call.file)
        if call.keep:
            found = answer.json
            self._kept[call.keep] = found.get("id", 0) if isinstance(found, dict) else 0
        if call.keep_rows:
            name, query = call.keep_rows
            with self._server.connect(DATABASE) as connection:
                self._kept[name] = [row[0] for row in connection.execute(query)]
        return Made(call, path, body, answer)

    def run(self, calls: tuple[Call, ...], after_each: Callable[[], None]) -> list[Made]:
        """Makes all calls of a scenario and calls after_each after every one of them."""
        made = []
        for call in calls:
            made.append(self.make(call))
            after_each()
        return made

    def _fill(self, value: Any) -> Any:
        if isinstance(value, Kept):
            return self._kept[value.name]
        if isinstance(value, dict):
            return {key: self._fill(item) for key, item in value.items()}
        if isinstance(value, list):
            filled: list[Any] = []
            for item in value:
                several = isinstance(item, Kept) and isinstance(self._kept[item.name], list)
                filled += self._fill(item) if several else [self._fill(item)]
            return filled
        if isinstance(value, str):
            for name, text in self._texts.items():
                value = value.replace(f"<{name}>", text)
        return value


def describe(made: list[Made], first: str, last: str, hidden: dict[str, str]) -> str:
    """Returns the text of api.txt. hidden maps texts that differ from machine to machine to what is written instead."""
    lines = [f"# WAL {first} .. {last}"]
    for one in made:
        lines.append(f"{one.call.method} {one.path}   (user {one.call.user})")
        if one.call.file is not None:
            name, content = one.call.file
            lines.append(f"  file: {name}")
            lines += [f"    {line}" for line in content.split("\n")]
        elif one.body is not None:
            lines.append(f"  body: {_shorten(json.dumps(one.body, ensure_ascii=False))}")
        answer = one.answer.json
        text = json.dumps(one.answer.text if answer is None else answer, ensure_ascii=False)
        lines.append(f"  -> {one.answer.status} {_shorten(text)}")
    text = "\n".join(lines) + "\n"
    for secret, shown in hidden.items():
        text = text.replace(secret, shown)
    return text


def _shorten(text: str) -> str:
    return text if len(text) <= _LINE_LIMIT else text[:_LINE_LIMIT] + "..."
