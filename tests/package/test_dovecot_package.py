"""The package with the plugins: installed beside Debian's own Dovecot, and a phone that registers there."""

import json
import re
import subprocess

import pytest

from built import package
from machine import Machine
from test_package import CONF, TOPIC, as_the_unit, running, set_up_credential, set_up_cyrus

KEEP = "/usr/libexec/mailpush-dovecot-keep"
SOCKET = "/run/mailpush/dovecot"
DOVECOT_CONF = "/etc/dovecot/conf.d/99-mailpush.conf"
TOKEN = "ef" * 32

# As docs/dovecot.md says, and where the mail is.
SETTINGS = {
    "2.3": """
        mail_location = maildir:~/Maildir
        mail_plugins = $mail_plugins notify mailpush
        protocol imap {
          mail_plugins = $mail_plugins imap_mailpush
        }
        """,
    "2.4": """
        mail_driver = maildir
        mail_path = ~/Maildir
        mail_inbox_path = ~/Maildir
        mail_plugins {
          notify = yes
          mailpush = yes
        }
        protocol imap {
          mail_plugins {
            imap_mailpush = yes
          }
        }
        """,
}

COMMANDS = f"""\
1 CAPABILITY
2 XAPPLEPUSHSERVICE aps-version 2 aps-account-id 0000-1111 aps-device-token {TOKEN} \
aps-subtopic com.apple.mobilemail mailboxes (INBOX)
""".replace("\n", "\r\n")

# The phone stays until it has its answer.
TALK = r"""
commands=$1
shift
coproc imap { exec "$@" 2>&1; }
exec 7<&${imap[0]} 8>&${imap[1]}
printf %s "$commands" >&8
while IFS= read -r line <&7; do
    echo "$line"
    case $line in "2 "*) printf '3 LOGOUT\r\n' >&8 ;; esac
done
"""


@pytest.fixture(scope="module")
def machine(packages):
    with Machine() as machine:
        # Nothing is to start here.
        machine.path("/usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        machine.path("/usr/sbin/policy-rc.d").chmod(0o755)
        machine.install(*(package(packages, name)
                          for name in ("mailpush", "dovecot-mailpush", "mailpush-apns-sim")))
        machine.run("apt-get", "-qq", "-y", "--no-install-recommends", "install", "dovecot-imapd")
        yield machine


def test_the_helper_is_packed_with_its_group_and_mode(packages):
    listed = subprocess.run(["dpkg-deb", "-c", package(packages, "dovecot-mailpush")], capture_output=True,
                            text=True, check=True).stdout.splitlines()
    line, = [line for line in listed if line.endswith(KEEP)]
    assert line.split()[:2] == ["-rwxr-sr-x", "root/mail"]


def test_it_depends_on_the_dovecot_that_it_was_built_for(machine):
    depends = machine.run("dpkg-query", "-W", "-f", "${Depends}", "dovecot-mailpush").stdout
    provided = machine.run("dpkg-query", "-W", "-f", "${Provides}", "dovecot-core").stdout
    assert re.search(r"\bdovecot-abi-[\w.]+", depends)[0] in provided.split(", ")


def unpack_again(machine, packages):
    machine.run("dpkg", "--unpack", f"/root/{package(packages, 'dovecot-mailpush').name}")


def test_the_helper_may_write_for_all_users_unless_an_administrator_decided(packages, machine):
    """From the moment that it is unpacked: mailpush is configured, and restarts, before it."""
    machine.run("dpkg-statoverride", "--update", "--add", "root", "root", "0755", KEEP)
    unpack_again(machine, packages)
    assert machine.about(KEEP) == "root:root 755"
    machine.run("dpkg-statoverride", "--remove", KEEP)
    unpack_again(machine, packages)
    assert machine.about(KEEP) == "root:mail 2755"
    machine.run("dpkg", "--configure", "dovecot-mailpush")
    assert machine.about(KEEP) == "root:mail 2755"


def imap(machine, commands):
    """Dovecot's imap as a program that its user starts: logged in at once."""
    done = machine.run("bash", "-c", TALK, "talk", commands, "timeout", "60",
                       "setpriv", "--reuid=alice", "--regid=alice", "--init-groups", "env", "HOME=/home/alice",
                       "USER=alice", "DOVECOT_PRESERVE_ENVS=HOME USER", "/usr/lib/dovecot/imap", check=False)
    return done.stdout + done.stderr


def test_a_phone_registers_at_the_packaged_dovecot_and_is_pushed_to(machine):
    version = machine.run("dovecot", "--version").stdout
    machine.path(DOVECOT_CONF).write_text(SETTINGS[re.match(r"\d+\.\d+", version)[0]])
    machine.run("useradd", "--create-home", "alice")
    set_up_cyrus(machine)
    set_up_credential(machine)
    with running(machine, "apns-sim", "--dir", "/root/apns", "--listen", "127.0.0.1:0",
                 "--record", "full") as apple:
        port = apple.lines.wait(r"listening on .*:(\d+)")[1]
        with open(machine.path(CONF), "a", encoding="utf-8") as conf:
            conf.write(f'apns_host = "127.0.0.1"\napns_port = {port}\ndovecot_socket = "{SOCKET}"\n'
                       'dovecot_system_users = yes\n'
                       'apns_ca_file = "/etc/mailpush/ca.pem"\ndeferred_delay = "50ms"\n')
        with running(machine, *as_the_unit("mailpushd")) as daemon:
            daemon.lines.wait("info daemon: ready")
            answer = imap(machine, COMMANDS)
            assert " XAPPLEPUSHSERVICE" in answer.partition("1 OK")[0], answer
            assert f'"{TOPIC}"' in answer or TOPIC in answer, answer
            assert "\n2 OK" in answer, answer
            push = json.loads(apple.lines.wait(rf'^\{{.*"{TOKEN}".*')[0])
            assert (push["headers"]["apns-topic"], push["status"]) == (TOPIC, 200)
            assert daemon.stop() == 0


def test_a_purge_leaves_nothing(machine):
    machine.run("apt-get", "-qq", "-y", "purge", "dovecot-mailpush")
    assert not machine.path(KEEP).exists()
    assert machine.run("find", "/usr/lib/dovecot", "-iname", "*mailpush*").stdout == ""
