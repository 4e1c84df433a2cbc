"""A disk that is slow, stuck, full, read-only or broken: nothing is said to be on it that is not,
nothing is dropped that memory holds, and when it is well again work goes on by itself."""

import contextlib
import errno
import os
import sqlite3

import pytest

import notify
from baddisk import BadDisk
from mailsite import BarePhone, MailSite, new_user

REFUSED = r"ended with 1(.|\n)*error daemon: "
LATE = b'NO "not on disk yet"\r\n'


@pytest.fixture
def disk(tmp):
    return BadDisk(tmp)


@pytest.fixture
def bad_disk_site(bare_site_for, disk):
    """The site's databases are on a disk in trouble."""
    site = bare_site_for(start=False)
    disk.under(site.mailpushd)
    site.mailpushd.start()
    return site


# ---- slow and stuck ----

@pytest.mark.parametrize("file", ["queue.sqlite", "registry.sqlite", ".sqlite"])
def test_what_a_stalled_disk_does_not_take_is_not_acknowledged_and_told_later(
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
        with pytest.raises(RuntimeError, match=REFUSED + "registry '"):
            site.mailpushd.start()
    site.mailpushd.start()
    site.mailpushd.wait_log("events parked earlier are taken in again count=2")
    site.told(new, "INBOX")
    site.told(old, "INBOX")


def read_only(folder):
    """Runs the rest with the folder on a file system that is mounted read-only."""
    return ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]),
            "sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"',
            str(folder)]


@pytest.mark.parametrize("which", ["queue", "registry"])
def test_it_does_not_start_on_a_read_only_file_system(bare_site_for, tmp, which):
    (tmp / "disk").mkdir()
    place = tmp / "disk" / f"{which}.sqlite"
    site = bare_site_for(**{which: f"sqlite:{place}" if which == "registry" else place})
    phone = site.registered_phone()
    site.mailpushd.stop()
    writable, site.mailpushd.wrapper = site.mailpushd.wrapper, read_only(tmp / "disk")
    with pytest.raises(RuntimeError, match=REFUSED + f".*{which} '{place}'.*(writ|Read-only)"):
        site.mailpushd.start()
    site.mailpushd.wrapper = writable
    site.mailpushd.start()
    site.deliver(phone.user)
    site.told(phone, "INBOX")


@contextlib.contextmanager
def held(path):
    """Another process holds the file's lock."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield
        database.execute("ROLLBACK")


@pytest.mark.parametrize("which, text", [("queue", "another process holds it"),
                                         ("registry", "end the program that holds the file")])
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
        site.mailpushd.wait_log("end the program that holds the file.*alarm=registry state=begins")
    site.mailpushd.wait_log("alarm=registry state=ends")
    site.told(new, "INBOX")
    site.told(phone, "INBOX")
