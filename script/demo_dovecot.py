"""The play of script/demo --dovecot: a real Dovecot with mailpush's plugin, and mailpushd without a Cyrus."""

import contextlib
import pathlib
import shutil
import tempfile

from play import BEGAN_MS, SETTINGS, USER, OneServer, now_ms

import dovecot
from apnssim import ApnsSim
from mailpushd import Mailpushd
from phone import Phone
from waiting import wait_until

FOLDER, RENAMED = "Entwürfe", "Drafts"
SITE = "mail.example.com"


class Demo(OneServer):
    def __init__(self, server, daemon, sim):
        super().__init__(server, daemon, sim, server.name(FOLDER))
        self.daemon = daemon

    def play(self):
        phone = self.play_mail(FOLDER)
        with self.step(f"A filter puts a message into {FOLDER}") as began:
            self.deliver(FOLDER)
            self.expect_push("delivery to a folder", phone, began, self.folder)
        with Phone(self.server, USER) as device:
            with self.step("The folder is renamed; the phone is told by the name that it knows") as began:
                self.timeline.add("device", f"renames {FOLDER} to {RENAMED}, and appends a message")
                device.rename(self.folder, self.server.name(RENAMED))
                device.append(self.server.name(RENAMED))
                self.expect_push("append after a rename", phone, began, self.folder)
        with self.step("mailpushd is stopped; Dovecot's plugin keeps what happens"):
            self.timeline.add("admin", "stops mailpushd")
            self.daemon.stop()
            self.deliver()
            wait_until(lambda: list(self.daemon.spool.glob("[0-9]*")), what="a file in the spool folder")
            self.timeline.add("Dovecot", "keeps an event in the spool folder")
        with self.step("mailpushd is started: the phone is told of what came meanwhile") as began:
            self.timeline.add("admin", "starts mailpushd")
            self.daemon.start()
            self.expect_push("delivery while away", phone, began, "INBOX")


@contextlib.contextmanager
def site():
    """Dovecot, mailpushd and apns-sim, running and joined."""
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="mailpush-demo-", dir="/tmp"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        sim = stack.enter_context(ApnsSim().start(folder / "apns"))
        socket = folder / "mailpushd" / "dovecot"
        daemon = stack.enter_context(Mailpushd(
            folder / "mailpushd", None, sim, imapd_conf="", notify_socket=None, stream_socket=None,
            site=SITE, dovecot_socket=socket, dovecot_users=[dovecot.MAIL_USER], **SETTINGS))
        daemon.wait_spool()
        daemon.dir.chmod(0o755)             # Dovecot's user goes through it, whatever the umask
        server = dovecot.Dovecot(socket=socket, spool=daemon.spool)
        stack.callback(server.remove)
        server.start()
        yield server, daemon, sim


def play():
    if not dovecot.PROGRAM.exists():
        raise RuntimeError("dovecot is not installed; run script/bootstrap")
    with site() as parts:
        print(f"Dovecot {'.'.join(map(str, dovecot.version()))}, mailpushd and apns-sim run after "
              f"{now_ms() - BEGAN_MS} ms.")
        demo = Demo(*parts)
        demo.play()
        demo.print_summary()
