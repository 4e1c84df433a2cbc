"""docs/cyrus.md, Install: from the source it becomes what the package is, below /usr/local."""

import os
import pathlib
import re
import subprocess

import pytest

from docpage import Page
from machine import Machine
from test_package import check, set_up_cyrus

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARIES = ("libuv1", "libnghttp2-14", "libssl3", "libjansson4", "libsqlite3-0", "libconfuse2",
             "libmicrohttpd12", "libcurl4", "libpq5", "libmariadb3")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """What is committed."""
    source = tmp_path_factory.mktemp("source")
    archive = subprocess.run(["git", "-C", ROOT, "archive", "HEAD"], check=True,
                             capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", source], input=archive, check=True)
    return source


@pytest.fixture(scope="module")
def machine(source):
    """A machine on which the block was typed; the compiler is its host's."""
    lines = Page("cyrus.md").block("meson install").splitlines()
    with Machine() as machine:
        machine.run("apt-get", "-qq", "update")
        machine.run("apt-get", "-qq", "-y", "--no-install-recommends", "install", *LIBRARIES)
        for line in lines:
            if line.startswith("meson"):
                subprocess.run(["sh", "-euc", line], cwd=source, check=True, capture_output=True,
                               env={**os.environ, "CC": "gcc", "DESTDIR": machine.path("/")})
            else:
                machine.run("sh", "-euc", line)
        yield machine


@pytest.mark.parametrize("path, about", [
    ("/etc/mailpush/mailpush.conf", "root:mailpush 640"),
    ("/run/mailpush", "mailpush:mailpush 755"),
    ("/var/lib/mailpush", "mailpush:mailpush 750"),
    ("/var/spool/mailpush", "mailpush:mail 2770"),
    ("/usr/local/sbin/mailpushd", "root:root 755"),
    ("/usr/local/sbin/mailpush-notify", "root:root 755"),
    ("/usr/local/share/man/man5/mailpush.conf.5", "root:root 644"),
])
def test_each_place_has_its_owner_and_mode(machine, path, about):
    assert machine.about(path) == about


def test_the_unit_runs_what_was_installed(machine):
    unit = "/usr/local/lib/systemd/system/mailpush.service"
    assert re.search("^ExecStart=/usr/local/sbin/mailpushd$", machine.path(unit).read_text(), re.M)
    done = machine.run("systemd-analyze", "verify", "--man=no", unit, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_as_installed_it_is_fine_but_for_a_certificate(machine):
    set_up_cyrus(machine)
    done = check(machine)
    assert (done.returncode, done.stdout) == (0, "/etc/mailpush/mailpush.conf: ok\n")
    assert "no credential" in done.stderr


def test_another_group_is_joined_by_the_daemon(machine):
    """Permissions: Cyrus runs as imap in a group of the same name."""
    machine.run("useradd", "--system", "--user-group", "imap")
    machine.run("sh", "-euc", Page("cyrus.md").block("usermod"))
    conf = machine.path("/etc/mailpush/mailpush.conf")
    conf.write_text(conf.read_text() + Page("cyrus.md").block("socket_group"))
    assert check(machine).returncode == 0
    assert machine.run("id", "-Gn", "mailpush").stdout.split() == ["mailpush", "mail", "imap"]


def test_it_is_uninstalled_but_for_what_the_page_says(machine, source):
    assert "`ninja -C build uninstall`" in Page("cyrus.md").text
    machine.run("touch", "/var/lib/mailpush/registry.db")
    subprocess.run(["ninja", "-C", "build", "uninstall"], cwd=source, check=True, capture_output=True)
    assert machine.run("find", "/usr/local", "-name", "*mailpush*", "-o", "-name", "apns-sim*").stdout == ""
    for path in ("/etc/mailpush/mailpush.conf", "/var/lib/mailpush/registry.db", "/var/spool/mailpush"):
        assert machine.path(path).exists(), path
    assert machine.run("id", "-un", "mailpush").stdout == "mailpush\n"
