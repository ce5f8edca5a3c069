"""Records what an upgrade of Label Studio, and the removal of a user, do to the rows. Run it through upgrade.sh."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def arguments() -> argparse.Namespace:
    """Returns the command line's options."""
    parser = argparse.ArgumentParser(prog="upgrade.sh", description=__doc__)
    parser.add_argument("--from", dest="earlier", default="1.20.0", help="version to begin with (%(default)s)")
    parser.add_argument("--version", default="1.23.2", help="version to upgrade to (%(default)s)")
    parser.add_argument("--python", type=Path, help="Python that has the version to begin with (set by upgrade.sh)")
    parser.add_argument("--out", type=Path, help="folder of the record (../upgrades/FROM-to-VERSION)")
    parser.add_argument("--hook-port", type=int, default=9900, help="port in the hooks' URLs (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the working folder: database, logs, files")
    return parser.parse_args()


def main() -> int:
    """Records the upgrade; returns the exit code."""
    options = arguments()
    # Here and not above: these need psycopg, which Label Studio's environment has and --help does without.
    from recorder import upgrade, work
    from recorder.session import session

    out: Path = (options.out or HERE.parent / "upgrades" / f"{options.earlier}-to-{options.version}").resolve()
    with work.folder(options.keep) as folder, session(folder, options.hook_port, options.python) as live:
        for step in upgrade.record(live, out):
            print(f"{step.name}: {step.migrations} migrations, row changes: {step.changes or 'none'}")
    print(f"record of the upgrade in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
