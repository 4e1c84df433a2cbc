"""Alarms by mail: begins, ends, certificates whose end comes near, and what a mail server can do."""

import re
import subprocess

import pytest

from apnssim import TOPIC
from control import ctl, ctl_binary, ctl_json, get
from mailserver import MailServer
from waiting import wait_until
from wallclock import WallClock

ADDRESS = "postmaster@example.com"
SUBJECT = re.compile(r"mailpush on [\w.-]+: (.*)")


@pytest.fixture
def server():
    with MailServer() as server:
        yield server


@pytest.fixture
def site_of(bare_site_for, server):
    def make(**settings):
        return bare_site_for(alarm_mail=ADDRESS, alarm_mail_server=f"127.0.0.1:{server.port}",
                             **settings)
    return make


def subjects(messages):
    return [SUBJECT.fullmatch(message["Subject"])[1] for message in messages]


def about_expiry(server):
    texts = (" ".join(message.get_content().split()) for message in server.messages)
    return [text for text in texts if text.startswith("credential-expiry:main, since ")]


def spoil(imapd_conf, site):
    """An alarm begins, perhaps once more; returns what ends it."""
    text = imapd_conf.read_text()

    def reload_until(state):
        since = len(site.mailpushd.log)
        site.mailpushd.reload()
        site.mailpushd.wait_log(f"alarm=reload state={state}", since=since)
        site.mailpushd.wait_log("daemon: reloaded", since=since)    # the alarm's time is known by then

    def mend():
        imapd_conf.write_text(text)
        reload_until("ends")

    imapd_conf.unlink()
    reload_until("begins")
    return mend


def test_an_alarm_is_mailed_once_whatever_restarts(site_of, imapd_conf, server, tmp):
    site = site_of(start=False)
    clock = WallClock(tmp).under(site.mailpushd)
    site.mailpushd.start()
    mend = spoil(imapd_conf, site)
    [message] = server.wait(1)
    assert subjects([message]) == ["reload"]
    assert message["To"] == ADDRESS and message["Auto-Submitted"] == "auto-generated"
    text = message.get_content()
    assert "What to do:" in text and f"cannot open {imapd_conf}:" in " ".join(text.split())
    assert f"MAIL FROM:<{ADDRESS}>" in server.commands[1].decode()
    mend()
    record = site.mailpushd.dir / "alarm-mail"      # written when the server has taken the message
    wait_until(lambda: record.exists() and " reload\n" in record.read_text(), what="a record of what was mailed")
    assert site.mailpushd.stop() == 0
    site.mailpushd.start()
    mend = spoil(imapd_conf, site)
    mend()
    clock.set("+11min")
    site.mailpushd.wait_log("clock was set")
    assert subjects(server.wait(2)) == ["reload", "reload is over"]
    spoil(imapd_conf, site)
    clock.set("+26h")
    assert subjects(server.wait(3)) == ["reload", "reload is over", "reload"]


def test_the_end_of_a_certificate_is_mailed_as_it_comes_nearer(site_of, server, tmp):
    site = site_of(start=False)
    certificate, key = site.sim.add_client("ends", TOPIC, "--days", "20")
    site.mailpushd.credentials["main"] = {"certificate": certificate, "key": key}
    site.mailpushd.write_conf()
    clock = WallClock(tmp).under(site.mailpushd)
    site.mailpushd.start()
    for count, (now, left) in enumerate([("+0s", "19 days"), ("+8d", "11 days"), ("+14d", "5 days"), ("+17d", "2 days"),
                                         ("+19d", "less than a day")], start=1):
        clock.set(now)
        wait_until(lambda: len(about_expiry(server)) >= count, what=f"a message at {now}")
        assert f"expires in {left}" in about_expiry(server)[-1]
    assert len(about_expiry(server)) == 5


def test_a_server_that_refuses_is_an_alarm_and_gets_the_message_later(site_of, imapd_conf, server):
    server.refuse = b"550 5.1.1 no such user"
    site = site_of()
    spoil(imapd_conf, site)
    site.mailpushd.wait_log("alarms cannot be mailed to postmaster@example.com through 127.0.0.1:.*550"
                            ".*alarm=alarm-mail state=begins")
    names = {alarm["name"] for alarm in get(site.mailpushd, "/status")["alarms"]}
    assert names >= {"alarm-mail", "reload"}
    assert not server.messages
    failed = ctl(site.mailpushd, "alarm", "test")
    assert failed.returncode == 1 and "(the server says: 550 5.1.1 no such user)" in failed.stdout
    server.refuse = None
    [answer] = ctl_json(site.mailpushd, "alarm", "test")
    assert answer["mail"]["error"] is None and answer["command"] is None
    assert subjects(server.wait(2)) == ["a test", "reload"]
    site.mailpushd.wait_log("alarm=alarm-mail state=ends")


def test_a_server_that_says_nothing_delays_no_stop(site_of, imapd_conf, server):
    server.greeting = b"220-"
    site = site_of()
    spoil(imapd_conf, site)
    with subprocess.Popen([str(ctl_binary()), "--socket", str(site.mailpushd.control_socket), "alarm", "test"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as test:
        wait_until(lambda: server.talks, what="the daemon's call")
        assert site.mailpushd.stop() == 0
        assert test.wait() == 1


def test_without_a_way_the_test_says_so(bare_site):
    failed = ctl(bare_site.mailpushd, "alarm", "test")
    assert failed.returncode == 1 and "set alarm_mail or alarm_command" in failed.stderr


def test_the_command_is_tried(bare_site_for, tmp):
    command = tmp / "command"
    command.write_text("#!/bin/sh\n[ $1 = begin ] || exit 3\n")
    command.chmod(0o755)
    site = bare_site_for(alarm_command=command)
    failed = ctl(site.mailpushd, "alarm", "test")
    assert failed.returncode == 1 and "it ended with status 3" in failed.stdout
    command.write_text(f"#!/bin/sh\necho $1 $2 >>{tmp}/said\n")
    [answer] = ctl_json(site.mailpushd, "alarm", "test")
    assert answer == {"mail": None, "command": {"path": str(command), "error": None}}
    assert (tmp / "said").read_text() == "begin test\nend test\n"
