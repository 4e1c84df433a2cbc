"""The play of script/demo --cluster: two servers, each a Cyrus and a mailpushd, and one database."""

import contextlib
import pathlib
import shutil
import tempfile

from play import BEGAN_MS, SETTINGS, USER, Play, now_ms

import mariadb
import postgresql
from apnssim import ApnsSim
from cyrus import Cyrus, version
from mailpushd import Mailpushd
from phone import Phone

FOLDER = "Notes"
SITE = "mail.example.com"
ONE, TWO = NODES = (" 1", " 2")


class Cluster(Play):
    def __init__(self, cyruses, daemons, sim, database):
        super().__init__(daemons, sim, FOLDER)
        self.cyruses, self.database = cyruses, database

    def play(self):
        with self.step("An account on both servers, as when one is about to take over from the other"):
            for node, cyrus in self.cyruses.items():
                cyrus.create_user(USER, FOLDER)
                self.timeline.add("admin", f"created {USER} with INBOX and {FOLDER} on server{node}")
        with self.step("The phone registers on server 1") as began:
            phone = self.registered(self.cyruses[ONE], "INBOX", FOLDER)
            self.expect_push("registration on 1", phone, began, "INBOX", FOLDER, node=ONE)
        with self.step("A message arrives on server 2, which tells the phone") as began:
            self.deliver()
            self.expect_push("delivery on 2", phone, began, "INBOX", node=TWO)
        with Phone(self.cyruses[TWO], USER) as device:
            device.select("INBOX")
            with self.step("It is read there on another device") as began:
                self.timeline.add("device", "reads the message on server 2")
                device.fetch("1")
                self.expect_push("read elsewhere", phone, began, "INBOX", node=TWO)
        self.play_outage(phone)
        with self.step("Server 1 is given up: its account is deleted") as began:
            self.timeline.add("admin", f"deletes {USER} on server 1")
            self.cyruses[ONE].delete_user(USER)
            self.expect_suspension(began, node=ONE)
        with self.step("The next message on server 2 shows that the account lives there") as began:
            self.deliver()
            self.expect_push("resumed on 2", phone, began, "INBOX", node=TWO)

    def play_outage(self, phone):
        with self.step("The database stops; a message arrives, and a second phone registers"):
            self.timeline.add("database", "stops")
            self.database.stop()
            self.deliver(FOLDER)
            second = self.registered(self.cyruses[ONE], "INBOX")
            for node in NODES:
                self.wait_log(node, "alarm=registry state=begins")
            if self.new_pushes():
                raise RuntimeError("a push that nobody could know of")
        with self.step("The database is started again: what came meanwhile is told") as began:
            self.database.start()
            self.timeline.add("database", "answers again")
            self.expect_push("registration while away", second, began, "INBOX", node=ONE)
            self.expect_push("delivery while away", phone, began, FOLDER, node=TWO)
        with self.step("The second phone, too, is told by server 2") as began:
            self.deliver()
            self.expect_push("second phone", second, began, "INBOX", node=TWO)

    def deliver(self, *folder):
        began = now_ms()
        self.cyruses[TWO].deliver(USER, *folder)
        self.timeline.add("sender", f"delivered to {' '.join((USER, *folder))} on server 2 "
                          f"within {now_ms() - began} ms")


DATABASES = {"postgresql": (postgresql.programs, postgresql.Postgresql),
             "mariadb": (mariadb.programs, mariadb.Mariadb)}


def open_database(kind):
    programs, server = DATABASES[kind]
    if not programs():
        raise RuntimeError(f"{kind} is not installed; run script/bootstrap")
    return server()


@contextlib.contextmanager
def site(kind):
    """The database, apns-sim, and two servers."""
    with contextlib.ExitStack() as stack:
        database = open_database(kind)
        stack.callback(database.remove)
        folder = pathlib.Path(tempfile.mkdtemp(prefix="mailpush-demo-", dir="/tmp"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        database.make()
        sim = stack.enter_context(ApnsSim().start(folder / "apns"))
        cyruses, daemons = {}, {}
        for node in NODES:
            cyruses[node] = cyrus = Cyrus()
            stack.callback(cyrus.remove)
            daemons[node] = stack.enter_context(Mailpushd(
                folder / f"mailpushd{node.strip()}", cyrus, sim, registry=database.url, site=SITE,
                **SETTINGS))
            cyrus.start()
        yield cyruses, daemons, sim, database


def play(kind):
    with site(kind) as parts:
        print(f"Two of Cyrus IMAP {version()}, two mailpushd, one {kind} and apns-sim run after "
              f"{now_ms() - BEGAN_MS} ms.")
        cluster = Cluster(*parts)
        cluster.play()
        cluster.print_summary()
