"""mailpushctl: every command, as text and as JSON, against a daemon that a real Cyrus talks to."""

import contextlib
import json
import os
import pty
import re
import sqlite3
import subprocess
import threading

import pytest

import notify
from apnssim import TOPIC, ZEROS
from control import ask, ctl, ctl_binary, ctl_fine, ctl_json, get, wait_counted
from mailpushd import REPOSITORY
from mailsite import BarePhone, new_user
from waiting import TIMEOUT, Lines, wait_until

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user as well")
HOUR = "1h"


# ---- status ----

def test_status_tells_what_happened(site):
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX", "Notes")
    site.deliver(user, "Notes")
    site.told(phone, "Notes")
    wait_counted(site.mailpushd, registrations=1, pushes=2)
    text = ctl_fine(site.mailpushd, "status")
    assert re.search(r"^mailpushd +\d+\.\d+\.\d+\S*, up .*, pid \d+$", text, flags=re.M)
    assert re.search(r"^  cyrus +ApplePushService +stream +register +\d+$", text, flags=re.M)
    assert re.search(r"^  cyrus +MessageNew +stream +urgent +1$", text, flags=re.M)
    assert re.search(r"^Alarms +none$", text, flags=re.M)
    assert re.search(r"^Registrations +1: active 1, superseded 0, suspended 0, stopped 0$", text, flags=re.M)
    assert re.search(r"^  200 +2$", text, flags=re.M)
    assert re.search(rf"^  main, {TOPIC}, \d+ days left$", text, flags=re.M)
    assert re.search(r"^    127.0.0.1 open, 0 of \d+ streams$", text, flags=re.M)
    [status] = ctl_json(site.mailpushd, "status")
    assert status["site"] == get(site.mailpushd, "/status")["site"]
    assert status["pushes"]["total"] == 2
    registry = status["databases"]["registry"]
    assert registry["server"].startswith("SQLite 3.") and registry["connected"] is True
    assert registry["host"] == str(site.mailpushd.dir / "registry.sqlite")


def test_status_says_what_is_stopped_under_its_head_and_nowhere_else(bare_site):
    """How many are stopped now, and how many were since the start."""
    site = bare_site
    phones = [site.registered_phone() for _ in range(3)]
    for phone in phones[:2]:
        site.sim.control(do="token", token=phone.token, status=400, reason="DeviceTokenNotForTopic", times=1)
        site.deliver(phone.user)

    def wait_stopped(count):
        wait_until(lambda: get(site.mailpushd, "/status")["registrations"]["stopped"] == count,
                   what=f"{count} registrations that are stopped")
    wait_stopped(2)
    site.register(phones[0])
    wait_stopped(1)
    lines = ctl_fine(site.mailpushd, "status").splitlines()
    first, second = (number for number, line in enumerate(lines) if "stopped" in line)
    assert re.fullmatch(r"Registrations +3: active 2, superseded 0, suspended 0, stopped 1", lines[first])
    assert lines[second] == "  2 stopped by Apple's answer since the start"
    assert second == first + 1


# ---- devices ----

def test_devices_are_listed_with_what_apple_said(site):
    user = site.create_user("Jörgs Büro")
    phone = site.registered_phone(user, "INBOX", "Jörgs Büro")
    [device] = ctl_json(site.mailpushd, "devices", "--user", user)
    assert device["user"] == user
    assert device["token"] == phone.token[:8] + "..."
    assert device["account_id"] == phone.account_id[:8] + "..."
    assert device["topic"] == TOPIC
    assert device["state"] == "active"
    assert sorted(device["mailboxes"]) == ["INBOX", "Jörgs Büro"]
    assert device["last_push"]["status"] == 200
    assert device["last_push"]["meaning"].startswith("Apple accepted it")
    text = ctl_fine(site.mailpushd, "devices", "--user", user)
    assert re.search(rf"^{device['key'][:12]}  {user}  active  2  .*: 200$", text,
                     flags=re.M)
    assert phone.token not in text

    text = ctl_fine(site.mailpushd, "devices", "show", device["key"])
    assert "\n  Jörgs Büro\n" in text
    assert "Apple accepted it" in text
    [whole] = ctl_json(site.mailpushd, "devices", "show", device["key"], "--full")
    assert (whole["token"], whole["account_id"]) == (phone.token, phone.account_id)
    [whole] = ctl_json(site.mailpushd, "devices", "--full", "--user", user)
    assert whole["token"] == phone.token


def test_devices_are_removed_and_not_pushed_to_any_more(site):
    user = site.create_user()
    phone = site.registered_phone(user, "INBOX")
    [device] = ctl_json(site.mailpushd, "devices", "--user", user)
    assert "removed" in ctl_fine(site.mailpushd, "devices", "remove", device["key"])
    assert ctl_json(site.mailpushd, "devices", "--user", user) == []
    again = ctl(site.mailpushd, "devices", "remove", device["key"])
    assert (again.returncode, again.stderr) == (1, "mailpushctl: no device has this key\n")
    other = site.registered_phone(site.create_user(), "INBOX")
    site.deliver(user)
    site.deliver(other.user)
    site.told_inbox(other)
    assert site.new_pushes(phone) == []
    # It comes back by itself.
    phone.register("INBOX")
    site.told_inbox(phone)


def test_a_forgotten_device_leaves_a_trace_that_says_why(bare_site):
    """In text with its token cut, as JSON, and in doctor instead of that there is no device."""
    daemon = bare_site.mailpushd
    phone, kept = bare_site.registered_phone(), bare_site.registered_phone()
    bare_site.sim.control(do="token", token=phone.token, status=410, reason="Unregistered",
                          times=1)
    bare_site.deliver(phone.user)
    daemon.wait_log("registrations are gone: Apple's answer")
    [trace] = ctl_json(daemon, "devices", "--forgotten", "--user", phone.user)
    assert (trace["user"], trace["token"]) == (phone.user, phone.token[:8] + "...")
    assert (trace["why"], trace["status"], trace["reason"]) == ("apple", 410, "Unregistered")
    assert trace["meaning"].startswith("the device token is no longer in use")
    assert trace["forgotten"] >= trace["renewed"] and not trace["registered_again"]
    text = ctl_fine(daemon, "devices", "--forgotten")
    assert re.search(rf"^{phone.user}  {trace['token']}  .*  Apple answered 410 Unregistered: the ",
                     text, flags=re.M)
    assert phone.token not in text and kept.user not in text
    said = ctl(daemon, "doctor", "--user", phone.user).stdout
    assert f"{trace['token']} is no longer registered; it was forgotten " in said
    assert "Apple answered 410 Unregistered" in said
    assert "has no registered device" not in said

    [device] = ctl_json(daemon, "devices", "--user", kept.user)
    ctl_fine(daemon, "devices", "remove", device["key"])
    assert [t["why"] for t in ctl_json(daemon, "devices", "--forgotten")] == ["removed", "apple"]
    [newest] = ctl_json(daemon, "devices", "list", "--forgotten", "--limit", "1", "--full")
    assert newest["token"] == kept.token
    page = get(daemon, "/forgotten?limit=1")
    assert len(get(daemon, f"/forgotten?limit=1&after={page['next']}")["forgotten"]) == 1
    bare_site.register(kept)
    assert "removed: an administrator removed it (it has registered again)\n" in \
        ctl_fine(daemon, "devices", "--forgotten")
    assert ask(daemon, "GET", "/forgotten?limit=0")[0] == 400


def test_many_devices_come_page_by_page(bare_site):
    phones = {bare_site.registered_phone().user for _ in range(7)}
    pages, place = [], ""
    while True:
        page = get(bare_site.mailpushd, f"/devices?limit=3{place}")
        pages.append([device["user"] for device in page["devices"]])
        if not page["next"]:
            break
        place = f"&after_user={page['next']['user']}&after_key={page['next']['key']}"
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sum(pages, []) == sorted(phones)
    assert len(ctl_json(bare_site.mailpushd, "devices")) == 7
    assert len(ctl_json(bare_site.mailpushd, "devices", "list", "--limit", "2")) == 2


# ---- push ----

def test_a_test_push_waits_for_the_answer_and_explains_it(site):
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX", "Notes")
    [device] = ctl_json(site.mailpushd, "devices", "--user", user)
    text = ctl_fine(site.mailpushd, "push", user)
    assert text.startswith(f"{device['key'][:12]} 200: Apple accepted it")
    site.told(phone, "INBOX")
    [answer] = ctl_json(site.mailpushd, "push", user, "--mailbox", "Notes")
    assert [device["status"] for device in answer["devices"]] == [200]
    site.told(phone, "Notes")


def test_a_test_push_that_apple_refuses_says_why(site, sim):
    user = site.create_user()
    phone = site.registered_phone(user, "INBOX")
    sim.control(do="token", token=phone.token, status=410, reason="Unregistered",
                timestamp=int(4e12))
    done = ctl(site.mailpushd, "push", user)
    assert done.returncode == 1
    assert "410 Unregistered: the device token is no longer in use" in done.stdout
    assert done.stdout.endswith("; its registration is forgotten\n")
    nobody = ctl(site.mailpushd, "push", user)
    assert nobody.returncode == 1
    assert f"user {user} has no registered device" in nobody.stderr


def test_a_test_push_for_a_mailbox_not_registered_is_not_sent(site):
    user = site.create_user()
    site.registered_phone(user, "INBOX")
    done = ctl(site.mailpushd, "push", user, "--mailbox", "Nowhere")
    assert done.returncode == 1
    assert "not sent: the phone did not register this mailbox" in done.stdout


def test_a_test_push_without_a_credential_is_not_sent(bare_site):
    phone = bare_site.registered_phone()
    bare_site.mailpushd.credentials.clear()
    bare_site.mailpushd.write_conf()
    bare_site.mailpushd.restart()
    done = ctl(bare_site.mailpushd, "push", phone.user)
    assert done.returncode == 1
    assert "not sent: no credential for the topic" in done.stdout


# ---- queue ----

@pytest.fixture
def slow_site(bare_site_for):
    """What is told later waits for an hour."""
    return bare_site_for(deferred_delay=HOUR)


def waiting_phone(site):
    """A phone that is still to be told of its registration's mailboxes.

    What the registry was slow to answer is acknowledged before it is in the queue.
    """
    phone = BarePhone(new_user(), ("INBOX", "Notes"))
    site.register(phone)
    wait_until(lambda: phone.user in [push["user"] for push in ctl_json(site.mailpushd, "queue")],
               what=f"{phone.user} in the queue")
    return phone


def wait_queue(site, users):
    """Apple has a push before we have its answer."""
    wait_until(lambda: [push["user"] for push in ctl_json(site.mailpushd, "queue")] == users,
               what=f"{users} alone in the queue")


def test_what_waits_is_listed_and_flushed(slow_site):
    one, two = waiting_phone(slow_site), waiting_phone(slow_site)
    pushes = ctl_json(slow_site.mailpushd, "queue")
    assert [push["user"] for push in pushes] == [one.user, two.user]
    assert {(p["state"], p["urgent"], p["mailboxes"], p["attempts"]) for p in pushes} == {
        ("waiting", False, 2, 0)}
    text = ctl_fine(slow_site.mailpushd, "queue", "list")
    assert re.search(rf"^{two.user} +{two.token[:8]}\.\.\. +waiting +no +2 +.* in \d+ min +0$",
                     text, flags=re.M) or re.search(r"in 1 h", text)
    assert ctl_fine(slow_site.mailpushd, "queue", "flush", "--user", one.user) == \
        "1 push is due now\n"
    slow_site.told(one, "INBOX", "Notes")
    wait_queue(slow_site, [two.user])
    assert ctl_json(slow_site.mailpushd, "queue", "flush") == [
        {"flushed": 1, "cannot_go": []}]
    slow_site.told(two, "INBOX", "Notes")
    wait_queue(slow_site, [])


def test_what_is_flushed_and_cannot_go_is_reported_with_why(slow_site):
    site = slow_site
    held, asleep = waiting_phone(site), waiting_phone(site)
    site.tell(notify.mail(asleep.user, event="MailboxDelete"))
    site.sim.control(do="next", status=403, reason="BadCertificate")
    site.deliver(held.user)
    site.mailpushd.wait_log("Apple refuses pushes: 403 BadCertificate")
    wait_until(lambda: [push["state"] for push in ctl_json(site.mailpushd, "queue")]
               == ["waiting", "suspended"], what="one that is held, and one asleep")
    answer, = ctl_json(site.mailpushd, "queue", "flush")
    assert answer["flushed"] == 0
    found = {(o["why"], o["topic"]): (o["count"], o["meaning"]) for o in answer["cannot_go"]}
    assert set(found) == {("held", TOPIC), ("suspended", None)}
    assert found["held", TOPIC][0] == found["suspended", None][0] == 1
    assert "403 BadCertificate" in found["held", TOPIC][1]


def test_what_is_flushed_and_cannot_go_is_shown_to_people(slow_site):
    phone = waiting_phone(slow_site)
    slow_site.tell(notify.mail(phone.user, event="MailboxDelete"))
    wait_until(lambda: [push["state"] for push in ctl_json(slow_site.mailpushd, "queue")]
               == ["suspended"], what="one that is asleep")
    assert ctl_fine(slow_site.mailpushd, "queue", "flush", "--user", phone.user) == \
        "0 pushes are due now\n" \
        "1 cannot go: the account was deleted; they wait until an event shows that it is back\n"


def test_what_has_no_credential_cannot_go(slow_site):
    waiting_phone(slow_site)
    slow_site.mailpushd.credentials.clear()
    slow_site.mailpushd.write_conf()
    slow_site.mailpushd.restart()
    assert ctl_json(slow_site.mailpushd, "queue", "flush") == [{"flushed": 0, "cannot_go": [
        {"why": "no_credential", "count": 1, "topic": TOPIC,
         "meaning": "there is no credential for their topic; "
                    "add its certificate to mailpush.conf"}]}]


def test_what_has_no_connection_cannot_go(slow_site):
    site = slow_site
    phone = waiting_phone(site)
    site.sim.control(do="refuse", on=True)
    site.sim.control(do="reset")
    site.deliver(phone.user)

    def why():
        answer, = ctl_json(site.mailpushd, "queue", "flush")
        assert answer["flushed"] + sum(o["count"] for o in answer["cannot_go"]) == 1
        return [o["why"] for o in answer["cannot_go"]]
    wait_until(lambda: why() == ["trouble"], what="a push that has no connection")
    site.sim.control(do="refuse", on=False)


def test_what_waits_is_dropped(slow_site):
    one, two = waiting_phone(slow_site), waiting_phone(slow_site)
    assert ctl_fine(slow_site.mailpushd, "queue", "drop", "--user", one.user) == \
        "1 push dropped\n"
    assert [p["user"] for p in ctl_json(slow_site.mailpushd, "queue")] == [two.user]
    assert ctl_json(slow_site.mailpushd, "queue", "drop", "--all") == [{"dropped": 1}]
    assert ctl_json(slow_site.mailpushd, "queue") == []
    slow_site.deliver(two.user)
    slow_site.told(two, "INBOX")
    assert slow_site.pushes(one) == []
    # And nothing of it is left on disk.
    slow_site.mailpushd.restart()
    assert ctl_json(slow_site.mailpushd, "queue") == []


def test_more_than_a_page_is_flushed(slow_site):
    phones = [waiting_phone(slow_site) for _ in range(30)]
    page = get(slow_site.mailpushd, "/queue?limit=20")
    assert len(page["pushes"]) == 20 and page["next"] == page["pushes"][-1]["row"]
    assert len(get(slow_site.mailpushd, f"/queue?after={page['next']}")["pushes"]) == 10
    assert ctl_json(slow_site.mailpushd, "queue", "flush") == [
        {"flushed": 30, "cannot_go": []}]
    for phone in phones:
        slow_site.told(phone, "INBOX", "Notes")


def test_a_queue_command_says_what_it_needs(site):
    done = ctl(site.mailpushd, "queue", "drop")
    assert done.returncode == 2 and "--user or --all" in done.stderr


# ---- events ----

@contextlib.contextmanager
def follow(daemon, *arguments, command=("events", "--follow")):
    """Until the end of the block, whatever that is."""
    with subprocess.Popen(
            [ctl_binary(), "--socket", daemon.control_socket, *arguments, *command],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "LC_ALL": "C.UTF-8"}) as process:
        try:
            yield process
        finally:
            process.terminate()


def lines_of(process):
    """What it prints, as it comes."""
    lines = Lines()

    def read():
        for text in process.stdout:
            lines.add(text)
        lines.end()
    threading.Thread(target=read, daemon=True).start()
    return lines


def deliver_until_followed(site, user, lines):
    """It follows once it has seen one; what came before is not told again."""
    while not len(lines):
        site.deliver(user)
        with contextlib.suppress(TimeoutError):
            lines.wait(".", timeout=1)


def test_events_and_pushes_are_followed(site):
    user = site.create_user()
    phone = site.registered_phone(user, "INBOX")
    with follow(site.mailpushd, "--json") as process:
        for line in deliveries(site, user, process):
            if line["kind"] == "push" and line["user"] == user:
                break
        assert line["token"] == phone.token[:8] + "..."
        assert (line["status"], line["then"], line["mailboxes"]) == (200, "done", 1)


def test_what_follows_from_an_answer_stands_apart_from_its_reason(bare_site):
    marker, phone = bare_site.registered_phone(), bare_site.registered_phone()
    bare_site.sim.control(do="token", token=phone.token, status=410, reason="Unregistered")
    with follow(bare_site.mailpushd) as process:
        lines = lines_of(process)

        def followed():
            bare_site.deliver(marker.user)
            return any("push " in text for text in lines.all())
        wait_until(followed, what="a push that is followed")
        bare_site.deliver(phone.user)
        lines.wait(rf" {phone.user} .*, mailboxes 1: 410 Unregistered \(forget, \d+ ms\)$")
        lines.wait(rf" {marker.user} .*, mailboxes 1: 200 \(done, \d+ ms\)$")


def test_the_time_of_a_push_is_not_that_of_another_s_answer(bare_site):
    """What is tried again failed just now; what was taken is a day old."""
    phone = bare_site.registered_phone()
    daemon = bare_site.mailpushd
    bare_site.sim.control(do="token", token=phone.token, status=429, reason="TooManyRequests")
    bare_site.deliver(phone.user)
    daemon.wait_log("reason=TooManyRequests")
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.dir / "queue.sqlite")) as queue:
        with queue:
            queue.execute("UPDATE phone SET last_push_ms = last_push_ms - 4 * 86400000")
    daemon.start()
    text = ctl_fine(daemon, "devices")
    assert "  429 TooManyRequests, before that 4 d ago\n" in text


def deliveries(site, user, process):
    lines = lines_of(process)
    deliver_until_followed(site, user, lines)
    lines.wait('"kind":"push"')
    first = json.loads(lines.all()[0])
    assert first["kind"] in ("event", "push")
    return [json.loads(text) for text in lines.all()]


def test_following_ends_with_the_daemon(site):
    user = site.create_user()
    site.registered_phone(user, "INBOX")
    with follow(site.mailpushd) as process:
        deliver_until_followed(site, user, lines_of(process))
        site.mailpushd.stop()
        err = process.stderr.read()
        process.wait(TIMEOUT)
    assert process.returncode == 3 and "mailpushd" in err


def test_events_are_not_kept(site):
    done = ctl(site.mailpushd, "events")
    assert done.returncode == 2 and "--follow" in done.stderr


# ---- prune ----

def test_prune_removes_what_has_expired(bare_site_for):
    site = bare_site_for(registration_ttl="7d")
    old, new = site.registered_phone(), site.registered_phone()
    site.mailpushd.wait_log("registry: tidied")     # by itself not again within the hour
    site.mailpushd.stop()
    with contextlib.closing(sqlite3.connect(site.mailpushd.dir / "registry.sqlite")) as db, db:
        db.execute("UPDATE registration SET renewed_ms = renewed_ms - 8 * 86400000 "
                   "WHERE user = ?", (old.user,))
    site.mailpushd.start()
    assert ctl_fine(site.mailpushd, "prune") == "registrations removed: 1, phones nudged: 0\n"
    assert [d["user"] for d in ctl_json(site.mailpushd, "devices")] == [new.user]
    assert ctl_json(site.mailpushd, "prune") == [{"removed": 0, "nudged": 0, "kept_back": 0}]


# ---- cert check ----

def test_credentials_are_checked_and_apple_is_asked(bare_site):
    text = ctl_fine(bare_site.mailpushd, "cert", "check")
    assert text.startswith("main\n  ok   certificate and key")
    assert "Apple" not in text
    text = ctl_fine(bare_site.mailpushd, "cert", "check", "--online")
    assert "ok   Apple accepts it (a push to a token of zeros was answered 400 BadDeviceToken)" \
        in text
    assert get(bare_site.mailpushd, "/status")["pushes"]["total"] == 0


def test_a_credential_that_apple_refuses_fails_the_check(bare_site, sim):
    sim.wait_trials(1)      # of the start; refused, it would hold the credential
    sim.control(do="token", token=ZEROS, status=403, reason="BadCertificate")
    done = ctl(bare_site.mailpushd, "cert", "check", "--online")
    assert done.returncode == 1
    assert "fail Apple answered 403 BadCertificate: Apple refuses the certificate" in done.stdout


@pytest.mark.parametrize("days, said", [
    (("--days", "-3"), r"expired on \d{4}-\d\d-\d\d, [23] days ago; renew it with Apple"),
    (("--seconds", "200000:300000"), r"is not valid before \d{4}-\d\d-\d\d, in 2 days; check .* clock")])
@pytest.mark.parametrize("online", [[], ["--online"]])
def test_a_certificate_that_is_out_of_its_time_fails_the_check(bare_site_for, sim, days, said, online):
    daemon = bare_site_for(start=False).mailpushd
    certificate, key = sim.add_client("odd", TOPIC, *days)
    daemon.credentials["main"] = {"certificate": certificate, "key": key}
    daemon.write_conf()
    daemon.start()
    done = ctl(daemon, "cert", "check", *online)
    assert done.returncode == 1
    assert re.search(f"fail certificate '{certificate}' {said}\n", done.stdout), done.stdout
    assert "valid for" not in done.stdout
    assert ("fail Apple was not asked" in done.stdout) == bool(online)
    assert "-" not in re.search("main, [^,]*, (.*)", ctl_fine(daemon, "status")).group(1).split(":")[0]


def test_a_file_that_is_newer_than_what_is_in_force_is_reported(bare_site, sim):
    """It is not valid yet: else the daemon would notice it by itself."""
    daemon = bare_site.mailpushd
    certificate, key = sim.add_client("renewed", TOPIC, "--seconds", "3600:7200")
    daemon.credentials["main"] = {"certificate": daemon.dir / "c.pem", "key": daemon.dir / "k.pem"}
    (daemon.dir / "c.pem").write_bytes(sim.client_cert.read_bytes())
    (daemon.dir / "k.pem").write_bytes(sim.client_key.read_bytes())
    daemon.write_conf()
    daemon.restart()
    (daemon.dir / "c.pem").write_bytes(certificate.read_bytes())
    (daemon.dir / "k.pem").write_bytes(key.read_bytes())
    done = ctl(daemon, "cert", "check")
    assert "warn the file is newer than the credential in force: reload" in done.stdout
    (daemon.dir / "k.pem").unlink()
    done = ctl(daemon, "cert", "check")
    assert done.returncode == 1 and "fail " in done.stdout and "k.pem" in done.stdout


# ---- config and log level ----

def test_settings_are_shown_with_where_they_come_from(site):
    text = ctl_fine(site.mailpushd, "config")
    conf = site.mailpushd.conf
    number = 1 + next(n for n, line in enumerate(conf.read_text().splitlines())
                      if line.startswith("deferred_delay"))
    assert re.search(rf"^deferred_delay +50ms +{conf}:{number}$", text, flags=re.M)
    assert re.search(r"^max_push_rate +2000 +default$", text, flags=re.M)
    assert re.search(r"^urgent_events +MessageNew +default$", text, flags=re.M)
    assert re.search(rf"^credential main: key +.* +{conf}:\d+$", text, flags=re.M)
    [config] = ctl_json(site.mailpushd, "config")
    keys = {setting["key"]: setting for setting in config["settings"]}
    assert keys["deferred_events"]["value"].startswith("MessageAppend, ")
    assert keys["deferred_delay"]["line"] == number and keys["user"]["line"] is None


def test_the_log_level_changes_while_it_runs(bare_site):
    phone = bare_site.registered_phone()
    bare_site.mailpushd.wait_log("apns: pushed")
    assert ctl_fine(bare_site.mailpushd, "log-level", "warn") == \
        "log level is warn until the next start or reload\n"
    assert ctl_json(bare_site.mailpushd, "status")[0]["log_level"] == "warn"
    since = len(bare_site.mailpushd.log)
    bare_site.deliver(phone.user)
    bare_site.told(phone, "INBOX")
    assert ctl_json(bare_site.mailpushd, "log-level", "debug") == [{"log_level": "debug"}]
    bare_site.deliver(phone.user)
    bare_site.told(phone, "INBOX")
    bare_site.mailpushd.wait_log("apns: pushed", since=since)
    assert sum("event came" in line for line in bare_site.mailpushd.lines(since)) == 1


# ---- exit codes and trouble ----

@pytest.mark.parametrize("command", [["events", "--follow"], ["trace", "USER", "--follow"], ["top"]])
def test_a_daemon_that_ends_is_no_longer_followed(bare_site, command):
    phone = bare_site.registered_phone()
    command = [phone.user if word == "USER" else word for word in command]
    with follow(bare_site.mailpushd, "--json", command=command) as process:
        deliver_until_followed(bare_site, phone.user, lines_of(process))
        bare_site.mailpushd.kill9()
        said = process.stderr.read()
        process.wait(TIMEOUT)
    assert process.returncode == 3 and "mailpushctl: mailpushd " in said


def test_a_path_of_a_socket_that_is_too_long_is_said_to_be_so(tmp):
    for command in (["status"], ["events", "--follow"]):
        done = subprocess.run([ctl_binary(), "--socket", "/" + "x" * 199, *command], capture_output=True, text=True)
        assert done.returncode == 1 and "the path of the control socket is too long" in done.stderr


def test_a_daemon_that_is_down_is_reported_with_what_to_do(bare_site_for):
    site = bare_site_for(start=False)
    for command in (["status"], ["devices"], ["events", "--follow"], ["push", "alice"]):
        done = ctl(site.mailpushd, *command)
        assert (done.returncode, done.stdout) == (3, "")
        assert "mailpushd is not running" in done.stderr
        assert "systemctl start mailpush" in done.stderr


@AS_ROOT
def test_a_user_who_may_not_ask_gets_the_reason(bare_site_for):
    site = bare_site_for(control_mode="0666")
    nobody = ["setpriv", "--reuid=nobody", "--regid=65534", "--clear-groups"]
    for _ in range(2):
        done = ctl(site.mailpushd, "status", wrapper=nobody)
        assert (done.returncode, done.stdout) == (4, "")
        assert "not allowed to use" in done.stderr and "control_users" in done.stderr
        site.mailpushd.control_socket.chmod(0o600)


@pytest.mark.parametrize("arguments, why", [
    ([], "no command is given"), (["dance"], "no command 'dance'"), (["cert"], "inspect or check"),
    (["status", "now"], "unexpected argument 'now'"), (["push"], "the user is missing; usage: mailpushctl push USER [--mailbox M];"),
    (["user", "export"], "the user is missing; usage: mailpushctl user export U;"),
    (["user", "remove"], "the user is missing; usage: mailpushctl user remove U --yes;"),
    (["trace"], "the user is missing; usage: mailpushctl trace USER [--since 2h];"),
    (["import"], "the file to import is missing; usage: mailpushctl import [--from xapsd|sql] FILE;"),
    (["copy"], "the registry to copy from is missing; usage: mailpushctl copy [--last] FROM TO;"),
    (["copy", "a"], "the registry to copy to is missing;"),
    (["cert", "inspect"], "the file to examine is missing;"), (["log-level"], "the level is missing;"),
    (["devices", "show"], "the key of a registration is missing; usage: mailpushctl devices show KEY;"),
    (["complete"], "'users' or 'keys' is missing;"),
    (["complete", "users"], "the beginning of the word to complete is missing;"),
    (["status", "--user", "x"], "does not take"), (["devices", "--limit", "0"], "--limit '0'"),
    (["--colour"], "colour"),
])
def test_a_wrong_command_line_is_reported(bare_site_for, arguments, why):
    done = ctl(bare_site_for(start=False).mailpushd, *arguments)
    assert done.returncode == 2 and why in done.stderr and done.stdout == ""


def test_help_and_version_need_no_daemon(bare_site_for):
    daemon = bare_site_for(start=False).mailpushd
    assert "devices [--user U]" in ctl_fine(daemon, "--help")
    assert re.fullmatch(r"mailpushctl \d+\.\d+\.\d+\S*\n", ctl_fine(daemon, "-V"))


# ---- terminals ----

# ---- schema ----

def test_the_tables_of_a_registry_are_made_by_hand(bare_site_for):
    """Of the kind that is configured, without the daemon; it takes them as its own."""
    site = bare_site_for(start=False)
    daemon = site.mailpushd
    sql = ctl_fine(daemon, "schema", "--config", daemon.conf)
    assert sql == ctl_fine(daemon, "schema", "sqlite")
    with contextlib.closing(sqlite3.connect(daemon.dir / "registry.sqlite")) as registry:
        registry.executescript(sql)
    daemon.start()
    site.registered_phone()
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.dir / "registry.sqlite")) as registry:
        made = [text for text, in registry.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL")]
    assert made and all(text in sql for text in made)


def test_a_kind_of_registry_that_there_is_not_is_reported(bare_site_for):
    daemon = bare_site_for(start=False).mailpushd
    done = ctl(daemon, "schema", "oracle")
    assert done.returncode == 2 and "no kind of registry 'oracle'; write sqlite" in done.stderr
    done = ctl(daemon, "schema", "--config", "/nowhere")
    assert done.returncode == 1 and "/nowhere" in done.stderr


def on_terminal(daemon, *arguments, **environment):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [ctl_binary(), "--socket", daemon.control_socket, *arguments], stdout=theirs,
        env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm", **environment})
    os.close(theirs)
    text = b""
    try:
        while piece := os.read(ours, 65536):
            text += piece
    except OSError:     # the other end is closed
        pass
    os.close(ours)
    assert process.wait(20) == 0
    return text.decode()


def test_there_are_colours_on_a_terminal_only(bare_site):
    assert "\033[" in on_terminal(bare_site.mailpushd, "status")
    assert "\033[" not in on_terminal(bare_site.mailpushd, "status", NO_COLOR="1")
    assert "\033[" not in on_terminal(bare_site.mailpushd, "status", TERM="dumb")
    assert "\033[" not in ctl_fine(bare_site.mailpushd, "status")


def test_a_name_cannot_steer_the_terminal(bare_site):
    phone = bare_site.registered_phone("INBOX", "\u009b31m\u202e")
    text = on_terminal(bare_site.mailpushd, "devices", "show",
                       ctl_json(bare_site.mailpushd, "devices")[0]["key"], NO_COLOR="1")
    assert "\u009b" not in text and "\033" not in text
    assert phone.user in text


def completions(*lines):
    """What bash offers at the end of each command line, sorted."""
    calls = "".join(f"complete_it mailpushctl {line}\n" for line in lines)
    script = f"""
    . packaging/completion/mailpushctl
    complete_it() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mailpushctl; echo "${{COMPREPLY[@]}}"; }}
    {calls}"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.stderr == ""
    return [sorted(line.split()) for line in done.stdout.splitlines()]


def test_bash_completes_commands_and_options():
    assert completions("de", "--socket /x queue d", "cert check --o", "--config /x do",
                       "doctor --c", "log-level w") == [
        ["devices"], ["drop"], ["--online"], ["doctor"], ["--config", "--cyrus-conf"], ["warn"]]


def test_bash_completes_every_command_and_every_option_of_each(bare_site_for):
    daemon = bare_site_for(start=False).mailpushd
    first = {line.split()[0] for line in ctl_fine(daemon, "--help").splitlines()
             if line.startswith("  ")}
    assert set(completions("''")[0]) == first | {"--json", "--socket", "--help", "--version"}
    source = (REPOSITORY / "src/ctl/main.c").read_text()
    for words, mask in re.findall(r'\{\{("[^}]+)\},\s+(?:\d+|[A-Z_]+),\s+([^,]+),', source):
        command = " ".join(re.findall(r'"([^"]+)"', words))
        wanted = {"TAKES_FULL": ["--full"], "TAKES_USER": ["--user"], "TAKES_MAILBOX": ["--mailbox"],
                  "TAKES_LIMIT": ["--limit"], "TAKES_FOLLOW": ["--follow"], "TAKES_ALL": ["--all"],
                  "TAKES_ONLINE": ["--online"], "TAKES_PASSPHRASE": ["--passphrase-file"],
                  "TAKES_CONFIG": ["--config"], "TAKES_CYRUS_CONF": ["--cyrus-conf"],
                  "TAKES_DOVECOT_CONF": ["--dovecot-conf"],
                  "TAKES_FORGOTTEN": ["--forgotten"],
                  "TAKES_PROBLEMS": ["--problems"], "TAKES_TOPIC": ["--topic"],
                  "TAKES_STATE": ["--state"], "TAKES_YES": ["--yes"], "TAKES_FROM": ["--from"],
                  "TAKES_COLUMNS": ["--columns"], "TAKES_DRY_RUN": ["--dry-run"],
                  "TAKES_CONFIRMED": ["--confirmed"], "TAKES_PASSWORD": ["--password-file"],
                  "TAKES_FROM_PASSWORD": ["--from-password-file"], "TAKES_LAST": ["--last"],
                  "TAKES_SINCE": ["--since"]}
        options = sum((wanted[name] for name in re.split(r"\s*\|\s*", mask) if name != "0"), [])
        [offered] = completions(f"{command} --")
        assert set(offered) == {*options, "--json", "--socket", "--help", "--version"}, command
