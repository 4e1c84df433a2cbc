"""mailpushctl doctor: databases that the daemon cannot use, and the wrong Apple."""

import os
import shutil

import pytest

from doctor import cure, found
from test_doctor import ward     # noqa: F401  (a fixture for these tests too)

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user as well")


@AS_ROOT
@pytest.mark.parametrize("name", ["registry", "queue"])
def test_a_database_that_root_has_made_is_found(ward, tmp, name):    # noqa: F811
    site = ward(start=False)
    state = tmp / "state"
    state.mkdir()
    shutil.chown(state, "daemon")
    (state / f"{name}.sqlite").touch()
    places = {"registry": f"sqlite:{state}/registry.sqlite", "queue": state / "queue.sqlite"}
    site.mailpushd.write_conf(**places)
    [finding] = [f for f in found(site.mailpushd) if f["check"] == name]
    assert "belongs to root" in finding["why"]
    cure(site.mailpushd, finding)
    assert name not in {f["check"] for f in found(site.mailpushd)}


def test_the_apple_of_apps_that_are_being_written_is_found(ward):    # noqa: F811
    site = ward(start=False)
    site.mailpushd.write_conf(apns_host="api.sandbox.push.apple.com.invalid")
    [finding] = [f for f in found(site.mailpushd) if f["check"] == "apns_host"]
    assert finding["line"] == 'apns_host = "api.push.apple.com"'
    assert finding["file"] == str(site.mailpushd.conf)
