"""Dovecot's door: what its plugin says, and whom the daemon believes."""

import contextlib
import os
import pwd
import socket
import subprocess

import pytest

import notify
from apnssim import TOPIC
from control import ctl_fine, ctl_json, get, tcp
from doctor import examine
from dovecot_client import (FINE, TOLD, TOLD_OWN, DovecotSite, as_user, ask, guid, mail, mailbox, registration,
                            rename, request, topic)
from mailsite import BarePhone, locked, new_user
from ports import free_port
from test_daemon import AS_ROOT
from test_reload import reload
from waiting import TIMEOUT, wait_until

# Users that every system has, as the users of a Dovecot with system users.
ALICE, MALLORY = "games", "news"
NAMELESS = 54321
REFUSED = (b'NO "not allowed to send events; set dovecot_system_users = yes if mail users are users of the '
           b'system, or name this user in dovecot_users"\r\n')

WAITS = b'NO "too many events wait for the registry or the disk; try again later"\r\n'


@pytest.fixture
def door_site_for(mailpushd, sim, imapd_conf):
    """door_site_for(**settings): the test itself sends what Dovecot's plugin would."""
    def make(start=True, **settings):
        daemon = mailpushd(start=False, **{"imapd_conf": imapd_conf, **settings})
        daemon.write_conf(dovecot_socket=daemon.dir / "dovecot")
        return DovecotSite(daemon.start() if start else daemon, sim)
    return make


@pytest.fixture
def site(door_site_for):
    return door_site_for()


# ---- the life of a phone ----

def test_the_topic_is_answered(site):
    assert site.ask(topic("alice")) == TOLD


def test_a_phone_registers_and_its_mailboxes_are_pushed(site):
    phone = BarePhone(new_user(), ("INBOX", "Entwürfe/Käse", "Notes"))
    site.register(phone)
    site.told(phone, *phone.mailboxes)
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    site.deliver(phone.user, "Entwürfe/Käse")
    site.told(phone, "Entwürfe/Käse")
    site.deliver(phone.user, "Other")
    for event in ("MessageAppend", "MessageCopy", "MessageMove", "MessageExpunge", "MessageRead",
                  "MessageTrash"):
        site.tell(mail(phone.user, "Notes", event))
        site.told(phone, "Notes")
    site.tell(mail(phone.user, "Notes", "FlagsSet", flags=["\\Seen"]))
    site.tell(mail(phone.user, "Notes", "FlagsClear", flags=["\\Flagged"]))
    site.tell(mail(phone.user, "", "FlagsClear", flags=["\\Seen"]))
    site.told(phone, "INBOX")


def test_a_registration_is_confirmed_and_has_the_topic_of_the_answer(site):
    phone = BarePhone(new_user())
    site.register(phone)
    site.told_inbox(phone)
    assert site.registrations("user, topic, confirmed") == [(phone.user, TOPIC, 1)]


def test_a_name_means_what_the_plugin_says(site):
    """Prefix and separator of a namespace are no concern of the daemon's."""
    phone = BarePhone(new_user())
    owner = new_user()
    site.register(phone, mailbox(phone.user, "INBOX.Notes", folder="Notes"),
                  mailbox(phone.user, f"shared.{owner}.Team", owner=owner, folder="Team"),
                  mailbox(phone.user, "Public.News", owner="", folder="News"))
    site.told(phone, "INBOX.Notes", f"shared.{owner}.Team", "Public.News")
    site.deliver(phone.user, "Notes")
    site.told(phone, "INBOX.Notes")
    site.tell(mail(owner, "Team"))
    site.told(phone, f"shared.{owner}.Team")
    site.tell(mail(owner, "News", owner=""))
    site.told(phone, "Public.News")


def test_who_may_not_read_a_mailbox_any_more_gets_no_push(site):
    owner, reader = new_user(), BarePhone(new_user(), ("INBOX",))
    site.register(reader, "INBOX", mailbox(reader.user, "Team", owner=owner, folder="Team"))
    site.told(reader, "INBOX", "Team")
    site.tell(mail(owner, "Team", readers=["somebody"]))
    site.tell(mail(owner, "Team", readers=[]))
    site.deliver(reader.user)
    site.told(reader, "INBOX")
    site.tell(mail(owner, "Team", readers=["somebody", reader.user.upper()]))
    site.told(reader, "Team")


def test_shared_mailboxes_may_be_switched_off(door_site_for):
    site = door_site_for(shared_mailboxes="no")
    phone = BarePhone(new_user())
    site.register(phone, "INBOX", mailbox(phone.user, "Team", owner=new_user(), folder="Team"),
                  told=TOLD_OWN)
    site.wait_subscribed(phone, "INBOX")


def test_a_folder_is_renamed_with_what_is_below_it_and_deleted(site):
    phone = BarePhone(new_user(), ("INBOX", "Old", "Old/Below"))
    site.register(phone)
    site.told(phone, *phone.mailboxes)
    site.tell(rename(phone.user, "Old", "New"))
    site.deliver(phone.user, "New/Below")
    site.told(phone, "Old/Below")
    site.tell(mail(phone.user, "New/Below", "MailboxDelete"))
    site.wait_subscribed(phone, "INBOX", "Old")


def test_a_rename_without_an_event_is_seen_by_the_id(site):
    phone = BarePhone(new_user(), ("INBOX", "Notes"))
    site.register(phone)
    site.told(phone, *phone.mailboxes)
    site.deliver(phone.user, "Notes")
    site.told(phone, "Notes")
    site.tell(mail(phone.user, "Renamed", guid=guid(phone.user, "Notes")))
    site.told(phone, "Notes")


def test_an_account_that_is_deleted_waits_for_a_sign_of_life(site):
    phone = BarePhone(new_user(), ("INBOX",))
    site.register(phone)
    site.told_inbox(phone)
    site.tell(mail(phone.user, "", "MailboxDelete"))
    wait_until(lambda: site.registrations("suspended_ms > 0") == [1], what="a suspension")
    site.deliver(phone.user)
    site.told_inbox(phone)


def test_what_is_unknown_is_acknowledged_and_changes_nothing(site):
    before = site.registry_dump()
    site.tell({"source": "dovecot", "event": "MailboxSubscribe", "user": "alice", "more": [{}]})
    assert site.registry_dump() == before


# ---- answers ----

def test_without_a_credential_there_is_no_topic(door_site_for):
    site = door_site_for(start=False)
    credentials, site.mailpushd.credentials = site.mailpushd.credentials, {}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    answer = b'NO "there is no credential in force, and so no topic for phones"\r\n'
    phone = BarePhone(new_user())
    assert site.ask(topic("alice")) == answer
    assert site.ask(registration(phone.user, phone.token, phone.account_id)) == answer
    site.deliver("alice")
    site.mailpushd.credentials = credentials
    site.mailpushd.write_conf()
    site.mailpushd.restart()
    assert site.ask(topic("alice")) == TOLD


def test_a_subtopic_that_is_not_served_is_refused(site):
    phone = BarePhone(new_user())
    event = registration(phone.user, phone.token, phone.account_id, subtopic="com.example")
    assert site.ask(event) == b'NO "phones cannot register here for that subtopic"\r\n'
    assert site.registrations() == []


MALFORMED = {
    "no JSON": b"{",
    "no source": {"event": "MessageNew", "user": "alice", "owner": "alice", "folder": ""},
    "Cyrus' event": notify.mail("alice"),
    "no user": {"source": "dovecot", "event": "Topic"},
    "a token that is none": registration("alice", "xyz", "A"),
    "a folder that is too long": mail("alice", "x" * 1025),
    "a large event": mail("alice", more="x" * 65536),
    "a large registration": registration("alice", "ab" * 32, "A", more="x" * 262144),
    "a control character": mail("al\nice"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_request_that_is_none_is_refused(site, name):
    answer = site.ask(MALFORMED[name])
    assert answer.startswith(b'NO "') and answer.endswith(b'"\r\n')
    assert site.ask(topic("alice")) == TOLD


def test_requests_of_another_class_are_refused(site):
    answer = site.ask(notify.request(notify.mail("alice")))
    assert answer == b'NO "this socket is for requests of Dovecot\'s plugin alone"\r\n'
    site.mailpushd.wait_log("warn intake: this socket is for requests of Dovecot's plugin alone")


def test_inbox_is_kept_of_a_thousand_and_one_mailboxes(site):
    phone = BarePhone(new_user())
    site.register(phone, *(mailbox(phone.user, f"F{n}") for n in range(1000)), "INBOX")
    wait_until(lambda: len(site.subscriptions(phone)) == 1000, what="a thousand subscriptions")
    assert "INBOX" in site.subscriptions(phone)


# ---- who is believed ----

@AS_ROOT
def test_a_user_of_the_system_speaks_for_himself(door_site_for):
    site = door_site_for(dovecot_system_users="yes")
    phone = BarePhone(ALICE)
    assert site.ask(topic(ALICE), user=ALICE) == TOLD
    site.register(phone, user=ALICE)
    site.told_inbox(phone)
    site.tell(mail(ALICE), user=ALICE)
    site.told_inbox(phone)


@AS_ROOT
def test_a_user_of_the_system_speaks_for_nobody_else(door_site_for):
    site = door_site_for(dovecot_system_users="yes")
    phone = BarePhone(ALICE, ("INBOX", "Notes"))
    site.register(phone)
    site.told(phone, *phone.mailboxes)
    before = site.registry_dump()
    for event in (topic(ALICE), mail(ALICE), mail(MALLORY, owner=ALICE),
                  mail(ALICE, "Notes", "MailboxDelete"), rename(MALLORY, "Notes", "X",
                                                                from_owner=ALICE),
                  rename(MALLORY, "X", "Notes", owner=ALICE), mail(MALLORY, "News", owner=""),
                  registration(ALICE, "ab" * 32, "A")):
        answer = site.ask(event, user=MALLORY)
        assert answer.startswith(b'NO "not allowed for this user'), (event, answer)
    assert site.registry_dump() == before
    site.mailpushd.wait_log("warn event: .*not allowed for this user")
    site.deliver(ALICE)
    site.told(phone, "INBOX")


@AS_ROOT
def test_mailboxes_of_others_are_left_out_of_a_users_own_registration(door_site_for):
    site = door_site_for(dovecot_system_users="yes")
    phone = BarePhone(MALLORY)
    site.register(phone, "INBOX", mailbox(MALLORY, "Theirs", owner=ALICE, folder=""), user=MALLORY,
                  told=TOLD_OWN)
    site.wait_subscribed(phone, "INBOX")


@AS_ROOT
def test_a_known_id_moves_nothing_of_another_user(door_site_for):
    site = door_site_for(dovecot_system_users="yes")
    phone = BarePhone(ALICE, ("INBOX", "Notes"))
    site.register(phone)
    site.told(phone, *phone.mailboxes)
    site.deliver(ALICE, "Notes")
    site.told(phone, "Notes")
    site.tell(mail(MALLORY, "Mine", guid=guid(ALICE, "Notes")), user=MALLORY)
    site.deliver(ALICE, "Notes")
    site.told(phone, "Notes")


@AS_ROOT
def test_a_uid_without_a_name_speaks_for_nobody(door_site_for):
    site = door_site_for(dovecot_system_users="yes")
    answer = site.ask(topic(str(NAMELESS)), user=NAMELESS)
    assert answer == b'NO "not allowed: the sender of a request is no user of this system"\r\n'


@AS_ROOT
def test_a_user_of_the_system_is_no_user_of_cyrus_of_the_same_name(site):
    phone, thief = BarePhone(ALICE, ("INBOX",)), BarePhone(ALICE, ("INBOX",))
    answer = notify.ask(site.mailpushd.stream_socket, notify.request(notify.registration(
        ALICE, phone.token, phone.account_id, ["INBOX"])))
    assert answer == FINE
    site.told_inbox(phone)
    site.settled(phone)
    before = site.registry_dump()
    for event in (topic(ALICE), mail(ALICE), mail(ALICE, "", "MailboxDelete"),
                  registration(ALICE, thief.token, thief.account_id)):
        assert site.ask(event, user=ALICE) == REFUSED, event
    assert site.registry_dump() == before
    site.mailpushd.wait_log("warn intake: not allowed to send events; set dovecot_system_users = yes .*"
                            f"uid={uid_of(ALICE)}")
    site.deliver(ALICE)
    site.told_inbox(phone)
    assert site.pushes(thief) == []


@AS_ROOT
def test_whether_users_of_the_system_may_speak_is_switched_by_a_reload(site):
    phone = BarePhone(ALICE)
    assert site.ask(topic(ALICE), user=ALICE) == REFUSED
    reload(site, dovecot_system_users="yes")
    site.register(phone, user=ALICE)
    site.told_inbox(phone)
    reload(site, dovecot_system_users="no")
    assert site.ask(mail(ALICE), user=ALICE) == REFUSED
    assert not [line for line in site.mailpushd.lines() if "take effect after a restart" in line]


@AS_ROOT
def test_the_users_of_the_mail_server_speak_for_all(door_site_for):
    site = door_site_for(dovecot_users=[ALICE])
    phone = BarePhone(new_user())
    site.register(phone, user=ALICE)
    site.told_inbox(phone)
    site.tell(mail(phone.user), user=ALICE)
    site.told_inbox(phone)
    assert site.ask(topic(MALLORY), user=MALLORY) == REFUSED


@AS_ROOT
def test_the_users_of_dovecot_are_not_taken_for_cyrus(door_site_for):
    site = door_site_for(dovecot_users=[ALICE], socket_mode="0666")
    answer = ask(site.mailpushd.stream_socket, notify.request(notify.mail("alice")), user=ALICE)
    assert answer == b'NO "not allowed"\r\n'


@AS_ROOT
def test_the_registrations_of_a_user_are_bounded(door_site_for):
    site = door_site_for(registrations_per_user=2, dovecot_system_users="yes")
    for _ in range(3):
        site.register(BarePhone(MALLORY), user=MALLORY)
    wait_until(lambda: len(site.registrations()) == 2, what="two registrations")


HOLDER = """
import socket, sys, time
held = []
for _ in range(int(sys.argv[2])):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(sys.argv[1])
    connection.setblocking(False)
    try:
        connection.sendall(b"NOTIFY %(CLASS DOVECOT MESSAGE {900000+}\\r\\n" + b"x" * int(sys.argv[3]))
    except (BlockingIOError, BrokenPipeError, ConnectionResetError):
        pass
    held.append(connection)
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def held(site, count, size, user=MALLORY):
    """Connections of a user who sends so much of a request, and no more."""
    process = subprocess.Popen([*as_user(user), "/usr/bin/python3", "-c", HOLDER, str(site.door),
                                str(count), str(size)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield
    process.communicate(timeout=TIMEOUT)


@AS_ROOT
@pytest.mark.parametrize("size", [0, 100000])
def test_a_user_who_holds_connections_keeps_no_other_out(door_site_for, size):
    site = door_site_for(dovecot_system_users="yes", ack_timeout="30s")
    with held(site, 200, size):
        site.mailpushd.wait_log("warn intake: .*too many connections of this user")
        assert site.ask(topic(MALLORY), user=MALLORY) in (b'NO "too many connections"\r\n', b"")
        assert site.ask(topic(ALICE), user=ALICE) == TOLD
        site.deliver("alice")
    wait_until(lambda: site.ask(topic(MALLORY), user=MALLORY) == TOLD, what="a place again")


# ---- what stands when the daemon dies ----

def test_what_was_acknowledged_outlasts_a_crash(site):
    phone = BarePhone(new_user())
    site.register(phone)
    site.mailpushd.kill9()
    site.mailpushd.start()
    site.told_inbox(phone)
    site.wait_nothing_waits()       # it may be sent again until then
    site.deliver(phone.user)
    site.mailpushd.kill9()
    site.mailpushd.start()
    site.told_inbox(phone)


@AS_ROOT
def test_what_was_parked_keeps_its_meaning_over_a_crash(door_site_for):
    """Whose it is, what the names mean, and the topic that was told."""
    site = door_site_for(dovecot_system_users="yes")
    phone, own = BarePhone(new_user()), BarePhone(ALICE)
    with locked(site.mailpushd.dir / "registry.sqlite"):
        site.register(phone, mailbox(phone.user, "INBOX.Notes", folder="Notes"))
        site.register(own, "INBOX", mailbox(ALICE, "Theirs", owner=phone.user, folder=""),
                      user=ALICE, told=TOLD_OWN)
        site.deliver(phone.user, "Notes")
        site.mailpushd.kill9()
    site.mailpushd.start()
    site.mailpushd.wait_log("events parked earlier are taken in again count=3")
    site.told(phone, "INBOX.Notes")
    site.told(own, "INBOX")
    site.wait_subscribed(own, "INBOX")
    assert set(site.registrations("topic, confirmed")) == {(TOPIC, 1)}


def test_a_frozen_registry_has_all_acknowledged_and_pushed_later(site):
    phone = BarePhone(new_user(), ("INBOX", "Notes"))
    ctl_fine(site.mailpushd, "registry", "freeze")
    site.register(phone)
    site.deliver(phone.user, "Notes")
    assert site.registrations() == []
    ctl_fine(site.mailpushd, "registry", "thaw")
    site.told(phone, *phone.mailboxes)
    site.wait_subscribed(phone, *phone.mailboxes)


# ---- the spool ----

def keep(site, number, event, user=None):
    """In the spool folder as the plugin, or its helper, leaves it."""
    spool = site.mailpushd.spool
    hidden = spool / f".{number}"
    hidden.write_bytes(request(event) if isinstance(event, dict) else event)
    if user is not None:
        os.chown(hidden, user, -1)
    hidden.rename(spool / f"{number:016}.1")


def wait_rejected(site, **by):
    """So many were rejected for these causes, and none for another."""
    wait_until(lambda: get(site.mailpushd, "/status")["counters"]["rejected"] >= sum(by.values()), what="rejections")
    assert get(site.mailpushd, "/status")["counters"]["rejected_by"] == {
        "not_allowed": 0, "malformed": 0, "incomplete": 0, **by}


def uid_of(user):
    return pwd.getpwnam(user).pw_uid


@AS_ROOT
def test_half_of_max_waiting_is_beyond_the_reach_of_users_who_speak_for_themselves(door_site_for):
    """Each of these takes 15 of the 1000 places; what is not taken is kept, and pushed later."""
    site = door_site_for(dovecot_system_users="yes", max_waiting=1000)
    phone, other = BarePhone(ALICE), BarePhone(new_user())
    for one in (phone, other):
        site.register(one)
        site.told_inbox(one)
    with locked(site.mailpushd.dir / "registry.sqlite"):
        site.register(BarePhone(new_user()))
        answers = [site.ask(mail(ALICE, f"Folder {n}", more="x" * 60000), user=ALICE) for n in range(36)]
        assert answers == [FINE] * 34 + [WAITS] * 2
        site.deliver(other.user)
        keep(site, 1, mail(ALICE), uid_of(ALICE))
    site.told_inbox(other)
    site.told_inbox(phone)
    assert site.mailpushd.bad_files() == []


def test_what_was_kept_is_pushed(site):
    phone = BarePhone(new_user())
    site.register(phone)
    site.told_inbox(phone)
    site.mailpushd.stop()
    keep(site, 1, mail(phone.user))
    site.mailpushd.start()
    site.told_inbox(phone)
    assert site.mailpushd.bad_files() == []


@AS_ROOT
def test_what_a_user_kept_counts_for_himself(door_site_for):
    site = door_site_for(dovecot_system_users="yes")
    phone, other = BarePhone(ALICE), BarePhone(new_user())
    for one in (phone, other):
        site.register(one)
        site.told_inbox(one)
    keep(site, 1, mail(other.user), uid_of(ALICE))
    keep(site, 2, mail(ALICE), NAMELESS)
    keep(site, 3, notify.request(notify.mail(other.user)), uid_of(ALICE))
    keep(site, 4, registration(ALICE, "ab" * 32, "A"), uid_of(ALICE))
    keep(site, 5, mail(ALICE), uid_of(ALICE))
    site.told_inbox(phone)
    wait_until(lambda: site.mailpushd.bad_files() == [f"{n:016}.1" for n in range(1, 5)], what="four bad files")
    wait_rejected(site, not_allowed=3, malformed=1)
    site.deliver(other.user)
    site.told_inbox(other)
    assert len(site.pushes(other)) == 2


@AS_ROOT
def test_what_a_user_of_the_system_kept_is_rejected_where_mail_users_are_others(site):
    phone = BarePhone(ALICE)
    site.register(phone)
    site.told_inbox(phone)
    site.settled(phone)
    before = site.registry_dump()
    keep(site, 1, mail(ALICE, "", "MailboxDelete"), uid_of(ALICE))
    keep(site, 2, mail(ALICE), uid_of(ALICE))
    wait_until(lambda: site.mailpushd.bad_files() == [f"{n:016}.1" for n in (1, 2)], what="two bad files")
    wait_rejected(site, not_allowed=2)
    site.mailpushd.wait_log("warn intake: .*not allowed to send events")
    assert site.registry_dump() == before
    site.deliver(ALICE)
    site.told_inbox(phone)
    assert len(site.pushes(phone)) == 2


@AS_ROOT
def test_without_the_door_files_of_users_are_rejected(bare_site_for):
    site = bare_site_for()
    site.mailpushd.wait_spool()
    keep(site, 1, mail(ALICE), uid_of(ALICE))
    wait_until(lambda: site.mailpushd.bad_files() == [f"{1:016}.1"], what="a bad file")


# ---- the socket ----

def test_the_socket_is_open_to_everybody(site):
    assert site.door.stat().st_mode & 0o777 == 0o666


def test_a_socket_whose_file_is_removed_is_made_again(site):
    site.door.unlink()
    wait_until(site.door.exists, what="the socket")
    wait_until(lambda: is_served(site.door), what="a service")
    assert site.ask(topic("alice")) == TOLD


def is_served(path):
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


def test_a_stop_removes_the_socket(site):
    site.deliver("alice")
    assert site.mailpushd.stop() == 0
    assert not site.door.exists()


def test_events_show_where_they_come_from(site):
    site.deliver("alice")
    site.mailpushd.wait_log("event came event=MessageNew .* source=dovecot")


# ---- without Cyrus ----

@pytest.fixture
def alone(door_site_for):
    """door_site_for, where there is no Cyrus."""
    def make(**settings):
        return door_site_for(**{"imapd_conf": "", "notify_socket": None, "stream_socket": None,
                                   **settings})
    return make


def test_without_cyrus_its_sockets_are_not_made(alone):
    site = alone(site="mail.example.org")
    phone = BarePhone(new_user(), ("INBOX", "Entwürfe"))
    site.register(phone)
    site.told(phone, *phone.mailboxes)
    made = {line.rsplit("=", 1)[1] for line in site.mailpushd.lines() if "listening" in line}
    assert made == {str(site.door)}
    status = get(site.mailpushd, "/status")
    assert (status["site"], status["aps_topic"], status["alarms"]) == ("mail.example.org", "", [])
    assert site.mailpushd.run_check().stdout.endswith(": ok\n")


def test_without_cyrus_doctor_does_not_ask_for_it(alone):
    site = alone()
    status, findings = examine(site.mailpushd)
    assert not {"cyrus.conf", "aps_topic"} & {finding["check"] for finding in findings}
    [of_cyrus] = [finding for finding in findings if finding["check"] == "imapd.conf"]
    assert of_cyrus["level"] == "ok" and "there is no Cyrus" in of_cyrus["why"]
    assert [f for f in findings if f["level"] == "fail" and "yrus" in f["why"]] == []


def test_a_socket_for_cyrus_needs_its_imapd_conf(alone):
    site = alone(start=False, stream_socket="/run/mailpush/cyrus")
    assert 'imapd_conf is "", so there is no Cyrus, but stream_socket is set' \
        in site.mailpushd.run_check().stderr


def test_whether_there_is_a_cyrus_waits_for_a_restart(site):
    site.mailpushd.write_conf(imapd_conf="", notify_socket=None, stream_socket=None)
    site.mailpushd.reload()
    site.mailpushd.wait_log('warn config: whether imapd_conf is "" takes effect after a restart')
    site.mailpushd.wait_log("info daemon: reloaded aps_topic=com.apple")
    site.mailpushd.restart()
    assert site.ask(topic("alice")) == TOLD


# ---- what is shown ----

def test_the_mail_server_is_shown_with_each_event(door_site_for):
    port = free_port()
    site = door_site_for(http_listen=f"127.0.0.1:{port}")
    site.deliver("alice")
    assert notify.ask(site.mailpushd.stream_socket,
                      notify.request(notify.mail("alice"))) == b"OK ()\r\n"
    by = {(e["source"], e["event"], e["transport"]): e["count"]
          for e in get(site.mailpushd, "/status")["events"]["by"]}
    assert by == {("cyrus", "MessageNew", "stream"): 1, ("dovecot", "MessageNew", "stream"): 1}
    assert ctl_json(site.mailpushd, "status")[0]["events"]["total"] == 2
    text = tcp(port, "/metrics")[1]
    assert 'mailpush_events_total{event="MessageNew",transport="stream",action="urgent",' \
           'source="dovecot"} 1' in text
