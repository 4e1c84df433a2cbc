"""Two nodes: each a real daemon, beside a real Cyrus where that matters, on one registry."""

import contextlib
import random
import threading

import pytest

from control import ctl_fine
from mailsite import BarePhone, hashes_of, new_user
from phone import hash_of
from test_crash import MAILBOXES, Senders
from waiting import wait_until
from wallclock import WallClock

SITE = "mail"
# Something in imapd.conf that changes nothing here: it makes another Cyrus of the second.
OTHER = {"imapidlepoll": 61}


@pytest.fixture
def nodes(site_for, server):
    """Two servers with users of the same names."""
    return (site_for(registry=server.url, site=SITE),
            site_for(cyrus=OTHER, registry=server.url, site=SITE))


@pytest.fixture
def bare_nodes(bare_site_for, server):
    return tuple(bare_site_for(registry=server.url, site=SITE) for _ in range(2))


def create_user(nodes, *folders):
    user = new_user()
    for node in nodes:
        node.create_user(*folders, user=user)
    return user


def at_once(*calls):
    """Each in a thread of its own; what one of them raises is raised."""
    failures = []

    def run(call):
        try:
            call()
        except Exception as failure:    # shown by whoever waits
            failures.append(failure)
    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def subscriptions(server):
    """(name, folder) of all, in order of the names."""
    return list(zip(column(server, "name", "subscription"), column(server, "folder", "subscription")))


def column(server, name, table):
    """Its values, in order; empty ones too, which the servers' clients leave out at the end."""
    order = "name" if table == "subscription" else "device_token"
    rows = server.sql(f"SELECT CONCAT({name}, '.') FROM mailpush_{table} ORDER BY {order}")
    return [row.removesuffix(".") for row in rows.splitlines()]


def count(server, table):
    return int(server.sql(f"SELECT count(*) FROM mailpush_{table}"))


def has_pushed(node, phone, since):
    node.mailpushd.wait_log(f"pushed user={phone.user} token={phone.token[:8]}.* status=200", since=since)


def test_what_is_registered_at_one_is_pushed_by_the_other(nodes):
    one, two = nodes
    user = create_user(nodes, "Notes")
    phone = one.registered_phone(user, "INBOX", "Notes")
    two.deliver(user, "Notes")
    one.told(phone, "Notes")
    has_pushed(two, phone, 0)
    two_phone = two.phone(user, token=phone.token, account_id=phone.account_id)
    two_phone.register("INBOX")
    one.told(phone, "INBOX")
    one.deliver(user, "Notes")
    one.deliver(user)
    one.told(phone, "INBOX")


def test_a_phone_that_renews_at_both_at_once_is_registered_once(nodes, server):
    one, two = nodes
    user = create_user(nodes, "Notes")
    phone = one.registered_phone(user, "INBOX")
    again = two.phone(user, token=phone.token, account_id=phone.account_id)

    def renew(connection, *mailboxes):
        for _ in range(10):
            connection.register(*mailboxes)
    at_once(lambda: renew(phone, "INBOX", "Notes"), lambda: renew(again, "INBOX"))
    for node in nodes:
        node.wait_nothing_is_parked()
    assert count(server, "registration") == 1
    assert column(server, "name", "subscription") in (["INBOX"], ["INBOX", "Notes"])
    again.register("INBOX", "Notes")
    wait_until(lambda: column(server, "name", "subscription") == ["INBOX", "Notes"], what="the newest list")
    for node in nodes:
        since = len(node.mailpushd.lines())
        node.deliver(user, "Notes")
        has_pushed(node, phone, since)


def test_a_phone_that_both_hear_is_gone_is_forgotten_and_may_come_back(nodes, server):
    one, two = nodes
    user = create_user(nodes)
    phone = one.registered_phone(user, "INBOX")
    one.sim.control(do="token", token=phone.token, status=410, reason="Unregistered", timestamp=4102444800000)
    at_once(lambda: one.deliver(user), lambda: two.deliver(user))
    wait_until(lambda: count(server, "registration") == 0, what="an empty registry")
    assert count(server, "subscription") == 0
    assert count(server, "forgotten") == 1
    for node in nodes:
        node.wait_nothing_waits()
    one.sim.control(do="token", token=phone.token, status=410, times=0)
    phone.register("INBOX")
    wait_until(lambda: count(server, "registration") == 1, what="the phone that came back")
    for node in nodes:
        since = len(node.mailpushd.lines())
        node.deliver(user)
        has_pushed(node, phone, since)
    assert count(server, "registration") == 1


def test_a_folder_that_both_rename_at_once_is_followed_once(nodes, server):
    one, two = nodes
    user = create_user(nodes, "Notes")
    phone = one.registered_phone(user, "INBOX", "Notes")
    other = two.phone(user)
    at_once(lambda: phone.rename("Notes", "Old"), lambda: other.rename("Notes", "Old"))
    wait_until(lambda: subscriptions(server) == [("INBOX", ""), ("Notes", "Old")], what="the rename")
    for node in nodes:
        since = len(node.mailpushd.lines())
        node.deliver(user, "Old")
        has_pushed(node, phone, since)
    assert hashes_of(one.new_pushes(phone)) == {hash_of("Notes")}


def test_an_account_that_moves_is_suspended_there_and_resumed_here(nodes, server):
    one, two = nodes
    user = one.create_user("Notes")
    phone = one.registered_phone(user, "INBOX", "Notes")
    two.create_user("Notes", user=user)
    one.cyrus.delete_user(user)
    one.mailpushd.wait_log(f"suspended.*{user}")
    assert column(server, "suspended_ms", "registration") != ["0"]
    two.deliver(user, "Notes")
    one.told(phone, "Notes")
    has_pushed(two, phone, 0)
    assert column(server, "suspended_ms", "registration") == ["0"]


def test_a_node_that_is_killed_in_a_stream_loses_nothing_that_was_acknowledged(bare_nodes, server):
    one, two = bare_nodes
    chance = random.Random(7)
    phones = [BarePhone(new_user(), MAILBOXES) for _ in range(10)]
    for phone in phones:
        one.register(phone)
    events = [[(chance.choice(phones).user, chance.choice(MAILBOXES)) for _ in range(200)] for _ in bare_nodes]
    streams = [Senders(node.mailpushd.stream_socket, list_) for node, list_ in zip(bare_nodes, events)]
    streams[0].wait(60)
    late = [BarePhone(new_user()) for _ in range(20)]
    registering = threading.Thread(target=lambda: [register_until_acknowledged(one, phone) for phone in late])
    registering.start()
    one.mailpushd.kill9()
    one.mailpushd.start()
    registering.join()
    for stream in streams:
        stream.wait(200)
    for phone in phones:
        wanted = {hash_of(mailbox) for mailbox in phone.mailboxes
                  for stream in events if (phone.user, mailbox) in stream}
        wait_until(lambda: hashes_of(two.new_pushes(phone)) >= wanted, what=f"all that {phone.user} is to be told")
    # Of a registration that was stored but not acknowledged the second try is a renewal, without a push.
    for phone in late:
        two.deliver(phone.user)
        two.told(phone, "INBOX")
    for node in bare_nodes:
        node.wait_nothing_waits()
    assert count(server, "registration") == len(phones) + len(late)
    assert sorted(column(server, "device_token", "registration")) == sorted(p.token for p in phones + late)


def register_until_acknowledged(node, phone):
    def is_acknowledged():
        with contextlib.suppress(OSError, AssertionError):
            node.register(phone)
            return True
        return False
    wait_until(is_acknowledged, what="an acknowledgement")


def test_a_clock_an_hour_ahead_silences_nobody(bare_site_for, server, tmp):
    one = bare_site_for(registry=server.url, site=SITE)
    two = bare_site_for(start=False, registry=server.url, site=SITE)
    clock = WallClock(tmp).under(two.mailpushd)
    clock.set("+1h")
    two.mailpushd.start()
    phone = BarePhone(new_user(), ("INBOX", "Notes"))
    two.register(phone)
    one.told(phone, "INBOX", "Notes")
    phone.mailboxes = ("INBOX",)
    one.register(phone)                     # an hour earlier, by its own clock
    wait_until(lambda: column(server, "name", "subscription") == ["INBOX"], what="the newer list")
    for node in (one, two):
        since = len(node.mailpushd.lines())
        node.deliver(phone.user)
        has_pushed(node, phone, since)
        ctl_fine(node.mailpushd, "prune")
    assert count(server, "registration") == 1
