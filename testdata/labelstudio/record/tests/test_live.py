"""Tests of the live comparison."""

from __future__ import annotations

import json
import unittest
from typing import Any

from recorder.match import Outcome, judge
from recorder.payload import differences, load
from recorder.receiver import Request
from recorder.scenario import Tolerance


def request(hook: int, body: dict[str, Any], event: str = "", **headers: str) -> Request:
    """Returns a request of hooktail, or of Label Studio when there is no event id."""
    agent = "hooktail/test" if event else "python-requests/2"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(hook, "POST", {"user-agent": agent, "webhook-id": event, **named}, json.dumps(body).encode(), 0.0)


class Payloads(unittest.TestCase):
    def test_differences(self) -> None:
        for name, native, other, want in [
            ("numbers by value", '{"a": [1e+21, -0.0, 1.50]}', '{"a": [1000000000000000000000, 0, 1.5]}', []),
            ("integers exactly", '{"a": 9007199254740993}', '{"a": 9007199254740992}', ["$.a"]),
            ("true is not 1", '{"a": true}', '{"a": 1}', ["$.a"]),
            ("null is not nothing", '{"a": null}', "{}", ["$.a"]),
            ("one more key", "{}", '{"a": 1}', ["$.a"]),
            ("tasks in any order", '{"tasks": [{"id": 1}, {"id": 2}]}', '{"tasks": [{"id": 2}, {"id": 1}]}', []),
            ("a task less", '{"tasks": [{"id": 1}, {"id": 2}]}', '{"tasks": [{"id": 1}]}', ["$.tasks[id=2]"]),
            ("a task twice", '{"tasks": [{"id": 1}]}', '{"tasks": [{"id": 1}, {"id": 1}]}', ["$.tasks.length"]),
            ("regions in order", '{"x": {"result": [{"id": 1}, {"id": 2}]}}', '{"x": {"result": [{"id": 2}]}}',
             ["$.x.result[0].id", "$.x.result[1]"]),
        ]:  # fmt: skip
            with self.subTest(name):
                found = differences(load(native.encode()), load(other.encode()))
                self.assertEqual(want, [difference.path for difference in found])


class Judging(unittest.TestCase):
    def test_judge(self) -> None:
        a, b = {"action": "A", "task": [{"id": 1, "done": False}]}, {"action": "A", "task": [{"id": 1, "done": True}]}
        two = [{"action": "A", "tasks": [{"id": number}]} for number in (1, 2)]
        both = {"action": "A", "tasks": [{"id": 1}, {"id": 2}]}
        for name, native, other, tolerance, want in [
            ("nothing", [], [], None, []),
            ("equal", [request(1, a)], [request(1, a, "e")], None, [Outcome.EQUAL]),
            ("different", [request(1, a)], [request(1, b, "e")], None, [Outcome.DIFFERENT]),
            ("tolerated", [request(1, a)], [request(1, b, "e")], Tolerance("", ignore=("$.task[[]*].done",)),
             [Outcome.TOLERATED]),
            ("missing", [request(1, a)], [], None, [Outcome.MISSING]),
            ("extra", [], [request(1, a, "e")], None, [Outcome.EXTRA]),
            ("allowed extra", [], [request(1, a, "e")], Tolerance("", extra=("A",)), [Outcome.TOLERATED]),
            ("other hook", [request(1, a)], [request(2, a, "e")], None, [Outcome.MISSING, Outcome.EXTRA]),
            ("repeated", [request(1, a)], [request(1, a, "e"), request(1, a, "e")], None,
             [Outcome.REPEATED, Outcome.EQUAL]),
            ("union", [request(1, both)], [request(1, body, f"e{n}") for n, body in enumerate(two)],
             Tolerance("", merge=("A",)), [Outcome.EQUAL]),
            ("own header", [request(1, a, x_team="t")], [request(1, a, "e")], None, [Outcome.DIFFERENT]),
        ]:  # fmt: skip
            with self.subTest(name):
                self.assertEqual(want, [verdict.outcome for verdict in judge(native, other, tolerance)])


if __name__ == "__main__":
    unittest.main()
