"""What mailpushd is started with: another user to become, limits that are too small, and what makes a
start fail at each of its steps."""

import contextlib
import errno
import os
import re
import shutil
import socket
import sqlite3
import subprocess

import pytest

import activator
import notify
from baddisk import BadDisk
from mailpushd import binary
from mailsite import BarePhone, new_user, register
from test_daemon import AS_ROOT, registration_of, send_as
from waiting import wait_until

NOBODY = 65534
STRANGER = "daemon"     # a user of the system
MAILPUSHCTL = binary().parents[1] / "ctl" / "mailpushctl"


# ---- another user ----

@pytest.fixture
def humble_site_for(bare_site_for):
    """humble_site_for(user): started by root, all that it needs is nobody's."""
    def make(user):
        site = bare_site_for(start=False, user=user, socket_group="", socket_mode="0666",
                             control_mode="0666")
        daemon = site.mailpushd
        files = {"certificate": site.sim.client_cert, "key": site.sim.client_key,
                 "ca": site.sim.ca}
        own = {name: shutil.copy(file, daemon.dir / f"own-{name}") for name, file in files.items()}
        daemon.credentials["main"] = {name: own[name] for name in ("certificate", "key")}
        daemon.write_conf(apns_ca_file=own["ca"])
        for path in (daemon.dir, *own.values()):
            os.chown(path, NOBODY, NOBODY)
        daemon.start()
        return site
    return make


@AS_ROOT
@pytest.mark.parametrize("user", ["nobody", str(NOBODY)])
def test_it_becomes_the_user_that_is_set(humble_site_for, user):
    site = humble_site_for(user)
    with open(f"/proc/{site.mailpushd.process.pid}/status", encoding="utf8") as file:
        status = dict(line.rstrip("\n").split(":", 1) for line in file)
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {str(NOBODY)}
    assert set(status["Groups"].split()) <= {str(NOBODY)}
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    phone = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")


@AS_ROOT
def test_the_check_is_made_with_that_user_s_eyes(humble_site_for):
    daemon = humble_site_for("nobody").mailpushd
    assert daemon.run_check().returncode == 0
    daemon.stop()
    os.chown(daemon.dir, 0, 0)
    os.chown(daemon.credentials["main"]["key"], 0, 0)
    os.chmod(daemon.credentials["main"]["key"], 0o600)
    said = daemon.run_check().stderr
    assert f'credential "main": cannot read key \'{daemon.dir}/own-key\': Permission denied' in said
    assert f"queue: the folder '{daemon.dir}': Permission denied; let the daemon's user write there" in said


@AS_ROOT
def test_that_user_is_its_own_and_the_stranger_s_is_not(humble_site_for):
    site = humble_site_for("nobody")
    one, two = BarePhone(new_user()), BarePhone(new_user())
    answers = [send_as(user, "SOCK_STREAM", site.mailpushd.stream_socket,
                       notify.request(registration_of(one))) for user in (STRANGER, "nobody")]
    assert answers == [b'NO "not allowed"\r\n', b"OK ()\r\n"]
    send_as("nobody", "SOCK_DGRAM", site.mailpushd.notify_socket,
            notify.datagram(registration_of(two)))
    site.told(one, "INBOX")
    site.told(two, "INBOX")
    asked = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", MAILPUSHCTL,
             "--socket", site.mailpushd.control_socket, "status"]
    assert subprocess.run(asked, capture_output=True, timeout=20).returncode == 0


# ---- limits ----

def limit(daemon, **limits):
    """While it runs."""
    subprocess.run(["prlimit", f"--pid={daemon.process.pid}",
                    *(f"--{name}={value}:" for name, value in limits.items())], check=True)


def test_a_limit_of_file_sizes_at_the_start_is_an_alarm_and_no_end(bare_site_for):
    site = bare_site_for(start=False)
    site.mailpushd.wrapper = ["prlimit", "--fsize=10000:unlimited"]
    site.mailpushd.start()
    phone = BarePhone(new_user())
    assert site.ask(registration_of(phone)) == b'NO "not on disk yet"\r\n'
    site.mailpushd.wait_log("alarm=queue state=begins")
    limit(site.mailpushd, fsize="unlimited")
    site.told(phone, "INBOX")
    site.mailpushd.wait_log("alarm=queue state=ends")


def test_a_limit_of_file_sizes_is_an_alarm_and_no_end(bare_site):
    site = bare_site
    phone = site.registered_phone("INBOX", "Notes")
    limit(site.mailpushd, fsize=4096)
    assert site.ask(notify.mail(phone.user)) == b'NO "not on disk yet"\r\n'
    site.mailpushd.wait_log("alarm=queue state=begins")
    limit(site.mailpushd, fsize="unlimited")
    site.told(phone, "INBOX")
    site.mailpushd.wait_log("alarm=queue state=ends")


# ---- a start that fails ----

MISSING = "missing/file"
ENDED = r"mailpushd ended with 1:(.|\n)* error daemon: (.|\n)* info daemon: stopped$"


def put_garbage(path):
    path.write_bytes(b"garbage " * 2000)
    return path


def use_socket_of_another_kind(daemon, held):
    passed = held.enter_context(activator.listen(daemon.dir / "datagrams", socket.SOCK_DGRAM))
    activator.pass_in(daemon, passed)
    return {}


def use_port_taken(key):
    def use(_, held):
        taken = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        return {key: f"127.0.0.1:{taken.getsockname()[1]}"}
    return use


def use_socket_in_use(daemon, held):
    held.enter_context(activator.listen(daemon.dir / "used"))
    return {"stream_socket": daemon.dir / "used"}


# In the order of the steps: the settings that make one fail.
STEPS = {
    "imapd.conf": lambda daemon, held: {"imapd_conf": daemon.dir / MISSING},
    "registry": lambda daemon, held: {"registry": f"sqlite:{put_garbage(daemon.dir / 'garbage')}"},
    "registry's folder": lambda daemon, held: {"registry": f"sqlite:{daemon.dir / MISSING}"},
    "queue": lambda daemon, held: {"queue": daemon.dir / MISSING},
    "sender": lambda daemon, held: {"apns_ca_file": put_garbage(daemon.dir / "garbage")},
    "control socket": lambda daemon, held: {"control_socket": daemon.dir / MISSING},
    "http_listen": use_port_taken("http_listen"),
    "passed-in socket": use_socket_of_another_kind,
    "notify socket": lambda daemon, held: {"notify_socket": daemon.dir / MISSING},
    "stream socket": lambda daemon, held: {"stream_socket": daemon.dir / MISSING},
    "stream socket in use": use_socket_in_use,
    "xaps_listen": use_port_taken("xaps_listen"),
    "xaps socket": lambda daemon, held: {"xaps_socket": daemon.dir / MISSING},
}


def waits(site, **phones):
    """Leave in the queue, of what waits for all: a push, one without news, or a parked event."""
    def delete(table, user):
        queue.execute(f"DELETE FROM {table} WHERE number IN (SELECT number FROM push WHERE user = ?)",
                      (user,))
    with contextlib.closing(sqlite3.connect(site.mailpushd.dir / "queue.sqlite")) as queue, queue:
        for phone in phones["without_news"]:
            delete("news", phone.user)
        for phone in phones["parked"]:
            queue.execute("INSERT INTO parked (received_ms, raw) VALUES (0, ?)",
                          (notify.message(notify.mail(phone.user)),))
        for phone in phones["parked"] + phones["nothing"]:
            delete("news", phone.user)
            delete("push", phone.user)


@pytest.mark.parametrize("left", ["nothing", "a push", "a push without news", "a parked event", "all"])
@pytest.mark.parametrize("step", STEPS)
def test_a_start_that_fails_ends_in_order_and_loses_nothing(bare_site_for, step, left):
    site = bare_site_for(apns_port=1)
    daemon = site.mailpushd
    phones = pushed_to, without_news, parked = register(site, 3)
    wait_until(lambda: all(site.waiting_hashes(phone) for phone in phones), what="a push to each")
    daemon.kill9()
    kept = {"nothing": [], "a push": [pushed_to], "a push without news": [without_news],
            "a parked event": [parked], "all": phones}[left]
    waits(site, without_news=[phone for phone in kept if phone is without_news],
          parked=[phone for phone in kept if phone is parked],
          nothing=[phone for phone in phones if phone not in kept])

    mended = {**daemon.settings, "apns_port": site.sim.port}
    with contextlib.ExitStack() as held:
        daemon.write_conf(**STEPS[step](daemon, held))
        with pytest.raises(RuntimeError) as error:
            daemon.start()
    assert re.search(ENDED, str(error.value)), error.value

    daemon.wrapper, daemon.pass_fds = [], []
    (daemon.dir / "used").unlink(missing_ok=True)
    daemon.settings.pop("http_listen", None)
    daemon.settings.pop("xaps_listen", None)
    daemon.settings.pop("xaps_socket", None)
    daemon.write_conf(**mended)
    daemon.start()
    for phone in kept:
        if phone is without_news:
            site.deliver(phone.user)
        site.told(phone, "INBOX")


@pytest.mark.parametrize("file", ["registry", "queue"])
def test_a_start_that_fails_on_a_disk_in_trouble_ends_in_order(bare_site_for, tmp, file):
    """What could not be opened yet is not needed for that."""
    site = bare_site_for(start=False)
    disk = BadDisk(tmp).under(site.mailpushd)
    control_socket = site.mailpushd.control_socket
    site.mailpushd.write_conf(control_socket=site.mailpushd.dir / MISSING)
    with disk.rule(f"fail {file}.sqlite {errno.ENOSPC}"):
        with pytest.raises(RuntimeError) as error:
            site.mailpushd.start()
    assert re.search(ENDED, str(error.value)), error.value
    site.mailpushd.write_conf(control_socket=control_socket)
    site.mailpushd.start()
    site.registered_phone()
