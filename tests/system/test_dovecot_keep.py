"""mailpush-dovecot-keep, which any local user may run: it keeps what is his, and not much of it."""

import json
import os
import shutil
import subprocess

import pytest

from dovecot import keep_program
from notifier import Request
from waiting import TIMEOUT, wait_until

EVENT = json.dumps({"source": "dovecot", "event": "MessageNew", "user": "anna", "owner": "anna", "folder": ""})
USER = "games"              # one that every system has
GROUP = "mail"

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a program setgid")


def request(event=EVENT, event_class="DOVECOT", more=""):
    return (f"NOTIFY %(METHOD external CLASS {event_class} PRIORITY {{0+}}\r\n USER {{0+}}\r\n MAILBOX {{0+}}\r\n"
            f" OPTIONS () RECEIVED 1795334965234 MESSAGE {{{len(event)}+}}\r\n{event} FILEPATH NIL)\r\n{more}").encode()


class Keeper:
    """The program and the spool folder, which others see as /var/spool/mailpush."""

    def __init__(self, folder, is_setgid):
        self.spool = folder / "spool"
        self.spool.mkdir()
        self.program = folder / "keep"
        shutil.copy(keep_program(), self.program)
        self.program.chmod(0o755)
        self.wrapper = []
        if is_setgid:
            shutil.chown(self.spool, "root", GROUP)
            shutil.chown(self.program, "root", GROUP)
            self.program.chmod(0o2755)
            self.wrapper = ["unshare", "--mount", "sh", "-c",
                            "mount -t tmpfs -o mode=755 tmpfs /var/spool && mkdir /var/spool/mailpush && "
                            'mount --bind "$0" /var/spool/mailpush && shift 0 && exec "$@"', str(self.spool),
                            "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--"]
        self.spool.chmod(0o2770)

    def run(self, text, *arguments, spool=None):
        done = subprocess.run([*self.wrapper, "env", f"MAILPUSH_SPOOL={spool or self.spool}", self.program,
                               *arguments], input=text, capture_output=True, timeout=TIMEOUT)
        return done.returncode

    def kept(self):
        return sorted(self.spool.glob("[0-9]*"))

    def wait_for(self, count):
        wait_until(lambda: len(self.kept()) == count, what=f"{count} files")


@pytest.fixture
def keeper(tmp):
    return Keeper(tmp, is_setgid=False)


@pytest.fixture
def setgid_keeper(tmp):
    return Keeper(tmp, is_setgid=True)


def test_a_request_is_kept_as_it_came(keeper):
    assert keeper.run(request()) == 0
    keeper.wait_for(1)
    [path] = keeper.kept()
    assert path.read_bytes() == request()
    assert json.loads(Request.read(path.read_bytes()).message)["owner"] == "anna"
    assert path.stat().st_mode & 0o777 == 0o640


BAD = {
    "nothing": b"", "an empty line": b"\r\n", "a word": b"hello\r\n",
    "without its newline": request()[:-1], "cut": request()[:-3],
    "more after it": request(more="NOTIFY "), "two": request() * 2,
    "Cyrus' class": request(event_class="EVENT"), "the class in lower case": request(event_class="dovecot"),
    "too long": request("x" * 65536), "a literal that is not all there": request().replace(b"+}\r\n{", b"9+}\r\n{"),
    "NULs": b"\0" * 1000, "endless": b"A" * 1000000,
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_is_not_one_whole_request_of_dovecots_is_not_kept(keeper, text):
    keeper.run(text)
    assert keeper.run(request()) == 0       # the next one is
    keeper.wait_for(1)
    assert keeper.kept()[0].read_bytes() == request()


def test_it_takes_no_arguments(keeper):
    assert keeper.run(b"", "-x") == 2
    assert keeper.run(b"", "-V") == 0


@root_only
def test_the_file_is_its_callers_and_the_folder_is_not_his_to_choose(setgid_keeper, tmp):
    elsewhere = tmp / "elsewhere"
    elsewhere.mkdir()
    shutil.chown(elsewhere, "root", GROUP)
    elsewhere.chmod(0o2770)
    assert setgid_keeper.run(request(), spool=elsewhere) == 0
    setgid_keeper.wait_for(1)
    [path] = setgid_keeper.kept()
    assert (path.owner(), path.group()) == (USER, GROUP)
    assert list(elsewhere.iterdir()) == []


@root_only
def test_one_user_has_a_thousand_files_at_most(setgid_keeper):
    for number in range(1001):
        path = setgid_keeper.spool / f".tmp-{number}"
        path.touch()
        shutil.chown(path, USER, GROUP)
    assert setgid_keeper.run(request()) == 0
    (setgid_keeper.spool / ".tmp-0").unlink()
    assert setgid_keeper.run(request(EVENT.replace("anna", "late"))) == 0
    setgid_keeper.wait_for(1)
    assert b"late" in setgid_keeper.kept()[0].read_bytes()
