"""Records how the ends of calls show in the stream that the scenarios do not have. Run it through endings.sh."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Records; returns the exit code."""
    parser = argparse.ArgumentParser(prog="endings.sh", description=__doc__)
    parser.add_argument("--version", default="1.23.2", help="Label Studio's version on PyPI (%(default)s)")
    parser.add_argument("--out", type=Path, default=HERE.parent / "endings", help="folder of the record (%(default)s)")
    parser.add_argument("--hook-port", type=int, default=9900, help="port in the hooks' URLs (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the working folder: database, logs, files")
    options = parser.parse_args()
    # Here and not above: these need psycopg, which Label Studio's environment has and --help does without.
    from recorder import endings, work
    from recorder.session import session

    with work.folder(options.keep) as folder, session(folder, options.hook_port) as live:
        for play, calls in endings.record(live, options.out.resolve()).items():
            print(f"{play}: {calls} calls")
    return 0


if __name__ == "__main__":
    sys.exit(main())
