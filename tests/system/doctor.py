"""mailpushctl doctor, its findings, and their remedies followed to the letter.

    ill = found(daemon)                     # what is not ok: a list of findings
    cure(site, ill[0])                      # puts the line where it says, runs what it says
"""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from control import ctl
from waiting import wait_until

# What depends on the machine that the tests run on, and on how long Cyrus keeps a process.
OF_THE_MACHINE = {"clock", "imap", "processes"}

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user as well")
OTHER_TOPIC = "com.apple.mobilemail.push.com.example.other"
NOBODY = ["setpriv", "--reuid=nobody", "--regid=65534", "--clear-groups"]
GROUPS = "message flags mailbox applepushservice"


def examine(daemon, *options, **how):
    """(exit status, findings)"""
    status, findings, _ = examine_and_count(daemon, *options, **how)
    return status, findings


def examine_and_count(daemon, *options, **how):
    """(exit status, findings, how many there are of each level)"""
    done = ctl(daemon, "doctor", "--json", "--config", daemon.conf, *options, **how)
    assert done.stderr == "" and done.returncode in (0, 1, 4), (done.returncode, done.stderr)
    *findings, count = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, findings, count


def ill_of(findings, ignored=frozenset(OF_THE_MACHINE)):
    return [f for f in findings if f["level"] != "ok" and f["check"] not in ignored]


def found(daemon, *options, **how):
    """What is not ok, apart from what the machine is to blame for."""
    return ill_of(examine(daemon, *options, **how)[1])


def named(findings):
    return sorted((f["check"], f["level"]) for f in findings)


def wait_found(daemon, *wanted, options=(), **how):
    """Wait until exactly these, such as ("aps_topic", "fail"), are found; returns them."""
    last = []

    def is_found():
        last[:] = found(daemon, *options, **how)
        return named(last) == sorted(wanted)
    try:
        wait_until(is_found, what=f"{wanted}")
    except TimeoutError as error:
        raise TimeoutError(f"{error}; found {last}") from None
    return list(last)


def put(file, line):
    """In place of what sets the same key there, or behind all; a service among the others."""
    path = pathlib.Path(file)
    if path.name == "cyrus.conf":
        path.write_text(path.read_text().replace("SERVICES {\n", f"SERVICES {{\n  {line}\n"))
        return
    key = re.match(r"#?([\w.-]+)", line).group(1)
    before = path.read_text().splitlines() if path.exists() else []
    kept = [text for text in before if not re.match(rf"{re.escape(key)}\s*[:=]", text)]
    sections = next((i for i, text in enumerate(kept) if text.endswith("{")), len(kept))
    path.write_text("\n".join([*kept[:sections], line, *kept[sections:]]) + "\n")


def cure(daemon, finding, cyrus=None, dovecot=None):
    """Do what the finding says, where systemctl is us."""
    assert "line" in finding or "run" in finding, finding
    assert finding.get("run", "").isprintable(), finding    # it can be copied from the terminal
    if "line" in finding:
        put(finding["file"], finding["line"])
    for command in finding.get("run", "").split(" && "):
        if command in ("systemctl restart mailpush", "systemctl start mailpush"):
            daemon.stop()
            daemon.start()
        elif command == "systemctl reload mailpush":
            daemon.reload()
        elif command == "systemctl restart cyrus-imapd":
            if cyrus:
                cyrus.stop()
                cyrus.start()
        elif command == "systemctl restart dovecot":
            dovecot.stop()
            dovecot.start()
        elif command == "systemctl reload dovecot":
            dovecot.doveadm("reload")
        elif command:
            subprocess.run(["sh", "-c", command], check=True)


def rewrite(path, text):
    """Put this in its place, whole from one moment to the next: a server may read it at any time."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    shutil.copymode(path, fresh)
    fresh.replace(path)


def edit(path, old, new):
    text = path.read_text()
    assert old in text, (old, text)
    rewrite(path, text.replace(old, new))


def unset(path, key):
    lines = path.read_text().splitlines(keepends=True)
    rewrite(path, "".join(line for line in lines if not line.startswith(f"{key}:")))


def imapd_conf(site):
    return site.cyrus.dir / "imapd.conf"


def with_credential(site, **files):
    site.mailpushd.credentials["main"] = files
    site.mailpushd.write_conf()
