"""A registry in PostgreSQL: the same to phones, also while its server is away."""

import re
import signal
import time

import pytest

import notify
from control import UnixConnection, ctl, ctl_fine, ctl_json, fetch, get
from mailsite import BarePhone, new_user
from postgresql import Postgresql, programs
from test_moving import counts, do_import, exported, line, write_lines
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


def rows(server, what, table):
    return server.sql(f"SELECT {what} FROM mailpush_{table} ORDER BY 1").splitlines()


def test_a_phone_of_a_real_cyrus_registers_and_is_told(site_for, postgresql):
    site = site_for(registry=postgresql.url)
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX", "Notes")
    assert rows(postgresql, "username, device_token", "registration") == [f"{user}|{phone.token}"]
    assert rows(postgresql, "name", "subscription") == ["INBOX", "Notes"]
    site.deliver(user, "Notes")
    site.told(phone, "Notes")


def test_a_folder_that_is_renamed_is_followed(site_for, postgresql):
    site = site_for(registry=postgresql.url)
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX", "Notes")
    phone.rename("Notes", "Old")
    site.deliver(user, "Old")
    site.told(phone, "Notes")
    assert rows(postgresql, "name, folder", "subscription") == ["INBOX|", "Notes|Old"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_what_comes_while_the_server_is_away_is_parked_and_told(bare_site_for, postgresql, how):
    site = bare_site_for(registry=postgresql.url)
    old = site.registered_phone()
    new = BarePhone(new_user())
    postgresql.stop(how)
    site.register(new)
    site.deliver(old.user)
    site.mailpushd.wait_log("registry 'postgresql://.*alarm=registry state=begins")
    postgresql.start()
    site.told(new, "INBOX")
    site.told(old, "INBOX")
    site.mailpushd.wait_log("alarm=registry state=ends")


def test_it_starts_and_parks_without_the_server(bare_site_for, postgresql):
    postgresql.stop()
    site = bare_site_for(registry=postgresql.url)
    phone = BarePhone(new_user())
    site.register(phone)
    site.mailpushd.wait_log("registry 'postgresql://.*alarm=registry state=begins")
    site.mailpushd.kill9()
    site.mailpushd.start()
    postgresql.start()
    site.told(phone, "INBOX")


def test_a_backend_that_is_ended_costs_no_event(bare_site_for, postgresql):
    site = bare_site_for(registry=postgresql.url)
    phone = site.registered_phone()
    postgresql.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mailpush'")
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_two_daemons_share_it(bare_site_for, postgresql):
    one = bare_site_for(registry=postgresql.url, site="mail")
    other = bare_site_for(registry=postgresql.url, site="mail")
    phone = one.registered_phone()
    other.deliver(phone.user)
    other.told(phone, "INBOX")


def test_what_a_rule_of_the_administrators_refuses_is_said_to_be_so(bare_site_for, postgresql):
    """Of an import's registrations those alone."""
    site = bare_site_for(registry=postgresql.url)
    kept = site.registered_phone()
    postgresql.sql("ALTER TABLE mailpush_registration ADD CONSTRAINT no_guests CHECK (username <> 'guest')")
    postgresql.sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                   "$$BEGIN RAISE EXCEPTION 'nobody is forgotten here'; END$$; "
                   "CREATE TRIGGER refuse BEFORE DELETE ON mailpush_registration "
                   "FOR EACH ROW EXECUTE FUNCTION refuse()")
    users = [new_user(), "guest", new_user()]
    summary = do_import(site, write_lines(site, *(line(BarePhone(user)) for user in users)), status=1)
    assert counts(summary) == (2, 0, 0, 1)
    [reason] = summary["reasons"]
    assert "no_guests" in reason["why"] and reason["first"] == "line 2"
    [device] = ctl_json(site.mailpushd, "devices", "--user", kept.user)
    for command in (["devices", "remove", device["key"]], ["user", "remove", kept.user, "--yes"]):
        done = ctl(site.mailpushd, *command)
        assert done.returncode == 1 and "nobody is forgotten here" in done.stderr
    assert site.mailpushd.log.wait("alarm=registry:refused state=begins")
    assert {l["user"] for l in exported(site)} == {kept.user, users[0], users[2]}


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
    assert re.search(rf"ok +registry +{re.escape(well['server'])} at ", ctl(daemon, "doctor").stdout)

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
    assert re.search(r"fail +registry +away since .*, events parked: [12]; registry '", ctl(daemon, "doctor").stdout)
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
