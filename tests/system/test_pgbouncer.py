"""A registry behind pgbouncer, which gives each transaction another connection."""

import pytest

import pgbouncer
from away import made
from mailsite import BarePhone, new_user
from postgresql import DATABASE, Postgresql
from waiting import wait_until

pytestmark = pytest.mark.skipif(bool(pgbouncer.why_not()), reason=str(pgbouncer.why_not()))


@pytest.fixture
def server():
    with made(Postgresql()) as server:
        pgbouncer.Pgbouncer(server).make()
        yield server


def test_two_daemons_share_what_goes_over_many_connections(bare_site_for, server):
    one, other = (bare_site_for(registry=server.url, site="mail") for _ in range(2))
    count = f"SELECT sessions FROM pg_stat_database WHERE datname = '{DATABASE}'"
    before = int(server.sql(count))
    for _ in range(3):
        phone = one.registered_phone()
        other.deliver(phone.user)
        other.told(phone, "INBOX")
    wait_until(lambda: int(server.sql(count)) > before + 6, what="a connection for each transaction")


def test_its_restart_costs_no_event(bare_site_for, server):
    site = bare_site_for(registry=server.url)
    phone = site.registered_phone()
    server.pool.stop()
    new = BarePhone(new_user())
    site.register(new)
    site.deliver(phone.user)
    server.pool.start()
    site.told(new, "INBOX")
    site.told(phone, "INBOX")
