"""The programs as built for use are hardened; asserts are on."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("MAILPUSH_BUILD", ROOT / "build"))
# Of Dovecot's plugins only with its headers.
KEEP = "src/dovecot/mailpush-dovecot-keep"
DOVECOT = sorted(str(path.relative_to(BUILD)) for path in BUILD.glob("src/dovecot/*_plugin.so"))
PROGRAMS = ["src/daemon/mailpushd", "src/notify/mailpush-notify", "src/sim/apns-sim", *([KEEP] if DOVECOT else [])]


def readelf(option, program):
    return subprocess.run(["readelf", "-W", option, str(BUILD / program)],
                          capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_is_position_independent(program):
    assert "DYN (Position-Independent Executable file)" in readelf("-h", program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_its_tables_are_read_only_from_the_start(program):
    assert "GNU_RELRO" in readelf("-l", program)
    assert "BIND_NOW" in readelf("-d", program) or "NOW" in readelf("-d", program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_its_stack_is_protected_and_not_executable(program):
    assert "__stack_chk_fail" in readelf("--dyn-syms", program)
    stack = [line for line in readelf("-l", program).splitlines() if "GNU_STACK" in line]
    assert stack and " RWE " not in stack[0]


@pytest.mark.parametrize("program", PROGRAMS)
def test_calls_that_write_are_checked(program):
    assert "_chk@" in readelf("--dyn-syms", program).replace("__stack_chk_fail@", "")


@pytest.mark.parametrize("program", PROGRAMS)
def test_asserts_are_on(program):
    assert "__assert_fail" in readelf("--dyn-syms", program)


@pytest.mark.parametrize("program", ["src/notify/mailpush-notify", *DOVECOT, *([KEEP] if DOVECOT else [])])
def test_what_mail_waits_for_needs_nothing_but_libc(program):
    needed = [line.split("[")[1].rstrip("]") for line in
              readelf("-d", program).splitlines() if "(NEEDED)" in line]
    assert needed == ["libc.so.6"]
