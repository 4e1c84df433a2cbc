"""The spool folder: what was kept while mailpushd was away is taken in, in order, and only that."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

import notifier
import notify
from baddisk import BadDisk
from control import get
from mailsite import BarePhone, BareSite, new_user
from phone import hash_of
from test_daemon import AS_ROOT
from test_start import humble_site_for      # noqa: F401 (a fixture)
from waiting import wait_until

MAILBOXES = ("INBOX", "Notes")
EVENTS = 200


@pytest.fixture
def away(bare_site_for):
    """A site whose daemon has made its folder and is away."""
    site = bare_site_for()
    site.mailpushd.wait_spool()
    return site


def put(spool, number, event, received_ms=None, text=None):
    """An event in the folder, as mailpush-notify would have kept it."""
    request = notify.request(event) if text is None else text
    if received_ms:
        request = request.replace(b"OPTIONS ()", b"OPTIONS () RECEIVED %d" % received_ms)
    write(spool, f"{number:016}.1", request)


def write(spool, name, content):
    """A file that appears whole."""
    hidden = spool / f".{name}"
    hidden.write_bytes(content)
    hidden.rename(spool / name)


def wait_empty(spool):
    wait_until(lambda: not notifier.kept_files(spool), what="an empty spool")


def wait_subscribed(site, phone, *mailboxes):
    """The registry may be late: what it is late with is parked, and no longer in the spool."""
    wait_until(lambda: site.subscriptions(phone) == sorted(mailboxes), what=str(mailboxes))


def bad_files(spool):
    return sorted(path.name for path in (spool / "bad").glob("*"))


# ---- taking in ----

def test_the_folder_is_made_for_the_group_of_the_sockets(bare_site):
    spool = bare_site.mailpushd.spool
    bare_site.mailpushd.wait_spool()
    assert spool.stat().st_gid == bare_site.mailpushd.stream_socket.stat().st_gid


def test_what_was_kept_is_pushed_after_the_start(away):
    phone = away.registered_phone(*MAILBOXES)
    away.mailpushd.stop()
    notifier.keep(away.mailpushd.spool, notify.mail(phone.user))
    notifier.keep(away.mailpushd.spool, notify.mail(phone.user, "Notes"))
    away.mailpushd.start()
    away.told(phone, *MAILBOXES)
    wait_empty(away.mailpushd.spool)
    away.mailpushd.wait_log("info intake: events kept in the spool are taken in count=2")


def test_what_is_kept_while_the_daemon_runs_is_pushed_at_once(away):
    phone = away.registered_phone()
    for _ in range(3):
        notifier.keep(away.mailpushd.spool, notify.mail(phone.user))
        away.told(phone, "INBOX")
    wait_empty(away.mailpushd.spool)


def test_events_are_taken_in_the_order_of_their_names(away):
    spool = away.mailpushd.spool
    away.mailpushd.stop()
    phone = BarePhone(new_user())
    lists = [["INBOX", f"Folder{number}"] for number in range(300)]
    order = list(range(300))
    random.Random(1).shuffle(order)
    for number in order:
        put(spool, number, notify.registration(phone.user, phone.token, phone.account_id,
                                               lists[number]))
    away.mailpushd.start()
    wait_empty(spool)
    wait_subscribed(away, phone, *lists[-1])


def test_a_clock_that_was_set_back_makes_no_newer_registration_the_older(away):
    spool = away.mailpushd.spool
    away.mailpushd.stop()
    phone = BarePhone(new_user())
    now_ms = time.time_ns() // 1000000
    for number, (received_ms, mailbox) in enumerate([
            (now_ms + 3600 * 1000, "Ahead"), (now_ms - 1000, "Right"), (1, "Unset")]):
        put(spool, number, notify.registration(phone.user, phone.token, phone.account_id,
                                               [mailbox]), received_ms)
    away.mailpushd.start()
    wait_empty(spool)
    wait_subscribed(away, phone, "Unset")


def test_an_old_registration_in_the_spool_does_not_beat_what_came_since(away):
    phone = away.registered_phone("INBOX", "New")
    hour_ago_ms = time.time_ns() // 1000000 - 3600 * 1000
    put(away.mailpushd.spool, 1, notify.registration(
        phone.user, phone.token, phone.account_id, ["Old"]), hour_ago_ms)
    away.mailpushd.wait_log("registration is older than what is known")
    wait_empty(away.mailpushd.spool)
    assert away.subscriptions(phone) == ["INBOX", "New"]


def test_other_classes_go_the_way_of_the_sockets(away):
    put(away.mailpushd.spool, 1, None, text=notify.request("hello", "SIEVE"))
    away.mailpushd.wait_log("class=SIEVE")
    wait_empty(away.mailpushd.spool)
    assert not (away.mailpushd.spool / "bad").exists()


def test_what_the_forward_socket_cannot_carry_is_moved_away(bare_site_for, tmp):
    """Kept where it is it would be tried again for ever."""
    site = bare_site_for(forward_socket=tmp / "target")
    large = notify.request("x" * 30000, "SIEVE")
    site.mailpushd.wait_spool()
    put(site.mailpushd.spool, 1, None, text=large)
    site.mailpushd.wait_log("moved to 'bad': it cannot be written as a datagram")
    wait_empty(site.mailpushd.spool)
    assert (site.mailpushd.spool / "bad" / f"{1:016}.1").read_bytes() == large


def test_more_events_than_are_taken_at_once_are_all_taken(away):
    spool = away.mailpushd.spool
    away.mailpushd.stop()
    phones = [BarePhone(new_user()) for _ in range(50)]
    for number, phone in enumerate(phones):
        put(spool, number, notify.registration(phone.user, phone.token, phone.account_id))
    # More names than one look finds, more files than are in memory at once.
    for number in range(9000):
        put(spool, 100 + number, notify.mail(phones[number % 50].user))
    away.mailpushd.start()
    wait_until(lambda: not notifier.kept_files(spool), 60, "an empty spool")
    for phone in phones:
        away.told(phone, "INBOX")
    assert not (spool / "bad").exists()


def test_without_a_spool_none_is_made(bare_site_for, tmp):
    site = bare_site_for(spool_dir="")
    phone = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    assert not list(tmp.rglob("spool"))


# ---- what is no event ----

BAD = {
    "empty": (b"", "it is empty"),
    "rubbish": (bytes(range(256)) * 100, "malformed request: no NOTIFY"),
    "http": (b"GET / HTTP/1.1\r\n\r\n", "malformed request: no NOTIFY"),
    "cut": (notify.request(notify.mail("alice"))[:-9], "the request is cut"),
    "two": (notify.request(notify.mail("alice")) * 2, "bytes follow the request"),
    "no-json": (notify.request("hello"), "JSON"),
    "no-time": (notify.request("{}").replace(b"OPTIONS ()", b"RECEIVED soon"),
                "RECEIVED is not a time"),
    "large": (notify.request(notify.mail("alice", more="x" * 1024 * 1024)),
              "more than the 1048576 bytes"),
    "\n\x1b[2Jname": (b"x", "no NOTIFY"),
    "\u00e4" * 100: (b"x", "no NOTIFY"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_request_is_moved_away_with_a_reason(away, name):
    content, reason = BAD[name]
    spool = away.mailpushd.spool
    phone = away.registered_phone()
    write(spool, f"0{name}", content)
    put(spool, 1, notify.mail(phone.user))
    away.told(phone, "INBOX")
    found = away.mailpushd.wait_log(f"warn intake: .*moved to 'bad': .*({reason})")
    wait_empty(spool)
    assert bad_files(spool) == [f"0{name}"]
    assert (spool / "bad" / f"0{name}").read_bytes() == content
    assert [line for line in away.mailpushd.lines() if "moved to 'bad'" in line] == [found.string]


def test_only_regular_files_are_taken(away):
    spool = away.mailpushd.spool
    phone = away.registered_phone()
    os.mkfifo(spool / "0fifo")
    (spool / "0link").symlink_to(spool.parent / "mailpush.conf")
    (spool / "0loop").symlink_to("0loop")
    (spool.parent / "folder").mkdir()
    (spool.parent / "folder" / "file").write_text("x")
    (spool.parent / "folder").rename(spool / "0folder")
    (spool / "0nothing").mkdir()
    with open(spool / ".sparse", "wb") as file:
        file.truncate(2 * 1024 ** 3)
    (spool / ".sparse").rename(spool / "0sparse")
    put(spool, 1, notify.mail(phone.user))
    away.told(phone, "INBOX")
    wait_until(lambda: [path.name for path in notifier.kept_files(spool)] == ["0folder"], what="the folder alone")
    assert bad_files(spool) == ["0fifo", "0link", "0loop", "0sparse"]
    for name in ("0fifo", "0link", "0loop"):
        away.mailpushd.wait_log(f"/{name}' is moved to 'bad': it is not a regular file")
    away.mailpushd.wait_log("/0nothing' is removed: it is not a regular file")
    away.mailpushd.wait_log("/0sparse' is moved to 'bad': it has more than the 1048576 bytes")


@pytest.mark.skipif(os.geteuid() != 0, reason="without root all run as one user")
def test_a_file_of_a_stranger_s_is_not_taken(away):
    spool = away.mailpushd.spool
    phone = away.registered_phone()
    write(spool.parent, "strange", notify.request(notify.mail(phone.user, event="MessageNew")))
    os.chown(spool.parent / "strange", 65534, 65534)
    (spool.parent / "strange").rename(spool / "0strange")
    away.mailpushd.wait_log("/0strange' is moved to 'bad': it belongs to uid 65534, which is not "
                            "allowed to send events; if that is the mail server's uid, add it to "
                            "allowed_users")
    put(spool, 1, notify.registration(phone.user, phone.token, phone.account_id, ["Notes"]))
    away.told(phone, "Notes")
    assert bad_files(spool) == ["0strange"]


def test_a_refused_event_of_notify_is_kept_for_a_person(away):
    daemon = away.mailpushd
    event = notify.registration("mallory", "no token", "A")
    done = notifier.hand_over(daemon, event)
    assert done.returncode == 0
    assert b"answered: NO" in done.stderr
    daemon.wait_log("moved to 'bad'")
    wait_empty(daemon.spool)
    name = bad_files(daemon.spool)[0]
    assert notifier.Request.read((daemon.spool / "bad" / name).read_bytes()).message \
        == notify.message(event)


def test_no_more_than_so_many_bad_files_are_kept(away):
    spool = away.mailpushd.spool
    away.mailpushd.stop()
    for number in range(1200):
        write(spool, f"{number:016}.1", b"x")
    away.mailpushd.start()
    wait_until(lambda: not notifier.kept_files(spool), 30, "an empty spool")
    newest = [f"{number:016}.1" for number in range(200, 1200)]
    wait_until(lambda: bad_files(spool) == newest, what="the newest ones")


def test_a_folder_is_no_file_to_move(away):
    """Nothing of it is lost, whoever put it there; an empty one goes, also of those in bad/."""
    spool = away.mailpushd.spool
    away.mailpushd.stop()
    for number in range(1200):
        (spool / "bad" / f"{number:016}.1").mkdir(parents=True)
    for name in ("0full", "0empty"):
        (spool / name).mkdir()
    (spool / "0full" / "file").write_text("x")
    write(spool, f"{1200:016}.1", b"x")
    away.mailpushd.start()
    away.mailpushd.wait_log("cannot move away '.*/0full': Directory not empty; see whose it is, and remove it.*"
                            "alarm=spool state=begins")
    newest = [f"{number:016}.1" for number in range(201, 1201)]
    wait_until(lambda: bad_files(spool) == newest, what="the newest ones")
    assert [path.name for path in notifier.kept_files(spool)] == ["0full"]
    assert (spool / "0full" / "file").read_text() == "x"


STRANGER_UID, GROUP = 1, 8      # daemon, who is not allowed to send, and mail


@pytest.fixture
def shared_spool(humble_site_for):
    """A site whose daemon is nobody and shares the folder with a group."""
    site = humble_site_for("nobody")
    spool = site.mailpushd.spool
    wait_until(spool.exists, what="the spool folder")
    os.chown(spool, spool.stat().st_uid, GROUP)
    spool.chmod(0o2770)
    return site


def put_as_nobody(spool, number, event, mode=0o600):
    """What an allowed user keeps."""
    path = spool.parent / f"{number}.new"
    path.write_bytes(notify.request(event))
    path.chmod(mode)
    os.chown(path, spool.stat().st_uid, GROUP)
    path.rename(spool / f"{number:016}.1")


@AS_ROOT
def test_folders_that_cannot_be_moved_take_no_place(shared_spool):
    """More of them than files are held in memory, and before the event."""
    site, daemon = shared_spool, shared_spool.mailpushd
    daemon.process.send_signal(signal.SIGSTOP)
    for number in range(1100):
        folder = daemon.spool / f"{number:016}.0"
        (folder / "inside").mkdir(parents=True)
        folder.chmod(0o700)
        os.chown(folder, STRANGER_UID, GROUP)
    daemon.process.send_signal(signal.SIGCONT)
    daemon.wait_log("cannot move away '.*': Directory not empty; see whose it is, and remove it.*"
                    "alarm=spool state=begins")
    phone = site.registered_phone()
    for number in (2000, 2001):
        put_as_nobody(daemon.spool, number, notify.mail(phone.user))
        site.told(phone, "INBOX")
    wait_until(lambda: len(notifier.kept_files(daemon.spool)) == 1100, what="the folders alone")
    for path in notifier.kept_files(daemon.spool):
        shutil.rmtree(daemon.spool / path, ignore_errors=True)     # it goes by itself when empty
    daemon.wait_log("alarm=spool state=ends")


@AS_ROOT
def test_what_a_stranger_puts_there_does_not_keep_bad_files(shared_spool):
    """A folder that anybody may move, with one inside that only he may empty."""
    daemon = shared_spool.mailpushd
    daemon.process.send_signal(signal.SIGSTOP)
    folder = daemon.spool / "0"
    (folder / "inside").mkdir(parents=True)
    for number in range(5000):
        (folder / "inside" / str(number)).touch()
    folder.chmod(0o777)
    for path in (folder, folder / "inside"):
        os.chown(path, STRANGER_UID, GROUP)
    for number in range(1200):
        path = daemon.spool / f"{number:016}.1"
        path.write_bytes(b"x")
        os.chown(path, STRANGER_UID, GROUP)
    daemon.process.send_signal(signal.SIGCONT)
    newest = [f"{number:016}.1" for number in range(200, 1200)]
    wait_until(lambda: bad_files(daemon.spool) == newest, what="the newest ones")
    assert [path.name for path in notifier.kept_files(daemon.spool)] == ["0"]


@AS_ROOT
def test_a_folder_that_comes_and_goes_does_not_fill_the_log(shared_spool):
    """It is an alarm each time, and of an alarm that comes and goes 20 changes a minute have a line."""
    daemon = shared_spool.mailpushd

    def is_about(name):
        return [alarm for alarm in get(daemon, "/status")["alarms"] if name in alarm["text"]]

    began = time.monotonic()
    since = len(daemon.lines())
    for number in range(30):
        hidden = daemon.spool / ".hidden"
        (hidden / "inside").mkdir(parents=True)
        hidden.chmod(0o700)
        os.chown(hidden, STRANGER_UID, GROUP)
        folder = hidden.rename(daemon.spool / f"{number:016}.0")
        wait_until(lambda: is_about(folder.name), what="the alarm")
        shutil.rmtree(folder)
    wait_until(lambda: not get(daemon, "/status")["alarms"], what="its end")
    lines = [line for line in daemon.lines(since) if "alarm=spool state=" in line]
    minutes = 1 + int(time.monotonic() - began) // 60
    assert 2 <= len(lines) <= 20 * minutes
    # What is told in the end is what is so.
    daemon.stop()
    last = [line for line in daemon.lines(since) if "alarm=spool state=" in line][-1]
    assert "state=ends" in last


@AS_ROOT
def test_files_that_cannot_be_read_hold_up_none_behind_them(shared_spool):
    """More of them than are found in one look.  And nobody looks at them all the time."""
    site, daemon = shared_spool, shared_spool.mailpushd
    phone = site.registered_phone()
    daemon.process.send_signal(signal.SIGSTOP)
    for number in range(9000):
        put_as_nobody(daemon.spool, number, notify.mail(phone.user), mode=0)
    put_as_nobody(daemon.spool, 9000, notify.mail(phone.user))
    daemon.process.send_signal(signal.SIGCONT)
    site.told(phone, "INBOX")
    daemon.wait_log("cannot read '.*': Permission denied.*alarm=spool state=begins")
    wait_at_rest(daemon)
    put_as_nobody(daemon.spool, 9001, notify.mail(phone.user))
    site.told(phone, "INBOX")
    for name in notifier.kept_files(daemon.spool):
        (daemon.spool / name).unlink(missing_ok=True)      # the last may go by itself only now
    daemon.wait_log("alarm=spool state=ends")


def wait_at_rest(daemon):
    """Until it has used less than a tenth of a processor over a second."""
    def used_s():
        fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    window = [time.monotonic(), used_s()]

    def has_rested():
        now, used = time.monotonic(), used_s()
        if now - window[0] < 1:
            return False
        is_at_rest = used - window[1] < 0.1 * (now - window[0])
        window[:] = now, used
        return is_at_rest
    wait_until(has_rested, what="a daemon at rest")


@pytest.mark.parametrize("rules, is_kept", [(["deadly .tmp-"], False),
                                           (["well .tmp-", "deadly /spool"], True)],
                         ids=["before it has its name", "after"])
def test_all_or_nothing_is_taken_of_a_writer_that_is_killed(away, tmp, rules, is_kept):
    spool = away.mailpushd.spool
    phone = away.registered_phone("INBOX", "Notes")
    away.mailpushd.stop()
    disk = BadDisk(tmp)
    with disk.rule(*rules):
        done = notifier.run(tmp / "nobody", spool, notify.mail(phone.user),
                            wrapper=disk.wrapper())
    assert done.returncode == -signal.SIGKILL
    assert len(notifier.kept(spool)) == is_kept
    notifier.keep(spool, notify.mail(phone.user, "Notes"))
    away.mailpushd.start()
    away.told(phone, *["INBOX"] * is_kept, "Notes")
    wait_empty(spool)
    assert not (spool / "bad").exists()


def test_what_a_killed_writer_left_goes_when_it_is_old(away):
    spool = away.mailpushd.spool
    for name, age_s in ((".tmp-old", 7200), (".tmp-new", 60)):
        (spool / name).write_bytes(b"x")
        then = time.time() - age_s
        os.utime(spool / name, (then, then))
    away.mailpushd.restart()
    wait_until(lambda: not (spool / ".tmp-old").exists(), what="the old one gone")
    assert (spool / ".tmp-new").exists()


# ---- trouble with the folder ----

def test_a_folder_that_cannot_be_made_is_an_alarm(bare_site_for, tmp):
    spool = tmp / "no" / "spool"
    site = bare_site_for(spool_dir=spool)
    site.mailpushd.wait_log(
        f"error alarm: .*the spool folder '{spool}' is missing and cannot be created: No such file "
        ".*make it: install -d.*alarm=spool state=begins")
    phone = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    spool.parent.mkdir()
    site.mailpushd.wait_log("alarm=spool state=ends")
    notifier.keep(spool, notify.mail(phone.user))
    site.told(phone, "INBOX")


def test_a_folder_that_was_removed_is_made_again(away):
    spool = away.mailpushd.spool
    phone = away.registered_phone()
    spool.rename(spool.parent / "aside")
    away.mailpushd.wait_spool()
    for _ in range(2):
        notifier.keep(spool, notify.mail(phone.user))
        away.told(phone, "INBOX")
    wait_empty(spool)


def test_a_file_in_the_place_of_the_folder_is_an_alarm(bare_site_for, tmp):
    (tmp / "spool").write_text("")
    site = bare_site_for(spool_dir=tmp / "spool")
    site.mailpushd.wait_log("cannot open the spool folder .*Not a directory.*alarm=spool")


def test_a_folder_that_everybody_may_write_into_is_an_alarm(away):
    away.mailpushd.spool.chmod(0o777)
    away.mailpushd.wait_log("everybody may write into the spool folder .*alarm=spool")
    away.mailpushd.spool.chmod(0o2770)
    away.mailpushd.wait_log("alarm=spool state=ends")


def on_tmpfs(folder, size):
    """A command that runs its arguments with a small file system at this folder."""
    return ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]),
            "sh", "-c", f'mount -t tmpfs -o size={size},mode=2770 tmpfs "$0" && exec "$@"',
            str(folder)]


@pytest.fixture
def disk_site(mailpushd, sim, imapd_conf, tmp):
    """disk_site(size): the spool folder is a file system of its own."""
    def make(size):
        (tmp / "disk").mkdir()
        daemon = mailpushd(imapd_conf=imapd_conf, spool_dir=tmp / "disk", start=False)
        daemon.wrapper = on_tmpfs(tmp / "disk", size)
        return BareSite(daemon.start(), sim)
    return make


def inside(daemon):
    return daemon.path_inside(daemon.spool)


def mount_again(daemon, options):
    subprocess.run(["nsenter", "--target", str(daemon.process.pid), "--mount",
                    *([] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]),
                    "mount", "-o", f"remount,{options}", str(daemon.spool)], check=True)


def test_a_disk_that_is_full_is_an_alarm_before_an_event_is_lost(disk_site):
    daemon = disk_site("8m").mailpushd
    filler = inside(daemon) / ".filler"
    filler.write_bytes(b"x" * 5 * 1024 * 1024)
    daemon.wait_log("the disk of the spool folder .* is full.*make room.*alarm=spool")
    filler.unlink()
    daemon.wait_log("alarm=spool state=ends")


def test_what_cannot_be_removed_is_not_taken_twice(disk_site):
    site = disk_site("16m")
    daemon = site.mailpushd
    phone = site.registered_phone()
    put(inside(daemon), 1, notify.mail(phone.user))
    site.told(phone, "INBOX")
    wait_empty(inside(daemon))

    daemon.process.send_signal(signal.SIGSTOP)      # so that it finds all in one look
    put(inside(daemon), 2, notify.mail(phone.user))
    write(inside(daemon), "3", b"rubbish")
    mount_again(daemon, "ro")
    seen = len(daemon.log)
    daemon.process.send_signal(signal.SIGCONT)
    site.told(phone, "INBOX")
    daemon.wait_log("Read-only file system; make its disk writable, .*ReadWritePaths=.*alarm=spool state=begins")
    mount_again(daemon, "rw")
    wait_empty(inside(daemon))
    daemon.wait_log("alarm=spool state=ends", since=seen)
    taken = [line for line in daemon.lines() if "event came event=MessageNew" in line]
    assert len(taken) == 2
    assert bad_files(inside(daemon)) == ["3"]


def test_what_no_disk_took_before_the_end_stays_kept(mailpushd, sim, imapd_conf, tmp):
    (tmp / "disk").mkdir()
    daemon = mailpushd(imapd_conf=imapd_conf, queue=tmp / "disk" / "queue.sqlite", start=False)
    daemon.wrapper = on_tmpfs(tmp / "disk", "1m")
    site = BareSite(daemon.start(), sim)
    phone = site.registered_phone()
    filler = daemon.path_inside(tmp / "disk" / "filler")
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)
    for number in range(40):
        put(daemon.spool, number, notify.registration(phone.user, phone.token, phone.account_id,
                                                      [f"Folder{number}"]))
    daemon.wait_log("alarm=queue state=begins")
    assert daemon.stop() == 0
    assert notifier.kept_files(daemon.spool)
    daemon.start()                                  # on another disk
    wait_empty(daemon.spool)
    site.told(phone, "Folder39")
    wait_subscribed(site, phone, "Folder39")


# ---- whatever dies ----

def keep_many(site, users, count, chance, kept):
    """Keep events one after the other, as notifyd does, and note those that were."""
    daemon = site.mailpushd
    for _ in range(count):
        user, mailbox = chance.choice(users), chance.choice(MAILBOXES)
        event = notify.mail(user, *([] if mailbox == "INBOX" else [mailbox]))
        sent_ms = time.time_ns() // 1000000
        done = notifier.run(daemon.stream_socket, daemon.spool, event)
        assert done.returncode == 0, done.stderr
        kept.append((user, mailbox, sent_ms))


def untold(site, phones, kept):
    """What no push has named that came after the event."""
    told_ms = {}
    for push in site.sim.pushes(where=lambda push: push["status"] == 200):
        for name in push["payload"]["aps"].get("m", []):
            key = push["token"], name
            told_ms[key] = max(push["time_ms"], told_ms.get(key, 0))
    return [(user, mailbox, sent_ms) for user, mailbox, sent_ms in kept
            if told_ms.get((phones[user].token, hash_of(mailbox)), 0) < sent_ms]


@pytest.mark.limit(480)
@pytest.mark.parametrize("end", ["kill9", "stop"])
def test_nothing_is_lost_while_the_daemon_dies_again_and_again(away, end):
    seed = random.randrange(2 ** 32)
    print(f"the seed is {seed}")
    chance = random.Random(seed)
    site = away
    phones = {phone.user: phone for phone in
              (BarePhone(new_user(), MAILBOXES) for _ in range(20))}
    for phone in phones.values():
        site.register(phone)
    kept = []
    writer = threading.Thread(target=keep_many, args=(site, list(phones), EVENTS, chance, kept))
    writer.start()
    for count in sorted(random.Random(seed + 1).sample(range(EVENTS - 50), 6)):
        wait_until(lambda: len(kept) >= count or not writer.is_alive(), 120, "events")
        getattr(site.mailpushd, end)()
        site.mailpushd.start()
    writer.join(120)
    assert len(kept) == EVENTS
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not untold(site, phones, kept), what="a push for each")
    assert not untold(site, phones, kept)
    wait_empty(site.mailpushd.spool)
    assert not (site.mailpushd.spool / "bad").exists()


# ---- with notifyd of the real Cyrus ----

def have_it_asked_again(site):
    """The next mailpush-notify does not go by the mark of one that found the daemon slow."""
    (site.mailpushd.spool / notifier.SILENT).unlink(missing_ok=True)


@pytest.fixture
def notifyd_site(site_for):
    site = site_for(cyrus={"transport": "notifyd"})
    have_it_asked_again(site)           # whatever the test before did to the daemon
    return site


def test_mail_is_pushed_through_notifyd(notifyd_site):
    site = notifyd_site
    user = site.create_user("Notes")
    phone = site.registered_phone(user, *MAILBOXES)
    site.deliver(user, "Notes")
    site.told(phone, "Notes")
    site.deliver(user)
    site.told(phone, "INBOX")


@pytest.mark.parametrize("end", ["stop", "kill9"])
def test_what_notifyd_brought_while_the_daemon_was_away_is_pushed_later(notifyd_site, end):
    site = notifyd_site
    user = site.create_user("Notes", "More")
    phone = site.registered_phone(user, "INBOX", "Notes")
    site.wait_nothing_waits()           # or that push would be sent again after the end
    getattr(site.mailpushd, end)()
    have_it_asked_again(site)
    since = len(site.cyrus.syslog)
    phone.register("INBOX", "More")
    site.deliver(user, "Notes")
    site.deliver(user, "More")
    site.cyrus.syslog.wait("mailpush-notify.*cannot reach mailpushd at .*kept in", since=since)
    wait_until(lambda: sum(b'"MessageNew"' in request.message
                           for request in notifier.kept(site.mailpushd.spool)) == 2,
               what="two kept events")
    site.mailpushd.start()
    site.told(phone, "INBOX", "More")       # the registration of before came first
    wait_empty(site.mailpushd.spool)
    wait_subscribed(site, phone, "INBOX", "More")


def test_a_daemon_that_is_silent_does_not_hold_up_mail(notifyd_site):
    site = notifyd_site
    user = site.create_user("Notes")
    phone = site.registered_phone(user, *MAILBOXES)
    site.mailpushd.process.send_signal(signal.SIGSTOP)
    have_it_asked_again(site)
    since = len(site.cyrus.syslog)
    try:
        for _ in range(20):
            site.deliver(user, "Notes")
        site.cyrus.syslog.wait("mailpush-notify.*gave no answer within 200 ms.*kept", since=since)
        wait_until(lambda: sum(b'"MessageNew"' in request.message
                               for request in notifier.kept(site.mailpushd.spool)) == 20,
                   what="twenty kept events")
    finally:
        site.mailpushd.process.send_signal(signal.SIGCONT)
    site.told(phone, "Notes")
    wait_empty(site.mailpushd.spool)


def test_what_notifyd_brought_while_the_daemon_died_again_and_again_is_pushed(notifyd_site):
    site = notifyd_site
    user = site.create_user("Notes")
    phone = site.registered_phone(user, *MAILBOXES)
    for _ in range(6):
        site.deliver(user, "Notes")
        site.mailpushd.kill9()
        site.deliver(user)
        site.mailpushd.start()
    site.told(phone, *MAILBOXES)
    wait_empty(site.mailpushd.spool)
