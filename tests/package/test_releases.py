"""script/releases, where it cannot make the system of a release."""

import fcntl
import os
import pathlib
import subprocess

import pytest

import base

RELEASES = pathlib.Path(__file__).resolve().parents[2] / "script/releases"
FAILED, LEFT_OUT = 1, 77


@pytest.fixture
def empty_mirror(tmp_path):
    """An apt that gets this host's release from a mirror that has nothing, in its environment."""
    (tmp_path / "mirror").mkdir()
    sources, conf = tmp_path / "sources.list", tmp_path / "apt.conf"
    sources.write_text(f"deb file:{tmp_path}/mirror {base.release_here()} main\n")
    conf.write_text(f'Dir::Etc::sourcelist "{sources}";\nDir::Etc::sourceparts "-";\n')
    return {**os.environ, "APT_CONFIG": str(conf), "MAILPUSH_CACHE": str(tmp_path / "cache")}


def run(*command, **how):
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **how)


def test_a_mirror_without_the_release_leaves_it_out_and_says_so(empty_mirror, tmp_path):
    done = run(RELEASES, "trixie", "--style", env=empty_mirror)
    assert done.returncode == LEFT_OUT, done.stderr
    assert done.stderr.startswith(f"releases: trixie is left out: file:{tmp_path}/mirror/ does not have it:"
                                  " E: Failed getting release file ")
    assert done.stdout.splitlines()[-1].split() == ["trixie", "-", "0", "all", "(left", "out)", "0.0"]
    assert [path.name for path in (tmp_path / "cache/releases").iterdir()] == ["trixie.lock"]


def test_a_system_that_cannot_be_made_fails_and_the_others_are_tried(empty_mirror, tmp_path):
    release = tmp_path / "mirror/dists/trixie/InRelease"
    release.parent.mkdir(parents=True)
    release.write_text("signed by nobody\n")
    done = run(RELEASES, "trixie", "testing", "--style", env=empty_mirror)
    assert done.returncode == FAILED, done.stderr
    assert done.stdout.startswith("trixie: making a fresh system\ntrixie: debootstrap failed:\n")
    rows = [line.split()[:4] for line in done.stdout.splitlines()[-2:]]
    assert rows == [["trixie", "-", "0", "debootstrap"], ["testing", "-", "0", "all"]]


def test_what_a_run_that_was_killed_left_is_removed(empty_mirror, tmp_path):
    (tmp_path / "cache/releases/trixie.abcd_123/etc").mkdir(parents=True)
    assert run(RELEASES, "trixie", "--style", env=empty_mirror).returncode == LEFT_OUT
    assert [path.name for path in (tmp_path / "cache/releases").iterdir()] == ["trixie.lock"]


def test_a_release_that_another_run_uses_is_left_out(empty_mirror, tmp_path):
    (tmp_path / "cache/releases").mkdir(parents=True)
    with open(tmp_path / "cache/releases/trixie.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run(RELEASES, "trixie", "--run", "true", env=empty_mirror)
    assert (done.returncode, done.stdout) == (LEFT_OUT, "")
    assert done.stderr == ("releases: trixie is left out: another run uses "
                           f"{tmp_path}/cache/releases/trixie\n")


def test_without_root_all_is_left_out_and_it_says_so():
    done = run("unshare", "--user", RELEASES, "trixie", "testing")
    assert (done.returncode, done.stdout) == (LEFT_OUT, "")
    assert done.stderr == "releases: trixie, testing are left out: it needs root\n"


def test_a_release_that_is_not_known_is_a_mistake():
    done = run(RELEASES, "potato")
    assert done.returncode == 2
    assert "there is no release potato" in done.stderr
