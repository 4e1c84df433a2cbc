"""The sender's side: messages reach Cyrus by LMTP."""

import concurrent.futures
import smtplib
import sys
import uuid

from waiting import TIMEOUT

SENDER = "sender@example.net"


def make_message(subject="hello", body="Hello.", sender=SENDER, headers=None):
    """A message with a Message-ID of its own: Cyrus drops a second one with the same."""
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    text = (f"From: {sender}\r\nTo: undisclosed-recipients:;\r\nSubject: {subject}\r\n"
            f"Message-ID: <{uuid.uuid4()}@example.net>\r\n"
            "Date: Mon, 02 Nov 2026 12:00:00 +0000\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"{more}\r\n{body}\r\n")
    return text.encode()


def connect(port):
    return smtplib.LMTP("127.0.0.1", port, local_hostname="localhost", timeout=TIMEOUT)


def deliver(port, rcpt, message=None, sender=SENDER):
    """Deliver one message; a refusal raises smtplib.SMTPException."""
    with connect(port) as lmtp:
        lmtp.sendmail(sender, [rcpt], message or make_message())


def deliver_many(port, rcpts, connections=8, sender=SENDER):
    """Deliver one message to each of rcpts (repeats are fine) over several connections at once.

    Returns the recipients whose message was accepted, in no particular order; refusals and broken
    connections cost only the messages concerned.
    """
    rcpts = list(rcpts)
    shares = [rcpts[start::connections] for start in range(min(connections, len(rcpts)))]
    with concurrent.futures.ThreadPoolExecutor(max(1, len(shares))) as pool:
        accepted = pool.map(lambda share: _deliver_share(port, share, sender), shares)
        return [rcpt for share in accepted for rcpt in share]


def _deliver_share(port, rcpts, sender):
    accepted = []
    lmtp = connect(port)
    for rcpt in rcpts:
        try:
            lmtp.sendmail(sender, [rcpt], make_message())
            accepted.append(rcpt)
        except smtplib.SMTPServerDisconnected:
            lmtp.close()
            lmtp = connect(port)
        except smtplib.SMTPResponseException:
            continue
        except smtplib.SMTPRecipientsRefused:
            continue
    lmtp.close()
    return accepted


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: lmtp.py PORT RECIPIENT")
    deliver(int(sys.argv[1]), sys.argv[2])
