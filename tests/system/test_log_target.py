"""Where the log goes: each target gets the lines with what it has of its own to say about them."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading

import pytest

from mailpushd import binary
from waiting import TIMEOUT, Lines

# A /run with a journal in it, and a /dev with a log; both are folders of the test's.
NAMESPACE = r"""
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd
ln -s "$0" /run/systemd/journal
for node in null zero full random urandom; do
	: >"$0/dev/$node"
	mount --bind "/dev/$node" "$0/dev/$node"
done
ln -s "$0/log" "$0/dev/log"
mount --rbind "$0/dev" /dev
exec "$@"
"""

# As systemd does: standard error is what the variable says.
IN_THE_JOURNAL = r"""
import os, sys
status = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino + int(sys.argv[1])}"
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Listener:
    """A datagram socket where another program's would be."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(TIMEOUT)

    def wait(self, *parts):
        """For each part the datagram that has it."""
        found = {}
        while len(found) < len(parts):
            datagram = self._socket.recv(65536).decode()
            found.update({part: datagram for part in parts if part in datagram})
        return [found[part] for part in parts]

    def close(self):
        self._socket.close()


@pytest.fixture
def folder(tmp):
    (tmp / "there" / "dev").mkdir(parents=True)
    return tmp / "there"


@pytest.fixture
def journal(folder):
    with contextlib.closing(Listener(folder / "socket")) as listener:
        yield listener


@pytest.fixture
def syslog(folder):
    with contextlib.closing(Listener(folder / "log")) as listener:
        yield listener


@pytest.fixture
def command(folder, imapd_conf, mailpushd):
    """command(target, *wrapper, is_check=False) runs a daemon that logs there."""
    def make(target, *wrapper, is_check=False):
        daemon = mailpushd(imapd_conf=imapd_conf, log_target=target, log_level="info", start=False)
        daemon.credentials.clear()      # which is an alarm
        daemon.write_conf()
        return ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount",
                *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]),
                "sh", "-c", NAMESPACE, str(folder), *wrapper,
                str(binary()), *(["-n"] if is_check else []), "-c", str(daemon.conf)]
    return make


def in_the_journal(off_by=0):
    return [sys.executable, "-c", IN_THE_JOURNAL, str(off_by)]


@contextlib.contextmanager
def running(command):
    """Its standard error, which is read to its end when the daemon has ended."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = Lines()

    def read():
        for line in process.stderr:
            said.add(line)
        said.end()
    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield said
    finally:
        process.terminate()
        process.wait(TIMEOUT)
        reader.join(TIMEOUT)
        process.stderr.close()


READY, ALARM = "info daemon: ready", "alarm=no-credential state=begins"


def wait_structured(journal):
    ready, alarm = (entry.splitlines() for entry in journal.wait(READY, ALARM))
    assert {"PRIORITY=6", "SYSLOG_IDENTIFIER=mailpushd", "MAILPUSH_MODULE=daemon",
            "MAILPUSH_SITE=mail.example.com"} <= set(ready)
    assert ready[3].startswith(f"MESSAGE={READY} site=mail.example.com ")
    assert {"PRIORITY=3", "MAILPUSH_ALARM=no-credential", "MAILPUSH_STATE=begins"} <= set(alarm)


def test_the_journal_has_priorities_and_fields(command, journal):
    with running(command("journal")) as said:
        wait_structured(journal)
    assert said.all() == []


def test_syslog_has_facility_priorities_and_who_it_is(command, syslog):
    with running(command("syslog")) as said:
        ready, alarm = syslog.wait(READY, ALARM)
    assert re.match(rf"<22>\w{{3}} [ \d]\d [\d:]{{8}} mailpushd\[\d+\]: {READY} ", ready)
    assert alarm.startswith("<19>")
    assert said.all() == []


def test_where_standard_error_ends_in_the_journal_it_is_the_target(command, journal):
    with running(command("auto", *in_the_journal())) as said:
        wait_structured(journal)
    assert said.all() == []


@pytest.mark.parametrize("wrapper", [[], in_the_journal(off_by=1)], ids=["unset", "another file"])
def test_elsewhere_it_is_standard_error(command, journal, wrapper):
    with running(command("auto", *wrapper)) as said:
        said.wait(f"^[-0-9]{{10}}T[0-9:.]{{12}}Z {READY}")


def test_standard_error_is_what_is_left_of_a_journal_that_is_away(command):
    with running(command("auto", *in_the_journal())) as said:
        said.wait(READY)


def test_a_journal_that_is_not_there_is_reported_by_the_check(command):
    done = subprocess.run(command("journal", is_check=True), capture_output=True, text=True,
                          timeout=TIMEOUT)
    assert done.returncode == 1
    assert "log_target: there is no journal on this system; write auto, stderr or syslog" \
        in done.stderr
