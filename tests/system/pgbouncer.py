"""A pgbouncer of our own before a PostgreSQL of our own: each transaction gets another connection.

`pgbouncer.py PROGRAM ARGUMENT...` runs the program with the url of a new one as its last argument;
77 if pgbouncer or PostgreSQL is not installed.
"""

import contextlib
import shutil
import signal
import subprocess
import sys

import cyrus
from postgresql import ADMIN, DATABASE, LIMIT_S, USER, Postgresql, programs
from waiting import wait_until

PORT = 6432


def why_not():
    if not programs():
        return "PostgreSQL is not installed (script/bootstrap)"
    return None if program() else "there is no pgbouncer (script/bootstrap)"


def program():
    """script/bootstrap keeps it where Cyrus is."""
    with contextlib.suppress(RuntimeError):
        if (kept := cyrus.programs() / "usr" / "sbin" / "pgbouncer").exists():
            return kept
    return shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")


class Pgbouncer:
    """Stands before that server, of which each transaction gets a new connection."""

    def __init__(self, server):
        self.server = server
        self.folder = server.folder / "pool"
        self.process = None

    @property
    def url(self):
        return f"postgresql://{USER}@/{DATABASE}?host={self.folder}&port={PORT}"

    def make(self):
        self.folder.mkdir()
        self.server.own(self.folder)
        (self.folder / "users").write_text(f'"{USER}" ""\n"{ADMIN}" ""\n')
        (self.folder / "conf").write_text(f"""[databases]
* = host={self.server.folder}
[pgbouncer]
pool_mode = transaction
server_login_retry = 1
server_lifetime = 0
unix_socket_dir = {self.folder}
listen_addr =
listen_port = {PORT}
auth_type = trust
auth_file = {self.folder}/users
""")
        self.start()
        self.server.pool = self
        return self

    def start(self):
        # Who runs it may not enter the home of who started the tests.
        ours = self.folder / "pgbouncer"
        if not ours.exists():
            shutil.copy(program(), ours)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([ours, self.folder / "conf"], stdout=log, stderr=log,
                                            **self.server.user)
        wait_until(self.answers, timeout=LIMIT_S, what="pgbouncer's answer")

    def answers(self):
        assert self.process.poll() is None, self.log()
        return not subprocess.run([self.server.programs / "pg_isready", "-q", "-h", self.folder, "-p", str(PORT)]
                                  ).returncode

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def stop(self):
        """Connections end, as with SIGTERM before pgbouncer 1.23; since then SIGTERM waits for the clients."""
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(LIMIT_S)
            self.process = None


def main():
    if why_not():
        print(why_not())
        return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    server = Postgresql()
    try:
        Pgbouncer(server.make()).make()
        return subprocess.run([*sys.argv[1:], server.url]).returncode
    finally:
        server.remove()


if __name__ == "__main__":
    sys.exit(main())
