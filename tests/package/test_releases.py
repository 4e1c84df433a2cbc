"""script/releases, where it cannot make the system of a release."""

import os
import pathlib
import subprocess

import pytest

import base

RELEASES = pathlib.Path(__file__).resolve().parents[2] / "script/releases"
LEFT_OUT = 77


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


def test_without_root_all_is_left_out_and_it_says_so():
    done = run("unshare", "--user", RELEASES, "trixie", "testing")
    assert (done.returncode, done.stdout) == (LEFT_OUT, "")
    assert done.stderr == "releases: trixie, testing are left out: it needs root\n"


def test_a_release_that_is_not_known_is_a_mistake():
    done = run(RELEASES, "potato")
    assert done.returncode == 2
    assert "there is no release potato" in done.stderr
