"""What is PostgreSQL's alone of a registry in a database server."""

import re
import time

import pytest

import notify
from control import UnixConnection, ctl, ctl_fine, ctl_json, fetch, get
from postgresql import Postgresql, programs
from waiting import wait_until

pytestmark = pytest.mark.skipif(not programs(), reason="PostgreSQL is not installed (script/bootstrap)")


@pytest.fixture
def postgresql():
    server = Postgresql()
    try:
        server.make()
        yield server
    finally:
        server.remove()


def metrics(daemon):
    return fetch(UnixConnection(daemon.control_socket), "/metrics")[1]


def test_with_tables_made_by_an_administrator_few_rights_are_enough(bare_site_for, postgresql):
    postgresql.sql("CREATE DATABASE strict", database="postgres")
    url = postgresql.url.replace("/mailpush?", "/strict?")
    site = bare_site_for(start=False, registry=url)
    sql = ctl_fine(site.mailpushd, "schema", "--config", site.mailpushd.conf)
    assert sql == ctl_fine(site.mailpushd, "schema", "postgresql")
    postgresql.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC; " + sql, database="strict")
    site.mailpushd.start()
    one, other = site.registered_phone("INBOX", "Notes"), site.registered_phone()
    site.tell(notify.mail(one.user, "Notes", event="MailboxDelete"))
    [device] = ctl_json(site.mailpushd, "devices", "--user", other.user)
    ctl_fine(site.mailpushd, "devices", "remove", device["key"])
    ctl_fine(site.mailpushd, "prune")
    assert [trace["why"] for trace in ctl_json(site.mailpushd, "devices", "--forgotten")] == ["removed"]
    ctl_fine(site.mailpushd, "user", "remove", other.user, "--yes")
    site.deliver(one.user)
    site.told(one, "INBOX")
    assert get(site.mailpushd, "/status")["alarms"] == []


def test_status_tells_how_the_registry_is_doing(bare_site_for, postgresql):
    """Also while it is away, without a wait for it."""
    site = bare_site_for(registry=postgresql.url)
    daemon = site.mailpushd
    phone = site.registered_phone()

    def registry():
        return get(daemon, "/status")["databases"]["registry"]
    well = registry()
    assert well["server"].startswith("PostgreSQL ") and well["host"] == str(postgresql.folder)
    assert (well["connected"], well["error"], well["next_try"], well["parked"]) == (True, None, None, 0)
    assert well["since"] <= time.time() and well["last_batch"] > 0
    assert re.search(rf"^ +{re.escape(well['server'])} at {postgresql.folder}, connected since .*, last batch .*, "
                     "events parked: 0$", ctl_fine(daemon, "status"), flags=re.M)
    assert "mailpush_registry_connected 1\n" in metrics(daemon)
    assert re.search(rf"ok +registry +{re.escape(well['server'])} at {postgresql.folder}, connected since .*, "
                     r"last batch \S+ \w+$", ctl(daemon, "doctor").stdout, flags=re.M)

    postgresql.stop()
    site.deliver(phone.user)
    site.deliver(phone.user, "Notes")
    away = wait_until(lambda: (found := registry())["connected"] is False and found["parked"] and found,
                      what="a registry that is away, and a parked event")
    assert away["since"] >= well["since"] and away["next_try"] > away["since"]
    assert str(postgresql.folder) in away["error"] and away["server"] == well["server"]
    text = ctl_fine(daemon, "status")
    assert re.search(r", away since .*, events parked: [12]$", text, flags=re.M)
    assert re.search(rf"^ +last error .*: registry 'postgresql://.*{postgresql.folder}", text, flags=re.M)
    assert "mailpush_registry_connected 0\n" in metrics(daemon)
    assert re.search(rf"fail +registry +{re.escape(well['server'])}, away since .*, last batch \S+ \w+, events parked: "
                     "[12]; registry '", ctl(daemon, "doctor").stdout)
    assert re.search(r"^mailpush_events_parked [12]$", metrics(daemon), flags=re.M)

    postgresql.start()
    site.told_inbox(phone)
    back = wait_until(lambda: (found := registry())["connected"] and not found["parked"] and found,
                      what="a registry that is back")
    assert back["since"] >= away["since"] and back["error"] and back["next_try"] is None


def test_a_url_that_cannot_be_read_ends_the_start(bare_site_for):
    site = bare_site_for(start=False, registry="postgresql://mailpush@db:port/mailpush?nonsense=1")
    with pytest.raises(RuntimeError, match="not a url that PostgreSQL's library can read.*nonsense"):
        site.mailpushd.start()


def test_a_malformed_row_keeps_nobody_else_from_being_pushed(bare_site_for, postgresql):
    site = bare_site_for(registry=postgresql.url)
    one, other = site.registered_phone(), site.registered_phone()
    postgresql.sql(f"UPDATE mailpush_registration SET account_id = '' WHERE username = '{one.user}'")
    site.deliver(one.user)
    site.deliver(other.user)
    site.told(other, "INBOX")
    site.mailpushd.wait_log(f"error registry: a registration is malformed.*user={one.user}")
    assert get(site.mailpushd, "/status")["alarms"] == []


def test_a_mailbox_with_a_malformed_hash_is_left_out_of_the_push(bare_site_for, postgresql):
    site = bare_site_for(registry=postgresql.url)
    phone = site.registered_phone("INBOX", "Notes")
    postgresql.sql("UPDATE mailpush_subscription SET hash = '\"' WHERE name = 'Notes'")
    site.deliver(phone.user, "Notes")
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    site.mailpushd.wait_log("error registry: a mailbox of a registration has a malformed hash")
