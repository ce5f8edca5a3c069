"""Users who annotate at the same time, with both senders on one hook: when each event arrives, and whether it is equal."""

from __future__ import annotations

import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .base import choice
from .endings import burning
from .labelstudio import DATABASE
from .payload import differences, load
from .receiver import Request
from .scenario import Call, delete, patch, post
from .session import Session

PROJECT = 2  # it has the organization's hooks alone
HOOK = 6
SETTLE = 1.0  # seconds, HOOKTAIL_SETTLE's default
COUNTS = ("$.project.*_number", "$.project.num_tasks_with_annotations")  # move while others annotate

_KINDS = {
    "create": "ANNOTATION_CREATED",
    "update": "ANNOTATION_UPDATED",
    "skip": "ANNOTATION_CREATED",
    "delete": "ANNOTATIONS_DELETED",
}


@dataclass(frozen=True)
class Timed:
    """A call that was made, and when. Its annotation and its kind's action name its event."""

    kind: str
    annotation: int
    began: float
    ended: float

    @property
    def event(self) -> tuple[str, int]:
        """What its requests are found by: each annotation is made, changed and deleted once."""
        return _KINDS[self.kind], self.annotation


def prepare(live: Session, tasks: int) -> list[int]:
    """Imports tasks and returns their ids."""
    live.app.call(1, "POST", f"/api/projects/{PROJECT}/import", [{"data": {"text": f"Load {n}"}} for n in range(tasks)])
    with live.server.connect(DATABASE) as connection:
        query = "SELECT id FROM task WHERE project_id = %s AND data ->> 'text' LIKE 'Load %%' ORDER BY id"
        found = [int(row[0]) for row in connection.execute(query, (PROJECT,))]
    if len(found) != tasks:
        raise RuntimeError(f"{len(found)} of {tasks} tasks were imported")
    return found


def play(live: Session, tasks: list[int], users: int, pause: float, busy: int) -> list[Timed]:
    """Lets users work at the same time, each on tasks of its own, and returns what they did."""
    made: list[Timed] = []
    faults: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for task in tasks[number::users]:
                for timed in _annotate(live, task, 1 + number % 2, skip=task % 2 == 0):
                    made.append(timed)
                    time.sleep(pause)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(users)]
    with burning(busy):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if faults:
        raise faults[0]
    return made


def _annotate(live: Session, task: int, user: int, skip: bool) -> Iterator[Timed]:
    """Makes an annotation or skips the task, changes the annotation, and deletes it."""
    body: dict[str, Any] = {"result": [] if skip else [choice("A")], "lead_time": 1, "was_cancelled": skip}
    timed = _call(live, "skip" if skip else "create", post(f"/api/tasks/{task}/annotations/", body, user=user))
    yield timed
    path = f"/api/annotations/{timed.annotation}/"
    yield _call(live, "update", patch(path, {"result": [choice("B")]}, user=user), timed.annotation)
    yield _call(live, "delete", delete(path, user=user), timed.annotation)


def _call(live: Session, kind: str, call: Call, annotation: int = 0) -> Timed:
    began = time.monotonic()
    answer = live.app.call(call.user, call.method, call.path, call.body)
    ended = time.monotonic()
    if answer.status // 100 != 2:
        raise RuntimeError(f"{call.method} {call.path}: {answer.status} {answer.text[:500]}")
    return Timed(kind, annotation or int(answer.json["id"]), began, ended)


@dataclass
class Arrivals:
    """The requests of one event, by sender."""

    native: Request | None = None
    other: Request | None = None


def match(requests: list[Request]) -> dict[tuple[str, int], Arrivals]:
    """Finds the requests of each event at the hook; a repeated one does not count."""
    found: dict[tuple[str, int], Arrivals] = defaultdict(Arrivals)
    for request in requests:
        if request.hook != HOOK or (event := _event(request)) is None:
            continue
        arrivals = found[event]
        if request.by_hooktail:
            arrivals.other = arrivals.other or request
        else:
            arrivals.native = arrivals.native or request
    return found


def _event(request: Request) -> tuple[str, int] | None:
    body = request.json
    if isinstance(body, dict) and isinstance(body.get("annotation"), dict):
        return request.action, int(body["annotation"]["id"])
    if isinstance(body, dict) and body.get("annotations"):
        return request.action, int(body["annotations"][0]["id"])
    return None


def wait(live: Session, made: list[Timed], seconds: float) -> dict[tuple[str, int], Arrivals]:
    """Waits until both have sent every event, and returns the requests."""
    deadline = time.monotonic() + seconds
    while True:
        found = match(live.receiver.seen())
        complete = all(found[timed.event].native and found[timed.event].other for timed in made)
        if complete or time.monotonic() > deadline:
            live.receiver.take()
            return found
        time.sleep(0.1)


@dataclass(frozen=True)
class Row:
    """How one kind of call came out. Times are in milliseconds after the caller had its answer."""

    kind: str
    calls: int
    took: float  # the call itself, median
    native: float  # median arrival of the built-in's request
    other: float  # median and 95th percentile of hooktail's
    other_p95: float


def times(made: list[Timed], found: dict[tuple[str, int], Arrivals]) -> list[Row]:
    """Returns a row for each kind of call, and one for all."""
    rows = []
    for kind in [*_KINDS, "all"]:
        of_kind = [timed for timed in made if kind in (timed.kind, "all")]
        both = [(timed, found[timed.event]) for timed in of_kind]
        native = [1000 * (a.native.arrived - timed.ended) for timed, a in both if a.native]
        other = sorted(1000 * (a.other.arrived - timed.ended) for timed, a in both if a.other)
        if native and other:
            took = statistics.median(1000 * (timed.ended - timed.began) for timed in of_kind)
            rows.append(Row(kind, len(of_kind), took, statistics.median(native), statistics.median(other), other[len(other) * 95 // 100]))
    return rows


@dataclass
class Bodies:
    """How the bodies of both senders compare."""

    equal: int = 0
    counts: int = 0  # equal but for the project's counts, which others moved meanwhile
    slow: int = 0  # of calls that took longer than HOOKTAIL_SETTLE, and so show an earlier moment
    different: int = 0
    missing: int = 0
    details: tuple[str, ...] = ()


def compare(made: list[Timed], found: dict[tuple[str, int], Arrivals]) -> Bodies:
    """Compares the bodies of each event."""
    bodies, details = Bodies(), []
    for timed in made:
        arrivals = found[timed.event]
        if arrivals.native is None or arrivals.other is None:
            bodies.missing += 1
            details.append(f"{timed.kind} {timed.annotation}: built-in {bool(arrivals.native)}, hooktail {bool(arrivals.other)}")
            continue
        native, other = load(arrivals.native.body), load(arrivals.other.body)
        if not differences(native, other):
            bodies.equal += 1
        elif not (unlike := differences(native, other, COUNTS)):
            bodies.counts += 1
        elif timed.ended - timed.began > SETTLE:
            bodies.slow += 1
        else:
            bodies.different += 1
            details += [f"{timed.kind} {timed.annotation}: {one}" for one in unlike]
    bodies.details = tuple(details)
    return bodies
