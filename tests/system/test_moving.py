"""Registrations that move: export, import from a file, from xapsd and from a script's tables; and all
of a user that goes."""

import concurrent.futures
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time

import pytest

import notify
from apnssim import TOPIC
from baddisk import BadDisk
from control import ask, ctl, ctl_binary, ctl_fine, ctl_json, get
from mailsite import BarePhone, BareSite, locked, new_user
from phone import new_token
from test_bounds import LEAN, memory_kb
from waiting import wait_until

DAY = 86400
MANY = 100_000
# Far below what all of these would be in memory, as JSON; with what a sanitizer adds.
ROOM_KB = 200_000 if b"__asan_init" in ctl_binary().read_bytes() else 100_000
REGISTRY_CACHE_KB = 65_536


def line(phone, **changes):
    """A registration as export writes it."""
    return {"user": phone.user, "token": phone.token, "account_id": phone.account_id,
            "subtopic": "com.apple.mobilemail", "topic": TOPIC, "version": 2, "confirmed": True,
            "mailboxes": list(phone.mailboxes), "renewed": time.time() - DAY, **changes}


def write_lines(site, *lines):
    path = site.mailpushd.dir / "registrations"
    path.write_text("".join(l if isinstance(l, str) else json.dumps(l) + "\n" for l in lines))
    return path


def do_import(site, *arguments, status=0):
    done = ctl(site.mailpushd, "--json", "import", *arguments)
    assert done.returncode == status, (done.stdout, done.stderr)
    return json.loads(done.stdout)


def counts(summary):
    return tuple(summary[word] for word in ("new", "renewed", "known", "refused"))


def exported(site):
    return [json.loads(text) for text in ctl_fine(site.mailpushd, "export").splitlines()]


def delay_changes(site):
    """From now on what is not urgent waits for an hour."""
    site.wait_nothing_waits()
    site.mailpushd.write_conf(deferred_delay="1h")
    site.mailpushd.restart()


def wait_pushed_nothing(site, *phones):
    """A push to somebody else, asked for later, has come, and none to these."""
    other = site.registered_phone()
    site.deliver(other.user)
    site.told_inbox(other)
    assert [push for phone in phones for push in site.pushes(phone)] == []


# ---- there and back ----

def test_what_was_exported_is_the_same_after_an_import_elsewhere(bare_site_for):
    here, there = bare_site_for(), bare_site_for()
    phones = [here.registered_phone(), here.registered_phone("INBOX", "Entw&APw-rfe", "Notes")]
    twins = BarePhone(phones[0].user, token=phones[0].token)
    stopped = here.registered_phone()
    here.sim.control(do="token", token=stopped.token, status=400, reason="DeviceTokenNotForTopic",
                     times=1)
    here.deliver(stopped.user)
    here.mailpushd.wait_log("registrations are stopped: Apple's answer")
    here.register(twins)                                    # supersedes the first
    here.tell(notify.mail(phones[1].user, event="MailboxDelete"))   # suspends
    wait_until(lambda: get(here.mailpushd, "/status")["registrations"]["suspended"] == 1,
               what="a suspended registration")
    lines = exported(here)
    assert len(lines) == 4
    assert {l.get("stopped_reason") for l in lines} == {None, "DeviceTokenNotForTopic"}
    assert sum("superseded" in l for l in lines) == 1 and sum("suspended" in l for l in lines) == 1
    path = write_lines(there, *lines)
    rehearsal = ctl_fine(there.mailpushd, "import", "--confirmed", "--dry-run", path)
    assert rehearsal == "4 read: 4 new, 0 renewed, 0 known, 0 refused\ndry run: nothing was changed\n"
    assert exported(there) == []
    assert ctl_fine(there.mailpushd, "import", "--confirmed", path) == \
        "4 read: 4 new, 0 renewed, 0 known, 0 refused\n"
    assert exported(there) == lines
    assert counts(do_import(there, "--confirmed", path)) == (0, 0, 4, 0)
    assert exported(there) == lines
    there.mailpushd.restart()
    assert exported(there) == lines
    [whole] = [json.loads(text) for text in
               ctl_fine(there.mailpushd, "export", "--user", stopped.user).splitlines()]
    assert whole["token"] == stopped.token


def test_an_imported_phone_is_pushed_to_at_the_next_mail_and_not_before(bare_site):
    phone = BarePhone(new_user(), ("INBOX", "Notes"))
    assert counts(do_import(bare_site, write_lines(bare_site, line(phone)))) == (1, 0, 0, 0)
    wait_pushed_nothing(bare_site, phone)
    # The server that confirmed the list to the phone is another one: it may not know it.
    [device] = ctl_json(bare_site.mailpushd, "devices", "--user", phone.user)
    assert device["confirmed"] is False
    bare_site.deliver(phone.user)
    bare_site.told_inbox(phone)


def test_older_never_beats_newer(bare_site):
    phone = bare_site.registered_phone("INBOX", "Notes")
    before = exported(bare_site)
    older = line(phone, renewed=time.time() - DAY, mailboxes=["Other"])
    undated = line(phone, renewed=None, mailboxes=["Other"])
    summary = do_import(bare_site, write_lines(bare_site, older, undated))
    assert counts(summary) == (0, 0, 2, 0)
    assert exported(bare_site) == before
    newer = line(phone, renewed=time.time(), mailboxes=["INBOX"])
    assert counts(do_import(bare_site, write_lines(bare_site, newer))) == (0, 1, 0, 0)
    assert bare_site.subscriptions(phone) == ["INBOX"]
    # Of two lines the newer one stays, in whichever order.
    other = BarePhone(new_user())
    summary = do_import(bare_site, write_lines(
        bare_site, line(other, renewed=time.time() - 5), line(other, renewed=time.time() - 9)))
    assert counts(summary) == (1, 0, 1, 0)


def test_what_is_pending_follows_an_imported_renewal(bare_site):
    site = bare_site
    phone = site.registered_phone("INBOX", "Notes")
    delay_changes(site)
    site.tell(notify.mail(phone.user, "Notes", event="MessageExpunge"))
    wait_until(lambda: len(site.waiting_hashes()) == 1, what="the news")
    do_import(site, write_lines(site, line(phone, renewed=time.time(), mailboxes=["INBOX"])))
    site.wait_nothing_waits()


def test_what_is_wrong_is_refused_line_by_line_with_a_summary(bare_site):
    good, late = BarePhone(new_user()), BarePhone(new_user())
    wide = BarePhone(new_user(), tuple(f"m{n}" for n in range(1005)))
    no_topic = line(BarePhone(new_user()))
    del no_topic["topic"]
    path = write_lines(
        bare_site, line(good), "nonsense\n", "\n", "[]\n", "x" * (1024 * 1024 + 9) + "\n",
        line(good, token="zz"), line(good, token="0123"), line(good, account_id="a b"),
        line(good, user=""), line(good, user="a\u0007b"), line(good, mailboxes="INBOX"),
        line(good, mailboxes=["\n"]), line(good, subtopic="com.apple.other"),
        line(good, topic="with space"), line(good, renewed="soon"), line(good, renewed=-1),
        line(good, stopped_reason="\u00e4"), no_topic, line(late, renewed=time.time() - 90 * DAY),
        line(wide))
    summary = do_import(bare_site, path, status=1)
    assert counts(summary) == (2, 0, 0, 17) and summary["read"] == 19
    assert summary["left_out"] == 5
    reasons = {reason["why"]: (reason["count"], reason["first"]) for reason in summary["reasons"]}
    assert reasons["not a JSON object"] == (2, "line 2")
    assert reasons["longer than 1048576 bytes"] == (1, "line 5")
    assert reasons["token is not 64 to 200 hex digits"] == (2, "line 6")
    assert reasons["it was not renewed within registration_ttl"] == (1, "line 19")
    assert reasons["renewed is not a Unix time in seconds"] == (2, "line 15")
    assert {phone["user"] for phone in exported(bare_site)} == {good.user, wide.user}
    text = ctl(bare_site.mailpushd, "import", path).stdout
    assert "  2 refused: token is not 64 to 200 hex digits (first: line 6)\n" in text
    assert "5 mailboxes were left out" in text
    # With a topic of its own the one without is taken.
    assert counts(do_import(bare_site, "--topic", TOPIC, path, status=1)) == (1, 0, 2, 16)


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"registrations":[]}', '{"registrations":{}}',
                                  '{"registrations":[1', '{"registrations":[%s]}' % ",".join("1" * 1001)])
def test_a_request_that_makes_no_sense_is_answered(bare_site, body):
    status, answer = ask(bare_site.mailpushd, "POST", "/import", body)
    assert (status, "1 to 1000 registrations" in answer["error"]) == (400, True)
    status, answer = ask(bare_site.mailpushd, "POST", "/devices/remove", body)
    assert (status, "1 to 1000 keys" in answer["error"]) == (400, True)


@pytest.mark.parametrize("path, member", [
    ("/import", '"dryrun":true'), ("/import", '"dry_run":1'), ("/import", '"confirmed":"yes"'),
    ("/devices/remove", '"renewedbefore":1'), ("/devices/remove", '"renewed_before":"1"'),
    ("/devices/remove", '"renewed_before":-1'), ("/devices/remove", '"renewed_before":1e300')])
def test_a_member_that_is_not_known_or_of_another_kind_changes_nothing(bare_site, path, member):
    bare_site.registered_phone()
    before = exported(bare_site)
    [device] = ctl_json(bare_site.mailpushd, "devices")
    what = '"keys":["%s"]' % device["key"] if path == "/devices/remove" else \
        '"registrations":[%s]' % json.dumps(line(BarePhone(new_user())))
    status, answer = ask(bare_site.mailpushd, "POST", path, "{%s,%s}" % (what, member))
    assert (status, exported(bare_site)) == (400, before), answer
    if "dryrun" in member or "renewedbefore" in member:
        assert answer["error"].endswith(member[1:member.index('"', 1)]), answer


def test_the_user_s_newer_phones_are_not_evicted(bare_site_for):
    site = bare_site_for(registrations_per_user=2)
    user = new_user()
    phones = [site.registered_phone(user=user) for _ in range(2)]
    summary = do_import(site, write_lines(site, line(BarePhone(user))), status=1)
    assert summary["reasons"] == [{"why": "the user already has registrations_per_user that were renewed later",
                                   "count": 1, "first": "line 1"}]
    assert {l["token"] for l in exported(site)} == {phone.token for phone in phones}


# What a process had at most counts from before it became another program: a small one starts it.
MEASURE = """import os, sys
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as file:
    print(usage.ru_maxrss, file=file)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def run_measured(site, *arguments):
    """mailpushctl's output, and how much memory it had at most, in kB."""
    most = site.mailpushd.dir / "most"
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, most, ctl_binary(), "--socket", site.mailpushd.control_socket, *arguments],
        capture_output=True, text=True, env={**os.environ, **LEAN})
    assert done.returncode == 0, (done.stdout[-1000:], done.stderr)
    return done.stdout, done.stderr, int(most.read_text())


@pytest.mark.limit(900)
def test_a_hundred_thousand_are_imported_and_exported_in_bounded_memory(mailpushd, sim, imapd_conf):
    daemon = mailpushd(imapd_conf=imapd_conf, start=False, log_level="info")
    daemon.wrapper = ["env", *(f"{name}={value}" for name, value in LEAN.items())]
    site = BareSite(daemon.start(), sim)
    path = daemon.dir / "many"
    renewed = time.time() - DAY
    with path.open("w") as file:
        for n in range(MANY):
            file.write(json.dumps({
                "user": f"many{n}", "token": f"{n:064x}", "account_id": f"A-{n}",
                "subtopic": "com.apple.mobilemail", "topic": TOPIC, "renewed": renewed,
                "mailboxes": ["INBOX", "Notes"]}) + "\n")
    before = memory_kb(daemon)
    text, told, most = run_measured(site, "import", str(path))
    assert text == f"{MANY} read: {MANY} new, 0 renewed, 0 known, 0 refused\n"
    assert told.splitlines() == [f"{n} read" for n in range(10_000, MANY + 1, 10_000)]
    assert most < ROOM_KB
    text, _, most = run_measured(site, "export")
    assert text.count("\n") == MANY
    assert most < ROOM_KB
    assert memory_kb(daemon) - before < ROOM_KB + REGISTRY_CACHE_KB
    wait_until(lambda: get(daemon, "/status")["registrations"]["total"] == MANY, what="all of them in the status")


def test_an_import_waits_outside_while_the_registry_does_not_answer(bare_site):
    """So that what is brought cannot pile up, and is put off before events are."""
    batches = [[line(BarePhone(f"b{n}u{m}")) for m in range(1000)] for n in range(20)]
    with concurrent.futures.ThreadPoolExecutor(len(batches)) as pool:
        with locked(bare_site.mailpushd.dir / "registry.sqlite"):
            asked = [pool.submit(ask, bare_site.mailpushd, "POST", "/import",
                                 {"registrations": batch}) for batch in batches]
            status, refused = wait_until(lambda: [answer for answer in asked if answer.done()],
                                         what="an import that is put off")[0].result()
        assert status == 503 and "try again in a moment" in refused["error"]
        answers = [answer.result() for answer in asked]
    taken = [answer["results"] for status, answer in answers if status == 200]
    assert 8 <= len(taken) < 20
    assert all(result["result"] == "new" for results in taken for result in results)


def test_an_import_waits_outside_while_the_queue_is_not_open(bare_site_for, tmp):
    """Its jobs would wait in memory, however many come."""
    site = bare_site_for(start=False)
    disk = BadDisk(tmp).under(site.mailpushd)
    body = {"registrations": [line(BarePhone(new_user()))]}
    with disk.rule("fail queue.sqlite 28"):
        site.mailpushd.start()
        status, refused = ask(site.mailpushd, "POST", "/import", body)
        assert status == 503 and "the queue cannot be opened yet" in refused["error"]
    site.mailpushd.wait_log("alarm=queue state=ends")
    assert ask(site.mailpushd, "POST", "/import", body) == (200, {"results": [{"result": "new"}]})


# ---- from other programs ----

def test_a_database_of_xapsd_is_imported(bare_site):
    user, token, old = new_user(), new_token(), new_token()
    recent = time.strftime("%Y-%m-%dT%H:%M:%S.123456789+00:00", time.gmtime(time.time() - DAY))
    path = bare_site.mailpushd.dir / "database.json"
    path.write_text(json.dumps({
        "Users": {user.capitalize(): {"Accounts": {
            "A-1": {"DeviceToken": token, "Mailboxes": ["INBOX", "Sent"], "RegistrationTime": recent},
            "A-2": {"DeviceToken": old, "Mailboxes": None}}}},
        "AppleCerts": {"Mail": {"Key": "-----BEGIN PRIVATE KEY-----"}}}, indent=2))
    without = ctl(bare_site.mailpushd, "import", "--from", "xapsd", path)
    assert without.returncode == 1 and "give --topic" in without.stdout
    done = ctl(bare_site.mailpushd, "import", "--from", "xapsd", "--topic", TOPIC, path)
    assert done.stdout == "2 read: 2 new, 0 renewed, 0 known, 0 refused\n"
    assert "private keys: they were not copied" in done.stderr
    found = {l["account_id"]: l for l in exported(bare_site)}
    assert {l["user"] for l in found.values()} == {user}
    assert found["A-1"]["mailboxes"] == ["INBOX", "Sent"] and found["A-2"]["mailboxes"] == ["INBOX"]
    assert abs(found["A-1"]["renewed"] - (time.time() - DAY)) < 600
    assert not found["A-1"]["confirmed"]
    bare_site.deliver(user)
    bare_site.told_inbox(BarePhone(user, token=token, account_id="A-1"))
    again = ctl_fine(bare_site.mailpushd, "--json", "export")
    summary = json.loads(ctl(bare_site.mailpushd, "--json", "import", "--from", "xapsd", "--topic",
                             TOPIC, path).stdout)
    assert counts(summary) == (0, 0, 2, 0)
    assert ctl_fine(bare_site.mailpushd, "--json", "export") == again


@pytest.mark.parametrize("folds", ["yes", "no"])
def test_users_of_xapsd_are_those_of_its_plugin(bare_site_for, folds):
    site = bare_site_for(xaps_fold_users=folds)
    user = f"Jane.{new_user()}"
    path = site.mailpushd.dir / "database.json"
    path.write_text(json.dumps({"Users": {user: {"Accounts": {"A-1": {
        "DeviceToken": new_token(), "Mailboxes": ["INBOX"]}}}}}))
    ctl_fine(site.mailpushd, "import", "--from", "xapsd", "--topic", TOPIC, path)
    [line] = exported(site)
    assert line["user"] == (user.lower() if folds == "yes" else user)


def test_the_tables_of_a_script_are_imported(bare_site):
    phone = BarePhone(new_user())
    path = bare_site.mailpushd.dir / "script.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE TABLE targets (device_token, account_id, user, renewed);"
            "CREATE TABLE mailboxes (user, mailbox);")
        database.execute("INSERT INTO targets VALUES (?, ?, ?, ?)",
                         (phone.token, phone.account_id, phone.user, int(time.time()) - DAY))
        database.executemany("INSERT INTO mailboxes VALUES (?, ?)",
                             [(phone.user, "INBOX"), (phone.user, "Notes")])
        database.commit()
    done = ctl(bare_site.mailpushd, "import", "--from", "sql", "--topic", TOPIC, "--columns",
               "devices=targets,time=renewed", f"sqlite:{path}")
    assert (done.returncode, done.stdout) == (0, "1 read: 1 new, 0 renewed, 0 known, 0 refused\n")
    assert bare_site.subscriptions(phone) == ["INBOX", "Notes"]
    bare_site.deliver(phone.user)
    bare_site.told_inbox(phone)


@pytest.mark.parametrize("arguments, said", [
    (["import"], "is missing"),
    (["import", "--from", "carrier-pigeon", "x"], "must be export, xapsd or sql"),
    (["import", "--columns", "a=b", "x"], "are for --from sql"),
    (["import", "--password-file", "a", "x"], "are for --from sql"),
    (["user"], "user needs export or remove"),
    (["user", "remove"], "is missing"),
    (["devices", "remove"], "give --user, --topic or --state"),
    (["devices", "remove", "0" * 32, "--yes"], "a key excludes options"),
])
def test_a_wrong_command_line_is_reported(bare_site, arguments, said):
    done = ctl(bare_site.mailpushd, *arguments)
    assert done.returncode == 2 and said in done.stderr


@pytest.mark.parametrize("arguments, said", [
    (["/nowhere"], "cannot open /nowhere: No such file or directory"),
    (["--from", "xapsd", "/dev/null"], "/dev/null is not a database.json of xapsd"),
    (["--from", "sql", "/nowhere"], "write sqlite:/path/to/file"),
    (["--from", "sql", "sqlite:/nowhere/x"], "cannot read '/nowhere/x'"),
])
def test_a_source_that_cannot_be_read_is_reported(bare_site, arguments, said):
    done = ctl(bare_site.mailpushd, "import", *arguments)
    assert done.returncode == 1 and said in done.stderr


# ---- all of a user, and many at once ----

def files_naming(site, *texts):
    """The daemon's files that hold any of these."""
    return {path.name for path in site.mailpushd.dir.iterdir() if path.is_file()
            and path.name.split(".")[0] in ("registry", "queue")
            for text in texts if text.encode() in path.read_bytes()}


def test_nothing_is_left_of_a_user_who_is_removed(bare_site):
    site = bare_site
    user, other = "forget-this-user", site.registered_phone()
    phones = [site.registered_phone(user=user) for _ in range(2)]
    gone = site.registered_phone(user=user)
    [key] = [d["key"] for d in get(site.mailpushd, f"/devices?full=1&user={user}")["devices"]
             if d["token"] == gone.token]
    ctl_fine(site.mailpushd, "devices", "remove", key)
    delay_changes(site)
    site.tell(notify.mail(user, event="MessageExpunge"))
    wait_until(site.waiting_hashes, what="the news")
    known = json.loads(ctl_fine(site.mailpushd, "user", "export", user))
    assert (len(known["devices"]), len(known["forgotten"]), len(known["pushes"])) == (2, 1, 2)
    assert {d["token"] for d in known["devices"]} == {phone.token for phone in phones}
    unsure = ctl(site.mailpushd, "user", "remove", user)
    assert (unsure.returncode, unsure.stdout) == (2, "registrations: 2, forgotten registrations: 1; the pushes "
                                                    "and the trace of this user go with them\n")
    assert "give --yes" in unsure.stderr and site.waiting_hashes()
    assert ctl_fine(site.mailpushd, "user", "remove", user, "--yes").endswith("removed: 3\n")
    again = ctl(site.mailpushd, "user", "export", user)
    assert again.returncode == 1 and f"nothing is known of a user '{user}'" in again.stderr
    assert json.loads(again.stdout) == {"user": user, "devices": [], "forgotten": [], "pushes": [], "trace": []}
    again = ctl(site.mailpushd, "user", "remove", user)
    assert again.returncode == 2 and "nothing is known of a user" in again.stderr and "give --yes" in again.stderr
    again = ctl(site.mailpushd, "user", "remove", user, "--yes")
    assert again.returncode == 1 and again.stdout.endswith("removed: 0\n")
    assert f"nothing is known of a user '{user}'" in again.stderr
    site.mailpushd.stop()
    assert files_naming(site, user, gone.token, *(phone.token for phone in phones)) == set()
    with contextlib.closing(sqlite3.connect(site.mailpushd.dir / "queue.sqlite")) as queue:
        assert queue.execute("SELECT count(*) FROM phone").fetchone() == (1,)
    site.mailpushd.start()
    assert [l["user"] for l in exported(site)] == [other.user]


def test_a_user_with_more_mailboxes_than_a_page_has_is_served_whole(bare_site):
    """22 phones of 1000 mailboxes each; a page of a listing has 20,000."""
    site, user, count = bare_site, new_user(), 22
    others = [site.registered_phone(user=name) for name in (f"{user}a", "a")]
    names = ("INBOX", *(f"m{n}" for n in range(999)))
    phones = [BarePhone(user, names) for _ in range(count)]
    assert counts(do_import(site, write_lines(site, *map(line, phones)))) == (count, 0, 0, 0)
    tokens = {phone.token for phone in phones}

    devices = ctl_json(site.mailpushd, "devices", "--user", user, "--full")
    assert len(devices) == count and {device["token"] for device in devices} == tokens
    lines = [json.loads(text) for text in
             ctl_fine(site.mailpushd, "export", "--user", user).splitlines()]
    assert len(lines) == count and {l["token"] for l in lines} == tokens
    known = json.loads(ctl_fine(site.mailpushd, "user", "export", user))
    assert {device["token"] for device in known["devices"]} == tokens

    [tried] = ctl_json(site.mailpushd, "push", user)
    assert [device["status"] for device in tried["devices"]] == [200] * count
    delay_changes(site)
    site.tell(notify.mail(user, event="MessageExpunge"))
    assert ctl_json(site.mailpushd, "queue", "flush", "--user", user)[0]["flushed"] == count
    site.wait_nothing_waits()
    site.tell(notify.mail(user, event="MessageExpunge"))
    assert ctl_json(site.mailpushd, "queue", "drop", "--user", user) == [{"dropped": count}]

    unsure = ctl(site.mailpushd, "user", "remove", user)
    assert unsure.returncode == 2
    assert unsure.stdout.startswith(f"registrations: {count}, forgotten registrations: 0; ")
    assert ctl_fine(site.mailpushd, "user", "remove", user, "--yes").endswith(f"removed: {count}\n")
    assert {l["user"] for l in exported(site)} == {phone.user for phone in others}


def test_a_push_that_outlived_its_registration_goes_with_its_user(bare_site):
    """As after a crash between the end in the registry and the one in the queue."""
    site = bare_site
    phone, other = site.registered_phone(), site.registered_phone()
    delay_changes(site)
    for user in (phone.user, other.user):
        site.tell(notify.mail(user, event="MessageExpunge"))
    site.mailpushd.stop()
    with contextlib.closing(sqlite3.connect(site.mailpushd.dir / "registry.sqlite")) as registry:
        registry.execute("DELETE FROM registration WHERE user = ?", (phone.user,))
        registry.commit()
    site.mailpushd.start()
    assert ctl_fine(site.mailpushd, "user", "remove", phone.user, "--yes").endswith("removed: 1\n")
    assert [push["user"] for push in get(site.mailpushd, "/queue")["pushes"]] == [other.user]


def test_nothing_of_a_removed_user_stays_on_disk(bare_site):
    """Neither in a database nor in its write-ahead log, without a restart."""
    site = bare_site
    phone, other = site.registered_phone(), site.registered_phone()
    for _ in range(3):
        site.tell(notify.mail(phone.user))
    site.wait_nothing_waits()

    def files_with(token):
        return {path.name for path in site.mailpushd.dir.glob("*.sqlite*") if token.encode() in path.read_bytes()}

    assert files_with(phone.token)
    assert ctl_fine(site.mailpushd, "user", "remove", phone.user, "--yes").endswith("removed: 1\n")
    assert files_with(phone.token) == set()
    assert files_with(other.token)


def test_registrations_are_removed_by_what_they_have_in_common(bare_site):
    keep = bare_site.registered_phone()
    user = new_user()
    for _ in range(2):
        bare_site.registered_phone(user=user)
    old = [BarePhone(new_user()) for _ in range(1100)]
    do_import(bare_site, write_lines(
        bare_site, *(line(phone, topic="com.apple.mail.XServer.old") for phone in old)))
    stopped = BarePhone(new_user())
    do_import(bare_site, write_lines(bare_site, line(stopped, stopped_reason="DeviceTokenNotForTopic")))
    wrong = ctl(bare_site.mailpushd, "devices", "remove", "--state", "nonsense", "--yes")
    assert (wrong.returncode, wrong.stdout, wrong.stderr) == (
        2, "", "mailpushctl: --state 'nonsense' is none; the states are active, superseded, suspended and stopped\n")
    by_state = ctl(bare_site.mailpushd, "devices", "remove", "--state", "stopped")
    assert (by_state.returncode, by_state.stdout) == (2, "registrations: 1\n")
    assert ctl_fine(bare_site.mailpushd, "devices", "remove", "--state", "stopped", "--yes") == \
        "registrations: 1\nremoved: 1\n"
    assert ctl_json(bare_site.mailpushd, "devices", "remove", "--topic",
                    "com.apple.mail.XServer.old", "--yes") == [{"removed": 1100}]
    assert ctl_fine(bare_site.mailpushd, "devices", "remove", "--user", user, "--topic", "other",
                    "--yes") == "registrations: 0\nremoved: 0\n"
    assert ctl_fine(bare_site.mailpushd, "devices", "remove", "--user", user, "--yes") == \
        "registrations: 2\nremoved: 2\n"
    assert [l["user"] for l in exported(bare_site)] == [keep.user]


def test_who_registers_while_they_are_counted_stays(bare_site):
    bare_site.registered_phone()
    [device] = ctl_json(bare_site.mailpushd, "devices")
    status, answer = ask(bare_site.mailpushd, "POST", "/devices/remove",
                         {"keys": [device["key"]], "renewed_before": device["renewed"]})
    assert (status, answer["removed"]) == (200, 0)
    status, answer = ask(bare_site.mailpushd, "POST", "/devices/remove",
                         {"keys": [device["key"]], "renewed_before": device["renewed"] + 1})
    assert (status, answer["removed"]) == (200, 1)
    assert exported(bare_site) == []
