"""The ways in which a PostgreSQL is away.  A trouble comes before its `yield` and goes after it."""

import contextlib
import signal
import subprocess

import pytest

import network
import pgbouncer
import postgresql
from away import SECRET, Case, disk_full, made, password_changed, small_disk
from postgresql import Postgresql
from waiting import wait_until

CONNECTIONS = 6


# ---- servers ----

@contextlib.contextmanager
def alone(**options):
    if not postgresql.programs():
        pytest.skip("PostgreSQL is not installed (script/bootstrap)")
    with made(Postgresql(**options)) as server:
        yield server


@contextlib.contextmanager
def behind_a_line():
    if reason := network.why_not():
        pytest.skip(reason)
    line = network.Network()
    try:
        with alone(network=line) as server:
            yield server
            line.carry()
    finally:
        line.close()


@contextlib.contextmanager
def with_few_connections():
    with alone(settings=(f"max_connections={CONNECTIONS}", "superuser_reserved_connections=3",
                         "max_wal_senders=0")) as server:
        yield server


@contextlib.contextmanager
def with_a_standby():
    with alone() as server:
        server.make_standby()
        yield server


@contextlib.contextmanager
def with_a_password():
    with alone(password=SECRET) as server:
        yield server


@contextlib.contextmanager
def behind_a_pooler():
    if reason := pgbouncer.why_not():
        pytest.skip(reason)
    with alone() as server:
        pgbouncer.Pgbouncer(server).make()
        yield server


@contextlib.contextmanager
def with_tables_on_a_small_disk():
    with alone() as server, small_disk(server.folder / "disk", "24m") as disk:
        place = disk / "space"
        place.mkdir()
        server.own(place)
        server.sql(f"CREATE TABLESPACE small LOCATION '{place}'", database="postgres")
        server.sql(f"ALTER DATABASE {postgresql.DATABASE} SET TABLESPACE small", database="postgres")
        yield server
        server.stop()


@contextlib.contextmanager
def with_all_on_a_small_disk():
    server = Postgresql(settings=("max_wal_size=32MB", "min_wal_size=32MB"))
    with small_disk(server.folder / "disk", "128m") as disk:
        server.own(disk)
        server.data = disk / "data"
        with made(server):
            yield server


# ---- troubles ----

@contextlib.contextmanager
def refused(server, daemon):
    server.stop()
    yield
    server.start()


@contextlib.contextmanager
def pooler_refused(server, daemon):
    server.pool.stop()
    yield
    server.pool.start()


@contextlib.contextmanager
def hanging(server, daemon):
    server.signal_all(signal.SIGSTOP)
    yield
    server.signal_all(signal.SIGCONT)


@contextlib.contextmanager
def black_hole(server, daemon):
    server.network.swallow()
    yield
    server.network.carry()


@contextlib.contextmanager
def crashed_in_a_batch(server, daemon):
    """A lock is in the batch's way."""
    with server.session("BEGIN; LOCK TABLE mailpush_registration; SELECT pg_sleep(3600)"):
        waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        wait_until(lambda: server.sql(waits) == "t", what="a batch that waits for a lock")
        server.stop(signal.SIGQUIT)
    yield
    server.start()


@contextlib.contextmanager
def out_of_connections(server, daemon):
    others = []

    def is_full():
        """One more that stays, in the place of mailpushd's."""
        server.end_connections()
        others.append(subprocess.Popen(server.psql(user=postgresql.USER), stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return server.sql(theirs) == str(CONNECTIONS - 3)
    theirs = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'psql' AND " \
             f"usename = '{postgresql.USER}'"
    wait_until(is_full, what="a server without a place")
    yield
    for other in others:
        other.communicate()


@contextlib.contextmanager
def read_only(server, daemon):
    server.sql("ALTER SYSTEM SET default_transaction_read_only = on")
    server.sql("SELECT pg_reload_conf()")
    yield
    server.sql("ALTER SYSTEM RESET default_transaction_read_only")
    server.sql("SELECT pg_reload_conf()")


@contextlib.contextmanager
def standby_behind_the_pooler(server, daemon):
    """The pooler keeps the connection, whatever becomes of the server."""
    server.stop()
    (server.data / "standby.signal").touch()
    server.own(server.data / "standby.signal")
    server.start()
    yield
    server.sql("SELECT pg_promote()")


@contextlib.contextmanager
def failed_over(server, daemon):
    server.stop(signal.SIGQUIT)
    yield
    server.standbys[0].sql("SELECT pg_promote()")


@contextlib.contextmanager
def disk_full_of_the_log_too(server, daemon):
    """The server needs room for its write-ahead log, and crashes again and again for want of it."""
    with disk_full("disk")(server, daemon):
        wait_until(lambda: not server.can("SELECT pg_switch_wal()"), what="a server that crashes")
        yield
    if server.process.poll() is not None:
        server.process = None
        server.start()
    wait_until(server.answers, what="PostgreSQL's answer")


NEW_PASSWORD = f"ALTER ROLE {postgresql.USER} PASSWORD '{{}}'"
CASES = {
    "refused": Case(refused, "No such file or directory", alone),
    "hanging": Case(hanging, "no answer within", alone),
    "behind a pooler": Case(refused, "no answer within|server login has been failing", behind_a_pooler),
    "pooler refused": Case(pooler_refused, "No such file or directory|Connection refused", behind_a_pooler),
    "standby behind a pooler": Case(standby_behind_the_pooler, "read-only|hot standby", behind_a_pooler),
    "black hole": Case(black_hole, "no answer within", behind_a_line),
    "crashed in a batch": Case(crashed_in_a_batch, "No such file or directory", alone),
    "out of connections": Case(out_of_connections, "remaining connection slots are reserved",
                               with_few_connections),
    "read-only": Case(read_only, "session is read-only", alone),
    "failed over": Case(failed_over, "session is read-only|No such file or directory", with_a_standby),
    "password changed": Case(password_changed(NEW_PASSWORD), "password authentication failed", with_a_password),
    "disk full": Case(disk_full("disk"), "could not extend file .*No space left on device", with_tables_on_a_small_disk),
}

# Those that a server of its kind can have one after the other.
LASTING = with_few_connections
REPEATED = ("refused", "hanging", "crashed in a batch", "out of connections", "read-only")

LONG_CASES = {
    "postgresql, disk full of the log too": Case(
        disk_full_of_the_log_too, "No such file|Connection refused|No space left|in recovery mode|starting up|"
                                  "server closed the connection", with_all_on_a_small_disk),
}
