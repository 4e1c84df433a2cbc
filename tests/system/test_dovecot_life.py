"""A phone's whole life with a real Dovecot, mailpushd and apns-sim."""

import pytest

from dovecot import IS_ROOT
from imap import ImapError
from waiting import wait_until


@pytest.mark.parametrize("separator, prefix", [("/", ""), (".", "INBOX.")])
def test_the_life_of_a_phone(dovecot_site_for, separator, prefix):
    site = dovecot_site_for(separator=separator, prefix=prefix)
    dovecot = site.cyrus
    user = site.create_user("Notes", ("Bücher", "2026"), "Archive")
    notes, books, archive = dovecot.name("Notes"), dovecot.name("Bücher", "2026"), dovecot.name("Archive")
    phone = site.registered_phone(user, "INBOX", notes, books)
    assert site.registrations("user, confirmed") == [(user, 1)]

    site.deliver(user)
    site.told(phone, "INBOX")
    site.deliver(user, "Bücher", "2026")
    site.told(phone, books)

    with dovecot.imap(user) as other:
        other.select("INBOX")
        other.store("1", "+FLAGS", "\\Seen")
        site.told(phone, "INBOX")
        other.store("1", "-FLAGS", "\\Seen")
        site.told(phone, "INBOX")
        other.copy("1", notes)
        site.told(phone, notes)
        other.move("1", archive)
        site.told(phone, "INBOX")
        other.append(notes)
        site.told(phone, notes)
        other.select(notes)
        other.store("1", "+FLAGS", "\\Deleted")
        site.told(phone, notes)
        other.expunge()
        site.told(phone, notes)
        other.select("INBOX")

        other.rename(notes, dovecot.name("Papers"))
        other.append(dovecot.name("Papers"))
        site.told(phone, notes)             # by the name that the phone knows
        other.delete(books)
        wait_until(lambda: books not in site.subscriptions(phone), what="the deleted folder forgotten")


def test_version_1_is_pushed_for_the_inbox_alone(dovecot_site_for):
    site = dovecot_site_for()
    user = site.create_user("Notes")
    phone = site.registered_phone(user, version=1)
    site.deliver(user, "Notes")
    site.deliver(user)
    site.told_inbox(phone)


def test_anothers_mailbox_is_pushed_to_who_may_read_it(dovecot_site_for):
    site = dovecot_site_for()
    alice, bob = site.create_user("Team", "Private"), site.create_user()
    team, private = (site.cyrus.shared_name(alice, name) for name in ("Team", "Private"))
    with site.cyrus.imap(alice) as imap:
        imap.setacl("Team", bob, "lr")
        phone = site.phone(bob)
        assert phone.register("INBOX", team, private).mailboxes == ["INBOX", team]
        site.told(phone, "INBOX", team)
        imap.append("Private")
        imap.append("Team")
        site.told(phone, team)


def test_what_happened_while_the_daemon_was_away_is_pushed(dovecot_site_for):
    site = dovecot_site_for()
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX", "Notes")
    site.mailpushd.kill9()
    site.deliver(user, "Notes")
    with pytest.raises(ImapError, match="UNAVAILABLE"):
        phone.register("INBOX", "Notes")
    site.mailpushd.start()
    site.told(phone, "Notes")
    assert phone.register("INBOX", "Notes").mailboxes == ["INBOX", "Notes"]


@pytest.mark.skipif(not IS_ROOT, reason="only root can work as other users")
def test_a_peer_that_is_not_believed_registers_no_other(dovecot_site_for):
    """The users of this Dovecot are none of the system's, as mailpushd sees it."""
    site = dovecot_site_for(known_users=(), system_users=("anna",))
    site.cyrus.create_user("anna")
    with pytest.raises(ImapError, match="UNAVAILABLE"):
        site.phone("anna").register("INBOX")
    assert site.registrations() == []
