"""Tests of the Debian packages; they need root and `script/bootstrap --release`."""

import contextlib
import pathlib
import socket
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from built import packages  # noqa: E402, F401  (a fixture for all tests)
from waiting import wait_until  # noqa: E402


def is_bound(claim):
    with contextlib.suppress(OSError):
        claim.bind("\0mailpush tests/package")
        return True
    return False


@pytest.fixture(scope="session", autouse=True)
def alone():
    """Mail's ports are those of the network, which all systems here share: one run after the other."""
    with socket.socket(socket.AF_UNIX) as claim:
        wait_until(lambda: is_bound(claim), timeout=3600, what="the end of another run")
        yield
