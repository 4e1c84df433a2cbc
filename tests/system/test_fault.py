"""A daemon that dies in each of its lives, behind the tenth push or with one: all others are told."""

import contextlib
import itertools
import math
import signal

import pytest

from mailsite import BarePhone, new_user
from waiting import wait_until

PHONES = 40
FAULT = 10      # behind so many pushes
# Of those handed over half are settled, one aside, or fewer on a disk that is slow: a life leaves 1 to
# 9 fewer to the next one, and the last has too few to die of.
SETTLED_LEAST, SETTLED_MOST = 1, FAULT - 1
LIVES_LEAST = math.ceil((PHONES - SETTLED_MOST) / SETTLED_MOST) + 1
LIVES_MOST = math.ceil((PHONES - SETTLED_MOST) / SETTLED_LEAST) + 1


@pytest.fixture
def faulty(build):
    return build / "tests" / "system" / "mailpushd-faulty"


@pytest.fixture
def full_site_for(bare_site, apns_folder, faulty):
    """full_site_for(n): PHONES are to be told, the first n of them at once as they have mail, and the
    next lives are those of a daemon with a fault."""
    def make(urgent=PHONES):
        return fill(bare_site, apns_folder, faulty, urgent)
    return make


@pytest.fixture
def full_site(full_site_for):
    return full_site_for()


def fill(site, apns_folder, faulty, urgent):
    port = site.sim.port
    site.sim.stop()
    site.phones = [BarePhone(new_user()) for _ in range(PHONES)]
    for i, phone in enumerate(site.phones):
        site.register(phone)
        if i < urgent:
            site.deliver(phone.user)
    site.mailpushd.kill9()
    site.sim.start(apns_folder, port=port)
    site.mailpushd.program = faulty
    return site


def live(site):
    """One life; returns whether it ended by its fault, with something left to tell."""
    daemon = site.mailpushd
    with contextlib.suppress(RuntimeError):     # it may die before it is seen to be ready
        daemon.start()
        wait_until(lambda: daemon.process.poll() is not None or not site.waiting_hashes(),
                   what="the end of the daemon or of its queue")
    if daemon.process and daemon.process.poll() is None:
        return False
    return daemon.kill() in (-signal.SIGABRT, None)


@pytest.mark.parametrize("fault", ("PUSH", "TOLD"))
def test_each_life_goes_on_where_the_former_one_died(full_site, fault):
    full_site.mailpushd.wrapper = ["env", f"MAILPUSH_FAULT_{fault}={FAULT}"]
    lives = next(n for n in itertools.count(1) if not live(full_site))
    assert LIVES_LEAST <= lives <= LIVES_MOST
    for phone in full_site.phones:
        full_site.told_inbox(phone)


@pytest.mark.parametrize("urgent", (PHONES, 1))
def test_a_push_that_is_deadly_keeps_no_other_from_being_pushed(full_site_for, urgent):
    """Of all that are urgent, or the only urgent one beside those that are deferred."""
    site = full_site_for(urgent)
    deadly, *others = site.phones
    site.mailpushd.wrapper = ["env", f"MAILPUSH_FAULT_TOKEN={deadly.token}"]
    while not all(site.new_pushes(phone) for phone in others):
        assert live(site)
