"""Records the scenarios of testdata/labelstudio anew from a real Label Studio. Run it through record.sh."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recorder.recording import Recorded
    from recorder.replay import Replayed

HERE = Path(__file__).resolve().parent


def arguments() -> argparse.Namespace:
    """Returns the command line's options."""
    parser = argparse.ArgumentParser(prog="record.sh", description=__doc__)
    parser.add_argument("--version", default="1.23.2", help="Label Studio's version on PyPI (%(default)s)")
    parser.add_argument("--out", type=Path, help="folder of the record (out/VERSION beside this program)")
    parser.add_argument("--against", type=Path, default=HERE.parent, help="record to compare with (%(default)s)")
    parser.add_argument("--hook-port", type=int, default=9900, help="port in the hooks' URLs (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the working folder: database, logs, files")
    return parser.parse_args()


def main() -> int:
    """Records, checks and compares; returns the exit code."""
    options = arguments()
    # Here and not above: these need psycopg, which Label Studio's environment has and --help does without.
    from recorder import recording, replay, shape, work
    from recorder.session import session

    out: Path = (options.out or HERE / "out" / options.version).resolve()
    clock = _Clock()
    with work.folder(options.keep) as folder, session(folder, options.hook_port) as live:
        clock.say("Label Studio with its base is there")
        fresh = folder / "record"
        recorded = recording.record(live, fresh, options.version, notes=options.against)
        clock.say(f"{len(recorded)} scenarios with {sum(one.requests for one in recorded)} requests recorded")
        replayed = replay.check(live.server, fresh)
        clock.say("scenarios replayed")
        differences = shape.compare(options.against, fresh)
        recording.publish(fresh, out)
    good = _report(recorded, replayed, differences, options.against)
    clock.say(f"record of Label Studio {options.version} in {out}")
    return 0 if good else 1


def _report(recorded: list[Recorded], replayed: list[Replayed], differences: list[str], against: Path) -> bool:
    """Prints what came out; returns whether the record can be trusted. Differences do not count against it."""
    failed = [one for one in replayed if not one.same]
    reordered = sum(one.same and one.reordered for one in replayed)
    print(f"replay: {len(replayed) - len(failed)} same ({reordered} up to the order of rows), {len(failed)} not")
    for one in failed:
        print(f"  {one.name}: {one.difference} {one.errors}".rstrip())
    surprises = [f"  {one.name}: {line}" for one in recorded for line in one.surprises]
    print(f"answers other than expected: {len(surprises)}", *surprises, sep="\n")
    print(f"differences from {against}: {len(differences)}", *(f"  {line}" for line in differences), sep="\n")
    return not failed and not surprises


class _Clock:
    """Says what has been done, and when."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def say(self, what: str) -> None:
        """Prints one line with the seconds since the start."""
        print(f"{time.monotonic() - self._started:5.0f} s  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
