"""mailpushctl doctor: notifyd, the program that it runs, the spool folder, datagrams that may wait."""

import os
import pathlib
import shutil

import pytest

from doctor import AS_ROOT, cure, examine, found, imapd_conf, put, unset
from waiting import wait_until


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
    tmp.chmod(0o777)
    other, ran = tmp / "hangs", tmp / "ran"
    for name in ("yes", "sleep"):
        shutil.copy(f"/usr/bin/{name}", f"{other}-{name}")
    other.write_text(f"#!/bin/sh\ntouch {ran}\n{other}-yes mailpush &\n{other}-sleep 1000\n")
    other.chmod(0o755)
    put(imapd_conf(notifyd_ward), f"notify_external: {other}")
    assert program_findings(notifyd_ward)[-1]["level"] == "fail"
    assert ran.exists()
    wait_until(lambda: not [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if is_about(p, other)],
               what="the end of all that it began")


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
def test_few_datagrams_that_may_wait_are_reported(ward, length, level):
    """The kernel's setting belongs to a network namespace."""
    site = ward(cyrus={"transport": "datagram"})
    inside = ["unshare", "--net", "sh", "-c",
              f"echo {length} >/proc/sys/net/unix/max_dgram_qlen; exec \"$@\"", "sh"]
    _, findings = examine(site.mailpushd, wrapper=inside)
    [finding] = [f for f in findings if f["check"] == "max_dgram_qlen"]
    assert finding["level"] == level
    if level == "warn":
        assert finding["line"] == "net.unix.max_dgram_qlen = 512"
