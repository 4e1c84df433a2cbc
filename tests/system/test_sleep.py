"""What waits in the queue while its owner's account, or its folder, is deleted."""

import contextlib
import sqlite3

import pytest

import notify
from control import get
from phone import hash_of
from waiting import wait_until


def states(site):
    return [push["state"] for push in get(site.mailpushd, "/queue")["pushes"]]


def wait_states(site, *wanted):
    wait_until(lambda: states(site) == list(wanted), what=f"pushes that are {wanted}")


def apple_is(site, is_away):
    site.sim.control(do="refuse", on=is_away)
    if is_away:
        site.sim.control(do="reset")


def delete(site, user, *folder):
    site.tell(notify.mail(user, *folder, event="MailboxDelete"))


@pytest.fixture
def site(bare_site):
    """With a phone that shows that Apple is back."""
    bare_site.marker = bare_site.registered_phone()
    return bare_site


@pytest.fixture
def suspended_user(site):
    """A phone whose push waited as Apple was away when its account was deleted."""
    phone = site.registered_phone("INBOX", "Notes")
    apple_is(site, True)
    site.deliver(phone.user)
    delete(site, phone.user)
    wait_states(site, "suspended")
    apple_is(site, False)
    return phone


def told_nothing(site, phone):
    for _ in range(2):
        site.deliver(site.marker.user)
        site.told(site.marker, "INBOX")
    wait_states(site, "suspended")
    assert site.new_pushes(phone) == []


@pytest.mark.parametrize("end", [None, "stop", "kill9"])
def test_what_waits_for_an_account_that_is_deleted_is_kept_until_an_event_wakes_it(
        site, suspended_user, end):
    if end:
        getattr(site.mailpushd, end)()
        site.mailpushd.start()
    told_nothing(site, suspended_user)
    assert get(site.mailpushd, "/queue")["pushes"][0]["due"] is None
    site.deliver(suspended_user.user, "Notes")
    site.told(suspended_user, "INBOX", "Notes")
    site.wait_nothing_waits()


def test_a_phone_that_registers_wakes_what_waits_for_the_others(site, suspended_user):
    told_nothing(site, suspended_user)
    second = site.registered_phone(user=suspended_user.user)
    site.told(suspended_user, "INBOX")
    assert second.token != suspended_user.token


def test_an_account_that_woke_while_the_queue_did_not_know_is_found(site, suspended_user):
    """As after a crash between the two."""
    site.mailpushd.stop()
    with contextlib.closing(sqlite3.connect(site.mailpushd.dir / "registry.sqlite")) as registry:
        with registry:
            registry.execute("UPDATE registration SET suspended_ms = 0")
    site.mailpushd.start()
    site.told(suspended_user, "INBOX")


def test_what_waits_for_a_registration_that_is_gone_goes(site, suspended_user):
    site.mailpushd.stop()
    with contextlib.closing(sqlite3.connect(site.mailpushd.dir / "registry.sqlite")) as registry:
        with registry:
            registry.execute("DELETE FROM registration WHERE device_token = ?", (suspended_user.token,))
    site.mailpushd.start()
    site.wait_nothing_waits()


def test_news_of_a_folder_that_is_deleted_goes_and_other_news_stays(site):
    phones = [site.registered_phone("INBOX", "Notes") for _ in range(2)]
    apple_is(site, True)
    for phone in phones:
        site.deliver(phone.user, "Notes")
    site.deliver(phones[0].user)
    for phone in phones:
        delete(site, phone.user, "Notes")
    wait_until(lambda: site.waiting_hashes() == {hash_of("INBOX")}, what="news of INBOX alone")
    wait_until(lambda: len(states(site)) == 1, what="one push")
    apple_is(site, False)
    site.told(phones[0], "INBOX")
    site.deliver(phones[1].user)
    site.told(phones[1], "INBOX")
    assert {len(site.pushes(phone)) for phone in phones} == {2}
