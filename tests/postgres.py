"""A PostgreSQL server of the tests' own: the system's binaries, a temporary folder, a socket in it, no network."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path
from urllib.parse import quote

import pytest

from lockflight.store.log import postgres as log_postgres

#: The version that is promised, then whatever is there.
BINARIES = (
    "/usr/lib/postgresql/15/bin",
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
)
CONFIGURATION = {
    "listen_addresses": "",
    "max_connections": "100",
    # What the log asks of a connection, it must get whatever the server's own default is.
    "synchronous_commit": "off",
    "fsync": "on",
}


def find_binaries():
    for pattern in BINARIES:
        for folder in sorted(Path("/").glob(pattern.removeprefix("/")), reverse=True):
            if (folder / "initdb").is_file():
                return folder
    return None


class Server:
    """Made by `server`; `url(database)` says how to get in."""

    def __init__(self, binaries):
        self.binaries, self.folder = binaries, Path(tempfile.mkdtemp(prefix="lf-pg-", dir="/tmp"))
        # initdb and the server refuse to run as root.
        self.as_user = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        self._run(
            "initdb", "-D", "data", "-U", "keeper", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"
        )
        options = [word for name, value in CONFIGURATION.items() for word in ("-c", f"{name}={value}")]
        self.log = (self.folder / "server.log").open("wb")
        self.process = subprocess.Popen(
            [self.binaries / "postgres", "-D", "data", "-k", self.folder, *options],
            cwd=self.folder,
            env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
            stdout=self.log,
            stderr=self.log,
            **self.as_user,
        )
        self._run("pg_isready", "-h", str(self.folder), "-t", "60", tries=600)

    def _run(self, program, *arguments, tries=1):
        for _ in range(tries):
            done = subprocess.run(
                [self.binaries / program, *arguments],
                cwd=self.folder,
                env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
                capture_output=True,
                text=True,
                check=False,
                **self.as_user,
            )
            if done.returncode == 0:
                return
            if tries > 1:
                assert self.process.poll() is None, (self.folder / "server.log").read_text()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.1)
        raise AssertionError(done.stdout + done.stderr)

    def url(self, database, user="keeper"):
        return f"postgresql://{user}@/{database}?host={quote(str(self.folder), safe='')}"

    def execute(self, *statements, database="postgres", fetch=False):
        """Run SQL as the owner of everything."""
        import psycopg

        with psycopg.connect(
            host=str(self.folder), user="keeper", dbname=database, autocommit=True
        ) as connection:
            for statement in statements:
                text, *values = (statement,) if isinstance(statement, str) else statement
                done = connection.execute(text, values or None)
            return done.fetchall() if fetch else done.rowcount

    def database(self, like="template1"):
        """A new database; its name."""
        name = f"t{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {like}")
        return name

    def leave(self, url):
        """Close what this process keeps open to a database."""
        log_postgres._engine(url).dispose()

    def close(self):
        # At once: nothing here is worth the writing.
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres():
    """A server with no database of ours; skipped where PostgreSQL is not installed."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL here (apt-get install postgresql): the log was not tried in it")
    found = Server(binaries)
    yield found
    found.close()
