"""A MariaDB server of our own: in a folder that goes with it, on a socket there and on no port.

`mariadb.py PROGRAM ARGUMENT...` runs the program with the url of a new server as its last argument;
77 if MariaDB is not installed.
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
PROGRAMS = ("mariadbd", "mariadb-install-db", "mariadb")


def programs():
    """Name -> path; None if one is missing.  Debian keeps the server out of users' PATH."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    found = {name: shutil.which(name, path=path) for name in PROGRAMS}
    return found if all(found.values()) else None


class Mariadb:
    """Takes whoever connects for whoever they say they are, unless it has a password for our user."""

    def __init__(self, settings=(), network=None, password=None):
        """network: it stands in that one, and is reached by its address too."""
        self.programs = programs()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mailpush-mdb-"))
        self.settings = settings
        self.network = network
        self.password = password
        self.process = None
        # The server refuses to run as root.
        self.user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
        self.own(self.folder)
        self.folder.chmod(0o755)

    def own(self, path):
        if self.user:
            nobody = pwd.getpwnam("nobody")
            os.chown(path, nobody.pw_uid, nobody.pw_gid)

    @property
    def socket(self):
        return self.folder / "socket"

    @property
    def place(self):
        """How it is called in what mailpushd says."""
        return self.network.address if self.network else str(self.socket)

    @property
    def url(self):
        if self.network:
            return f"mariadb://{USER}@{self.network.address}/{DATABASE}"
        return f"mariadb://{USER}@/{DATABASE}?socket={self.socket}"

    def run(self, program, *arguments):
        done = subprocess.run([self.programs[program], *arguments], capture_output=True, text=True,
                              cwd=self.folder, timeout=LIMIT_S, **self.user)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
        return done.stdout

    def make(self):
        # A server that starts, also to install, deletes what others left where its temporary tables are.
        self.run("mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data",
                 f"--tmpdir={self.folder}",
                 "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
                 "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M")
        self.start()
        known = f"IDENTIFIED BY '{self.password}'" if self.password else ""
        self.sql(f"CREATE DATABASE {DATABASE}; CREATE USER {USER}@localhost {known}; "
                 f"GRANT ALL ON {DATABASE}.* TO {USER}@localhost", database="")
        if self.network:
            self.sql(f"CREATE USER {USER}@'%'; GRANT ALL ON {DATABASE}.* TO {USER}@'%'", database="")
        return self

    @property
    def listening(self):
        """Options."""
        return [f"bind-address={self.network.address}"] if self.network else ["skip-networking"]

    environment = None

    def server(self, *more):
        options = ["no-defaults", f"datadir={self.folder}/data", f"tmpdir={self.folder}/data",
                   f"socket={self.socket}", *self.listening,
                   f"pid-file={self.folder}/pid", "innodb-flush-log-at-trx-commit=2",
                   "innodb-buffer-pool-size=64M", "innodb-log-file-size=32M", *self.settings, *more]
        return [self.programs["mariadbd"], *(f"--{option}" for option in options)]

    def start(self):
        become = self.user
        server = self.server()
        if self.network:
            become = {}
            server = [*self.network.inside, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                      *server]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(server, stdout=log, stderr=log, cwd=self.folder,
                                            env=self.environment, start_new_session=True, **become)
        wait_until(self.answers, timeout=LIMIT_S, what="MariaDB's answer")

    def client(self, *arguments, user="root"):
        return [self.programs["mariadb"], "--no-defaults", "-u", user, "-S", self.socket, *arguments]

    def answers(self):
        assert self.process.poll() is None, self.log()
        return not subprocess.run(self.client("-e", "SELECT 1"), capture_output=True).returncode

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def sql(self, text, database=DATABASE):
        """Rows without a frame, the columns separated by tabs."""
        done = subprocess.run(self.client("-N", "-B", "-e", text, *([database] if database else [])),
                              capture_output=True, text=True, timeout=LIMIT_S)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def session(self, text):
        """One that runs beside the test, until its text is done."""
        return subprocess.Popen(self.client("-e", text, DATABASE), stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def stop(self, how=signal.SIGTERM):
        """SIGTERM: connections are closed, all is kept."""
        if self.process:
            self.process.send_signal(how)
            self.process.wait(LIMIT_S)
            self.process = None

    def crash(self):
        self.stop(signal.SIGKILL)

    def end_connections(self):
        """Those of mailpushd."""
        self.sql(f"KILL USER {USER}@localhost")

    def remove(self):
        try:
            if self.process:
                self.process.send_signal(signal.SIGCONT)
            self.crash()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def main():
    if not programs():
        print("MariaDB is not installed (script/bootstrap installs it)")
        return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    server = Mariadb()
    try:
        server.make()
        return subprocess.run([*sys.argv[1:], server.url]).returncode
    finally:
        server.remove()


if __name__ == "__main__":
    sys.exit(main())
