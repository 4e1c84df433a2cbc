"""A life to be recorded: some hundred events of all kinds, through every door, by a seed.

    life = Life(folder, apns_folder, seed)
    life.live(events=300)                   # life.record has it, and the files are in life.data

The programs are those that are shipped; each runs under the recorder, Apple's stand-in too, so that
what it took stands in the record before its answer leaves.
"""

import concurrent.futures
import os
import pathlib
import random
import shutil
import socket

import notifier
import notify
from apnssim import TOPIC, ApnsSim
from cyrus import SERVERNAME
from demands import ACKNOWLEDGED
from mailpushd import Mailpushd
from mailsite import BarePhone, locked
from phone import hash_of
from record import Record
from waiting import TIMEOUT

APPLE = "apple"                             # the file of data that Apple's stand-in writes to
USERS = [f"user{n}" for n in range(6)]
FOLDERS = ("INBOX", "Notes", "Archive")
SETTINGS = {"min_interval": "20ms", "deferred_delay": "50ms", "ack_timeout": "25s",
            "log_level": "info"}

# What happens, how often in a hundred steps.
STEPS = {"mail": 41, "change": 12, "burst": 10, "renew": 10, "keep": 10, "delete": 4, "swell": 3,
         "replace": 3, "refuse": 2, "delay": 2, "park": 2, "kill": 1}
MANY = 900                                  # mailboxes, and ...
PADDING = "x" * 900_000                     # ... an event: SQLite's logs grow until they begin anew


def daemon_on(folder, data, sim, **settings):
    """A daemon whose files are in data, and everything else that it has in folder."""
    folder.mkdir(parents=True, exist_ok=True)
    imapd_conf = folder / "imapd.conf"
    imapd_conf.write_text(f"servername: {SERVERNAME}\naltnamespace: yes\nunixhierarchysep: yes\n"
                          f"virtdomains: off\naps_topic: {TOPIC}\n")
    return Mailpushd(folder, None, sim, imapd_conf=imapd_conf,
                     registry=f"sqlite:{data}/registry.sqlite", queue=data / "queue.sqlite",
                     spool_dir=data / "spool", **{**SETTINGS, **settings})


def copy_of(apns_folder, to):
    """Certificates for a stand-in of one's own: its control socket is beside them."""
    return shutil.copytree(apns_folder, to, ignore=shutil.ignore_patterns("control"))


class Life:
    def __init__(self, folder, apns_folder, seed):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.data.mkdir(parents=True)
        self.record = Record(self.folder / "record")
        self.random = random.Random(seed)
        self.events = 0
        self.phones = []
        self.sim = ApnsSim()
        self.sim.wrapper = self.record.under(self.data)
        self.daemon = None
        self._apns_folder = copy_of(apns_folder, self.folder / "apns")
        self._senders = concurrent.futures.ThreadPoolExecutor(8)

    def live(self, events):
        self.sim.start(self._apns_folder, "--output", self.data / APPLE)
        self.daemon = daemon_on(self.folder / "daemon", self.data, self.sim)
        self.daemon.wrapper = self.record.under(self.data)
        self.daemon.start()
        try:
            self._live(events)
            assert self.daemon.stop() == 0
        finally:
            self.daemon.kill9()
            self.sim.stop()
            self._senders.shutdown()

    def _live(self, events):
        for user in USERS:
            self._add_phone(user)
        self._live_on(events // 4)
        assert self.daemon.stop() == 0
        self._be_away()
        self._live_on(events)

    def _live_on(self, events):
        while self.events < events:
            steps = [step for step, weight in STEPS.items() for _ in range(weight)]
            self.random.shuffle(steps)
            for step in steps:
                getattr(self, f"_{step}")()
                if self.events >= events:
                    break

    # ---- what happens ----

    def _mail(self):
        self._send(*self._news(self.random.choice(self.phones)))

    def _change(self):
        self._send(*self._news(self.random.choice(self.phones), event="MessageRead"))

    def _burst(self):
        """Several at once, so that they share a commit."""
        phones = self.random.sample(self.phones, min(5, len(self.phones)))
        self._send_all([self._news(phone) for phone in phones])

    def _renew(self):
        """With other mailboxes, or a further phone of the same user."""
        phone = self.random.choice(self.phones)
        if self.random.random() < 0.3:
            self._add_phone(phone.user)
        else:
            phone.mailboxes = self._mailboxes()
            self._send(*self._registration(phone))

    def _swell(self):
        """A phone with so many mailboxes that a commit is long."""
        phone = self.random.choice(self.phones[:2])
        first = self.random.randrange(1000)
        phone.mailboxes = ("INBOX", *(f"{first + n} {'long ' * 80}" for n in range(MANY)))
        self._send(*self._registration(phone))

    def _keep(self):
        """mailpush-notify keeps it, and the daemon takes it."""
        event, mark = self._news(self.random.choice(self.phones))
        self.record.mark(**mark)
        done = notifier.run(self.folder / "nobody", self.data / "spool", event,
                            wrapper=self.record.under(self.data))
        assert done.returncode == 0, done.stderr
        self.record.mark(kept=mark["sent"])

    def _delete(self):
        """A folder goes, and comes back when the phone has registered again."""
        phone = self.random.choice(self.phones)
        folder = self.random.choice(FOLDERS[1:])
        event = notify.mail(phone.user, folder, event="MailboxDelete",
                            uri=notify.uri(phone.user, folder))
        self._send(*self._marked(event, kind="delete", user=phone.user, hash=hash_of(folder)))
        self._send(*self._registration(phone))

    def _replace(self):
        """Apple says that a phone is gone; its user has a new one."""
        phone = self.random.choice(self.phones)
        self.record.mark(gone=phone.token)
        self.sim.control(do="token", token=phone.token, status=410, reason="Unregistered")
        self._send(*self._news(phone))
        self.phones.remove(phone)
        self._add_phone(phone.user)

    def _refuse(self):
        """Apple cannot just now; the next event is the daemon's to send again."""
        self.sim.control(do="next", count=2, status=503, reason="ServiceUnavailable")
        self._mail()

    def _delay(self):
        self.sim.control(do="delay", ms=self.random.choice((0, 5, 30)))

    def _park(self):
        """The registry does not answer, and what comes is acknowledged from the queue's file."""
        with locked(self.data / "registry.sqlite"):
            phones = self.random.sample(self.phones, 3)
            self._send_all([self._news(phone) for phone in phones])
            self._send(*self._registration(phones[0]))
            for _ in range(4):
                self._send(*self._news(phones[1], **{"vnd.cmu.padding": PADDING}))

    def _kill(self):
        with self.record.held():
            self.daemon.kill9()
        self._be_away()

    def _be_away(self):
        for _ in range(3):
            self._keep()
        self.daemon.start()

    # ---- inside ----

    def _mailboxes(self):
        return ("INBOX", *(name for name in FOLDERS[1:] if self.random.random() < 0.7))

    def _add_phone(self, user):
        token = f"{self.random.getrandbits(256):064x}"
        phone = BarePhone(user, self._mailboxes(), token=token)
        self._send(*self._registration(phone))
        self.phones.append(phone)

    def _marked(self, event, **mark):
        """The event with a number by which it is known, and what is said of it."""
        self.events += 1
        return {**event, "pid": self.events}, {"sent": self.events, **mark}

    def _registration(self, phone):
        event = notify.registration(phone.user, phone.token, phone.account_id, phone.mailboxes)
        return self._marked(event, kind="register", user=phone.user, token=phone.token,
                            hashes=[hash_of(name) for name in phone.mailboxes])

    def _news(self, phone, **more):
        folder = self.random.choice(phone.mailboxes)
        path = () if folder == "INBOX" else (folder,)
        return self._marked(notify.mail(phone.user, *path, **more),
                            kind="news", user=phone.user, hash=hash_of(folder))

    def _send(self, event, mark):
        self.record.mark(**mark)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT)
            connection.bind(f"\0powercut-{os.getpid()}-{mark['sent']}")
            connection.connect(str(self.daemon.stream_socket))
            connection.sendall(notify.request(event))
            answer = notify.read_all(connection)
        assert answer == ACKNOWLEDGED, answer

    def _send_all(self, events):
        for sending in [self._senders.submit(self._send, *event) for event in events]:
            sending.result()
