"""docs/operations.md: a registry in a database server, typed as it stands there."""

import contextlib
import os
import re
import subprocess

import pytest

from away import made
from control import ctl_fine
from docpage import Page
from mailsite import BarePhone, new_user
from postgresql import ADMIN, USER, Postgresql, programs
from waiting import wait_until

pytestmark = pytest.mark.skipif(not programs(), reason="PostgreSQL is not installed (script/bootstrap)")

PAGE = Page("operations.md")
DATABASES = Page("databases.md")


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


@contextlib.contextmanager
def in_a_transaction(server):
    """Another node has read, and does not go on."""
    node = server.session("BEGIN; SELECT 1 FROM mailpush_registration; SELECT pg_sleep(3600)", user=USER)
    with node:
        try:
            wait_until(lambda: server.sql("SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)"
                                          " WHERE relation = 'mailpush_registration'::regclass"
                                          " AND wait_event = 'PgSleep'"), what="the other node's lock")
            yield
        finally:
            node.kill()


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
    with in_a_transaction(server):
        type_("pg_restore", server, tmp)
    assert server.sql("SELECT username FROM mailpush_registration") == kept.user
    site.deliver(kept.user)
    site.told(kept, "INBOX")
    registers(site, later)


def test_a_move_from_sqlite_loses_nothing(bare_site_for, server, tmp):
    """The page names the commands of the other page, in which they are typed; passwords are left out."""
    assert "databases.md#from-one-database-to-another" in PAGE.text
    site = bare_site_for()
    phone, late = site.registered_phone(), BarePhone(new_user())
    block = DATABASES.block("mailpushctl registry freeze")
    lines = [line for line in block.splitlines() if not re.match("FROM=|TO=", line)]
    places = {"$FROM": f"sqlite:{site.mailpushd.dir}/registry.sqlite", '"$TO"': server.url}
    for line in lines:
        program, *words = line.partition(" # ")[0].replace(" --password-file /etc/mailpush/registry", "").split()
        if program == "mailpushctl":
            config = ["--config", site.mailpushd.conf] if words[0] == "copy" else []
            ctl_fine(site.mailpushd, *(places.get(word, word) for word in words), *config)
            if words == ["registry", "freeze"]:
                site.register(late)
                site.deliver(phone.user)
        elif program == "editor":
            site.mailpushd.write_conf(registry=server.url)
        else:
            assert [program, *words] == ["systemctl", "restart", "mailpush"]
            site.mailpushd.restart()
    site.told(phone, "INBOX")
    site.told(late, "INBOX")
    site.mailpushd.stop()
    assert server.sql("SELECT count(*) FROM mailpush_registration") == "2"


def test_a_move_to_another_server_loses_nothing(bare_site_for, server, tmp):
    site = bare_site_for(registry=server.url)
    old = site.registered_phone()
    type_("default_transaction_read_only", server, tmp)
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
