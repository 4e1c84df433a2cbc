"""A registry's url with hosts and addresses that say nothing: the others are found, and a stop ends.
"""

import pytest

import network
import postgresql
from away import made
from mailsite import BarePhone, new_user
from postgresql import Postgresql
from resolver import Resolver

pytestmark = [
    pytest.mark.skipif(not postgresql.programs(), reason="PostgreSQL is not installed (script/bootstrap)"),
    pytest.mark.skipif(bool(network.why_not()), reason=str(network.why_not()))]


@pytest.fixture
def line():
    line = network.Network()
    yield line
    line.close()


@pytest.fixture
def hole():
    """An address at which nobody answers."""
    line = network.Network()
    line.swallow()
    yield line.address
    line.close()


@pytest.fixture
def server(line):
    with made(Postgresql(network=line)) as server:
        yield server


def url(*hosts):
    return f"postgresql://{postgresql.USER}@{','.join(hosts)}/{postgresql.DATABASE}"


def named(tmp, name, *addresses):
    """A command that runs its arguments where the name has these addresses, in this order."""
    hosts = tmp / "hosts"
    hosts.write_text("".join(f"{address} {name}\n" for address in addresses))
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts)]


@pytest.fixture
def site_at(bare_site_for):
    """site_at(url, wrapper, **settings): a site whose registry is there."""
    def make(url, wrapper=(), registry_timeout="1s", **settings):
        site = bare_site_for(start=False, registry=url, registry_timeout=registry_timeout, **settings)
        site.mailpushd.wrapper = list(wrapper)
        site.mailpushd.start()
        return site
    return make


def stops_in_order(site):
    assert site.mailpushd.stop() == 0
    site.mailpushd.wait_log("info daemon: stopped", since=site.mailpushd.start_line)
    assert not [line for line in site.mailpushd.lines() if "database=registry" in line]


def registers(site):
    phone = BarePhone(new_user())
    site.register(phone)
    site.told(phone, "INBOX")


def test_a_host_behind_those_that_say_nothing_is_found(site_at, server, hole):
    site = site_at(url(hole, f"{hole}:5433", f"{hole}:5434", server.place))
    registers(site)


def test_the_next_address_of_a_name_is_found_when_the_first_says_nothing(site_at, server, hole, tmp):
    site = site_at(url("db"), named(tmp, "db", hole, server.place))
    registers(site)


def test_hosts_of_a_service_file_are_tried_in_turn(site_at, server, hole, tmp):
    services = tmp / "services"
    services.write_text(f"[push]\nhost={hole},{server.place}\nuser={postgresql.USER}\n"
                        f"dbname={postgresql.DATABASE}\n")
    site = site_at("postgresql:///?service=push", ["env", f"PGSERVICEFILE={services}"])
    registers(site)


def test_the_alarm_names_host_and_address(site_at, hole, tmp):
    site = site_at(url("db"), named(tmp, "db", hole))
    site.register_nobody()
    site.mailpushd.wait_log(f"alarm: registry 'postgresql://mailpush@db/mailpush': db .{hole}.: no answer within "
                            "1000 ms to the attempt to connect; look at the server and the way to it alarm=registry")


def test_an_address_that_changes_is_followed(site_at, server, hole, tmp):
    wrapper = named(tmp, "db", hole)
    site = site_at(url("db"), wrapper)
    site.register_nobody()
    site.mailpushd.wait_log("alarm=registry state=begins")
    (tmp / "hosts").write_text(f"{server.place} db\n")
    site.mailpushd.wait_log("alarm=registry state=ends")
    registers(site)


@pytest.fixture
def resolver(tmp):
    resolver = Resolver(tmp, "timeout:30 attempts:5")
    yield resolver
    resolver.close()


def test_a_resolver_that_is_slow_is_waited_for(site_at, server, resolver):
    site = site_at(url("db.example.com"), resolver.wrapper())
    phone = BarePhone(new_user())
    site.register(phone)
    site.mailpushd.wait_log("alarm: .*the resolver has not answered about 'db.example.com'.*alarm=registry")
    resolver.answer(server.place)
    site.told(phone, "INBOX")


def test_a_stop_does_not_wait_for_all_hosts_that_say_nothing(site_at, hole):
    """Each has a few seconds; together they would have more than the thread that waits for them."""
    site = site_at(url(*(f"{hole}:{port}" for port in range(5432, 5436))), registry_timeout="4s")
    site.register_nobody()
    stops_in_order(site)


def test_a_stop_does_not_wait_for_a_long_registry_timeout(site_at, hole):
    site = site_at(url(hole), registry_timeout="60s")
    site.register_nobody()
    stops_in_order(site)


def test_a_stop_does_not_wait_for_the_resolver(site_at, resolver):
    site = site_at(url("db.example.com"), resolver.wrapper())
    site.register_nobody()
    resolver.wait_asked()
    stops_in_order(site)
