"""Events as Cyrus sends them, without a Cyrus: for what it would not send, or not as fast.

    ask(daemon.stream_socket, request(mail("alice")))       # b"OK ()\r\n"
    send(daemon.notify_socket, datagram(mail("alice")))
"""

import contextlib
import itertools
import json
import pathlib
import socket
import urllib.parse

from imap import encode_name
from phone import SUBTOPIC
from waiting import TIMEOUT

SERVER = "mail.example.com"

_uid = itertools.count(1)


# ---- events ----

def mail(user, *folder, event="MessageNew", **more):
    """Something happened in a mailbox of the user's; no folder means INBOX."""
    return {
        "event": event, "timestamp": "2026-11-22T08:09:25.234Z",
        "mailboxID": "q3nny6bz5j0qbsi7dtmgmw37", "uri": f"{uri(user, *folder)}/;UID={next(_uid)}",
        "vnd.cmu.unseenMessages": 1, "pid": 17074, "user": user, "vnd.cmu.mbtype": "e",
        "serverFQDN": SERVER, "vnd.cmu.mailboxACL": f"{user}\tlrswipkxtecdan\t", **more}


def uri(user, *folder):
    path = urllib.parse.quote("/".join(("user", user, *folder)), safe="/.~$'()*,-_!")
    return f"imap://{SERVER}/{path};UIDVALIDITY=1795334954"


def registration(user, token, account_id, mailboxes=("INBOX",), version=2, **more):
    """What Cyrus sends when a phone has registered; a key given as None is left out."""
    event = {
        "event": "ApplePushService", "pid": 17131, "user": user, "apsVersion": version,
        "apsAccountId": account_id, "apsDeviceToken": token, "apsSubtopic": SUBTOPIC,
        "mailboxes": [encode_name(name) for name in mailboxes], **more}
    return {key: value for key, value in event.items() if value is not None}


def message(event):
    """An event's bytes: compact JSON in UTF-8.  Bytes and text are taken as they are."""
    if isinstance(event, dict):
        event = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    return event.encode() if isinstance(event, str) else event


# ---- transports ----

def queue_length():
    """So many datagrams, and one, find room in a socket that nobody reads."""
    return int(pathlib.Path("/proc/sys/net/unix/max_dgram_qlen").read_text())


def request(event, notification_class="EVENT"):
    """One dlist request."""
    text = message(event)
    return (b"NOTIFY %%(METHOD external CLASS %s PRIORITY NIL USER NIL MAILBOX NIL OPTIONS () "
            b"MESSAGE {%d+}\r\n%s FILEPATH NIL)\r\n" % (notification_class.encode(), len(text),
                                                        text))


def datagram(event, notification_class="EVENT"):
    return b"external\0%s\0\0\0\0000\0%s\0" % (notification_class.encode(), message(event))


def ask(path, data, timeout=TIMEOUT, ends=False):
    """Send bytes to a stream socket and return what it answers until it closes.

    With `ends`, nothing more is to come from us: a request that was cut.
    """
    with connect(path, timeout) as connection:
        try:
            connection.sendall(data)
        except BrokenPipeError:
            pass            # refused before all was read: the answer says why
        if ends:
            connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


def connect(path, timeout=TIMEOUT):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def read_all(connection):
    """What comes until the peer closes; the rest is lost if it closes while we still send."""
    answer = b""
    try:
        while piece := connection.recv(4096):
            answer += piece
    except ConnectionResetError:
        pass
    return answer


def send(path, data):
    """Send one datagram."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(TIMEOUT)
        sender.sendto(data, str(path))


@contextlib.contextmanager
def datagrams_at(path):
    """A socket that reads datagrams there, as notifyd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as target:
        target.settimeout(TIMEOUT)
        target.bind(str(path))
        yield target
