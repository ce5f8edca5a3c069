"""Tests of what is made of the requests of a load."""

from __future__ import annotations

import json
import unittest
from typing import Any

from recorder.load import HOOK, Timed, compare, match, times
from recorder.receiver import Request


def request(body: dict[str, Any], arrived: float, by_hooktail: bool, hook: int = HOOK) -> Request:
    """Returns a request as it arrived."""
    agent = "hooktail/test" if by_hooktail else "python-requests/2"
    return Request(hook, "POST", {"user-agent": agent}, json.dumps(body).encode(), arrived)


def created(annotation: int, labeled: bool = True, finished: int = 1) -> dict[str, Any]:
    """Returns the body of a creation."""
    return {
        "action": "ANNOTATION_CREATED",
        "annotation": {"id": annotation},
        "task": {"is_labeled": labeled},
        "project": {"finished_task_number": finished},
    }


class Load(unittest.TestCase):
    def test_times_are_counted_from_the_answer(self) -> None:
        made = [Timed("create", 1, 1.0, 2.0), Timed("delete", 1, 3.0, 4.0)]
        deleted = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}]}
        found = match(
            [
                request(created(1), 1.5, by_hooktail=False),
                request(created(1), 2.25, by_hooktail=True),
                request(created(1), 2.5, by_hooktail=True),
                request(created(1), 1.0, by_hooktail=True, hook=1),
                request(deleted, 3.75, by_hooktail=False),
                request(deleted, 3.5, by_hooktail=True),
            ]
        )
        rows = {row.kind: (row.native, row.other) for row in times(made, found)}
        self.assertEqual({"create": (-500, 250), "delete": (-250, -500), "all": (-375, -125)}, rows)

    def test_bodies(self) -> None:
        made = [Timed("create", annotation, 0, 0) for annotation in range(1, 5)]
        found = match(
            [request(created(annotation), 0, by_hooktail=False) for annotation in range(1, 5)]
            + [
                request(created(1), 0, by_hooktail=True),
                request(created(2, finished=2), 0, by_hooktail=True),
                request(created(3, labeled=False), 0, by_hooktail=True),
            ]
        )
        bodies = compare(made, found)
        self.assertEqual((1, 1, 1, 1), (bodies.equal, bodies.counts, bodies.different, bodies.missing))
        self.assertEqual(2, len(bodies.details))


if __name__ == "__main__":
    unittest.main()
