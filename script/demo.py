"""The play that script/demo shows; see there.

The programs are those of the system tests: a private Cyrus, mailpushd and apns-sim, each in a
folder of its own that goes at the end.
"""

import argparse
import contextlib
import datetime
import json
import pathlib
import re
import select
import shutil
import signal
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests" / "system"))
sys.dont_write_bytecode = True

from apnssim import ApnsSim
from cyrus import Cyrus, version
from mailpushd import Mailpushd
from phone import Phone, hash_of
from waiting import TIMEOUT

USER = "alice"
FOLDER = "Entwürfe"
# The daemon's own are 30 s and 2 s; nobody wants to watch that.
SETTINGS = {"deferred_delay": "1s", "min_interval": "200ms"}

BEGAN_MS = int(time.time() * 1000)
LOG_LINE = re.compile(r"(?P<time>\S+Z) (?P<level>\w+) (?P<module>[\w-]+): (?P<text>.*)")
CYRUS_SAID = "event came "
FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)')


class Timeline:
    """What everyone did, in order of time; printed step by step."""

    WHO = ("phone", "device", "sender", "admin", "Cyrus", "mailpushd", "Apple")

    def __init__(self, daemon, sim, names):
        self.daemon, self.sim, self.names = daemon, sim, names
        self._rows = []
        self._lines_seen = self._pushes_seen = 0

    def add(self, who, what, at_ms=None):
        self._rows.append((at_ms or now_ms(), self.WHO.index(who), what))

    def print_new(self):
        """Print what has happened since the last time."""
        self._collect()
        for at_ms, who, what in sorted(self._rows):
            print(f"{at_ms - BEGAN_MS:+7d} ms  {self.WHO[who]:10}{what}")
        self._rows.clear()
        sys.stdout.flush()

    def skip(self):
        """Leave out what has happened so far."""
        self._collect()
        self._rows.clear()

    def _collect(self):
        lines = self.daemon.lines(self._lines_seen)
        self._lines_seen += len(lines)
        for line in filter(None, map(LOG_LINE.fullmatch, lines)):
            at_ms = unix_ms(line["time"])
            if line["text"].startswith(CYRUS_SAID):
                self.add("Cyrus", event_in_words(line["text"]), at_ms)
            else:
                self.add("mailpushd", shortened(line["text"]), at_ms)
        pushes = self.sim.pushes()[self._pushes_seen:]
        self._pushes_seen += len(pushes)
        for push in pushes:
            self.add("Apple", self.describe(push), push["time_ms"])

    def describe(self, push):
        hashes = push["payload"]["aps"].get("m")
        mailboxes = "INBOX" if hashes is None else ", ".join(self.names.get(h, h) for h in hashes)
        return f"push to {push['token'][:8]}...: refresh {mailboxes}  -> {push['status']}"


class Demo:
    def __init__(self, cyrus, daemon, sim):
        self.cyrus, self.daemon, self.sim = cyrus, daemon, sim
        self.folder = cyrus.client_name(FOLDER)
        self.timeline = Timeline(daemon, sim, {hash_of(n): n for n in ("INBOX", self.folder)})
        self.summary = []

    def play(self):
        with self.step("An account"):
            self.cyrus.create_user(USER, FOLDER)
            self.timeline.add("admin", f"created {USER} with INBOX and {self.folder}")
        with self.step("The phone registers") as began:
            self.register(began)
        with self.step("A message arrives for INBOX") as began:
            self.timeline.add("sender", f"delivers to {USER} by LMTP")
            self.cyrus.deliver(USER)
            self.expect_push("delivery", began, "INBOX")
        with Phone(self.cyrus, USER) as device:
            device.select("INBOX")
            with self.step("It is read on another device") as began:
                self.timeline.add("device", "reads the message")
                device.fetch("1")
                self.expect_push("read elsewhere", began, "INBOX")
            with self.step(f"It is moved to {self.folder}") as began:
                self.timeline.add("device", f"moves the message to {self.folder}")
                device.move("1", self.folder)
                self.expect_push("move", began, "INBOX", self.folder)
        with self.step("The account is deleted") as began:
            self.delete_account(began)

    @contextlib.contextmanager
    def step(self, title):
        """One step: a heading, and what happened until its end, also if that is a failure."""
        print(f"\n{title}")
        began = now_ms()
        try:
            yield began
        except Exception:       # not when we are to end: Ctrl-C also ends whom we would ask
            self.timeline.print_new()
            raise
        self.timeline.print_new()

    def register(self, began):
        self.phone = Phone(self.cyrus, USER)
        tls = self.phone.connection.sock.version()
        self.timeline.add("phone", f"logged in as {USER} over {tls}")
        answer = self.phone.register("INBOX", self.folder)
        self.timeline.add("phone", f"XAPPLEPUSHSERVICE: confirmed {', '.join(answer.mailboxes)}; "
                          f"topic {answer.topic}")
        if answer.mailboxes != ["INBOX", self.folder]:
            raise TimeoutError(f"Cyrus confirmed {answer.mailboxes} only")
        self.expect_push("registration", began, "INBOX", self.folder)

    def delete_account(self, began):
        since = len(self.daemon.lines())
        self.timeline.add("admin", f"deletes {USER}")
        self.cyrus.delete_user(USER)
        line = self.daemon.log.wait(f"suspended.*{USER}|{USER}.*suspended", TIMEOUT, since).string
        at_ms = unix_ms(LOG_LINE.fullmatch(line)["time"])
        self.summary.append(("account deleted", at_ms - began, "registrations suspended"))

    def expect_push(self, what, began, *mailboxes):
        """Wait until Apple was told of all these mailboxes, in one push or several."""
        last_ms = 0
        for mailbox in mailboxes:
            try:
                push = self.sim.wait_pushes(1, TIMEOUT, lambda p: self.tells(p, mailbox, began))[0]
            except TimeoutError:
                missing = f"no push about {mailbox} within {TIMEOUT} s of: {what}"
                raise TimeoutError(missing) from None
            last_ms = max(last_ms, push["time_ms"])
        self.summary.append((what, last_ms - began, "pushed " + ", ".join(mailboxes)))

    def tells(self, push, mailbox, since_ms):
        hashes = push["payload"]["aps"].get("m", [])
        return (push["token"] == self.phone.token and push["time_ms"] >= since_ms
                and push["status"] == 200 and hash_of(mailbox) in hashes)

    def print_summary(self):
        print("\nSummary")
        for what, took_ms, result in self.summary:
            print(f"{took_ms:+7d} ms  {what:18}{result}")
        print(f"{len(self.sim.pushes())} pushes, all as they should be.")

    def keep(self):
        """Stay until interrupted, show what happens, and pass on what is typed to apns-sim."""
        self.cyrus.create_user("bob", "Notes")
        self.timeline.skip()
        print(HOW_TO_TALK.format(
            imaps=self.cyrus.imaps_port, ca=self.cyrus.ca, lmtp=self.cyrus.lmtp_port,
            lmtp_tool=REPOSITORY / "tests" / "system" / "lmtp.py", token=self.phone.token,
            account_id=self.phone.account_id, password=self.cyrus.password,
            conf=self.daemon.conf), flush=True)
        watched = [sys.stdin]
        while True:
            readable, _, _ = select.select(watched, [], [], 0.2)
            if readable and not self.tell_apple(sys.stdin.readline()):
                watched = []
            self.timeline.print_new()

    def tell_apple(self, line):
        """Give a typed command to apns-sim; returns whether more may come."""
        if line.strip():
            try:
                print(self.sim.control(check=False, **json.loads(line)))
            except (ValueError, TypeError) as error:
                print(f"not a JSON object: {error}")
        return bool(line)


HOW_TO_TALK = """
It stays until you press Ctrl-C, and goes on to show what happens.

IMAP as user bob (folders INBOX and Notes):
  openssl s_client -quiet -crlf -CAfile {ca} -connect 127.0.0.1:{imaps}
    a login bob {password}
    b xapplepushservice "aps-version" "2" "aps-account-id" "{account_id}" \
"aps-device-token" "{token}" "aps-subtopic" "com.apple.mobilemail" "mailboxes" ("INBOX" "Notes")
    c select INBOX
    d store 1:* +flags (\\Seen)
A message to INBOX, and one to Notes:
  python3 {lmtp_tool} {lmtp} bob
  python3 {lmtp_tool} {lmtp} bob+Notes
What Apple answers: type a command for apns-sim here, such as
  {{"do": "next", "count": 1, "status": 503, "reason": "ServiceUnavailable"}}
The daemon's configuration: {conf}
"""


def event_in_words(text):
    """The daemon's line about an event, as what Cyrus said and what follows by the rule."""
    field = {name: value.strip('"') for name, value in FIELD.findall(text)}
    where = ""
    if field["owner"]:
        where = f" in {field['folder'] or 'INBOX'} of {field['owner']}"
    if field["event"] == "ApplePushService":
        where = f" by {field['owner']}"
    return f"{field['event']}{where} => {field['action']}"


def shortened(text, width=110):
    return text if len(text) <= width else text[:width - 3] + "..."


def now_ms():
    return int(time.time() * 1000)


def unix_ms(timestamp):
    return int(datetime.datetime.fromisoformat(timestamp).timestamp() * 1000)


@contextlib.contextmanager
def site():
    """Cyrus, mailpushd and apns-sim, running and joined."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mailpush-demo-", dir="/tmp"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        sim = stack.enter_context(ApnsSim().start(folder / "apns"))
        cyrus = Cyrus()
        stack.callback(cyrus.remove)
        daemon = stack.enter_context(Mailpushd(folder / "mailpushd", cyrus, sim, **SETTINGS))
        cyrus.start()
        yield cyrus, daemon, sim


def end(*_):
    """Told to end, or the terminal was closed: clean up, and once only."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(1)


def main():
    parser = argparse.ArgumentParser(prog="demo", description="Mail arrives, a phone is pushed to.")
    parser.add_argument("--keep", action="store_true",
                        help="stay, and say how to talk to it by hand")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:      # as under nohup
            signal.signal(number, end)
    try:
        with site() as (cyrus, daemon, sim):
            print(f"Cyrus IMAP {version()}, mailpushd and apns-sim run after "
                  f"{now_ms() - BEGAN_MS} ms.")
            demo = Demo(cyrus, daemon, sim)
            demo.play()
            demo.print_summary()
            if arguments.keep:
                with contextlib.suppress(KeyboardInterrupt):
                    demo.keep()
                print()
    except KeyboardInterrupt:
        print("\ninterrupted")
        return 130
    except (TimeoutError, RuntimeError) as failure:
        print(f"\nFAILED: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
