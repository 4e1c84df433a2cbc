"""What script/package builds."""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """The folder with the packages of what is committed."""
    folder = tmp_path_factory.mktemp("packages")
    subprocess.run([ROOT / "script/package", "-o", folder], check=True)
    return folder


def package(folder, name):
    return next(folder.glob(f"{name}_*.deb"))
