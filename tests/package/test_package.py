"""The Debian packages: built, installed, used, upgraded, removed and purged as on a mail server."""

import contextlib
import json
import platform
import re
import shutil
import signal
import subprocess
import threading

import pytest

import base
import notify
from built import package
from machine import Machine
from waiting import Lines

TOPIC = "com.apple.mail.XServer.00000000-0000-0000-0000-000000000000"
LATER = "99.0.0"
CONF = "/etc/mailpush/mailpush.conf"
EXPOSURE_MAX = 1.5


@pytest.fixture
def later_package(packages, tmp_path):
    """What the next release might be: another version and another configuration."""
    unpacked = tmp_path / "unpacked"
    subprocess.run(["dpkg-deb", "-R", package(packages, "mailpush"), unpacked], check=True)
    control = unpacked / "DEBIAN/control"
    control.write_text(re.sub("^Version: .*", f"Version: {LATER}", control.read_text(), flags=re.M))
    with open(unpacked / "etc/mailpush/mailpush.conf", "a", encoding="utf-8") as conf:
        conf.write("# A new key.\n")
    later = tmp_path / f"mailpush_{LATER}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", unpacked, later], check=True,
                   capture_output=True)
    return later


@pytest.fixture(scope="module")
def machine(packages):
    with Machine() as machine:
        machine.install(package(packages, "mailpush"), package(packages, "mailpush-apns-sim"))
        yield machine


# ---- the packages ----

def test_lintian_finds_nothing(packages):
    changes = next(packages.glob("*.changes"))
    done = subprocess.run(["lintian", "--allow-root", "--pedantic", "--fail-on", "error,warning",
                           changes], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_debuggers_find_what_they_need(packages):
    names = sorted(path.name.split("_")[0] for path in packages.glob("*.deb"))
    assert names == ["dovecot-mailpush", "dovecot-mailpush-dbgsym", "mailpush", "mailpush-apns-sim",
                     "mailpush-apns-sim-dbgsym", "mailpush-dbgsym"]


def test_their_version_is_that_of_the_programs_and_of_the_release(packages, machine):
    whole = machine.run("dpkg-query", "-W", "-f", "${Version}", "mailpush").stdout
    number = platform.freedesktop_os_release().get("VERSION_ID")
    suffix = f"~deb{number}u1" if number else f"~{base.release_here()}"
    version = whole.removesuffix(suffix)
    assert version != whole and "unknown" not in version
    assert machine.run("mailpushd", "-V").stdout == f"mailpushd {version}\n"
    changelog = machine.run("zcat", "/usr/share/doc/mailpush/changelog.gz").stdout
    assert changelog.startswith(f"mailpush ({whole}) {base.release_here()}; ")
    changes = next(packages.glob("*.changes")).read_text()
    assert f"\nDistribution: {base.release_here()}\n" in changes


def test_an_upgrade_restarts_the_service_and_leaves_its_socket_alone(packages, tmp_path):
    subprocess.run(["dpkg-deb", "-e", package(packages, "mailpush"), tmp_path / "scripts"], check=True)
    invoked = {name: re.findall(r"deb-systemd-invoke (.*?)(?: >.*)?$",
                                (tmp_path / "scripts" / name).read_text(), flags=re.M)
               for name in ("preinst", "postinst", "prerm") if (tmp_path / "scripts" / name).exists()}
    assert [call.replace("'", "").split() for call in invoked["postinst"]] == [
        ["try-restart", "mailpush.service"]]
    assert [call.split() for call in invoked["prerm"]] == [["stop", "mailpush.socket", "mailpush.service"]]
    assert not invoked.get("preinst")


# ---- installed ----

def test_the_daemon_has_a_user_of_its_own_that_reads_what_cyrus_reads(machine):
    assert machine.run("id", "-Gn", "mailpush").stdout.split() == ["mailpush", "mail"]
    assert machine.run("getent", "passwd", "mailpush").stdout.rstrip().endswith("nologin")


@pytest.mark.parametrize("path, about", [
    ("/etc/mailpush", "root:mailpush 750"),
    (CONF, "root:mailpush 640"),
    ("/run/mailpush", "mailpush:mailpush 755"),
    ("/var/lib/mailpush", "mailpush:mailpush 750"),
    ("/var/spool/mailpush", "mailpush:mail 2770"),
    ("/usr/sbin/mailpushd", "root:root 755"),
    ("/usr/bin/apns-sim", "root:root 755"),
    ("/lib/systemd/system/mailpush.service", "root:root 644"),
    ("/usr/lib/sysctl.d/50-mailpush.conf", "root:root 644"),
    ("/usr/share/mailpush/grafana/mailpush.json", "root:root 644"),
    ("/usr/share/mailpush/prometheus/mailpush.rules.yml", "root:root 644"),
])
def test_each_place_has_its_owner_and_mode(machine, path, about):
    assert machine.about(path) == about


def test_the_service_waits_for_the_administrator(machine):
    assert machine.run("systemctl", "is-enabled", "mailpush", check=False).stdout == "disabled\n"


def test_the_unit_says_what_systemd_understands(machine):
    done = machine.run("systemd-analyze", "verify", "--man=no",
                       "/lib/systemd/system/mailpush.service", check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_unit_leaves_little_to_an_intruder(machine):
    said = machine.run("systemd-analyze", "security", "--offline=true", "--no-pager",
                       "/lib/systemd/system/mailpush.service").stdout
    exposure = float(re.search(r"Overall exposure level for mailpush.service: ([\d.]+)", said)[1])
    assert exposure <= EXPOSURE_MAX, said


# ---- used ----

class Running:
    """A program that runs in the machine, with the lines that it says."""

    def __init__(self, machine, *command):
        self.lines = Lines()
        self.process = machine.start(*command)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with self.process.stdout as lines:
            for line in lines:
                self.lines.add(line.rstrip("\n"))
        self.lines.end()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(20)
        self._reader.join()
        return status


@contextlib.contextmanager
def running(machine, *command):
    program = Running(machine, *command)
    try:
        yield program
    finally:
        if program.process.poll() is None:
            program.stop()


def as_the_unit(*command):
    return ["setpriv", "--reuid=mailpush", "--regid=mailpush", "--init-groups", "--no-new-privs",
            "--bounding-set=-all", "--pdeathsig=KILL", *command]


def set_up_cyrus(machine):
    conf = machine.path("/etc/imapd.conf")
    conf.write_text(f"servername: {notify.SERVER}\naltnamespace: yes\nunixhierarchysep: yes\n"
                    f"aps_topic: {TOPIC}\n")
    machine.run("chgrp", "mail", "/etc/imapd.conf")
    machine.run("chmod", "0640", "/etc/imapd.conf")


def set_up_credential(machine, folder="/root/apns"):
    """As the README says, with certificates of apns-sim's."""
    machine.run("apns-sim", "--init", folder, "--topic", TOPIC)
    for name, place in (("client.pem", "certificate.pem"), ("client.key", "key.pem"),
                        ("ca.pem", "ca.pem")):
        machine.run("install", "-o", "root", "-g", "mailpush", "-m", "0640", f"{folder}/{name}",
                    f"/etc/mailpush/{place}")
    conf = machine.path(CONF)
    text = conf.read_text()
    section = re.search(r'^#credential "mail" \{.*?^#\}', text, flags=re.M | re.S)[0]
    conf.write_text(text.replace(section, section.replace("#", "")))


def check(machine):
    return machine.run(*as_the_unit("mailpushd", "-n"), check=False)


def test_as_installed_it_runs_and_waits_for_a_certificate(packages):
    with Machine() as machine:
        machine.install(package(packages, "mailpush"))
        set_up_cyrus(machine)
        done = check(machine)
        assert (done.returncode, done.stdout) == (0, f"{CONF}: ok\n")
        assert done.stderr == (f"{CONF}: warning: no credential: phones can register, "
                               "nothing is pushed\n")
        with running(machine, *as_the_unit("mailpushd")) as daemon:
            daemon.lines.wait("info daemon: ready")
            assert daemon.lines.wait("alarm=no-credential")
            register(machine, "ab" * 32)
            assert daemon.stop() == 0


def test_a_push_goes_from_the_packaged_daemon_to_the_packaged_apple(machine):
    set_up_cyrus(machine)
    set_up_credential(machine)
    done = check(machine)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{CONF}: ok\n", "")
    token = "cd" * 32
    with running(machine, "apns-sim", "--dir", "/root/apns", "--listen", "127.0.0.1:0",
                 "--record", "full") as apple:
        port = apple.lines.wait(r"listening on .*:(\d+)")[1]
        with open(machine.path(CONF), "a", encoding="utf-8") as conf:
            conf.write(f'apns_host = "127.0.0.1"\napns_port = {port}\n'
                       'apns_ca_file = "/etc/mailpush/ca.pem"\ndeferred_delay = "50ms"\n')
        with running(machine, *as_the_unit("mailpushd")) as daemon:
            daemon.lines.wait("info daemon: ready")
            register(machine, token)
            push = json.loads(apple.lines.wait(rf'^\{{.*"{token}".*')[0])
            assert (push["headers"]["apns-topic"], push["status"]) == (TOPIC, 200)
            assert daemon.stop() == 0
    assert machine.about("/var/lib/mailpush/registry.sqlite") == "mailpush:mailpush 600"


def register(machine, token):
    event = notify.registration("alice", token, "0000-1111")
    answer = notify.ask(machine.path("/run/mailpush/cyrus"), notify.request(event))
    assert answer == b"OK ()\r\n"


# ---- upgraded, removed, purged ----

def left(machine):
    """What of ours is on the machine; the files that its own system keeps about packages aside."""
    found = machine.run("find", "/", "-xdev", "(", "-path", "/proc", "-o", "-path", "/sys", "-o",
                        "-path", "/root", "-o", "-path", "/var/log", "-o", "-path",
                        "/var/cache", ")", "-prune", "-o", "-iname", "*mailpush*", "-print")
    return found.stdout.split()


def test_its_configuration_outlives_an_upgrade_and_a_purge_leaves_nothing(packages, later_package):
    with Machine() as machine:
        machine.install(package(packages, "mailpush"))
        set_up_cyrus(machine)
        conf = machine.path(CONF)
        edited = conf.read_text() + 'min_interval = "3s"\n'
        conf.write_text(edited)
        machine.path("/var/lib/mailpush/registry.sqlite").write_text("")

        shutil.copy(later_package, machine.path("/root"))
        asked = machine.run("dpkg", "--install", f"/root/{later_package.name}", text="N\n")
        assert "==> Modified " in asked.stderr      # by whom, each version of dpkg says otherwise
        assert machine.run("dpkg-query", "-W", "-f", "${Version}", "mailpush").stdout == LATER
        assert conf.read_text() == edited
        assert machine.about(CONF) == "root:mailpush 640"
        assert machine.about("/etc/mailpush") == "root:mailpush 750"
        assert machine.path("/var/lib/mailpush/registry.sqlite").exists()

        machine.run("dpkg", "--remove", "mailpush")
        assert not machine.path("/usr/sbin/mailpushd").exists()
        assert conf.read_text() == edited
        assert machine.path("/var/lib/mailpush/registry.sqlite").exists()

        with open(machine.path("/etc/imapd.conf"), "a", encoding="utf-8") as imapd_conf:
            imapd_conf.write("notifysocket: dlist:/run/mailpush/cyrus\n")
        key = machine.path("/etc/mailpush/key.pem")
        key.write_text("a key")
        said = machine.run("dpkg", "--purge", "mailpush").stdout
        assert "the registry and the queue in /var/lib/mailpush" in said
        assert re.search(r"these files stay.*:\n  /etc/mailpush/key\.pem\n", said)
        assert "notifysocket in /etc/imapd.conf still names its socket" in said
        assert left(machine) == ["/etc/mailpush"]
        key.unlink()
        key.parent.rmdir()
        # So that nobody else gets its number, and with it what backups say is its.
        assert machine.run("id", "-un", "mailpush").stdout == "mailpush\n"
