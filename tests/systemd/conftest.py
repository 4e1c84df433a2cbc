"""Tests under a real systemd; they need root, cgroups, and `script/bootstrap --release`."""

import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "system"), str(TESTS / "package")]

from built import packages  # noqa: E402, F401  (a fixture for these tests too)
