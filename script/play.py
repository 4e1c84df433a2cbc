"""What the plays of script/demo share: the timeline, its steps, and the pushes that each expects."""

import contextlib
import datetime
import pathlib
import re
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests" / "system"))
sys.dont_write_bytecode = True

from phone import Phone, hash_of
from waiting import TIMEOUT, wait_until

USER = "alice"
# The daemon's own are 30 s and 2 s; nobody wants to watch that.
SETTINGS = {"deferred_delay": "1s", "min_interval": "200ms"}

BEGAN_MS = int(time.time() * 1000)
LOG_LINE = re.compile(r"(?P<time>\S+Z) (?P<level>\w+) (?P<module>[\w-]+): (?P<text>.*)")
SERVER_SAID = "event came "
FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)')


class Timeline:
    """What everyone did, in order of time; printed step by step."""

    WHO = ("phone", "device", "sender", "admin", "database", "Cyrus", "Dovecot", "mailpushd", "Apple")

    def __init__(self, daemons, sim, names):
        """daemons: by what stands behind their names, and those of their mail server."""
        self.daemons, self.sim, self.names = daemons, sim, names
        self._rows = []
        self._lines_seen = dict.fromkeys(daemons, 0)
        self._pushes_seen = 0
        self._width = 1 + max(len(who) for who in self.WHO) + max(map(len, daemons))

    def add(self, who, what, at_ms=None, node=""):
        self._rows.append((at_ms or now_ms(), self.WHO.index(who), node, what))

    def print_new(self):
        """Print what has happened since the last time."""
        self._collect()
        for at_ms, who, node, what in sorted(self._rows):
            print(f"{at_ms - BEGAN_MS:+7d} ms  {self.WHO[who] + node:{self._width}}{what}")
        self._rows.clear()
        sys.stdout.flush()

    def skip(self):
        """Leave out what has happened so far."""
        self._collect()
        self._rows.clear()

    def _collect(self):
        for node, daemon in self.daemons.items():
            lines = daemon.lines(self._lines_seen[node])
            self._lines_seen[node] += len(lines)
            for line in filter(None, map(LOG_LINE.fullmatch, lines)):
                at_ms = unix_ms(line["time"])
                if line["text"].startswith(SERVER_SAID):
                    self.add(*event_in_words(line["text"]), at_ms, node)
                else:
                    self.add("mailpushd", shortened(line["text"]), at_ms, node)
        pushes = self.sim.pushes()[self._pushes_seen:]
        self._pushes_seen += len(pushes)
        for push in pushes:
            self.add("Apple", self.describe(push), push["time_ms"])

    def describe(self, push):
        hashes = push["payload"]["aps"].get("m")
        mailboxes = "INBOX" if hashes is None else ", ".join(self.names.get(h, h) for h in hashes)
        return f"push to {push['token'][:8]}...: refresh {mailboxes}  -> {push['status']}"


class Play:
    def __init__(self, daemons, sim, folder):
        """daemons: as Timeline has them; folder: beside INBOX, as clients name it."""
        self.sim = sim
        self.folder = folder
        self.timeline = Timeline(daemons, sim, {hash_of(n): n for n in ("INBOX", folder)})
        self.summary = []
        self._pushes_before = 0     # the step
        self._lines_before = {}

    @contextlib.contextmanager
    def step(self, title):
        """One step: a heading, and what happened until its end, also if that is a failure."""
        print(f"\n{title}")
        self._pushes_before = len(self.sim.pushes())
        self._lines_before = {node: len(daemon.lines()) for node, daemon in self.timeline.daemons.items()}
        began = now_ms()
        try:
            yield began
        except Exception:       # not when we are to end: Ctrl-C also ends whom we would ask
            self.timeline.print_new()
            raise
        self.timeline.print_new()

    def registered(self, server, *mailboxes):
        """A phone that the mail server has confirmed these mailboxes to."""
        phone = Phone(server, USER)
        tls = phone.connection.sock.version()
        self.timeline.add("phone", f"logged in as {USER} over {tls}")
        answer = phone.register(*mailboxes)
        self.timeline.add("phone", f"XAPPLEPUSHSERVICE: confirmed {', '.join(answer.mailboxes)}; "
                          f"topic {answer.topic}")
        if answer.mailboxes != list(mailboxes):
            raise TimeoutError(f"the server confirmed {answer.mailboxes} only")
        return phone

    def new_pushes(self):
        """Those of this step."""
        return self.sim.pushes()[self._pushes_before:]

    def wait_log(self, node, pattern):
        """The match of the daemon's first line of this step in which pattern is found."""
        return self.timeline.daemons[node].wait_log(pattern, TIMEOUT, self._lines_before[node])

    def expect_push(self, what, phone, began, *mailboxes, node=""):
        """Wait until that node has told Apple of all these mailboxes, in one push or several."""
        last_ms = 0
        for mailbox in mailboxes:
            push = wait_until(
                lambda: next((p for p in self.new_pushes() if tells(p, phone, mailbox)), None),
                what=f"a push about {mailbox} after: {what}")
            last_ms = max(last_ms, push["time_ms"])
        self.wait_log(node, f"pushed user={USER} token={phone.token[:8]}.* status=200")
        self.summary.append((what, last_ms - began, "pushed " + ", ".join(mailboxes)))

    def expect_suspension(self, began, node=""):
        """Wait until that node has suspended the user's registrations."""
        line = self.wait_log(node, f"suspended.*{USER}|{USER}.*suspended").string
        at_ms = unix_ms(LOG_LINE.fullmatch(line)["time"])
        self.summary.append(("account deleted", at_ms - began, "registrations suspended"))

    def print_summary(self):
        print("\nSummary")
        width = 2 + max(len(what) for what, _, _ in self.summary)
        for what, took_ms, result in self.summary:
            print(f"{took_ms:+7d} ms  {what:{width}}{result}")
        print(f"{len(self.sim.pushes())} pushes, all as they should be.")


class OneServer(Play):
    """A mail server, mailpushd and apns-sim."""

    def __init__(self, server, daemon, sim, folder):
        super().__init__({"": daemon}, sim, folder)
        self.server = server

    def play_mail(self, *folder):
        """From the account to a message that is read and moved to a folder; returns the phone."""
        with self.step("An account"):
            self.server.create_user(USER, *folder)
            self.timeline.add("admin", f"created {USER} with INBOX and {self.folder}")
        with self.step("The phone registers") as began:
            phone = self.registered(self.server, "INBOX", self.folder)
            self.expect_push("registration", phone, began, "INBOX", self.folder)
        with self.step("A message arrives for INBOX") as began:
            self.deliver()
            self.expect_push("delivery", phone, began, "INBOX")
        with Phone(self.server, USER) as device:
            device.select("INBOX")
            with self.step("It is read on another device") as began:
                self.timeline.add("device", "reads the message")
                device.fetch("1")
                self.expect_push("read elsewhere", phone, began, "INBOX")
            with self.step(f"It is moved to {self.folder}") as began:
                self.timeline.add("device", f"moves the message to {self.folder}")
                device.move("1", self.folder)
                self.expect_push("move", phone, began, "INBOX", self.folder)
        return phone

    def deliver(self, *folder):
        self.timeline.add("sender", f"delivers to {' '.join((USER, *folder))} by LMTP")
        self.server.deliver(USER, *folder)


def tells(push, phone, mailbox):
    hashes = push["payload"]["aps"].get("m", [hash_of("INBOX")])
    return push["token"] == phone.token and push["status"] == 200 and hash_of(mailbox) in hashes


def event_in_words(text):
    """The daemon's line about an event, as who said what, and what follows by the rule."""
    field = {name: value.strip('"') for name, value in FIELD.findall(text)}
    where = ""
    if field["owner"]:
        where = f" in {field['folder'] or 'INBOX'} of {field['owner']}"
    if field["event"] == "ApplePushService":
        where = f" by {field['owner']}"
    return field["source"].capitalize(), f"{field['event']}{where} => {field['action']}"


def shortened(text, width=110):
    return text if len(text) <= width else text[:width - 3] + "..."


def now_ms():
    return int(time.time() * 1000)


def unix_ms(timestamp):
    return int(datetime.datetime.fromisoformat(timestamp).timestamp() * 1000)
