"""docs/operations.md: backup and restore, typed as they stand there."""

import os
import re
import subprocess

from docpage import Page
from mailsite import BarePhone, new_user
from waiting import TIMEOUT

PAGE = Page("operations.md")
OWNER = "-o mailpush -g mailpush "


def type_(word, site, tmp):
    """Run a block, at the places of the test; what systemctl does there the test does itself."""
    text = PAGE.block(word).replace("/var/lib/mailpush", str(site.mailpushd.dir))
    text = text.replace("/var/backups", str(tmp)).replace(OWNER, "")
    text = re.sub(r"^systemctl .*\n", "", text, flags=re.M)
    subprocess.run(["sh", "-euc", text], check=True, timeout=TIMEOUT)


def test_a_backup_of_the_running_daemon_is_what_is_restored(bare_site, tmp):
    kept = bare_site.registered_phone()
    type_(".backup", bare_site, tmp)
    assert os.stat(tmp / "mailpush-registry.sqlite").st_mode & 0o777 == 0o600
    later = bare_site.registered_phone()
    bare_site.mailpushd.stop()
    (bare_site.mailpushd.dir / "registry.sqlite").write_bytes(b"spoiled")
    type_("systemctl stop", bare_site, tmp)
    bare_site.mailpushd.start()
    assert bare_site.registrations() == [kept.token]
    bare_site.deliver(kept.user)
    bare_site.told(kept, "INBOX")
    bare_site.register(later)
    bare_site.told(later, "INBOX")


def test_the_commands_restart_what_they_stopped():
    block = PAGE.block("systemctl stop")
    assert block.startswith("systemctl stop mailpush\n")
    assert block.endswith("systemctl start mailpush\n")
    assert OWNER in block


def test_a_registry_moves_to_a_server_of_another_name_with_its_site(bare_site, tmp, imapd_conf):
    phone = bare_site.registered_phone()
    bare_site.mailpushd.stop()
    imapd_conf.write_text(imapd_conf.read_text().replace("servername: mail.example.com",
                                                         "servername: new.example.com"))
    bare_site.mailpushd.write_conf(site="mail.example.com")
    bare_site.mailpushd.start()
    bare_site.deliver(phone.user)
    bare_site.told(phone, "INBOX")


def test_without_a_backup_phones_register_again(bare_site):
    phone = BarePhone(new_user())
    bare_site.register(phone)
    bare_site.told(phone, "INBOX")
    bare_site.mailpushd.stop()
    for name in ("registry.sqlite", "registry.sqlite-wal", "registry.sqlite-shm"):
        (bare_site.mailpushd.dir / name).unlink(missing_ok=True)
    bare_site.mailpushd.start()
    bare_site.register(phone)
    bare_site.told(phone, "INBOX")
