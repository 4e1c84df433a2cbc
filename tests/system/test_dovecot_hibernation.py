"""Sessions that Dovecot hibernates while they idle: the plugin loses nothing of theirs."""

import contextlib

import pytest

from doveaudience import TOPIC
from waiting import wait_until


@pytest.fixture
def site(dovecot_site_for):
    return dovecot_site_for(hibernates=True)


@contextlib.contextmanager
def hibernating(dovecot, session):
    """The session is held by imap-hibernate until the end, and no imap is there."""
    with session.idle():
        wait_until(lambda: not dovecot.processes("imap"), what="hibernation")
        assert dovecot.processes("imap-hibernate")
        yield


def test_a_session_that_was_hibernated_registers_and_tells(site):
    dovecot = site.cyrus
    user = site.create_user("Notes")
    phone = site.phone(user)
    with hibernating(dovecot, phone):
        pass
    assert phone.register("INBOX", "Notes").mailboxes == ["INBOX", "Notes"]
    site.told(phone, "INBOX", "Notes")
    phone.select("INBOX")
    with hibernating(dovecot, phone):
        site.deliver(user)
        site.told(phone, "INBOX")
    with hibernating(dovecot, phone):
        pass
    phone.store("1", "+FLAGS", "\\Seen")       # in the mailbox that is still selected
    site.told(phone, "INBOX")
    phone.move("1", "Notes")
    site.told(phone, "INBOX", "Notes")

    def offered_when_woken():           # if mailpushd says in time whether it can be
        with hibernating(dovecot, phone):
            pass
        return "XAPPLEPUSHSERVICE" in phone.capabilities()
    wait_until(offered_when_woken, what="push that is offered to a session that was woken")


def test_a_registration_outlasts_the_hibernation_of_its_session(site):
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX", "Notes")
    with hibernating(site.cyrus, phone):
        site.deliver(user, "Notes")
        site.told(phone, "Notes")
        site.mailpushd.restart()
        site.deliver(user)
        site.told(phone, "INBOX")


def test_news_of_a_session_that_is_woken_while_the_daemon_is_away_is_kept(site):
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX", "Notes")
    with hibernating(site.cyrus, phone):
        site.mailpushd.kill9()
    phone.append("Notes")
    site.mailpushd.start()
    site.told(phone, "Notes")


def test_a_session_is_not_hibernated_while_its_registration_is_on_its_way(dovecot_for, audience):
    dovecot = dovecot_for(hibernates=True)
    dovecot.create_user("alice")
    with dovecot.imap("alice") as registering, dovecot.imap("alice") as other:
        with other.idle():
            wait_until(lambda: len(dovecot.processes("imap")) == 1, what="a first hibernation")
        audience.answers["Register"] = None
        registering.connection.send(
            b'a XAPPLEPUSHSERVICE aps-account-id A aps-device-token %b aps-subtopic '
            b'com.apple.mobilemail mailboxes (INBOX)\r\nb IDLE\r\n' % (b"ab" * 32))
        wait_until(lambda: audience.unanswered, what="the registration")
        with other.idle():
            wait_until(lambda: len(dovecot.processes("imap")) == 1, what="the other one hibernated")
            audience.answer_late(f'OK "{TOPIC}"\r\n'.encode())
            lines = iter(registering.connection.readline, b"")
            assert any(line.startswith(b"a OK") for line in lines)
            registering.connection.send(b"DONE\r\n")
