"""docs/helpdesk.md: its commands, typed as they stand there, print what it says."""

import json
import re
import subprocess
import time

import pytest

from apnssim import TOPIC
from control import ctl_binary
from docpage import Page, check_exercised
from mailserver import MailServer
from test_trace import wait_entry
from test_user_settings import with_sections
from waiting import wait_until

PAGE = Page("helpdesk.md")
ADDRESS = "postmaster@example.com"

# Of each block a word, and the story that types or compares it.
EXERCISED = {
    "mailpushctl trace alice --since 1d": "never_registered",
    "--problems": "never_registered",
    "nothing is known": "never_registered",
    "fail user": "never_registered",
    "registration forgotten": "forgotten",
    "stopped: DeviceTokenNotForTopic": "the_topic_changed",
    "active, renewed 3 h ago\n": "accepted",
    "mailpushctl push alice": "accepted",
    "6f0c1d52a1b2 200": "accepted",
    "What to do:": "certificate",
    "mailpushctl cert check": "certificate",
    "valid for another 13 days": "certificate",
    "valid for another 364 days": "certificate",
    "user_settings": "mail_bombed",
    "mailpushctl trace alice --since 1h": "mail_bombed",
    "limited, due": "mail_bombed",
    "mailpushctl devices --user alice": "mail_bombed",
    "BOXES": "mail_bombed",
    "mailpushctl queue drop": "mail_bombed",
    "1 push dropped": "mail_bombed",
    "user export": "all_data",
    "user remove alice\n": "all_data",
    "nothing was removed": "all_data",
    "user remove alice --yes": "all_data",
    "removed: 1\n": "all_data",
}


def test_no_block_stands_there_that_no_story_uses():
    check_exercised(PAGE, EXERCISED, __file__)


# ---- typing and comparing ----

# What differs each time: as it stands in the page, and as it may be.
VARIES = [
    (r"\b\d\d:\d\d:\d\d\b", r"\d\d:\d\d:\d\d"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", r"[0-9a-f-]{36}"),
    (r"\b\d{4}-\d\d-\d\d\b", r"\d{4}-\d\d-\d\d"),
    (r"\b\d\d:\d\d UTC\b", r"\d\d:\d\d UTC"),
    (r"\b2799223d\b", r"[0-9a-f]{8}"),
    (r"\b6f0c1d52a1b2\b", r"[0-9a-f]{12}"),
    (r"\b3 h ago\b|\b4 s ago\b", r"(?:\d+ (?:s|min) ago|just now)"),
    (r"\(17 more", r"\(\d+ more"),
    (r"\b36\d days", r"36\d days"),
    (r"/etc/mailpush/certificate\.pem", r"\S+\.pem"),
]


def pattern_of(line):
    """A regular expression for a line of the page; `...` stands for anything, columns for any width."""
    pattern = ""
    while line:
        found = [(match.start(), -match.end(), match.end(), of)
                 for given, of in VARIES if (match := re.search(given, line))]
        start, _, end, of = min(found, default=(len(line), 0, len(line), ""))
        pattern += re.escape(line[:start]) + of
        line = line[end:]
    pattern = re.sub(r"(?:\\ ){2,}", r" {2,}", pattern)
    return re.sub(r"(?<!8\})\\\.\\\.\\\.", ".*", pattern)


def prints(word, said, user=None):
    """The lines of this block stand in what was printed, in their order, and nothing between them but where `...` is.

    Nor a new day: the line that begins it is left out.
    """
    said = re.sub(r"^\w{3} \d{4}-\d\d-\d\d\n", "", said, flags=re.M)
    text = PAGE.block(word)
    lines = (text.replace("alice", user) if user else text).rstrip("\n").split("\n")
    pattern = "^"
    for line in lines:
        pattern += r"(?:.*\n)*?" if line == "..." else pattern_of(line) + r" *\n"
    assert re.search(pattern, said, flags=re.M), f"{pattern}\n{said}"


@pytest.fixture
def type_(tmp):
    """type_(site, word, user): run a block as a shell does; returns what it prints, errors too."""
    def run(site, word, user, status=0):
        text = PAGE.block(word).replace("alice", user)
        text = re.sub(r"^systemctl .*\n", "", text, flags=re.M)
        # Anybody else's mailpush.conf is in /etc.
        text = text.replace("doctor ", f"doctor --config {site.mailpushd.conf} ")
        text = re.sub(r"^mailpushctl", f"{ctl_binary()} --socket {site.mailpushd.control_socket}", text,
                      flags=re.M)
        done = subprocess.run(["sh", "-euc", text], cwd=tmp, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60)
        assert done.returncode == status, done.stdout
        return done.stdout
    return run


@pytest.fixture
def phone(site):
    """Of a user whose mail was pushed."""
    phone = site.registered_phone(site.create_user(), "INBOX")
    wait_entry(site, phone.user, kind="push")
    return phone


def mail_that_apple_answers(site, phone, **answer):
    """When min_interval is over since the registration's push: what comes before rests, as no story tells."""
    wait_until(lambda: time.time() * 1000 > site.pushes(phone)[-1]["time_ms"] + 100, what="min_interval")
    if answer:
        site.sim.control(do="token", token=phone.token, times=1, **answer)
    site.deliver(phone.user)


SILENT = "mailpushctl trace alice --since 1d"


# ---- no chime since yesterday ----

def test_the_phone_never_registered(site, type_):
    user = site.create_user()
    site.deliver(user)
    prints("nothing is known", type_(site, SILENT, user, status=1), user)
    said = type_(site, "--problems", user, status=1)
    prints("fail user", said, user)
    assert said.index("fail user") == 0


def test_the_phone_was_forgotten(site, type_, phone):
    mail_that_apple_answers(site, phone, status=410, reason="Unregistered")
    wait_entry(site, phone.user, kind="forgotten")
    prints("registration forgotten", type_(site, SILENT, phone.user), phone.user)


def test_the_topic_changed(site, type_, phone):
    mail_that_apple_answers(site, phone, status=400, reason="DeviceTokenNotForTopic")
    wait_entry(site, phone.user, kind="push", what="stop")
    wait_until(lambda: "stopped: " in type_(site, SILENT, phone.user), what="the stop")
    prints("stopped: DeviceTokenNotForTopic", type_(site, SILENT, phone.user), phone.user)
    phone.register("INBOX")                     # as Mail does when it is opened
    wait_until(lambda: "  active, renewed" in type_(site, SILENT, phone.user), what="the renewal")
    site.deliver(phone.user)
    site.told_inbox(phone)


def test_apple_accepted_all(site, type_, phone):
    mail_that_apple_answers(site, phone)
    site.told_inbox(phone)
    wait_until(lambda: type_(site, SILENT, phone.user).count("Apple accepted it") == 2, what="the answer")
    prints("active, renewed 3 h ago\n", type_(site, SILENT, phone.user), phone.user)
    prints("6f0c1d52a1b2 200", type_(site, "mailpushctl push alice", phone.user), phone.user)
    site.told_inbox(phone)


# ---- a certificate ----

def test_a_certificate_runs_out(site_for, type_):
    with MailServer() as server:
        site = site_for(start=False, alarm_mail=ADDRESS, alarm_mail_server=f"127.0.0.1:{server.port}")
        certificate, key = site.sim.add_client("ends", TOPIC, "--days", "14")
        site.mailpushd.credentials["main"] = {"certificate": certificate, "key": key}
        site.mailpushd.write_conf()
        site.mailpushd.start()
        [message] = server.wait(1)
        assert message["To"] == ADDRESS
        text = " ".join(message.get_content().split())
        written = " ".join(PAGE.block("What to do:").split())
        assert re.search(pattern_of(written), text), f"{written}\n{text}"
        prints("valid for another 13 days", type_(site, "mailpushctl cert check", "alice"))
        fresh, fresh_key = site.sim.add_client("renewed", TOPIC, "--days", "365")
        for old, new in ((key, fresh_key), (certificate, fresh)):
            new.replace(old)
        site.mailpushd.wait_log("alarm=credential-expiry:main state=ends")
        prints("valid for another 364 days", type_(site, "mailpushctl cert check", "alice"))


# ---- a flood ----

def test_a_user_is_mail_bombed(site, type_):
    user = site.create_user()
    with_sections(site, PAGE.block("user_settings").replace("alice", user).replace("= 6", "= 1"))
    phone, other = (site.registered_phone(name, "INBOX") for name in (user, site.create_user()))
    for _ in range(5):
        site.deliver(phone.user)
    site.deliver(other.user)
    site.told_inbox(other)                      # is served as before
    said = wait_until(lambda: "limited until" in (said := type_(site, "mailpushctl trace alice --since 1h",
                                                                phone.user)) and said, what="the limit")
    prints("limited, due", said, phone.user)
    prints("BOXES", type_(site, "mailpushctl devices --user alice", phone.user), phone.user)
    prints("1 push dropped", type_(site, "mailpushctl queue drop", phone.user))


# ---- data ----

def test_a_user_asks_for_all_data(site, type_, phone, tmp):
    other = site.registered_phone(site.create_user(), "INBOX")
    type_(site, "user export", phone.user)
    known = json.loads((tmp / f"{phone.user}.json").read_text())
    assert [device["token"] for device in known["devices"]] == [phone.token]
    assert known["trace"] and set(known) == {"user", "devices", "forgotten", "pushes", "trace"}
    said = type_(site, "user remove alice\n", phone.user, status=2)
    for line in PAGE.block("nothing was removed").rstrip("\n").split("\n"):
        assert line in said
    prints("removed: 1\n", type_(site, "user remove alice --yes", phone.user))
    assert "nothing is known of a user" in type_(site, "user export", phone.user, status=1)
    known = json.loads((tmp / f"{phone.user}.json").read_text())
    assert [len(known[key]) for key in ("devices", "forgotten", "pushes", "trace")] == [0, 0, 0, 0]
    assert site.registrations() == [other.token]
