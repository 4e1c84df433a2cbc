"""docs/dovecot-xaps.md: the five commands that lead from xapsd to mailpushd, typed as they stand there."""

import contextlib
import json
import subprocess

from apnssim import TOPIC
from control import ctl_binary
from docpage import Page
from mailpushd import binary
from mailsite import BarePhone, BareSite, new_user
from ports import free_port
from xaps import Plugin

PAGE = Page("dovecot-xaps.md")
ADDRESS = "[::1]:11619"
OF_PAGE = "com.apple.mail.XServer.01234567-89ab-cdef-0123-456789abcdef"


def settings_of(block, **replaced):
    """A block of mailpush.conf as settings."""
    for name, to in replaced.items():
        block = block.replace(name, to)
    pairs = dict(line.split(" = ", 1) for line in block.splitlines())
    return {name: value.strip('"') for name, value in pairs.items()}


def test_phones_of_xapsd_are_pushed_to_after_five_commands(mailpushd, sim, tmp):
    port = free_port()
    daemon = mailpushd(start=False, notify_socket=None, stream_socket=None,
                       **settings_of(PAGE.block("imapd_conf"), **{ADDRESS: f"127.0.0.1:{port}"}))
    site = BareSite(daemon, sim)
    phone = BarePhone(new_user())
    database = tmp / "database.json"
    database.write_text(json.dumps({"Users": {phone.user: {"Accounts": {phone.account_id: {
        "DeviceToken": phone.token, "Mailboxes": ["INBOX"]}}}}}))

    def type_(command):
        for name, to in {"runuser -u mailpush -- mailpushd": f"{binary()} -c {daemon.conf}",
                         "mailpushctl": f"{ctl_binary()} --socket {daemon.control_socket}",
                         "/var/lib/xapsd/database.json": str(database), OF_PAGE: TOPIC}.items():
            command = command.replace(name, to)
        done = subprocess.run(["sh", "-euc", command], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done
        return done.stdout

    check, end_xapsd, start, move, doctor = PAGE.block("import --from xapsd").splitlines()
    assert type_(check) == f"{daemon.conf}: ok\n"
    assert (end_xapsd, start) == ("systemctl disable --now xapsd", "systemctl enable --now mailpush")
    daemon.start()
    assert type_(move) == "1 read: 1 new, 0 renewed, 0 known, 0 refused\n"
    assert "\nfail" not in type_(doctor)
    with contextlib.closing(Plugin(port)) as plugin:
        assert plugin.notify(phone.user, "MessageNew") == 200
    site.told_inbox(phone)


def test_the_settings_for_a_dovecot_elsewhere_are_taken(mailpushd):
    daemon = mailpushd(start=False, notify_socket=None, stream_socket=None, imapd_conf="")
    with open(daemon.conf, "a", encoding="utf-8") as conf:
        conf.write(PAGE.block("xaps_clients").replace("  xaps", "xaps"))
    assert daemon.run_check().stdout == f"{daemon.conf}: ok\n"


def test_no_block_stands_there_that_nothing_exercises():
    assert len(PAGE.blocks) == len({PAGE.block(word) for word in ("imapd_conf", "--from xapsd", "xaps_clients")})
