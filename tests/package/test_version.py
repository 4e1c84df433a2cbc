"""script/version: what a build is called follows from the tag of its commit."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
       "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
       "GIT_AUTHOR_DATE": "1700000000 +0200", "GIT_COMMITTER_DATE": "1700000000 +0200",
       "PATH": "/usr/bin:/bin"}


class Source:
    """A tree with the script in it."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "script").mkdir(parents=True)
        shutil.copy(ROOT / "script/version", folder / "script")
        (folder / "meson.build").write_text("project('mailpush', 'c',\n  version: '0.2.0',\n)\n")

    def git(self, *arguments):
        return subprocess.run(["git", *arguments], cwd=self.folder, env=GIT, check=True,
                              capture_output=True, text=True).stdout.strip()

    def commit(self):
        self.git("commit", "--allow-empty", "-qm", "one more")
        return self.git("rev-parse", "--short=8", "HEAD")

    def version(self):
        return subprocess.run([self.folder / "script/version"], env=GIT, check=True, text=True,
                              capture_output=True).stdout.strip()


@pytest.fixture
def source(tmp_path):
    return Source(tmp_path / "source")


@pytest.fixture
def clone(source):
    source.git("init", "-q")
    source.commit()
    return source


def test_a_tag_is_the_version(clone):
    clone.git("tag", "v0.2.0")
    assert clone.version() == "0.2.0"


def test_what_comes_after_a_tag_counts_from_it(clone):
    clone.git("tag", "v0.2.0")
    clone.commit()
    hash_ = clone.commit()
    assert clone.version() == f"0.2.0+2.g{hash_}"


def test_a_tag_of_a_preview_comes_before_the_release(clone):
    clone.git("tag", "v0.3.0-rc1")
    assert clone.version() == "0.3.0~~rc1"


def test_a_tag_that_is_no_version_does_not_count(clone):
    clone.git("tag", "v0.2.0")
    hash_ = clone.commit()
    clone.git("tag", "-a", "-m", "x", "vendor")
    clone.git("tag", "known-good")
    assert clone.version() == f"0.2.0+1.g{hash_}"


def test_without_a_tag_the_planned_version_says_so(clone):
    hash_ = clone.git("rev-parse", "--short=8", "HEAD")
    assert clone.version() == f"0.2.0~~git20231114221320.{hash_}"


def test_no_clone_has_the_planned_version_and_says_so(source):
    assert source.version() == "0.2.0~~unknown"


def test_a_tree_within_anothers_clone_does_not_take_its_version(tmp_path):
    outer = Source(tmp_path)
    outer.git("init", "-q")
    outer.commit()
    outer.git("tag", "v9.0.0")
    assert Source(tmp_path / "unpacked").version() == "0.2.0~~unknown"


def test_what_was_exported_keeps_its_version(clone):
    clone.git("tag", "v0.2.0")
    (clone.folder / "version").write_text("0.2.0+5.g12345678\n")
    assert clone.version() == "0.2.0+5.g12345678"


def test_dpkg_has_them_in_the_order_of_their_making():
    versions = ["0.2.0~~git20231114221320.ffffffff", "0.2.0~~git20231114221321.00000000",
                "0.2.0~~rc1", "0.2.0~~rc1+3.gffffffff",
                "0.2.0", "0.2.0+9.gffffffff", "0.2.0+10.g00000000", "0.2.1~~rc1"]
    for earlier, later in zip(versions, versions[1:]):
        for release, next_release in (("~deb12u1", "~deb13u1"), ("~deb13u1", "~deb12u1")):
            assert is_lower(earlier + release, later + next_release)
        assert is_lower(earlier + "~deb12u1", earlier + "~deb13u1")


def is_lower(one, other):
    return not subprocess.run(["dpkg", "--compare-versions", one, "lt", other]).returncode
