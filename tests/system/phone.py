"""iOS Mail's side: a TLS connection that registers for pushes.

A Phone is an Imap connection as well, so that a second one plays the other device.
"""

import dataclasses
import hashlib
import imaplib
import re
import uuid

from imap import Imap, decode_name, encode_name, quoted

imaplib.Commands["XAPPLEPUSHSERVICE"] = ("AUTH", "SELECTED")

SUBTOPIC = "com.apple.mobilemail"


def hash_of(name):
    """What a push calls the mailbox that was registered as `name` (Unicode)."""
    return hashlib.md5(name.encode("utf-8")).hexdigest()


def new_token():
    """A device token that no other phone has."""
    return uuid.uuid4().hex + uuid.uuid4().hex


@dataclasses.dataclass
class Registered:
    """What the server answered; Cyrus leaves out mailboxes that it does not confirm."""
    mailboxes: list
    topic: str
    version: int


class Phone(Imap):
    def __init__(self, cyrus, user="alice", token=None, account_id=None, starttls=False):
        super().__init__(cyrus.imap_port if starttls else cyrus.imaps_port, user, cyrus.password,
                         ca=cyrus.ca, starttls=starttls)
        self.user = user
        self.token = token or new_token()
        self.account_id = account_id or str(uuid.uuid4()).upper()

    def register(self, *mailboxes, version=2):
        """Register for these mailboxes with this phone's token and account id."""
        return self.xapplepushservice(version, self.account_id, self.token, SUBTOPIC, mailboxes)

    def xapplepushservice(self, version, account_id, token, subtopic=SUBTOPIC, mailboxes=(),
                          more=None):
        """The command in the form that iOS sends: every atom quoted.  `more`: keys that it does not."""
        pairs = {"aps-version": str(version), "aps-account-id": account_id,
                 "aps-device-token": token, "aps-subtopic": subtopic, **(more or {})}
        arguments = [quoted(text) for pair in pairs.items() for text in pair]
        names = " ".join(quoted(encode_name(name)) for name in mailboxes)
        arguments += [quoted("mailboxes"), f"({names})"]
        self.connection.untagged_responses.pop("XAPPLEPUSHSERVICE", None)
        self._ok(self.connection._simple_command("XAPPLEPUSHSERVICE", *arguments))
        return self._registered()

    def _registered(self):
        _, lines = self.connection.response("XAPPLEPUSHSERVICE")
        strings = [_strings(line) for line in lines if line]
        pairs = [(s[i], s[i + 1]) for s in strings for i in range(0, len(s), 2)]
        values = dict(pairs)
        return Registered(mailboxes=[decode_name(v) for k, v in pairs if k == "mailbox"],
                          topic=values.get("aps-topic"), version=int(values.get("aps-version", 0)))


def _strings(line):
    """The strings of an untagged answer; imaplib gives a literal as (text before it, literal)."""
    if isinstance(line, tuple):
        return _strings(line[0]) + [line[1].decode()]
    return re.findall(r'"((?:[^"\\]|\\.)*)"', line.decode())
