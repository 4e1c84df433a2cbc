"""An IMAP connection as tests want it: Unicode names, and an answer that is not OK raises."""

import base64
import contextlib
import imaplib
import re
import ssl

from lmtp import make_message
from waiting import TIMEOUT


def encode_name(name):
    """Unicode -> modified UTF-7 (RFC 3501, 5.1.3)."""
    def shift(match):
        text = match.group()
        if text == "&":
            return "&-"
        packed = base64.b64encode(text.encode("utf-16-be")).decode()
        return "&" + packed.rstrip("=").replace("/", ",") + "-"
    return re.sub(r"&|[^\x20-\x7e]+", shift, name)


def decode_name(name):
    """Modified UTF-7 -> Unicode."""
    def unshift(match):
        packed = match.group(1).replace(",", "/")
        if not packed:
            return "&"
        return base64.b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-16-be")
    return re.sub(r"&([^-]*)-", unshift, name)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class ImapError(Exception):
    """The server answered NO or BAD."""


class Imap:
    """One logged-in connection.  Messages are named by UID."""

    def __init__(self, port, user, password, ca=None, starttls=False):
        """With ca, TLS that must verify against it, at once or by STARTTLS; without, plain text."""
        context = ca and ssl.create_default_context(cafile=str(ca))
        if context and not starttls:
            self.connection = imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=context,
                                                timeout=TIMEOUT)
        else:
            self.connection = imaplib.IMAP4("127.0.0.1", port, timeout=TIMEOUT)
        if starttls:
            self._ok(self.connection.starttls(context))
        self._ok(self.connection.login(quoted(user), password))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Log out; the server may have ended the connection already."""
        try:
            self.connection.logout()
        except (OSError, imaplib.IMAP4.error):
            with contextlib.suppress(OSError):
                self.connection.shutdown()

    def create(self, name):
        return self._ok(self.connection.create(mailbox(name)))

    def delete(self, name):
        return self._ok(self.connection.delete(mailbox(name)))

    def rename(self, old, new):
        return self._ok(self.connection.rename(mailbox(old), mailbox(new)))

    def setacl(self, name, who, rights):
        return self._ok(self.connection.setacl(mailbox(name), quoted(who), quoted(rights)))

    def deleteacl(self, name, who):
        return self._ok(self.connection.deleteacl(mailbox(name), quoted(who)))

    def list(self):
        """The names of all mailboxes that this user sees."""
        lines = self._ok(self.connection.list())
        return [decode_name(line.decode().split('" ', 1)[1].strip('"')) for line in lines if line]

    def select(self, name, readonly=False):
        """Returns the number of messages."""
        return int(self._ok(self.connection.select(mailbox(name), readonly))[0])

    def append(self, name, message=None, flags=()):
        return self._ok(self.connection.append(mailbox(name), f"({' '.join(flags)})", None,
                                               message or make_message()))

    def replace(self, uid, name, message=None):
        """A message takes the place of one of the selected mailbox, there or elsewhere (RFC 8508)."""
        self.connection.literal = imaplib.MapCRLF.sub(imaplib.CRLF, message or make_message())
        return self._ok(self.connection.xatom("UID", "REPLACE", uid, mailbox(name)))

    def capabilities(self):
        """What the server offers to who has logged in."""
        return self._ok(self.connection.capability())[-1].decode().split()

    def search(self, *criteria):
        """The UIDs that match, in the selected mailbox."""
        return self._ok(self.connection.uid("SEARCH", *criteria))[0].decode().split()

    def fetch(self, uids, what="(BODY[])"):
        """As a reader does: BODY[] sets \\Seen."""
        return self._ok(self.connection.uid("FETCH", uids, what))

    def store(self, uids, change, *flags):
        """store("1:3", "+FLAGS", "\\\\Seen")."""
        return self._ok(self.connection.uid("STORE", uids, change, f"({' '.join(flags)})"))

    def copy(self, uids, name):
        return self._ok(self.connection.uid("COPY", uids, mailbox(name)))

    def move(self, uids, name):
        return self._ok(self.connection.uid("MOVE", uids, mailbox(name)))

    def expunge(self):
        return self._ok(self.connection.expunge())

    @contextlib.contextmanager
    def idle(self):
        """IDLE meanwhile."""
        tag = self.connection._new_tag()
        self.connection.send(tag + b" IDLE\r\n")
        self._read_to(b"+")
        yield
        self.connection.send(b"DONE\r\n")
        self._read_to(tag + b" OK")

    def _read_to(self, beginning):
        while line := self.connection.readline():
            if line.startswith(beginning):
                return
        raise ImapError("the connection ended")

    @staticmethod
    def _ok(answer):
        status, data = answer
        if status != "OK":
            raise ImapError(f"{status} {data}")
        return data


def mailbox(name):
    return quoted(encode_name(name))
