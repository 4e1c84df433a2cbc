"""The ways in which a MariaDB is away.  A trouble comes before its `yield` and goes after it."""

import contextlib
import signal
import subprocess

import pytest

import mariadb
import network
from away import SECRET, SETTLED_S, Case, disk_full, made, password_changed, small_disk
from mariadb import Mariadb
from waiting import wait_until

CONNECTIONS = 10                        # fewer cannot be set


@contextlib.contextmanager
def alone(**options):
    if not mariadb.programs():
        pytest.skip("MariaDB is not installed (script/bootstrap)")
    with made(Mariadb(**options)) as server:
        yield server


@contextlib.contextmanager
def behind_a_line():
    if reason := network.why_not():
        pytest.skip(reason)
    with contextlib.closing(network.Network()) as line, alone(network=line) as server:
        yield server
        line.carry()


@contextlib.contextmanager
def with_few_connections():
    with alone(settings=(f"max-connections={CONNECTIONS}",)) as server:
        yield server


@contextlib.contextmanager
def with_a_password():
    with alone(password=SECRET) as server:
        yield server


@contextlib.contextmanager
def on_a_small_disk():
    if not mariadb.programs():
        pytest.skip("MariaDB is not installed (script/bootstrap)")
    server = Mariadb()
    with small_disk(server.folder / "data", "160m") as disk:
        server.own(disk)
        with made(server):
            yield server


@contextlib.contextmanager
def refused(server, daemon):
    server.stop()
    yield
    server.start()


@contextlib.contextmanager
def crashed(server, daemon):
    server.stop(signal.SIGKILL)
    yield
    server.start()


@contextlib.contextmanager
def hanging(server, daemon):
    server.process.send_signal(signal.SIGSTOP)
    yield
    server.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def black_hole(server, daemon):
    server.network.swallow()
    yield
    server.network.carry()


@contextlib.contextmanager
def read_only(server, daemon):
    server.sql("SET GLOBAL read_only = 1")
    yield
    server.sql("SET GLOBAL read_only = 0")


@contextlib.contextmanager
def out_of_connections(server, daemon):
    server.sql("CREATE USER IF NOT EXISTS other@localhost")
    others = []

    def is_full():
        """Others have all places, that of mailpushd too."""
        others[:] = [other for other in others if other.poll() is None]
        others.extend(subprocess.Popen(server.client(user="other"), stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                      for _ in range(CONNECTIONS - len(others)))
        with contextlib.suppress(AssertionError):       # too many are being refused for us to be let in
            server.end_connections()
            return server.sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE user = 'other'"
                              ) == str(CONNECTIONS)
    wait_until(is_full, SETTLED_S, what="a server without a place")
    yield
    for other in others:
        other.communicate()


@contextlib.contextmanager
def password_expired(server, daemon):
    """A connection is let in all the same, and then may do nothing else than change the password."""
    server.sql(f"ALTER USER {mariadb.USER}@localhost PASSWORD EXPIRE")
    server.end_connections()
    yield
    server.sql(f"ALTER USER {mariadb.USER}@localhost IDENTIFIED BY ''")


NEW_PASSWORD = f"ALTER USER {mariadb.USER}@localhost IDENTIFIED BY '{{}}'"
CASES = {
    "refused": Case(refused, "Can't connect", alone),
    "crashed": Case(crashed, "Can't connect", alone),
    "hanging": Case(hanging, "no answer|timed out|Lost connection|initial communication", alone),
    "black hole": Case(black_hole, "no answer|timed out|Lost connection|Can't connect", behind_a_line),
    "read-only": Case(read_only, "read.only", alone),
    "out of connections": Case(out_of_connections, "Too many connections", with_few_connections),
    "password changed": Case(password_changed(NEW_PASSWORD), "Access denied", with_a_password),
    "password expired": Case(password_expired, "You must SET PASSWORD", alone),
    "disk full": Case(disk_full("data"), "is full|Disk got full", on_a_small_disk),
}

# Those that a server of its kind can have one after the other.
LASTING = with_few_connections
REPEATED = ("refused", "crashed", "hanging", "out of connections", "read-only")

LONG_CASES = {}
