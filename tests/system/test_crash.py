"""Whatever dies at whatever moment: what was acknowledged is told."""

import collections
import contextlib
import random
import re
import socket
import threading
import time

import pytest

import lmtp
import notify
from mailsite import BarePhone, MailSite, new_user
from phone import hash_of
from waiting import TIMEOUT, wait_until

MAILBOXES = ("INBOX", "Notes")
PHONES = 200
DELIVERIES = 2000
SENDERS = 16
QUICK = {"min_interval": "20ms", "deferred_delay": "20ms", "max_push_rate": 0}


@pytest.fixture
def chance():
    """Chance that can be had again: the seed is shown when a test fails."""
    seed = random.randrange(2**32)
    print(f"the seed is {seed}")
    return random.Random(seed)


class Acknowledged:
    """When the last acknowledged event about each mailbox of each user was sent."""

    def __init__(self):
        self.count = 0
        self._sent_ms = {}
        self._lock = threading.Lock()

    def add(self, user, mailbox, sent_ms):
        with self._lock:
            self.count += 1
            key = user, hash_of(mailbox)
            self._sent_ms[key] = max(sent_ms, self._sent_ms.get(key, 0))

    def untold(self, pushes, user_of):
        """What no push has named that came after the event."""
        told_ms = collections.defaultdict(int)
        for push in pushes:
            if push["status"] == 200:
                for name in push["payload"]["aps"]["m"]:
                    key = user_of[push["token"]], name
                    told_ms[key] = max(told_ms[key], push["time_ms"])
        return [key for key, sent_ms in self._sent_ms.items() if told_ms[key] < sent_ms]


def now_ms():
    return int(time.time() * 1000)


class Senders:
    """Threads that deliver as Cyrus does; each event until it is acknowledged."""

    def __init__(self, path, events):
        self.acknowledged = Acknowledged()
        self._path = path
        self._events = iter(events)
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def wait(self, count):
        wait_until(lambda: self.acknowledged.count >= count, 60, f"{count} acknowledgements")

    def _run(self):
        while event := self._next():
            wait_until(lambda: self._send(*event), 60, "an acknowledgement")

    def _next(self):
        with self._lock:
            return next(self._events, None)

    def _send(self, user, mailbox):
        sent_ms = now_ms()
        event = notify.mail(user, *([] if mailbox == "INBOX" else [mailbox]))
        try:
            answer = notify.ask(self._path, notify.request(event))
        except OSError:
            return False
        if answer != b"OK ()\r\n":
            return False
        self.acknowledged.add(user, mailbox, sent_ms)
        return True


def deliver_while(site, chance, kill, times):
    """Register, deliver, and meanwhile have `kill` called so many times; then all must be told."""
    phones = [BarePhone(new_user(), MAILBOXES) for _ in range(PHONES)]
    for phone in phones:
        site.register(phone)
    events = [(chance.choice(phones).user, chance.choice(MAILBOXES)) for _ in range(DELIVERIES)]
    senders = Senders(site.mailpushd.stream_socket, events)
    for count in sorted(chance.sample(range(DELIVERIES), times)):
        senders.wait(count)
        kill()
    senders.wait(DELIVERIES)
    wait_all_told(site, senders.acknowledged, {phone.token: phone.user for phone in phones})


def wait_all_told(site, acknowledged, user_of):
    def all_told():
        return not acknowledged.untold(site.sim.pushes(), user_of)
    try:
        wait_until(all_told, what="a push for every acknowledged event")
    except TimeoutError:
        raise AssertionError(acknowledged.untold(site.sim.pushes(), user_of)) from None


@pytest.mark.parametrize("end", ["kill9", "stop"])
def test_what_was_acknowledged_is_pushed_after_mailpushd_ended(bare_site_for, chance, end):
    site = bare_site_for(**QUICK)

    def end_and_start():
        getattr(site.mailpushd, end)()
        site.mailpushd.start()

    deliver_while(site, chance, end_and_start, 15)


def test_what_was_acknowledged_is_pushed_after_apple_was_away(bare_site_for, chance):
    site = bare_site_for(**QUICK)

    def kill_and_start():
        site.sim.kill()
        site.sim.start(site.sim.dir, port=site.sim.port)

    deliver_while(site, chance, kill_and_start, 10)


class Recorder:
    """Stands between Cyrus and mailpushd and sees what was acknowledged."""

    def __init__(self, listen, forward):
        self.acknowledged = Acknowledged()
        self.seen = 0
        self._forward = forward
        self._path = listen
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(listen))
        listen.chmod(0o777)
        self._socket.listen(64)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        self._path.unlink()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(TIMEOUT)
        self._socket.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._pass_on, args=(connection,), daemon=True).start()

    def _pass_on(self, connection):
        with connection, connection.makefile("rb") as stream:
            request = stream.readline()
            request += stream.read(int(re.search(rb"{(\d+)\+}", request)[1])) + stream.readline()
            self.seen += 1
            sent_ms = now_ms()
            with contextlib.suppress(OSError):
                answer = notify.ask(self._forward, request)
                new = re.search(rb'"MessageNew".*/user/([^/;]+)/?(\w*)', request)
                if new and answer == b"OK ()\r\n":
                    user, folder = (part.decode() for part in new.groups())
                    self.acknowledged.add(user, folder or "INBOX", sent_ms)
                connection.sendall(answer)


@pytest.fixture
def recorded_site(cyrus_for, mailpushd, sim, tmp):
    cyrus = cyrus_for()
    daemon = mailpushd(cyrus, stream_socket=tmp / "stream", **QUICK)
    recorder = Recorder(cyrus.notify, daemon.stream_socket)
    site = MailSite(cyrus, daemon, sim)
    site.recorder = recorder
    yield site
    site.close()
    recorder.close()


def test_what_was_acknowledged_to_the_real_cyrus_is_pushed(recorded_site, chance):
    site = recorded_site
    users = [site.create_user("Notes") for _ in range(8)]
    phones = [site.registered_phone(user, *MAILBOXES) for user in users]
    addresses = [site.cyrus.address(chance.choice(users), *chance.choice(((), ("Notes",))))
                 for _ in range(120)]
    sending = threading.Thread(target=lmtp.deliver_many, args=(site.cyrus.lmtp_port, addresses))
    before = site.recorder.seen
    sending.start()
    for count in sorted(chance.sample(range(200), 4)):
        wait_until(lambda: site.recorder.seen - before >= count or not sending.is_alive(),
                   what="deliveries")
        site.mailpushd.kill9()
        site.mailpushd.start()
    sending.join(TIMEOUT)
    assert not sending.is_alive()
    assert site.recorder.acknowledged.count
    wait_all_told(site, site.recorder.acknowledged, {phone.token: phone.user for phone in phones})
