"""The packaged units under a real systemd: start, watchdog, restart, reload, activation, journal."""

import contextlib
import json
import re

import pytest

import notify
from booted import Booted
from built import package
from docpage import Page
from mailserver import MailServer
from test_package import CONF, set_up_credential, set_up_cyrus
from waiting import wait_until

TOKEN = "ab" * 32
WATCHDOG_S = 30


class Site:
    """mailpush and its Apple, each a unit."""

    def __init__(self, machine):
        self.machine = machine

    def systemctl(self, *arguments):
        return self.machine.run("systemctl", *arguments).stdout

    def shown(self, name):
        return self.systemctl("show", "--property", name, "--value", "mailpush").strip()

    def journal(self, *arguments, unit="mailpush"):
        """Lines of the journal, each a dictionary of its fields."""
        said = self.machine.run("journalctl", "--unit", unit, "--output", "json", *arguments).stdout
        return [json.loads(line) for line in said.splitlines()]

    def wait_journal(self, text, *arguments, unit="mailpush"):
        return wait_until(lambda: [entry for entry in self.journal(*arguments, unit=unit)
                                   if text in entry["MESSAGE"]], what=text)[-1]

    def register(self, user):
        return notify.ask(self.machine.path("/run/mailpush/cyrus"),
                          notify.request(notify.registration(user, TOKEN, f"account-of-{user}")))

    def wait_push(self, user):
        return self.wait_journal(f'"account-id":"account-of-{user}"', unit="apple")

    def upgrade(self):
        """To the same version."""
        file, = self.machine.path("/root").glob("mailpush_*.deb")
        self.machine.run("dpkg", "--install", "--force-confold", f"/root/{file.name}")

    def wait_another(self, pid):
        """That systemd has started it again."""
        wait_until(lambda: self.shown("MainPID") not in ("0", pid) and
                   self.shown("ActiveState") == "active", WATCHDOG_S + 60, "a new start")


@pytest.fixture(scope="module")
def site(packages):
    with Booted() as machine, contextlib.ExitStack() as leaving:
        site = Site(machine)
        machine.install(package(packages, "mailpush"), package(packages, "mailpush-apns-sim"))
        set_up_cyrus(machine)
        set_up_credential(machine)
        machine.run("systemd-run", "--unit=apple", "apns-sim", "--dir", "/root/apns",
                    "--listen", "127.0.0.1:0", "--record", "full")
        mail = leaving.enter_context(MailServer())
        site.mail = mail
        port = site.wait_journal("listening on", unit="apple")["MESSAGE"].rsplit(":", 1)[1]
        with open(machine.path(CONF), "a", encoding="utf-8") as conf:
            conf.write(f'apns_host = "127.0.0.1"\napns_port = {port}\ndeferred_delay = "50ms"\n'
                       'apns_ca_file = "/etc/mailpush/ca.pem"\n'
                       'alarm_mail = "postmaster@example.com"\n'
                       f'alarm_mail_server = "localhost:{mail.port}"\n')
        machine.run("systemctl", "enable", "--now", "mailpush")
        yield site


def test_it_is_up_when_it_is_ready(site):
    assert site.shown("ActiveState") == "active"
    wait_until(lambda: site.shown("StatusText") == "0 phones wait, 0 alarms", what="its status")
    assert site.register("alice") == b"OK ()\r\n"
    site.wait_push("alice")


def test_the_journal_has_priorities_and_fields(site):
    entry = site.wait_journal("info daemon: ready ")
    assert (entry["PRIORITY"], entry["MAILPUSH_MODULE"]) == ("6", "daemon")
    assert entry["MAILPUSH_SITE"] == notify.SERVER


def test_a_credential_that_cannot_be_read_is_reported_at_the_reload(site):
    site.machine.run("chmod", "000", "/etc/mailpush/key.pem")
    site.systemctl("reload", "mailpush")
    entry = site.wait_journal("cannot read key", "--priority", "err")
    assert entry["MAILPUSH_ALARM"] == "credential-file:mail"
    message = site.mail.wait(1)[0]
    assert message["Subject"].endswith(": credential-file:mail")
    assert "cannot read key" in message.get_content()
    kept = site.machine.path("/var/lib/mailpush/alarm-mail")
    wait_until(lambda: kept.exists() and "credential-file:mail" in kept.read_text(), what="what was told")
    wait_until(lambda: "1 alarm" in site.shown("StatusText"), what="the alarm in the status")
    site.machine.run("chmod", "640", "/etc/mailpush/key.pem")
    site.systemctl("reload", "mailpush")
    wait_until(lambda: "0 alarms" in site.shown("StatusText"), what="the alarm's end")


def test_a_message_leaves_through_the_sandbox(site):
    site.mail.messages.clear()
    assert "fine" in site.machine.run("mailpushctl", "alarm", "test").stdout
    [message] = site.mail.wait(1)
    assert message["Subject"].endswith(": a test")


def test_the_sandbox_is_in_force(site):
    pid = site.shown("MainPID")
    status = site.machine.path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")
    assert fields["Uid"].split("\t")[0] == site.machine.run("id", "-u", "mailpush").stdout.strip()
    limits = site.machine.path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits)
    for name in ("cyrus", "notify"):
        assert site.machine.run("stat", "-c", "%G", f"/run/mailpush/{name}").stdout == "mail\n"
    inside = ["nsenter", "-t", pid, "-m"]
    for path in ("/usr/mailpush-test", "/etc/mailpush/test", "/root/test"):
        assert site.machine.run(*inside, "touch", path, check=False).returncode, path
    for path in ("/var/lib/mailpush/.test", "/var/spool/mailpush/.test"):
        site.machine.run(*inside, "touch", path)
        site.machine.run("rm", path)


def test_it_sees_who_sends(site):
    site.machine.run("setpriv", "--reuid=1", "--regid=mail", "--clear-groups", "mailpush-notify",
                     "-c", "EVENT", check=False, text="x")
    site.wait_journal("uid 1: not allowed")


@pytest.mark.parametrize("name", ["KILL", "STOP"], ids=["it dies", "its loop hangs"])
def test_it_is_started_again_when(site, name):
    pid = site.shown("MainPID")
    site.systemctl("kill", f"--signal={name}", "mailpush")
    site.wait_another(pid)
    user = f"user-of-{name.lower()}"
    assert site.register(user) == b"OK ()\r\n"
    site.wait_push(user)


def test_it_is_restarted_by_an_upgrade(site):
    pid = site.shown("MainPID")
    site.upgrade()
    site.wait_another(pid)


def test_with_its_socket_passed_in_no_event_is_lost_while_it_is_away(site):
    """As docs/cyrus.md says under Restarts, and the socket's own file."""
    site.machine.run("sh", "-euc", Page("cyrus.md").block("mailpush.socket"))
    site.wait_journal("listening for dlist requests on a passed-in socket")
    site.systemctl("stop", "mailpush")
    assert site.shown("ActiveState") == "inactive"
    assert site.register("dave") == b"OK ()\r\n"
    site.wait_push("dave")
    assert site.shown("ActiveState") == "active"


def test_an_upgrade_leaves_the_socket_that_is_passed_in_open(site):
    socket = site.machine.path("/run/mailpush/cyrus")
    before = socket.stat().st_ino
    pid = site.shown("MainPID")
    site.upgrade()
    site.wait_another(pid)
    assert socket.stat().st_ino == before


def test_it_stops_in_order(site):
    def stops():
        return sum("info daemon: stopped" in entry["MESSAGE"] for entry in site.journal())
    before = stops()
    site.systemctl("stop", "mailpush.socket", "mailpush")
    assert site.shown("Result") == "success"
    assert site.shown("ActiveState") == "inactive"
    wait_until(lambda: stops() == before + 1, what="its last line")


def test_when_it_is_removed_its_socket_does_not_start_it_again(site):
    site.systemctl("start", "mailpush.socket", "mailpush")
    site.machine.run("dpkg", "--remove", "mailpush")
    for unit in ("mailpush.socket", "mailpush.service"):
        assert site.machine.run("systemctl", "is-active", unit, check=False).stdout == "inactive\n", unit
    assert not site.machine.path("/run/mailpush/cyrus").exists()
