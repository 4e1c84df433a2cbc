"""Who listens where Dovecot's plugins send: takes everything down and answers as mailpushd does.

    audience = Audience(path)
    audience.wait("MessageNew", folder="Notes")
    audience.answers["Register"] = b'NO "full"\\r\\n'
"""

import contextlib
import json
import pathlib
import socket
import struct
import threading
import time

from notifier import Request
from waiting import TIMEOUT, wait_until

TOPIC = "com.apple.mail.XServer.00000000-0000-0000-0000-000000000000"


class Audience:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.spools = []            # folders of what was kept
        self.answers = {}           # event -> bytes; None: it never answers
        self.unanswered = []
        self.delay_s = 0            # of each answer to news
        self.asked = []             # events, answered or not
        self.peers = set()          # uids
        self._said = []             # (when it was sent, event)
        self._lock = threading.Lock()
        self._silent = []           # connections
        self._seen = 0             # of the news
        self.listen()

    def listen(self):
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self.path.chmod(0o666)
        self._listener.listen(1024)
        self._thread = threading.Thread(target=self._serve, args=(self._listener,), daemon=True)
        self._thread.start()

    def leave(self):
        """As a daemon that ended."""
        self.path.unlink(missing_ok=True)
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._thread.join(TIMEOUT)  # or it accepts from whoever gets the number of this socket next
            self._listener.close()
            self._listener = None

    def _serve(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._hear, args=(connection,), daemon=True).start()

    def _hear(self, connection):
        text = b""
        while not text.endswith(b" FILEPATH NIL)\r\n"):
            more = connection.recv(65536)
            if not more:
                return
            text += more
        request = Request.read(text)
        event = json.loads(request.message)
        assert request.event_class == b"DOVECOT" and event["source"] == "dovecot"
        plain = b"OK ()\r\n"
        if event["event"] in ("Topic", "Register"):
            plain = f'OK "{TOPIC}"\r\n'.encode()
        answer = self.answers.get(event["event"], plain)
        self.asked.append(event)
        if event["event"] not in ("Topic", "Register"):
            time.sleep(self.delay_s)
        with self._lock:        # who is answered finds it in all()
            self.peers.add(struct.unpack("iII", connection.getsockopt(
                socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1])
            if answer is None:
                self.unanswered.append(event)
                self._silent.append(connection)
                return
            with contextlib.suppress(OSError):      # the plugin did not wait, and kept it
                connection.sendall(answer)
                self._said.append((request.received_ms, event))
        connection.close()

    def answer_late(self, answer):
        """To all who were not answered so far; returns when they have taken it."""
        with self._lock:
            silent, self._silent = self._silent, []
        for connection in silent:
            connection.settimeout(TIMEOUT)
            connection.sendall(answer)
            assert not connection.recv(1)       # its end is closed
            connection.close()

    # ---- what came ----

    def kept(self):
        """What is in the spool folders."""
        found = []
        for path in [path for spool in self.spools for path in sorted(spool.glob("[0-9]*"))]:
            request = Request.read(path.read_bytes())
            found.append((request.received_ms, json.loads(request.message)))
        return found

    def all(self, *names, **members):
        """The events so far, in order, of these names and with these members."""
        with self._lock:
            events = sorted(self._said + self.kept(), key=lambda pair: pair[0])
        return [event for _, event in events
                if (not names or event["event"] in names)
                and all(event.get(key) == value for key, value in members.items())]

    def wait(self, *names, timeout=TIMEOUT, **members):
        """The first such event."""
        try:
            return wait_until(lambda: self.all(*names, **members), timeout, f"{names} {members}")[0]
        except TimeoutError as error:
            raise TimeoutError(f"{error}; came: {self.all()}") from None

    def new(self):
        """The news of mailboxes since the last call; when a command is answered, all of its is here."""
        events = [event for event in self.all() if event["event"] not in ("Topic", "Register")]
        new, self._seen = events[self._seen:], len(events)
        return new
