"""A phone that renews its registration, and what that does to what it is told."""

import pytest

import notify
from control import get
from mailsite import locked
from waiting import wait_until

RENEWALS = 50


def lines(site, text):
    return [line for line in site.mailpushd.lines() if text in line]


def test_equal_renewals_that_wait_together_are_one_and_tell_nothing(bare_site):
    phone = bare_site.registered_phone("INBOX", "Notes")
    renewal = notify.datagram(notify.registration(
        phone.user, phone.token, phone.account_id, phone.mailboxes))
    with locked(bare_site.mailpushd.dir / "registry.sqlite"):
        for _ in range(RENEWALS):
            notify.send(bare_site.mailpushd.notify_socket, renewal)
        wait_until(lambda: len(lines(bare_site, "event=ApplePushService ")) == 1 + RENEWALS,
                   what="all renewals")
    bare_site.deliver(phone.user, "Notes")
    bare_site.told(phone, "Notes")
    bare_site.mailpushd.wait_log("apns: pushed .* hashes=1 ")
    # What the registry had when it was locked is a batch, and what came then is the next.
    assert 1 <= len(lines(bare_site, "phone renewed its registration")) <= 2


# ---- Apple says that the phone is gone, and it registers ----

LONG_GONE = {"status": 410, "reason": "Unregistered", "timestamp": 1_700_000_000_000}


def wait_state(site, state):
    wait_until(lambda: [push["state"] for push in get(site.mailpushd, "/queue")["pushes"]] == [state],
               what=f"one push that is {state}")


def doubted_phone(site):
    """Apple called it gone after it registered, and a push waits for five minutes."""
    phone = site.registered_phone("INBOX", "Notes")
    site.register(phone)    # the first renewal may be told of all, after a start
    site.sim.control(do="token", token=phone.token, times=1, **LONG_GONE)
    site.deliver(phone.user, "Notes")
    site.mailpushd.wait_log("push not taken .*reason=Unregistered")
    wait_state(site, "waiting")
    assert site.new_pushes(phone) == []
    return phone


def test_a_phone_that_registers_after_apple_saw_it_go_is_pushed_to_at_once(bare_site):
    phone = doubted_phone(bare_site)
    bare_site.register(phone)
    bare_site.told(phone, "Notes")


@pytest.mark.parametrize("end", ["stop", "kill9"])
def test_and_so_is_one_that_registers_after_a_restart(bare_site, end):
    phone = doubted_phone(bare_site)
    getattr(bare_site.mailpushd, end)()
    bare_site.mailpushd.start()
    wait_state(bare_site, "waiting")
    assert bare_site.new_pushes(phone) == []
    bare_site.register(phone)
    bare_site.told(phone, "Notes")


def test_and_so_is_one_that_registers_before_apple_has_answered(bare_site):
    site = bare_site
    phone = site.registered_phone("INBOX", "Notes")
    site.sim.control(do="hold", on=True)
    site.deliver(phone.user, "Notes")
    wait_state(site, "flying")
    site.register(phone)
    site.sim.control(do="token", token=phone.token, times=1, **LONG_GONE)
    site.sim.control(do="hold", on=False)
    site.told(phone, "Notes")
    assert [push["status"] for push in site.pushes(phone)] == [200, 410, 200]
