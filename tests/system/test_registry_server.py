"""A registry in a database server, of each kind: the same to phones, also while the server is away."""

import pytest

from control import ctl, ctl_json
from mailsite import BarePhone, new_user
from mariadb import Mariadb
from postgresql import Postgresql
from test_moving import counts, do_import, exported, line, write_lines

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
    assert site.mailpushd.log.wait("alarm=registry:refused state=begins")
    assert {l["user"] for l in exported(site)} == {kept.user, users[0], users[2]}
