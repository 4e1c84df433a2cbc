"""Tests under a real systemd; they need root, cgroups, and `script/bootstrap --all`."""

import pathlib
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "system"), str(TESTS / "package")]


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    subprocess.run([TESTS.parent / "script/package", folder], check=True)
    return folder
