"""A disk that is slow, stuck, full, read-only or broken: nothing is said to be on it that is not,
nothing is dropped that memory holds, and when it is well again work goes on by itself."""

import contextlib
import errno
import os
import re
import sqlite3
import subprocess

import pytest

import notifier
import notify
from control import ctl_fine, get
from mailsite import BarePhone, MailSite, locked, new_user, register, rows
from waiting import wait_until

REFUSED = r"ended with 1(.|\n)*error daemon: "
LATE = b'NO "not on disk yet"\r\n'


# ---- slow and stuck ----

@pytest.mark.parametrize("file", ["queue.sqlite", "registry.sqlite", ".sqlite"])
def test_what_a_stalled_disk_does_not_take_is_not_acknowledged_and_pushed_later(
        bad_disk_site, disk, file):
    site = bad_disk_site
    phone = site.registered_phone("INBOX", "Notes")
    other = BarePhone(new_user())
    with disk.rule(f"stuck {file}"):
        # While the registry alone is stuck, the queue takes what is written.
        wanted = b"OK ()\r\n" if file == "registry.sqlite" else LATE
        assert site.ask(notify.registration(other.user, other.token, other.account_id)) == wanted
        for folder in ((), ("Notes",)):
            assert site.ask(notify.mail(phone.user, *folder)) == wanted
        if wanted == LATE:
            site.mailpushd.wait_log("alarm=intake:late state=begins")
        assert site.new_pushes(phone) == []
    site.told(phone, "INBOX", "Notes")
    site.told(other, "INBOX")
    if wanted == LATE:
        site.mailpushd.wait_log("alarm=intake:late state=ends")
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_a_thread_of_the_registry_that_does_not_answer_is_an_alarm_until_it_does(bad_disk_site, disk):
    site = bad_disk_site
    site.mailpushd.write_conf(registry_timeout="1s")
    site.mailpushd.restart()
    phone = site.registered_phone()
    with disk.rule("stuck registry.sqlite"):
        site.register(BarePhone(new_user()))
        site.mailpushd.wait_log("its thread does not answer since 20.*alarm=registry state=begins")
    site.mailpushd.wait_log("alarm=registry state=ends")
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_a_slow_disk_delays_and_loses_nothing(bad_disk_site, disk):
    site = bad_disk_site
    phones = [site.registered_phone() for _ in range(3)]
    with disk.rule("slow queue.sqlite 30", "slow registry.sqlite 30"):
        for phone in phones:
            site.ask(notify.mail(phone.user))
            site.told(phone, "INBOX")


def test_the_real_cyrus_goes_on_while_the_disk_stalls(cyrus_for, mailpushd, sim, disk):
    cyrus = cyrus_for()
    daemon = mailpushd(cyrus, start=False)
    disk.under(daemon)
    daemon.start()
    site = MailSite(cyrus, daemon, sim)
    try:
        user = site.create_user("Notes")
        phone = site.registered_phone(user, "INBOX", "Notes")
        with disk.rule("stuck .sqlite"):
            site.deliver(user)
            site.deliver(user, "Notes")
            cyrus.syslog.wait("NOTIFY.*not on disk yet|response NO to method")
            assert site.new_pushes(phone) == []
        site.told(phone, "INBOX", "Notes")
    finally:
        site.close()


@contextlib.contextmanager
def counted_parking(site):
    """A list that has the number of events parked meanwhile in the end."""
    count = []
    queue = site.mailpushd.dir / "queue.sqlite"
    site.mailpushd.stop()
    with contextlib.closing(sqlite3.connect(queue)) as database:
        database.executescript("CREATE TABLE parking (id INTEGER PRIMARY KEY);"
                               "CREATE TRIGGER count_parking AFTER INSERT ON parked "
                               "BEGIN INSERT INTO parking VALUES (NULL); END")
    site.mailpushd.start()
    yield count
    site.mailpushd.stop()
    count += rows(queue, "SELECT count(*) FROM parking")


def test_a_slow_queue_is_no_reason_to_park(bare_site_for, disk):
    """That would be two more writes for the slow disk; a machine that stalls may still park a few."""
    site = bare_site_for(start=False)
    disk.under(site.mailpushd)
    site.mailpushd.start()
    phones = [site.registered_phone() for _ in range(8)]
    site.mailpushd.write_conf(ack_timeout="300ms")
    with counted_parking(site) as parked:
        with disk.rule("unsynced queue.sqlite"):
            for phone in phones:
                assert site.ask(notify.mail(phone.user)) == LATE
        for phone in phones:
            site.told(phone, "INBOX")
    assert parked[0] < len(phones) // 2


def test_what_a_stuck_registry_does_not_answer_is_parked(bad_disk_site, disk):
    site = bad_disk_site
    with counted_parking(site) as parked:
        with disk.rule("stuck registry.sqlite"):
            phones = register(site, 3)
        for phone in phones:
            site.told(phone, "INBOX")
    assert parked == [3]


# ---- failing ----

@pytest.mark.parametrize("failure", [errno.EROFS, errno.ENOSPC, errno.EIO])
def test_a_queue_that_cannot_be_written_is_an_alarm_until_it_can(bad_disk_site, disk, failure):
    """As after an error, when a file system is mounted read-only."""
    site = bad_disk_site
    phone = site.registered_phone()
    with disk.rule(f"fail queue.sqlite {failure}"):
        assert site.ask(notify.mail(phone.user)) == LATE
        site.mailpushd.wait_log("cannot write queue .*alarm=queue state=begins")
        site.mailpushd.wait_log("alarm=intake:late state=begins")
        assert site.new_pushes(phone) == []
    site.told(phone, "INBOX")
    site.mailpushd.wait_log("alarm=queue state=ends")
    site.mailpushd.wait_log("alarm=intake:late state=ends")


@pytest.mark.parametrize("failure", [errno.EROFS, errno.ENOSPC, errno.EIO])
def test_what_comes_while_the_registry_cannot_be_written_is_parked(bad_disk_site, disk, failure):
    site = bad_disk_site
    old = site.registered_phone()
    new = BarePhone(new_user())
    with disk.rule(f"fail registry.sqlite {failure}"):
        site.register(new)
        site.deliver(old.user)
        site.mailpushd.wait_log("registry '.*': .*alarm=registry state=begins")
        site.mailpushd.kill9()
        site.mailpushd.start()
        site.mailpushd.wait_log("events parked earlier are taken in again count=2")
    site.told(new, "INBOX")
    site.told(old, "INBOX")


# ---- in trouble at the start ----

class TroubledPlace:
    """A folder that takes no writes, as its file system, which only the daemon sees, is so."""

    def __init__(self, folder, which):
        self.folder = folder
        self.is_full = which == "full"
        folder.mkdir()

    def _wrapper(self, script):
        return ["unshare", "--mount",
                *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]),
                "sh", "-c", script + ' && exec "$@"', str(self.folder)]

    def wrapper(self):
        """One that runs the rest in trouble."""
        if self.is_full:
            kept = f"{self.folder}.kept"
            return self._wrapper(
                f'cp -a "$0" "{kept}" && mount -t tmpfs -o size=2m tmpfs "$0" && '
                f'cp -a "{kept}/." "$0" && (cat /dev/zero >"$0/filler" 2>&- || test -s "$0/filler")')
        return self._wrapper('mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"')

    def mend(self, daemon):
        if self.is_full:
            daemon.path_inside(self.folder / "filler").unlink()
        else:
            subprocess.run(["nsenter", "-t", str(daemon.process.pid), "-m",
                            *([] if os.geteuid() == 0 else ["-U", "--preserve-credentials"]),
                            "mount", "-o", "remount,bind,rw", str(self.folder)], check=True)


def test_a_socket_that_a_read_only_disk_does_not_take_is_an_error_with_its_remedy(bare_site_for, tmp):
    """As a unit with ProtectSystem=strict makes it."""
    place = TroubledPlace(tmp / "disk", "read-only")
    daemon = bare_site_for(start=False, stream_socket=tmp / "disk/cyrus").mailpushd
    daemon.wrapper = place.wrapper()
    with pytest.raises(RuntimeError, match="cannot make socket .*Read-only file system; .*ReadWritePaths="):
        daemon.start()


def assert_not_known(daemon):
    """What the registry has not told since the start is not said to be nothing."""
    status = get(daemon, "/status")
    assert {status["registrations"][name] for name in ("total", "active", "stopped")} == {None}
    assert status["databases"]["registry"]["bytes"] is None
    text = ctl_fine(daemon, "status")
    assert re.search("^Registrations +not known, as the registry has not answered since the start$", text, flags=re.M)
    assert "  registry  size not known, sqlite:" in text


@pytest.mark.parametrize("is_first", [True, False], ids=["the first start", "a later one"])
@pytest.mark.parametrize("which", [("queue",), ("registry",), ("queue", "registry")], ids="+".join)
@pytest.mark.parametrize("how", ["full", "read-only"])
def test_it_starts_on_a_disk_that_takes_nothing_and_goes_on_when_it_does(
        bare_site_for, tmp, how, which, is_first):
    place = TroubledPlace(tmp / "disk", how)
    remedy = {"full": "make room", "read-only": "Read-only file system; .*ReadWritePaths="}[how]
    sites = {"queue": tmp / "disk/queue.sqlite", "registry": f"sqlite:{tmp}/disk/registry.sqlite"}
    site = bare_site_for(start=False, **{name: sites[name] for name in which})
    daemon = site.mailpushd
    old, new = BarePhone(new_user()), BarePhone(new_user())
    if not is_first:
        daemon.start()
        site.register(old)
        daemon.stop()
    daemon.wrapper = place.wrapper()
    daemon.start()
    for name in which:
        daemon.wait_log(f"{name} '{tmp}/disk/.*{remedy}.*alarm={name} state=begins")
    # What the queue takes meanwhile is acknowledged, as in a daemon that runs.
    wanted = LATE if "queue" in which else b"OK ()\r\n"
    assert site.ask(notify.registration(new.user, new.token, new.account_id)) == wanted
    assert site.ask(notify.mail(new.user)) == wanted
    if "registry" in which:
        assert_not_known(daemon)
    if not is_first:
        assert site.ask(notify.mail(old.user)) == wanted
    notify.send(daemon.notify_socket, notify.datagram(notify.mail(new.user)))
    assert site.new_pushes(new) == []
    place.mend(daemon)
    for name in which:
        daemon.wait_log(f"alarm={name} state=ends")
    site.told(new, "INBOX")
    if not is_first:
        site.told(old, "INBOX")
    assert site.ask(notify.mail(new.user)) == b"OK ()\r\n"
    site.told(new, "INBOX")
    assert daemon.stop() == 0


@pytest.mark.parametrize("failure", [errno.EROFS, errno.ENOSPC, errno.EIO])
def test_what_waits_on_a_disk_that_fails_at_the_start_is_pushed_when_it_is_well(
        bad_disk_site, disk, failure):
    """In the queue's file before what comes meanwhile."""
    site = bad_disk_site
    phone = site.registered_phone("INBOX", "Notes")
    new = BarePhone(new_user())
    site.sim.control(do="refuse", on=True)
    site.mailpushd.restart()
    site.deliver(phone.user, "Notes")
    with disk.rule(f"fail registry.sqlite {failure}"):
        site.register(new)
        site.mailpushd.wait_log("alarm=registry state=begins")
        site.mailpushd.kill9()
    with disk.rule(f"fail queue.sqlite {failure}"):
        site.mailpushd.start()
        site.mailpushd.wait_log("alarm=queue state=begins")
        assert site.ask(notify.mail(phone.user)) == LATE
        status = get(site.mailpushd, "/status")
        assert "queue" in [alarm["name"] for alarm in status["alarms"]]
        assert status["events"]["waiting"] == 1
    site.sim.control(do="refuse", on=False)
    site.mailpushd.wait_log("events parked earlier are taken in again count=1")
    site.told(phone, "INBOX", "Notes")
    site.told(new, "INBOX")


@pytest.mark.parametrize("failure", [errno.EROFS, errno.ENOSPC, errno.EIO])
def test_a_stop_before_the_disk_took_anything_says_what_is_lost(bad_disk_site, disk, failure):
    """Nothing of it was acknowledged; what was stands in the queue or in the spool, and is told."""
    site = bad_disk_site
    old, kept, lost = (site.registered_phone() for _ in range(3))
    site.sim.control(do="refuse", on=True)
    site.mailpushd.restart()
    site.deliver(old.user)
    site.mailpushd.stop()
    site.mailpushd.wait_spool()
    with disk.rule(f"fail queue.sqlite {failure}"):
        site.mailpushd.start()
        notifier.keep(site.mailpushd.spool, notify.mail(kept.user))
        notify.send(site.mailpushd.notify_socket, notify.datagram(notify.mail(lost.user)))
        assert site.ask(notify.mail(lost.user)) == LATE
        wait_until(lambda: get(site.mailpushd, "/status")["events"]["waiting"] == 3,
                   what="three events in memory")
        assert site.mailpushd.stop() == 1
    assert [line for line in site.mailpushd.lines()
            if re.search("error daemon: events that waited in memory .* are lost.* count=2$", line)]
    site.sim.control(do="refuse", on=False)
    site.mailpushd.start()
    site.told(old, "INBOX")
    site.told(kept, "INBOX")
    assert site.new_pushes(lost) == []


def test_what_was_taken_before_the_registry_could_be_opened_outlasts_a_stop(bad_disk_site, disk):
    site = bad_disk_site
    phone, new = site.registered_phone(), BarePhone(new_user())
    site.mailpushd.stop()
    with disk.rule(f"fail registry.sqlite {errno.EROFS}"):
        site.mailpushd.start()
        site.deliver(phone.user)
        site.register(new)
        assert site.mailpushd.stop() == 0
    site.mailpushd.start()
    site.mailpushd.wait_log("events parked earlier are taken in again count=2")
    site.told(phone, "INBOX")
    site.told(new, "INBOX")


def test_what_an_earlier_run_parked_is_not_said_to_be_lost(bad_disk_site, disk):
    """Its row stays when nothing of what follows from it can be stored before the stop."""
    site = bad_disk_site
    phone = BarePhone(new_user())
    with locked(site.mailpushd.dir / "registry.sqlite"):
        site.register(phone)
        site.mailpushd.kill9()
    with disk.rule("unsynced registry.sqlite"):
        site.mailpushd.start()
        with disk.rule(f"fail queue.sqlite {errno.ENOSPC}"):
            site.mailpushd.wait_log("alarm=queue state=begins")
            assert site.mailpushd.stop() == 0
    assert not any("are lost" in line for line in site.mailpushd.lines() if " trace: " not in line)
    site.mailpushd.start()
    site.told(phone, "INBOX")


def test_a_damaged_queue_on_a_full_disk_is_set_aside_when_there_is_room(bad_disk_site, disk):
    site = bad_disk_site
    phone = site.registered_phone()
    site.mailpushd.stop()
    queue = site.mailpushd.dir / "queue.sqlite"
    queue.write_bytes(queue.read_bytes()[:8192] + bytes(8192) + queue.read_bytes()[16384:])
    with disk.rule(f"fail queue.sqlite {errno.ENOSPC}"):
        site.mailpushd.start()
        site.mailpushd.wait_log("alarm=queue state=begins")
        assert site.ask(notify.mail(phone.user)) == LATE
    site.mailpushd.wait_log("alarm=queue:damaged state=begins")
    site.told(phone, "INBOX")


@pytest.mark.parametrize("which", ["queue", "registry"])
def test_a_folder_that_is_not_there_is_a_mistake_in_the_configuration(bare_site_for, tmp, which):
    place = tmp / "missing" / f"{which}.sqlite"
    site = bare_site_for(
        start=False, **{which: f"sqlite:{place}" if which == "registry" else place})
    with pytest.raises(RuntimeError, match=REFUSED + f".*{which} '{place}'.*make (the|its) folder"):
        site.mailpushd.start()


@contextlib.contextmanager
def held(path):
    """Another process holds the file's lock."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield
        database.execute("ROLLBACK")


@pytest.mark.parametrize("which, text", [("queue", "another process holds the file"),
                                         ("registry", "another process holds the file")])
def test_it_does_not_start_while_another_process_holds_a_database(bare_site, which, text):
    site = bare_site
    phone = site.registered_phone()
    site.mailpushd.stop()
    with held(site.mailpushd.dir / f"{which}.sqlite"):
        with pytest.raises(RuntimeError, match=REFUSED + f".*{which} '.*{text}"):
            site.mailpushd.start()
    site.mailpushd.start()
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_a_registry_that_another_process_holds_for_long_is_an_alarm(bare_site):
    site = bare_site
    phone = site.registered_phone()
    new = BarePhone(new_user())
    with held(site.mailpushd.dir / "registry.sqlite"):
        site.register(new)
        site.deliver(phone.user)
        site.mailpushd.wait_log("another process holds the file.*alarm=registry state=begins")
    site.mailpushd.wait_log("alarm=registry state=ends")
    site.told(new, "INBOX")
    site.told(phone, "INBOX")
