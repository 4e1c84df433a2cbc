"""script/package: what it takes and refuses, and where packages go; nothing is built."""

import os
import pathlib
import shutil
import subprocess

import pytest

import base

ROOT = pathlib.Path(__file__).resolve().parents[2]
OTHER = "trixie" if base.release_here() != "trixie" else "bookworm"
GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
       "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}
# What builds a package for this release, and for another.
BUILDS = """#!/bin/sh
for kind in deb changes buildinfo; do
	echo here >"../mailpush_$(cat version)_all.$kind"
done
"""
BUILDS_THERE = """#!/bin/sh
folder=$MAILPUSH_CACHE/releases/$3/srv/mailpush/build-sent
mkdir -p "$folder"
for kind in deb changes buildinfo; do
	echo "$3" >"$folder/mailpush_1~$3_all.$kind"
done
"""


class Clone:
    """A clone in which building is played."""

    def __init__(self, folder):
        self.folder = folder / "clone"
        self.packages = self.folder / "build-package"
        self.environment = {**os.environ, **GIT, "PATH": f"{folder}/programs:{os.environ['PATH']}",
                            "MAILPUSH_CACHE": str(folder / "cache")}
        for name in ("script/package", "script/version", "meson.build", "packaging/debian/control",
                     "packaging/debian/changelog", ".gitignore"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.folder / name)
        for path, text in ((folder / "programs/dpkg-buildpackage", BUILDS),
                           (self.folder / "script/releases", BUILDS_THERE)):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)

    def git(self, *arguments):
        subprocess.run(["git", *arguments], cwd=self.folder, env=self.environment, check=True)

    def package(self, *arguments, **environment):
        return subprocess.run([self.folder / "script/package", *arguments], text=True, timeout=60,
                              env={**self.environment, **environment}, capture_output=True)

    def has(self, name):
        return sorted(path.name for path in self.packages.glob(name))


@pytest.fixture
def source(tmp_path):
    return Clone(tmp_path)


@pytest.fixture
def clone(source):
    source.git("init", "-q")
    source.git("add", "--all")
    source.git("commit", "-qm", "first")
    return source


def test_only_this_machines_release_is_where_the_pages_install_from(clone):
    clone.packages.mkdir()
    (clone.packages / "mailpush_0.1~deb99u1_all.deb").touch()
    done = clone.package("-v", "1", base.release_here(), OTHER)
    assert (done.returncode, done.stderr) == (0, "")
    assert clone.has("*.deb") == ["mailpush_1_all.deb"]
    assert clone.has(f"{OTHER}/*") == [f"mailpush_1~{OTHER}_all.{kind}"
                                       for kind in ("buildinfo", "changes", "deb")]


def test_later_packages_take_the_place_of_earlier_ones(clone):
    for folder in (clone.packages, clone.packages / OTHER):
        folder.mkdir()
        (folder / "mailpush_0.1_all.deb").touch()
        (folder / "notes").touch()
    assert clone.package("-v", "1", base.release_here(), OTHER).returncode == 0
    assert clone.has("*.deb") == ["mailpush_1_all.deb"]
    assert clone.has(f"{OTHER}/*.deb") == [f"mailpush_1~{OTHER}_all.deb"]
    assert len(clone.has("notes") + clone.has(f"{OTHER}/notes")) == 2


@pytest.mark.parametrize("arguments", [("trixie", "--all"), ("--all", "trixie"), ("trixie", "-o", "/tmp"),
                                       ("potato",), ("--most",)], ids=" ".join)
def test_arguments_that_make_no_sense_print_the_usage(clone, arguments):
    done = clone.package(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("package - ") and done.stderr.endswith("unit tests out.\n")
    assert not clone.packages.exists()


def refused(done):
    assert (done.returncode, done.stdout) == (1, "")
    said, = done.stderr.splitlines()
    return said


def test_a_clone_of_another_user_says_how_git_reads_it(clone):
    said = refused(clone.package(GIT_TEST_ASSUME_DIFFERENT_OWNER="1"))
    assert said == (f"package: another user owns {clone.folder}, so git does not read it; chown it, or run: "
                    f"git config --global --add safe.directory {clone.folder}")


def test_what_is_no_clone_says_so(source):
    assert refused(source.package()) == (f"package: {source.folder} is not a clone with a commit; "
                                         "get the source with git clone")


def test_what_lies_in_the_clone_of_something_else_is_no_clone(source):
    for command in (["init", "-q", ".."], ["-C", "..", "commit", "--allow-empty", "-qm", "first"]):
        source.git(*command)
    assert "is not a clone" in refused(source.package())
