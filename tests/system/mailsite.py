"""A whole site: a real Cyrus that sends its events to mailpushd, which pushes to apns-sim.

MailSite has the real Cyrus; BareSite has a stand-in for it (notify.py).  Both answer the question
of most tests: what has this phone been told since it was last asked about?

    phone = site.registered_phone(user, "INBOX", "Notes")
    site.deliver(user, "Notes")
    site.told(phone, "Notes")               # of Notes, and of nothing else
"""

import contextlib
import dataclasses
import itertools
import shutil
import sqlite3
import tempfile
import uuid
from urllib.parse import quote

import notify
from apnssim import ApnsSim
from control import ctl, get
from cyrus import Cyrus
from mailpushd import Mailpushd
from phone import Phone, hash_of, new_token
from waiting import wait_until

# Short, so that tests are quick; order and content are what they check.
DELAYS = {"min_interval": "50ms", "deferred_delay": "50ms"}

# When Apple's word about a phone is doubted, it is asked again after so long.
DOUBTED_MS = 5 * 60 * 1000

_serial = itertools.count(1)


def new_user(domain=None):
    """A user that no other test has: one Cyrus serves many tests."""
    name = f"user{next(_serial)}"
    return f"{name}@{domain}" if domain else name


class Telling:
    """What phones were told: every push is asked about once."""

    sim: ApnsSim
    mailpushd: Mailpushd

    def pushes(self, phone):
        """All pushes to this phone so far, whatever became of them."""
        return self.sim.pushes(where=lambda push: push["token"] == phone.token)

    def new_pushes(self, phone):
        """Those that Apple took and that were not asked about yet."""
        taken = [push for push in self.pushes(phone) if push["status"] == 200]
        return taken[self._asked.get(phone.token, 0):]

    def told(self, phone, *mailboxes):
        """Wait until the phone has been told of these mailboxes, and assert: of no others.

        Returns the pushes, one or more.
        """
        wanted = {hash_of(name) for name in mailboxes}

        def found():
            return self.new_pushes(phone) if hashes_of(self.new_pushes(phone)) >= wanted else None
        try:
            pushes = wait_until(found, what="a push about " + " and ".join(mailboxes))
        except TimeoutError as error:
            raise TimeoutError(f"{error}; came: {self.new_pushes(phone)}") from None
        self._ask(phone, len(pushes))
        assert hashes_of(pushes) == wanted, f"wanted {mailboxes} {wanted}, came {pushes}"
        return pushes

    def next_push(self, phone):
        """Wait for the next push to this phone that Apple took."""
        push = wait_until(lambda: self.new_pushes(phone), what="a push")[0]
        self._ask(phone, 1)
        return push

    def told_inbox(self, phone):
        """Wait for the next push, and assert that it has the plain payload."""
        push = self.next_push(phone)
        assert push["payload"] == {"aps": {"account-id": phone.account_id}}
        return push

    def settled(self, phone):
        """Wait until the daemon has taken note of what Apple said: told() returns before that.

        Returns the device, as the control socket shows it.
        """
        def settled_device():
            devices = get(self.mailpushd, f"/devices?full=1&user={quote(phone.user)}")["devices"]
            return next((d for d in devices if d["token"] == phone.token and d["last_push"]), None)
        return wait_until(settled_device, what=f"the first answer about {phone.user}'s phone")

    def _ask(self, phone, count):
        self._asked[phone.token] = self._asked.get(phone.token, 0) + count

    # ---- what is on disk ----

    def registrations(self, columns="device_token"):
        """Rows of the registry; a single column gives its values."""
        return rows(self.mailpushd.dir / "registry.sqlite",
                    f"SELECT {columns} FROM registration ORDER BY id")

    def wait_in_registry(self):
        """Until all that was acknowledged so far is there, also what is parked: it goes before this."""
        get(self.mailpushd, "/devices")

    def subscriptions(self, phone):
        """What the phone registered for, as the registry has it."""
        return rows(self.mailpushd.dir / "registry.sqlite",
                    "SELECT name FROM subscription JOIN registration ON registration = registration.id "
                    f"WHERE device_token = '{phone.token}' ORDER BY name")

    def registry_dump(self):
        """All of it but the time of the last tidying, which comes by itself."""
        return [line for line in dump(self.mailpushd.dir / "registry.sqlite")
                if not line.startswith('INSERT INTO "site" ')]

    def waiting_hashes(self, phone=None):
        """The mailboxes of which all phones, or this one, are still to be told."""
        its = f" WHERE number IN (SELECT number FROM push WHERE token = '{phone.token}')" if phone else ""
        with self._copy_of_queue() as copy:
            return set(rows(copy, "SELECT hash FROM news" + its))

    def wait_nothing_waits(self, phone=None):
        wait_until(lambda: not self.waiting_hashes(phone), what="an empty queue")

    def wait_nothing_is_parked(self):
        """Until the registry has had all that was acknowledged."""
        wait_until(lambda: get(self.mailpushd, "/status")["databases"]["registry"]["parked"] == 0,
                   what="what is parked in the registry")

    def let_pass(self, delay_ms):
        """Restart, and find what waits as if so much time had passed."""
        self.mailpushd.stop()
        with contextlib.closing(sqlite3.connect(self.mailpushd.dir / "queue.sqlite")) as queue:
            with queue:
                queue.execute("UPDATE push SET due_ms = due_ms - ?", (delay_ms,))
        self.mailpushd.start()

    def have_failed_for(self, age_ms, attempts):
        """Restart, and find what waits as if it had been tried so often for so long."""
        self.mailpushd.stop()
        with contextlib.closing(sqlite3.connect(self.mailpushd.dir / "queue.sqlite")) as queue:
            with queue:
                queue.execute("UPDATE push SET due_ms = 0, attempts = ?", (attempts,))
                queue.execute("UPDATE news SET first_ms = first_ms - ?", (age_ms,))
        self.mailpushd.start()

    @contextlib.contextmanager
    def _copy_of_queue(self):
        """The daemon alone opens its queue; as after a crash, the log goes with the file."""
        with tempfile.TemporaryDirectory() as folder:
            for name in ("queue.sqlite", "queue.sqlite-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy(self.mailpushd.dir / name, folder)
            yield f"{folder}/queue.sqlite"


def hashes_of(pushes):
    """All that these pushes name; a plain payload names INBOX."""
    return {name for push in pushes
            for name in push["payload"]["aps"].get("m", [hash_of("INBOX")])}


def rows(path, query):
    with contextlib.closing(sqlite3.connect(path)) as database:
        found = database.execute(query).fetchall()
    return [row[0] if len(row) == 1 else row for row in found]


def dump(path):
    with contextlib.closing(sqlite3.connect(path)) as database:
        return list(database.iterdump())


@contextlib.contextmanager
def locked(path):
    """Nobody else can write this database meanwhile, as on a disk that stalls."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


@dataclasses.dataclass
class MailSite(Telling):
    cyrus: Cyrus
    mailpushd: Mailpushd
    sim: ApnsSim

    def __post_init__(self):
        self._asked = {}
        self._phones = []

    def close(self):
        for phone in self._phones:
            phone.close()

    def create_user(self, *folders, user=None):
        """Create a user with these folders and return the name."""
        user = user or new_user()
        self.cyrus.create_user(user, *folders)
        return user

    def phone(self, user, **identity):
        """A phone that has logged in and not yet registered; also any other device."""
        self._phones.append(Phone(self.cyrus, user, **identity))
        return self._phones[-1]

    def registered_phone(self, user, *mailboxes, version=2, **identity):
        """A phone that has registered and got the push that proves it; the daemon knows that."""
        phone = self.phone(user, **identity)
        phone.register(*mailboxes, version=version)
        if version == 1 or mailboxes == ("INBOX",):
            self.told_inbox(phone)
        else:
            self.told(phone, *mailboxes)
        self.settled(phone)
        return phone

    def deliver(self, user, *folder, **message):
        """Deliver a message to the INBOX, or to a folder."""
        self.cyrus.deliver(user, *folder, **message)

    # What speaks to mailpushd for a server may keep what is not acknowledged within 200 ms, and mailpushd may
    # have had it by then: on a slow machine a phone may be told of the same mailboxes once more.  That counts
    # as told too.

    def told(self, phone, *mailboxes):
        pushes = super().told(phone, *mailboxes)
        return pushes + self._told_again(phone, pushes)

    def told_inbox(self, phone):
        push = super().told_inbox(phone)
        self._told_again(phone, [push])
        return push

    def _told_again(self, phone, pushes):
        keeper = self.cyrus.keeper
        if not keeper:
            return []
        wait_until(lambda: not self.cyrus.processes(keeper), what=f"the end of {keeper}")
        wait_until(lambda: not list(self.mailpushd.spool.glob("[0-9]*")), what="an empty spool")
        self.wait_nothing_is_parked()
        self.wait_nothing_waits(phone)
        again = self.new_pushes(phone)
        self._ask(phone, len(again))
        assert hashes_of(again) <= hashes_of(pushes), f"told was {pushes}, came {again}"
        return again


@dataclasses.dataclass
class BarePhone:
    """What a registration is made of, without a connection."""
    user: str
    mailboxes: tuple = ("INBOX",)
    token: str = dataclasses.field(default_factory=new_token)
    account_id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()).upper())


@dataclasses.dataclass
class BareSite(Telling):
    """mailpushd and apns-sim; the events come from the test, through the dlist socket."""
    mailpushd: Mailpushd
    sim: ApnsSim

    def __post_init__(self):
        self._asked = {}

    def ask(self, event, **options):
        """Send an event as Cyrus does, and return the answer."""
        return notify.ask(self.mailpushd.stream_socket, notify.request(event), **options)

    def tell(self, event):
        """The same, and it must be acknowledged."""
        answer = self.ask(event)
        assert answer == b"OK ()\r\n", answer

    def register(self, phone):
        self.tell(notify.registration(phone.user, phone.token, phone.account_id, phone.mailboxes))

    def register_nobody(self):
        """Give the registry something to write."""
        self.register(BarePhone(new_user(), ()))

    def registered_phone(self, *mailboxes, user=None, **identity):
        """A phone of a user of its own that has registered and got the push that proves it."""
        phone = BarePhone(user or new_user(), mailboxes or ("INBOX",), **identity)
        self.register(phone)
        self.told(phone, *phone.mailboxes)
        self.settled(phone)
        return phone

    def deliver(self, user, *folder):
        self.tell(notify.mail(user, *folder))


def register(site, count=1):
    """So many phones, each of which is to be pushed to once."""
    phones = [BarePhone(new_user()) for _ in range(count)]
    for phone in phones:
        site.register(phone)
    return phones


OLD_CHANGE_S = 3600


def old_change(site, *folder):
    """The phone that an hour-old change waits for, of INBOX or of this folder; urgent news takes it
    along."""
    phone = site.registered_phone("INBOX", "Notes")
    site.wait_nothing_waits()
    site.mailpushd.write_conf(deferred_delay="1h")
    site.mailpushd.restart()
    site.tell(notify.mail(phone.user, *folder, event="MessageExpunge"))
    site.mailpushd.stop()
    with contextlib.closing(sqlite3.connect(site.mailpushd.dir / "queue.sqlite")) as queue:
        with queue:
            queue.execute("UPDATE news SET first_ms = first_ms - ?", (OLD_CHANGE_S * 1000,))
    site.mailpushd.start()
    return phone


def mail_beside_an_old_change(site, *folder):
    phone = old_change(site, *folder)
    site.deliver(phone.user)
    site.told(phone, "INBOX", *folder)
    site.wait_nothing_waits()


def asked_by_hand(site):
    """How many trials Apple has seen with another one, behind all that were due."""
    before = len(site.sim.trials())
    ctl(site.mailpushd, "cert", "check", "--online")
    return len(site.sim.wait_trials(before + 1))


def wait_told(site, phones):
    """Each of them was told, and nothing is left to be told."""
    for phone in phones:
        site.mailpushd.wait_log(f"apns: pushed user={phone.user} ")
