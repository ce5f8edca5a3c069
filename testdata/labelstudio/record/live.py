"""Runs hooktail beside a real Label Studio and compares what the two deliver. Run it through live.sh."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recorder.hooktail import Hooktail
    from recorder.match import Outcome, Verdict
    from recorder.receiver import Request
    from recorder.session import Session

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]


def arguments() -> argparse.Namespace:
    """Returns the command line's options."""
    parser = argparse.ArgumentParser(prog="live.sh", description=__doc__)
    parser.add_argument("--version", default="1.23.2", help="Label Studio's version on PyPI (%(default)s)")
    parser.add_argument("--hooktail", type=Path, help="hooktail's binary (default: built from this repository)")
    parser.add_argument("--wait", type=float, default=10, help="seconds to wait for a missing event (%(default)s)")
    parser.add_argument("--quiet-for", type=float, default=1.5, help="seconds of silence after a call (%(default)s)")
    parser.add_argument("--paths", type=int, default=8, help="differing paths to print per event (%(default)s)")
    parser.add_argument("--brief", action="store_true", help="print only what is not equal")
    parser.add_argument("--keep", action="store_true", help="keep the working folder: database, logs, files")
    return parser.parse_args()


def main() -> int:
    """Plays all scenarios; 0 when everything is equal or tolerated, 1 when not, 2 when hooktail does not run."""
    options = arguments()
    # Here and not above: these need psycopg, which Label Studio's environment has and --help does without.
    from recorder import hooktail, work
    from recorder.session import session

    try:
        with work.folder(options.keep) as folder:
            binary = options.hooktail.resolve() if options.hooktail else hooktail.build(REPOSITORY, folder)
            with session(folder, hook_port=0) as live, contextlib.ExitStack() as stack:
                beside = hooktail.Hooktail(binary, live.server, folder)
                stack.callback(beside.stop)
                beside.start()
                totals = Tour(live, beside, options).play()
                code = beside.stop()
    except hooktail.HooktailError as error:
        print(error, file=sys.stderr)
        return 2
    print("total:", ", ".join(f"{count} {outcome.value}" for outcome, count in totals.items()))
    if code != 0:
        print("hooktail had to be killed" if code is None else f"hooktail ended with exit code {code}")
    return 0 if code == 0 and all(outcome.good for outcome, count in totals.items() if count) else 1


class Tour:
    """All scenarios, one call after another, each compared before the next one is made.

    One at a time, because the payload shows the rows as they are when the user's action has ended, and the next call
    would change them.
    """

    def __init__(self, live: Session, beside: Hooktail, options: argparse.Namespace) -> None:
        self._live = live
        self._beside = beside
        self._options = options

    def play(self) -> Counter[Outcome]:
        """Makes the calls, prints every event, and returns how many came out how."""
        from recorder.match import Outcome, judge
        from recorder.scenario import Caller
        from recorder.scenarios import numbered

        totals: Counter[Outcome] = Counter({outcome: 0 for outcome in Outcome})
        caller = Caller(self._live.server, self._live.app, self._live.receiver.url)
        for name, scenario in numbered():
            for call in scenario.calls:
                caller.make(call)
                native, other = self._collect()
                verdicts = judge(native, other, scenario.tolerance)
                totals.update(verdict.outcome for verdict in verdicts)
                self._print(name, verdicts)
        return totals

    def _collect(self) -> tuple[list[Request], list[Request]]:
        """Returns what both sent after a call: waits until hooktail has sent as much, and then for silence."""
        self._live.wait_idle()
        ended = time.monotonic()
        while True:
            self._beside.check()
            seen = self._live.receiver.seen()
            lacking = _events(seen, by_hooktail=False) - _events(seen, by_hooktail=True)
            now = time.monotonic()
            silent = now - max([ended, *(request.arrived for request in seen)]) >= self._options.quiet_for
            if silent and (not lacking or now - ended >= self._options.wait):
                break
            time.sleep(0.02)
        taken = self._live.receiver.take()
        native = [request for request in taken if not request.by_hooktail]
        return native, [request for request in taken if request.by_hooktail]

    def _print(self, name: str, verdicts: list[Verdict]) -> None:
        for verdict in verdicts:
            if self._options.brief and verdict.outcome.value == "equal":
                continue
            print(f"{verdict.outcome.value:10} {name:38} hook {verdict.hook:2} {verdict.action}", flush=True)
            for line in verdict.details[: self._options.paths]:
                print(f"             {line}")
            if len(verdict.details) > self._options.paths:
                print(f"             and {len(verdict.details) - self._options.paths} more")


def _events(requests: list[Request], by_hooktail: bool) -> Counter[tuple[int, str]]:
    return Counter((request.hook, request.action) for request in requests if request.by_hooktail == by_hooktail)


if __name__ == "__main__":
    sys.exit(main())
