"""What Dovecot's plugin tells of mailboxes: each kind of change, whichever program makes it."""

import poplib

import pytest

from dovecot import MAIL_USER
from lmtp import SENDER, connect, deliver, make_message
from phone import Phone
from waiting import TIMEOUT, wait_until


@pytest.fixture
def dovecot(dovecot_for, audience):
    dovecot = dovecot_for()
    dovecot.create_user("alice", "Notes")
    audience.new()
    return dovecot


@pytest.fixture
def alice(dovecot):
    with dovecot.imap("alice") as imap:
        yield imap


def news(*kinds, folder="", owner="alice", user="alice", **more):
    """As new() has it, without what a test does not look at."""
    return [{"event": kind, "user": user, "owner": owner, "folder": folder, **more} for kind in kinds]


def new(audience):
    """As news() has it; keywords by which Dovecot 2.4 notes attachments are left out."""
    found = [{key: value for key, value in event.items() if key not in ("source", "guid")}
             for event in audience.new()]
    for event in found:
        if "flags" in event:
            event["flags"] = [flag for flag in event["flags"] if not flag.startswith("$Has")]
    return [event for event in found if event.get("flags") != []]


def test_mail_that_lmtp_delivers_is_new(dovecot, audience):
    dovecot.deliver("alice")
    assert new(audience) == news("MessageNew")


def test_mail_that_sieve_files_is_new_where_it_is_filed(dovecot, audience):
    dovecot.deliver("alice", "Notes")
    assert new(audience) == news("MessageNew", folder="Notes")


def test_a_message_for_two_users_is_new_for_both(dovecot, audience):
    dovecot.create_user("bob")
    audience.new()
    with connect(dovecot.lmtp_port) as lmtp:
        lmtp.sendmail(SENDER, ["alice", "bob"], make_message())
        lmtp.getreply()         # LMTP has one for each recipient
    assert new(audience) == news("MessageNew") + news("MessageNew", user="bob", owner="bob")


def test_mail_that_the_local_delivery_agent_delivers_is_new(dovecot, audience):
    dovecot.run("/usr/lib/dovecot/dovecot-lda", "-d", "alice", text=make_message().decode(),
                user=MAIL_USER)
    assert new(audience) == news("MessageNew")


def test_mail_that_a_client_appends(alice, audience):
    alice.append("Notes")
    assert new(audience) == news("MessageAppend", folder="Notes")


@pytest.fixture
def with_mail(dovecot, alice, audience):
    """Three messages in the INBOX, which alice has selected."""
    for _ in range(3):
        deliver(dovecot.lmtp_port, "alice")
    assert alice.select("INBOX") == 3
    audience.new()
    return alice


def test_reading_is_pushed_once_a_command(with_mail, audience):
    with_mail.store("1:3", "+FLAGS", "\\Seen")
    assert new(audience) == news("MessageRead")
    with_mail.store("1:3", "+FLAGS", "\\Seen")
    assert new(audience) == []


def test_unread_again_says_which_flag_was_cleared(with_mail, audience):
    with_mail.store("1", "+FLAGS", "\\Seen", "\\Flagged", "$Forwarded")
    audience.new()
    with_mail.store("1", "-FLAGS", "\\Seen")
    assert new(audience) == news("FlagsClear", flags=["\\Seen"])
    with_mail.store("1", "-FLAGS", "\\Flagged", "$Forwarded")
    assert wait_until(lambda: new(audience), what="the end of the second") == news(
        "FlagsClear", flags=["\\Flagged", "$Forwarded"])


def test_several_changes_of_one_command_are_pushed_by_kind(dovecot, with_mail, audience):
    with_mail.store("1", "+FLAGS", "\\Answered")
    assert new(audience) == news("FlagsSet", flags=["\\Answered"])
    with dovecot.imap("alice") as another:      # for which nothing is held back
        another.select("INBOX")
        another.store("1:2", "FLAGS", "\\Seen", "$Junk")
    assert new(audience) == (news("MessageRead") + news("FlagsSet", flags=["$Junk"])
                             + news("FlagsClear", flags=["\\Answered"]))


def flicker(imap, times):
    for _ in range(times):
        imap.store("1", "+FLAGS", "\\Flagged")
        imap.store("1", "-FLAGS", "\\Flagged")


def test_the_same_again_is_pushed_at_the_end_of_a_second(with_mail, audience):
    flicker(with_mail, 2)
    wait_until(lambda: len(audience.all("FlagsSet")) > 1, what="the second FlagsSet")
    wait_until(lambda: len(audience.all("FlagsClear")) > 1, what="the second FlagsClear")


def test_most_of_many_times_the_same_is_not_pushed(with_mail, audience):
    flicker(with_mail, 100)
    with_mail.close()
    audience.wait("FlagsSet")
    assert len(audience.all("FlagsSet")) < 100


def test_what_is_held_back_is_pushed_when_the_user_goes(with_mail, audience):
    flicker(with_mail, 2)
    with_mail.connection.shutdown()
    wait_until(lambda: len(audience.all("FlagsSet")) == 2, what="the second FlagsSet")


def test_what_is_held_back_is_pushed_before_a_mailbox_changes_its_name(with_mail, audience):
    with_mail.copy("1", "Notes")
    with_mail.select("Notes")
    audience.new()
    flicker(with_mail, 2)
    with_mail.rename("Notes", "Papers")
    kinds = [event["event"] for event in audience.new()]
    assert kinds[-1] == "MailboxRename" and kinds.count("FlagsSet") == kinds.count("FlagsClear") == 2


def flags_of(events):
    return {flag for event in events for flag in event["flags"]}


def test_different_flags_of_a_second_are_pushed_together(with_mail, audience):
    keywords = {f"$k{number}" for number in range(25)}
    for keyword in sorted(keywords):
        with_mail.store("1", "+FLAGS", keyword)
    with_mail.store("1", "+FLAGS", "\\Answered", "\\Seen")
    for keyword in sorted(keywords):
        with_mail.store("1", "-FLAGS", keyword)
    with_mail.store("1", "-FLAGS", "\\Seen")
    with_mail.close()
    wait_until(lambda: flags_of(audience.all("FlagsSet")) >= {*keywords, "\\Answered"}, what="what was set")
    wait_until(lambda: flags_of(audience.all("FlagsClear")) >= {*keywords, "\\Seen"}, what="what was cleared")
    assert "\\Seen" not in flags_of(audience.all("FlagsSet"))
    assert len(audience.all("FlagsSet")) < len(keywords)


def test_flags_are_pushed_together_with_those_of_the_same_second_alone(with_mail, audience):
    for keyword in ("$a", "$b"):
        with_mail.store("1", "+FLAGS", keyword)
    wait_until(lambda: len(audience.all("FlagsSet")) > 1, what="the second FlagsSet")
    with_mail.store("1", "+FLAGS", "$c")
    with_mail.close()
    wait_until(lambda: "$c" in flags_of(audience.all("FlagsSet")), what="the last FlagsSet")
    assert [event["flags"] for event in audience.all("FlagsSet")] == [["$a"], ["$b"], ["$c"]]


def test_each_new_mail_is_pushed_at_once(dovecot, audience):
    for _ in range(3):
        dovecot.deliver("alice")
    assert new(audience) == news("MessageNew") * 3


def test_trash_and_expunge(with_mail, audience):
    with_mail.store("1:2", "+FLAGS", "\\Deleted")
    assert new(audience) == news("MessageTrash")
    with_mail.expunge()
    assert new(audience) == news("MessageExpunge")


def test_a_copy_is_pushed_for_where_it_goes(with_mail, audience):
    with_mail.copy("1:3", "Notes")
    assert new(audience) == news("MessageCopy", folder="Notes")


def test_a_move_is_pushed_for_both_ends(with_mail, audience):
    with_mail.move("1:3", "Notes")
    assert new(audience) == news("MessageMove", folder="Notes") + news("MessageExpunge")


def test_looking_changes_nothing(with_mail, audience):
    with_mail.fetch("1:3", "(FLAGS BODY.PEEK[])")
    with_mail.list()
    with_mail.select("Notes")
    assert new(audience) == []


def test_a_refused_command_is_not_pushed(with_mail, audience):
    with pytest.raises(Exception, match="NO"):
        with_mail.copy("1:3", "nowhere")
    assert new(audience) == []


def test_mailboxes_come_go_and_change_their_names(alice, audience):
    alice.create("Bücher/2026")
    assert new(audience)[-1:] == news("MailboxCreate", folder="Bücher/2026")
    alice.rename("Bücher", "Papers")
    assert new(audience) == news("MailboxRename", folder="Papers", from_owner="alice",
                                 from_folder="Bücher")
    alice.delete("Papers/2026")
    assert new(audience) == news("MailboxDelete", folder="Papers/2026")


def test_what_pop3_deletes_is_pushed(dovecot, with_mail, audience):
    pop3 = poplib.POP3("127.0.0.1", dovecot.pop3_port, timeout=TIMEOUT)
    pop3.user("alice")
    pop3.pass_(dovecot.password)
    pop3.dele(1)
    pop3.quit()
    audience.wait("MessageExpunge", folder="")


def test_what_an_administrator_does_is_pushed(dovecot, audience):
    dovecot.doveadm("mailbox", "create", "-u", "alice", "Reports")
    assert new(audience) == news("MailboxCreate", folder="Reports")


def test_all_of_a_mailboxs_news_has_the_id_by_which_it_was_registered(dovecot, alice, audience):
    with Phone(dovecot) as phone:
        phone.register("INBOX", "Notes")
    registered = {mailbox["folder"]: mailbox["guid"]
                  for mailbox in audience.all("Register")[0]["mailboxes"]}
    dovecot.deliver("alice")
    dovecot.deliver("alice", "Notes")
    assert {event["folder"]: event["guid"] for event in audience.all("MessageNew")} == registered
