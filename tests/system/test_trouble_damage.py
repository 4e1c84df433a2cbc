"""A damaged database: what can be read of the queue goes into a new one, the registry is never discarded."""

import contextlib
import re
import sqlite3

import pytest

import notify
from mailsite import BarePhone, new_user, rows

REFUSED = r"ended with 1(.|\n)*error daemon: "
PAGE = 8192


def spoil(path, start, size):
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(b"\xa5" * size)


def cut(path):
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2)


def spoil_header(path):
    spoil(path, 0, 100)


def spoil_middle(path):
    size = path.stat().st_size
    spoil(path, PAGE, size - 2 * PAGE)


DAMAGES = [spoil_header, spoil_middle, cut]


def set_aside(site):
    folder = site.mailpushd.dir
    return sorted(path.name for path in folder.glob("queue.sqlite.damaged-*"))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_queue_damaged_before_the_start_is_set_aside(bare_site, damage):
    site = bare_site
    phone = site.registered_phone()
    site.mailpushd.stop()
    damage(site.mailpushd.dir / "queue.sqlite")
    spoilt = (site.mailpushd.dir / "queue.sqlite").read_bytes()
    site.mailpushd.start()
    site.mailpushd.wait_log("error alarm: .*is set aside as '.*alarm=queue:damaged state=begins")
    before = set_aside(site)
    aside = before[0]
    assert re.fullmatch(r"queue\.sqlite\.damaged-\d{8}T\d{6}Z", aside)
    assert (site.mailpushd.dir / aside).read_bytes() == spoilt
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    site.mailpushd.restart()
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    assert set_aside(site) == before


def root_of(database, table):
    page, = rows(database, f"SELECT rootpage FROM sqlite_schema WHERE name = '{table}'")
    return page


def test_what_can_be_read_of_a_damaged_queue_is_pushed_and_its_log_goes_with_it(bare_site):
    site = bare_site
    phone = site.registered_phone("INBOX", "Notes")
    site.mailpushd.stop()
    queue = site.mailpushd.dir / "queue.sqlite"
    page = root_of(queue, "parked")
    site.sim.stop()
    site.mailpushd.start()
    site.deliver(phone.user, "Notes")
    site.mailpushd.kill9()
    log = queue.with_name("queue.sqlite-wal").read_bytes()
    spoil(queue, (page - 1) * PAGE, PAGE)
    site.mailpushd.start()
    site.mailpushd.wait_log("the 2 rows that could be read.*alarm=queue:damaged state=begins")
    aside, aside_log = set_aside(site)
    assert aside_log == f"{aside}-wal"
    assert (site.mailpushd.dir / aside_log).read_bytes()[:len(log)] == log
    site.mailpushd.kill9()
    site.mailpushd.start()
    site.sim.start(site.sim.dir, port=site.sim.port)
    site.told(phone, "Notes")


def test_a_queue_whose_log_is_damaged_is_set_aside(bare_site):
    site = bare_site
    phone = site.registered_phone()
    site.mailpushd.kill9()
    spoil(site.mailpushd.dir / "queue.sqlite-wal", 0, 1000)
    site.mailpushd.start()
    site.mailpushd.wait_log("its log '.*' is damaged.*alarm=queue:damaged state=begins")
    assert len(set_aside(site)) == 2
    site.deliver(phone.user)
    site.told(phone, "INBOX")


@pytest.fixture
def parked_phone(bare_site):
    """Its registration is parked in a queue of which the table of phones and a push are damaged."""
    site = bare_site
    phone = BarePhone(new_user())
    registry = site.mailpushd.dir / "registry.sqlite"
    with contextlib.closing(sqlite3.connect(registry, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        site.register(phone)
        site.mailpushd.kill9()
    queue = site.mailpushd.dir / "queue.sqlite"
    page = root_of(queue, "phone")
    with contextlib.closing(sqlite3.connect(queue)) as database:
        database.execute("INSERT INTO push VALUES (1, x'00', '', '', '', '', 2, 1, 0, 0, x'00', "
                         "0, 0, 0, 0)")
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    spoil(queue, (page - 1) * PAGE, PAGE)
    return phone


def test_events_parked_in_a_damaged_queue_are_saved_if_they_can_be_read(bare_site, parked_phone):
    site = bare_site
    site.mailpushd.start()
    site.mailpushd.wait_log("alarm=queue:damaged state=begins")
    site.mailpushd.wait_log("events parked earlier are taken in again count=1")
    site.told(parked_phone, "INBOX")


def test_a_start_that_salvages_the_queue_and_then_fails_keeps_parked_events(
        bare_site, parked_phone):
    site = bare_site
    site.mailpushd.write_conf(apns_ca_file="/nonexistent/ca.pem")
    with pytest.raises(RuntimeError, match=REFUSED + ".*/nonexistent/ca.pem"):
        site.mailpushd.start()
    site.mailpushd.write_conf(apns_ca_file=site.sim.ca)
    site.mailpushd.start()
    site.mailpushd.wait_log("events parked earlier are taken in again count=1",
                            since=site.mailpushd.start_line)
    site.told(parked_phone, "INBOX")


def test_pushes_are_sent_though_the_table_of_phones_is_damaged(bare_site):
    site = bare_site
    phone = site.registered_phone()
    site.sim.stop()
    site.deliver(phone.user)
    site.mailpushd.stop()
    queue = site.mailpushd.dir / "queue.sqlite"
    spoil(queue, (root_of(queue, "phone") - 1) * PAGE, PAGE)
    site.mailpushd.start()
    site.mailpushd.wait_log("alarm=queue:damaged state=begins")
    site.sim.start(site.sim.dir, port=site.sim.port)
    site.told(phone, "INBOX")


def spoil_unread_page(site):
    """Of the running daemon's queue; it is read when a registration goes."""
    site.mailpushd.stop()
    queue = site.mailpushd.dir / "queue.sqlite"
    page = root_of(queue, "phone")
    site.mailpushd.start()
    spoil(queue, (page - 1) * PAGE, PAGE)


def test_a_queue_found_damaged_while_running_ends_the_daemon_and_is_mended(bare_site_for):
    site = bare_site_for(registrations_per_user=1, ack_timeout="30s")
    waiting = site.registered_phone("INBOX", "Notes")
    first = site.registered_phone()
    site.sim.stop()
    spoil_unread_page(site)
    site.deliver(waiting.user)
    site.deliver(waiting.user, "Notes")
    second = BarePhone(first.user)      # the first one makes room, and with it its row
    answer = site.ask(notify.registration(second.user, second.token, second.account_id))
    assert answer.startswith((b"NO ", b"OK "))      # OK: it is parked
    site.mailpushd.wait_log("mailpushd ends.*alarm=queue:damaged state=begins")
    site.mailpushd.wait_log("info daemon: stopping why=.the queue is damaged")
    assert site.mailpushd.kill(0) == 1
    assert set_aside(site)
    site.mailpushd.start()
    assert "queue:damaged" not in "\n".join(site.mailpushd.lines(site.mailpushd.start_line))
    site.sim.start(site.sim.dir, port=site.sim.port)
    site.told(waiting, "INBOX", "Notes")
    site.deliver(second.user)           # it was registered, though Cyrus may have been told NO
    site.told(second, "INBOX")


def test_a_queue_found_damaged_at_the_stop_is_mended_then(bare_site_for):
    site = bare_site_for(registrations_per_user=1)
    waiting = site.registered_phone()
    first = site.registered_phone()
    site.sim.stop()
    spoil_unread_page(site)
    site.deliver(waiting.user)
    registry = site.mailpushd.dir / "registry.sqlite"
    second = BarePhone(first.user)
    with contextlib.closing(sqlite3.connect(registry, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        site.register(second)           # parked
        database.execute("ROLLBACK")
    site.mailpushd.stop()
    site.mailpushd.start()
    site.sim.start(site.sim.dir, port=site.sim.port)
    site.told(waiting, "INBOX")
    site.told(second, "INBOX")


def test_a_file_that_never_was_a_queue_is_left_alone(bare_site_for):
    site = bare_site_for(start=False)
    notes = site.mailpushd.dir / "queue.sqlite"
    notes.write_text("these are the notes of somebody" * 100)
    with pytest.raises(RuntimeError, match=REFUSED + "cannot open queue .*it is no queue"):
        site.mailpushd.start()
    assert notes.read_text() == "these are the notes of somebody" * 100
    assert not set_aside(site)


@pytest.mark.parametrize("damage", [spoil_header, cut])
def test_a_damaged_registry_is_refused_and_left_as_it_is(bare_site, damage):
    site = bare_site
    phone = site.registered_phone()
    site.mailpushd.stop()
    registry = site.mailpushd.dir / "registry.sqlite"
    whole = registry.read_bytes()
    damage(registry)
    spoilt = registry.read_bytes()
    with pytest.raises(RuntimeError, match=REFUSED + "cannot open registry '.*': .*(restore a backup|not an "
                       "SQLite database)"):
        site.mailpushd.start()
    assert registry.read_bytes() == spoilt
    registry.write_bytes(whole)
    site.mailpushd.start()
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_a_registry_whose_log_is_damaged_is_refused_and_left_as_it_is(bare_site):
    """SQLite would leave the log out, and with it whatever is not in the file itself."""
    site = bare_site
    phone = site.registered_phone()
    site.mailpushd.kill9()
    log = site.mailpushd.dir / "registry.sqlite-wal"
    whole = log.read_bytes()
    spoil(log, 0, 1000)
    spoilt = log.read_bytes()
    with pytest.raises(RuntimeError, match=REFUSED + "cannot open registry '.*': its log '.*' is damaged"):
        site.mailpushd.start()
    assert log.read_bytes() == spoilt
    log.write_bytes(whole)
    site.mailpushd.start()
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_events_are_parked_while_the_registry_is_damaged(bare_site):
    """Found when it is used; a backup is restored, and they are taken in."""
    site = bare_site
    phone = site.registered_phone("INBOX", "Notes")
    site.mailpushd.stop()
    registry = site.mailpushd.dir / "registry.sqlite"
    whole = registry.read_bytes()
    size, = rows(registry, "PRAGMA page_size")
    page = root_of(registry, "subscription")
    spoil(registry, (page - 1) * size, size)
    site.mailpushd.start()
    site.deliver(phone.user)
    site.deliver(phone.user, "Notes")
    site.mailpushd.wait_log("restore a backup.*alarm=registry state=begins")
    site.mailpushd.stop()
    registry.write_bytes(whole)
    site.mailpushd.start()
    site.told(phone, "INBOX", "Notes")


def test_a_registry_that_shrinks_while_it_is_used_ends_nothing(bare_site):
    site = bare_site
    phone = site.registered_phone("INBOX", "Notes")
    site.mailpushd.restart()
    registry = site.mailpushd.dir / "registry.sqlite"
    whole = registry.read_bytes()
    with open(registry, "r+b") as file:
        file.truncate(4096)
    site.ask(notify.mail(phone.user))
    site.mailpushd.wait_log("alarm=registry state=begins")
    site.ask(notify.mail(phone.user, "Notes"))
    assert site.mailpushd.stop() == 0
    registry.write_bytes(whole)
    site.mailpushd.start()
    site.told(phone, "INBOX", "Notes")
