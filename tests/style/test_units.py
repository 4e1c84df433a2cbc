"""systemd understands our units as they would be installed, and finds them well shut in."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("MAILPUSH_BUILD", ROOT / "build"))
SYSTEMD = ROOT / "packaging/systemd"
EXPOSURE_MAX = 1.5


@pytest.fixture
def units(tmp_path):
    """All units, as installed."""
    for path in SYSTEMD.iterdir():
        text = path.read_text().replace("@sbindir@", str(BUILD / "src/daemon"))
        (tmp_path / path.name.removesuffix(".in")).write_text(text)
    return sorted(tmp_path.iterdir())


@pytest.fixture
def settings(units):
    """What each key of the service is set to: a key may stand more than once."""
    settings = {}
    for line in next(unit for unit in units if unit.suffix == ".service").read_text().splitlines():
        if re.match(r"\w+=", line):
            key, value = line.split("=", 1)
            settings.setdefault(key, []).append(value)
    return settings


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True)


def test_systemd_finds_no_fault_with_the_units(units):
    assert {path.suffix for path in units} == {".service", ".socket"}
    verified = analyze("verify", "--man=no", *units)
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


def test_a_service_leaves_little_to_an_intruder(units):
    for unit in units:
        if unit.suffix == ".service":
            said = analyze("security", "--offline=yes", "--no-pager", unit).stdout
            exposure = re.search(rf"Overall exposure level for {unit.name}: ([\d.]+)", said)[1]
            assert float(exposure) <= EXPOSURE_MAX, said


def test_it_sees_whose_events_come_and_leaves_no_core(settings):
    assert "PrivateUsers" not in settings       # SO_PEERCRED would say nobody for most of them
    assert settings["LimitCORE"] == ["0"]


def test_it_makes_no_privileged_calls_and_leaves_nothing_shared(settings):
    filters = settings["SystemCallFilter"]
    refused = {group for value in filters if value.startswith("~") for group in value[1:].split()}
    allowed = {group for value in filters if not value.startswith("~") for group in value.split()}
    assert "@privileged" in refused
    assert "@resources" in refused
    assert allowed == {"@system-service", "@chown"}     # a later line would allow again what is refused
    assert settings["RemoveIPC"] == ["yes"]


def test_it_starts_before_the_mail_servers(settings):
    """A session of Dovecot's that begins earlier does not offer push."""
    assert settings["Before"] == ["cyrus-imapd.service dovecot.service"]


def test_the_man_pages_that_the_units_name_are_in_the_project(units):
    named = {page for unit in units for page in re.findall(r"man:([\w.-]+\(\d\))", unit.read_text())}
    ours = {f"{path.stem}({path.suffix[1:]})" for path in (ROOT / "man").glob("*.[158]")}
    assert named and named <= ours
