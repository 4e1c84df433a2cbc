"""A phone that renews its registration, and what that does to what it is told."""

import notify
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
    # What the registry had when it was locked is a batch, and what came then is the next.
    assert 1 <= len(lines(bare_site, "phone renewed its registration")) <= 2
