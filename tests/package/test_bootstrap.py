"""script/bootstrap: what it takes, and what it says of systems that it was not tried on; nothing is installed."""

import os
import pathlib
import subprocess

import pytest

BOOTSTRAP = pathlib.Path(__file__).resolve().parents[2] / "script/bootstrap"
# All packages are there.
DPKG_QUERY = """#!/bin/sh
shift 3
for package; do
	echo "installed $package"
done
"""


@pytest.fixture
def on(tmp_path):
    """on(name, option): script/bootstrap on a system whose release is called so; it reaches no cache and no apt-get."""
    for program, text in (("dpkg-query", DPKG_QUERY), ("apt-get", "#!/bin/sh\nexit 1\n")):
        (tmp_path / program).write_text(text)
        (tmp_path / program).chmod(0o755)
    isolated = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MAILPUSH_CACHE": str(tmp_path / "cache")}

    def run(name, option="--package"):
        (tmp_path / "os-release").write_text(f"VERSION_CODENAME={name}\n")
        return subprocess.run(["unshare", "--mount", "sh", "-euc",
                               'mount --bind "$1" /etc/os-release; exec "$2" $3', "sh",
                               tmp_path / "os-release", BOOTSTRAP, option], capture_output=True, text=True,
                              env={**os.environ, **isolated}, timeout=60)
    return run


@pytest.mark.parametrize("arguments", [("--package", "--all"), ("", "--all"), ("--most",)], ids=str)
def test_arguments_that_make_no_sense_print_the_usage(arguments):
    done = subprocess.run([BOOTSTRAP, *arguments], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 5 and all(line.startswith("  script/bootstrap ") for line in lines)


def test_a_debian_is_quiet_when_all_is_there(on):
    done = on("trixie")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_ubuntu_is_told_that_it_was_not_tried(on):
    done = on("noble")
    assert (done.returncode, done.stdout) == (0, "")
    line, = done.stderr.splitlines()
    assert line.startswith("bootstrap: this script was not tried on Ubuntu 24.04")


def test_another_system_is_told_of_all_that_are_known(on):
    done = on("potato")
    assert done.returncode == 1
    assert "Debian 12, 13 and testing, and on Ubuntu 24.04, only" in done.stderr
    assert " gcc " in done.stderr


TO_BUILD = {"gcc", "meson", "libsqlite3-dev", "dovecot-dev"}
TO_TEST = {"clang", "mandoc", "python3-pytest", "valgrind", "dovecot-imapd", "libicu76"}
DATABASES = {"postgresql", "mariadb-server-core", "galera-4"}
TO_PACKAGE = {"build-essential", "debhelper", "fakeroot"}
TO_RELEASE = {"debootstrap", "lintian"}
FOR_THE_PAGE = {"chromium", "chromium-driver", "prometheus"}
UNPACKED = {"cyrus-imapd", "pgbouncer"}
EVERYTHING = TO_BUILD | TO_TEST | DATABASES | TO_PACKAGE | TO_RELEASE | FOR_THE_PAGE | UNPACKED


@pytest.mark.parametrize("option, wanted", [
    ("", TO_BUILD | TO_TEST | DATABASES | UNPACKED),
    ("--demo", TO_BUILD | TO_TEST | UNPACKED),
    ("--package", TO_BUILD | TO_PACKAGE),
    ("--release", EVERYTHING - FOR_THE_PAGE),
    ("--all", EVERYTHING),
])
def test_each_option_brings_what_it_is_for_and_no_more(on, option, wanted):
    """Another system is told of all that is meant."""
    assert EVERYTHING.intersection(on("potato", option).stderr.replace(",", " ").split()) == wanted
