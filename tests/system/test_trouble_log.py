"""What the log tells of pushes that fail, however many do."""

import re
import socket

import pytest

import notify
from control import get
from mailsite import BarePhone, new_user
from test_daemon import AS_ROOT, send_as

LINES = 200         # of pushes that were not taken, in a minute
PHONES = 1500
FAILURES = 3000

KEPT_BACK = 'more of the same what="pushes not taken" count=([0-9]+)'


def register(site, count):
    """Many phones at once: a datagram each."""
    for _ in range(count):
        phone = BarePhone(new_user())
        notify.send(site.mailpushd.notify_socket, notify.datagram(
            notify.registration(phone.user, phone.token, phone.account_id)))


def found(site, pattern):
    return [match for line in site.mailpushd.lines() if (match := re.search(pattern, line))]


@pytest.mark.parametrize("status, reason, text", [
    (503, "ServiceUnavailable", "push not taken"),
    (400, "BadMessageId", "Apple rejects a push as malformed")])
def test_thousands_of_failing_pushes_are_some_lines_and_a_count(bare_site_for, status, reason,
                                                                 text):
    site = bare_site_for(log_level="info", min_interval="1ms", deferred_delay="1ms")
    failures = FAILURES if status == 503 else PHONES
    site.sim.control(do="next", status=status, reason=reason, count=failures)
    register(site, PHONES)
    site.sim.wait_pushes(failures, timeout=60, where=lambda push: push["status"] == status)
    site.wait_nothing_waits()
    assert site.mailpushd.stop() == 0
    written = len(found(site, f"{text}.* status={status} "))
    counts = [int(match[1]) for match in found(site, KEPT_BACK)]
    assert written <= LINES * (len(counts) + 1)
    assert written + sum(counts) == failures


# ---- what others can cause ----

FLOOD = 3000
MALFORMED = notify.request("no event")


def flood_of_refused_registrations(site):
    for _ in range(FLOOD):
        answer = site.ask(notify.registration("mallory", "no token", "A"))
    assert answer.startswith(b"NO ")


def flood_of_malformed_datagrams(site):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(str(site.mailpushd.notify_socket))
        for _ in range(FLOOD):
            sender.send(b"rubbish")


def flood_of_malformed_requests(site):
    for _ in range(FLOOD):
        answer = notify.ask(site.mailpushd.stream_socket, b"rubbish\r\n")
    assert answer.startswith(b"NO ")


def flood_of_renewals(site):
    phone = BarePhone(new_user())
    for _ in range(FLOOD):
        assert site.ask(notify.registration(phone.user, phone.token, phone.account_id)) \
            == b"OK ()\r\n"


@pytest.mark.parametrize("flood", [
    flood_of_refused_registrations, flood_of_malformed_datagrams, flood_of_malformed_requests,
    flood_of_renewals], ids=lambda flood: flood.__name__)
def test_a_flood_is_a_line_and_a_count_and_the_alarm_about_apple_is_there(bare_site_for, flood):
    site = bare_site_for(log_level="info")
    flood(site)
    site.sim.control(do="next", status=403, reason="BadCertificate")
    phone = BarePhone(new_user())
    site.register(phone)
    site.mailpushd.wait_log("Apple refuses pushes: 403 BadCertificate.*state=begins")
    flood(site)
    received = sum(get(site.mailpushd, "/status")["registrations"]["received"].values())
    assert site.mailpushd.stop() == 0
    counts = [int(match[1]) for match in found(site, r"log: more of the same .*count=(\d+)")]
    if flood is flood_of_renewals:
        # Two equal ones in one batch are one: so it is when a slow registry had one parked.
        lines = len(found(site, "registry: phone (registered|renewed)"))
        assert lines < 10 and sum(counts) + lines == received
    else:
        assert sum(counts) == 2 * FLOOD - 1
    assert len(site.mailpushd.lines()) < 60


def test_what_was_kept_back_is_told_while_it_runs(bare_site_for):
    """A minute after the first line, though nothing else comes."""
    site = bare_site_for(log_level="info")
    for _ in range(3):
        assert notify.ask(site.mailpushd.stream_socket, MALFORMED).startswith(b"NO ")
    site.mailpushd.wait_log("log: more of the same .*count=2", timeout=180)


@AS_ROOT
def test_refused_peers_are_a_line_and_a_count(bare_site_for):
    site = bare_site_for(log_level="info", socket_mode="0666", socket_group="")
    site.mailpushd.dir.chmod(0o755)
    site.mailpushd.dir.parent.chmod(0o755)
    for _ in range(10):
        assert send_as("daemon", "SOCK_STREAM", site.mailpushd.stream_socket,
                       MALFORMED) == b'NO "not allowed"\r\n'
    assert site.mailpushd.stop() == 0
    assert len(found(site, "not allowed to send events")) == 1
