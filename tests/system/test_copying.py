"""A registry goes from one database into another while mailpushd works with it."""

import contextlib
import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import time

import pytest

import mariadb
import notify
import postgresql
from apnssim import TOPIC
from control import ask, ctl, ctl_binary, ctl_fine, ctl_json, get
from cyrus import SERVERNAME
from mailsite import BarePhone, locked, new_user
from waiting import wait_until

DAY = 86400
MANY = 10_100  # of which some are gone before the copy comes to them
PAGE = 1000
ROUNDS = 8


def url_of(path):
    return f"sqlite:{path}"


def registry_of(site):
    return url_of(site.mailpushd.dir / "registry.sqlite")


def copy(site, *arguments, status=0):
    done = ctl(site.mailpushd, "--json", "copy", "--config", site.mailpushd.conf, *arguments)
    assert done.returncode == status, (done.stdout, done.stderr)
    return json.loads(done.stdout) if done.stdout else done.stderr


def counts(summary):
    return tuple(summary[word] for word in ("new", "renewed", "changed", "known", "forgotten", "removed"))


def content(path):
    """All that a registry says of phones, but the numbers that a database gave them."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        rows = {row[0]: [row[1:]] for row in database.execute(
            "SELECT hex(key), user, device_token, account_id, topic, aps_version, confirmed, inbox_only, "
            "renewed_ms, suspended_ms, stopped_reason, subtopic, created_ms, superseded_ms, is_nudged "
            "FROM registration")}
        for key, *subscription in database.execute(
                "SELECT hex(key), name, owner, folder, hash FROM subscription "
                "JOIN registration ON registration = registration.id ORDER BY 1, 2"):
            rows[key].append(tuple(subscription))
    return rows


def content_of(site, url):
    """The same of another database: what a copy of it says."""
    path = site.mailpushd.dir / "a-copy.sqlite"
    for name in (path, f"{path}-wal", f"{path}-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
    copy(site, url, url_of(path))
    return content(path)


def assert_same(one, other):
    assert {key: (one.get(key), other.get(key)) for key in {**one, **other}
            if one.get(key) != other.get(key)} == {}


def lines_of(phones):
    """As an export has phones that registered a day ago."""
    return [{"user": phone.user, "token": phone.token, "account_id": phone.account_id,
             "subtopic": "com.apple.mobilemail", "topic": TOPIC, "mailboxes": list(phone.mailboxes),
             "renewed": time.time() - DAY, "confirmed": True} for phone in phones]


def bring(site, phones):
    lines = lines_of(phones)
    for at in range(0, len(lines), PAGE):
        status, _ = ask(site.mailpushd, "POST", "/import", {"registrations": lines[at:at + PAGE],
                                                           "confirmed": True})
        assert status == 200


class Life:
    """What happens to phones: each round takes others, one for each thing."""

    def __init__(self, site, phones):
        self.site = site
        self.phones = iter(phones)
        self.renamed = []

    def answered(self, status, reason):
        phone = next(self.phones)
        self.site.sim.control(do="token", token=phone.token, status=status, reason=reason, times=1)
        self.site.deliver(phone.user)
        return phone

    def state(self, phone):
        return [device["state"] for device in ctl_json(self.site.mailpushd, "devices", "--user", phone.user)]

    def round(self):
        site = self.site
        forgotten, stopped = self.answered(410, "Unregistered"), self.answered(400, "DeviceTokenNotForTopic")
        site.register(BarePhone(new_user(), ("INBOX", "Notes")))
        renewed = next(self.phones)
        renewed.mailboxes = ("INBOX", "Other")
        site.register(renewed)
        twin = next(self.phones)
        site.register(BarePhone(twin.user, token=twin.token))   # supersedes it
        renamed = next(self.phones)
        site.tell(notify.mail(renamed.user, "Moved", event="MailboxRename",
                              oldMailboxID=notify.uri(renamed.user, "Notes")))
        self.renamed.append(renamed)
        site.tell(notify.mail(next(self.phones).user, event="MailboxDelete"))
        back = next(self.phones)
        site.tell(notify.mail(back.user, event="MailboxDelete"))
        site.deliver(back.user)
        [removed] = ctl_json(site.mailpushd, "devices", "--user", next(self.phones).user)
        ctl_fine(site.mailpushd, "devices", "remove", removed["key"])
        wait_until(lambda: self.state(forgotten) == [] and self.state(stopped) == ["stopped"],
                   what="Apple's answers in the registry")
        site.wait_nothing_is_parked()


def phones_of(site, count):
    phones = [BarePhone(new_user(), ("INBOX", "Notes")) for _ in range(count)]
    bring(site, phones)
    return phones


@pytest.mark.limit(900)
def test_nothing_is_lost_when_another_database_takes_over(bare_site_for, server):
    site = bare_site_for()
    here = registry_of(site)
    phones = phones_of(site, MANY)
    life = Life(site, phones[100:])
    life.round()
    with subprocess.Popen([ctl_binary(), "--json", "--socket", site.mailpushd.control_socket, "copy", "--config",
                           site.mailpushd.conf, here, server.url], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE) as first:
        for _ in range(ROUNDS):
            life.round()
        out, told = first.communicate()
    assert first.returncode == 0, told
    assert "10000 read\n" in told
    assert json.loads(out)["new"] >= MANY - 100
    life.round()
    assert copy(site, "--last", here, server.url, status=1).startswith(
        "mailpushctl: mailpushd works with its registry")

    assert ctl_json(site.mailpushd, "registry", "freeze") == [{"frozen": True}]
    asleep, late = phones[0], BarePhone(new_user())
    site.deliver(asleep.user)       # acknowledged, though the registry stands still
    site.register(late)
    summary = copy(site, "--last", "--dry-run", here, server.url)
    assert summary["changed"] > 0 and summary["removed"] > 0
    assert counts(copy(site, "--last", here, server.url)) == counts(summary)
    assert copy(site, "--last", here, server.url)["others"] == 0
    before = content(site.mailpushd.dir / "registry.sqlite")
    assert_same(before, content_of(site, server.url))
    states = {row[0][9] for row in before.values()}
    assert states == {None, "DeviceTokenNotForTopic"}
    assert any(row[0][8] for row in before.values()) and any(row[0][12] for row in before.values())
    assert not site.pushes(late) and not site.pushes(asleep)

    site.mailpushd.write_conf(registry=server.url)
    site.mailpushd.restart()
    site.told(late, "INBOX")
    site.told(asleep, "INBOX")
    moved = life.renamed[-1]
    site.deliver(moved.user, "Moved")
    site.told(moved, "Notes")
    wait_until(lambda: get(site.mailpushd, "/status")["registrations"]["total"] == len(before) + 1,
               what="all of them, and the one that came meanwhile")


def test_a_copy_after_the_switch_brings_nothing_back(bare_site_for, server):
    site = bare_site_for()
    here = registry_of(site)
    phones = phones_of(site, 20)
    ctl_fine(site.mailpushd, "registry", "freeze")
    assert counts(copy(site, "--last", here, server.url)) == (20, 0, 0, 0, 0, 0)
    site.mailpushd.write_conf(registry=server.url)
    site.mailpushd.restart()
    Life(site, phones).round()
    after = content_of(site, server.url)
    summary = copy(site, here, server.url)
    assert (counts(summary)[:3], summary["forgotten"]) == ((0, 0, 0), 2)
    assert_same(after, content_of(site, server.url))
    ctl_fine(site.mailpushd, "registry", "freeze")
    assert "mailpushd uses another registry" in copy(site, "--last", here, server.url, status=1)


def test_two_servers_come_together_in_one_database(bare_site_for, server):
    """The last copy of one takes away nothing that the other has brought."""
    one, other = bare_site_for(site="mail"), bare_site_for(site="mail")
    phones = phones_of(one, 30)
    others = phones_of(other, 30)
    for site, forgotten in ((one, phones[0]), (other, others[0])):
        copy(site, registry_of(site), server.url)
        [device] = ctl_json(site.mailpushd, "devices", "--user", forgotten.user)
        ctl_fine(site.mailpushd, "devices", "remove", device["key"])
    for site in (one, other):
        ctl_fine(site.mailpushd, "registry", "freeze")
        summary = copy(site, "--last", registry_of(site), server.url)
        assert (summary["removed"], counts(summary)[:3]) == (1, (0, 0, 0))
        site.mailpushd.write_conf(registry=server.url)
        site.mailpushd.restart()
    assert summary["others"] == 29
    wait_until(lambda: get(one.mailpushd, "/status")["registrations"]["total"] == 58, what="the phones of both")
    one.deliver(others[1].user)
    one.told(others[1], "INBOX")


def test_what_comes_to_a_frozen_registry_is_acknowledged_and_goes_on_after_the_thaw(bare_site):
    site = bare_site
    phone = site.registered_phone()
    new = BarePhone(new_user())
    assert ctl_fine(site.mailpushd, "registry", "freeze").startswith("frozen: ")
    assert ctl_fine(site.mailpushd, "registry", "freeze").startswith("frozen: ")
    assert [alarm["name"] for alarm in get(site.mailpushd, "/status")["alarms"]] == ["registry:frozen"]
    before = site.registry_dump()
    site.deliver(phone.user)
    site.register(new)
    assert site.registry_dump() == before
    assert ctl_fine(site.mailpushd, "registry", "thaw").startswith("thawed: ")
    site.told_inbox(phone)
    site.told(new, "INBOX")
    assert get(site.mailpushd, "/status")["alarms"] == []


OF_THE_REGISTRY = [["devices"], ["devices", "--user", "alice"], ["devices", "show", "0" * 32],
                   ["devices", "--forgotten"], ["devices", "remove", "0" * 32],
                   ["devices", "remove", "--user", "alice", "--yes"], ["prune"], ["export"],
                   ["user", "export", "alice"], ["user", "remove", "alice", "--yes"], ["push", "alice"],
                   ["queue", "flush", "--user", "alice"], ["queue", "drop", "--user", "alice"]]


def test_the_need_for_a_frozen_registry_is_reported_at_once(bare_site):
    site = bare_site
    ctl_fine(site.mailpushd, "registry", "freeze")
    for arguments in OF_THE_REGISTRY:
        done = ctl(site.mailpushd, *arguments)
        assert done.returncode == 1, arguments
        assert "the registry is frozen" in done.stderr and "mailpushctl registry thaw" in done.stderr, arguments
    ctl_fine(site.mailpushd, "queue")
    ctl_fine(site.mailpushd, "queue", "flush")
    ctl_fine(site.mailpushd, "registry", "thaw")
    for arguments in OF_THE_REGISTRY:
        assert "frozen" not in ctl(site.mailpushd, *arguments).stderr, arguments


def test_what_is_imported_into_a_frozen_registry_does_not_pile_up(bare_site, tmp):
    site = bare_site
    lines = tmp / "phones.jsonl"
    lines.write_text("".join(json.dumps(line) + "\n" for line in lines_of(BarePhone(new_user()) for _ in range(3))))
    ctl_fine(site.mailpushd, "registry", "freeze")
    for _ in range(3):
        done = ctl(site.mailpushd, "import", lines)
        assert done.returncode == 1 and "mailpushctl: the registry is frozen" in done.stderr
    ctl_fine(site.mailpushd, "registry", "thaw")
    assert not site.registrations()
    assert ctl_fine(site.mailpushd, "import", lines).startswith("3 read: 3 new")


def test_what_comes_to_a_frozen_registry_is_not_done_by_a_stop(bare_site):
    """It would be missing in the registry that takes over."""
    site = bare_site
    phone, gone = site.registered_phone(), site.registered_phone()
    ctl_fine(site.mailpushd, "registry", "freeze")
    before = site.registry_dump()
    new = BarePhone(new_user())
    site.register(new)
    site.tell(notify.mail(phone.user, event="MailboxDelete"))
    site.mailpushd.stop()
    assert site.registry_dump() == before
    site.mailpushd.start()
    site.told(new, "INBOX")
    wait_until(lambda: get(site.mailpushd, "/status")["registrations"]["suspended"] == 1,
               what="the account that was deleted meanwhile")
    site.deliver(gone.user)
    site.told_inbox(gone)


def has_open(process, path):
    folder = pathlib.Path(f"/proc/{process.pid}/fd")
    return any(os.path.realpath(descriptor) == str(path) for descriptor in folder.iterdir())


@pytest.mark.parametrize("change", ["thaw", "restart"])
def test_a_last_copy_during_which_the_registry_worked_is_not_the_last(bare_site, change):
    site = bare_site
    site.registered_phone()
    here, path = registry_of(site), site.mailpushd.dir / "other.sqlite"
    copy(site, here, url_of(path))
    site.registered_phone()
    ctl_fine(site.mailpushd, "registry", "freeze")
    with locked(path):
        last = subprocess.Popen([ctl_binary(), "--socket", site.mailpushd.control_socket, "copy", "--last",
                                 "--config", site.mailpushd.conf, here, url_of(path)],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: has_open(last, path), what="the copy, which has seen that the registry is frozen")
        last.send_signal(signal.SIGSTOP)    # it does not wait for the lock as long as a restart may take
    if change == "restart":
        site.mailpushd.restart()
    else:
        ctl_fine(site.mailpushd, "registry", "thaw")
    last.send_signal(signal.SIGCONT)
    _, said = last.communicate()
    assert last.returncode == 1 and "run the last copy again" in said
    ctl_fine(site.mailpushd, "registry", "freeze")
    copy(site, "--last", here, url_of(path))
    assert_same(content(site.mailpushd.dir / "registry.sqlite"), content(path))


def test_a_registry_with_work_is_frozen_when_that_is_done(bare_site):
    site = bare_site
    with locked(site.mailpushd.dir / "registry.sqlite"):
        new = BarePhone(new_user())
        site.register(new)                  # parked: the registry hangs
        frozen = subprocess.Popen([ctl_binary(), "--socket", site.mailpushd.control_socket, "registry", "freeze"],
                                stdout=subprocess.PIPE, text=True)
        wait_until(lambda: [a for a in get(site.mailpushd, "/status")["alarms"] if a["name"] == "registry:frozen"],
                   what="the alarm")
        again = ctl(site.mailpushd, "registry", "freeze")
        assert again.returncode == 1 and "work left from before" in again.stderr
        assert frozen.poll() is None
    assert frozen.communicate()[0].startswith("frozen: ") and frozen.returncode == 0
    assert new.token in site.registrations()


@pytest.mark.parametrize("arguments, said", [
    (["registry"], "registry needs freeze or thaw"),
    (["copy", "sqlite:/a"], "is missing"),
    (["copy", "sqlite:/a", "nonsense"], "the registry to copy to is not a database"),
    (["copy", "sqlite:a", "sqlite:/b"], "the registry to copy from is not the path of a file"),
    (["copy", "sqlite:/a", "postgresql://u:geheim@h/d"], "the registry to copy to has a password in it"),
    (["copy", "sqlite:/a", "postgresql://u@h/d?pass%77ord=geheim%zz"], "the registry to copy to has a password in it"),
    (["copy", "sqlite:/a", "postgresql://u@h/d?scram_client_key=geheim%zz"],
     "the registry to copy to has a password in it"),
    (["copy", "mariadb://u@h/d?passwd=geheim", "sqlite:/a"], "the registry to copy from has a password in it"),
    (["schema", "mysql://u:geheim@h/db"], "there is no kind of registry 'mysql'"),
    (["schema", "postgres://u:geheim@h/db"], "there is no kind of registry 'postgres'"),
    (["schema", "POSTGRESQL://u:geheim@h/db"], "there is no kind of registry 'POSTGRESQL'"),
])
def test_a_wrong_command_line_is_reported(bare_site, arguments, said):
    done = ctl(bare_site.mailpushd, *arguments)
    assert done.returncode == 2 and said in done.stderr
    assert "geheim" not in done.stdout + done.stderr


def test_a_registry_that_is_not_there_is_not_made(bare_site):
    here = registry_of(bare_site)
    missing = bare_site.mailpushd.dir / "missing.sqlite"
    assert "there is no file" in copy(bare_site, url_of(missing), here, status=1)
    assert not missing.exists()
    assert "the two registries are one" in copy(bare_site, here, here, status=2)
    assert "cannot open registry '/nowhere/x'" in copy(bare_site, here, "sqlite:/nowhere/x", status=1)


@pytest.mark.parametrize("text", [None, "", "@include: /nowhere/imapd.conf\n"])
def test_without_mailpushd_its_site_is_that_of_the_files(bare_site, imapd_conf, text):
    """Whose phones they are: mailpush.conf has it, or else imapd.conf, which may be missing or damaged."""
    site = bare_site
    phone = site.registered_phone()
    site.mailpushd.stop()
    here, path = registry_of(site), site.mailpushd.dir / "other.sqlite"
    imapd_conf.unlink()
    if text is not None:
        imapd_conf.write_text(text)
    assert str(imapd_conf) in copy(site, here, url_of(path), status=1)
    assert not path.exists()
    site.mailpushd.write_conf(site=SERVERNAME)
    assert counts(copy(site, here, url_of(path)))[0] == 1
    assert [row[0][0] for row in content(path).values()] == [phone.user]


LOCK = {postgresql.Postgresql: ("BEGIN; SELECT 1 FROM mailpush_registration WHERE username = 'zz' FOR UPDATE; "
                                "SELECT pg_sleep(3600)",
                                "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"),
        mariadb.Mariadb: ("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION; "
                          "SELECT 1 FROM mailpush_registration WHERE username = 'zz' FOR UPDATE; SELECT SLEEP(3600)",
                          "SELECT count(*) FROM information_schema.processlist WHERE state = 'User sleep'")}


@contextlib.contextmanager
def in_the_way(server):
    """Of whoever writes the registration of zz."""
    lock, is_held = LOCK[type(server)]
    with server.session(lock) as session:
        wait_until(lambda: server.sql(is_held) == "1", what="a lock")
        yield
        session.terminate()


@pytest.mark.limit(300)
def test_it_goes_on_where_the_server_went_away(bare_site, server):
    """What was copied stays; the command says what it could not do, and is run again."""
    site, here = bare_site, registry_of(bare_site)
    last = BarePhone("zz")
    site.register(last)
    site.wait_in_registry()
    copy(site, here, server.url)
    phones_of(site, 600)
    site.register(last)
    site.wait_in_registry()
    with in_the_way(server), \
            subprocess.Popen([ctl_binary(), "--socket", site.mailpushd.control_socket, "copy", "--config",
                              site.mailpushd.conf, here, server.url], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True) as copying:
        wait_until(lambda: int(server.sql("SELECT count(*) FROM mailpush_registration")) > 1,
                   what="some that went over")
        server.stop()
        out, told = copying.communicate(timeout=120)
    assert copying.returncode == 1 and "not all was copied" in told
    read = int(re.match(r"(\d+) read: ", out)[1])
    assert 0 < read < 601
    server.start()
    assert counts(copy(site, here, server.url))[:2] == (600 - read, 1)
    assert_same(content(site.mailpushd.dir / "registry.sqlite"), content_of(site, server.url))
