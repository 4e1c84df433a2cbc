"""docs/operations.md: a registry in a database server, typed as it stands there."""

import os
import subprocess

import pytest

from away import made
from control import ctl_fine
from docpage import Page
from mailsite import BarePhone, new_user
from postgresql import ADMIN, Postgresql, programs

pytestmark = pytest.mark.skipif(not programs(), reason="PostgreSQL is not installed (script/bootstrap)")

PAGE = Page("operations.md")


@pytest.fixture
def server():
    with made(Postgresql()) as server:
        yield server


def type_(word, server, tmp):
    """Run a block as that server's superuser."""
    text = PAGE.block(word).replace("/var/backups", str(tmp))
    environment = {**os.environ, "PGHOST": str(server.folder), "PGUSER": ADMIN,
                   "PATH": f"{server.programs}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-euc", text], check=True, timeout=60, env=environment)


def registers(site, phone):
    site.register(phone)
    site.told(phone, "INBOX")


def test_with_the_rights_of_the_page_all_goes_on(bare_site_for, server):
    site = bare_site_for(registry=server.url)
    phone = site.registered_phone()
    server.sql(PAGE.block("REASSIGN OWNED"))
    assert server.sql("SELECT DISTINCT tableowner FROM pg_tables WHERE tablename LIKE 'mailpush%'") == "mailpush_owner"
    site.mailpushd.restart()
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    site.sim.control(do="token", token=phone.token, status=410, reason="Unregistered")
    site.deliver(phone.user)
    registers(site, BarePhone(new_user()))
    site.mailpushd.wait_log("then=forget")
    site.mailpushd.stop()
    assert server.sql("SELECT device_token FROM mailpush_forgotten") == phone.token


def test_a_backup_is_restored_while_the_daemon_runs(bare_site_for, server, tmp):
    site = bare_site_for(registry=server.url)
    kept = site.registered_phone()
    type_("umask 077\npg_dump", server, tmp)
    later = site.registered_phone()
    server.sql("TRUNCATE mailpush_registration, mailpush_subscription")
    type_("pg_restore", server, tmp)
    assert server.sql("SELECT username FROM mailpush_registration") == kept.user
    site.deliver(kept.user)
    site.told(kept, "INBOX")
    registers(site, later)


def test_registrations_move_from_sqlite(bare_site_for, server, tmp):
    site = bare_site_for()
    phone = site.registered_phone()
    exporting, restart, importing = PAGE.block("registrations\nsystemctl restart").splitlines()
    assert (exporting, restart) == ("mailpushctl export > registrations", "systemctl restart mailpush")
    (tmp / "registrations").write_text(ctl_fine(site.mailpushd, "export"))
    site.mailpushd.write_conf(registry=server.url)
    site.mailpushd.restart()
    _, *words, _ = importing.split()
    ctl_fine(site.mailpushd, *words, tmp / "registrations")
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_a_move_to_another_server_loses_nothing(bare_site_for, server, tmp):
    site = bare_site_for(registry=server.url)
    old = site.registered_phone()
    type_("ALTER DATABASE", server, tmp)
    new = BarePhone(new_user())
    site.register(new)
    site.deliver(old.user)
    with made(Postgresql()) as other:
        type_("pg_restore", other, tmp)
        site.mailpushd.write_conf(registry=other.url)
        site.mailpushd.restart()
        site.told(new, "INBOX")
        site.told(old, "INBOX")
        assert len(other.sql("SELECT key FROM mailpush_registration").splitlines()) == 2
        site.mailpushd.stop()
    assert server.sql("SELECT count(*) FROM mailpush_registration") == "1"
