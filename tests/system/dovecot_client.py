"""What Dovecot's plugin says, without a Dovecot (docs/dovecot-events.md).

    ask(daemon.dovecot_socket, topic("alice"))                      # b'OK "com.apple..."\r\n'
    ask(daemon.dovecot_socket, mail("alice", "Notes"), user="games")    # as that user of the system
"""

import dataclasses
import hashlib
import subprocess

import notify
from apnssim import TOPIC
from imap import encode_name
from mailsite import BareSite
from phone import SUBTOPIC
from waiting import TIMEOUT, wait_until

TOLD = b'OK "%s"\r\n' % TOPIC.encode()
TOLD_OWN = b'OK "%s own"\r\n' % TOPIC.encode()      # mailboxes of others do not count
FINE = b"OK ()\r\n"

# A process of its own: it is the uid of whoever connects that counts.
CLIENT = """
import socket, sys
with socket.socket(socket.AF_UNIX) as connection:
    connection.settimeout(60)
    connection.connect(sys.argv[1])
    try:
        connection.sendall(sys.stdin.buffer.read())
    except BrokenPipeError:
        pass
    try:
        while piece := connection.recv(4096):
            sys.stdout.buffer.write(piece)
    except ConnectionResetError:
        pass
"""


def as_user(user):
    """The command that runs another one as this user, a name or a number."""
    return ["setpriv", f"--reuid={user}", "--regid=65534", "--clear-groups"]


# ---- requests ----

def topic(user):
    return {"source": "dovecot", "event": "Topic", "user": user}


def guid(owner, folder):
    return hashlib.md5(f"{owner}/{folder}".encode()).hexdigest()


def mail(user, folder="", event="MessageNew", owner=None, **more):
    """Something happened in a mailbox of the user's; no folder means INBOX."""
    owner = user if owner is None else owner
    return {"source": "dovecot", "event": event, "user": user, "owner": owner, "folder": folder,
            "guid": guid(owner, folder), **more}


def rename(user, old, new, **more):
    return mail(user, new, "MailboxRename", guid=guid(user, old),
                **{"from_owner": user, "from_folder": old, **more})


def mailbox(user, name, owner=None, folder=None):
    """A mailbox of a registration: what the phone typed, and what it means."""
    folder = ("" if name == "INBOX" else name) if folder is None else folder
    owner = user if owner is None else owner
    return {"name": encode_name(name), "owner": owner, "folder": folder,
            "guid": guid(owner, folder)}


def registration(user, token, account_id, mailboxes=("INBOX",), version=2, **more):
    """A mailbox is a name, or what mailbox() gives."""
    return {"source": "dovecot", "event": "Register", "user": user, "version": version,
            "account_id": account_id, "device_token": token, "subtopic": SUBTOPIC,
            "mailboxes": [mailbox(user, m) if isinstance(m, str) else m for m in mailboxes], **more}


def request(event):
    return notify.request(event, "DOVECOT")


# ---- transport ----

def ask(path, event, user=None):
    """Send one request, as a user of the system or as we are, and return the answer."""
    data = event if isinstance(event, bytes) and event.startswith(b"NOTIFY ") else request(event)
    if user is None:
        return notify.ask(path, data)
    done = subprocess.run([*as_user(user), "/usr/bin/python3", "-c", CLIENT, str(path)], input=data,
                          capture_output=True, timeout=TIMEOUT, check=True)
    return done.stdout


@dataclasses.dataclass
class DovecotSite(BareSite):
    """mailpushd and apns-sim; the events come from the test, through Dovecot's door."""

    @property
    def door(self):
        return self.mailpushd.settings["dovecot_socket"]

    def ask(self, event, user=None, **options):
        return ask(self.door, event, user)

    def tell(self, event, user=None):
        answer = self.ask(event, user)
        assert answer == FINE, answer

    def register(self, phone, *mailboxes, user=None, told=TOLD):
        """With these mailboxes, or with the phone's own names."""
        answer = self.ask(registration(phone.user, phone.token, phone.account_id,
                                       mailboxes or phone.mailboxes), user)
        assert answer == told, answer

    def deliver(self, user, folder=""):
        self.tell(mail(user, folder))

    def wait_subscribed(self, phone, *names):
        wait_until(lambda: self.subscriptions(phone) == sorted(names), what=str(names))

