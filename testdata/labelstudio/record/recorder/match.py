"""Which request of hooktail answers which request of Label Studio, and whether they are equal."""

from __future__ import annotations

import enum
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from .payload import Difference, differences, load
from .receiver import Request
from .scenario import Tolerance

_NO_TOLERANCE = Tolerance("")


class Outcome(enum.Enum):
    """How one event compares. The values are what is printed."""

    EQUAL = "equal"
    TOLERATED = "tolerated"
    DIFFERENT = "different"
    MISSING = "missing"
    EXTRA = "extra"
    REPEATED = "repeated"

    @property
    def good(self) -> bool:
        """Whether it is as it should be."""
        return self in (Outcome.EQUAL, Outcome.TOLERATED)


@dataclass(frozen=True)
class Verdict:
    """What came out for one event at one hook."""

    outcome: Outcome
    hook: int
    action: str
    details: tuple[str, ...] = ()


def judge(native: list[Request], other: list[Request], tolerance: Tolerance | None = None) -> list[Verdict]:
    """Compares the requests of Label Studio with those of hooktail after one call.

    The n-th request of an action at a hook is compared with the n-th one, for order counts per hook. A request of
    hooktail whose webhook-id the hook has had already is a repetition.
    """
    tolerance = tolerance or _NO_TOLERANCE
    first, repeated = _without_repetitions(other)
    left, right = _by_event(native, tolerance), _by_event(first, tolerance)
    verdicts = [_repeated(request) for request in repeated]
    for hook, action in sorted(left.keys() | right.keys()):
        expected, arrived = left.get((hook, action), []), right.get((hook, action), [])
        for want, got in zip(expected, arrived, strict=False):
            verdicts.append(_compare(hook, action, want, got, tolerance))
        verdicts += [Verdict(Outcome.MISSING, hook, action)] * (len(expected) - len(arrived))
        for _ in arrived[len(expected) :]:
            verdicts.append(_extra(hook, action, tolerance))
    return verdicts


@dataclass(frozen=True)
class _Event:
    headers: dict[str, str]
    body: Any


def _by_event(requests: list[Request], tolerance: Tolerance) -> dict[tuple[int, str], list[_Event]]:
    events: dict[tuple[int, str], list[_Event]] = defaultdict(list)
    for request in requests:
        events[request.hook, request.action].append(_Event(request.headers, load(request.body)))
    for (hook, action), several in events.items():
        if action in tolerance.merge:
            events[hook, action] = [_merged(several)]
    return events


def _merged(events: list[_Event]) -> _Event:
    """Returns one event with the tasks of all, for what the application sends in one request."""
    body = dict(events[-1].body)
    if "tasks" in body:
        body["tasks"] = [task for event in events for task in event.body.get("tasks", [])]
    return _Event(events[-1].headers, body)


def _compare(hook: int, action: str, want: _Event, got: _Event, tolerance: Tolerance) -> Verdict:
    found = differences(want.body, got.body)
    found += [
        Difference(f"header {name}", value, got.headers.get(name))
        for name, value in want.headers.items()
        if _of_the_hook(name) and got.headers.get(name) != value
    ]
    if not found:
        return Verdict(Outcome.EQUAL, hook, action)
    if not differences(want.body, got.body, tolerance.ignore) and not any(
        one.path.startswith("header") for one in found
    ):
        return Verdict(Outcome.TOLERATED, hook, action, (tolerance.reason, *map(str, found)))
    return Verdict(Outcome.DIFFERENT, hook, action, tuple(map(str, found)))


def _of_the_hook(header: str) -> bool:
    return header.startswith("x-") or header in ("authorization", "content-type")


def _extra(hook: int, action: str, tolerance: Tolerance) -> Verdict:
    if action in tolerance.extra:
        return Verdict(Outcome.TOLERATED, hook, action, (tolerance.reason,))
    return Verdict(Outcome.EXTRA, hook, action)


def _repeated(request: Request) -> Verdict:
    return Verdict(Outcome.REPEATED, request.hook, request.action, (f"webhook-id {request.headers.get('webhook-id')}",))


def _without_repetitions(requests: list[Request]) -> tuple[list[Request], list[Request]]:
    seen: set[tuple[int, str]] = set()
    first, repeated = [], []
    for request in requests:
        event = request.headers.get("webhook-id", "")
        if event and (request.hook, event) in seen:
            repeated.append(request)
        else:
            first.append(request)
        seen.add((request.hook, event))
    return first, repeated
