"""mailpushctl waits half a minute for an answer, then says what that means."""

import sys
from pathlib import Path

SYSTEM = Path(__file__).resolve().parents[1] / "system"
sys.path.insert(0, str(SYSTEM))

import conftest  # noqa: E402
from conftest import *  # noqa: E402,F401,F403  the fixtures of the system tests
from control import ctl  # noqa: E402
from mailsite import BarePhone, locked, new_user  # noqa: E402

conftest.LIMIT_S = 300
WAIT_S = 120


def test_a_registry_that_does_not_answer_is_no_reason_to_restart(bare_site):
    site = bare_site
    with locked(site.mailpushd.dir / "registry.sqlite"):
        site.register(BarePhone(new_user()))   # parked: its batch, and what comes behind it, waits
        done = ctl(site.mailpushd, "devices", timeout=WAIT_S)
    assert done.returncode == 1
    assert "mailpushd works, but did not answer this for 30 s" in done.stderr and "restart" not in done.stderr
