"""Calls at the same time, under load, and on projects with an overlap: how their ends show in the stream."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .base import choice, sentiment
from .labelstudio import DATABASE
from .scenario import Call, delete, patch, post
from .scenarios_annotations import data_manager
from .session import Session
from .wal import Slots

_WHOLE_ROWS = ("project", "task_completion")  # as `hooktail setup` leaves them: REPLICA IDENTITY FULL
_APART = 2.5  # seconds between plays, so that none is taken for the end of another one
_TASK_FIELDS = ("id", "updated_at", "is_labeled", "total_annotations", "cancelled_annotations", "updated_by")


@dataclass(frozen=True)
class Play:
    """Steps one after another, each of calls that are made at once."""

    name: str
    steps: list[list[Call]]
    busy: int = 0  # processes that take what they can get of the processor meanwhile


def record(live: Session, out: Path) -> dict[str, int]:
    """Plays it all and writes calls.jsonl, sent.jsonl and wal.pgoutput.hex into out; returns the calls by play."""
    with live.server.connect(DATABASE) as connection:
        for table in _WHOLE_ROWS:
            connection.execute(f"ALTER TABLE {table} REPLICA IDENTITY FULL")
    slots = Slots(live.server)
    slots.create()
    live.receiver.take()
    calls: list[dict[str, Any]] = []
    for play in _plays(live):
        print(play.name, flush=True)
        with burning(play.busy):
            for step in play.steps:
                calls += _at_once(live, play.name, step)
        live.wait_idle()
        time.sleep(_APART)
    out.mkdir(parents=True, exist_ok=True)
    sent = [line for request in live.receiver.take() if (line := _told(request.recorded())) is not None]
    _write(out / "calls.jsonl", calls)
    _write(out / "sent.jsonl", sent)
    (out / "wal.pgoutput.hex").write_text(slots.binary(), encoding="utf-8")
    counts: dict[str, int] = {}
    for call in calls:
        counts[call["play"]] = counts.get(call["play"], 0) + 1
    return counts


def _plays(live: Session) -> Iterator[Play]:
    """The plays; later ones name what earlier ones have made."""

    def annotate(task: int, user: int, **more: Any) -> Call:
        return post(f"/api/tasks/{task}/annotations/", {"result": [sentiment("Positive")], "lead_time": 1, **more}, user=user)

    def change(annotation: int, user: int, **more: Any) -> Call:
        return patch(f"/api/annotations/{annotation}/", {"result": [sentiment("Negative")], **more}, user=user)

    def made_by(user: int, task: int) -> int:
        with live.server.connect(DATABASE) as connection:
            query = "SELECT max(id) FROM task_completion WHERE completed_by_id = %s AND task_id = %s"
            row = connection.execute(query, (user, task)).fetchone()
        assert row is not None
        return int(row[0])

    tasks = range(7, 12)
    yield Play("ground-truth", [[annotate(7, user, ground_truth=True)] for user in (1, 2, 1)])
    yield Play("two-users-create", [[annotate(task, 1), annotate(task, 2)] for task in tasks])
    yield Play("two-users-change", [[change(made_by(1, task), 1), change(made_by(2, task), 2)] for task in tasks])
    yield Play("two-users-create-and-change", [[annotate(task, 1), change(made_by(2, task), 2)] for task in tasks])
    yield Play("two-users-create-and-delete", [[annotate(task, 1), delete(f"/api/annotations/{made_by(2, task)}/")] for task in tasks])
    yield Play("one-user-twice", [[annotate(task, 1), annotate(task, 1)] for task in tasks])
    yield Play("one-user-change-and-create", [[change(made_by(1, task), 1), annotate(task, 1)] for task in tasks])
    yield Play("different-tasks", [[annotate(task, 1), annotate(task + 1, 2)] for task in (7, 9, 11)])
    serial = [[annotate(task, 1 + task % 2)] for task in tasks] + [[annotate(task, 1, was_cancelled=True)] for task in tasks]
    serial += [[change(made_by(1, task), 1)] for task in tasks] + [[change(made_by(2, task), 2, was_cancelled=True)] for task in (7, 8)]
    yield Play("under-load", serial, busy=2)
    yield Play("deleted-under-load", [[delete(f"/api/annotations/{made_by(1, task)}/")] for task in tasks], busy=2)
    quiet = "/api/projects/2/"
    yield Play("maximum-annotations", [[patch(quiet, {"maximum_annotations": n})] for n in (2, 3)])
    yield Play("cohort", [[patch(quiet, {"maximum_annotations": 2, "overlap_cohort_percentage": 50})]])
    yield Play("cohort-import", [[post("/api/projects/2/import", [{"data": {"text": f"Cohort {n}"}} for n in range(10)])]])
    done = {"result": [choice("A")], "lead_time": 1}
    yield Play("cohort-annotate", [[post(f"/api/tasks/{task}/annotations/", done)] for task in (13, 14, 15)])
    yield Play("cohort-delete", [[data_manager("delete_tasks_annotations", 2, [13])], [data_manager("delete_tasks", 2, [14])], [delete("/api/tasks/15/")]])


def _at_once(live: Session, play: str, step: list[Call]) -> list[dict[str, Any]]:
    """Makes the calls of a step at once and waits for all of them."""
    made: list[dict[str, Any]] = []
    gate = threading.Barrier(len(step))

    def run(call: Call) -> None:
        gate.wait()
        began = time.time()
        answer = live.app.call(call.user, call.method, call.path, call.body)
        ended = time.time()
        found = answer.json
        made.append(
            {
                "play": play,
                "user": call.user,
                "method": call.method,
                "path": call.path,
                "status": answer.status,
                "id": found.get("id") if isinstance(found, dict) else None,
                "began": round(began * 1e6),
                "ended": round(ended * 1e6),
            }
        )

    threads = [threading.Thread(target=run, args=(call,)) for call in step]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(made, key=lambda one: one["began"])


@contextlib.contextmanager
def burning(processes: int) -> Iterator[None]:
    """Processes that take what they can get of the processor."""
    burning = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(processes)]
    for process in burning:
        process.start()
    try:
        yield
    finally:
        for process in burning:
            process.kill()
            process.join()


def _burn() -> None:
    while True:
        sum(range(1000))


def _told(request: dict[str, Any]) -> dict[str, Any] | None:
    """What a request to the organization's hook says of an annotation's task and project; None for others."""
    body = request["body"]
    if request["hook"] != 6 or "annotation" not in body or isinstance(body["annotation"], list):
        return None
    task, project = body["task"], body["project"]
    return {
        "action": body["action"],
        "annotation": body["annotation"]["id"],
        "updated_at": body["annotation"]["updated_at"],
        "task": {name: task[name] for name in _TASK_FIELDS},
        "project": {name: value for name, value in project.items() if name.endswith("_number") or name.startswith("num_")},
    }


def _write(file: Path, lines: list[dict[str, Any]]) -> None:
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
