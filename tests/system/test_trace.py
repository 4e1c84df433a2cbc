"""mailpushctl trace: what happened with the phones of a user, and what it means."""

import contextlib
import json
import os
import re
import subprocess
import threading
import time

import pytest

import notify
from apnssim import TOPIC
from control import ask, ctl, ctl_binary, ctl_fine, ctl_json, get
from mailsite import BarePhone, new_user
from waiting import Lines, wait_until


def trace(site, user, *arguments):
    [answer] = ctl_json(site.mailpushd, "trace", user, *arguments)
    return answer


def entries(site, user, *arguments):
    return trace(site, user, *arguments)["entries"]


def wait_entry(site, user, **wanted):
    """Until the trace has an entry of that kind; returns it."""
    def found():
        return next((e for e in entries(site, user) if wanted.items() <= e.items()), None)
    return wait_until(found, what=f"an entry {wanted} in the trace of {user}")


# ---- with a real Cyrus ----

def test_the_way_of_a_mail_from_cyrus_to_apple_is_in_the_trace(site):
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX", "Notes")
    site.deliver(user, "Notes")
    [push] = site.told(phone, "Notes")
    taken = wait_entry(site, user, kind="push", mailboxes=1)
    text = ctl_fine(site.mailpushd, "trace", user)
    short = phone.token[:8]
    assert f"{user}: 1 phone registered\n  {short}...  active, renewed " in text
    for line in (rf"^\d\d:\d\d:\d\d  {short}...  phone registered: 2 mailboxes, topic {re.escape(TOPIC)}$",
                 rf"^\d\d:\d\d:\d\d  {short}...  MessageNew in Notes: urgent, \w",
                 rf"^\d\d:\d\d:\d\d  {short}...  push for 1 mailbox: Apple accepted it \(sent \d\d:\d\d:\d\d, "
                 rf"apns-id {taken['apns_id']}\)$",
                 r"^ {10}if the phone stays silent: a Focus, Low Power Mode, no network"):
        assert re.search(line, text, flags=re.M), (line, text)
    assert push["apns_id"].lower() == taken["apns_id"]
    assert phone.token not in text and phone.account_id not in text


# ---- what is asked for ----

def test_a_user_of_whom_nothing_is_known_is_said_to_be_unknown(bare_site):
    done = ctl(bare_site.mailpushd, "trace", "nobody\x1b[31m")
    assert done.returncode == 1
    assert done.stderr.startswith("mailpushctl: nothing is known of a user 'nobody?[31m': no phone is registered")
    for more in (("--since", "1d"), ("--mailbox", "Notes")):
        again = ctl(bare_site.mailpushd, "trace", "nobody\x1b[31m", *more)
        assert (again.returncode, again.stdout, again.stderr) == (1, "", done.stderr)
    in_json = ctl(bare_site.mailpushd, "trace", "nobody\x1b[31m", "--json")
    assert (in_json.returncode, json.loads(in_json.stdout)["entries"], in_json.stderr) == (1, [], done.stderr)


def test_who_follows_a_user_of_whom_nothing_is_known_learns_so_and_sees_what_comes(bare_site):
    with followed(bare_site.mailpushd, "trace", "alice", "--follow", stderr=subprocess.STDOUT) as lines:
        lines.wait("mailpushctl: nothing is known of a user 'alice': no phone is registered")
        bare_site.registered_phone(user="alice")
        lines.wait("phone registered")


def test_a_user_of_whom_only_earlier_things_are_known_is_not_unknown(bare_site):
    phone = bare_site.registered_phone()
    bare_site.sim.control(do="token", token=phone.token, status=410, reason="Unregistered", times=1)
    bare_site.tell(notify.mail(phone.user))
    wait_entry(bare_site, phone.user, kind="forgotten", what="apple")
    text = ctl_fine(bare_site.mailpushd, "trace", phone.user, "--since", "0s")
    assert "Nothing happened with phones of this user in the last 0s.\n" in text


def test_a_name_that_no_user_has_is_refused_in_plain_words(bare_site):
    for name, why in (("", "the user's name is empty"), ("x" * 1025, "no user has this name")):
        done = ctl(bare_site.mailpushd, "trace", name)
        assert (done.returncode, done.stderr) == (
            1, f"mailpushctl: {why}: name a user as the mail server has it, in UTF-8 and at most 1024 bytes\n")


def test_a_phone_with_which_nothing_happened_lately_is_shown(bare_site):
    phone = bare_site.registered_phone()
    wait_entry(bare_site, phone.user, kind="push")
    text = ctl_fine(bare_site.mailpushd, "trace", phone.user, "--since", "0s")
    assert text.endswith("Nothing happened with phones of this user in the last 0s.\n")
    assert f"{phone.user}: 1 phone registered\n" in text


def test_a_phone_with_which_nothing_happened_as_long_as_it_is_kept_is_shown(bare_site):
    phone = bare_site.registered_phone()
    bare_site.mailpushd.stop()
    (bare_site.mailpushd.dir / "queue.sqlite.trace").unlink()
    bare_site.mailpushd.start()
    text = ctl_fine(bare_site.mailpushd, "trace", phone.user)
    assert text.endswith("Nothing happened with phones of this user in the last 7 d.\n")


def test_a_push_that_is_late_was_due(bare_site):
    phone = bare_site.registered_phone("INBOX", "Notes")
    wait_entry(bare_site, phone.user, kind="push")
    bare_site.sim.stop()
    bare_site.tell(notify.mail(phone.user))
    first = wait_entry(bare_site, phone.user, kind="event", folder="")
    wait_until(lambda: time.time() > (first["due"] or first["time"]) + 1.1, what="the time at which it was due")
    bare_site.tell(notify.mail(phone.user, "Notes"))
    assert re.search(r"MessageNew in Notes: merged into the push that waits already, was due \d\d:\d\d:\d\d$",
                     ctl_fine(bare_site.mailpushd, "trace", phone.user), flags=re.M)


def test_a_trace_that_is_off_says_how_to_switch_it_on(bare_site_for):
    site = bare_site_for(trace_keep="0s")
    phone = site.registered_phone()
    done = ctl(site.mailpushd, "trace", phone.user)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("mailpushctl: there is no trace: trace_keep is 0s in mailpush.conf")
    assert not (site.mailpushd.dir / "queue.sqlite.trace").exists()
    assert get(site.mailpushd, "/status")["trace"] is None


@pytest.mark.parametrize("since", ["2", "2 hours", "-1h", "x"])
def test_a_time_that_is_none_is_refused(bare_site, since):
    done = ctl(bare_site.mailpushd, "trace", "alice", "--since", since)
    assert done.returncode == 2
    assert "is not a duration" in done.stderr


def test_a_time_that_is_too_long_is_said_to_be_so(bare_site):
    done = ctl(bare_site.mailpushd, "trace", "alice", "--since", "99999999999d")
    assert done.returncode == 2
    assert "--since '99999999999d' is too long; leave --since out" in done.stderr


@pytest.mark.parametrize("query, why", [
    ("", "the user's name is empty: name a user"), ("?user=", "the user's name is empty: name a user"),
    ("?user=" + "a" * 2000, "no user has this name: name a user"), ("?user=%ff", "no user has this name: name a user"),
    ("?user=a&mailbox=" + "a" * 2000, "no mailbox has this name"),
    ("?user=a&since=x", "since is a time in Unix seconds"), ("?user=a&after=-1", "since is a time in Unix seconds")])
def test_a_question_that_is_none_is_refused(bare_site, query, why):
    status, answer = ask(bare_site.mailpushd, "GET", "/trace" + query)
    assert status == 400 and answer["error"].startswith(why)


def test_one_mailbox_is_shown_with_its_pushes_alone(bare_site):
    phone = bare_site.registered_phone("INBOX", "Notes", "a.b")
    for folder in ("Notes", "a.b"):
        bare_site.tell(notify.mail(phone.user, folder, mailboxID=f"id-of-{folder}"))
        bare_site.next_push(phone)
    bare_site.tell(notify.mail(phone.user))
    bare_site.next_push(phone)
    wait_until(lambda: len([e for e in entries(bare_site, phone.user) if e["kind"] == "push"]) == 4,
               what="four answers in the trace")
    shown = [(e["kind"], e.get("folder")) for e in entries(bare_site, phone.user, "--mailbox", "Notes")]
    assert ("event", "Notes") in shown and ("event", "") not in shown
    assert len([kind for kind, _ in shown if kind == "push"]) == 2      # with the one that proved the token


def test_the_pushes_that_named_a_mailbox_are_shown_without_an_event_in_it(bare_site):
    phone = bare_site.registered_phone("INBOX", "Notes", "a.b")
    for folder in ("Notes", "a.b"):
        ctl_fine(bare_site.mailpushd, "push", phone.user, "--mailbox", folder)
        bare_site.next_push(phone)

    def pushes(*mailbox):
        return [e["mailboxes"] for e in entries(bare_site, phone.user, *mailbox) if e["kind"] == "push"]
    wait_until(lambda: pushes() == [3, 1, 1], what="three answers in the trace")
    for mailbox in ("Notes", "a/b", "a.b"):
        assert pushes("--mailbox", mailbox) == [3, 1]
    assert pushes("--mailbox", "INBOX") == [3]


# ---- four causes of silence ----

def test_silent_as_the_phone_never_registered(bare_site):
    phone = bare_site.registered_phone()
    other = new_user()
    bare_site.tell(notify.mail(other))
    assert ctl(bare_site.mailpushd, "trace", other).returncode == 1
    assert ctl(bare_site.mailpushd, "trace", phone.user).returncode == 0


def test_silent_as_it_was_forgotten_after_a_410(bare_site):
    phone = bare_site.registered_phone()
    bare_site.sim.control(do="token", token=phone.token, status=410, reason="Unregistered", times=1)
    bare_site.tell(notify.mail(phone.user))
    wait_entry(bare_site, phone.user, kind="forgotten", what="apple")
    text = ctl_fine(bare_site.mailpushd, "trace", phone.user)
    assert f"{phone.user}: no phone is registered: nothing can be pushed to this user until one registers\n" in text
    assert "Apple answered 410 Unregistered" in text
    assert "registration forgotten\n          the device token is no longer in use" in text


def test_silent_as_the_topic_changed(bare_site):
    phone = bare_site.registered_phone()
    bare_site.sim.control(do="token", token=phone.token, status=400, reason="DeviceTokenNotForTopic", times=1)
    bare_site.tell(notify.mail(phone.user))
    wait_entry(bare_site, phone.user, kind="push", what="stop", status=400, reason="DeviceTokenNotForTopic")
    wait_until(lambda: trace(bare_site, phone.user)["devices"][0]["state"] == "stopped", what="the stop")
    text = ctl_fine(bare_site.mailpushd, "trace", phone.user)
    assert "stopped: DeviceTokenNotForTopic" in text
    assert "nothing is sent to the phone until it registers again" in text


def test_silent_though_apple_took_all(bare_site):
    phone = bare_site.registered_phone()
    bare_site.tell(notify.mail(phone.user))
    bare_site.told(phone, "INBOX")
    wait_until(lambda: len([e for e in entries(bare_site, phone.user) if e["kind"] == "push"]) == 2,
               what="both answers")
    text = ctl_fine(bare_site.mailpushd, "trace", phone.user)
    assert text.count("if the phone stays silent:") == 1       # where it is seen last
    assert text.count("Apple accepted it") == 2


def test_a_phone_that_waits_for_a_credential_says_so(bare_site_for):
    site = bare_site_for()
    phone = site.registered_phone()
    site.mailpushd.stop()
    site.mailpushd.credentials.clear()
    site.mailpushd.write_conf()
    site.mailpushd.start()
    site.tell(notify.mail(phone.user))
    text = ctl_fine(site.mailpushd, "trace", phone.user)
    assert "a push is waiting: there is no credential for their topic" in text


# ---- what was decided ----

def test_events_from_which_no_push_follows_say_why(bare_site_for):
    site = bare_site_for(shared_mailboxes="no")
    phone = site.registered_phone("INBOX")
    site.tell(notify.mail(phone.user, event="FlagsSet"))
    site.tell(notify.mail(phone.user, "Lists"))
    wanted = {("FlagsSet", "", "not_wanted"), ("MessageNew", "Lists", "not_listed")}
    wait_until(lambda: wanted <= {(e.get("event"), e.get("folder"), e["what"])
                                  for e in entries(site, phone.user)}, what="both reasons")


def test_what_is_merged_and_what_is_deferred_says_so(bare_site_for):
    site = bare_site_for(min_interval="1h", deferred_delay="1h")
    phone = BarePhone(new_user(), ("INBOX", "Notes", "Lists"))
    site.register(phone)
    site.tell(notify.mail(phone.user))              # takes the push of the registration along
    site.told(phone, *phone.mailboxes)
    site.settled(phone)
    site.tell(notify.mail(phone.user, "Notes"))
    site.tell(notify.mail(phone.user, "Lists", event="MessageExpunge"))
    found = {(e["folder"], e["what"]): e for e in entries(site, phone.user) if e["kind"] == "event"}
    assert ("Notes", "rests") in found and ("Lists", "merged") in found
    assert found["Notes", "rests"]["due"] > found["Notes", "rests"]["time"] + 3000


def test_nothing_is_kept_of_users_without_a_phone(bare_site):
    before = get(bare_site.mailpushd, "/status")["trace"]
    for _ in range(10):
        bare_site.tell(notify.mail(new_user()))
    assert get(bare_site.mailpushd, "/status")["trace"]["entries"] == before["entries"]


def test_a_flood_of_one_user_leaves_the_entries_of_another(bare_site):
    quiet, loud = bare_site.registered_phone(), bare_site.registered_phone()
    wait_entry(bare_site, quiet.user, kind="push")
    for number in range(1000):
        bare_site.tell(notify.mail(loud.user, f"f{number}"))
    kept = trace(bare_site, loud.user)
    assert len(kept["entries"]) < 250
    assert kept["left_out"] + sum(entry["left_out"] for entry in kept["entries"]) > 700
    assert "more left out: the same again" in ctl_fine(bare_site.mailpushd, "trace", loud.user)
    assert wait_entry(bare_site, quiet.user, kind="push")


def test_an_account_that_is_deleted_and_comes_back_is_in_the_trace(bare_site):
    phone = bare_site.registered_phone()
    bare_site.tell(notify.mail(phone.user, event="MailboxDelete"))
    wait_entry(bare_site, phone.user, kind="suspended")
    bare_site.tell(notify.mail(phone.user))
    wait_entry(bare_site, phone.user, kind="resumed")


# ---- life ----

def test_the_trace_outlasts_a_restart_and_a_kill(bare_site):
    phone = bare_site.registered_phone()
    wait_entry(bare_site, phone.user, kind="push")
    assert bare_site.mailpushd.stop() == 0
    bare_site.mailpushd.start()
    before = entries(bare_site, phone.user)
    assert {e["kind"] for e in before} >= {"registration", "push"}
    bare_site.mailpushd.kill9()
    bare_site.mailpushd.start()
    assert entries(bare_site, phone.user) == before


def test_after_a_kill_a_push_is_in_the_trace_that_devices_have_no_record_of(bare_site):
    """What happened last with a phone is written every ten seconds; nobody says that nothing was pushed."""
    phone = bare_site.registered_phone()
    wait_entry(bare_site, phone.user, kind="push")
    bare_site.mailpushd.kill9()
    bare_site.mailpushd.start()
    assert wait_entry(bare_site, phone.user, kind="push", what="done")
    assert "never" not in ctl_fine(bare_site.mailpushd, "devices", "--user", phone.user)


def test_all_of_a_user_is_exported_and_removed(bare_site):
    phone = bare_site.registered_phone()
    other = bare_site.registered_phone()
    wait_entry(bare_site, phone.user, kind="push")
    wait_entry(bare_site, other.user, kind="push")
    [exported] = ctl_json(bare_site.mailpushd, "user", "export", phone.user)
    assert {e["kind"] for e in exported["trace"]} >= {"registration", "push"}
    ctl_fine(bare_site.mailpushd, "user", "remove", phone.user, "--yes")
    assert ctl(bare_site.mailpushd, "trace", phone.user).returncode == 1
    assert phone.user.encode() + b"\0" not in (bare_site.mailpushd.dir / "queue.sqlite.trace").read_bytes()
    assert entries(bare_site, other.user)


def test_a_user_of_whom_only_the_trace_knows_is_removed(bare_site):
    """The registry is a new one, or the registrations are gone for more than 30 days."""
    daemon = bare_site.mailpushd
    phone = bare_site.registered_phone()
    wait_entry(bare_site, phone.user, kind="push", what="done")
    bare_site.wait_nothing_waits()
    daemon.stop()
    for path in daemon.dir.glob("registry.sqlite*"):
        path.unlink()
    daemon.start()
    unsure = ctl(daemon, "user", "remove", phone.user)
    assert (unsure.returncode, unsure.stderr) == (2, "mailpushctl: nothing was removed; give --yes to do so\n")
    assert ctl_fine(daemon, "user", "remove", phone.user, "--yes").endswith("removed: 0\n")
    assert ctl(daemon, "trace", phone.user).returncode == 1
    assert "nothing is known of a user" in ctl(daemon, "user", "remove", phone.user, "--yes").stderr


def test_who_follows_sees_what_happens_from_now_on(bare_site):
    phone = bare_site.registered_phone()
    wait_entry(bare_site, phone.user, kind="push")
    with followed(bare_site.mailpushd, "trace", phone.user, "--follow") as lines:
        lines.wait("Apple accepted it")
        bare_site.sim.control(do="token", token=phone.token, status=410, reason="Unregistered", times=1)
        bare_site.tell(notify.mail(phone.user))
        lines.wait("MessageNew in INBOX: urgent, ")
        lines.wait("Apple answered 410 Unregistered")
        lines.wait("registration forgotten")
        assert len([line for line in lines.all() if "Apple accepted it" in line]) == 1


@contextlib.contextmanager
def followed(daemon, *arguments, stderr=None):
    """What mailpushctl prints until it is ended."""
    with subprocess.Popen([ctl_binary(), "--socket", daemon.control_socket, *arguments], text=True,
                          stdout=subprocess.PIPE, stderr=stderr,
                          env={**os.environ, "LC_ALL": "C.UTF-8"}) as process:
        lines = Lines()
        reader = threading.Thread(target=lambda: [lines.add(line.rstrip("\n")) for line in process.stdout])
        reader.start()
        try:
            yield lines
        finally:            # or leaving Popen waits for it
            process.kill()
            reader.join()


# ---- a disk in trouble ----

def state(site):
    return get(site.mailpushd, "/status")["trace"]


@pytest.mark.parametrize("rule", ["fail .trace 28", "fail .trace 5"])       # full; input/output error
def test_a_disk_that_takes_no_trace_keeps_no_mail_back_and_the_gap_is_reported(bad_disk_site, disk, rule):
    site = bad_disk_site
    phone = site.registered_phone()
    wait_entry(site, phone.user, kind="push")
    with disk.rule(rule):
        site.tell(notify.mail(phone.user))
        site.told(phone, "INBOX")
        wait_until(lambda: state(site)["dropped"], what="entries that are dropped")
        assert "cannot write trace" in state(site)["trouble"]
        site.mailpushd.wait_log("entries of the trace are lost")
        text = ctl_fine(site.mailpushd, "trace", phone.user)
        assert "Entries are lost now: cannot write trace" in text
        assert ctl(site.mailpushd, "status").stdout.count("cannot write trace") == 1
    site.tell(notify.mail(phone.user))
    site.told(phone, "INBOX")
    wait_until(lambda: "entries, of all users, are missing here" in ctl_fine(site.mailpushd, "trace", phone.user),
               what="the line about the gap")
    assert state(site)["trouble"] is None


def test_a_disk_that_hangs_under_the_trace_holds_nothing_up_and_the_stop_goes_on(bad_disk_site, disk):
    site = bad_disk_site
    phone = site.registered_phone()
    wait_entry(site, phone.user, kind="push")
    with disk.rule("stuck .trace"):
        for _ in range(3):
            site.tell(notify.mail(phone.user))
            site.told(phone, "INBOX")
        assert site.mailpushd.stop() == 0
    site.mailpushd.wait_log("database=trace")


def test_a_damaged_trace_is_set_aside_and_begins_again(bare_site):
    site = bare_site
    phone = site.registered_phone()
    wait_entry(site, phone.user, kind="push")
    site.mailpushd.stop()
    path = site.mailpushd.dir / "queue.sqlite.trace"
    path.write_bytes(b"?" * path.stat().st_size)
    site.mailpushd.start()
    site.tell(notify.mail(phone.user))
    site.told(phone, "INBOX")
    wait_until(lambda: len(entries(site, phone.user)) >= 2, what="the entries since")
    assert set((site.mailpushd.dir / "queue.sqlite.trace.damaged").read_bytes()) == {ord("?")}


def test_a_trace_that_is_removed_begins_again(bare_site):
    site = bare_site
    phone = site.registered_phone()
    wait_entry(site, phone.user, kind="push")
    (site.mailpushd.dir / "queue.sqlite.trace").unlink()
    site.tell(notify.mail(phone.user))
    site.told(phone, "INBOX")
    wait_entry(site, phone.user, kind="push")
    assert not [e for e in entries(site, phone.user) if e["kind"] == "registration"]


# ---- hostile names ----

@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "a\u202eb", "a\"b\\", "x" * 500])
def test_no_name_of_a_folder_breaks_the_lines(bare_site, name):
    phone = bare_site.registered_phone("INBOX", name)
    bare_site.tell(notify.mail(phone.user, name))
    wait_entry(bare_site, phone.user, kind="event", event="MessageNew")
    text = ctl_fine(bare_site.mailpushd, "trace", phone.user)
    [line] = [line for line in text.split("\n") if "MessageNew in " in line]
    assert re.search(r"MessageNew in .*: urgent, ", line)
    assert line.isprintable()
