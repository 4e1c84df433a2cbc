"""A PostgreSQL server of our own: in a folder that goes with it, on a socket there and on no port.

`postgresql.py PROGRAM ARGUMENT...` runs the program with the url of a new server as its last
argument; 77 if PostgreSQL is not installed.
"""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile

from waiting import wait_until

USER = "mailpush"
DATABASE = "mailpush"
LIMIT_S = 60


def programs():
    """The folder of the newest server's programs; Debian keeps them out of PATH."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                   key=lambda path: int(path.parts[-3]) if path.parts[-3].isdigit() else 0)
    if found:
        return found[-1].parent
    there = shutil.which("postgres")
    return pathlib.Path(there).resolve().parent if there and shutil.which("initdb") else None


class Postgresql:
    """Takes whoever connects for whoever they say they are.

    Texts are sorted as English readers expect, so that nothing depends on the order of bytes by
    chance.
    """

    def __init__(self, settings=()):
        self.programs = programs()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mailpush-pg-"))
        self.settings = settings
        self.process = None
        # The server refuses to run as root.
        self.user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
        if self.user:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        self.folder.chmod(0o755)

    @property
    def url(self):
        return f"postgresql://{USER}@/{DATABASE}?host={self.folder}"

    def run(self, program, *arguments):
        done = subprocess.run([self.programs / program, *arguments], capture_output=True, text=True,
                              cwd=self.folder, timeout=LIMIT_S, **self.user)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
        return done.stdout

    def make(self):
        self.run("initdb", "-D", self.folder / "data", "-U", USER, "-A", "trust", "-E", "UTF8",
                 "--locale-provider=icu", "--icu-locale=en-US", "--no-sync")
        self.start()
        self.sql(f"CREATE DATABASE {DATABASE}", database="postgres")

    def start(self):
        options = [f"unix_socket_directories={self.folder}", "listen_addresses=", "fsync=off",
                   "shared_buffers=16MB", *self.settings]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data",
                 *(word for option in options for word in ("-c", option))],
                stdout=log, stderr=log, cwd=self.folder, start_new_session=True, **self.user)
        wait_until(self.answers, timeout=LIMIT_S, what="PostgreSQL's answer")

    def answers(self):
        assert self.process.poll() is None, self.log()
        return not subprocess.run([self.programs / "pg_isready", "-q", "-h", self.folder, "-d", "postgres",
                                   "-U", USER]).returncode

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def sql(self, text, database=DATABASE):
        """What psql prints: rows without a frame."""
        return self.run("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", USER, "-d", database,
                        "-c", text).strip()

    def stop(self, how=signal.SIGINT):
        """SIGINT: connections are closed, all is kept.  SIGQUIT: as in a crash."""
        if self.process:
            self.process.send_signal(how)
            self.process.wait(LIMIT_S)
            self.process = None

    def remove(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def main():
    if not programs():
        print("PostgreSQL is not installed (script/bootstrap installs it)")
        return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    server = Postgresql()
    try:
        server.make()
        return subprocess.run([*sys.argv[1:], server.url]).returncode
    finally:
        server.remove()


if __name__ == "__main__":
    sys.exit(main())
