"""The working folder of a run, and how a run ends."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType


@contextlib.contextmanager
def folder(keep: bool) -> Iterator[Path]:
    """Makes a working folder with a short name, for sockets are in it; removed afterwards unless it is kept.

    SIGTERM and SIGHUP end the program like an exception from here on, so that everything started is stopped.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)
    path = Path(tempfile.mkdtemp(prefix="hooktail-record-", dir="/tmp"))
    path.chmod(0o711)  # The server may run as another user, who must reach its own folder in this one.
    try:
        yield path
    finally:
        if keep:
            print(f"kept: {path}")
        else:
            shutil.rmtree(path, ignore_errors=True)


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
