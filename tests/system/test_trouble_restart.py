"""A restart in the middle of everything, with the stream socket passed in: nothing is lost."""

import socket
import threading

import pytest

import activator
import lmtp
import notify
from mailsite import MailSite
from waiting import wait_until

REFUSED = r"ended with 1(.|\n)*error daemon: "
QUICK = {"min_interval": "20ms", "deferred_delay": "20ms", "max_push_rate": 0}
SENDERS = 12
DELIVERIES = 1200


@pytest.fixture
def listeners():
    """Sockets that the test holds open."""
    held = []
    yield held
    for listener in held:
        listener.close()


@pytest.fixture
def activated_site(bare_site_for, listeners):
    """A site whose stream socket is the test's."""
    site = bare_site_for(start=False, **QUICK)
    listeners.append(activator.listen(site.mailpushd.stream_socket))
    activator.pass_in(site.mailpushd, listeners[0])
    site.mailpushd.start()
    return site


class Flood:
    """Threads that each deliver one event after the other, and never a second time."""

    def __init__(self, path, phones):
        self.restarts = 0
        self.answers = []           # (answer, restarts that it waited for)
        self._asking = set()        # threads
        self._path = path
        self._events = iter([phones[i % len(phones)].user for i in range(DELIVERIES)])
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def wait(self, count):
        wait_until(lambda: len(self.answers) >= count, 60, f"{count} answers")

    def wait_asking(self):
        """Until each thread waits for an answer, or has no more to ask."""
        wait_until(lambda: all(thread in self._asking or not thread.is_alive() for thread in self._threads),
                   what="deliveries that wait")

    def _run(self):
        while user := self._next():
            before = self.restarts
            self._asking.add(threading.current_thread())
            try:
                answer = notify.ask(self._path, notify.request(notify.mail(user)), timeout=60)
            except OSError as error:
                answer = error
            self._asking.discard(threading.current_thread())
            self.answers.append((answer, self.restarts - before))

    def _next(self):
        with self._lock:
            return next(self._events, None)


def test_a_restart_in_a_flood_of_deliveries_loses_none(activated_site):
    site = activated_site
    phones = [site.registered_phone() for _ in range(20)]
    flood = Flood(site.mailpushd.stream_socket, phones)
    for count in range(100, DELIVERIES, 200):
        flood.wait(count)
        site.mailpushd.stop()
        flood.wait_asking()
        flood.restarts += 1
        site.mailpushd.start()
    flood.wait(DELIVERIES)
    assert {answer for answer, _ in flood.answers} == {b"OK ()\r\n"}
    # None waits for more than the restart that it met.
    assert {restarts for _, restarts in flood.answers} == {0, 1}
    for phone in phones:
        site.told(phone, "INBOX")


def test_a_restart_while_the_real_cyrus_delivers_loses_no_mail(cyrus_for, mailpushd, sim,
                                                               listeners):
    cyrus = cyrus_for()
    daemon = mailpushd(cyrus, start=False, **QUICK)
    listeners.append(activator.listen(daemon.stream_socket))
    activator.pass_in(daemon, listeners[0])
    daemon.start()
    site = MailSite(cyrus, daemon, sim)
    try:
        users = [site.create_user("Notes") for _ in range(6)]
        phones = [site.registered_phone(user, "INBOX", "Notes") for user in users]
        since = len(cyrus.syslog)
        addresses = [cyrus.address(user, *folder)
                     for _ in range(10) for user in users for folder in ((), ("Notes",))]
        sending = threading.Thread(target=lmtp.deliver_many, args=(cyrus.lmtp_port, addresses))
        sending.start()
        restarts = 0
        while sending.is_alive():
            daemon.restart()
            restarts += 1
        sending.join()
        assert restarts
        assert not [line for line in cyrus.syslog.all(since) if "NOTIFY" in line]
        for phone in phones:
            site.told(phone, "INBOX", "Notes")
        wait_until(lambda: events_taken_in(daemon, "MessageNew") >= len(addresses), what="all in the log")
        assert events_taken_in(daemon, "MessageNew") == len(addresses)
    finally:
        site.close()
        listeners[0].close()
        cyrus.notify.unlink()


def events_taken_in(daemon, name):
    return sum(f"event came event={name} " in line and "through=parked" not in line for line in daemon.lines())


def test_an_event_that_came_in_part_before_a_stop_is_taken_in(activated_site):
    site = activated_site
    phone = site.registered_phone()
    request = notify.request(notify.mail(phone.user))
    with notify.connect(site.mailpushd.stream_socket) as connection:
        connection.sendall(request[:100])
        site.deliver(phone.user)                # all before it was accepted too
        site.mailpushd.process.send_signal(15)
        site.mailpushd.wait_log("info daemon: stopping")
        connection.sendall(request[100:])
        assert notify.read_all(connection) == b"OK ()\r\n"
    assert site.mailpushd.stop() == 0


def test_who_comes_while_nobody_runs_is_served_by_the_next(activated_site):
    site = activated_site
    phone = site.registered_phone()
    assert site.mailpushd.stop() == 0
    assert site.mailpushd.stream_socket.exists()
    with notify.connect(site.mailpushd.stream_socket) as connection:
        connection.sendall(notify.request(notify.mail(phone.user)))
        site.mailpushd.start()
        assert notify.read_all(connection) == b"OK ()\r\n"
    site.told(phone, "INBOX")


def test_a_passed_in_socket_keeps_its_mode_and_outlives_a_crash(activated_site):
    site = activated_site
    phone = site.registered_phone()
    assert site.mailpushd.stream_socket.stat().st_mode & 0o777 == 0o666
    before = site.mailpushd.stream_socket.stat().st_ino
    site.mailpushd.kill9()
    site.mailpushd.start()
    assert site.mailpushd.stream_socket.stat().st_ino == before
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_a_passed_in_socket_whose_file_is_removed_is_an_alarm(activated_site, listeners):
    site = activated_site
    path = site.mailpushd.stream_socket
    path.rename(path.with_name("away"))
    site.mailpushd.wait_log("alarm=intake:stream_socket state=begins")
    path.with_name("away").rename(path)
    site.mailpushd.wait_log("alarm=intake:stream_socket state=ends")


def test_what_is_passed_to_another_process_is_not_taken(bare_site_for, listeners, tmp):
    site = bare_site_for(start=False)
    listeners.append(activator.listen(tmp / "other"))
    activator.pass_in(site.mailpushd, listeners[0], pid="1")
    site.mailpushd.start()
    phone = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")


@pytest.mark.parametrize("kind, where, text", [
    (socket.SOCK_STREAM, "other", "it listens at '.*/other', and stream_socket is '.*/cyrus'"),
    (socket.SOCK_DGRAM, "cyrus", "it is not a stream socket with a path"),
    ("silent", "cyrus", "it does not listen"),
    ("file", "cyrus", "it is not a socket"),
])
def test_what_cannot_be_the_stream_socket_is_refused(bare_site_for, listeners, kind, where, text):
    site = bare_site_for(start=False)
    path = site.mailpushd.stream_socket.with_name(where)
    if kind == "file":
        listeners.append(open(path, "wb"))
    elif kind == "silent":
        listeners.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listeners[0].bind(str(path))
    else:
        listeners.append(activator.listen(path, kind))
    activator.pass_in(site.mailpushd, listeners[0], names="door")
    with pytest.raises(RuntimeError, match=REFUSED + rf"cannot take passed-in descriptor 3 "
                       rf"\('door'\): {text}"):
        site.mailpushd.start()
    assert path.exists()


@pytest.mark.parametrize("pid, count, text", [
    ("self", "many", "LISTEN_FDS is 'many'"),
    ("-3", "1", "LISTEN_PID is '-3'"),
    ("self", "2", r"descriptor 4 \('unknown'\): "),
])
def test_a_protocol_that_is_none_is_refused(bare_site_for, listeners, pid, count, text):
    site = bare_site_for(start=False)
    listeners.append(activator.listen(site.mailpushd.stream_socket))
    activator.pass_in(site.mailpushd, listeners[0], pid=pid, count=count)
    with pytest.raises(RuntimeError, match=REFUSED + f".*{text}"):
        site.mailpushd.start()
