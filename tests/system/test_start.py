"""What mailpushd is started with: another user to become, and limits that are too small."""

import os
import shutil
import subprocess

import pytest

import notify
from mailpushd import binary
from mailsite import BarePhone, new_user
from test_daemon import AS_ROOT, registration_of, send_as

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
