"""A throwaway PostgreSQL server on a Unix socket."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

ADMIN = "recorder"
APPLICATION = "labelstudio"

_START_SECONDS = 60.0

_SETTINGS = """
listen_addresses = ''
wal_level = logical
max_replication_slots = 16
max_wal_senders = 16
fsync = off
full_page_writes = off
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = on
log_destination = 'csvlog'
log_filename = 'server.log'
log_rotation_age = 0
log_rotation_size = 0
"""


def find_binaries() -> Path:
    """Returns the folder of the server's programs.

    $PG_BIN if it is set; else asked in this order: pg_config, the PATH, the folders of Debian's packages (newest
    version first).
    """
    candidates: list[Path] = []
    if chosen := os.environ.get("PG_BIN"):
        if not _complete(Path(chosen)):
            raise SystemExit(f"PG_BIN={chosen}: the server's programs are not there")
        return Path(chosen)
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run([pg_config, "--bindir"], check=False, capture_output=True, text=True)
        if answer.returncode == 0:
            candidates.append(Path(answer.stdout.strip()))
    if initdb := shutil.which("initdb"):
        candidates.append(Path(initdb).resolve().parent)
    versioned = Path("/usr/lib/postgresql").glob("*/bin")
    candidates += sorted(versioned, key=lambda folder: _version_number(folder.parent.name), reverse=True)
    for folder in candidates:
        if _complete(folder):
            return folder
    raise SystemExit("no PostgreSQL server found: install one, or set PG_BIN to the folder of initdb and postgres")


def _complete(folder: Path) -> bool:
    return all((folder / program).exists() for program in ("initdb", "postgres", "pg_dump", "psql"))


def _version_number(name: str) -> float:
    return float(name) if re.fullmatch(r"\d+(\.\d+)?", name) else 0.0


def _server_user() -> str | None:
    """Returns the user to run the server as, or None for the own one: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise SystemExit("running as root, but there is neither a user postgres nor a user nobody for the server")


class Server:
    """One server in a folder of its own. start and stop are to be called once each.

    The role ADMIN is for the recorder, APPLICATION for Label Studio; both are superusers and trusted on the socket,
    whose folder only the server's user may enter. Statements of both are in the log.
    """

    def __init__(self, folder: Path) -> None:
        self.bin = find_binaries()
        self.folder = folder
        self.log = folder / "data" / "log" / "server.csv"
        self._user = _server_user()
        self._group = pwd.getpwnam(self._user).pw_gid if self._user else None
        self._groups: list[int] | None = [] if self._user else None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Makes the cluster and starts the server; returns when it takes connections."""
        if self._user:
            shutil.chown(self.folder, self._user)
        data = self.folder / "data"
        self._init(data)
        with open(data / "postgresql.conf", "a", encoding="utf-8") as settings:
            settings.write(f"{_SETTINGS}unix_socket_directories = '{self.folder}'\n")
        with open(self.folder / "server.out", "wb") as out:
            self._process = subprocess.Popen(
                [str(self.bin / "postgres"), "-D", str(data)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
                user=self._user,
                group=self._group,
                extra_groups=self._groups,
            )
        self._wait_ready()
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE ROLE {APPLICATION} SUPERUSER LOGIN")
            connection.execute(f"ALTER ROLE {APPLICATION} SET log_statement = 'all'")

    def stop(self) -> None:
        """Stops the server and waits until it is gone. The folder stays."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
        self._process = None

    def connect(self, database: str) -> psycopg.Connection:
        """Returns a connection of the recorder, in autocommit."""
        return psycopg.connect(host=str(self.folder), user=ADMIN, dbname=database, autocommit=True)

    def url(self, database: str, user: str = APPLICATION) -> str:
        """Returns the connection string of a database, as a URL."""
        return f"postgres://{user}@/{database}?host={self.folder}"

    def create_database(self, name: str) -> None:
        """Makes an empty database."""
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')

    def version(self) -> str:
        """Returns the server's version, such as 15.18."""
        with self.connect("postgres") as connection:
            row = connection.execute("SHOW server_version").fetchone()
        assert row is not None
        return str(row[0]).split()[0]

    def psql(self, database: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs psql without start-up file; the caller looks at the return code."""
        return self._client("psql", "-X", "-q", "-d", database, *arguments)

    def dump(self, database: str, *arguments: str) -> str:
        """Returns the output of pg_dump."""
        answer = self._client("pg_dump", "-d", database, *arguments)
        if answer.returncode:
            raise RuntimeError(f"pg_dump: {answer.stderr.strip()}")
        return answer.stdout

    def _client(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PGHOST": str(self.folder),
            "PGUSER": ADMIN,
            "PGOPTIONS": "",
            "PGTZ": "UTC",
            "PGCLIENTENCODING": "UTF8",
        }
        return subprocess.run(
            [str(self.bin / program), *arguments],
            check=False,
            capture_output=True,
            encoding="utf-8",
            env=environment,
            cwd=self.folder,
        )

    def _init(self, data: Path) -> None:
        options = ["-U", ADMIN, "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8", "-N"]
        done = subprocess.run(
            [str(self.bin / "initdb"), "-D", str(data), *options],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            user=self._user,
            group=self._group,
            extra_groups=self._groups,
        )
        if done.returncode:
            raise SystemExit(f"initdb: {done.stderr.strip()}")

    def _wait_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.connect("postgres").close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = (self.folder / "server.out").read_text(errors="replace")
                    raise SystemExit(f"PostgreSQL does not start: {error}\n{said}") from error
            time.sleep(0.1)
