"""Dovecot's plugin for xapsd, as far as mailpushd sees it.

    plugin = Plugin(port)
    assert plugin.register(phone) == (200, TOPIC)
    assert plugin.notify(phone.user, "MessageNew") == 200
"""

import http.client
import json
import socket

from waiting import TIMEOUT

SUBTOPIC = "com.apple.mobilemail"


def registration(phone, **changes):
    return {"ApsAccountId": phone.account_id, "ApsDeviceToken": phone.token, "ApsSubtopic": SUBTOPIC,
            "Username": phone.user, "Mailboxes": list(phone.mailboxes), **changes}


def news(user, *events, mailbox="INBOX"):
    return {"Username": user, "Mailbox": mailbox, "Events": list(events)}


class Plugin:
    """One connection, which is kept as the plugin keeps it."""

    def __init__(self, port, host="127.0.0.1"):
        self.connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)

    def close(self):
        self.connection.close()

    def ask(self, path, body, method="POST", **headers):
        """(status, the body that was answered)."""
        text = body if isinstance(body, (bytes, str)) else json.dumps(body)
        self.connection.request(method, path, body=text, headers={
            "Content-Type": "application/json; charset=utf-8", **headers})
        response = self.connection.getresponse()
        return response.status, response.read().decode()

    def register(self, phone, **changes):
        return self.ask("/register", registration(phone, **changes))

    def notify(self, user, *events, mailbox="INBOX"):
        """The status; its body is always empty."""
        status, body = self.ask("/notify", news(user, *events, mailbox=mailbox))
        assert body == ""
        return status


def line_of(verb, **pairs):
    """A line of the older protocol, without its end."""
    def text(value):
        if isinstance(value, (list, tuple)):
            return "(" + ",".join(map(text, value)) + ")"
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return verb + " " + "\t".join(f"{key.replace('_', '-')}={text(value)}" for key, value in pairs.items())


def register_line(phone):
    return line_of("REGISTER", aps_account_id=phone.account_id, aps_device_token=phone.token,
                   aps_subtopic=SUBTOPIC, dovecot_username=phone.user, dovecot_mailboxes=phone.mailboxes)


def notify_line(user, *events, mailbox="INBOX"):
    return line_of("NOTIFY", dovecot_username=user, dovecot_mailbox=mailbox,
                   **({"events": events} if events else {}))


def say(path, line, end="\r\n"):
    """What the older socket answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        connection.settimeout(TIMEOUT)
        connection.sendall(line if isinstance(line, bytes) else (line + end).encode())
        answer = b""
        while part := connection.recv(4096):
            answer += part
        return answer.decode()
