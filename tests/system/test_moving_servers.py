"""Registrations that come from a script's tables in a database server."""

import json
import time

import pytest

from apnssim import TOPIC
from control import ctl, ctl_fine
from mailsite import BarePhone, BareSite, new_user
from phone import new_token
from postgresql import Postgresql, programs
from test_bounds import LEAN
from test_moving import DAY, MANY, ROOM_KB, counts, exported, run_measured

pytestmark = pytest.mark.skipif(not programs(), reason="PostgreSQL is not installed (script/bootstrap)")

PASSWORD = "a-word-for-nobody"

TABLES = """
CREATE TABLE devices (device_token text, account_id text, "user" text, time timestamptz);
CREATE TABLE mailboxes ("user" text, mailbox text);
GRANT SELECT ON devices, mailboxes TO mailpush
"""


@pytest.fixture(scope="module")
def postgresql():
    server = Postgresql(password=PASSWORD)
    try:
        server.make()
        yield server
    finally:
        server.remove()


@pytest.fixture
def tables(postgresql):
    """The server, with the script's tables and the file of its password."""
    postgresql.sql("DROP TABLE IF EXISTS devices, mailboxes")
    postgresql.sql(TABLES)
    postgresql.password_file = postgresql.folder / "password"
    postgresql.password_file.write_text(PASSWORD + "\n")
    return postgresql


def add_device(server, phone, when, account_id=None):
    server.sql(f"INSERT INTO devices VALUES ('{phone.token}', '{account_id or phone.account_id}', "
               f"'{phone.user}', {when})")
    for name in phone.mailboxes:
        server.sql(f"INSERT INTO mailboxes VALUES ('{phone.user}', '{name}')")


def sql_arguments(server, *more):
    return ["import", "--from", "sql", "--topic", TOPIC, "--password-file", server.password_file, *more,
            server.url]


def do_import(site, server, *more, status=0):
    done = ctl(site.mailpushd, "--json", *sql_arguments(server, *more))
    assert done.returncode == status, (done.stdout, done.stderr)
    return json.loads(done.stdout)


def test_the_tables_of_a_script_in_a_server_are_imported(bare_site, tables):
    phone, old = BarePhone(new_user(), ("INBOX", "Entw&APw-rfe")), BarePhone(new_user())
    # Another zone, as a server of another place has it.
    tables.sql("ALTER ROLE mailpush SET timezone = 'Asia/Kolkata'")
    tables.sql("ALTER ROLE mailpush SET datestyle = 'German'")
    renewed = int(time.time()) - DAY
    add_device(tables, phone, f"to_timestamp({renewed}.5)")
    add_device(tables, old, f"to_timestamp({renewed - 90 * DAY})")
    add_device(tables, BarePhone(new_user(), token="0123"), "NULL")
    add_device(tables, BarePhone(new_user()), "'infinity'")
    add_device(tables, BarePhone(new_user()), "NULL", account_id="x" * 9000)
    rehearsed = do_import(bare_site, tables, "--dry-run", status=1)
    assert (counts(rehearsed), rehearsed["dry_run"], exported(bare_site)) == ((1, 0, 0, 4), True, [])
    summary = do_import(bare_site, tables, status=1)
    assert counts(summary) == (1, 0, 0, 4)
    assert {reason["why"] for reason in summary["reasons"]} == {
        "it was not renewed for registration_ttl", "token is not 64 to 200 hex digits", "its time is no time",
        "account_id is not 1 to 64 of A-Z a-z 0-9 -"}
    [line] = exported(bare_site)
    assert (line["user"], line["token"], line["mailboxes"], line["renewed"], line["confirmed"]) == (
        phone.user, phone.token, sorted(phone.mailboxes), renewed + 0.5, False)
    assert counts(do_import(bare_site, tables, status=1)) == (0, 0, 1, 4)
    bare_site.deliver(phone.user)
    bare_site.told_inbox(phone)


def test_older_in_the_server_does_not_beat_newer(bare_site, tables):
    phone = bare_site.registered_phone("INBOX", "Notes")
    before = exported(bare_site)
    phone.mailboxes = ("Other",)
    add_device(tables, phone, "now() - interval '1 day'")
    assert counts(do_import(bare_site, tables)) == (0, 0, 1, 0)
    assert exported(bare_site) == before


def test_other_names_and_types_are_taken(bare_site, tables):
    phone = BarePhone(new_user())
    renewed = int(time.time()) - DAY
    tables.sql("DROP TABLE IF EXISTS \"my \"\"phones\", boxes")
    tables.sql("CREATE TABLE \"my \"\"phones\" (tok varchar(64), acc char(30), who name, seen bigint);"
               "CREATE TABLE boxes (who varchar, name varchar);"
               "GRANT SELECT ON \"my \"\"phones\", boxes TO mailpush;"
               f"INSERT INTO \"my \"\"phones\" VALUES ('{phone.token}', 'A-1', '{phone.user}', {renewed}000);"
               f"INSERT INTO boxes VALUES ('{phone.user}', 'Notes')")
    columns = ("devices=my \"phones,device_token=tok,account_id=acc,user=who,time=seen,mailboxes=boxes,"
               "mailbox_user=who,mailbox=name")
    assert counts(do_import(bare_site, tables, "--columns", columns)) == (1, 0, 0, 0)
    [line] = exported(bare_site)
    assert (line["account_id"], line["mailboxes"], line["renewed"]) == ("A-1", ["Notes"], renewed)
    done = ctl(bare_site.mailpushd, *sql_arguments(tables, "--columns", "devices=nothing"))
    assert done.returncode == 1
    assert "database 'postgresql://" in done.stderr and 'relation "nothing" does not exist' in done.stderr


def test_passwords_are_in_a_file_alone(bare_site, tables):
    wrong = tables.folder / "wrong"
    wrong.write_text("another\n")
    url = tables.url.replace("mailpush@", f"mailpush:{PASSWORD}@")
    for arguments, said in (
            (["--password-file", wrong, tables.url], "password authentication failed"),
            (["--password-file", tables.folder / "none", tables.url], "cannot read the password in"),
            ([url], "name that with --password-file"),
            ([f"{tables.url}&password={PASSWORD}"], "name that with --password-file")):
        done = ctl(bare_site.mailpushd, "import", "--from", "sql", *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert said in done.stderr and PASSWORD not in done.stderr
    assert PASSWORD not in "".join(bare_site.mailpushd.log.all())


def test_a_server_of_another_encoding_is_read(bare_site, tables):
    phone = BarePhone(new_user(), ("INBOX",))
    tables.sql("DROP DATABASE IF EXISTS latin", database="postgres")
    tables.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0 LOCALE_PROVIDER libc",
               database="postgres")
    tables.sql(TABLES, database="latin")
    tables.sql(f"INSERT INTO devices VALUES ('{phone.token}', 'A', U&'m\\00fcller', now())", database="latin")
    url = tables.url.replace("/mailpush?", "/latin?")
    assert ctl_fine(bare_site.mailpushd, "import", "--from", "sql", "--topic", TOPIC, "--password-file",
                    tables.password_file, url) == "1 read: 1 new, 0 renewed, 0 known, 0 refused\n"
    assert exported(bare_site)[0]["user"] == "m\u00fcller"


def test_a_server_that_ends_in_between_is_told_and_nothing_is_taken_back(bare_site, tables):
    tables.sql("INSERT INTO devices SELECT md5(n::text) || md5((n + 1)::text), 'A-' || n, 'gone' || n, now()"
               " FROM generate_series(1, 5000) n")
    # The second page is longer in coming than the server is there.
    tables.sql("CREATE OR REPLACE FUNCTION last_words(t text) RETURNS text VOLATILE LANGUAGE sql SECURITY "
               "DEFINER AS $$ SELECT CASE WHEN t = 'A-3000' THEN pg_terminate_backend(pg_backend_pid())::text "
               "ELSE t END $$")
    tables.sql("CREATE VIEW dying AS SELECT device_token, last_words(account_id) AS account_id, \"user\", time "
               "FROM devices; GRANT SELECT ON dying TO mailpush")
    done = ctl(bare_site.mailpushd, *sql_arguments(tables, "--columns", "devices=dying"))
    tables.sql("DROP VIEW dying")
    assert done.returncode == 1
    assert "look at the server and the way to it" in done.stderr and PASSWORD not in done.stderr
    assert counts(do_import(bare_site, tables))[3] == 0
    assert len(exported(bare_site)) == 5000


@pytest.mark.limit(900)
def test_a_hundred_thousand_of_a_server_are_imported_in_bounded_memory(mailpushd, sim, imapd_conf, tables):
    daemon = mailpushd(imapd_conf=imapd_conf, start=False, log_level="info")
    daemon.wrapper = ["env", *(f"{name}={value}" for name, value in LEAN.items())]
    site = BareSite(daemon.start(), sim)
    tables.sql(f"INSERT INTO devices SELECT lpad(to_hex(n), 64, '0'), 'A-' || n, 'many' || n, now() "
               f"FROM generate_series(1, {MANY}) n")
    tables.sql(f"INSERT INTO mailboxes SELECT 'many' || n, m FROM generate_series(1, {MANY}) n, "
               "unnest(ARRAY['INBOX', 'Notes']) m")
    text, told, most = run_measured(site, *map(str, sql_arguments(tables)))
    assert text == f"{MANY} read: {MANY} new, 0 renewed, 0 known, 0 refused\n"
    assert told.splitlines() == [f"{n} read" for n in range(10_000, MANY + 1, 10_000)]
    assert most < ROOM_KB
    assert new_token() not in told
