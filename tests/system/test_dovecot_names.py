"""Whose mailbox it is, and what it is called there: the same whoever looks at it."""

import pytest

from dovecot import MODULES
from imap import ImapError
from phone import Phone
from waiting import wait_until

STYLES = [("/", ""), (".", ""), ("/", "INBOX/"), (".", "INBOX.")]


def places(audience, phone, *names):
    """What the phone gets confirmed, and as what mailpushd is told of it."""
    confirmed = phone.register(*names).mailboxes
    event = audience.all("Register", device_token=phone.token)[-1]
    return confirmed, [(m["owner"], m["folder"]) for m in event["mailboxes"]]


def places_of_news(audience):
    return [(event["event"], event["user"], event["owner"], event["folder"]) for event in audience.new()]


@pytest.mark.parametrize("separator, prefix", STYLES)
def test_ones_own(dovecot_for, audience, separator, prefix):
    dovecot = dovecot_for(separator=separator, prefix=prefix)
    dovecot.create_user("alice", "Notes", ("Bücher", "2026"))
    own = [dovecot.name(), dovecot.name("Notes"), dovecot.name("Bücher", "2026")]
    folders = ["", "Notes", "Bücher/2026"]
    with Phone(dovecot) as phone:
        assert places(audience, phone, *own) == (own, [("alice", folder) for folder in folders])
    audience.new()
    with dovecot.imap("alice") as alice:
        for name in own:
            alice.append(name)
    dovecot.deliver("alice")
    dovecot.deliver("alice", "Bücher", "2026")
    assert places_of_news(audience) == [
        *[("MessageAppend", "alice", "alice", folder) for folder in folders],
        ("MessageNew", "alice", "alice", ""), ("MessageNew", "alice", "alice", "Bücher/2026")]


def test_a_folder_called_inbox_is_not_the_inbox(dovecot_site_for):
    site = dovecot_site_for(separator=".", prefix="INBOX.")
    user = site.create_user("inbox")
    phone = site.registered_phone(user, "INBOX", "INBOX.inbox")
    phone.append("INBOX.inbox")
    site.told(phone, "INBOX.inbox")
    phone.append("INBOX")
    site.told(phone, "INBOX")
    phone.delete("INBOX.inbox")
    wait_until(lambda: site.subscriptions(phone) == ["INBOX"], what="the folder's end")
    assert site.registrations("suspended_ms > 0") == [0]


@pytest.mark.parametrize("separator, prefix", STYLES)
def test_anothers_that_may_be_read(dovecot_for, audience, separator, prefix):
    dovecot = dovecot_for(separator=separator, prefix=prefix)
    dovecot.create_user("alice", "Notes", "Private", ("Bücher", "2026"))
    dovecot.create_user("bob")
    with dovecot.imap("alice") as alice:
        for folder in ((), ("Notes",), ("Bücher", "2026")):
            alice.setacl(dovecot.name(*folder), "bob", "lrwsti")
        alice.setacl(dovecot.name("Private"), "bob", "l")
    shared = [dovecot.shared_name("alice", *folder) for folder in
              (("INBOX",), ("Notes",), ("Bücher", "2026"))]
    hidden = [dovecot.shared_name("alice", "Private"), dovecot.shared_name("alice", "none"),
              dovecot.shared_name("nobody", "INBOX")]
    with Phone(dovecot, "bob") as phone:
        assert places(audience, phone, *hidden, *shared) == (
            shared, [("alice", ""), ("alice", "Notes"), ("alice", "Bücher/2026")])
    audience.new()
    with dovecot.imap("bob") as bob:
        for name in shared:
            bob.append(name)
    assert places_of_news(audience) == [("MessageAppend", "bob", "alice", ""),
                                        ("MessageAppend", "bob", "alice", "Notes"),
                                        ("MessageAppend", "bob", "alice", "Bücher/2026")]


def test_rights_are_those_of_the_moment(dovecot_for, audience):
    dovecot = dovecot_for()
    dovecot.create_user("alice", "Notes")
    dovecot.create_user("bob")
    name = dovecot.shared_name("alice", "Notes")

    def confirmed():
        with Phone(dovecot, "bob") as phone:    # rights stay as they were for a connection
            return phone.register(name).mailboxes
    with dovecot.imap("alice") as alice:
        assert confirmed() == []
        alice.setacl("Notes", "bob", "lr")
        assert confirmed() == [name]
        alice.deleteacl("Notes", "bob")
        assert confirmed() == []


def test_who_may_still_read_a_shared_mailbox_is_not_said(dovecot_for, audience):
    dovecot = dovecot_for()
    dovecot.create_user("alice", "Notes")
    dovecot.create_user("bob")
    with dovecot.imap("alice") as alice:
        alice.setacl("Notes", "bob", "lr")
        with Phone(dovecot, "bob") as phone:
            phone.register(dovecot.shared_name("alice", "Notes"))
        alice.deleteacl("Notes", "bob")
    dovecot.deliver("alice", "Notes")
    assert "readers" not in audience.wait("MessageNew", folder="Notes")


@pytest.mark.parametrize("separator", ["/", "."])
def test_public_ones_belong_to_nobody(dovecot_for, audience, separator):
    dovecot = dovecot_for(separator=separator, acl=False)
    dovecot.create_user("alice")
    name = dovecot.public_name("team", "Info")
    with Phone(dovecot) as phone:
        phone.create(name)
        assert places(audience, phone, name) == ([name], [("", "Public/team/Info")])
        phone.append(name)
    assert ("MessageAppend", "alice", "", "Public/team/Info") in places_of_news(audience)


@pytest.mark.skipif(not (MODULES / "lib20_listescape_plugin.so").exists(),
                    reason="Dovecot 2.4 has no plugin listescape")
def test_a_slash_in_a_name_is_not_taken_for_a_separator(dovecot_for, audience):
    dovecot = dovecot_for(separator=".", more_plugins=["listescape"])
    meanings = {"a.b": "a/b", "a/b": "a%2Fb", "a%2Fb": "a%252Fb", "a%252Fb": "a%25252Fb", "100%": "100%", "%2f": "%2f"}
    with Phone(dovecot) as phone:
        for name in meanings:
            phone.create(name)
        assert places(audience, phone, *meanings) == (
            list(meanings), [("alice", folder) for folder in meanings.values()])


def too_long_below(dovecot):
    """977 bytes as it is typed, 1043 in UTF-8: more than mailpushd takes."""
    return dovecot.name(*["漢" * 20] * 17, "漢" * 2)


@pytest.mark.parametrize("odd", [lambda dovecot: "a\x7fb", too_long_below])
def test_a_name_that_mailpushd_does_not_take_is_neither_confirmed_nor_news(dovecot_for, audience, odd):
    dovecot = dovecot_for(has_mdbox=True)
    dovecot.create_user("alice", "Notes")
    name = odd(dovecot)
    with Phone(dovecot) as phone:
        audience.new()
        try:
            phone.create(name)
        except ImapError as error:
            if "forbidden character" in str(error):
                pytest.skip("this Dovecot takes no such name either")
            raise
        phone.append(name)
        phone.create("Short")
        phone.rename(name, "Taken")
        phone.rename("Short", name)
        phone.delete(name)
        phone.create(name)
        assert places_of_news(audience) == [("MailboxCreate", "alice", "alice", "Short")]
        names = ["INBOX", "Notes", "Taken"]
        assert places(audience, phone, name, *names) == (
            names, [("alice", ""), ("alice", "Notes"), ("alice", "Taken")])


def test_the_mailboxes_behind_a_virtual_one_are_pushed(dovecot_for, audience):
    dovecot = dovecot_for(virtual=True)
    folder = dovecot.make_folder(dovecot.dir / "virtual" / "All")
    (folder / "dovecot-virtual").write_text("INBOX\nNotes\n  all\n")
    dovecot.create_user("alice", "Notes")
    dovecot.deliver("alice")
    with Phone(dovecot) as phone:
        assert phone.select("Virtual/All") == 1
        audience.new()
        phone.store("1", "+FLAGS", "\\Seen")
        assert places_of_news(audience) == [("MessageRead", "alice", "alice", "")]
        assert phone.register("INBOX", "Virtual/All").mailboxes == ["INBOX"]
