"""Runs hooktail beside a real Label Studio under load: when each event arrives. Run it through load.sh."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recorder.load import Bodies, Row

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]


def arguments() -> argparse.Namespace:
    """Returns the command line's options."""
    parser = argparse.ArgumentParser(prog="load.sh", description=__doc__)
    parser.add_argument("--version", default="1.23.2", help="Label Studio's version on PyPI (%(default)s)")
    parser.add_argument("--hooktail", type=Path, help="hooktail's binary (default: built from this repository)")
    parser.add_argument("--tasks", type=int, default=60, help="tasks that are annotated (%(default)s)")
    parser.add_argument("--users", type=int, default=2, help="users at the same time (%(default)s)")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between a user's calls (%(default)s)")
    parser.add_argument("--busy", type=int, default=0, help="processes that burn processor time (%(default)s)")
    parser.add_argument("--wait", type=float, default=20, help="seconds to wait for missing events (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the working folder: database, logs, files")
    return parser.parse_args()


def main() -> int:
    """Plays the load; 0 when every body is equal and hooktail's median is no later than the answer, else 1 or 2."""
    options = arguments()
    # Here and not above: these need psycopg, which Label Studio's environment has and --help does without.
    from recorder import hooktail, load, work
    from recorder.session import session

    try:
        with work.folder(options.keep) as folder:
            binary = options.hooktail.resolve() if options.hooktail else hooktail.build(REPOSITORY, folder)
            with session(folder, hook_port=0) as live, contextlib.ExitStack() as stack:
                beside = hooktail.Hooktail(binary, live.server, folder)
                stack.callback(beside.stop)
                beside.start()
                tasks = load.prepare(live, options.tasks)
                load.play(live, tasks[:2], 1, options.pause, 0)  # both are warm then
                live.wait_idle()
                live.receiver.take()
                made = load.play(live, tasks, options.users, options.pause, options.busy)
                found = load.wait(live, made, options.wait)
                beside.check()
    except hooktail.HooktailError as error:
        print(error, file=sys.stderr)
        return 2
    rows, bodies = load.times(made, found), load.compare(made, found)
    _print(rows, bodies)
    late = [row.kind for row in rows if row.kind != "all" and row.other > 0]
    return 1 if late or bodies.different or bodies.missing else 0


def _print(rows: list[Row], bodies: Bodies) -> None:
    print("arrival after the caller's answer, ms (negative: before it)\n")
    print("| call | calls | the call itself | built-in, median | hooktail, median | hooktail, p95 |\n|---|---:|---:|---:|---:|---:|")
    for row in rows:
        print(f"| {row.kind} | {row.calls} | {row.took:.0f} | {row.native:.0f} | {row.other:.0f} | {row.other_p95:.0f} |")
    print(
        f"\nbodies: {bodies.equal} equal, {bodies.counts} equal but for the project's counts, "
        f"{bodies.slow} of calls longer than HOOKTAIL_SETTLE, {bodies.different} different, {bodies.missing} missing"
    )
    for line in bodies.details[:20]:
        print(f"  {line}")


if __name__ == "__main__":
    sys.exit(main())
