"""Memory and CPU time while Apple takes nothing: bounded by the phones, whatever happens in the mailboxes.

Memory is compared before and after a flood of news for the same phones, CPU time with that of a
daemon in peace in the same seconds.
"""

import os
import re
import shutil
import socket

import pytest

import notify
from apnssim import ApnsSim
from control import get
from dovecot import sanitizer
from mailsite import BarePhone, BareSite, new_user
from waiting import wait_until

PHONES = 2000
ROUNDS = 10                 # of news for all of them, in one flood
# For a push that waits or flies; a sanitizer adds to each block, and gives back less.
MOST_KB_A_PHONE = 12 if sanitizer() else 8
MOST_BYTES_AN_EVENT = 100   # less than any of the structures that an event passes through
MOST_OF_PEACE = 5           # times the CPU time of a daemon with nothing to do
FLOODS = 4                  # after the first
SETTLED = 60

# Freed memory is given back and not kept to find those who use it.
LEAN = {"ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:quarantine_size_mb=0"}

STATES = {
    "away": [{"do": "refuse", "on": True}, {"do": "reset"}],
    "silent": [{"do": "silence", "on": True}],
    "overloaded": [{"do": "next", "status": 503, "reason": "ServiceUnavailable",
                    "retry_after": "3600", "count": 10 ** 9}],
    "refusing the credential": [{"do": "next", "status": 403, "reason": "BadCertificate",
                                 "count": 10 ** 9}],
    "opening no window": [{"do": "settings", "initial_window_size": 0}],
    "answering no push, one stream at a time": [{"do": "settings", "max_concurrent_streams": 1},
                                                {"do": "hold", "on": True}],
    "allowing no stream": [{"do": "settings", "max_concurrent_streams": 0}],
}


class Crowd:
    """A site with many phones, which the test floods with news."""

    def __init__(self, site):
        self.site = site
        self.phones = [BarePhone(new_user(), ("INBOX", "Notes")) for _ in range(PHONES)]
        self.events = 0
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.connect(str(site.mailpushd.notify_socket))

    def status(self):
        return get(self.site.mailpushd, "/status")

    def flying(self):
        return self.status()["queue"]["in_flight"]

    def taken(self):
        return sum(ending["count"] for ending in self.status()["pushes"]["by"] if ending["status"] == 200)

    def register(self):
        self._send(notify.registration(phone.user, phone.token, phone.account_id, phone.mailboxes)
                   for phone in self.phones)
        wait_until(lambda: self.status()["queue"]["pushes"] == 0, SETTLED, "all phones told")

    def flood(self):
        for number in range(ROUNDS):
            folder = ("Notes",) if number % 2 else ()
            self._send(notify.mail(phone.user, *folder) for phone in self.phones)

    def _send(self, events):
        for event in events:
            self.socket.send(notify.datagram(event))
            self.events += 1
        wait_until(self._has_taken_all, SETTLED, "all events taken in")

    def _has_taken_all(self):
        status = self.status()
        return (status["events"]["total"] == self.events and status["events"]["waiting"] == 0
                and status["queue"]["storing"] == 0)


@pytest.fixture
def crowd(mailpushd, sim, imapd_conf):
    daemon = mailpushd(imapd_conf=imapd_conf, log_level="info", start=False)
    daemon.wrapper = ["env", *(f"{name}={value}" for name, value in LEAN.items())]
    crowd = Crowd(BareSite(daemon.start(), sim))
    crowd.register()
    yield crowd
    crowd.socket.close()


@pytest.fixture
def peace(mailpushd, apns_folder, imapd_conf, tmp):
    """Another site, with an Apple of its own that is well."""
    folder = shutil.copytree(apns_folder, tmp / "peace", ignore=shutil.ignore_patterns("control"))
    with ApnsSim().start(folder) as sim:
        site = BareSite(mailpushd(imapd_conf=imapd_conf, apns_port=sim.port, log_level="info",
                                  deferred_delay="3s"), sim)
        site.registered_phone()
        yield site


def memory_kb(daemon):
    """What is the process' own: no file that it has mapped."""
    with open(f"/proc/{daemon.process.pid}/status") as file:
        return int(re.search(r"RssAnon:\s+(\d+) kB", file.read())[1])


def cpu_ns(daemon):
    """Of all its threads."""
    tasks = f"/proc/{daemon.process.pid}/task"
    total = 0
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total


def shrinks_to(daemon, limit_kb, what):
    """Batches on their way come on top for a moment."""
    try:
        wait_until(lambda: memory_kb(daemon) <= limit_kb(), what=what)
    except TimeoutError as error:
        raise AssertionError(f"{error}: {memory_kb(daemon)} kB, not {limit_kb()} kB") from None


def is_as_in_peace(held, peace):
    """Compare them for as long as it takes the one in peace to tell a phone, deferred_delay and more."""
    phone = BarePhone(new_user())
    before = cpu_ns(held), cpu_ns(peace.mailpushd)
    peace.register(phone)
    peace.next_push(phone)
    used = cpu_ns(held) - before[0], cpu_ns(peace.mailpushd) - before[1]
    return used[0] <= MOST_OF_PEACE * used[1]


@pytest.mark.parametrize("state", STATES)
def test_what_waits_is_bounded_by_the_phones_and_waits_at_rest(crowd, peace, sim, state):
    daemon = crowd.site.mailpushd
    at_first_kb, taken_at_first = memory_kb(daemon), crowd.taken()
    for command in STATES[state]:
        sim.control(**command)

    def for_the_phones():
        return at_first_kb + PHONES * MOST_KB_A_PHONE

    crowd.flood()
    shrinks_to(daemon, for_the_phones, "memory for what waits")
    # A heap reaches its size in one flood or two; what grows with the events grows with each.
    for floods_left in reversed(range(FLOODS)):
        before_kb, flying_then = memory_kb(daemon), crowd.flying()

        def for_the_phones_alone():
            # What flies by now and did not then takes more than what waits.
            more_flying = max(0, crowd.flying() - flying_then)
            return (before_kb + more_flying * MOST_KB_A_PHONE
                    + PHONES * ROUNDS * MOST_BYTES_AN_EVENT // 1024)

        crowd.flood()
        shrinks_to(daemon, for_the_phones, "memory for the same phones after as much news again")
        try:
            shrinks_to(daemon, for_the_phones_alone, "memory that does not grow with the events")
            break
        except AssertionError:
            if not floods_left:
                raise

    def waits_for_each():
        # Before the settings of a new connection come, Apple may take some.
        taken = crowd.taken() - taken_at_first
        return PHONES - taken <= crowd.status()["queue"]["pushes"] <= PHONES

    # What was acknowledged may also be: parked, for a moment.
    wait_until(waits_for_each, what="a push for each phone")
    # What Apple never answers is given up in between, which is work.
    wait_until(lambda: is_as_in_peace(daemon, peace), SETTLED, "CPU time as in peace")
    sim.control(do="clear")
