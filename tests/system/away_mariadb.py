"""The ways in which a MariaDB is away.  A trouble comes before its `yield` and goes after it."""

import contextlib
import signal

import pytest

import mariadb
import network
from away import Case, made
from mariadb import Mariadb


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


CASES = {
    "refused": Case(refused, "Can't connect", alone),
    "crashed": Case(crashed, "Can't connect", alone),
    "hanging": Case(hanging, "no answer|timed out|Lost connection|initial communication", alone),
    "black hole": Case(black_hole, "no answer|timed out|Lost connection|Can't connect", behind_a_line),
    "read-only": Case(read_only, "read.only", alone),
}
