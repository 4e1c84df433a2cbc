"""mailpushd is killed at each step of an event's way: what was acknowledged is told, and what was not
acknowledged can be sent again."""

import contextlib

import pytest

import notify
from mailsite import BarePhone, locked, new_user
from waiting import wait_until


@pytest.fixture
def site(bare_site_for, disk):
    site = bare_site_for(start=False, ack_timeout="60s")
    disk.under(site.mailpushd)
    site.mailpushd.start()
    return site


def sent_and_killed(site, event, said):
    """What the sender got: the daemon is killed once it has said something of the event."""
    with notify.connect(site.mailpushd.stream_socket) as connection:
        since = len(site.mailpushd.lines())
        connection.sendall(notify.request(event))
        site.mailpushd.wait_log(said, since=since)
        site.mailpushd.kill9()
        return notify.read_all(connection)


def in_flight(site):
    wait_until(lambda: site.sim.control(do="stats")["waiting"], what="the flight")


def test_killed_before_the_registry_has_answered(site, disk):
    phone = site.registered_phone()
    with disk.rule("stuck .sqlite"):
        # A registration has to be written.
        event = notify.registration(phone.user, phone.token, phone.account_id, ("INBOX", "Notes"))
        assert sent_and_killed(site, event, "event came") == b""
    site.mailpushd.start()
    assert site.registrations("inbox_only") == [1]
    site.tell(event)
    site.told(phone, "INBOX", "Notes")


def test_killed_before_the_queue_has_it(site, disk):
    phone = site.registered_phone()
    with disk.rule("stuck queue.sqlite"):
        assert sent_and_killed(site, notify.mail(phone.user), "news for a subscriber") == b""
    site.mailpushd.start()
    assert site.new_pushes(phone) == []
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_a_registration_killed_between_the_registry_and_the_queue_stands(site, disk):
    phone = BarePhone(new_user())
    event = notify.registration(phone.user, phone.token, phone.account_id, phone.mailboxes)
    with disk.rule("stuck queue.sqlite"):
        assert sent_and_killed(site, event, "phone registered") == b""
    site.mailpushd.start()
    assert site.registrations() == [phone.token]
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_a_registration_whose_first_push_was_lost_is_proved_when_the_phone_comes_again(site, disk):
    phone = BarePhone(new_user())
    event = notify.registration(phone.user, phone.token, phone.account_id, phone.mailboxes)
    with disk.rule("stuck queue.sqlite"):
        assert sent_and_killed(site, event, "phone registered") == b""
    site.mailpushd.start()
    site.register(phone)
    site.told(phone, "INBOX")


def test_a_parked_registration_killed_between_the_registry_and_the_queue_is_pushed(site, disk):
    """It was acknowledged, so the push that covers what came before it is owed."""
    phone = BarePhone(new_user())
    with contextlib.ExitStack() as registry_held:
        registry_held.enter_context(locked(site.mailpushd.dir / "registry.sqlite"))
        site.register(phone)
        with disk.rule("stuck queue.sqlite"):
            registry_held.close()
            site.mailpushd.wait_log("phone registered")
            site.mailpushd.kill9()
    assert site.pushes(phone) == []
    site.mailpushd.start()
    site.told(phone, "INBOX")


def test_killed_before_the_push_left(site):
    phone = site.registered_phone("INBOX", "Notes")
    site.sim.stop()
    site.deliver(phone.user)
    site.deliver(phone.user, "Notes")
    site.mailpushd.kill9()
    site.sim.start(site.sim.dir, port=site.sim.port)
    site.mailpushd.start()
    site.told(phone, "INBOX", "Notes")


def test_killed_before_apple_answered(site):
    """Then it is sent again; the phone may be told twice, under one apns-id."""
    phone = site.registered_phone()
    site.sim.control(do="hold", on=True)
    site.deliver(phone.user)
    in_flight(site)
    site.mailpushd.kill9()
    site.sim.control(do="hold", on=False)
    site.mailpushd.start()
    site.told(phone, "INBOX")
    site.wait_nothing_waits()
    flights = site.pushes(phone)[1:]
    assert len({push["headers"]["apns-id"] for push in flights}) == 1


def test_killed_before_apples_answer_is_stored(site, disk):
    """Sent again likewise."""
    phone = site.registered_phone()
    site.sim.control(do="hold", on=True)
    site.deliver(phone.user)
    in_flight(site)
    with disk.rule("stuck queue.sqlite"):
        since = len(site.mailpushd.lines())
        site.sim.control(do="hold", on=False)
        site.mailpushd.wait_log("apns: pushed", since=since)
        site.mailpushd.kill9()
    site.mailpushd.start()
    wait_until(lambda: len(site.pushes(phone)) == 3, what="the push again")
    site.wait_nothing_waits()
    _, first, again = site.pushes(phone)
    assert first["headers"]["apns-id"] == again["headers"]["apns-id"]


def test_killed_before_a_phone_is_forgotten(site, disk):
    phone = site.registered_phone()
    site.sim.control(do="token", token=phone.token, status=410, reason="Unregistered")
    with disk.rule("stuck registry.sqlite"):
        site.deliver(phone.user)
        site.mailpushd.wait_log("then=forget")
        site.mailpushd.kill9()
    assert site.registrations() == [phone.token]
    site.mailpushd.start()
    wait_until(lambda: site.registrations() == [], what="the phone forgotten")
    site.wait_nothing_waits()


@pytest.mark.parametrize("file", ["registry.sqlite", "queue.sqlite"])
def test_nothing_is_acknowledged_before_it_is_synced(site, disk, file):
    """A power cut takes what is not: it is written, but the disk has not said so."""
    phone = site.registered_phone()
    site.mailpushd.write_conf(ack_timeout="2s")
    site.mailpushd.restart()
    event = notify.registration(phone.user, phone.token, phone.account_id, ("INBOX", "Notes"))
    rules = ["unsynced registry.sqlite", "unsynced queue.sqlite"]
    if file == "queue.sqlite":
        rules = rules[1:]
    with disk.rule(*rules):
        assert site.ask(event) == b'NO "not on disk yet"\r\n'
    site.told(phone, "INBOX", "Notes")
