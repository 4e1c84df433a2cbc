"""Whoever sets the wall clock delays nothing, loses nothing and costs nobody a registration."""

import pytest

import apnssim
import notify
from apnssim import token_key
from control import get
from mailsite import BarePhone, locked, new_user
from test_held import wait_waiting
from waiting import wait_until
from wallclock import WallClock

JUMPS = ["+5h", "-5h", "+90d", "-90d"]
BEYOND_CERTIFICATES = "+900d"
YEAR_S = 365 * 24 * 60 * 60


@pytest.fixture
def clock(tmp):
    return WallClock(tmp)


@pytest.fixture
def clock_site(bare_site_for, clock):
    """With a certificate that is good by every clock that is set here."""
    site = bare_site_for(start=False)
    use_certificate(site, site.sim.add_client("for-years", apnssim.TOPIC, "--seconds",
                                              f"{-YEAR_S}:{10 * YEAR_S}"))
    clock.under(site.mailpushd)
    site.mailpushd.start()
    site.mailpushd.wait_log("debug registry: tidied")
    return site


def use_certificate(site, files):
    site.mailpushd.credentials["main"] = dict(zip(("certificate", "key"), files))
    site.mailpushd.write_conf()


def set_clock(site, clock, offset):
    """While mailpushd runs, and until it has seen it."""
    since = len(site.mailpushd.lines())
    clock.set(offset)
    site.mailpushd.wait_log("the clock was set", since=since)
    site.mailpushd.wait_log("registry: tidied", since=since)


def all_are_told(site, phones):
    for phone in phones:
        site.deliver(phone.user)                                            # at once
        site.tell(notify.mail(phone.user, "Notes", event="MessageRead"))    # later
    for phone in phones:
        site.told(phone, "INBOX", "Notes")
    site.wait_nothing_waits()


@pytest.mark.parametrize("offset", JUMPS)
def test_a_clock_that_is_set_while_it_runs_costs_nothing(clock_site, clock, offset):
    site = clock_site
    phones = [site.registered_phone("INBOX", "Notes") for _ in range(3)]
    before = sorted(site.registrations())
    set_clock(site, clock, offset)
    all_are_told(site, phones)
    phones.append(site.registered_phone("INBOX", "Notes"))
    site.register(phones[0])                    # renews by the wrong clock
    all_are_told(site, phones)
    set_clock(site, clock, "+0s")
    all_are_told(site, phones)
    site.register(phones[1])                    # and by the right one
    site.mailpushd.restart()
    site.mailpushd.wait_log("registry: tidied", since=site.mailpushd.start_line)
    all_are_told(site, phones)
    assert sorted(site.registrations()) == sorted([*before, phones[3].token])


@pytest.mark.parametrize("offset", JUMPS)
def test_a_clock_that_is_set_between_two_runs_costs_nothing(clock_site, clock, offset):
    site = clock_site
    phones = [site.registered_phone("INBOX", "Notes") for _ in range(3)]
    tokens = sorted(site.registrations())
    site.sim.stop()
    for phone in phones:
        site.deliver(phone.user)
    site.mailpushd.stop()
    clock.set(offset)
    site.mailpushd.start()
    site.register(phones[0])
    site.mailpushd.wait_log("registry: tidied", since=site.mailpushd.start_line)
    for phone in phones:
        site.tell(notify.mail(phone.user, "Notes", event="MessageRead"))
    site.mailpushd.stop()
    clock.set("+0s")
    site.sim.start(site.sim.dir, port=site.sim.port)
    site.mailpushd.start()
    site.register(phones[1])
    for phone in phones:
        site.told(phone, "INBOX", "Notes")
    site.mailpushd.wait_log("registry: tidied", since=site.mailpushd.start_line)
    all_are_told(site, phones)
    assert sorted(site.registrations()) == tokens


def test_what_waits_by_a_clock_that_was_ahead_is_pushed_at_once_by_the_right_one(clock_site, clock):
    """Its due time lies months ahead then."""
    site = clock_site
    phone = site.registered_phone("INBOX", "Notes")
    set_clock(site, clock, "+90d")
    site.sim.control(do="refuse", on=True)
    site.deliver(phone.user)
    site.tell(notify.mail(phone.user, "Notes", event="MessageRead"))
    site.mailpushd.stop()
    clock.set("+0s")
    site.sim.control(do="refuse", on=False)
    site.mailpushd.start()
    site.told(phone, "INBOX", "Notes")


def test_a_certificate_that_looks_expired_holds_pushes_until_the_clock_is_right(clock_site, clock):
    """From the start on: neither ours nor Apple's is good.  mailpush.conf is not read again for that."""
    site = clock_site
    phone = site.registered_phone()
    site.mailpushd.stop()
    use_certificate(site, (site.sim.client_cert, site.sim.client_key))
    clock.set(BEYOND_CERTIFICATES)
    site.mailpushd.start()
    site.mailpushd.wait_log("expired on .*alarm=credential-dates:main state=begins")
    site.deliver(phone.user)
    wait_until(lambda: get(site.mailpushd, "/status")["queue"]["pushes"] == 1, what="the push")
    assert site.new_pushes(phone) == []
    site.mailpushd.conf.write_text(site.mailpushd.conf.read_text() + "half writ")
    set_clock(site, clock, "+0s")
    site.mailpushd.wait_log("alarm=credential-dates:main state=ends")
    site.told(phone, "INBOX")
    assert [line for line in site.mailpushd.lines() if "alarm=reload" in line] == []


def test_a_held_credential_recovers_by_a_probe(clock_site, clock):
    """It comes each five minutes, and when the clock was set."""
    site = clock_site
    phones = [site.registered_phone() for _ in range(3)]
    site.sim.control(do="next", status=403, reason="BadCertificate")
    site.deliver(phones[0].user)
    site.mailpushd.wait_log("Apple refuses pushes: 403 BadCertificate.*alarm=apns:main state=begins")
    for phone in phones[1:]:
        site.deliver(phone.user)
    wait_waiting(site, len(phones))
    status = get(site.mailpushd, "/status")
    assert status["credentials"][0]["held"]
    assert (status["queue"]["pushes"], status["queue"]["in_flight"]) == (3, 0)
    set_clock(site, clock, "+5h")
    for phone in phones:
        site.told(phone, "INBOX")
    site.mailpushd.wait_log("alarm=apns:main state=ends")
    assert not get(site.mailpushd, "/status")["credentials"][0]["held"]


def test_apples_certificate_that_looks_expired_holds_pushes_until_the_clock_is_right(
        clock_site, clock):
    """Ours was good when it was read, and stays in use."""
    site = clock_site
    phone = site.registered_phone()
    site.sim.stop()
    set_clock(site, clock, BEYOND_CERTIFICATES)
    site.sim.start(site.sim.dir, port=site.sim.port)
    site.deliver(phone.user)
    site.mailpushd.wait_log("certificate.*alarm=apns:main state=begins")
    wait_until(lambda: get(site.mailpushd, "/status")["queue"]["pushes"] == 1, what="the push")
    assert site.new_pushes(phone) == []
    set_clock(site, clock, "+0s")
    site.told(phone, "INBOX")
    site.mailpushd.wait_log("alarm=apns:main state=ends")


@pytest.mark.parametrize("offset", ["-5h", "+5h"])
def test_a_provider_token_made_by_a_wrong_clock_is_made_again_by_the_right_one(
        clock_site, clock, offset):
    """Apple refuses it: it seems to have expired, or to be from the future."""
    site = clock_site
    phone = site.registered_phone()
    site.sim.control(do="provider", update_least_ms=0)
    site.mailpushd.stop()
    site.mailpushd.credentials["main"] = token_key(site.sim)
    site.mailpushd.write_conf()
    clock.set(offset)
    site.mailpushd.start()
    site.deliver(phone.user)
    site.mailpushd.wait_log("Apple refuses pushes: 403 .*ProviderToken.*state=begins")
    set_clock(site, clock, "+0s")
    site.told(phone, "INBOX")
    site.mailpushd.wait_log("alarm=apns:main state=ends")


def test_a_provider_token_that_is_old_by_a_clock_that_is_set_is_used_no_more(clock_site, clock):
    """Apple is not asked first: it was told the right time for as long as the token is young."""
    site = clock_site
    site.sim.control(do="provider", update_least_ms=0, lifetime_ms=24 * 60 * 60 * 1000)
    site.mailpushd.stop()
    site.mailpushd.credentials["main"] = token_key(site.sim)
    site.mailpushd.write_conf()
    clock.set("-5h")
    site.mailpushd.start()
    phone = site.registered_phone()
    site.deliver(phone.user)
    before = site.told(phone, "INBOX")[-1]
    set_clock(site, clock, "+0s")
    site.deliver(phone.user)
    after = site.told(phone, "INBOX")[-1]
    assert before["provider_iat"] + 4 * 60 * 60 < after["provider_iat"]


def test_events_parked_by_another_clock_are_taken_in(clock_site, clock):
    site = clock_site
    phone = BarePhone(new_user(), ("INBOX", "Notes"))
    set_clock(site, clock, "+90d")
    with locked(site.mailpushd.dir / "registry.sqlite"):
        site.register(phone)
        site.mailpushd.kill9()
    clock.set("+0s")
    site.mailpushd.start()
    site.told(phone, "INBOX", "Notes")
