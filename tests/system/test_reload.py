"""mailpush.conf, read again while the daemon runs; and the files that it includes."""

import os
import re
import socket
import subprocess
import sys
import urllib.request

import pytest

import network
from apnssim import TOPIC, ApnsSim
from control import ask, ctl, ctl_fine, get
from mailserver import MailServer
from mailsite import BarePhone, new_user
from ports import free_port
from waiting import wait_until

ANOTHER_TOPIC = "com.apple.mail.XServer.11111111-1111-1111-1111-111111111111"


def reload(site, /, **settings):
    """With other settings; until they are in force."""
    site.mailpushd.write_conf(**settings)
    since = len(site.mailpushd.log)
    site.mailpushd.reload()
    site.mailpushd.wait_log("info daemon: reloaded", since=since)
    return since


def in_force(site):
    return {row["key"]: row["value"] for row in get(site.mailpushd, "/config")["settings"]}


def is_served(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            return answer.status == 200
    except OSError:
        return False


# ---- taken over ----

def test_what_waits_for_a_restart_is_named_until_then(bare_site):
    since = reload(bare_site, min_interval="3s", site="elsewhere", registry_timeout="3s")
    said = bare_site.mailpushd.wait_log('warn config: keys .* take effect after a restart of mailpushd keys="(.*)"',
                                        since=since)
    assert said[1] == "site, registry_timeout"
    assert in_force(bare_site)["min_interval"] == "3s"
    assert in_force(bare_site)["registry_timeout"] == "5s"
    since = reload(bare_site)
    bare_site.mailpushd.wait_log('keys="site, registry_timeout"', since=since)


def test_the_schedule_and_the_policy_change(bare_site):
    site = bare_site
    phone = site.registered_phone()
    reload(site, urgent_events=["MessageAppend"], deferred_events=["MessageNew"], deferred_delay="1d")
    site.deliver(phone.user)
    site.mailpushd.wait_log("event=MessageNew .*action=deferred")
    wait_until(lambda: get(site.mailpushd, "/queue")["pushes"], what="a push that waits")
    reload(site, deferred_delay="50ms")
    other = site.registered_phone()
    site.deliver(other.user)
    site.told(other, "INBOX")
    assert not site.new_pushes(phone)
    ctl_fine(site.mailpushd, "queue", "flush")
    site.told(phone, "INBOX")


def test_the_limits_of_the_registry_change(bare_site):
    user = new_user()
    for _ in range(3):
        bare_site.register(BarePhone(user))
    reload(bare_site, registrations_per_user=2, registration_ttl="8d", deleted_user_grace="1d")
    last = BarePhone(user)
    bare_site.register(last)
    devices = get(bare_site.mailpushd, f"/devices?user={user}&full=1")["devices"]
    assert len(devices) == 2 and last.token in [device["token"] for device in devices]


def test_a_change_to_never_leaves_a_credential_that_expires_alone(bare_site_for):
    """A reload has it tested ten seconds after the last time; the deferred push is due later."""
    site = bare_site_for(start=False)
    certificate, key = site.sim.add_client("brief", ANOTHER_TOPIC, "--seconds", "-60:6")
    site.mailpushd.credentials["brief"] = {"certificate": certificate, "key": key}
    site.mailpushd.write_conf(deferred_delay="8s")
    site.mailpushd.start()
    site.mailpushd.wait_log("expired on .*alarm=credential-dates:brief state=begins")
    reload(site)
    reload(site, apns_check_interval="0s")
    site.registered_phone()


def test_another_apple_gets_the_pushes(bare_site, apns_folder):
    site = bare_site
    phone = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    other = ApnsSim().start(apns_folder)
    try:
        reload(site, apns_port=other.port, connections=1)
        site.deliver(phone.user)
        wait_until(lambda: [push for push in other.pushes() if push["token"] == phone.token], what="a push there")
        assert not site.new_pushes(phone)
        since = len(site.mailpushd.log)
        site.mailpushd.write_conf(apns_port=site.sim.port, apns_ca_file="/nowhere.pem")
        site.mailpushd.reload()
        site.mailpushd.wait_log("/nowhere.pem.*alarm=reload state=begins", since=since)
        site.mailpushd.wait_log("info daemon: reloaded, except for mailpush.conf", since=since)
        assert in_force(site)["apns_port"] == str(other.port)
        reload(site, apns_ca_file=site.sim.ca)
        site.deliver(phone.user)
        site.told(phone, "INBOX")
    finally:
        other.stop()


def test_a_credential_comes_and_goes(bare_site, imapd_conf):
    site = bare_site
    daemon = site.mailpushd
    certificate, key = site.sim.add_client("another", ANOTHER_TOPIC)
    before = imapd_conf.read_text()
    imapd_conf.write_text(before.replace(TOPIC, ANOTHER_TOPIC))
    reload(site)
    phone = BarePhone(new_user())
    site.register(phone)
    imapd_conf.write_text(before)
    reload(site)
    daemon.wait_log(f"alarm=credential:{ANOTHER_TOPIC} state=begins")
    daemon.credentials = {"another": {"certificate": certificate, "key": key}, **daemon.credentials}
    reload(site)
    site.told(phone, "INBOX")
    daemon.wait_log(f"alarm=credential:{ANOTHER_TOPIC} state=ends")
    assert [one["topic"] for one in get(daemon, "/status")["credentials"]] == [ANOTHER_TOPIC, TOPIC]
    del daemon.credentials["another"]
    since = reload(site)
    site.deliver(phone.user)
    daemon.wait_log(f"alarm=credential:{ANOTHER_TOPIC} state=begins", since=since)
    other = site.registered_phone()
    site.deliver(other.user)
    site.told(other, "INBOX")


def test_a_refused_mailpush_conf_is_not_said_to_be_taken_over(bare_site, imapd_conf):
    since = len(bare_site.mailpushd.log)
    good = bare_site.mailpushd.conf.read_text()
    bare_site.mailpushd.conf.write_text(good + "nonsense = 1\n")
    bare_site.mailpushd.reload()
    bare_site.mailpushd.wait_log("unknown key 'nonsense'.*alarm=reload state=begins", since=since)
    bare_site.mailpushd.wait_log("info daemon: reloaded, except for mailpush.conf aps_topic", since=since)
    text = imapd_conf.read_text()
    imapd_conf.unlink()
    bare_site.mailpushd.reload()
    bare_site.mailpushd.wait_log("info daemon: reloaded, except for mailpush.conf and imapd.conf ", since=since)
    imapd_conf.write_text(text)
    bare_site.mailpushd.conf.write_text(good)
    bare_site.mailpushd.reload()
    bare_site.mailpushd.wait_log("alarm=reload state=ends", since=since)


def test_the_page_moves(bare_site):
    first, second = free_port(), free_port()
    reload(bare_site, http_listen=f"127.0.0.1:{first}")
    assert is_served(first)
    reload(bare_site, http_listen=f"127.0.0.1:{second}")
    assert is_served(second) and not is_served(first)
    with socket.create_server(("127.0.0.1", first)):
        since = reload(bare_site, http_listen=f"127.0.0.1:{first}")
        bare_site.mailpushd.wait_log("the page stays at its previous address; all other settings are in "
                                     "force.*alarm=reload state=begins", since=since)
        bare_site.mailpushd.wait_log("info daemon: reloaded, except for http_listen aps_topic", since=since)
        assert is_served(second)
        assert in_force(bare_site)["http_listen"] == f"127.0.0.1:{second}"
        doctor = ctl(bare_site.mailpushd, "doctor", "--config", bare_site.mailpushd.conf).stdout
        assert f"http_listen is '127.0.0.1:{first}' in " in doctor and "mailpush.conf is in force" not in doctor
    reload(bare_site)
    bare_site.mailpushd.wait_log("alarm=reload state=ends")
    assert is_served(first) and not is_served(second)
    reload(bare_site, http_listen="")
    assert not is_served(first)


def test_a_page_that_is_nowhere_comes_back(bare_site_for):
    """Neither the new address nor the previous one can be opened."""
    if why := network.why_not():
        pytest.skip(why)
    here, elsewhere = "192.0.2.1", "192.0.2.2:9105"
    site = bare_site_for(start=False, http_listen=f"{here}:9105")
    add = f"ip address add {here}/32 dev lo"
    site.mailpushd.wrapper = ["unshare", "--net", "sh", "-c", f"ip link set lo up && {add} && exec \"$@\"", "sh"]
    site.mailpushd.start()

    def inside(*command):
        return subprocess.run(["nsenter", "-t", str(site.mailpushd.process.pid), "-n", *command],
                              capture_output=True).returncode == 0

    def is_there():
        return inside(sys.executable, "-c",
                      f"import urllib.request as r; r.urlopen('http://{here}:9105/healthz')")
    assert is_there()
    assert inside("ip", "address", "del", f"{here}/32", "dev", "lo")
    since = reload(site, http_listen=elsewhere)
    site.mailpushd.wait_log("there is no page, as the previous address cannot be opened either: .*; all other "
                            "settings are in force.*alarm=reload state=begins", since=since)
    since = reload(site, http_listen=f"{here}:9105")
    site.mailpushd.wait_log("info daemon: reloaded, except for http_listen ", since=since)
    assert inside(*add.split())
    since = reload(site)
    site.mailpushd.wait_log("alarm=reload state=ends", since=since)
    assert is_there()


def test_alarms_go_elsewhere(bare_site, imapd_conf, tmp):
    command = tmp / "command"
    command.write_text(f"#!/bin/sh\necho $1 $2 >>{tmp}/said\n")
    command.chmod(0o755)
    with MailServer() as server:
        reload(bare_site, alarm_command=command, alarm_mail="postmaster@example.com",
               alarm_mail_server=f"127.0.0.1:{server.port}")
        ctl_fine(bare_site.mailpushd, "alarm", "test")
        assert server.wait(1) and (tmp / "said").read_text() == "begin test\nend test\n"
        reload(bare_site, alarm_command="", alarm_mail="")
        status, _ = ask(bare_site.mailpushd, "POST", "/alarm/test")
        assert status == 409


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user as well")
def test_who_may_ask_changes(bare_site):
    def is_allowed():
        done = ctl_as_nobody(bare_site.mailpushd)
        return done.returncode == 0
    bare_site.mailpushd.dir.chmod(0o755)
    bare_site.mailpushd.control_socket.chmod(0o666)
    assert not is_allowed()
    reload(bare_site, control_users=["nobody"])
    bare_site.mailpushd.control_socket.chmod(0o666)
    assert is_allowed()
    reload(bare_site, control_users=[])
    assert not is_allowed()


def ctl_as_nobody(daemon):
    return ctl(daemon, "status", wrapper=["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"])


# ---- included files ----

def test_included_files_belong_to_mailpush_conf(bare_site):
    site = bare_site
    folder = site.mailpushd.dir / "conf.d"
    folder.mkdir()
    reload(site, include=f"{folder}/*.conf")
    (folder / "20.conf").write_text("\nmax_push_rate = 7\n")
    (folder / "10.conf").write_text('group "a" { members = { b } }\n')
    (folder / "30.conf.old").write_text("no such key\n")
    reload(site)
    rows = {row["key"]: row for row in get(site.mailpushd, "/config")["settings"]}
    assert (rows["max_push_rate"]["value"], rows["max_push_rate"]["line"]) == ("7", 2)
    assert rows["max_push_rate"]["file"] == str(folder / "20.conf")
    assert f"{folder}/20.conf:2" in ctl_fine(site.mailpushd, "config")


@pytest.mark.parametrize("text, said", [
    ("min_intervall = 2s\n", ":1: unknown key"),
    ("\nregistry = a\n", ":2: registry: 'a' "),
    ('queue = "/a"\n', ":1: queue is given twice"),
    ('include = "/a"\n', ":1: include: only mailpush.conf itself"),
    ('group "a" {\n', ":2: the file ends too early"),
    ("a\0b", ":1: holds a NUL byte"),
    (None, "cannot open"),
])
def test_an_error_names_the_included_file(bare_site, text, said):
    included = bare_site.mailpushd.dir / "more.conf"
    if text is None:
        included.symlink_to("/nowhere")
    else:
        included.write_text(text)
    bare_site.mailpushd.write_conf(include=f"{bare_site.mailpushd.dir}/mor*.conf", queue=None, registry=None)
    conf = bare_site.mailpushd.conf.read_text()
    bare_site.mailpushd.conf.write_text(f'queue = "{bare_site.mailpushd.dir}/queue.sqlite"\n' + conf)
    done = bare_site.mailpushd.run_check()
    assert done.returncode == 1
    assert re.search(re.escape(str(included)) + ":? ?" + re.escape(said), done.stderr), done.stderr


def test_a_file_that_is_not_there_is_named_and_a_pattern_may_match_none(bare_site):
    bare_site.mailpushd.write_conf(include="/nowhere/a.conf")
    assert "include: '/nowhere/a.conf' does not exist" in bare_site.mailpushd.run_check().stderr
    bare_site.mailpushd.write_conf(include="/nowhere/*.conf")
    assert bare_site.mailpushd.run_check().returncode == 0
