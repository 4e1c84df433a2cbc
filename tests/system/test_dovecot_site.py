"""A Cyrus and a Dovecot on one daemon and one registry, and a user of the same name in both.

With dovecot_site these are two people, without it they are one.
"""

import json

import pytest

import notify
from apnssim import TOPIC
from control import ctl, ctl_fine, ctl_json, get
from dovecot import MAIL_USER
from mailsite import BarePhone, BareSite, MailSite, new_user, rows
from ports import free_port
from test_reload import reload
from waiting import wait_until
from xaps import Plugin

HOUR_MS = 3600 * 1000


@pytest.fixture
def both_for(cyrus_for, private_dovecot, mailpushd, sim):
    """both_for(**settings): the sides of Cyrus and of Dovecot, on one daemon."""
    sides = []

    def make(**settings):
        cyrus = cyrus_for()
        daemon = mailpushd(cyrus, start=False, dovecot_users=[MAIL_USER], **settings)
        daemon.write_conf(dovecot_socket=daemon.dir / "dovecot")
        daemon.start()
        daemon.wait_spool()
        daemon.dir.chmod(0o755)
        dovecot = private_dovecot(socket=daemon.dir / "dovecot", spool=daemon.spool)
        sides.extend((MailSite(cyrus, daemon, sim), MailSite(dovecot, daemon, sim)))
        return sides
    yield make
    for side in sides:
        side.close()


def registered(side, user, *mailboxes):
    """A phone of this side that got the push that proves it."""
    phone = side.phone(user)
    phone.register(*(mailboxes or ("INBOX",)))
    side.told(phone, *(mailboxes or ("INBOX",)))
    return phone


def wait_queue_is_empty(side):
    wait_until(lambda: not get(side.mailpushd, "/queue")["pushes"], what="an empty queue")


def deliver_here_alone(side, phone, other_side, other_phone):
    side.deliver(phone.user)
    side.told(phone, "INBOX")
    wait_queue_is_empty(side)
    assert other_side.new_pushes(other_phone) == []


def users(side):
    return sorted(device["user"] for device in ctl_json(side.mailpushd, "devices"))


def two_people(cyrus, dovecot):
    """Everything that a user of both may meet, once on each side."""
    daemon = cyrus.mailpushd
    user = new_user()
    for side in (cyrus, dovecot):
        side.create_user("Notes", user=user)
    there = f"dove/{user}"
    one, other = (registered(side, user, "INBOX", "Notes") for side in (cyrus, dovecot))
    assert users(cyrus) == [there, user]

    # Mail.
    deliver_here_alone(cyrus, one, dovecot, other)
    deliver_here_alone(dovecot, other, cyrus, one)

    # News that waits when the daemon ends, in the queue ...
    daemon.write_conf(deferred_delay="1h")
    daemon.restart()
    for side in (cyrus, dovecot):
        side.phone(user).append("Notes")
    wait_until(lambda: sorted(push["user"] for push in get(daemon, "/queue")["pushes"]) == [there, user],
               what="two pushes that wait")
    daemon.write_conf(deferred_delay="50ms")
    cyrus.let_pass(2 * HOUR_MS)
    cyrus.told(one, "Notes")
    dovecot.told(other, "Notes")

    # ... and parked, as the registry took nothing.
    ctl_fine(daemon, "registry", "freeze")
    dovecot.deliver(user)
    wait_until(lambda: get(daemon, "/status")["databases"]["registry"]["parked"], what="a parked event")
    daemon.restart()
    dovecot.told(other, "INBOX")
    wait_queue_is_empty(cyrus)
    assert cyrus.new_pushes(one) == []

    # What people ask about.
    for name, phone in ((user, one), (there, other)):
        [device] = get(daemon, f"/trace?user={name}")["devices"]
        assert device["token"][:8] == phone.token[:8]
    ctl_fine(daemon, "push", there)
    dovecot.told(other, "INBOX")

    # An account that is deleted, or forgotten by an administrator, on one side.
    cyrus.cyrus.delete_user(user)
    wait_until(lambda: states(daemon) == {user: "suspended", there: "active"}, what="one suspended account")
    deliver_here_alone(dovecot, other, cyrus, one)
    ctl_fine(daemon, "user", "remove", user, "--yes")
    assert users(cyrus) == [there]
    deliver_here_alone(dovecot, other, cyrus, one)
    cyrus.create_user(user=user)
    again = registered(cyrus, user)
    ctl_fine(daemon, "user", "remove", there, "--yes")
    assert users(cyrus) == [user]
    deliver_here_alone(cyrus, again, dovecot, other)


def states(daemon):
    return {device["user"]: device["state"] for device in ctl_json(daemon, "devices")}


@pytest.mark.limit(240)
def test_with_a_site_of_its_own_a_user_of_dovecot_is_another_one_than_of_cyrus(both_for):
    two_people(*both_for(dovecot_site="dove"))


@pytest.mark.limit(600)
def test_so_in_a_database_server(both_for, server):
    two_people(*both_for(dovecot_site="dove", registry=server.url))


def test_without_it_they_are_one_user(both_for):
    cyrus, dovecot = both_for()
    user = new_user()
    for side in (cyrus, dovecot):
        side.create_user(user=user)
    one, other = (registered(side, user) for side in (cyrus, dovecot))
    assert users(cyrus) == [user, user]
    for side in (cyrus, dovecot):
        side.deliver(user)
        cyrus.told(one, "INBOX")
        dovecot.told(other, "INBOX")


@pytest.mark.limit(240)
def test_mailboxes_of_others_are_those_of_the_own_side(both_for):
    cyrus, dovecot = both_for(dovecot_site="dove")
    alice, bob = new_user(), new_user()
    for side in (cyrus, dovecot):
        for user in (alice, bob):
            side.create_user("Team", user=user)
    here, there = cyrus.phone(alice), dovecot.phone(alice)
    ours, theirs = cyrus.cyrus.other_name(alice, "Team"), dovecot.cyrus.shared_name(alice, "Team")
    for owner in (here, there):
        owner.setacl("Team", bob, "lr")
    one, other = registered(cyrus, bob, ours), registered(dovecot, bob, theirs)
    here.append("Team")
    cyrus.told(one, ours)
    wait_queue_is_empty(cyrus)
    assert dovecot.new_pushes(other) == []
    there.append("Team")
    dovecot.told(other, theirs)
    wait_queue_is_empty(cyrus)
    assert cyrus.new_pushes(one) == []


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def xaps_site(mailpushd, sim, imapd_conf, port):
    return BareSite(mailpushd(imapd_conf=imapd_conf, xaps_listen=f"127.0.0.1:{port}", dovecot_site="dove"), sim)


def test_the_plugin_for_xapsd_speaks_of_users_of_dovecot(xaps_site, port):
    here = xaps_site.registered_phone()
    plugin = Plugin(port)
    assert plugin.notify(here.user, "MessageNew") == 404
    there = BarePhone(here.user.upper())
    assert plugin.register(there) == (200, TOPIC)
    xaps_site.told_inbox(there)
    assert plugin.notify(here.user, "MessageNew") == 200
    xaps_site.told_inbox(there)
    wait_queue_is_empty(xaps_site)
    assert xaps_site.new_pushes(here) == []
    assert users(xaps_site) == [f"dove/{here.user}", here.user]
    plugin.close()


def test_one_phone_may_have_an_account_on_each_side(xaps_site, port):
    here = xaps_site.registered_phone()
    plugin = Plugin(port)
    assert plugin.register(BarePhone(here.user, token=here.token)) == (200, TOPIC)
    wait_until(lambda: set(states(xaps_site.mailpushd).values()) == {"active"} and len(users(xaps_site)) == 2,
               what="two accounts, of which none supersedes the other")
    plugin.close()


def test_registrations_from_xapsd_and_from_an_export_are_of_dovecot(xaps_site):
    daemon = xaps_site.mailpushd
    user = new_user()
    phone = BarePhone(user)
    path = daemon.dir / "database.json"
    path.write_text(json.dumps({"Users": {user: {"Accounts": {
        phone.account_id: {"DeviceToken": phone.token, "Mailboxes": ["INBOX", f"Other Users/{user}"]}}}}}))
    ctl_fine(daemon, "import", "--from", "xapsd", "--topic", TOPIC, path)
    assert users(xaps_site) == [f"dove/{user}"]
    export = daemon.dir / "export.json"
    export.write_text(ctl_fine(daemon, "export"))
    ctl_fine(daemon, "user", "remove", f"dove/{user}", "--yes")
    assert users(xaps_site) == []
    ctl_fine(daemon, "import", export)
    assert users(xaps_site) == [f"dove/{user}"]
    assert rows(daemon.dir / "registry.sqlite", "SELECT DISTINCT owner FROM subscription") == [f"dove/{user}"]


def test_a_cyrus_cannot_name_users_of_dovecot(xaps_site):
    answer = xaps_site.ask(notify.registration("dove/alice", BarePhone("").token, "A-1", ["INBOX"]))
    assert answer.startswith(b"NO ") and b"dovecot_site" in answer
    assert users(xaps_site) == []


def test_nor_their_mailboxes_by_names_that_people_type(xaps_site, imapd_conf):
    imapd_conf.write_text(imapd_conf.read_text().replace("yes", "no"))
    reload(xaps_site)
    phone = BarePhone(new_user(), ("INBOX", "user.dove/alice", "user.Dove/alice.Notes", "user.dove/.News",
                                   "user.dover.Notes", "dove/News"))
    xaps_site.register(phone)
    xaps_site.told(phone, "INBOX", "user.dover.Notes", "dove/News")
    assert xaps_site.subscriptions(phone) == ["INBOX", "dove/News", "user.dover.Notes"]


def test_it_is_shown(xaps_site):
    daemon = xaps_site.mailpushd
    assert get(daemon, "/status")["dovecot_site"] == "dove"
    assert "\nDovecot site   dove\n" in ctl_fine(daemon, "status")
    assert "users of Dovecot are known as dove/USER" in ctl(daemon, "doctor").stdout
    assert "users of Dovecot are known as dove/USER" in ctl(daemon, "doctor", "--user", "nobody").stdout
    daemon.write_conf(dovecot_site=get(daemon, "/status")["site"])
    daemon.restart()
    assert get(daemon, "/status")["dovecot_site"] == ""
    assert "set it in mailpush.conf" in ctl(daemon, "doctor").stdout
