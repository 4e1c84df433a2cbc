"""script/releases, where it cannot make the system of a release; and what it does besides, with systems that are played."""

import fcntl
import importlib.machinery
import importlib.util
import os
import pathlib
import subprocess
import sys
import time

import pytest

import base

RELEASES = pathlib.Path(__file__).resolve().parents[2] / "script/releases"
FAILED, LEFT_OUT = 1, 77
UNCOMMITTED = "releases: uncommitted changes are left out\n"


@pytest.fixture
def empty_mirror(tmp_path):
    """An apt that gets this host's release from a mirror that has nothing, in its environment."""
    (tmp_path / "mirror").mkdir()
    sources, conf = tmp_path / "sources.list", tmp_path / "apt.conf"
    sources.write_text(f"deb file:{tmp_path}/mirror {base.release_here()} main\n")
    conf.write_text(f'Dir::Etc::sourcelist "{sources}";\nDir::Etc::sourceparts "-";\n')
    return {**os.environ, "APT_CONFIG": str(conf), "MAILPUSH_CACHE": str(tmp_path / "cache")}


def run(*command, **how):
    """What it says of changes that whoever runs the tests has not committed is left out."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **how)
    done.stderr = done.stderr.removeprefix(UNCOMMITTED)
    return done


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


@pytest.fixture
def system(tmp_path):
    """system(state): the system of trixie that an earlier run made, with one package in that state."""
    def make(state="install ok installed"):
        folder = tmp_path / "cache/releases/trixie"
        (folder / "var/lib/dpkg/info").mkdir(parents=True)
        (folder / "var/lib/dpkg/info/mawk.list").touch()
        (folder / "var/lib/dpkg/info/mawk.md5sums").touch()
        (folder / "etc/apt").mkdir(parents=True)
        (folder / "var/lib/dpkg/status").write_text(
            f"Package: mawk\nStatus: {state}\nArchitecture: amd64\nVersion: 1\nMaintainer: -\nDescription: -\n")
        (folder / ".made").touch()
        return folder
    return make


@pytest.mark.parametrize("state, is_kept", [("install ok installed", True), ("install reinstreq half-installed", False),
                                            ("install ok unpacked", False)])
def test_a_system_with_packages_in_part_is_made_anew(empty_mirror, system, state, is_kept):
    folder = system(state)
    run(RELEASES, "trixie", "--run", "true", env=empty_mirror)
    assert folder.exists() == is_kept


@pytest.mark.parametrize("days, is_kept", [(6, True), (8, False)])
def test_a_system_older_than_a_week_is_made_anew(empty_mirror, system, days, is_kept):
    folder = system()
    then = time.time() - days * 86400
    os.utime(folder / ".made", (then, then))
    run(RELEASES, "trixie", "--run", "true", env=empty_mirror)
    assert folder.exists() == is_kept


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


# ---- with systems in which every part passes, and a script/package that is played ----

PACKAGE = """#!/bin/sh
echo "$*" >>"$0.called"
shift
folder=$1
shift
for release; do
	[ -e "$0.not-$release" ] || { mkdir "$folder/$release"; touch "$folder/$release/mailpush_1.changes"; }
done
"""


class Played:
    """The system of a release."""
    is_good = True

    def __init__(self, release, is_fresh):
        self.release = release

    def clone(self):
        pass

    def part(self, name, workers):
        return self.releases.Result(self.is_good, 1, 0, 0)

    def cyrus(self):
        return "3"


@pytest.fixture
def source(tmp_path):
    """A clone with the script that is played."""
    script = tmp_path / "source/script/package"
    script.parent.mkdir(parents=True)
    script.write_text(PACKAGE)
    script.chmod(0o755)
    author = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for command in (["init", "-q"], ["add", "--all"], [*author, "commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path / "source", check=True)
    return tmp_path / "source"


@pytest.fixture
def releases(monkeypatch):
    """script/releases as a module."""
    loader = importlib.machinery.SourceFileLoader("releases", str(RELEASES))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("releases", loader))
    monkeypatch.setitem(sys.modules, "releases", module)
    loader.exec_module(module)
    return module


@pytest.fixture
def played(releases, source, monkeypatch, capsys):
    """played(argument...): script/releases on a host of bookworm; its exit status, and what it prints."""
    monkeypatch.setattr(Played, "releases", releases, raising=False)
    monkeypatch.setattr(releases, "System", Played)
    monkeypatch.setattr(releases, "ROOT", source)
    monkeypatch.setattr(base, "release_here", lambda: "bookworm")

    def run_it(*arguments):
        monkeypatch.setattr(sys, "argv", ["releases", *arguments])
        return releases.main(), capsys.readouterr()
    return run_it


def called(source):
    path = source / "script/package.called"
    return [line.split()[2:] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize("arguments, others", [
    ((), ["trixie"]), (("bookworm", "trixie"), ["trixie"]), (("trixie", "testing"), ["trixie"]),
    (("trixie",), []), (("bookworm", "testing"), []), (("--style",), []), (("--style", "--package"), ["trixie"]),
], ids=str)
def test_when_several_releases_passed_the_packages_of_the_others_are_built(played, source, arguments, others):
    status, said = played(*arguments)
    assert (status, said.err) == (0, "")
    assert called(source) == ([others] if others else [])
    last = said.out.splitlines()[-1]
    assert last.startswith("packages") == bool(others)
    assert not others or last == f"packages by script/package: {' '.join(others)}"


def test_a_release_whose_packages_do_not_come_out_is_a_failure(played, source):
    (source / "script/package.not-trixie").touch()
    status, said = played()
    assert status == FAILED
    assert said.out.splitlines()[-1] == "packages by script/package: FAILED for trixie"


def test_no_packages_are_built_when_a_part_failed(played, source, monkeypatch):
    monkeypatch.setattr(Played, "is_good", False)
    assert played()[0] == FAILED
    assert not called(source)


def test_uncommitted_changes_are_told_of(played, source):
    (source / "new").touch()
    status, said = played("trixie", "--style")
    assert (status, said.err) == (0, UNCOMMITTED)


@pytest.mark.parametrize("line, is_good", [("Cyrus IMAP 3.6.1-4, mailpushd and apns-sim run after 9 ms.", True),
                                           ("Cyrus IMAP 3.6.1-40, mailpushd and apns-sim run after 9 ms.", False),
                                           ("Cyrus, mailpushd and apns-sim run after 9 ms.", False)])
def test_the_demo_has_to_say_which_cyrus_it_ran(releases, monkeypatch, tmp_path, line, is_good):
    class Quick(releases.System):
        def __init__(self):
            self.release = "trixie"

        def run(self, script, workers, **how):
            return subprocess.run(["echo", line], check=True, **how)

        def cyrus(self):
            return "3.6.1-4"

    monkeypatch.setattr(releases, "FOLDERS", tmp_path)
    assert Quick().part("demo", 1).is_good == is_good
    assert Quick().part("style", 1).is_good
