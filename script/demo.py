"""The play that script/demo shows; see there.

The programs are those of the system tests: a private Cyrus, mailpushd and apns-sim, each in a
folder of its own that goes at the end.
"""

import argparse
import contextlib
import json
import pathlib
import select
import shutil
import signal
import sys
import tempfile

from play import BEGAN_MS, REPOSITORY, SETTINGS, USER, OneServer, now_ms

import demo_cluster
import demo_dovecot
from apnssim import ApnsSim
from cyrus import Cyrus, version
from mailpushd import Mailpushd

FOLDER = "Entwürfe"


class Demo(OneServer):
    def __init__(self, cyrus, daemon, sim):
        super().__init__(cyrus, daemon, sim, cyrus.client_name(FOLDER))
        self.daemon = daemon

    def play(self):
        self.phone = self.play_mail(FOLDER)
        with self.step("The account is deleted") as began:
            self.timeline.add("admin", f"deletes {USER}")
            self.server.delete_user(USER)
            self.expect_suspension(began)

    def keep(self):
        """Stay until interrupted, show what happens, and pass on what is typed to apns-sim."""
        self.server.create_user("bob", "Notes")
        self.timeline.skip()
        print(HOW_TO_TALK.format(
            imaps=self.server.imaps_port, ca=self.server.ca, lmtp=self.server.lmtp_port,
            lmtp_tool=REPOSITORY / "tests" / "system" / "lmtp.py", token=self.phone.token,
            account_id=self.phone.account_id, password=self.server.password,
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


def play_one(keep):
    with site() as (cyrus, daemon, sim):
        print(f"Cyrus IMAP {version()}, mailpushd and apns-sim run after "
              f"{now_ms() - BEGAN_MS} ms.")
        demo = Demo(cyrus, daemon, sim)
        demo.play()
        demo.print_summary()
        if keep:
            with contextlib.suppress(KeyboardInterrupt):
                demo.keep()
            print()


def end(*_):
    """Told to end, or the terminal was closed: clean up, and once only."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(1)


def main():
    parser = argparse.ArgumentParser(prog="demo", description="Mail arrives, a phone is pushed to.")
    parser.add_argument("--keep", action="store_true",
                        help="stay, and say how to talk to it by hand")
    parser.add_argument("--dovecot", action="store_true",
                        help="with a real Dovecot and mailpush's plugin, instead of Cyrus")
    parser.add_argument("--cluster", action="store_true",
                        help="two servers that share their registrations in one database")
    parser.add_argument("--database", choices=demo_cluster.DATABASES,
                        help="of the cluster (default: postgresql)")
    arguments = parser.parse_args()
    if arguments.cluster and arguments.dovecot:
        parser.error("--dovecot and --cluster are two demos")
    if arguments.keep and (arguments.cluster or arguments.dovecot):
        parser.error("--keep is for the demo of Cyrus alone")
    if arguments.database and not arguments.cluster:
        parser.error("--database is for --cluster")
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:      # as under nohup
            signal.signal(number, end)
    try:
        if arguments.cluster:
            demo_cluster.play(arguments.database or "postgresql")
        elif arguments.dovecot:
            demo_dovecot.play()
        else:
            play_one(arguments.keep)
    except KeyboardInterrupt:
        print("\ninterrupted")
        return 130
    except (TimeoutError, RuntimeError) as failure:
        print(f"\nFAILED: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
