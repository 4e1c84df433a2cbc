"""docs/dovecot.md: typed from its first command to its last, on a fresh system of this release."""

import json
import re
import shutil
import subprocess

import pytest

from docpage import Page
from mailhost import MailHost
from test_package import CONF, TOPIC, running
from waiting import wait_until

PAGE = Page("dovecot.md")
TOKEN = "ab" * 32
PLUGIN = {"2.3": "for program in", "2.4": "notify = yes"}
FRESH = "apt-get update"
OF_PAGE = ("/etc/dovecot/conf.d/99-mailpush.conf", "/etc/mailpush/mailpush.conf",
           "/usr/libexec/mailpush-dovecot-keep", "/var/lib/mailpush")


class Typist:
    """Whoever follows the page."""

    def __init__(self, host):
        self.host = host
        self.blocks_left = list(PAGE.blocks)

    def next(self, word):
        block = self.blocks_left.pop(0)
        assert word in block
        return block

    def type(self, word, **replaced):
        """Type the next block, which has this word in it; what it prints."""
        text = self.next(word)
        for name, to in {"./build-package": "/root", **replaced}.items():
            text = text.replace(name, to)
        return self.host.type(text)

    def second_window(self, word):
        return running(self.host, "sh", "-euc", f"exec {self.next(word)}")

    def talk(self, word, lines):
        """Type the next block, then these lines, each when the one before is answered; what is said."""
        with subprocess.Popen(self.host.command("sh", "-euc", f"exec {self.next(word)}"), text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as process:
            said = process.stdout.readline()
            for line in lines:
                print(line, file=process.stdin, flush=True)
                for answer in process.stdout:
                    said += answer
                    if answer.startswith(f"{line[0]} "):
                        break
            process.kill()
        return said


def wait_push(apple, since=0):
    """The first push to the phone among the lines of apns-sim from `since` on."""
    return json.loads(apple.lines.wait(rf'^\{{.*/3/device/{TOKEN}".*', since=since)[0])


@pytest.fixture
def host(packages):
    with MailHost() as host:
        for package in packages.glob("*.deb"):
            shutil.copy(package, host.path("/root"))
        host.type(FRESH)
        yield host


def test_the_page_leads_from_nothing_to_a_push_and_back(host):
    page = Typist(host)
    page.type("apt-get install dovecot-imapd")
    release = re.match(r"\d+\.\d+", host.type("dovecot --version"))[0]
    page.type("./build-package")
    page.type("dovecot_socket")
    for of, word in PLUGIN.items():
        if of == release:
            page.type(word)
        else:
            page.next(word)
    page.type("apns-sim --init")
    with page.second_window("--listen") as apple:
        assert page.type("systemctl enable") == f"{CONF}: ok\n"
        wait_until(lambda: host.listens(993) and host.path("/run/mailpush/control").exists(),
                   what="the services")
        said = page.type("mailpushctl doctor")
        assert not re.search("^fail", said, flags=re.M), said
        assert "mailpush is loaded by imap, lmtp, lda, doveadm" in said
        talk = page.blocks_left.pop(1).splitlines()
        said = page.talk("s_client", talk)
        assert TOPIC in said and "INBOX" in said and "\nb OK" in said, said
        push = wait_push(apple)
        assert (push["headers"]["apns-topic"], push["status"]) == (TOPIC, 200)
        for word in ("dovecot-lda", "devices --user"):
            seen = len(apple.lines)
            said = page.type(word)
            wait_push(apple, seen)
    key = re.search(r"^([0-9a-f]{12,32}) +alice ", said, flags=re.M)[1]
    assert "200: Apple accepted it" in said

    shutil.copy(host.path("/etc/mailpush/trial/client.pem"), host.path("/root/certificate.pem"))
    shutil.copy(host.path("/etc/mailpush/trial/client.key"), host.path("/root/key.pem"))
    page.type("devices remove", KEY=key)
    assert "trial" not in host.path(CONF).read_text()
    page.type("install -o root", **{"certificate.pem key": "/root/certificate.pem /root/key"})
    assert host.run("runuser", "-u", "mailpush", "--", "mailpushd", "-n").stdout == f"{CONF}: ok\n"
    wait_until(lambda: host.path("/run/mailpush/control").exists(), what="mailpushd")
    assert TOPIC in host.type("mailpushctl status")

    page.type("apt-get purge dovecot-mailpush mailpush")
    assert not page.blocks_left
    wait_until(lambda: host.listens(993), what="Dovecot")
    assert not [path for path in OF_PAGE if host.path(path).exists()]
