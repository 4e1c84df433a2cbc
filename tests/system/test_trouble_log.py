"""What the log tells of pushes that fail, however many do."""

import re

import pytest

import notify
from mailsite import BarePhone, new_user

LINES = 200         # of pushes that were not taken, in 10 s
PHONES = 1500
FAILURES = 3000

KEPT_BACK = "more pushes were not taken count=([0-9]+)"


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
    site = bare_site_for(log_level="info", min_interval="1ms", later_delay="1ms")
    failures = FAILURES if status == 503 else PHONES
    site.sim.control(do="next", status=status, reason=reason, count=failures)
    register(site, PHONES)
    site.sim.wait_pushes(failures, timeout=60, where=lambda push: push["status"] == status)
    site.mailpushd.wait_log(KEPT_BACK, timeout=30)
    site.wait_nothing_waits()
    assert site.mailpushd.stop() == 0
    written = len(found(site, f"{text}.* status={status} "))
    counts = [int(match[1]) for match in found(site, KEPT_BACK)]
    assert written <= LINES * (len(counts) + 1)
    assert written + sum(counts) == failures


def test_what_was_not_written_is_told_at_the_stop(bare_site_for):
    site = bare_site_for(log_level="info", later_delay="1ms")
    site.sim.control(do="next", status=400, reason="BadMessageId", count=LINES + 7)
    register(site, LINES + 7)
    site.sim.wait_pushes(LINES + 7)
    site.wait_nothing_waits()
    assert site.mailpushd.stop() == 0
    assert [int(match[1]) for match in found(site, KEPT_BACK)] == [7]
