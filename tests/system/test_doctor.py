"""mailpushctl doctor: a real Cyrus and mailpushd with each fault put in, and the remedy followed."""

import contextlib
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess

import pytest

from apnssim import TOPIC, ZEROS
from control import ctl, ctl_binary
from cyrus import is_since
from doctor import cure, examine, found, ill_of, named, put, wait_found
from mailsite import new_user
from notify import queue_length

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user as well")
OTHER_TOPIC = "com.apple.mobilemail.push.com.example.other"
NOBODY = ["setpriv", "--reuid=nobody", "--regid=65534", "--clear-groups"]
GROUPS = "message flags mailbox applepushservice"


@pytest.fixture
def ward(site_for):
    """A site whose imapd.conf and cyrus.conf are as before when the test is over."""
    kept = {}

    def make(cyrus=None, **settings):
        site = site_for(cyrus={"event_extra_params": "timestamp", **(cyrus or {})}, **settings)
        for name in ("imapd.conf", "cyrus.conf"):
            path = site.cyrus.dir / name
            kept.setdefault(path, (site.cyrus, path.read_bytes(), path.stat().st_mtime_ns))
        return site
    yield make
    spoiled = set()
    for path, (cyrus, text, changed_ns) in kept.items():
        if not path.exists() or path.stat().st_mtime_ns != changed_ns:
            spoiled.add(cyrus)
        path.write_bytes(text)
        os.utime(path, ns=(changed_ns, changed_ns))     # Cyrus goes by this text
    for cyrus in spoiled:       # doctor had it start a process, which read the other text and serves on
        cyrus.stop()
        cyrus.start()


def edit(path, old, new):
    text = path.read_text()
    assert old in text, (old, text)
    path.write_text(text.replace(old, new))


def unset(path, key):
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith(f"{key}:")))


def imapd_conf(site):
    return site.cyrus.dir / "imapd.conf"


# ---- all is well ----

@pytest.mark.parametrize("transport", ["dlist", "datagram", "notifyd"])
def test_a_healthy_site_has_nothing_wrong(ward, transport):
    site = ward(cyrus={"transport": transport})
    site.mailpushd.wait_spool()
    wanted = ["max_dgram_qlen"] if transport != "dlist" and queue_length() < 512 else []
    status, findings = examine(site.mailpushd)
    assert [f["check"] for f in ill_of(findings, {"clock"})] == wanted, findings
    assert status == 0
    seen = {f["check"] for f in findings}
    assert seen >= {"mailpush.conf", "daemon", "alarm", "settings", "event_notifier", "event_groups",
                    "site", "socket", "permissions", "allowed_users", "imap", "version", "tls", "processes",
                    "credential", "aps_topic", "clock", "disk"}


def test_a_finding_is_one_line_of_text(ward):
    site = ward()
    put(imapd_conf(site), "event_groups: message flags mailbox")
    done = ctl(site.mailpushd, "doctor")
    [line] = [text for text in done.stdout.splitlines() if text.startswith("fail event_groups")]
    assert line == (
        "fail event_groups    lacks applepushservice, so no phone can register; in "
        f"{imapd_conf(site)} put: event_groups: {GROUPS}; then run: systemctl restart cyrus-imapd")
    assert done.returncode == 1 and "\033" not in done.stdout


# ---- imapd.conf ----

IMAPD_FAULTS = {
    "no notifier": ("event_notifier", None, [("event_notifier", "fail")]),
    "no registrations": ("event_groups", "message flags mailbox", [("event_groups", "fail")]),
    "no mail": ("event_groups", "flags mailbox applepushservice", [("event_groups", "fail")]),
    "no mailboxes": ("event_groups", "message flags applepushservice", [("event_groups", "warn")]),
    "no flags": ("event_groups", "message mailbox applepushservice", [("event_groups", "warn")]),
    "commas": ("event_groups", GROUPS.replace(" ", ","), [("event_groups", "fail")]),
    "capitals": ("event_groups", GROUPS.title(), [("event_groups", "fail")]),
    "a comment behind": ("event_groups", f"{GROUPS} access # all", [("event_groups", "fail")]),
    "no capability": ("suppress_capabilities", "IDLE XAPPLEPUSHSERVICE",
                      [("suppress_capabilities", "fail")]),
    "quota": ("event_groups", f"{GROUPS} quota", [("event_groups", "fail")]),
    "the default": ("event_groups", None, [("event_groups", "fail"), ("event_groups", "warn")]),
    "excluded flags": ("event_exclude_flags", r"\Flagged", [("event_exclude_flags", "fail")]),
    "excluded folders": ("event_exclude_specialuse", "ALL",
                         [("event_exclude_specialuse", "warn")]),
    "no topic": ("aps_topic", None, [("alarm", "fail"), ("aps_topic", "fail"),
                                     ("credential", "warn")]),
    "another topic": ("aps_topic", OTHER_TOPIC, [("alarm", "fail"), ("aps_topic", "fail"),
                                                 ("credential", "warn")]),
    "no topic of Mail's": ("aps_topic", "com.example.mail",
                           [("alarm", "fail"), ("aps_topic", "fail"), ("credential", "warn")]),
    "another socket": ("notifysocket", "dlist:/run/elsewhere", [("notifysocket", "fail")]),
    "no socket": ("notifysocket", None, [("notifysocket", "fail")]),
}


@pytest.mark.parametrize("fault", IMAPD_FAULTS)
def test_a_fault_in_imapd_conf_is_found_and_its_remedy_heals(ward, fault):
    site = ward()
    key, value, wanted = IMAPD_FAULTS[fault]
    if value is None:
        unset(imapd_conf(site), key)
    else:
        put(imapd_conf(site), f"{key}: {value}")
    ill = wait_found(site.mailpushd, *wanted)
    finding = next(f for f in ill if f["check"] == key)
    assert finding["file"] == str(imapd_conf(site))
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd)


def test_datagrams_to_the_stream_socket_are_found(ward):
    site = ward()
    put(imapd_conf(site), f"notifysocket: {site.mailpushd.stream_socket}")
    [finding] = wait_found(site.mailpushd, ("notifysocket", "fail"))
    assert "is a socket for dlist" in finding["why"]
    assert finding["line"] == f"notifysocket: dlist:{site.mailpushd.stream_socket}"


def test_a_socket_by_way_of_a_symbolic_link_is_ours(ward, tmp):
    site = ward()
    (tmp / "link").symlink_to(site.mailpushd.stream_socket.parent)
    put(imapd_conf(site), f"notifysocket: dlist:{tmp}/link/{site.mailpushd.stream_socket.name}")
    wait_found(site.mailpushd)


@pytest.mark.parametrize("line", ["postmaster : x", "no colon", "\ufeffpostmaster: x", "pop3minpoll:",
                                  "@include /etc/more"])
def test_a_line_that_cyrus_does_not_start_with_is_found(ward, line):
    site = ward()
    with imapd_conf(site).open("a") as file:
        file.write(line + "\n")
    number = len(imapd_conf(site).read_text().splitlines())
    [finding] = [f for f in found(site.mailpushd) if f["check"] == "imapd.conf"]
    assert finding["level"] == "fail" and f"imapd.conf:{number}" in finding["why"]
    assert "does not start" in finding["why"]


def test_ways_of_writing_that_cyrus_takes_are_no_faults(ward):
    site = ward()
    path = imapd_conf(site)
    path.write_text(path.read_text().replace("event_groups: message flags",
                                             "\t EVENT_groups:message\tflags \\\n ")
                    .replace("\n", "\r\n").replace("\\\r\n", "\\\n")
                    + "# a comment: with a colon \\\nevent_notifier: twice\n\n  \t\n")
    assert "EVENT_groups" in path.read_text()
    wait_found(site.mailpushd)


def test_a_line_is_told_where_it_stands_also_if_it_is_included(ward):
    site = ward()
    included = site.cyrus.dir / "events.conf"
    included.write_text("event_groups: message\n")
    unset(imapd_conf(site), "event_groups")
    with imapd_conf(site).open("a") as file:
        file.write(f"@include: {included}\n")
    finding = found(site.mailpushd)[0]
    assert finding["file"] == str(included)
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd)


def test_what_cyrus_does_not_start_with_is_found(ward):
    site = ward()
    with imapd_conf(site).open("a") as file:
        file.write("defaultpartition: other\nsievenotifier:\n")
    ill = wait_found(site.mailpushd, ("imapd.conf", "fail"), ("imapd.conf", "fail"))
    assert "sets defaultpartition, as" in ill[0]["why"] + ill[1]["why"]
    assert "sievenotifier has no value" in ill[0]["why"] + ill[1]["why"]


def test_the_cyrus_that_runs_is_asked(private_cyrus, mailpushd):
    cyrus = private_cyrus(event_groups="message flags mailbox")
    daemon = mailpushd(cyrus)
    findings = ill_of(examine(daemon)[1], {"clock"})
    assert named(findings) == [("event_groups", "fail"), ("imap", "fail")]
    cure(daemon, findings[0], cyrus)
    assert ill_of(examine(daemon)[1], {"clock"}) == []
    cyrus.stop()
    findings = ill_of(examine(daemon)[1], {"clock"})
    assert named(findings) == [("imap", "fail"), ("processes", "warn")]
    assert "does not answer" in next(f["why"] for f in findings if f["check"] == "imap")


def test_push_that_is_offered_without_events_is_found(private_cyrus, mailpushd):
    findings = ill_of(examine(mailpushd(private_cyrus(event_notifier=None)))[1], {"clock"})
    is_hidden = [] if is_since(3, 10) else [("imap", "fail")]
    assert named(findings) == [("event_notifier", "fail"), *is_hidden]


def test_notifications_that_mailpushd_would_drop_are_told(ward):
    site = ward()
    put(imapd_conf(site), "sievenotifier: mailto")
    wait_found(site.mailpushd, ("forward_socket", "warn"))
    site.mailpushd.write_conf(forward_socket=str(site.cyrus.notifyd))
    site.mailpushd.restart()
    wait_found(site.mailpushd)


def test_another_servername_is_told(ward):
    site = ward()
    put(imapd_conf(site), "servername: mail.example.net")
    [finding] = wait_found(site.mailpushd, ("site", "warn"))
    assert "all phones must register again" in finding["why"]
    put(finding["file"], finding["line"])
    site.mailpushd.restart()
    wait_found(site.mailpushd)


@pytest.mark.parametrize("text, why", [
    (b"servername: x\0y\n", "NUL byte"), (b"\xff\xfe\x00", "NUL byte"),
    (b"altnamespace: perhaps\n", "is not a value of altnamespace"),
    (b"@include: /no/such\n", "cannot open /no/such"),
    (b"x: " + b"y" * (2 * 1024 * 1024), "is larger than"),
], ids=["a NUL", "binary", "a wrong value", "a missing file", "too long"])
def test_an_imapd_conf_that_is_none_is_told(ward, text, why):
    site = ward(start=False)
    imapd_conf(site).write_bytes(text)
    ill = found(site.mailpushd)
    assert any(f["check"] == "imapd.conf" and f["level"] == "fail" and why in f["why"]
               for f in ill), ill


def test_a_hostile_imapd_conf_cannot_steer_the_terminal(ward):
    site = ward(start=False)
    imapd_conf(site).write_bytes(
        b"aps_topic: \x1b[31m\x9b\nevent_groups: \x1b]0;x\x07 \xff\nnotifysocket: \x1bc\n"
        + b"event_notifier: %s%n%s\ncyrus_user: ../../etc\ncyrus_user: \xc3\n")
    done = ctl(site.mailpushd, "doctor", "--config", site.mailpushd.conf)
    assert done.returncode == 1 and "\x1b" not in done.stdout and "\x07" not in done.stdout
    status, findings = examine(site.mailpushd)
    assert status == 1 and "%s%n%s" in [f["why"] for f in findings]


# ---- cyrus.conf ----

def test_a_service_that_reads_another_imapd_conf_is_told(ward):
    site = ward()
    edit(site.cyrus.dir / "cyrus.conf", f"lmtpd -C {imapd_conf(site)}", "lmtpd")
    [finding] = wait_found(site.mailpushd, ("cyrus.conf", "warn"))
    assert "service lmtp" in finding["why"] and "reads /etc/imapd.conf" in finding["why"]


def test_notifyd_on_our_socket_is_found(ward):
    site = ward()
    edit(site.cyrus.dir / "cyrus.conf", str(site.cyrus.notifyd), str(site.cyrus.notify))
    [finding] = wait_found(site.mailpushd, ("notifysocket", "fail"))
    assert "belongs to both mailpushd and the service notify" in finding["why"]


def test_a_missing_cyrus_conf_is_told_and_another_can_be_named(ward, tmp):
    site = ward()
    other = tmp / "services"
    other.write_text((site.cyrus.dir / "cyrus.conf").read_text())
    (site.cyrus.dir / "cyrus.conf").unlink()
    [finding] = wait_found(site.mailpushd, ("cyrus.conf", "warn"))
    assert "--cyrus-conf" in finding["why"]
    assert found(site.mailpushd, "--cyrus-conf", other) == []


# ---- notifyd ----

@pytest.fixture
def notifyd_ward(ward):
    site = ward(cyrus={"transport": "notifyd"})
    site.mailpushd.wait_spool()
    return site


def without_queue(findings):
    return [f for f in findings if f["check"] != "max_dgram_qlen"]


@pytest.mark.parametrize("key, value, check", [
    ("event_notifier", "log", "notifyd"), ("notify_external", "/bin/true", "notifyd"),
    ("notify_external", None, "notifyd")])
def test_a_notifyd_that_does_not_run_our_program_is_found(notifyd_ward, key, value, check):
    path = imapd_conf(notifyd_ward)
    if value:
        put(path, f"{key}: {value}")
    else:
        unset(path, key)
    [finding] = without_queue(found(notifyd_ward.mailpushd))
    assert (finding["check"], finding["level"]) == (check, "fail")
    cure(notifyd_ward.mailpushd, finding)
    assert without_queue(found(notifyd_ward.mailpushd)) == []


def program_findings(site):
    return [f for f in examine(site.mailpushd)[1] if f["check"] in ("notify_external", "notifyd")]


@pytest.mark.parametrize("make", ["copy", "symbolic link", "script"])
def test_our_program_is_known_whatever_it_is_called(notifyd_ward, tmp, make):
    folder = notifyd_ward.cyrus.dir
    other = tmp / "to-phones"
    if make == "copy":
        shutil.copy(folder / "mailpush-notify", other)
    elif make == "symbolic link":
        other.symlink_to(folder / "mailpush-notify")
    else:
        other.write_text(f'#!/bin/sh\nexec {folder}/mailpush-notify "$@"\n')
        other.chmod(0o755)
    put(imapd_conf(notifyd_ward), f"notify_external: {other}")
    assert [f["level"] for f in program_findings(notifyd_ward)] == ["ok", "ok"]
    assert f"{other} is mailpush-notify " in program_findings(notifyd_ward)[-1]["why"]


def test_another_program_of_the_same_name_is_found(notifyd_ward, tmp):
    other = tmp / "mailpush-notify"
    shutil.copy("/bin/true", other)
    put(imapd_conf(notifyd_ward), f"notify_external: {other}")
    finding = program_findings(notifyd_ward)[-1]
    assert (finding["check"], finding["level"]) == ("notifyd", "fail")
    assert f"runs {other} instead of mailpush-notify" in finding["why"]


def test_a_program_that_does_not_end_is_ended(notifyd_ward, tmp):
    other = tmp / "hangs"
    other.write_text(f"#!/bin/sh\nyes mailpush &\nsleep 1000 # {tmp}\n")
    other.chmod(0o755)
    put(imapd_conf(notifyd_ward), f"notify_external: {other}")
    assert program_findings(notifyd_ward)[-1]["level"] == "fail"
    assert not [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if is_about(p, other)]


def is_about(cmdline, path):
    try:
        return str(path).encode() in cmdline.read_bytes()
    except OSError:
        return False


@AS_ROOT
def test_a_program_is_asked_without_privileges(notifyd_ward, tmp):
    tmp.chmod(0o777)
    other, said = tmp / "asks", tmp / "said"
    other.write_text(f"#!/bin/sh\nid -u > {said}; id -G >> {said}; env >> {said}\n")
    other.chmod(0o755)
    said.touch()
    said.chmod(0o666)
    put(imapd_conf(notifyd_ward), f"notify_external: {other}")
    program_findings(notifyd_ward)
    assert said.read_text() == ""           # no file may grow
    other.write_text("#!/bin/sh\necho mailpush-notify $(id -u) $(id -G) $(env | wc -l)\n")
    assert "is mailpush-notify 65534 65534 " in program_findings(notifyd_ward)[-1]["why"]


@AS_ROOT
@pytest.mark.parametrize("spoil, why", [
    (lambda path: path.chmod(0o757), "may be written by others than its owner (mode 0757)"),
    (lambda path: (os.chown(path, -1, 65534), path.chmod(0o775)),
     "may be written by others than its owner (mode 0775)"),
    (lambda path: os.chown(path, 65534, -1), "belongs to uid 65534, not to root")])
def test_a_program_that_others_may_change_is_not_run(notifyd_ward, spoil, why):
    program = notifyd_ward.cyrus.dir / "mailpush-notify"
    spoil(program)
    finding = program_findings(notifyd_ward)[-1]
    assert finding["level"] == "warn" and why in finding["why"]
    cure(notifyd_ward.mailpushd, finding)
    assert program_findings(notifyd_ward)[-1]["level"] == "ok"


@AS_ROOT
def test_a_program_that_cyrus_may_not_run_is_found(notifyd_ward):
    program = notifyd_ward.cyrus.dir / "mailpush-notify"
    program.chmod(0o644)
    [finding] = without_queue(found(notifyd_ward.mailpushd))
    assert (finding["check"], finding["level"]) == ("notify_external", "fail")
    cure(notifyd_ward.mailpushd, finding)
    assert without_queue(found(notifyd_ward.mailpushd)) == []
    kept = program.rename(notifyd_ward.cyrus.dir / "elsewhere")
    [finding] = without_queue(found(notifyd_ward.mailpushd))
    assert (finding["check"], finding["level"]) == ("notify_external", "fail")
    kept.rename(program)


def spool_findings(site):
    """The daemon itself has an alarm for some of it."""
    return [f for f in examine(site.mailpushd)[1] if f["check"] == "spool"]


@AS_ROOT
def test_a_spool_that_cyrus_cannot_write_into_is_found(notifyd_ward):
    spool = notifyd_ward.mailpushd.spool
    for spoil, level in [(lambda: os.chown(spool, -1, 0), "fail"),
                         (lambda: spool.chmod(0o2777), "warn")]:
        spoil()
        [finding] = spool_findings(notifyd_ward)
        assert finding["level"] == level
        cure(notifyd_ward.mailpushd, finding)
        assert [f["level"] for f in spool_findings(notifyd_ward)] == ["ok"]


def test_a_spool_that_is_missing_or_not_set_is_found(notifyd_ward):
    daemon = notifyd_ward.mailpushd
    daemon.stop()
    daemon.spool.rmdir()
    [finding] = spool_findings(notifyd_ward)
    assert finding["level"] == "fail"
    assert finding["run"] == f"install -d -o mailpush -g mail -m 2770 {daemon.spool}"
    daemon.write_conf(spool_dir="")
    [finding] = spool_findings(notifyd_ward)
    assert finding["level"] == "warn" and finding["line"].startswith("spool_dir = ")


@AS_ROOT
@pytest.mark.parametrize("length, level", [(10, "warn"), (512, "ok")])
def test_few_datagrams_that_may_wait_are_told(ward, length, level):
    """The kernel's setting belongs to a network namespace."""
    site = ward(cyrus={"transport": "datagram"})
    inside = ["unshare", "--net", "sh", "-c",
              f"echo {length} >/proc/sys/net/unix/max_dgram_qlen; exec \"$@\"", "sh"]
    _, findings = examine(site.mailpushd, wrapper=inside)
    [finding] = [f for f in findings if f["check"] == "max_dgram_qlen"]
    assert finding["level"] == level
    if level == "warn":
        assert finding["line"] == "net.unix.max_dgram_qlen = 512"


# ---- sockets ----

@AS_ROOT
def test_a_socket_that_cyrus_may_not_write_to_is_found(ward):
    site = ward(socket_mode="0600")
    [finding] = wait_found(site.mailpushd, ("permissions", "fail"))
    assert finding["line"] == "socket_mode = 0660"
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd)


@AS_ROOT
def test_a_socket_of_the_wrong_group_is_found(ward):
    site = ward(socket_group="nogroup")
    [finding] = wait_found(site.mailpushd, ("permissions", "fail"))
    assert finding["line"] == 'socket_group = "mail"'
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd)


@AS_ROOT
def test_a_folder_that_cyrus_may_not_enter_is_found(ward, tmp):
    folder = tmp / "run"
    folder.mkdir(mode=0o700)
    site = ward(stream_socket=folder / "cyrus")
    put(imapd_conf(site), f"notifysocket: dlist:{folder}/cyrus")
    [finding] = wait_found(site.mailpushd, ("socket", "fail"))
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd)


@AS_ROOT
def test_a_user_who_is_not_allowed_is_found(ward):
    site = ward(allowed_users=["root"])
    [finding] = wait_found(site.mailpushd, ("allowed_users", "fail"))
    # Nor does it become right when that user looks.
    as_cyrus = ["setpriv", "--reuid=mail", "--regid=mail", "--clear-groups"]
    assert ("allowed_users", "fail") in named(found(site.mailpushd, wrapper=as_cyrus))
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd)


@AS_ROOT
def test_events_that_were_refused_are_told(ward):
    site = ward(allowed_users=["root"])
    site.cyrus.create_user(user := new_user())
    site.cyrus.deliver(user)
    site.mailpushd.wait_log("allowed_users")
    wait_found(site.mailpushd, ("allowed_users", "fail"), ("events", "warn"))


def test_a_user_who_is_not_there_is_told(ward):
    site = ward()
    put(imapd_conf(site), "cyrus_user: no-such-user")
    [finding] = wait_found(site.mailpushd, ("permissions", "warn"))
    assert "no-such-user" in finding["why"]


def test_a_socket_that_nobody_listens_to_is_found(ward):
    site = ward()
    site.mailpushd.kill9()
    ill = wait_found(site.mailpushd, ("daemon", "fail"), ("socket", "fail"))
    assert "no program listens" in ill[1]["why"]
    cure(site.mailpushd, ill[0])
    wait_found(site.mailpushd)


def test_a_file_or_another_socket_in_its_place_is_found(ward):
    site = ward()
    path = site.mailpushd.stream_socket
    site.mailpushd.stop()
    path.write_text("")
    ill = wait_found(site.mailpushd, ("daemon", "fail"), ("socket", "fail"))
    assert "is not a socket" in ill[1]["why"]
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        path.chmod(0o666)
        ill = wait_found(site.mailpushd, ("daemon", "fail"), ("socket", "fail"))
        assert "of the other kind" in ill[1]["why"]
    path.unlink()


# ---- the daemon ----

def test_without_the_daemon_the_files_are_examined(ward):
    site = ward(start=False)
    status, findings = examine(site.mailpushd)
    assert status == 1
    assert named(ill_of(findings)) == [("daemon", "fail"), ("socket", "fail")]
    said = {f["check"]: f for f in findings}
    assert said["credential"]["level"] == "ok" and "expires on" in said["credential"]["why"]
    assert "can be reached and is trusted" in said["apple"]["why"]
    assert "not asked, as mailpushd did not answer" in said["apple"]["why"]


def test_the_daemon_is_found_by_the_configuration(ward):
    site = ward()
    text = subprocess.run([ctl_binary(), "doctor", "--config", site.mailpushd.conf],
                          capture_output=True, text=True).stdout
    assert "\nok   daemon " in text


def test_a_configuration_that_is_wrong_is_told(ward):
    site = ward()
    with site.mailpushd.conf.open("a") as file:
        file.write("colour = red\n")
    [finding] = found(site.mailpushd)
    assert (finding["check"], finding["level"]) == ("mailpush.conf", "fail")
    assert "unknown key" in finding["why"]
    site.mailpushd.conf.unlink()
    [finding] = found(site.mailpushd)
    assert (finding["check"], finding["level"]) == ("mailpush.conf", "fail")
    assert "--config" in finding["why"]


def test_settings_that_are_not_in_force_are_told(ward):
    site = ward()
    site.mailpushd.write_conf(deferred_delay="7s")
    [finding] = wait_found(site.mailpushd, ("settings", "warn"))
    assert "deferred_delay is '7s'" in finding["why"]
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd)


def test_an_alarm_that_stands_is_told(ward, tmp, sim):
    site = ward()
    (tmp / "c.pem").write_bytes(sim.client_cert.read_bytes())
    (tmp / "k.pem").write_bytes(sim.client_key.read_bytes())
    site.mailpushd.credentials["main"] = {"certificate": tmp / "c.pem", "key": tmp / "k.pem"}
    site.mailpushd.write_conf()
    site.mailpushd.restart()
    (tmp / "k.pem").unlink()
    ill = wait_found(site.mailpushd, ("alarm", "fail"), ("credential", "fail"))
    assert "credential-file:main" in ill[0]["why"]


# ---- Apple ----

def with_credential(site, **files):
    site.mailpushd.credentials["main"] = files
    site.mailpushd.write_conf()


def test_no_credential_is_a_failure(ward):
    site = ward()
    site.mailpushd.credentials.clear()
    site.mailpushd.write_conf()
    site.mailpushd.restart()
    wait_found(site.mailpushd, ("alarm", "fail"), ("aps_topic", "fail"), ("credential", "fail"))


def test_a_credential_that_apple_refuses_is_found(ward, sim):
    site = ward()
    sim.wait_trials(1)
    sim.control(do="token", token=ZEROS, status=403, reason="BadCertificate")
    [finding] = found(site.mailpushd)
    assert (finding["check"], finding["level"]) == ("credential", "fail")
    assert "BadCertificate" in finding["why"]


@pytest.mark.parametrize("settings, why", [
    ({"apns_host": "no-such-host.invalid"}, "cannot resolve 'no-such-host.invalid'"),
    ({"apns_ca_file": None}, "the server's certificate is not trusted"),
    ({"apns_port": 1}, "Connection refused")])
def test_why_the_daemon_cannot_ask_apple_is_told(ward, settings, why):
    site = ward(**settings)
    ill = wait_found(site.mailpushd, ("alarm", "fail"), ("credential", "fail"))
    assert all(why in f["why"] for f in ill), ill
    assert all("did not answer" not in f["why"] for f in ill)


def test_without_the_daemon_credentials_are_examined(ward, sim, tmp):
    site = ward(start=False)
    down = [("daemon", "fail"), ("socket", "fail")]
    certificate, key = sim.add_client("expired", TOPIC, "--days", "-1")
    with_credential(site, certificate=certificate, key=key)
    ill = wait_found(site.mailpushd, *down, ("credential", "fail"))
    assert "expired on" in next(f for f in ill if f["check"] == "credential")["why"]
    certificate, key = sim.add_client("soon", TOPIC, "--days", "9")
    with_credential(site, certificate=certificate, key=key)
    wait_found(site.mailpushd, *down, ("credential", "warn"))
    with_credential(site, certificate=certificate, key=sim.client_key)
    wait_found(site.mailpushd, *down, ("credential", "fail"))
    certificate, key = sim.add_client("other", OTHER_TOPIC)
    with_credential(site, certificate=certificate, key=key)
    ill = wait_found(site.mailpushd, *down, ("aps_topic", "fail"))
    assert next(f for f in ill if f["check"] == "aps_topic")["line"] == f"aps_topic: {OTHER_TOPIC}"
    with_credential(site, certificate=tmp / "missing.pem")
    wait_found(site.mailpushd, *down, ("credential", "fail"))


def test_an_apple_that_cannot_be_reached_or_trusted_is_found(ward, sim, tmp):
    site = ward(start=False)
    down = [("daemon", "fail"), ("socket", "fail")]
    site.mailpushd.write_conf(apns_ca_file=None)
    ill = wait_found(site.mailpushd, *down, ("apple", "fail"))
    assert "certificate" in next(f for f in ill if f["check"] == "apple")["why"]
    site.mailpushd.write_conf(apns_ca_file=sim.ca, apns_port=1)
    wait_found(site.mailpushd, *down, ("apple", "fail"))
    site.mailpushd.write_conf(apns_host="no-such-host.invalid", apns_port=443)
    wait_found(site.mailpushd, *down, ("apple", "fail"))


# ---- who may read what ----

@AS_ROOT
def test_what_this_user_may_not_read_is_not_called_wrong(ward, tmp, sim):
    site = ward()
    (tmp / "c.pem").write_bytes(sim.client_cert.read_bytes() + sim.client_key.read_bytes())
    (tmp / "c.pem").chmod(0o600)
    with_credential(site, certificate=tmp / "c.pem")
    imapd_conf(site).chmod(0o600)
    try:
        ill = wait_found(site.mailpushd, ("daemon", "warn"), ("credential", "warn"),
                         ("imapd.conf", "warn"), ("apple", "warn"), wrapper=NOBODY)
        assert all("Permission denied" in f["why"] for f in ill if f["check"] != "daemon")
    finally:
        imapd_conf(site).chmod(0o644)


@AS_ROOT
@pytest.mark.parametrize("by, user", [("user", "nobody"), ("owner", "daemon")])
def test_without_the_daemon_what_its_user_may_not_read_is_found(ward, tmp, sim, by, user):
    """Its user is the one that is set, or the owner of the registry's folder."""
    site = ward(start=False)
    (tmp / "c.pem").write_bytes(sim.client_cert.read_bytes() + sim.client_key.read_bytes())
    (tmp / "c.pem").chmod(0o600)
    site.mailpushd.credentials["main"] = {"certificate": tmp / "c.pem"}
    shutil.copy(sim.ca, tmp / "ca.pem")
    (tmp / "state").mkdir()
    site.mailpushd.write_conf(apns_ca_file=tmp / "ca.pem", registry=f"sqlite:{tmp}/state/registry.sqlite",
                              **({"user": user} if by == "user" else {}))
    if by == "owner":
        shutil.chown(tmp / "state", user)
    down = [("daemon", "fail"), ("socket", "fail")]
    ill = wait_found(site.mailpushd, *down, ("credential", "fail"))
    finding = next(f for f in ill if f["check"] == "credential")
    assert finding["why"].startswith(f"mailpushd runs as user {user}, who cannot read ")
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd, *down)


# ---- disks ----

@AS_ROOT
@pytest.mark.parametrize("size, level", [("8m", "fail"), ("64m", "warn"), ("600m", "ok")])
def test_a_disk_that_is_nearly_full_is_told(ward, tmp, size, level):
    site = ward(start=False)
    (tmp / "small").mkdir()
    site.mailpushd.write_conf(registry=f"sqlite:{tmp}/small/registry.sqlite")
    inside = ["unshare", "--mount", "sh", "-c",
              f"mount -t tmpfs -o size={size} tmpfs {tmp}/small && exec \"$@\"", "sh"]
    _, findings = examine(site.mailpushd, wrapper=inside)
    levels = [f["level"] for f in findings if f["check"] == "disk"]
    assert levels == [level, "ok"]


# ---- one user ----

def examine_user(site, user):
    """What is said of the user, before all else, and whether that alone would be a failure."""
    status, findings = examine(site.mailpushd, "--user", user)
    assert status == any(f["level"] == "fail" for f in findings)
    of_user = findings[:[f["check"] for f in findings].index("mailpush.conf")]
    return int(any(f["level"] == "fail" for f in of_user)), of_user


def test_a_phone_that_is_pushed_to_is_told_with_what_is_left(ward):
    site = ward()
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX", "Notes")
    site.deliver(user, "Notes")
    site.told(phone, "Notes")
    status, findings = examine_user(site, user)
    assert status == 0 and {f["level"] for f in findings} == {"ok"}
    said = {f["check"]: f["why"] for f in reversed(findings)}
    assert said["device"].startswith(phone.token[:8] + "... was renewed ")
    assert said["mailboxes"] == "registered for INBOX, Notes"
    assert said["event"].startswith("the last one came ")
    assert "its last answer is 200" in said["push"]
    advice = " ".join(f["why"] for f in findings if f["check"] == "phone")
    for word in ("Push, not Fetch", "alerts are on", "Low Power Mode", "aps_topic"):
        assert word in advice


@pytest.mark.parametrize("user, hint", [("nobody-here", "with the domain"),
                                        ("Alice", "lower case")])
def test_a_user_without_a_phone_is_told_so(ward, user, hint):
    status, [finding] = examine_user(ward(), user)
    assert status == 1 and (finding["check"], finding["level"]) == ("user", "fail")
    assert "set the account to Push" in finding["why"] and hint in finding["why"]


def test_what_apple_refused_for_good_is_told(ward, sim):
    site = ward()
    user = site.create_user()
    phone = site.registered_phone(user, "INBOX")
    sim.control(do="token", token=phone.token, status=400, reason="DeviceTokenNotForTopic")
    site.deliver(user)
    site.mailpushd.wait_log("registrations are stopped")
    _, findings = examine_user(site, user)
    levels = {f["check"]: f["level"] for f in findings}
    assert levels == {"device": "fail", "mailboxes": "ok"}
    assert "DeviceTokenNotForTopic" in findings[0]["why"]


def test_what_apple_did_not_take_is_told(ward, sim):
    site = ward()
    user = site.create_user()
    phone = site.registered_phone(user, "INBOX")
    sim.control(do="token", token=phone.token, status=429, reason="TooManyRequests")
    site.deliver(user)
    site.mailpushd.wait_log("TooManyRequests")
    _, findings = examine_user(site, user)
    levels = {f["check"]: f["level"] for f in findings}
    assert levels["push"] == "fail" and "phone" not in levels
    [push] = [f["why"] for f in findings if f["check"] == "push"]
    assert "429 TooManyRequests: Apple got too many pushes" in push


def test_a_phone_that_registered_for_nothing_is_told(ward):
    site = ward()
    user = site.create_user()
    site.phone(user).register("Nowhere")
    site.mailpushd.wait_log("registered")
    status, findings = examine_user(site, user)
    assert status == 1
    assert named(f for f in findings if f["level"] != "ok") == [
        ("event", "warn"), ("mailboxes", "fail"), ("push", "warn")]
    assert findings[-1]["run"] == f"mailpushctl push {user}"


def test_a_phone_that_was_not_renewed_for_long_is_told(ward):
    site = ward()
    user = site.create_user()
    site.registered_phone(user, "INBOX")
    site.mailpushd.stop()
    with contextlib.closing(sqlite3.connect(site.mailpushd.dir / "registry.sqlite")) as db, db:
        db.execute("UPDATE registration SET renewed_ms = renewed_ms - 8 * 86400000")
    site.mailpushd.start()
    _, findings = examine_user(site, user)
    [finding] = [f for f in findings if f["level"] != "ok"]
    assert finding["check"] == "device" and "was renewed 8 d ago" in finding["why"]


def test_a_phone_of_a_former_topic_is_told(ward, sim):
    site = ward()
    user = site.create_user()
    site.registered_phone(user, "INBOX")
    certificate, key = sim.add_client("other", OTHER_TOPIC)
    site.mailpushd.credentials["other"] = {"certificate": certificate, "key": key}
    site.mailpushd.write_conf()
    put(imapd_conf(site), f"aps_topic: {OTHER_TOPIC}")
    site.mailpushd.restart()
    _, findings = examine_user(site, user)
    [finding] = [f for f in findings if f["level"] != "ok"]
    assert (finding["check"], finding["level"]) == ("topic", "warn")
    assert "registers again" in finding["why"]
    del site.mailpushd.credentials["main"]
    site.mailpushd.write_conf()
    site.mailpushd.restart()
    _, findings = examine_user(site, user)
    assert [f["level"] for f in findings if f["check"] == "topic"] == ["fail"]


def test_a_user_without_the_daemon_is_told_clearly(ward):
    site = ward(start=False)
    _, [finding] = examine_user(site, "alice")
    assert finding["level"] == "warn" and "mailpushd did not answer" in finding["why"]
