"""The metrics, as Prometheus' own tool reads them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SYSTEM = Path(__file__).resolve().parents[1] / "system"
sys.path.insert(0, str(SYSTEM))

from conftest import *  # noqa: E402,F401,F403  the fixtures of the system tests
from control import tcp  # noqa: E402
from ports import free_port  # noqa: E402


def check(text):
    return subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                          text=True, timeout=60)


def test_promtool_finds_nothing_wrong(bare_site_for):
    port = free_port()
    site = bare_site_for(http_listen=f"127.0.0.1:{port}")
    empty = check(tcp(port, "/metrics")[1])
    assert (empty.returncode, empty.stdout, empty.stderr) == (0, "", "")
    site.sim.control(do="next", status=503, reason="ServiceUnavailable")
    phone = site.registered_phone("INBOX", "Notes")
    site.deliver(phone.user, "Notes")
    site.told(phone, "Notes")
    done = check(tcp(port, "/metrics")[1])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_promtool_would_find_something():
    assert check("mailpush_things 1\n").returncode != 0 or check("mailpush{ 1\n").returncode != 0


@pytest.mark.parametrize("name", ["weird\"name", "back\\\\slash", b"K\xf6ln", "ö" * 60],
                         ids=["a quote", "a backslash", "Latin-1", "cut within a character"])
def test_a_name_of_a_credential_cannot_break_the_format(bare_site_for, sim, name):
    port = free_port()
    site = bare_site_for(start=False, http_listen=f"127.0.0.1:{port}")
    name = os.fsencode(name).replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    conf = site.mailpushd.conf
    conf.write_bytes(conf.read_bytes().replace(b'credential "main"', b'credential "%s"' % name) +
                     b'\ncredential "2%s" { certificate = "/no/such/file" }\n' % name)
    site.mailpushd.start()
    text = tcp(port, "/metrics")[1]
    assert "mailpush_credential_works{" in text and 'mailpush_alarm{name="credential-file:2' in text
    assert check(text).returncode == 0
