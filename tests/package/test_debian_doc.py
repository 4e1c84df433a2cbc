"""docs/debian.md: typed from its first command to its last, on a fresh system of this release."""

import json
import re
import shutil

import pytest

from docpage import Page
from mailhost import MailHost
from test_package import CONF, TOPIC, left, running
from waiting import wait_until

PAGE = Page("debian.md")
TOKEN = "ab" * 32
# What is there on every Debian that was installed, and not in a minimal system; and what apt-get update
# has done on it.
FRESH = "apt-get update && apt-get install netbase"


class Typist:
    """Whoever follows the page."""

    def __init__(self, host):
        self.host = host
        self.blocks_left = list(PAGE.blocks)

    def type(self, word, **replaced):
        """Type the next block, which has this word in it; what it prints."""
        text = self._next(word)
        for name, to in {"./build-package": "/root", **replaced}.items():
            text = text.replace(name, to)
        # Its exit status is that of the connection's end, which Cyrus may make before it.
        return self.host.type(text, check=not text.startswith("openssl s_client"))

    def leave_out(self, word):
        """The next block, as script/releases has a fresh system build packages, and `packages` has some."""
        self._next(word)

    def _next(self, word):
        block = self.blocks_left.pop(0)
        assert word in block
        return block

    def second_window(self, word):
        return running(self.host, "sh", "-euc", f"exec {self._next(word)}")


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


def test_the_page_leads_from_a_fresh_debian_to_a_push_and_back(host):
    page = Typist(host)
    page.type("cyrus-imapd sasl2-bin")
    before = left(host)
    for word in ("saslpasswd2", "#imaps", "usermod"):
        page.type(word)
    page.leave_out("script/package")
    for word in ("./build-package", "event_notifier: external", "apns-sim --init"):
        page.type(word)
    with page.second_window("--listen") as apple:
        assert page.type("systemctl enable") == f"{CONF}: ok\n"
        wait_until(lambda: host.listens(993) and host.path("/run/mailpush/control").exists(),
                   what="the services")
        assert not re.search("^fail", page.type("mailpushctl doctor"), flags=re.M)

        said = page.type("XAPPLEPUSHSERVICE")
        assert f'"aps-topic" "{TOPIC}"' in said and '"mailbox" "INBOX"' in said and "\nb OK" in said
        push = wait_push(apple)
        assert (push["headers"]["apns-topic"], push["status"]) == (TOPIC, 200)
        for word in ("cyrdeliver", "STORE", "devices --user"):
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
    assert TOPIC in page.type("cert inspect")
    done = host.run("runuser", "-u", "mailpush", "--", "mailpushd", "-n")
    assert (done.stdout, done.stderr) == (f"{CONF}: ok\n", "")
    host.type("systemctl restart mailpush")

    page.type("apt-get purge mailpush\n")
    assert not page.blocks_left
    wait_until(lambda: host.listens(993), what="Cyrus")
    host.run("rm", "-r", "/etc/mailpush")       # what the page leaves to its reader
    assert left(host) == before
