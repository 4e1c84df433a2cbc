"""What no mail server sends: a line in the log each, and the daemon goes on."""

import socket

import pytest

import notify
from mailsite import new_user
from phone import new_token
from waiting import TIMEOUT

ACCOUNT = "0715A26B-CA09-4730-A419-793000CA982E"


def registration(**more):
    """A registration that is fine but for what is given; None takes a key out."""
    keys = {"user": "mallory", "token": new_token(), "account_id": ACCOUNT, **more}
    return notify.registration(**keys)


# Messages that are complete, but no event of ours: refused, whichever way they come.
EVENTS = {
    "empty": b"",
    "text": b"hello",
    "half": b'{"event":"MessageNew"',
    "binary": bytes(range(1, 256)) * 4,
    "not-utf8": b'{"event":"MessageNew","uri":"imap://mail.example.com/user/\xff\xfe"}',
    "not-utf8-key": b'{"event":"MessageNew","\xc3(":1}',
    "lone-surrogate": rb'{"event":"MessageNew","uri":"\ud800"}',
    "nul": rb'{"event":"MessageNew","uri":"imap://mail.example.com/user/a\u0000b"}',
    "deep-list": b"[" * 10000,
    "deep-object": b'{"a":' * 10000,
    "deep-in-event": b'{"event":"MessageNew","x":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "list": b'["event","MessageNew"]',
    "number": b"42",
    "no-name": b'{"uri":"imap://mail.example.com/user/alice"}',
    "name-is-no-string": b'{"event":7}',
    "no-uri": b'{"event":"MessageNew","user":"alice"}',
    "uri-is-no-string": b'{"event":"MessageNew","uri":[1]}',
    "long-uri": b'{"event":"MessageNew","uri":"imap://h/user/' + b"a" * 10000 + b'"}',
    "rename-without-old-name": b'{"event":"MailboxRename","uri":"imap://h/user/a/b"}',
    "flags-are-missing": b'{"event":"FlagsClear","uri":"imap://h/user/a/b"}',
    "no-user": registration(user=None),
    "no-token": registration(token=None),
    "no-account": registration(account_id=None),
    "no-subtopic": registration(apsSubtopic=None),
    "no-mailboxes": {**registration(), "mailboxes": None},
    "long-token": registration(token="ab" * 5000),
    "short-token": registration(token="ab" * 31),
    "token-is-a-path": registration(token="../../etc <junk>" * 4),
    "token-is-no-string": {**registration(), "apsDeviceToken": 7},
    "account-with-a-quote": registration(account_id='A"}},"x":{"'),
    "account-with-a-newline": registration(account_id="A\r\napns-topic: x"),
    "long-account": registration(account_id="A" * 65),
    "empty-account": registration(account_id=""),
    "user-with-a-newline": registration(user="mallory\nerror daemon: all is lost"),
    "long-user": registration(user="m" * 5000),
    "empty-user": registration(user=""),
    "subtopic-with-a-slash": registration(apsSubtopic="../x"),
    "version-is-text": registration(version="2"),
    "mailboxes-is-text": {**registration(), "mailboxes": "INBOX"},
    "mailbox-is-a-number": {**registration(), "mailboxes": ["INBOX", 7]},
    "empty-mailbox": registration(mailboxes=["INBOX", ""]),
}

FINE = notify.request(notify.mail("mallory"))

# Requests that are none.
REQUESTS = {
    "binary": bytes(range(256)) * 8 + b"\r\n",
    "http": b"POST /notify HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "empty-line": b"\r\n",
    "another-command": FINE.replace(b"NOTIFY", b"DELETE"),
    "two-classes": FINE.replace(b"METHOD external", b"CLASS EVENT"),
    "no-class": FINE.replace(b"CLASS EVENT ", b""),
    "class-is-nil": FINE.replace(b"CLASS EVENT", b"CLASS NIL"),
    "no-message": b"NOTIFY %(METHOD external CLASS EVENT)\r\n",
    "message-is-a-list": b"NOTIFY %(METHOD external CLASS EVENT MESSAGE (a b))\r\n",
    "deep": b"NOTIFY %(METHOD external CLASS EVENT X " + b"(" * 1000 + b"\r\n",
    "many-options": FINE.replace(b"OPTIONS ()", b"OPTIONS (" + b"a " * 5000 + b")"),
    "literal-is-negative": b"NOTIFY %(METHOD external CLASS EVENT MESSAGE {-1+}\r\n",
    "literal-is-huge": b"NOTIFY %(METHOD external CLASS EVENT MESSAGE {99999999999999999999+}\r\n",
    "literal-is-too-large": b"NOTIFY %(METHOD external CLASS EVENT MESSAGE {1048577+}\r\n",
    "something-behind-the-literal": FINE.replace(b" FILEPATH", b"x FILEPATH"),
    "endless-line": b"NOTIFY %(METHOD " + b"a" * 1100000,
    "oversized": notify.request(b'{"event":"MessageNew","x":"' + b"a" * 1100000 + b'"}'),
}

# Datagrams that are none.
DATAGRAMS = {
    "empty": b"",
    "one-nul": b"\0",
    "text": b"hello",
    "binary": bytes(range(256)) * 8,
    "too-few-fields": b"external\0EVENT\0\0\0",
    "no-options-count": b"external\0EVENT\0\0\0\0x\0{}\0",
    "negative-options": b"external\0EVENT\0\0\0\0-1\0{}\0",
    "many-options": b"external\0EVENT\0\0\0\00099999999999\0{}\0",
    "more-options-than-there-are": b"external\0EVENT\0\0\0\0003\0{}\0",
    "cut": notify.datagram(notify.mail("mallory"))[:-20],
    "something-behind": notify.datagram(notify.mail("mallory")) + b"path\0more\0",
    "oversized": notify.datagram(b"x" * 70000),
}


@pytest.fixture
def site(bare_site):
    """With one phone that must stay as it is."""
    bare_site.watched = bare_site.registered_phone("INBOX", "Notes")
    bare_site.before = bare_site.registry_dump()
    bare_site.logged = len(bare_site.mailpushd.log)
    return bare_site


def check_unharmed(site):
    """It was said in the log, the registry is as before, and pushes go on."""
    site.mailpushd.wait_log("Z (warn|error) ", since=site.logged)
    assert site.registry_dump() == site.before
    site.deliver(site.watched.user, "Notes")
    site.told(site.watched, "Notes")
    notify.send(site.mailpushd.notify_socket, notify.datagram(notify.mail(site.watched.user)))
    site.told(site.watched, "INBOX")


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_that_is_none_is_refused(site, name):
    answer = notify.ask(site.mailpushd.stream_socket, notify.request(EVENTS[name]))
    assert answer.startswith(b'NO "') and answer.endswith(b'"\r\n') and answer.count(b"\n") == 1
    site.mailpushd.wait_log("warn event: .*through=stream", since=site.logged)
    logged = len(site.mailpushd.log)
    notify.send(site.mailpushd.notify_socket, notify.datagram(EVENTS[name]))
    site.mailpushd.wait_log("warn event: .*through=datagram", since=logged)
    check_unharmed(site)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_is_none_is_refused(site, name):
    answer = notify.ask(site.mailpushd.stream_socket, REQUESTS[name])
    assert answer.startswith(b'NO "') and answer.endswith(b'"\r\n') and answer.count(b"\n") == 1
    check_unharmed(site)


@pytest.mark.parametrize("name", DATAGRAMS)
def test_a_datagram_that_is_none_is_dropped(site, name):
    notify.send(site.mailpushd.notify_socket, DATAGRAMS[name])
    check_unharmed(site)


@pytest.mark.parametrize("size", [1, 10, 50, 100, len(FINE) - 30, len(FINE) - 1])
def test_a_request_that_is_cut_is_no_event(site, size):
    assert notify.ask(site.mailpushd.stream_socket, FINE[:size], ends=True) == b""
    check_unharmed(site)


def test_a_log_line_cannot_be_forged(site):
    forged = "x\n2026-11-22T08:00:00.000Z error daemon: all is lost\n"
    notify.ask(site.mailpushd.stream_socket, notify.request(registration(user=forged)))
    notify.ask(site.mailpushd.stream_socket,
               notify.request(registration(user="mallory", apsSubtopic=forged)))
    notify.ask(site.mailpushd.stream_socket, notify.request(notify.mail("x", forged)))
    notify.ask(site.mailpushd.stream_socket, notify.request("hello", notification_class="A-B.C"))
    check_unharmed(site)
    assert not [line for line in site.mailpushd.lines() if "all is lost" in line
                and line.startswith("2026-11-22T08:00:00.000Z")]


def test_silent_and_slow_peers_hold_up_nobody(site):
    silent = [notify.connect(site.mailpushd.stream_socket) for _ in range(50)]
    slow = [notify.connect(site.mailpushd.stream_socket) for _ in range(10)]
    for connection in slow:
        connection.sendall(FINE[:60])
    gone = notify.connect(site.mailpushd.stream_socket)
    gone.sendall(notify.request(notify.mail(site.watched.user)))
    gone.close()
    site.told(site.watched, "INBOX")
    for connection in slow:
        connection.sendall(FINE[60:])
        assert notify.read_all(connection) == b"OK ()\r\n"
    for connection in silent + slow:
        connection.close()
    site.deliver(site.watched.user)
    site.told(site.watched, "INBOX")


def test_a_request_may_come_byte_by_byte(site):
    with notify.connect(site.mailpushd.stream_socket) as connection:
        for byte in notify.request(notify.mail(site.watched.user)):
            connection.send(bytes([byte]))
        assert notify.read_all(connection) == b"OK ()\r\n"
    site.told(site.watched, "INBOX")


def test_a_large_event_is_taken_in(site):
    event = notify.mail(site.watched.user, bodyStructure="x" * 900000)
    site.tell(event)
    site.told(site.watched, "INBOX")


def test_many_datagrams_at_once_do_not_block_the_sender(site):
    users = [new_user() for _ in range(300)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(TIMEOUT)
        sender.connect(str(site.mailpushd.notify_socket))
        for user in users:
            sender.send(notify.datagram(notify.mail(user)))
        sender.send(notify.datagram(notify.mail(site.watched.user)))
    site.told(site.watched, "INBOX")
    for user in users:
        site.mailpushd.wait_log(f"event came event=MessageNew owner={user} ")
