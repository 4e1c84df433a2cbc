"""SIGTERM while something takes time: it ends in order, and soon, whatever does not come back."""

import contextlib
import json
import signal
import socket
import sqlite3
import threading

import pytest

import notify
from control import UnixConnection, get
from mailsite import BarePhone, locked, new_user, register
from test_moving import delay_changes
from test_spool import put
from waiting import wait_until


@contextlib.contextmanager
def asked(site, method, path, body=None):
    """A request to the control socket whose answer nobody has yet."""
    connection = UnixConnection(site.mailpushd.control_socket)
    connection.request(method, path, body=body)
    yield connection
    connection.close()


def stops(site):
    assert site.mailpushd.stop() == 0
    site.mailpushd.wait_log("info daemon: stopped", since=site.mailpushd.start_line)


# ---- Apple does not answer ----

@pytest.fixture
def silent_site(site_of, referee):
    """Apple takes connections and pushes, and answers nothing."""
    site = site_of(referee)
    site.peer = None
    return site


@pytest.mark.parametrize("path, body", [
    ("/credentials/check", '{"online": true}'), ("/push", '{"user": "%s"}'), ("/queue/flush", "{}")])
def test_during_a_request_that_waits_for_apple(silent_site, referee, path, body):
    site = silent_site
    phone, = register(site)
    with asked(site, "POST", path, body % phone.user if "%" in body else body):
        peer = referee.accept().greet()
        peer.push()
        stops(site)


def test_during_a_handshake(silent_site, referee):
    register(silent_site)
    referee.accept_plain()
    stops(silent_site)


def test_while_clients_follow_the_events(bare_site):
    with asked(bare_site, "GET", "/events") as one, asked(bare_site, "GET", "/events") as two:
        for connection in (one, two):
            phone, = register(bare_site)
            response = connection.getresponse()
            while phone.user.encode() not in response.readline():
                pass
        stops(bare_site)


# ---- files do not come ----

@pytest.fixture
def held_site(bare_site_for, disk):
    site = bare_site_for(start=False)
    disk.under(site.mailpushd)
    return site


@pytest.mark.parametrize("file", ["imapd.conf", "client.key", "mailpush.conf"])
@pytest.mark.parametrize("is_ended_by", ["SIGTERM", "SIGINT"])
def test_during_a_reload_on_a_dead_file_system(held_site, disk, file, is_ended_by):
    site = held_site
    site.mailpushd.start()
    with disk.rule(f"unopened {file}"):
        site.mailpushd.reload()
        disk.wait_held()
        assert site.mailpushd.kill(getattr(signal, is_ended_by)) == 0
    site.mailpushd.wait_log("info daemon: stopped")


def test_during_a_reload_that_comes_back_late(held_site, disk):
    """The stop waits for it; what is read is no longer put in force."""
    site = held_site
    site.mailpushd.start()
    with disk.rule("unopened client.key"):
        site.mailpushd.reload()
        disk.wait_held()
        site.mailpushd.process.send_signal(signal.SIGTERM)
        site.mailpushd.wait_log("info daemon: stopping")
    stops(site)
    assert not [line for line in site.mailpushd.lines() if "info daemon: reloaded" in line]


@pytest.mark.parametrize("is_online", ["true", "false"])
def test_while_the_check_of_the_credentials_reads_them(held_site, disk, is_online):
    """On the way back, and not at all."""
    site = held_site
    site.mailpushd.start()
    with disk.rule("unopened client.key"):
        with asked(site, "POST", "/credentials/check", f'{{"online": {is_online}}}'):
            disk.wait_held()
            site.mailpushd.process.send_signal(signal.SIGTERM)
            # The last that is closed before the loop.
            wait_until(lambda: not (site.mailpushd.dir / "queue.sqlite-wal").exists(),
                       what="a queue that is closed")
    stops(site)
    site.mailpushd.start()
    with disk.rule("unopened client.key"):
        with asked(site, "POST", "/credentials/check", f'{{"online": {is_online}}}'):
            stops(site)


def test_while_the_spool_is_taken_in(held_site, disk):
    site = held_site
    phone = BarePhone(new_user())
    site.mailpushd.start()
    site.mailpushd.wait_spool()
    site.mailpushd.stop()
    put(site.mailpushd.spool, 1, notify.registration(phone.user, phone.token, phone.account_id))
    with disk.rule("unopened spool"):
        site.mailpushd.start()
        disk.wait_held()
        stops(site)
    site.mailpushd.start()
    site.told(phone, "INBOX")


# ---- databases do not answer ----

@pytest.mark.parametrize("method, path, body", [
    ("GET", "/devices", None), ("GET", "/status", None), ("GET", "/metrics", None),
    ("POST", "/prune", '{"all": true}'), ("POST", "/push", '{"user": "nobody"}')])
def test_during_a_request_that_waits_for_the_registry(bare_site, method, path, body):
    site = bare_site
    with locked(site.mailpushd.dir / "registry.sqlite"):
        register(site)
        with asked(site, method, path, body):
            stops(site)


def test_during_the_removal_of_a_user(held_site, disk):
    """It is answered, and said to be done only if nothing is left of the user."""
    site = held_site
    daemon = site.mailpushd
    daemon.start()
    phone, other = site.registered_phone(), BarePhone(new_user())
    delay_changes(site)
    site.tell(notify.mail(phone.user, event="MessageExpunge"))
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.dir / "registry.sqlite")) as registry:
        with registry:
            registry.execute("DELETE FROM registration")
    daemon.start()
    with disk.rule("unsynced queue.sqlite"):
        answer = site.ask(notify.registration(other.user, other.token, other.account_id))
        assert answer == b'NO "not on disk yet"\r\n'
        with asked(site, "POST", "/user/remove", json.dumps({"user": phone.user})) as connection:
            # The registry has done what was asked of it, and the queue is busy.
            get(daemon, f"/forgotten?user={phone.user}")
            daemon.process.send_signal(signal.SIGTERM)
            response = connection.getresponse()
            assert (response.status, json.load(response)["error"]) == (503, "mailpushd is stopping")
    stops(site)
    is_said = any("registrations removed by hand" in line for line in daemon.lines())
    daemon.start()
    users = [push["user"] for push in get(daemon, "/queue")["pushes"]]
    assert is_said == (phone.user not in users)


@pytest.mark.parametrize("file", ["registry", "queue"])
def test_while_a_database_cannot_be_written(held_site, disk, file):
    """What cannot be stored is told so, and lost; what is parked is told after the start."""
    site = held_site
    site.mailpushd.start()
    phone = BarePhone(new_user())
    with disk.rule(f"fail {file}.sqlite 28"):
        answer = site.ask(notify.registration(phone.user, phone.token, phone.account_id))
        is_parked = file == "registry"
        assert answer == (b"OK ()\r\n" if is_parked else b'NO "not on disk yet"\r\n')
        site.mailpushd.wait_log(f"alarm={file} state=begins")
        assert site.mailpushd.stop() == (0 if is_parked else 1)
    site.mailpushd.wait_log("info daemon: stopped")
    site.mailpushd.start()
    if not is_parked:
        site.deliver(phone.user)
    site.told(phone, "INBOX")


@pytest.mark.parametrize("file", ["registry", "queue", ""])
def test_while_a_disk_does_not_answer(held_site, disk, file):
    """The stop does not wait for it; what was acknowledged is told after the start."""
    site = held_site
    site.mailpushd.start()
    phone = BarePhone(new_user())
    with disk.rule(f"unsynced {file}.sqlite"):
        answer = site.ask(notify.registration(phone.user, phone.token, phone.account_id))
        is_parked = file == "registry"
        assert answer == (b"OK ()\r\n" if is_parked else b'NO "not on disk yet"\r\n')
        assert site.mailpushd.stop() == (0 if is_parked else 1)
    site.mailpushd.wait_log(f"error daemon: .*does not answer.* database={file or 'queue'}")
    site.mailpushd.wait_log("info daemon: stopped")
    site.mailpushd.start()
    if not is_parked:       # on disk it may be all the same, and be told then
        site.register(phone)
        site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_on_a_disk_that_does_not_answer_and_has_nothing_to_take(held_site, disk):
    """Only the closing writes to it."""
    site = held_site
    site.mailpushd.start()
    phone = site.registered_phone()
    site.sim.stop()
    site.deliver(phone.user)
    with disk.rule("unsynced .sqlite"):
        assert site.mailpushd.stop() == 0
    site.mailpushd.wait_log("error daemon: .*does not answer")
    site.sim.start(site.sim.dir, port=site.sim.port)
    site.mailpushd.start()
    site.told(phone, "INBOX")


# ---- other programs ----

def test_while_the_command_of_an_alarm_runs(bare_site_for, tmp):
    """It is left alone."""
    began, command = tmp / "began", tmp / "command"
    command.write_text(f"#!/bin/sh\ntouch {began}\nexec sleep 1000\n")
    command.chmod(0o755)
    site = bare_site_for(alarm_command=command, apns_port=1)
    register(site)
    site.mailpushd.wait_log("alarm=apns:main state=begins")
    stops(site)


def test_while_a_forwarded_notification_waits(bare_site_for, tmp):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as target:
        target.bind(str(tmp / "other"))
        target.listen(1)
        site = bare_site_for(forward_socket=f"dlist:{tmp}/other")
        answers = []
        sender = threading.Thread(target=lambda: answers.append(notify.ask(
            site.mailpushd.stream_socket, notify.request("hello", "SIEVE"))))
        sender.start()
        target.accept()[0].recv(1)
        stops(site)
        sender.join()
