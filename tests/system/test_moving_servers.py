"""Registrations that come from a script's tables in a database server."""

import json
import pathlib
import signal
import subprocess
import time

import pytest

from apnssim import TOPIC
from control import ctl, ctl_binary, ctl_fine
from mailsite import BarePhone, BareSite, locked, new_user
from mariadb import Mariadb, programs as mariadb_programs
from postgresql import Postgresql, programs as postgresql_programs
from test_bounds import LEAN
from test_moving import DAY, MANY, ROOM_KB, counts, exported, run_measured
from waiting import wait_until

PASSWORD = "a-word-for-nobody"
# More than the buffers between the server and mailpushctl hold.
MORE = 30_000
# Of an import of so many, on a busy machine.
LIMIT_S = 300


class PostgresqlScript:
    """The script's tables in PostgreSQL, and how they are written there."""

    needs = staticmethod(postgresql_programs)
    quote = '"'
    no_time = "'infinity'"
    odd_types = ("char(30)", "name")

    def __init__(self):
        self.server = Postgresql(password=PASSWORD)
        self.server.make()
        # What the import must not depend on.
        self.sql("ALTER ROLE mailpush SET timezone = 'Asia/Kolkata'")
        self.sql("ALTER ROLE mailpush SET datestyle = 'German'")
        self.password_file = self.server.folder / "password"
        self.password_file.write_text(PASSWORD + "\n")
        self.wrong_password = "password authentication failed"
        self.no_table = 'relation "nothing" does not exist'

    @property
    def url(self):
        return self.server.url

    def sql(self, text):
        return self.server.sql(text)

    def make_tables(self):
        self.sql('DROP TABLE IF EXISTS devices, mailboxes, "my ""phones", boxes')
        self.sql('CREATE TABLE devices (device_token text, account_id text, "user" text, time timestamptz);'
                 'CREATE TABLE mailboxes ("user" text, mailbox text);')

    def grant(self, *tables):
        self.sql(f"GRANT SELECT ON {', '.join(tables)} TO mailpush")

    @staticmethod
    def time(unix):
        return f"to_timestamp({unix})"

    def fill(self, count):
        self.sql("INSERT INTO devices SELECT lpad(to_hex(n), 64, '0'), 'A-' || n, 'many' || n, now() "
                 f"FROM generate_series(1, {count}) n;"
                 "INSERT INTO mailboxes SELECT 'many' || n, m "
                 f"FROM generate_series(1, {count}) n, unnest(ARRAY['INBOX', 'Notes']) m")


class MariadbScript:
    needs = staticmethod(mariadb_programs)
    quote = "`"
    no_time = "'0000-00-00 00:00:00'"
    odd_types = ("char(30)", "varbinary(99)")

    def __init__(self):
        self.server = Mariadb(["default-time-zone=+05:30", "sql-mode=ANSI"])
        self.server.make()
        self.sql(f"ALTER USER mailpush@localhost IDENTIFIED BY '{PASSWORD}'")
        self.password_file = self.server.folder / "password"
        self.password_file.write_text(PASSWORD + "\n")
        self.wrong_password = "Access denied for user 'mailpush'"
        self.no_table = "'mailpush.nothing' doesn't exist"

    @property
    def url(self):
        return self.server.url

    def sql(self, text):
        return self.server.sql(text)

    def make_tables(self):
        self.sql('DROP TABLE IF EXISTS devices, mailboxes, "my ""phones", boxes')
        self.sql("CREATE TABLE devices (device_token text, account_id text, user varchar(255), "
                 "time timestamp(3) NULL) CHARACTER SET latin1;"
                 "CREATE TABLE mailboxes (user varchar(255), mailbox text) CHARACTER SET latin1")

    def grant(self, *tables):
        pass            # the user owns the database

    @staticmethod
    def time(unix):
        return f"FROM_UNIXTIME({unix})"

    def fill(self, count):
        self.sql("INSERT INTO devices SELECT lpad(hex(seq), 64, '0'), concat('A-', seq), concat('many', seq), "
                 f"now() FROM seq_1_to_{count};"
                 "INSERT INTO mailboxes SELECT concat('many', seq), m "
                 f"FROM seq_1_to_{count}, (SELECT 'INBOX' m UNION SELECT 'Notes') b")


@pytest.fixture(scope="module", params=[PostgresqlScript, MariadbScript])
def script_server(request):
    if not request.param.needs():
        pytest.skip("the server is not installed (script/bootstrap)")
    script = request.param()
    try:
        yield script
    finally:
        script.server.remove()


@pytest.fixture
def script(script_server):
    script_server.make_tables()
    script_server.grant("devices", "mailboxes")
    return script_server


def add_device(script, phone, when, account_id=None):
    script.sql(f"INSERT INTO devices VALUES ('{phone.token}', '{account_id or phone.account_id}', "
               f"'{phone.user}', {when})")
    for name in phone.mailboxes:
        script.sql(f"INSERT INTO mailboxes VALUES ('{phone.user}', '{name}')")


def arguments(script, *more):
    return ["import", "--from", "sql", "--topic", TOPIC, "--password-file", script.password_file, *more,
            script.url]


def is_asked(daemon):
    """Is somebody connected to the control socket?"""
    connected = [line.split() for line in pathlib.Path("/proc/net/unix").read_text().splitlines()]
    return any(fields[5] == "03" and fields[7:] == [str(daemon.control_socket)] for fields in connected)


def do_import(site, script, *more, status=0):
    done = ctl(site.mailpushd, "--json", *arguments(script, *more), timeout=LIMIT_S)
    assert done.returncode == status, (done.stdout, done.stderr)
    return json.loads(done.stdout)


def test_the_tables_of_a_script_in_a_server_are_imported(bare_site, script):
    phone, old = BarePhone("m\u00fcller", ("INBOX", "Entw&APw-rfe")), BarePhone(new_user())
    renewed = int(time.time()) - DAY
    add_device(script, phone, script.time(f"{renewed}.5"))
    add_device(script, old, script.time(renewed - 90 * DAY))
    add_device(script, BarePhone(new_user(), token="0123"), "NULL")
    add_device(script, BarePhone(new_user()), script.no_time)
    add_device(script, BarePhone(new_user()), "NULL", account_id="x" * 9000)
    rehearsed = do_import(bare_site, script, "--dry-run", status=1)
    assert (counts(rehearsed), rehearsed["dry_run"], exported(bare_site)) == ((1, 0, 0, 4), True, [])
    summary = do_import(bare_site, script, status=1)
    assert counts(summary) == (1, 0, 0, 4)
    assert {reason["why"] for reason in summary["reasons"]} == {
        "it was not renewed within registration_ttl", "token is not 64 to 200 hex digits", "its time is not a time",
        "account_id is not 1 to 64 of A-Z a-z 0-9 -"}
    [line] = exported(bare_site)
    assert (line["user"], line["token"], line["mailboxes"], line["renewed"], line["confirmed"]) == (
        phone.user, phone.token, sorted(phone.mailboxes), renewed + 0.5, False)
    assert counts(do_import(bare_site, script, status=1)) == (0, 0, 1, 4)
    bare_site.deliver(phone.user)
    bare_site.told_inbox(phone)


def test_older_in_the_server_does_not_beat_newer(bare_site, script):
    phone = bare_site.registered_phone("INBOX", "Notes")
    before = exported(bare_site)
    phone.mailboxes = ("Other",)
    add_device(script, phone, script.time(int(time.time()) - DAY))
    assert counts(do_import(bare_site, script)) == (0, 0, 1, 0)
    assert exported(bare_site) == before


def test_other_names_and_types_are_taken(bare_site, script):
    phone = BarePhone(new_user())
    renewed = int(time.time()) - DAY
    table = 'my "phones'.replace(script.quote, 2 * script.quote)
    table = f"{script.quote}{table}{script.quote}"
    account_id, user = script.odd_types
    script.sql(f"CREATE TABLE {table} (tok varchar(64), acc {account_id}, who {user}, seen bigint);"
               "CREATE TABLE boxes (who varchar(99), name varchar(99));")
    script.grant(table, "boxes")
    script.sql(f"INSERT INTO {table} VALUES ('{phone.token}', 'A-1', '{phone.user}', {renewed}000);"
               f"INSERT INTO boxes VALUES ('{phone.user}', 'Notes')")
    columns = ("devices=my \"phones,device_token=tok,account_id=acc,user=who,time=seen,mailboxes=boxes,"
               "mailbox_user=who,mailbox=name")
    assert counts(do_import(bare_site, script, "--columns", columns)) == (1, 0, 0, 0)
    [line] = exported(bare_site)
    assert (line["account_id"], line["mailboxes"], line["renewed"]) == ("A-1", ["Notes"], renewed)
    done = ctl(bare_site.mailpushd, *arguments(script, "--columns", "devices=nothing"))
    assert done.returncode == 1
    assert "mailpushctl: database '" in done.stderr and script.no_table in done.stderr


def test_passwords_are_in_a_file_alone(bare_site, script):
    wrong = script.server.folder / "wrong"
    wrong.write_text("another\n")
    url = script.url.replace("mailpush@", f"mailpush:{PASSWORD}@")
    for given, said in (
            (["--password-file", wrong, script.url], script.wrong_password),
            (["--password-file", script.server.folder / "none", script.url], "cannot read the password in"),
            ([url], "name that with --password-file"),
            ([f"{script.url}&password={PASSWORD}"], "name that with --password-file")):
        done = ctl(bare_site.mailpushd, "import", "--from", "sql", *given)
        assert (done.returncode, done.stdout) == (1, "")
        assert said in done.stderr and PASSWORD not in done.stderr
    assert PASSWORD not in "".join(bare_site.mailpushd.log.all())


def test_a_database_of_another_encoding_is_read(bare_site, script):
    if not isinstance(script, PostgresqlScript):
        pytest.skip("the tables of the others are in another encoding already")
    phone = BarePhone(new_user(), ("INBOX",))
    server = script.server
    server.sql("DROP DATABASE IF EXISTS latin", database="postgres")
    server.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0 LOCALE_PROVIDER libc",
               database="postgres")
    server.sql('CREATE TABLE devices (device_token text, account_id text, "user" text, time timestamptz);'
               'CREATE TABLE mailboxes ("user" text, mailbox text);'
               'GRANT SELECT ON devices, mailboxes TO mailpush', database="latin")
    server.sql(f"INSERT INTO devices VALUES ('{phone.token}', 'A', U&'m\\00fcller', now())", database="latin")
    assert ctl_fine(bare_site.mailpushd, "import", "--from", "sql", "--topic", TOPIC, "--password-file",
                    script.password_file, script.url.replace("/mailpush?", "/latin?")) == \
        "1 read: 1 new, 0 renewed, 0 known, 0 refused\n"
    assert exported(bare_site)[0]["user"] == "m\u00fcller"


@pytest.mark.limit(300)
@pytest.mark.limit(2 * LIMIT_S)
def test_a_server_that_ends_in_between_is_reported_and_nothing_is_taken_back(bare_site, script):
    script.fill(MORE)
    with locked(bare_site.mailpushd.dir / "registry.sqlite"):
        importing = subprocess.Popen(
            [ctl_binary(), "--socket", bare_site.mailpushd.control_socket, *arguments(script)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # The first batch, which the registry keeps waiting.
        wait_until(lambda: is_asked(bare_site.mailpushd), what="a request of mailpushctl's")
        script.server.stop(signal.SIGQUIT if isinstance(script, PostgresqlScript) else signal.SIGKILL)
    out, told = importing.communicate()
    assert importing.returncode == 1, (out, told)
    assert "mailpushctl: database '" in told and "can be imported again" in told and PASSWORD not in told
    taken = len(exported(bare_site))
    assert 0 < taken < MORE
    script.server.start()
    assert counts(do_import(bare_site, script)) == (MORE - taken, 0, taken, 0)


@pytest.mark.limit(900)
def test_a_hundred_thousand_of_a_server_are_imported_in_bounded_memory(mailpushd, sim, imapd_conf, script):
    daemon = mailpushd(imapd_conf=imapd_conf, start=False, log_level="info")
    daemon.wrapper = ["env", *(f"{name}={value}" for name, value in LEAN.items())]
    site = BareSite(daemon.start(), sim)
    script.fill(MANY)
    text, told, most = run_measured(site, *map(str, arguments(script)))
    assert text == f"{MANY} read: {MANY} new, 0 renewed, 0 known, 0 refused\n"
    assert told.splitlines() == [f"{n} read" for n in range(10_000, MANY + 1, 10_000)]
    assert most < ROOM_KB
