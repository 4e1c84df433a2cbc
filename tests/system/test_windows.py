"""Pushes of all sizes to an Apple that takes 65,535 bytes of bodies at a time: none ends the daemon."""

import collections
import signal

import notify
from mailsite import BarePhone, hashes_of, new_user
from phone import hash_of
from waiting import wait_until

MANY = ("INBOX", *(f"Folder {i}" for i in range(99)))     # a body of some 3,400 bytes


def register(site, *folders, user=None):
    phone = BarePhone(user or new_user(), folders)
    site.register(phone)
    return phone


def untold(site, phones):
    told = collections.defaultdict(set)
    for push in site.sim.pushes():
        if push["status"] == 200:
            told[push["token"]] |= hashes_of([push])
    return [phone for phone in phones if set(map(hash_of, phone.mailboxes)) - told[phone.token]]


def all_told(site, *phones):
    """Each of them of all that it watches, by the daemon that was started."""
    wait_until(lambda: not untold(site, phones), what="pushes to all phones")
    site.sim.forget()
    assert site.mailpushd.process.poll() is None


def test_one_mail_to_a_user_whose_64_phones_watch_a_hundred_mailboxes_each(bare_site_for):
    site = bare_site_for(min_interval=None, deferred_delay=None)   # as usual: one push takes all along
    user = new_user()
    phones = [register(site, *MANY, user=user) for _ in range(64)]
    small = register(site, "INBOX")
    site.deliver(small.user)
    all_told(site, small)       # a small push is the last that room was reckoned by
    site.deliver(user)
    all_told(site, *phones)


def test_a_queue_of_small_and_large_pushes_when_apple_is_back(bare_site, apns_folder):
    site, port = bare_site, bare_site.sim.port
    site.sim.stop()
    phones = [register(site, *MANY[:61 if i % 2 else 1]) for i in range(400)]
    for phone in phones:
        site.deliver(phone.user)
    site.mailpushd.kill9()
    site.sim.start(apns_folder, port=port)
    site.mailpushd.start()
    all_told(site, *phones)


def test_deliveries_while_apple_is_stopped(bare_site):
    site = bare_site
    phones = [register(site, *MANY[:21 if i % 3 == 0 else 1]) for i in range(700)]
    all_told(site, *phones)
    site.sim.process.send_signal(signal.SIGSTOP)
    for phone in phones:
        for folder in phone.mailboxes:
            notify.send(site.mailpushd.notify_socket,
                        notify.datagram(notify.mail(phone.user, *[folder][folder == "INBOX":])))
    site.deliver(phones[-1].user)
    site.sim.process.send_signal(signal.SIGCONT)
    all_told(site, *phones)
