"""Dovecot where imap and lmtp work as each user of the system: mailpushd believes each for himself alone."""

import pytest

from dovecot import IS_ROOT, uid_of
from dovecot_client import FINE, TOLD, TOLD_OWN, ask, mail, mailbox, registration, rename, request, topic
from imap import ImapError
from mailsite import BarePhone
from phone import new_token
from test_reload import reload
from waiting import wait_until

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root can work as other users")

USERS = ANNA, BORIS = "anna", "boris"
GAMES = "games"             # whom every system has


@pytest.fixture
def site(dovecot_site_for):
    site = dovecot_site_for(system_users=USERS)
    for user in USERS:
        site.create_user("Notes", user=user)
    return site


@pytest.fixture
def phones(site):
    """Of each user."""
    return [site.registered_phone(user, "INBOX", "Notes") for user in USERS]


def ask_as(site, user, event):
    """What mailpushd answers to a program that this user runs."""
    return ask(site.cyrus.socket, event, user=uid_of(user, USERS))


def registration_of(phone, *mailboxes):
    return registration(phone.user, phone.token, phone.account_id, mailboxes or phone.mailboxes)


def test_each_registers_and_is_pushed_to(site, phones):
    assert site.registrations("user, confirmed") == [(ANNA, 1), (BORIS, 1)]
    for phone in phones:
        site.deliver(phone.user)
        site.told(phone, "INBOX")
        site.deliver(phone.user, "Notes")
        site.told(phone, "Notes")
        with site.cyrus.imap(phone.user) as imap:
            imap.select("INBOX")
            imap.store("1", "+FLAGS", "\\Seen")
            site.told(phone, "INBOX")
            imap.move("1", "Notes")
            site.told(phone, "INBOX", "Notes")


def test_unless_mailpushd_is_told_that_users_are_of_the_system_none_is_believed(site):
    reload(site, dovecot_system_users="no")
    with pytest.raises(ImapError):
        site.phone(ANNA).register("INBOX")
    site.deliver(ANNA)
    site.cyrus.wait_log("mailpush: ", "not allowed to send events; set dovecot_system_users = yes")
    wait_until(lambda: not kept(site), what="nothing that is kept")
    assert site.registrations() == []
    reload(site, dovecot_system_users="yes")
    phone = site.registered_phone(ANNA, "INBOX")
    site.deliver(ANNA)
    site.told(phone, "INBOX")


def of_anna():
    """What Boris, at a shell, would like mailpushd to believe."""
    return (topic(ANNA), registration(ANNA, new_token(), "A"), registration(ANNA, new_token(), "A", ()),
            mail(ANNA), mail(ANNA, "Notes"), mail(BORIS, "Notes", owner=ANNA), mail(BORIS, "News", owner=""),
            mail(ANNA, "Notes", "MailboxDelete"), mail(BORIS, "", "MailboxDelete", owner=ANNA),
            rename(ANNA, "Notes", "Lost"), rename(BORIS, "Notes", "Mine", from_owner=ANNA),
            rename(BORIS, "Mine", "Notes", owner=ANNA))


def test_a_user_with_a_shell_neither_registers_nor_notifies_for_another(site, phones):
    anna, _ = phones
    before = site.registry_dump()
    for event in of_anna():
        answer = ask_as(site, BORIS, event)
        assert answer.startswith(b'NO "not allowed for this user'), (event, answer)
    assert site.registry_dump() == before
    site.deliver(ANNA)
    site.told(anna, "INBOX")


def test_where_users_are_virtual_nobody_with_a_shell_is_the_mail_user_of_the_same_name(dovecot_site_for):
    """A user of the system who has a shell, and a mail user who is called so."""
    site = dovecot_site_for()
    site.create_user("Notes", user=GAMES)
    phone, thief = site.registered_phone(GAMES, "INBOX", "Notes"), BarePhone(GAMES, ("INBOX", "Notes"))
    before = site.registry_dump()
    for event in (topic(GAMES), registration_of(thief), mail(GAMES), mail(GAMES, "", "MailboxDelete"),
                  rename(GAMES, "Notes", "Lost")):
        answer = ask(site.cyrus.socket, event, user=GAMES)
        assert answer.startswith(b'NO "not allowed to send events; set dovecot_system_users'), (event, answer)
    assert site.registry_dump() == before
    site.deliver(GAMES, "Notes")
    site.told(phone, "Notes")
    assert site.pushes(thief) == []


def test_a_user_with_a_shell_may_do_so_for_himself(site):
    phone = BarePhone(BORIS)
    assert ask_as(site, BORIS, topic(BORIS)) == TOLD
    theirs = mailbox(BORIS, "Theirs", owner=ANNA, folder="Notes")
    assert ask_as(site, BORIS, registration_of(phone, "INBOX", theirs)) == TOLD_OWN
    site.told(phone, "INBOX")
    assert site.subscriptions(phone) == ["INBOX"]
    assert ask_as(site, BORIS, mail(BORIS)) == FINE
    site.told_inbox(phone)


def test_only_what_is_registered_is_confirmed(dovecot_site_for):
    site = dovecot_site_for(system_users=USERS, acl=False)
    (site.cyrus.dir / "public").chmod(0o777)
    with site.cyrus.imap(ANNA) as anna:
        anna.create("Public/Info")
    site.create_user("Notes", user=BORIS)
    phone = site.phone(BORIS)
    assert phone.register("Public/Info", "INBOX", "Notes").mailboxes == ["INBOX", "Notes"]
    site.told(phone, "INBOX", "Notes")
    assert site.subscriptions(phone) == ["INBOX", "Notes"]
    phone.append("Public/Info")
    site.mailpushd.wait_log(r"event: not allowed for this user \(MessageAppend: owner\)")
    assert not [line for line in site.cyrus.log() if "Error: mailpush" in line]


def test_what_happens_while_the_daemon_is_away_is_kept_in_the_users_name(site, phones):
    site.mailpushd.kill9()
    for phone in phones:
        with site.cyrus.imap(phone.user) as imap:
            imap.append("Notes")
        with pytest.raises(ImapError, match="UNAVAILABLE"):
            phone.register("INBOX", "Notes")
    wait_until(lambda: len(kept(site)) == 2, what="a file of each")
    assert {path.stat().st_uid for path in kept(site)} == {uid_of(user, USERS) for user in USERS}
    site.mailpushd.start()
    for phone in phones:
        site.told(phone, "Notes")
    assert site.mailpushd.bad_files() == []


def kept(site):
    return list(site.mailpushd.spool.glob("[0-9]*"))


def test_news_that_came_and_was_kept_too_is_pushed_of_its_mailbox_alone(site, phones):
    """As when mailpushd answers late."""
    anna, _ = phones
    site.deliver(ANNA)
    wait_until(lambda: site.new_pushes(anna), what="a push")
    site.cyrus.keep(ANNA, request(mail(ANNA)).decode())
    site.told(anna, "INBOX")
    site.deliver(ANNA, "Notes")
    site.told(anna, "Notes")


def test_what_a_user_has_had_kept_counts_for_himself_alone(site, phones):
    anna, boris = phones
    site.mailpushd.stop()
    wrong = of_anna()
    for event in (*wrong, mail(BORIS, "Notes")):
        site.cyrus.keep(BORIS, request(event).decode())
    wait_until(lambda: len(kept(site)) == len(wrong) + 1, what="all the files")
    before = site.registry_dump()
    site.mailpushd.start()
    site.told(boris, "Notes")
    wait_until(lambda: len(site.mailpushd.bad_files()) == len(wrong), what="the rejected files")
    assert site.registry_dump() == before
    site.deliver(ANNA)
    site.told(anna, "INBOX")
