"""A Galera cluster behind the registry: what holds, with one writer and with several."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

SYSTEM = Path(__file__).resolve().parents[1] / "system"
sys.path.insert(0, str(SYSTEM))

import away  # noqa: E402
import conftest  # noqa: E402
from conftest import *  # noqa: E402,F401,F403  the fixtures of the system tests
from control import get  # noqa: E402
from galera import Galera, why_not  # noqa: E402
from ledger import Ledger  # noqa: E402
from mailsite import BarePhone, new_user  # noqa: E402
from waiting import wait_until  # noqa: E402

conftest.LIMIT_S = 600
SECONDS = 30


@pytest.fixture
def cluster():
    assert not why_not()
    cluster = Galera()
    try:
        yield cluster.make()
    finally:
        cluster.remove()


@pytest.fixture
def registry_tests(build):
    return build / "tests" / "unit" / "registry"


def passes(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def host_of(site):
    return get(site.mailpushd, "/status")["databases"]["registry"]["host"]


def test_with_one_writer_it_is_a_database_as_others(cluster, registry_tests):
    passes(registry_tests / "test_registry_conformance", cluster.url)


def test_with_one_writer_an_order_is_found_for_twenty_nodes(cluster, registry_tests):
    assert "0 differences" in passes(registry_tests / "registry_nodes", str(SECONDS), cluster.url)


def test_with_three_writers_what_was_renewed_stays(cluster, registry_tests):
    said = passes(registry_tests / "registry_nodes", str(SECONDS), *cluster.urls())
    assert "0 differences" in said and " 0 conflicts" not in said


def test_whichever_server_is_killed_what_was_renewed_stays(cluster, registry_tests):
    """One after the other, in the midst of what goes on; each comes back."""
    with subprocess.Popen([registry_tests / "registry_nodes", str(3 * SECONDS), *cluster.urls()],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as nodes:
        try:
            for server in cluster.nodes:
                written = server.written()
                wait_until(lambda: server.written() > written + 20, what="what is written")
                server.kill()
                server.come_back()
        finally:
            said, _ = nodes.communicate()
    assert nodes.returncode == 0 and "0 differences" in said, said
    assert " 0 lost" not in said


@contextlib.contextmanager
def that_is_behind(server):
    """What the others commit it has only afterwards."""
    with subprocess.Popen(server.client("-n", "-N"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        client.stdin.write(b"FLUSH TABLES WITH READ LOCK; SELECT 'locked';\n")
        client.stdin.flush()
        assert client.stdout.readline() == b"locked\n"
        yield
        client.stdin.close()


def test_what_was_registered_at_one_server_the_next_event_at_another_finds(cluster, bare_site_for):
    one, two = (bare_site_for(registry=cluster.url_of(first), site="mail") for first in (0, 1))
    two.told(registered_at(two), "INBOX")
    with that_is_behind(cluster.nodes[1]):
        phone = registered_at(one)
        one.told(phone, "INBOX")
        two.deliver(phone.user)
        two.mailpushd.wait_log(f"pushed user={phone.user} token={phone.token[:8]}.* status=200")


def registered_at(site):
    phone = BarePhone(new_user())
    site.register(phone)
    return phone


def test_the_next_server_is_taken_when_the_writer_is_killed(cluster, bare_site_for, tmp):
    site = away.site_with(cluster, bare_site_for, tmp)
    first, second, third = cluster.nodes
    with Ledger(site) as ledger:
        ledger.wait_more()
        assert host_of(site) == first.address
        first.kill()
        ledger.wait_more()
        wait_until(lambda: host_of(site) in (second.address, third.address), what="another server")
        first.come_back()
        ledger.wait_more()
    ledger.settle(away.SETTLED_S)


def test_a_server_without_the_majority_is_left_for_the_next(cluster, bare_site_for, tmp):
    site = away.site_with(cluster, bare_site_for, tmp)
    first = cluster.nodes[0]
    with Ledger(site) as ledger:
        ledger.wait_more()
        first.isolate(True)
        wait_until(lambda: host_of(site) != first.address, what="another server")
        ledger.wait_more()
        first.isolate(False)
        ledger.wait_more()
    ledger.settle(away.SETTLED_S)


@contextlib.contextmanager
def majority_lost(cluster, daemon):
    first, *others = cluster.nodes
    for other in others:
        other.kill()
    yield
    first.be_the_cluster()
    for size, other in enumerate(others, 2):
        other.come_back(size)


def test_without_a_majority_it_is_away(cluster, bare_site_for, tmp):
    site = away.site_with(cluster, bare_site_for, tmp)
    case = away.Case(majority_lost, "WSREP has not yet prepared node|Can't connect|no answer within", None)
    with Ledger(site) as ledger:
        ledger.wait_more()
        away.is_endured(case, cluster, site, ledger)
    ledger.settle(away.SETTLED_S)
