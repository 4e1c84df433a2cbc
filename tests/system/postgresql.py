"""A PostgreSQL server of our own: in a folder that goes with it, on a socket there and on no port.

`postgresql.py PROGRAM ARGUMENT...` runs the program with the url of a new server as its last
argument; 77 if PostgreSQL is not installed.
"""

import contextlib
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
ADMIN = "admin"
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
    """Takes whoever connects for whoever they say they are, unless a password is given.

    Texts are sorted as English readers expect, so that nothing depends on the order of bytes by
    chance.  USER owns the database and has no other rights; what the test does is done by ADMIN.
    """

    def __init__(self, settings=(), network=None, password=None):
        """network: it stands in that one, and is reached by its address."""
        self.programs = programs()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mailpush-pg-"))
        self.data = self.folder / "data"
        self.settings = settings
        self.network = network
        self.password = password
        self.process = None
        self.standbys = []
        self.pool = None            # a pooler before it, by which others reach it
        # The server refuses to run as root.
        self.user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
        self.own(self.folder)
        self.folder.chmod(0o755)

    @property
    def url(self):
        if self.pool:
            return self.pool.url
        host = f"{self.network.address}/" if self.network else "/"
        places = ",".join(str(server.folder) for server in (self, *self.standbys))
        return f"postgresql://{USER}@{host}{DATABASE}" + ("" if self.network else f"?host={places}")

    @property
    def place(self):
        """How it is called in what mailpushd says."""
        return self.network.address if self.network else str((self.pool or self).folder)

    def own(self, path):
        if self.user:
            nobody = pwd.getpwnam("nobody")
            os.chown(path, nobody.pw_uid, nobody.pw_gid)

    def run(self, program, *arguments):
        done = subprocess.run([self.programs / program, *arguments], capture_output=True, text=True,
                              cwd=self.folder, timeout=LIMIT_S, **self.user)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
        return done.stdout

    def make(self):
        self.run("initdb", "-D", self.data, "-U", ADMIN, "-A", "trust", "-E", "UTF8",
                 "--locale-provider=icu", "--icu-locale=en-US", "--no-sync")
        method = "scram-sha-256" if self.password else "trust"
        (self.data / "pg_hba.conf").write_text(
            f"local all {ADMIN} trust\nlocal replication {ADMIN} trust\n"
            f"local all all {method}\nhost all all 0.0.0.0/0 {method}\n")
        self.start()
        secret = f"PASSWORD '{self.password}'" if self.password else ""
        self.sql(f"CREATE ROLE {USER} LOGIN {secret}", database="postgres")
        self.sql(f"CREATE DATABASE {DATABASE} OWNER {USER}", database="postgres")
        return self

    def start(self):
        options = [f"unix_socket_directories={self.folder}", "fsync=off", "shared_buffers=16MB",
                   f"listen_addresses={self.network.address if self.network else ''}", *self.settings]
        server = [self.programs / "postgres", "-D", self.data,
                  *(word for option in options for word in ("-c", option))]
        become = self.user
        if self.network:
            become = {}
            server = [*self.network.inside, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                      *server]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(server, stdout=log, stderr=log, cwd=self.folder,
                                            start_new_session=True, **become)
        wait_until(self.answers, timeout=LIMIT_S, what="PostgreSQL's answer")

    def answers(self):
        assert self.process.poll() is None, self.log()
        return not subprocess.run([self.programs / "pg_isready", "-q", "-h", self.folder, "-d", "postgres",
                                   "-U", ADMIN]).returncode

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def psql(self, *arguments, database=DATABASE, user=ADMIN):
        """A command."""
        return [self.programs / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", user, "-d",
                database, *arguments]

    def sql(self, text, database=DATABASE):
        """What psql prints: rows without a frame."""
        return self.run("psql", *self.psql("-c", text, database=database)[1:]).strip()

    def session(self, text, user=ADMIN):
        """One that runs beside the test, until its text is done."""
        return subprocess.Popen(self.psql("-c", text, user=user), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def can(self, text):
        """Does it go well?"""
        return not subprocess.run(self.psql("-c", text), capture_output=True, timeout=LIMIT_S,
                                  cwd=self.folder).returncode

    def end_connections(self):
        """Those of mailpushd."""
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mailpush'")

    def make_standby(self):
        """A server that follows this one; each commit waits for it."""
        standby = Postgresql(self.settings)
        self.standbys.append(standby)
        self.run("pg_basebackup", "-h", self.folder, "-U", ADMIN, "-D", standby.data, "-R",
                 "--checkpoint=fast", "--no-sync", "-X", "stream")
        standby.start()
        self.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.sql("SELECT pg_reload_conf()")
        wait_until(lambda: self.sql("SELECT sync_state FROM pg_stat_replication") == "sync",
                   what="a standby that follows")
        return standby

    def signal_all(self, number):
        """To all of its processes, each of which leads a group of its own."""
        first = self.process.pid
        others = pathlib.Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for process in (first, *map(int, others)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def stop(self, how=signal.SIGINT):
        """SIGINT: connections are closed, all is kept."""
        if self.process:
            self.process.send_signal(how)
            self.process.wait(LIMIT_S)
            self.process = None

    def crash(self):
        self.stop(signal.SIGQUIT)

    def remove(self):
        if self.pool:
            self.pool.stop()
        for standby in self.standbys:
            standby.remove()
        try:
            if self.process:
                self.signal_all(signal.SIGCONT)
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
