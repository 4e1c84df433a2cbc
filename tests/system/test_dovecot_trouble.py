"""Dovecot's plugins when mailpushd is away, hangs or refuses, under load, and under valgrind."""

import concurrent.futures
import itertools
import os
import re

import pytest

from dovecot import LOGINS_AT_ONCE, SYSTEM_UID, sanitizer
from lmtp import SENDER, connect, deliver, make_message
from phone import Phone
from waiting import wait_until

WAIT_S = 0.2                # DELIVERY_WAIT_MS


def kinds(events):
    return [event["event"] for event in events]


@pytest.fixture
def dovecot(dovecot_for):
    dovecot = dovecot_for()
    dovecot.create_user("alice")
    dovecot.deliver("alice")
    return dovecot


@pytest.fixture
def alice(dovecot, audience):
    with dovecot.imap("alice") as imap:
        imap.select("INBOX")
        audience.new()
        yield imap


def test_without_a_daemon_news_is_kept(dovecot, alice, audience):
    audience.leave()
    alice.store("1", "+FLAGS", "\\Seen")
    dovecot.deliver("alice")
    assert kinds(event for _, event in audience.kept()) == ["MessageRead", "MessageNew"]
    dovecot.wait_log("Warning: mailpush: cannot reach mailpushd")


def test_what_is_kept_can_be_read_by_the_daemon(alice, audience, dovecot):
    audience.leave()
    alice.store("1", "+FLAGS", "\\Seen")
    [path] = dovecot.spool.glob("[0-9]*")
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_gid == dovecot.spool.stat().st_gid


@pytest.mark.parametrize("answer", [b'NO "the disk is full"\r\n', b""])
def test_news_that_is_not_acknowledged_is_kept(alice, audience, answer):
    audience.answers["MessageRead"] = answer
    alice.store("1", "+FLAGS", "\\Seen")
    assert kinds(event for _, event in audience.kept()) == ["MessageRead"]


def test_a_daemon_that_hangs_costs_time_once_in_a_while(alice, audience):
    audience.answers["MailboxCreate"] = None
    for number in range(40):
        alice.create(f"Folder{number}")
    assert len(audience.kept()) == 40
    assert 0 < len(audience.unanswered) < 20


def be_slow(audience):
    """It answers in time once, but not twice."""
    audience.asked.clear()
    audience.delay_s = 0.95 * WAIT_S


def test_all_kinds_of_one_command_wait_for_one_deadline(dovecot, alice, audience):
    alice.store("1", "+FLAGS", "\\Answered")
    audience.new()
    with dovecot.imap("alice") as another:      # for which nothing is held back
        another.select("INBOX")
        be_slow(audience)
        another.store("1", "FLAGS", "\\Seen", "\\Deleted", "$Junk")
    assert set(kinds(audience.new())) == {"FlagsClear", "FlagsSet", "MessageRead", "MessageTrash"}
    assert len(audience.asked) < 4


def test_what_was_held_back_waits_for_the_same_deadline_as_the_rename(dovecot, alice, audience):
    folders = [f"Folder{number}" for number in range(12)]
    for folder in folders:
        alice.create(folder)
    audience.new()
    for folder in 2 * folders:
        alice.append(folder)
    be_slow(audience)
    alice.rename("Folder0", "Papers")
    assert kinds(audience.new())[-1] == "MailboxRename"
    assert len(audience.asked) < len(folders) // 2


def test_all_recipients_of_a_message_wait_for_one_deadline(dovecot, audience):
    be_slow(audience)
    users = [f"user{number}" for number in range(20)]
    with connect(dovecot.lmtp_port) as lmtp:
        lmtp.sendmail(SENDER, users, make_message())
        for _ in users[1:]:
            lmtp.getreply()
    assert {event["user"] for event in audience.all("MessageNew")} >= set(users)
    assert len([event for event in audience.asked if event["event"] == "MessageNew"]) < len(users) // 2


def test_another_process_knows_of_the_silence(dovecot, alice, audience):
    audience.answers["FlagsSet"] = None
    alice.store("1", "+FLAGS", "\\Flagged")
    assert (dovecot.spool / ".silent").exists()


def wait_refused(dovecot, alice, audience, level):
    """News that the audience is late for is kept, as all is that comes in the next seconds.

    Returns the folders of which it was asked and nothing is kept.
    """
    def is_refused():
        alice.create(f"Refused{next(numbers)}")
        return any(f"{level}: mailpush: " in line and "not allowed" in line for line in dovecot.log())
    numbers = itertools.count()
    audience.asked.clear()
    wait_until(is_refused, what="a refusal in time")
    asked = {event["folder"] for event in audience.asked if event["event"] == "MailboxCreate"}
    return asked - {event["folder"] for _, event in audience.kept()}


def test_news_that_is_refused_for_who_sends_it_is_dropped(alice, audience, dovecot):
    audience.answers["MailboxCreate"] = b'NO "not allowed for this user"\r\n'
    assert wait_refused(dovecot, alice, audience, "Error")


def test_of_anothers_mailbox_that_is_no_error(alice, audience, dovecot):
    audience.answers["MailboxCreate"] = b'NO "not allowed for this user (MailboxCreate: owner)"\r\n'
    assert wait_refused(dovecot, alice, audience, "Info")


def test_news_that_nowhere_can_be_kept_is_complained_of(dovecot, alice, audience):
    audience.leave()
    audience.spools.clear()
    dovecot.spool.rename(dovecot.dir / "elsewhere")
    alice.store("1", "+FLAGS", "\\Seen")
    dovecot.wait_log("Error: mailpush: ", "news is lost")
    assert alice.search("SEEN") == ["1"]


def test_what_was_said_before_does_not_hide_that_news_is_lost(dovecot, alice, audience):
    audience.answers["MailboxCreate"] = b'NO "not allowed for this user (MailboxCreate: owner)"\r\n'
    wait_refused(dovecot, alice, audience, "Info")
    audience.leave()
    alice.create("Kept")
    dovecot.wait_log("Warning: mailpush: ", "news is kept")
    audience.spools.clear()
    dovecot.spool.rename(dovecot.dir / "elsewhere")
    alice.create("Lost")
    dovecot.wait_log("Error: mailpush: ", "news is lost")


def test_what_others_can_cause_does_not_fill_the_log(dovecot, alice, audience):
    audience.leave()
    for number in range(40):
        alice.create(f"Folder{number}")
    assert len(audience.kept()) == 40
    alice.close()                       # its last line; the first is of the folder's making
    wait_until(lambda: sum("imap(alice)" in line and "Disconnected" in line
                           for line in dovecot.log()) == 2, what="the end of two sessions")
    assert 0 < len([line for line in dovecot.log() if "mailpush" in line]) < 20


@pytest.mark.limit(300)
def test_64_processes_at_once(dovecot_for, audience):
    dovecot = dovecot_for()
    users = [f"user{number}" for number in range(64)]

    def join(user):
        dovecot.create_user(user, "Notes")
        return Phone(dovecot, user)

    def live(phone):
        with phone:
            confirmed = phone.register("INBOX", "Notes").mailboxes
            phone.append("Notes")
            deliver(dovecot.lmtp_port, phone.user)
        return confirmed
    with concurrent.futures.ThreadPoolExecutor(LOGINS_AT_ONCE) as pool:
        phones = list(pool.map(join, users))
    with concurrent.futures.ThreadPoolExecutor(len(users)) as pool:
        answers = list(pool.map(lambda phone: attempt(live, phone), phones))
    assert [answer for answer in answers if answer != ["INBOX", "Notes"]] == []
    for kind in ("MailboxCreate", "MessageAppend", "MessageNew"):
        assert {event["user"] for event in audience.all(kind)} == set(users)


def attempt(live, phone):
    """Its answer, or what went wrong."""
    try:
        return live(phone)
    except Exception as error:
        return error


# ---- as the users themselves ----

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can work as other users")


@pytest.fixture
def dovecot_of_users(dovecot_for, audience):
    dovecot = dovecot_for(system_users=("anna", "boris"))
    dovecot.create_user("anna")
    dovecot.deliver("anna")
    return dovecot


@root_only
def test_with_system_users_each_speaks_as_himself(dovecot_of_users, audience):
    with Phone(dovecot_of_users, "boris") as phone:
        assert phone.register("INBOX").mailboxes == ["INBOX"]
    assert {SYSTEM_UID, SYSTEM_UID + 1} <= audience.peers
    audience.wait("MessageNew", user="anna")


@root_only
def test_what_a_system_user_cannot_write_is_kept_in_his_name(dovecot_of_users, audience):
    audience.leave()
    with dovecot_of_users.imap("anna") as anna:
        anna.select("INBOX")
        anna.store("1", "+FLAGS", "\\Seen")
    wait_until(audience.kept, what="the file of mailpush-dovecot-keep")
    [path] = dovecot_of_users.spool.glob("[0-9]*")
    assert path.stat().st_uid == SYSTEM_UID
    assert path.stat().st_gid == dovecot_of_users.spool.stat().st_gid
    assert kinds(event for _, event in audience.kept()) == ["MessageRead"]


@root_only
def test_of_what_lmtp_has_kept_a_user_has_a_thousand_files_at_most(dovecot_of_users, audience):
    """As its own uid it is root's, whoever the mail is for."""
    audience.leave()
    for number in range(1001):
        path = dovecot_of_users.spool / f".tmp-{number}"
        path.touch()
        os.chown(path, SYSTEM_UID, -1)
    for user in ("anna", "boris"):
        dovecot_of_users.deliver(user)
    wait_until(audience.kept, what="what is kept for another user")
    wait_until(lambda: not dovecot_of_users.processes("keep"), what="the end of the program")
    assert {event["user"] for _, event in audience.kept()} == {"boris"}


@root_only
def test_a_program_that_does_not_go_into_the_background_is_not_waited_for(dovecot_of_users, audience):
    dovecot = dovecot_of_users
    program, proceed, began = dovecot.dir / "keep", dovecot.dir / "proceed", dovecot.dir / "began"
    began.mkdir()
    began.chmod(0o777)
    program.unlink()
    program.write_text(f"#!/bin/sh\n: >{began}/$$\nwhile [ ! -e {proceed} ]; do sleep 0.1; done\n")
    program.chmod(0o755)
    audience.leave()
    with dovecot.imap("anna") as anna:
        anna.select("INBOX")
        anna.store("1", "+FLAGS", "\\Seen")
        anna.store("1", "-FLAGS", "\\Seen")
        wait_until(lambda: len(list(began.iterdir())) == 2, what="two runs of the program")
        assert dovecot.processes("keep")
        proceed.touch()
        wait_until(lambda: not dovecot.processes("keep"), what="their end")


# ---- memory ----

VALGRIND = ("/usr/bin/valgrind --quiet --leak-check=full --show-leak-kinds=definite "
            "--keep-debuginfo=yes --log-file={dir}/valgrind.%p")


@pytest.mark.skipif(sanitizer() is not None, reason="AddressSanitizer looks already")
@pytest.mark.limit(300)
def test_valgrind_finds_no_fault(dovecot_for, audience, tmp):
    tmp.chmod(0o777)
    dovecot = dovecot_for(wrapper=VALGRIND.format(dir=tmp))
    dovecot.create_user("alice", "Notes", ("Bücher", "2026"))
    with Phone(dovecot) as phone:
        phone.register("INBOX", "Notes", "Bücher/2026", "none")
        phone.register(version=1)
        dovecot.deliver("alice")
        dovecot.deliver("alice", "Notes")
        phone.select("INBOX")
        phone.store("1", "+FLAGS", "\\Seen", "\\Flagged", "$Forwarded")
        phone.store("1", "-FLAGS", "\\Seen", "$Forwarded")
        phone.copy("1", "Notes")
        phone.move("1", "Notes")
        phone.rename("Notes", "Papers")
        phone.delete("Papers")
        audience.answers["MessageAppend"] = b'NO "not allowed"\r\n'
        phone.append("INBOX")
        audience.leave()
        phone.append("INBOX")
    dovecot.stop()
    faults = "".join(path.read_text() for path in sorted(tmp.glob("valgrind.*")))
    assert list(tmp.glob("valgrind.*"))
    ours = [part for part in re.split(r"\n==\d+== \n", faults) if re.search("mailpush|delivery|json_text", part)]
    assert not ours, "\n".join(ours)
