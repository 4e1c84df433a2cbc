"""More events than the registry takes: what waits is bounded, and what must not be lost is not."""

import contextlib
import errno
import re
import sqlite3
import time

import notify
from mailsite import BarePhone, locked, new_user
from waiting import wait_until

MAX_WAITING = 1000
SPARE = MAX_WAITING // 8    # for new mail, once `later` is shed


@contextlib.contextmanager
def overloaded(site):
    """The registry is held, and `later` datagrams have filled all places."""
    with locked(site.mailpushd.dir / "registry.sqlite"):
        # A registration writes, so it waits for the lock, and all else behind it.
        site.register(BarePhone(new_user()))
        for _ in range(MAX_WAITING - 1):
            send(site, notify.mail(new_user(), event="MessageRead"))
        site.mailpushd.wait_log("intake:overload state=begins")
        yield


def send(site, event):
    notify.send(site.mailpushd.notify_socket, notify.datagram(event))


def shed(site):
    """How many were, by line of the log: the first, and the rest at the end of the minute or of all."""
    return [int(found.group(1) or 1) for line in site.mailpushd.lines()
            if (found := re.search(r'events are shed|what="events shed" count=(\d+)', line))]


def test_at_max_waiting_later_is_shed_and_new_mail_and_registrations_are_not(bare_site_for):
    site = bare_site_for(max_waiting=MAX_WAITING)
    reader, receiver = site.registered_phone(), site.registered_phone()
    newcomer = BarePhone(new_user())
    with overloaded(site):
        send(site, notify.mail(reader.user, event="MessageRead"))
        send(site, notify.mail(receiver.user))
        send(site, notify.registration(newcomer.user, newcomer.token, newcomer.account_id))
        site.mailpushd.wait_log("events are shed")
    site.told_inbox(newcomer)
    site.told_inbox(receiver)
    site.mailpushd.wait_log("intake:overload state=ends")
    site.deliver(reader.user)
    site.told_inbox(reader)
    assert len(site.pushes(reader)) == 2, "the MessageRead was shed"
    assert sum(shed(site)) == 1


def test_new_mail_is_shed_in_the_end_and_all_that_was_is_counted(bare_site_for):
    site = bare_site_for(max_waiting=MAX_WAITING)
    last = site.registered_phone()
    with overloaded(site):
        for _ in range(SPARE + 10):
            send(site, notify.mail(new_user()))
        send(site, notify.mail(last.user))
        send(site, notify.registration(new_user(), "ab" * 32, "last"))
        site.mailpushd.wait_log("event came.*ApplePushService.*datagram")
    site.mailpushd.wait_log("intake:overload state=ends")
    site.deliver(last.user)
    site.told_inbox(last)
    assert len(site.pushes(last)) == 2
    assert sum(shed(site)) == 11


def test_the_stream_is_not_read_at_max_waiting_and_nothing_of_it_is_lost(bare_site_for):
    site = bare_site_for(max_waiting=MAX_WAITING)
    phone = site.registered_phone()
    with notify.connect(site.mailpushd.stream_socket) as connection:
        with overloaded(site):
            connection.sendall(notify.request(notify.mail(phone.user)))
            # A datagram that came later is taken in, the request is not.
            send(site, notify.registration(new_user(), "cd" * 32, "later"))
            site.mailpushd.wait_log("event came.*ApplePushService.*datagram")
            assert not [line for line in site.mailpushd.lines()
                        if f"event=MessageNew owner={phone.user} " in line]
        assert notify.read_all(connection) == b"OK ()\r\n"
    site.told_inbox(phone)


def park(site, events):
    """Leave them in the queue of a daemon that has ended, as acknowledged before the registry answered."""
    with contextlib.closing(sqlite3.connect(site.mailpushd.dir / "queue.sqlite")) as queue, queue:
        queue.executemany("INSERT INTO parked (received_ms, raw) VALUES (?, ?)",
                          [(int(time.time() * 1000), notify.message(event)) for event in events])


def test_what_was_parked_before_a_restart_counts_from_the_start_on(bare_site_for, disk):
    site = bare_site_for(start=False, max_waiting=MAX_WAITING)
    disk.under(site.mailpushd)
    site.mailpushd.start()
    phone, parked = site.registered_phone(), BarePhone(new_user())
    assert site.mailpushd.stop() == 0
    park(site, [notify.registration(parked.user, parked.token, parked.account_id),
                *(notify.mail(new_user()) for _ in range(MAX_WAITING - 1))])
    with contextlib.ExitStack() as connections:
        with disk.rule(f"fail registry.sqlite {errno.ENOSPC}"):
            site.mailpushd.start()
            site.mailpushd.wait_log("intake:overload state=begins")
            connection = connections.enter_context(notify.connect(site.mailpushd.stream_socket))
            connection.sendall(notify.request(notify.mail(phone.user)))
            # Datagrams that came later are taken in, the request is not.
            for user in new_user(), new_user():
                send(site, notify.registration(user, "cd" * 32, "later"))
                site.mailpushd.wait_log(f"event came.*ApplePushService owner={user} .*datagram")
            assert not [line for line in site.mailpushd.lines()
                        if f"event=MessageNew owner={phone.user} " in line]
        assert notify.read_all(connection) == b"OK ()\r\n"
    site.mailpushd.wait_log("intake:overload state=ends")
    site.told_inbox(parked)
    site.told_inbox(phone)


@contextlib.contextmanager
def in_the_backlog(site, count):
    """So many that have sent their request, and whom nobody has accepted; and their phones."""
    phones = [BarePhone(new_user()) for _ in range(count)]
    with contextlib.ExitStack() as connections, overloaded(site):
        opened = [connections.enter_context(notify.connect(site.mailpushd.stream_socket))
                  for _ in phones]
        for connection, phone in zip(opened, phones):
            connection.sendall(notify.request(
                notify.registration(phone.user, phone.token, phone.account_id)))
        yield opened, phones


def test_at_a_stop_who_waits_to_be_accepted_is_answered(bare_site_for):
    site = bare_site_for(max_waiting=MAX_WAITING)
    with in_the_backlog(site, 20) as (opened, phones):
        assert site.mailpushd.stop() == 0
        answers = [notify.read_all(connection) for connection in opened]
    assert answers == [b"OK ()\r\n"] * len(phones), "parked"
    site.mailpushd.start()
    for phone in phones:
        site.told_inbox(phone)


def test_who_waits_to_be_accepted_when_the_socket_is_made_again_is_answered(bare_site_for):
    site = bare_site_for(max_waiting=MAX_WAITING, ack_timeout="20s")
    with contextlib.ExitStack() as overload:
        opened, phones = overload.enter_context(in_the_backlog(site, 20))
        site.mailpushd.stream_socket.unlink()
        wait_until(site.mailpushd.stream_socket.exists, what="a socket made anew")
        kept = [connection.dup() for connection in opened]
    for connection, phone in zip(kept, phones):
        with connection:
            assert notify.read_all(connection) == b"OK ()\r\n"
        site.told_inbox(phone)


def test_news_that_waits_is_merged_and_takes_one_place(bare_site_for):
    site = bare_site_for(max_waiting=MAX_WAITING)
    phone = site.registered_phone()
    with locked(site.mailpushd.dir / "registry.sqlite"):
        site.register(BarePhone(new_user()))
        for _ in range(3 * MAX_WAITING):
            send(site, notify.mail(phone.user, event="MessageRead"))
        site.tell(notify.mail(new_user()))
    site.told_inbox(phone)
    assert not [line for line in site.mailpushd.lines() if "max_waiting" in line]


def test_a_large_event_takes_several_places(bare_site_for):
    """Of 1000 places each of these takes 5, whichever way it merges: what stays large is one of them."""
    site = bare_site_for(max_waiting=MAX_WAITING)
    phone = site.registered_phone()
    large = {"bodyStructure": "x" * 18000}
    with locked(site.mailpushd.dir / "registry.sqlite"):
        site.register(BarePhone(new_user()))
        for _ in range(MAX_WAITING):
            send(site, notify.mail(phone.user, event="MessageRead", **large))
        others = [new_user() for _ in range(MAX_WAITING // 5 - 2)]
        for user in others:
            send(site, notify.mail(user, event="MessageRead", **large))
        site.mailpushd.wait_log(f"event came event=MessageRead owner={others[-1]} ")
        assert not [line for line in site.mailpushd.lines() if "max_waiting" in line]
        send(site, notify.mail(new_user(), event="MessageRead", **large))
        site.mailpushd.wait_log("intake:overload state=begins")
    site.mailpushd.wait_log("intake:overload state=ends")
    site.told_inbox(phone)
