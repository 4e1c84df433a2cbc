"""How mailpushd starts, stops, reloads, and bears what does not work."""

import contextlib
import json
import os
import pwd
import signal
import sqlite3
import subprocess
import time

import pytest

import notify
from apnssim import TOPIC
from mailpushd import Mailpushd
from mailsite import BarePhone, BareSite, hashes_of, locked, new_user
from phone import hash_of
from waiting import TIMEOUT, wait_until

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user as well")
REFUSED = r"ended with 1(.|\n)*error daemon: "
OTHER_TOPIC = "com.apple.mobilemail.push.com.example"


@pytest.fixture
def site(bare_site):
    return bare_site


# ---- who may send ----

# What cannot be done as another user from within our own process.
SENDER = """
import socket, sys
kind, path = sys.argv[1:]
with socket.socket(socket.AF_UNIX, getattr(socket, kind)) as sender:
    sender.connect(path)
    try:
        sender.sendall(sys.stdin.buffer.read())
    except BrokenPipeError:
        pass
    if kind == "SOCK_STREAM":
        sys.stdout.buffer.write(sender.recv(100))
"""


def send_as(user, kind, path, data):
    done = subprocess.run(
        ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups",
         "/usr/bin/python3", "-c", SENDER, kind, str(path)],
        input=data, capture_output=True, timeout=TIMEOUT, check=True)
    return done.stdout


@AS_ROOT
def test_a_stranger_registers_nothing(bare_site_for):
    site = bare_site_for(socket_mode="0666")
    phone = site.registered_phone()
    before = site.registry_dump()
    event = notify.registration("mallory", "ab" * 32, "ABC")
    answer = send_as("nobody", "SOCK_STREAM", site.mailpushd.stream_socket, notify.request(event))
    assert answer == b'NO "not allowed"\r\n'
    site.mailpushd.wait_log("warn intake: .*not allowed to send events")
    since = len(site.mailpushd.log)
    send_as("nobody", "SOCK_DGRAM", site.mailpushd.notify_socket, notify.datagram(event))
    site.mailpushd.wait_log("warn intake: .*not allowed to send events", since=since)
    assert site.registry_dump() == before
    site.deliver(phone.user)
    site.told(phone, "INBOX")


@AS_ROOT
def test_a_user_that_is_allowed_is_taken_for_cyrus(bare_site_for):
    site = bare_site_for(socket_mode="0666", allowed_users=["nobody"])
    one, two = BarePhone(new_user()), BarePhone(new_user())
    answer = send_as("nobody", "SOCK_STREAM", site.mailpushd.stream_socket,
                     notify.request(registration_of(one)))
    assert answer == b"OK ()\r\n"
    send_as("nobody", "SOCK_DGRAM", site.mailpushd.notify_socket,
            notify.datagram(registration_of(two)))
    site.told(one, "INBOX")
    site.told(two, "INBOX")


def registration_of(phone):
    return notify.registration(phone.user, phone.token, phone.account_id, phone.mailboxes)


@AS_ROOT
def test_the_sockets_belong_to_the_group_of_the_mail_server(site):
    for path in (site.mailpushd.notify_socket, site.mailpushd.stream_socket):
        assert path.group() == "mail"
        assert path.stat().st_mode & 0o777 == 0o660


# ---- notifications for other programs ----

def test_notifications_of_other_classes_are_acknowledged_and_named_once(site):
    for _ in range(3):
        for name in ("SIEVE", "MAIL"):
            assert notify.ask(site.mailpushd.stream_socket,
                              notify.request("hi", notification_class=name)) == b"OK ()\r\n"
            notify.send(site.mailpushd.notify_socket, b"mailto\0%s\0normal\0alice\0\0001\0"
                        b"x@example.com\0hi\nthere\0/spool/1\0" % name.encode())
    phone = site.registered_phone()
    notify.send(site.mailpushd.notify_socket, notify.datagram(notify.mail(phone.user)))
    site.told(phone, "INBOX")
    site.mailpushd.wait_log("event came event=MessageNew")
    lines = [line for line in site.mailpushd.lines() if "for other programs" in line]
    assert [line.rpartition("class=")[2] for line in lines] == ["SIEVE", "MAIL"]


def test_what_changes_outside_of_mail_pushes_nothing(site):
    phone = site.registered_phone("INBOX", "Notes")
    site.tell(notify.mail(phone.user, **{"vnd.cmu.mbtype": "c"}))
    site.tell(notify.mail(phone.user, event="ApplePushServiceDAV"))
    site.tell(notify.mail(phone.user, event="MailboxModseq"))
    site.tell(notify.mail(phone.user, event="Unheard"))
    site.deliver(phone.user, "Notes")
    site.told(phone, "Notes")


# ---- a database that does not answer ----

def test_events_wait_for_a_busy_registry_and_keep_their_order(site):
    phone = BarePhone(new_user(), ("INBOX", "Notes"))
    with locked(site.mailpushd.dir / "registry.sqlite"):
        site.register(phone)
        site.deliver(phone.user, "Notes")
        assert site.registrations() == []
    site.told(phone, "INBOX", "Notes")


def test_events_parked_for_a_busy_registry_survive_a_crash(site):
    phone = BarePhone(new_user(), ("INBOX", "Notes"))
    with locked(site.mailpushd.dir / "registry.sqlite"):
        site.register(phone)
        site.deliver(phone.user, "Notes")
        site.mailpushd.kill9()
    assert site.registrations() == []
    site.mailpushd.start()
    site.mailpushd.wait_log("events parked earlier are taken in again count=2")
    site.told(phone, "INBOX", "Notes")
    site.mailpushd.restart()
    assert sum("parked earlier" in line for line in site.mailpushd.lines()) == 1


def test_parked_events_about_one_mailbox_all_leave_the_file(site):
    phone = site.registered_phone("INBOX")
    assert site.mailpushd.stop() == 0
    queue = site.mailpushd.dir / "queue.sqlite"
    with contextlib.closing(sqlite3.connect(queue)) as database, database:
        for parked_id in (1, 2, 3):
            database.execute("INSERT INTO parked (parked_id, received_ms, raw) VALUES (?, ?, ?)",
                             (parked_id, int(time.time() * 1000), json.dumps(notify.mail(phone.user)).encode()))
    site.mailpushd.start()
    site.mailpushd.wait_log("events parked earlier are taken in again count=3")
    site.told(phone, "INBOX")
    assert site.mailpushd.stop() == 0
    with contextlib.closing(sqlite3.connect(queue)) as database:
        assert database.execute("SELECT count(*) FROM parked").fetchone() == (0,)
    site.mailpushd.start()


def test_it_stops_while_the_registry_is_busy(site):
    phone = BarePhone(new_user(), ("INBOX", "Notes"))
    with locked(site.mailpushd.dir / "registry.sqlite"):
        site.register(phone)
        site.deliver(phone.user, "Notes")
        assert site.mailpushd.stop() == 0
    site.mailpushd.start()
    site.told(phone, "INBOX", "Notes")


def test_a_registration_while_another_is_parked_comes_after_it(site):
    phone = BarePhone(new_user(), ("INBOX", "Notes"))
    with locked(site.mailpushd.dir / "registry.sqlite"):
        site.register(phone)
        phone.mailboxes = ("INBOX",)
        site.register(phone)
    wait_until(lambda: site.registrations("inbox_only") == [1], what="the newer registration")
    # The older one may have had a push of its own in between.
    wait_until(lambda: hashes_of(site.new_pushes(phone)[-1:]) == {hash_of("INBOX")},
               what="the newer one's push")


@pytest.fixture
def small_disk_site(tmp, sim, imapd_conf, mailpushd):
    """The queue is on a disk that the test can fill."""
    site = BareSite(mailpushd(imapd_conf=imapd_conf, queue=tmp / "disk" / "queue.sqlite",
                              start=False), sim)
    (tmp / "disk").mkdir()
    site.mailpushd.wrapper = ["unshare", "--mount", *([] if os.geteuid() == 0 else
                              ["--user", "--map-root-user"]),
                              "sh", "-c", 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"',
                              str(tmp / "disk")]
    site.mailpushd.start()
    return site


def test_what_is_not_on_disk_is_not_acknowledged_but_kept(small_disk_site):
    site = small_disk_site
    phone = site.registered_phone("INBOX", "Notes")
    filler = site.mailpushd.path_inside(site.mailpushd.settings["queue"]).parent / "filler"
    fill(filler)
    answers = set()

    def is_full():
        answers.add(site.ask(notify.mail(phone.user, event="MessageRead")))
        return any(answer.startswith(b"NO") for answer in answers)

    wait_until(is_full, what="a disk that is full")
    assert answers <= {b"OK ()\r\n", b'NO "not on disk yet"\r\n'}
    site.mailpushd.wait_log("intake:late")
    site.ask(notify.mail(phone.user, "Notes"))
    filler.unlink()
    site.told(phone, "INBOX", "Notes")
    assert site.ask(notify.mail(phone.user)) == b"OK ()\r\n"


def test_what_no_disk_took_before_the_end_is_said(small_disk_site):
    site = small_disk_site
    phone = site.registered_phone("INBOX", "Notes")
    filler = site.mailpushd.path_inside(site.mailpushd.settings["queue"]).parent / "filler"
    fill(filler)
    wait_until(lambda: site.ask(notify.mail(phone.user)).startswith(b"NO"),
               what="a disk that is full")
    assert site.mailpushd.stop() == 1
    lines = site.mailpushd.lines()
    assert any(" error daemon: events that waited in memory could not be written and are lost" in line
               for line in lines)
    assert not any("alarm=intake:late state=ends" in line for line in lines)


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass


# ---- what it is started with ----

@pytest.mark.parametrize("closed", ["<&-", "<&- >&-"])
def test_it_may_be_started_without_standard_files(bare_site_for, closed):
    site = bare_site_for(start=False)
    site.mailpushd.wrapper = ["sh", "-c", f'exec "$0" "$@" {closed}']
    site.mailpushd.start()
    phone = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    assert site.mailpushd.stop() == 0


# ---- stop ----

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly(site, number):
    phone = site.registered_phone()
    assert site.mailpushd.kill(number) == 0
    assert not site.mailpushd.notify_socket.exists()
    assert not site.mailpushd.stream_socket.exists()
    assert site.mailpushd.lines()[-1].endswith("info daemon: stopped")
    assert site.registrations() == [phone.token]


def test_asked_to_stop_again_and_again_it_still_stops_in_order(bare_site):
    process = bare_site.mailpushd.process
    while process.poll() is None:
        process.send_signal(signal.SIGTERM)
    assert bare_site.mailpushd.stop() == 0
    assert bare_site.mailpushd.lines()[-1].endswith("info daemon: stopped")


def test_a_push_that_apple_answers_late_is_sent_again_after_a_stop(site):
    phone = site.registered_phone()
    site.sim.control(do="hold", on=True)
    site.deliver(phone.user)
    wait_until(lambda: site.sim.control(do="stats")["waiting"], what="the flight")
    assert site.mailpushd.stop() == 0
    site.sim.control(do="hold", on=False)
    site.mailpushd.start()
    site.told(phone, "INBOX")
    site.wait_nothing_waits()


def test_a_push_that_apple_answers_while_we_stop_is_not_sent_again(site):
    """If it answers after the end, the same push is sent again."""
    phone = site.registered_phone()
    site.sim.control(do="hold", on=True)
    site.deliver(phone.user)
    wait_until(lambda: site.sim.control(do="stats")["waiting"], what="the flight")
    site.mailpushd.process.send_signal(signal.SIGTERM)
    site.mailpushd.wait_log("stopping")
    site.sim.control(do="hold", on=False)
    assert site.mailpushd.stop() == 0
    is_late = bool(site.waiting_hashes())
    site.mailpushd.start()
    site.wait_nothing_waits()
    site.told(phone, "INBOX")
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    ids = [push["headers"]["apns-id"] for push in site.pushes(phone)]
    assert len(set(ids)) == 3 and (is_late or len(ids) == 3)


def test_all_that_waits_is_sent_after_a_restart(site):
    phones = [site.registered_phone("INBOX", "Notes") for _ in range(30)]
    site.sim.control(do="refuse", on=True)
    site.sim.control(do="reset")
    for phone in phones:
        site.deliver(phone.user)
        site.deliver(phone.user, "Notes")
    site.mailpushd.restart()
    site.mailpushd.kill9()
    site.mailpushd.start()
    site.sim.control(do="refuse", on=False)
    for phone in phones:
        site.told(phone, "INBOX", "Notes")
        assert len(site.pushes(phone)) == 2
    site.wait_nothing_waits()


def test_a_change_that_may_wait_survives_a_restart(bare_site_for):
    site = bare_site_for()
    phone = site.registered_phone("INBOX", "Notes")
    site.mailpushd.write_conf(deferred_delay="1s")
    site.mailpushd.restart()
    site.tell(notify.mail(phone.user, "Notes", event="MessageRead"))
    site.mailpushd.restart()
    site.told(phone, "Notes")


# ---- start ----

def test_sockets_left_behind_by_a_crash_are_replaced(site):
    phone = site.registered_phone()
    site.mailpushd.kill9()
    assert site.mailpushd.notify_socket.exists() and site.mailpushd.stream_socket.exists()
    site.mailpushd.start()
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_a_second_daemon_does_not_take_the_sockets_away(site, tmp, imapd_conf):
    phone = site.registered_phone()
    second = Mailpushd(tmp / "second", None, site.sim, imapd_conf=imapd_conf,
                       notify_socket=site.mailpushd.notify_socket,
                       stream_socket=site.mailpushd.stream_socket)
    with pytest.raises(RuntimeError, match=REFUSED + ".*another process serves it"):
        second.start()
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_a_second_daemon_does_not_share_the_queue(site, tmp, imapd_conf):
    phone = site.registered_phone()
    second = Mailpushd(tmp / "second", None, site.sim, imapd_conf=imapd_conf,
                       queue=site.mailpushd.dir / "queue.sqlite")
    with pytest.raises(RuntimeError, match=REFUSED + "cannot open queue .*another process holds"):
        second.start()
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_a_registry_of_a_newer_version_is_left_alone(site):
    site.registered_phone()
    site.mailpushd.stop()
    path = site.mailpushd.dir / "registry.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    before = site.registry_dump()
    with pytest.raises(RuntimeError, match=REFUSED + ".*of version 99"):
        site.mailpushd.start()
    assert site.registry_dump() == before


def test_a_registry_that_is_no_database_is_left_alone(bare_site_for):
    site = bare_site_for(start=False)
    path = site.mailpushd.dir / "registry.sqlite"
    path.write_text("these are the notes of somebody" * 100)
    with pytest.raises(RuntimeError, match=REFUSED + ".*not an SQLite database"):
        site.mailpushd.start()
    assert path.read_text() == "these are the notes of somebody" * 100


# ---- credentials ----

def test_phones_can_register_while_there_is_no_credential(bare_site_for):
    site = bare_site_for(start=False)
    credentials, site.mailpushd.credentials = site.mailpushd.credentials, {}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    site.mailpushd.wait_log("no credential is configured")
    phone = BarePhone(new_user())
    site.register(phone)
    site.deliver(phone.user)
    assert site.mailpushd.stop() == 0
    site.mailpushd.credentials = credentials
    site.mailpushd.write_conf()
    site.mailpushd.start()
    site.told(phone, "INBOX")


def test_a_certificate_that_comes_later_is_used_after_a_reload(bare_site_for, tmp):
    site = bare_site_for(start=False)
    certificate = tmp / "later.pem"
    site.mailpushd.credentials["main"]["certificate"] = certificate
    site.mailpushd.write_conf()
    site.mailpushd.start()
    site.mailpushd.wait_log(f"cannot read certificate '{certificate}'")
    phone = BarePhone(new_user())
    site.register(phone)
    certificate.write_bytes(site.sim.client_cert.read_bytes())
    site.mailpushd.reload()
    site.told(phone, "INBOX")


def test_a_certificate_that_is_spoilt_before_a_reload_does_not_replace_the_former(
        bare_site_for, tmp):
    site = bare_site_for(start=False)
    certificate = tmp / "client.pem"
    certificate.write_bytes(site.sim.client_cert.read_bytes())
    site.mailpushd.credentials["main"]["certificate"] = certificate
    site.mailpushd.write_conf()
    site.mailpushd.start()
    phone = site.registered_phone()
    certificate.write_text("spoilt")
    site.mailpushd.reload()
    site.mailpushd.wait_log(f"'{certificate}' holds no certificate")
    site.mailpushd.wait_log("credential stays in use credential=main")
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_a_broken_credential_does_not_keep_another_from_being_renewed(bare_site_for, tmp):
    site = bare_site_for(start=False)
    (tmp / "key.pem").write_bytes(site.sim.client_key.read_bytes())
    (tmp / "cert.pem").write_bytes(site.sim.client_cert.read_bytes())
    site.mailpushd.credentials["main"] = {"certificate": tmp / "cert.pem", "key": tmp / "key.pem"}
    site.mailpushd.credentials["other"] = {"certificate": tmp / "none.pem",
                                           "key": tmp / "none.pem"}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    phone = site.registered_phone()
    certificate, key = site.sim.add_client("renewed", TOPIC)
    (tmp / "key.pem").write_bytes(key.read_bytes())
    (tmp / "cert.pem").write_bytes(certificate.read_bytes())
    since = len(site.mailpushd.lines())
    site.mailpushd.reload()
    site.mailpushd.wait_log("credential in use credential=main", since=since)
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_a_certificate_that_apple_does_not_know_is_replaced_by_a_reload(bare_site_for, tmp):
    """Its handshake fails; the registrations wait."""
    site = bare_site_for(start=False)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/UID={TOPIC}/CN=stranger",
                    "-keyout", tmp / "key.pem", "-out", tmp / "cert.pem"],
                   check=True, capture_output=True)
    site.mailpushd.credentials["main"] = {"certificate": tmp / "cert.pem", "key": tmp / "key.pem"}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    phone = BarePhone(new_user())
    site.register(phone)
    site.mailpushd.wait_log("alarm.*apns:main")
    (tmp / "key.pem").write_bytes(site.sim.client_key.read_bytes())
    (tmp / "cert.pem").write_bytes(site.sim.client_cert.read_bytes())
    site.mailpushd.reload()
    site.told(phone, "INBOX")
    site.mailpushd.wait_log("alarm=apns:main state=ends")


def test_a_topic_without_a_credential_is_an_alarm_until_it_is_mended(site, imapd_conf):
    text = imapd_conf.read_text()
    imapd_conf.write_text(text.replace(TOPIC, OTHER_TOPIC))
    site.mailpushd.reload()
    site.mailpushd.wait_log("alarm=aps-topic state=begins")
    phone = BarePhone(new_user())
    site.register(phone)
    site.mailpushd.wait_log(f"alarm=credential:{OTHER_TOPIC} state=begins")
    imapd_conf.write_text(text)
    site.mailpushd.reload()
    site.mailpushd.wait_log("alarm=aps-topic state=ends")
    site.register(phone)
    site.told(phone, "INBOX")
    site.mailpushd.wait_log(f"alarm=credential:{OTHER_TOPIC} state=ends")


def test_a_server_that_is_not_apple_gets_no_push(bare_site_for, tmp):
    site = bare_site_for(start=False)
    other_ca = tmp / "other"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=other",
                    "-keyout", tmp / "other.key", "-out", other_ca],
                   check=True, capture_output=True)
    site.mailpushd.write_conf(apns_ca_file=other_ca)
    site.mailpushd.start()
    phone = BarePhone(new_user())
    site.register(phone)
    site.mailpushd.wait_log("alarm.*apns:main")
    assert site.sim.pushes() == []
    site.mailpushd.write_conf(apns_ca_file=site.sim.ca)
    site.mailpushd.restart()
    site.told(phone, "INBOX")


# ---- reload ----

def test_new_registrations_carry_the_topic_of_the_reloaded_imapd_conf(site, imapd_conf):
    first = site.registered_phone()
    imapd_conf.write_text(imapd_conf.read_text().replace(TOPIC, OTHER_TOPIC))
    site.mailpushd.reload()
    site.mailpushd.wait_log(f"reloaded .*aps_topic={OTHER_TOPIC}")
    site.register(BarePhone(new_user()))
    site.register(first)
    wait_until(lambda: site.registrations("topic") == [OTHER_TOPIC] * 2, what="both with the new topic")


def test_names_are_read_by_the_namespace_of_the_reloaded_imapd_conf(site, imapd_conf):
    phone = BarePhone(new_user(), ("INBOX", "INBOX/Notes"))
    imapd_conf.write_text(imapd_conf.read_text().replace("altnamespace: yes", "altnamespace: no"))
    site.mailpushd.reload()
    site.mailpushd.wait_log("reloaded")
    site.register(phone)
    site.told(phone, *phone.mailboxes)
    site.deliver(phone.user, "Notes")
    site.told(phone, "INBOX/Notes")


def test_an_imapd_conf_that_cannot_be_read_leaves_all_as_it_was(site, imapd_conf):
    phone = site.registered_phone()
    text = imapd_conf.read_text()
    imapd_conf.unlink()
    site.mailpushd.reload()
    site.mailpushd.wait_log(f"cannot open {imapd_conf}.*the previous settings stay in force")
    site.mailpushd.wait_log("info daemon: reloaded, except for imapd.conf")
    other = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    imapd_conf.write_text(text)
    since = len(site.mailpushd.log)
    site.mailpushd.reload()
    site.mailpushd.wait_log("info daemon: reloaded", since=since)
    site.deliver(other.user)
    site.told(other, "INBOX")


def test_an_imapd_conf_that_is_empty_leaves_all_as_it_was(site, imapd_conf):
    """Its defaults would be others, and so would be the names of all mailboxes."""
    phone = site.registered_phone("INBOX", "Notes")
    imapd_conf.write_text("\n")
    site.mailpushd.wait_log(f"{imapd_conf} is empty; .*the previous settings stay in force")
    site.deliver(phone.user, "Notes")
    site.told(phone, "Notes")


def test_the_alarm_command_is_run_when_an_alarm_begins_and_ends(bare_site_for, imapd_conf, tmp):
    said, command = tmp / "said", tmp / "command"
    command.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1 $2" >>{said}\n')
    command.chmod(0o755)
    said.touch()
    site = bare_site_for(alarm_command=command)
    text = imapd_conf.read_text()
    for action, lines in ((imapd_conf.unlink, ["begin reload"]),
                          (lambda: imapd_conf.write_text(text), ["begin reload", "end reload"])):
        action()
        site.mailpushd.reload()
        wait_until(lambda wanted=lines: said.read_text().splitlines() == wanted, what=lines)


def test_an_alarm_command_that_hangs_holds_up_nobody(bare_site_for, imapd_conf, tmp):
    """It has nothing of ours, and what it says is in the log."""
    command, hold = tmp / "command", tmp / "hold"
    os.mkfifo(hold)
    command.write_text('#!/bin/sh\nls -l /proc/$$/fd | grep -Ec "socket|sqlite|anon_inode"\n'
                       f'read nothing <{hold}\n')
    command.chmod(0o755)
    site = bare_site_for(alarm_command=command)
    text = imapd_conf.read_text()
    imapd_conf.unlink()
    site.mailpushd.reload()
    site.mailpushd.wait_log("^0$")
    imapd_conf.write_text(text)
    phone = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    hold.write_text("\n")


def test_a_reload_costs_no_connection(site):
    phone = site.registered_phone()
    site.mailpushd.reload()
    site.mailpushd.wait_log("info daemon: reloaded")
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    assert {push["connection"] for push in site.sim.pushes()} == {1}


# ---- Apple ----

def test_a_service_that_is_away_costs_nothing(site):
    phone = site.registered_phone("INBOX", "Notes")
    site.sim.stop()
    site.deliver(phone.user)
    site.mailpushd.wait_log("alarm.*apns:main")
    site.deliver(phone.user, "Notes")
    site.sim.start(site.sim.dir, port=site.sim.port)
    site.told(phone, "INBOX", "Notes")


def test_an_outage_leaves_one_push_for_each_phone(site):
    phone = site.registered_phone("INBOX", "Notes")
    site.sim.control(do="refuse", on=True)
    site.sim.control(do="reset")
    for _ in range(50):
        site.deliver(phone.user)
        site.deliver(phone.user, "Notes")
    site.sim.control(do="refuse", on=False)
    site.told(phone, "INBOX", "Notes")
    site.wait_nothing_waits()
    assert len(site.pushes(phone)) == 2


# ---- log ----

def test_the_log_does_not_tell_tokens_or_account_ids(site):
    phone = site.registered_phone()
    for status, reason in ((503, "ServiceUnavailable"), (410, "Unregistered")):
        site.sim.control(do="next", status=status, reason=reason)
    site.deliver(phone.user)
    site.mailpushd.wait_log("registrations are gone")
    site.ask(notify.registration(phone.user, phone.token, phone.account_id + "?"))
    text = "\n".join(site.mailpushd.lines())
    assert phone.token[:8] in text
    assert phone.token[:9] not in text
    assert phone.account_id[:8] in text
    assert phone.account_id[:10] not in text


def test_a_mailbox_registered_by_two_names_is_pushed_by_both(site):
    phone = site.registered_phone("INBOX", "inbox", "Notes")
    site.deliver(phone.user)
    push, = site.told(phone, "INBOX", "inbox")
    assert set(push["payload"]["aps"]["m"]) == {hash_of("INBOX"), hash_of("inbox")}
