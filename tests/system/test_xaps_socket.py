"""The older door for Dovecot's plugin for xapsd: one line a connection, over a unix socket."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import textwrap

import pytest

import notify
from apnssim import TOPIC
from control import ctl_json, get
from mailsite import BarePhone, locked, new_user
from waiting import TIMEOUT, wait_until
from xaps import notify_line, register_line, say

CONNECTIONS_MAX = 256
STRANGERS = 3

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user as well")


def as_nobody(program):
    """A program in Python, run by a user who may not ask."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--reuid=nobody", "--regid=65534", "--clear-groups",
                             "/usr/bin/python3", "-c", textwrap.dedent(program)],
                            stdout=subprocess.PIPE, text=True)


@contextlib.contextmanager
def strangers(program):
    """Meanwhile so many of them run this; they have begun when they have said so."""
    running = [as_nobody(program) for _ in range(STRANGERS)]
    try:
        for one in running:
            assert one.stdout.readline() == "begun\n"
        yield
        assert [one.poll() for one in running] == [None] * STRANGERS
    finally:
        for one in running:
            one.kill()
            one.wait()
            one.stdout.close()


@pytest.fixture
def path(tmp):
    return tmp / "xapsd.sock"


@pytest.fixture
def site(bare_site_for, path):
    return bare_site_for(xaps_socket=path, ack_timeout="30s")


def registered(site, path, *mailboxes):
    phone = BarePhone(new_user(), mailboxes or ("INBOX",))
    assert say(path, register_line(phone)) == f"OK {TOPIC}\n"
    site.told_inbox(phone)
    return phone


@pytest.mark.parametrize("end", ["\r\n", "\n"], ids=repr)
def test_a_phone_registers_and_new_mail_is_pushed(site, path, end):
    phone = BarePhone(new_user(), ("INBOX", "Entw&APw-rfe"))
    assert say(path, register_line(phone), end) == f"OK {TOPIC}\n"
    site.told_inbox(phone)
    assert say(path, notify_line(phone.user), end) == "OK \n"
    site.told_inbox(phone)


def test_what_is_not_new_mail_is_deferred(bare_site_for, path):
    site = bare_site_for(xaps_socket=path, ack_timeout="30s", deferred_delay="1h")
    phone = BarePhone(new_user())
    say(path, register_line(phone))
    assert say(path, notify_line(phone.user, "FlagsSet")) == "OK \n"
    waiting, = wait_until(lambda: ctl_json(site.mailpushd, "queue"), what="a push that waits")
    assert (waiting["user"], waiting["urgent"]) == (phone.user, False)
    assert say(path, notify_line(phone.user, "FlagsSet", "MessageNew")) == "OK \n"
    site.told_inbox(phone)


def test_news_for_no_phone_is_ok_as_well(site, path):
    phone = registered(site, path, "INBOX", "Notes")
    assert say(path, notify_line(new_user(), "MessageNew")) == "OK \n"
    assert say(path, notify_line(phone.user, "MessageNew", mailbox="Notes")) == "OK \n"
    registered(site, path)          # all before it was pushed too
    assert len(site.pushes(phone)) == 1


def test_quotes_and_backslashes_are_part_of_a_name(site, path):
    phone = BarePhone(f'a"b\\c{new_user()}')
    assert say(path, register_line(phone)) == f"OK {TOPIC}\n"
    wait_until(lambda: site.registrations("user") == [phone.user], what="his registration")


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"QUIT\n", b"REGISTER \n", b"NOTIFY x\n", b"\0\n", b"\xff\xfe\n",
                                  b'NOTIFY dovecot-username="a\n', b'NOTIFY dovecot-username=("a"\n',
                                  b'NOTIFY dovecot-username="a\\\n'], ids=repr)
def test_a_malformed_line_gets_an_error_and_ends_nothing(site, path, line):
    assert say(path, line).startswith("ERROR ")
    assert get(site.mailpushd, "/status")["counters"]["rejected"] == 1
    registered(site, path)


def test_a_line_that_is_too_long_gets_an_error(site, path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        connection.settimeout(TIMEOUT)
        connection.sendall(b"NOTIFY " + b"x" * (64 * 1024))
        assert connection.recv(100) == b"ERROR the line is too long\n"


def test_a_line_may_come_byte_by_byte_and_its_sender_may_say_no_more(site, path):
    phone = BarePhone(new_user())
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        for byte in register_line(phone).encode() + b"\n":
            connection.sendall(bytes([byte]))
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(TIMEOUT)
        assert connection.recv(100) == f"OK {TOPIC}\n".encode()
        assert connection.recv(100) == b""


def test_a_registration_that_was_answered_outlives_a_kill(site, path):
    phone = BarePhone(new_user())
    assert say(path, register_line(phone)) == f"OK {TOPIC}\n"
    site.mailpushd.kill9()
    site.mailpushd.start()
    site.told_inbox(phone)
    assert site.registrations() == [phone.token]


def test_with_the_registry_away_all_is_answered_and_kept(site, path):
    known, newcomer = registered(site, path), BarePhone(new_user())
    with locked(site.mailpushd.dir / "registry.sqlite"):
        assert say(path, register_line(newcomer)) == f"OK {TOPIC}\n"
        assert say(path, notify_line(known.user)) == "OK \n"
        site.mailpushd.kill9()
    site.mailpushd.start()
    site.told_inbox(known)
    site.told_inbox(newcomer)


def test_an_answer_that_comes_too_late_is_an_error(bare_site_for, path):
    site = bare_site_for(xaps_socket=path, ack_timeout="50ms")
    with locked(site.mailpushd.dir / "registry.sqlite"):
        phone = BarePhone(new_user())
        assert say(path, register_line(phone)) in ("ERROR not now\n", f"OK {TOPIC}\n")
    site.told_inbox(phone)


def test_who_sends_nothing_takes_the_place_of_nobody(site, path):
    silent = []
    try:
        for _ in range(CONNECTIONS_MAX + 20):
            silent.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            silent[-1].connect(str(path))
        registered(site, path)
        silent[0].settimeout(TIMEOUT)
        assert silent[0].recv(1) == b""
    finally:
        for connection in silent:
            connection.close()


def test_who_comes_while_there_are_no_descriptors_is_answered_when_there_are(site, path):
    phone, known = registered(site, path), site.registered_phone()
    process = site.mailpushd.process.pid
    limits = resource.prlimit(process, resource.RLIMIT_NOFILE)
    resource.prlimit(process, resource.RLIMIT_NOFILE, (3, limits[1]))
    with notify.connect(path) as plugin:
        plugin.sendall((notify_line(phone.user) + "\n").encode())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as cyrus:     # needs none, and the loop goes on
            cyrus.sendto(notify.datagram(notify.mail(known.user)), str(site.mailpushd.notify_socket))
        site.told_inbox(known)
        resource.prlimit(process, resource.RLIMIT_NOFILE, limits)
        assert plugin.recv(100) == b"OK \n"
    site.told_inbox(phone)


def test_a_socket_whose_file_is_removed_is_made_again(site, path):
    path.unlink()
    site.mailpushd.wait_log("creating the socket again socket=.*xapsd.sock")
    wait_until(path.exists, what="the socket")
    registered(site, path)


def test_the_file_goes_with_the_daemon(site, path):
    assert path.stat().st_mode & 0o777 == 0o666
    site.mailpushd.stop()
    assert not path.exists()
    site.mailpushd.start()


@only_root
def test_other_users_may_not_ask_unless_they_are_named(site, path):
    program = f"""
        import contextlib, socket
        connection = socket.socket(socket.AF_UNIX)
        connection.connect({str(path)!r})
        with contextlib.suppress(BrokenPipeError):      # who may not ask is answered at once
            connection.sendall({(register_line(BarePhone(new_user())) + chr(10)).encode()!r})
        print(connection.recv(100).decode(), end="")
        """

    def answer():
        return as_nobody(program).communicate(timeout=TIMEOUT)[0]
    assert answer() == "ERROR not allowed\n"
    assert site.registrations() == []
    site.mailpushd.write_conf(dovecot_users=["nobody"])
    site.mailpushd.restart()
    assert answer() == f"OK {TOPIC}\n"


@only_root
def test_strangers_who_connect_without_end_hold_up_nobody(site, path):
    """Neither the plugin nor the rest of the daemon."""
    with strangers(f"""
            import socket
            def connect():
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect({str(path)!r})
            connect()
            print("begun", flush=True)
            while True:
                connect()
            """):
        phone = registered(site, path)
        for _ in range(20):
            assert say(path, notify_line(phone.user)) == "OK \n"
        site.told_inbox(phone)
        assert get(site.mailpushd, "/status")["counters"]["rejected"] >= STRANGERS


@only_root
def test_strangers_who_come_all_at_once_close_no_other_connection(site, path):
    phone = registered(site, path)
    site.mailpushd.process.send_signal(signal.SIGSTOP)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as plugin:
        plugin.connect(str(path))
        plugin.settimeout(TIMEOUT)
        with strangers(f"""
                import signal, socket
                connections = [socket.socket(socket.AF_UNIX) for _ in range({CONNECTIONS_MAX})]
                for connection in connections:
                    connection.connect({str(path)!r})
                print("begun", flush=True)
                signal.pause()
                """):
            plugin.sendall((notify_line(phone.user) + "\n").encode())
            site.mailpushd.process.send_signal(signal.SIGCONT)
            assert plugin.recv(100) == b"OK \n"
        site.told_inbox(phone)
