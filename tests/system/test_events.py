"""What happens to a mailbox in the real Cyrus, and whether the phone is told of it."""

import imaplib

import pytest

from cyrus import is_since
from mailsite import hashes_of
from phone import hash_of

FOLDER = "Entwürfe"
MARKER = "Marker"
UNWATCHED = "Unwatched"


class Home:
    """A user with a phone that watches INBOX, FOLDER and MARKER, and with another device, which has
    the INBOX open with one message in it."""

    def __init__(self, site):
        self.site = site
        self.user = site.create_user(FOLDER, MARKER, UNWATCHED)
        site.deliver(self.user)
        self.device = site.phone(self.user)
        assert self.device.select("INBOX") == 1
        self.phone = site.registered_phone(self.user, "INBOX", FOLDER, MARKER)

    def deliver(self, *folder):
        self.site.deliver(self.user, *folder)

    def told(self, *mailboxes):
        return self.site.told(self.phone, *mailboxes)

    def wait_event(self, event, folder, action):
        """What the daemon made of an event."""
        shown = folder or '""'
        self.site.mailpushd.wait_log(
            rf"event came event={event} owner={self.user} folder={shown} .*action={action}$")

    def told_nothing_of(self, event, folder=""):
        """The event came and is ignored: the next push is about a later delivery alone."""
        self.wait_event(event, folder, "ignore")
        self.deliver(MARKER)
        self.told(MARKER)


@pytest.fixture(params=["dlist", "datagram"])
def transport(request):
    return request.param


@pytest.fixture
def site(site_for, transport):
    return site_for(cyrus={"transport": transport})


@pytest.fixture
def home(site):
    return Home(site)


# ---- new messages ----

def test_a_delivery_to_the_inbox_is_pushed(home):
    home.deliver()
    home.told("INBOX")
    home.wait_event("MessageNew", "", "urgent")


def test_a_delivery_to_a_folder_with_a_foreign_name_is_pushed(home):
    home.deliver(FOLDER)
    home.told(FOLDER)


def test_a_delivery_to_a_folder_that_is_not_watched_is_not_pushed(home):
    home.deliver(UNWATCHED)
    home.wait_event("MessageNew", UNWATCHED, "urgent")
    home.deliver(MARKER)
    home.told(MARKER)


def test_new_mail_is_pushed_at_once_and_takes_along_what_waits(site_for, transport):
    home = Home(site_for(cyrus={"transport": transport}))
    home.site.mailpushd.write_conf(deferred_delay="1h")
    home.site.mailpushd.restart()
    home.device.append(FOLDER)
    home.wait_event("MessageAppend", FOLDER, "deferred")
    home.deliver()
    push, = home.told("INBOX", FOLDER)
    assert hashes_of([push]) == {hash_of("INBOX"), hash_of(FOLDER)}


# ---- what another device does ----

def test_an_append_is_pushed(home):
    home.device.append(FOLDER)
    home.told(FOLDER)
    home.wait_event("MessageAppend", FOLDER, "deferred")


def test_a_message_read_elsewhere_is_pushed(home):
    home.device.fetch("1")
    home.told("INBOX")
    home.wait_event("MessageRead", "", "deferred")


def test_a_message_marked_unread_is_pushed(home):
    home.device.fetch("1")
    home.told("INBOX")
    home.device.store("1", "-FLAGS", "\\Seen")
    home.told("INBOX")
    home.wait_event("FlagsClear", "", "deferred")


def test_a_message_marked_deleted_is_pushed(home):
    home.device.store("1", "+FLAGS", "\\Deleted")
    home.told("INBOX")
    home.wait_event("MessageTrash", "", "deferred")


def test_a_flag_is_not_pushed(home):
    home.device.store("1", "+FLAGS", "\\Flagged", "$Foo")
    home.told_nothing_of("FlagsSet")


def test_a_flag_taken_away_is_not_pushed(home):
    home.device.store("1", "+FLAGS", "\\Flagged")
    home.device.store("1", "-FLAGS", "\\Flagged")
    home.told_nothing_of("FlagsClear")


def test_a_copy_is_pushed_for_where_it_went(home):
    home.device.copy("1", FOLDER)
    home.told(FOLDER)
    home.wait_event("MessageCopy", FOLDER, "deferred")


def test_a_move_is_pushed_for_both_ends(home):
    home.device.move("1", FOLDER)
    home.told("INBOX", FOLDER)
    home.wait_event("MessageMove", FOLDER, "deferred")
    home.wait_event("MessageExpunge", "", "deferred")


def test_a_move_out_of_sight_is_pushed_for_where_it_was(home):
    home.device.move("1", UNWATCHED)
    home.told("INBOX")


def test_a_rename_of_the_inbox_is_a_move_of_what_is_in_it(home):
    home.device.rename("INBOX", "Old")
    home.told("INBOX")
    home.wait_event("MessageMove", "Old", "deferred")
    home.wait_event("MessageExpunge", "", "deferred")


def test_an_expunge_is_pushed(home):
    home.device.store("1", "+FLAGS", "\\Deleted")
    home.told("INBOX")
    home.device.expunge()
    home.told("INBOX")
    home.wait_event("MessageExpunge", "", "deferred")


@pytest.mark.skipif(is_since(3, 10), reason="Cyrus offers it from 3.10 on")
def test_a_message_cannot_be_replaced(home):
    assert "REPLACE" not in home.device.capabilities()
    with pytest.raises(imaplib.IMAP4.error):
        home.device.replace("1", "INBOX")


@pytest.mark.skipif(not is_since(3, 10), reason="Cyrus offers it from 3.10 on")
def test_a_replaced_message_is_pushed(home):
    """As a program does with the draft that is being written."""
    assert "REPLACE" in home.device.capabilities()
    home.device.replace("1", "INBOX")
    home.told("INBOX")
    home.wait_event("MessageAppend", "", "deferred")
    home.wait_event("MessageExpunge", "", "deferred")


@pytest.mark.skipif(not is_since(3, 10), reason="Cyrus offers it from 3.10 on")
def test_a_message_replaced_by_one_elsewhere_is_pushed_for_both_ends(home):
    home.device.replace("1", FOLDER)
    home.told("INBOX", FOLDER)
    home.wait_event("MessageAppend", FOLDER, "deferred")
    home.wait_event("MessageExpunge", "", "deferred")


# ---- folders and accounts that go ----

def test_a_deleted_folder_is_pushed_no_more_until_the_phone_registers_again(home):
    home.device.delete(FOLDER)
    home.wait_event("MailboxDelete", FOLDER, "delete")
    home.site.cyrus.create_folder(home.user, FOLDER)
    home.device.append(FOLDER)
    home.wait_event("MessageAppend", FOLDER, "deferred")
    home.deliver(MARKER)
    home.told(MARKER)
    home.phone.register("INBOX", FOLDER, MARKER)
    home.told("INBOX", FOLDER, MARKER)
    home.device.append(FOLDER)
    home.told(FOLDER)


def test_a_renamed_folder_is_pushed_by_the_name_that_the_phone_knows(home):
    home.device.rename(FOLDER, "Archiv")
    home.wait_event("MailboxRename", "Archiv", "rename")
    home.device.append("Archiv")
    home.told(FOLDER)


def test_a_folder_below_a_renamed_one_is_pushed_by_the_name_that_the_phone_knows(site):
    user = site.create_user("Projects", ("Projects", "2026"), "Projects2")
    below, beside = site.cyrus.client_name("Projects", "2026"), "Projects2"
    phone = site.registered_phone(user, "INBOX", below, beside)
    device = site.phone(user)
    device.rename("Projects", "Work")
    device.append(site.cyrus.client_name("Work", "2026"))
    site.told(phone, below)
    device.append(beside)
    site.told(phone, beside)


def test_a_deleted_account_sleeps_until_there_is_mail_for_it_again(site):
    owner, reader = site.create_user("Team"), site.create_user()
    site.cyrus.admin.setacl(site.cyrus.admin_name(owner, "Team"), reader, "lrs")
    name = site.cyrus.other_name(owner, "Team")
    phone = site.registered_phone(owner, "INBOX")
    phone_of_reader = site.registered_phone(reader, "INBOX", name)

    site.cyrus.delete_user(owner)
    site.mailpushd.wait_log(f"event came event=MailboxDelete owner={owner} .*action=delete$")
    site.deliver(reader)
    site.told(phone_of_reader, "INBOX")
    assert suspended(site) == [owner]

    site.cyrus.admin.create(site.cyrus.admin_name(owner))
    site.cyrus.create_folder(owner, "Team")
    site.cyrus.admin.setacl(site.cyrus.admin_name(owner, "Team"), reader, "lrs")
    site.deliver(owner)
    site.told_inbox(phone)
    assert suspended(site) == []
    site.deliver(owner, "Team")
    site.deliver(reader)
    site.told(phone_of_reader, "INBOX")


def test_a_renamed_account_is_as_a_deleted_one(site):
    user, other = site.create_user(), site.create_user()
    phone, marker = site.registered_phone(user, "INBOX"), site.registered_phone(other, "INBOX")
    phone.close()
    new = f"new-{user}"
    site.cyrus.rename_user(user, new)
    site.deliver(new)
    site.deliver(other)
    site.told_inbox(marker)
    assert suspended(site) == [user]
    assert len(site.pushes(phone)) == 1


def suspended(site):
    """Users whose registrations sleep."""
    return [user for user, since_ms in site.registrations("user, suspended_ms") if since_ms]


# ---- what concerns no phone ----

def test_housekeeping_of_cyrus_is_ignored(home):
    home.device.create("Neu")
    home.wait_event("MailboxCreate", "Neu", "ignore")
    home.site.cyrus.admin.setacl(home.site.cyrus.admin_name(home.user, FOLDER), "anyone", "lp")
    home.deliver(MARKER)
    home.told(MARKER)
