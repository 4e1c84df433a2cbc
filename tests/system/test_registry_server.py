"""A registry in a database server, of each kind: the same to phones, also while the server is away."""

import re

import pytest

from control import ctl, ctl_fine, ctl_json, get
from mailsite import BarePhone, new_user
from mariadb import Mariadb
from postgresql import Postgresql
from test_moving import counts, do_import, exported, line, write_lines
from test_registry_postgresql import metrics

REFUSE_REMOVALS = {
    Postgresql: "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN RAISE EXCEPTION 'nobody is forgotten here'; END$$; "
                "CREATE TRIGGER refuse BEFORE DELETE ON mailpush_registration "
                "FOR EACH ROW EXECUTE FUNCTION refuse()",
    Mariadb: "CREATE TRIGGER refuse BEFORE DELETE ON mailpush_registration FOR EACH ROW "
             "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'nobody is forgotten here'",
}


def rows(server, table, *columns):
    return server.sql(f"SELECT CONCAT_WS('|', {', '.join(columns)}) FROM mailpush_{table} ORDER BY 1").splitlines()


def wait_away(site, server):
    scheme = server.url.partition(":")[0]
    site.mailpushd.wait_log(f"registry '{scheme}://.*alarm=registry state=begins")


def test_a_phone_of_a_real_cyrus_registers_and_is_pushed_to(site_for, server):
    site = site_for(registry=server.url)
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX", "Notes")
    assert rows(server, "registration", "username", "device_token") == [f"{user}|{phone.token}"]
    assert rows(server, "subscription", "name") == ["INBOX", "Notes"]
    site.deliver(user, "Notes")
    site.told(phone, "Notes")


def test_a_folder_that_is_renamed_is_followed(site_for, server):
    site = site_for(registry=server.url)
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX", "Notes")
    phone.rename("Notes", "Old")
    site.deliver(user, "Old")
    site.told(phone, "Notes")
    assert rows(server, "subscription", "name", "folder") == ["INBOX|", "Notes|Old"]


@pytest.mark.parametrize("end", [lambda server: server.stop(), lambda server: server.crash()],
                         ids=["stopped", "crashed"])
def test_what_comes_while_the_server_is_away_is_parked_and_pushed(bare_site_for, server, end):
    site = bare_site_for(registry=server.url)
    old = site.registered_phone()
    new = BarePhone(new_user())
    end(server)
    site.register(new)
    site.deliver(old.user)
    wait_away(site, server)
    server.start()
    site.told(new, "INBOX")
    site.told(old, "INBOX")
    site.mailpushd.wait_log("alarm=registry state=ends")


def test_it_starts_and_parks_without_the_server(bare_site_for, server):
    server.stop()
    site = bare_site_for(registry=server.url)
    phone = BarePhone(new_user())
    site.register(phone)
    wait_away(site, server)
    site.mailpushd.kill9()
    site.mailpushd.start()
    server.start()
    site.told(phone, "INBOX")


def test_a_connection_that_is_ended_costs_no_event(bare_site_for, server):
    site = bare_site_for(registry=server.url)
    phone = site.registered_phone()
    server.end_connections()
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_two_daemons_share_it(bare_site_for, server):
    one = bare_site_for(registry=server.url, site="mail")
    other = bare_site_for(registry=server.url, site="mail")
    phone = one.registered_phone()
    other.deliver(phone.user)
    other.told(phone, "INBOX")


def test_what_a_rule_of_the_administrators_refuses_is_said_to_be_so(bare_site_for, server):
    """Of an import's registrations those alone."""
    site = bare_site_for(registry=server.url)
    kept = site.registered_phone()
    server.sql("ALTER TABLE mailpush_registration ADD CONSTRAINT no_guests CHECK (username <> 'guest')")
    server.sql(REFUSE_REMOVALS[type(server)])
    users = [new_user(), "guest", new_user()]
    summary = do_import(site, write_lines(site, *(line(BarePhone(user)) for user in users)), status=1)
    assert counts(summary) == (2, 0, 0, 1)
    [reason] = summary["reasons"]
    assert "no_guests" in reason["why"] and reason["first"] == "line 2"
    [device] = ctl_json(site.mailpushd, "devices", "--user", kept.user)
    for command in (["devices", "remove", device["key"]], ["user", "remove", kept.user, "--yes"]):
        done = ctl(site.mailpushd, *command)
        assert done.returncode == 1 and "nobody is forgotten here" in done.stderr
    site.mailpushd.log.wait("alarm=registry:refused state=begins")
    assert {l["user"] for l in exported(site)} == {kept.user, users[0], users[2]}


# Refuse registrations of guests, and take them again.
UNKNOWN = {
    Postgresql: "CREATE FUNCTION no_guests() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN IF NEW.username = 'guest' THEN RAISE EXCEPTION 'no guests' USING ERRCODE = 'MP001'; "
                "END IF; RETURN NEW; END$$; CREATE TRIGGER no_guests BEFORE INSERT ON mailpush_registration "
                "FOR EACH ROW EXECUTE FUNCTION no_guests()",
    Mariadb: "DELIMITER //\n"
             "CREATE TRIGGER no_guests BEFORE INSERT ON mailpush_registration FOR EACH ROW "
             "IF NEW.username = 'guest' THEN SIGNAL SQLSTATE '45001' "
             "SET MESSAGE_TEXT = 'no guests', MYSQL_ERRNO = 31000; END IF//",
}
DROP_TRIGGER = {Postgresql: "DROP TRIGGER no_guests ON mailpush_registration", Mariadb: "DROP TRIGGER no_guests"}


@pytest.mark.parametrize("is_known", [True, False], ids=["rule", "unknown error"])
def test_what_is_refused_is_set_aside_and_taken_at_the_next_start(bare_site_for, server, is_known):
    site = bare_site_for(registry=server.url)
    site.registered_phone()
    server.sql("ALTER TABLE mailpush_registration ADD CONSTRAINT no_guests CHECK (username <> 'guest')"
               if is_known else UNKNOWN[type(server)])
    phone = BarePhone("guest")
    site.register(phone)
    site.registered_phone()         # others go on
    site.mailpushd.wait_log("what an event or a request says is set aside until the next start: .*"
                            "alarm=registry:refused state=begins")
    assert get(site.mailpushd, "/status")["databases"]["registry"]["set_aside"] == 1
    assert re.search(r", events parked: \d+, set aside: 1$", ctl_fine(site.mailpushd, "status"), flags=re.M)
    assert "mailpush_events_set_aside 1\n" in metrics(site.mailpushd)
    server.sql("ALTER TABLE mailpush_registration DROP CONSTRAINT no_guests" if is_known
               else DROP_TRIGGER[type(server)])
    site.mailpushd.kill9()
    site.mailpushd.start()
    site.told(phone, "INBOX")
    assert get(site.mailpushd, "/status")["databases"]["registry"]["set_aside"] == 0
