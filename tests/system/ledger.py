"""What was acknowledged, and whether a push came of it.

    with Ledger(site) as ledger:            # events come from now on, until the end
        ledger.wait_more()                  # so many more were acknowledged
        ...
    ledger.settle()                         # each has led to its push

Each event is of a mailbox of its own, so that a push tells which events it is of; some are
registrations, whose push names what was registered.
"""

import threading

from mailsite import BarePhone, hashes_of, new_user
from phone import hash_of
from waiting import TIMEOUT, wait_until

PHONES = 4
FOLDERS = 400
# One of so many events is a registration.
REGISTRATIONS = 8
PAUSE_S = 0.01


class Ledger:
    def __init__(self, site):
        self._site = site
        self._phones = [site.registered_phone("INBOX", *folders_of(number)) for number in range(PHONES)]
        self._changed = threading.Condition()
        self._owed = []                     # (phone, mailbox): acknowledged
        self._failure = None
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._has_ended.set()
        self._thread.join()

    def __len__(self):
        with self._changed:
            return len(self._owed)

    def wait_more(self, count=2 * REGISTRATIONS):
        """Until so many more were acknowledged: registrations among them."""
        with self._changed:
            wanted = len(self._owed) + count
            assert self._changed.wait_for(lambda: self._failure or len(self._owed) >= wanted, TIMEOUT)
        assert not self._failure, self._failure

    def settle(self, timeout=TIMEOUT):
        """Wait until all that is owed is paid."""
        assert not self._failure, self._failure
        owed = {}
        for phone, mailbox in self._owed:
            owed.setdefault(phone.token, (phone, set()))[1].add(hash_of(mailbox))

        def unpaid():
            return {token: hashes for token, (phone, of_phone) in owed.items()
                    if (hashes := of_phone - hashes_of(self._pushes(phone)))}
        try:
            wait_until(lambda: not unpaid(), timeout, what="a push for each event that was acknowledged")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {sum(map(len, unpaid().values()))} of {len(self._owed)} are owed") from None

    def _pushes(self, phone):
        return [push for push in self._site.pushes(phone) if push["status"] == 200]

    def _send(self):
        try:
            for number in range(PHONES * FOLDERS):
                if self._has_ended.wait(PAUSE_S):
                    return
                self._enter(*self._event(number))
            raise AssertionError("there are no more folders")
        except BaseException as failure:    # told by whoever waits
            with self._changed:
                self._failure = failure
                self._changed.notify_all()

    def _event(self, number):
        """Send one; who is to be told of what when it is acknowledged."""
        if number % REGISTRATIONS == 0:
            phone = BarePhone(new_user())
            self._site.register(phone)
            return phone, "INBOX"
        phone = self._phones[number % PHONES]
        folder = folders_of(number % PHONES)[number // PHONES]
        self._site.deliver(phone.user, folder)
        return phone, folder

    def _enter(self, phone, mailbox):
        with self._changed:
            self._owed.append((phone, mailbox))
            self._changed.notify_all()


def folders_of(number):
    return [f"F{number}-{i}" for i in range(FOLDERS)]
