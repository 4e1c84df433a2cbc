"""Pushes of all sizes to an Apple that takes 65,535 bytes of bodies at a time: none ends the daemon."""

import signal

from mailsite import BarePhone, new_user

# The usual settings, not the short ones of other tests.
USUAL = {"min_interval": None, "later_delay": None}
MANY = ("INBOX", *(f"Folder {i}" for i in range(99)))     # a body of some 3,400 bytes


def told_all(site, phones, names):
    """Each of them was told of all that, and the daemon is the one that was started."""
    for phone in phones:
        site.told(phone, *names)
    assert site.mailpushd.process.poll() is None


def test_one_mail_to_a_user_whose_64_phones_watch_a_hundred_mailboxes_each(bare_site_for):
    site = bare_site_for(**USUAL)
    user = new_user()
    phones = [BarePhone(user, MANY) for _ in range(64)]
    for phone in phones:
        site.register(phone)
    site.deliver(user)
    told_all(site, phones, MANY)
