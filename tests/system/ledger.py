"""What was acknowledged, and whether a push came of it.

    with Ledger(site) as ledger:            # events come from now on, until the end
        ledger.wait_more()                  # so many more were acknowledged
        ...
    ledger.settle()                         # each has led to its push

Each event is of a mailbox of its own, so that a push tells which events it is of; some are
registrations, whose push names what was registered.  Whoever has events come by themselves writes
them into Entries.
"""

import threading

import notify
from mailsite import BarePhone, hashes_of, new_user
from phone import hash_of
from waiting import TIMEOUT, wait_until

PHONES = 4
FOLDERS = 400
# One of so many events is a registration.
REGISTRATIONS = 8
PAUSE_S = 0.01


class Entries:
    """The book itself.  It is begun when what was registered before has been told."""

    def __init__(self, sim):
        self._sim = sim
        self._before = len(sim.pushes())
        self._changed = threading.Condition()
        self._acknowledged = []             # (phone, mailbox)
        self._failure = None

    def __len__(self):
        with self._changed:
            return len(self._acknowledged)

    def enter(self, phone, mailbox):
        with self._changed:
            self._acknowledged.append((phone, mailbox))
            self._changed.notify_all()

    def fail(self, failure):
        """To be told by whoever waits."""
        with self._changed:
            self._failure = failure
            self._changed.notify_all()

    def wait_more(self, count=2 * REGISTRATIONS):
        """Until so many more were acknowledged: registrations among them."""
        with self._changed:
            wanted = len(self._acknowledged) + count
            assert self._changed.wait_for(lambda: self._failure or len(self._acknowledged) >= wanted, TIMEOUT)
        assert not self._failure, self._failure

    def settle(self, timeout=TIMEOUT):
        """Wait until all that is owed is paid."""
        assert not self._failure, self._failure
        wait_until(lambda: not self.owed(), timeout, what="a push for each event that was acknowledged")

    def owed(self):
        """What was acknowledged, and not told so far."""
        paid = {}
        for push in self._sim.pushes()[self._before:]:
            if push["status"] == 200:
                paid.setdefault(push["token"], set()).update(hashes_of([push]))
        with self._changed:
            acknowledged = list(self._acknowledged)
        return [(phone, mailbox) for phone, mailbox in acknowledged
                if hash_of(mailbox) not in paid.get(phone.token, ())]


class Ledger(Entries):
    def __init__(self, site):
        self._site = site
        self._phones = [site.registered_phone("INBOX", *folders_of(number)) for number in range(PHONES)]
        super().__init__(site.sim)          # what registers from now on is named by the push that proves it
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._has_ended.set()
        self._thread.join()

    def _send(self):
        try:
            number = 0
            while not self._has_ended.wait(PAUSE_S):
                self.enter(*self._event(number))
                number += 1
        except BaseException as failure:
            self.fail(failure)

    def _event(self, number):
        """Send one; who is to be told of what when it is acknowledged."""
        if number % REGISTRATIONS == 0 or number >= PHONES * FOLDERS:
            phone = BarePhone(new_user())
            self._site.register(phone)
            return phone, "INBOX"
        phone = self._phones[number % PHONES]
        folder = folders_of(number % PHONES)[number // PHONES]
        # A mailbox keeps its id: two with one id would be one that was renamed.
        self._site.tell(notify.mail(phone.user, folder, mailboxID=hash_of(folder)[:24]))
        return phone, folder


def folders_of(number):
    return [f"F{number}-{i}" for i in range(FOLDERS)]
