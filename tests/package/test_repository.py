"""docs/packages.md: a repository is made, offered on localhost, installed from, upgraded and purged."""

import contextlib
import functools
import hashlib
import http.server
import os
import re
import shutil
import subprocess
import threading

import pytest

import base
from built import ROOT, package
from docpage import Page
from machine import Machine
from test_package import CONF, LATER, left

PAGE = Page("packages.md")
SITE = "https://packages.example.com/mailpush"
OTHER = "sarge"     # another release


class Server(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def offered(folder):
    """The address of a web server that offers a folder."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                             functools.partial(Server, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def repackaged(packages, folder, version, release):
    """The package mailpush in another version and for another release, as script/package leaves it."""
    unpacked = folder / "unpacked"
    subprocess.run(["dpkg-deb", "-R", package(packages, "mailpush"), unpacked], check=True)
    control = unpacked / "DEBIAN/control"
    control.write_text(re.sub("^Version: .*", f"Version: {version}", control.read_text(), flags=re.M))
    return changes(folder, version, release)


def changes(folder, version, release):
    """Make a package of what is unpacked in a folder, and the file that names it."""
    unpacked = folder / "unpacked"
    file = folder / f"mailpush_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", unpacked, file], check=True,
                   capture_output=True)
    shutil.rmtree(unpacked)
    data = file.read_bytes()
    (folder / f"mailpush_{version}.changes").write_text(
        f"Version: {version}\nDistribution: {release}\nChecksums-Sha256:\n"
        f" {hashlib.sha256(data).hexdigest()} {len(data)} {file.name}\n"
        f"Files:\n {hashlib.md5(data).hexdigest()} {len(data)} mail optional {file.name}\n")
    return folder


def made(folder, version, release):
    """An empty package mailpush, as script/package leaves it."""
    control = folder / "unpacked/DEBIAN/control"
    control.parent.mkdir(parents=True)
    control.write_text(f"Package: mailpush\nVersion: {version}\nArchitecture: all\n"
                       "Maintainer: nobody <nobody@example.com>\nDescription: none\n")
    return changes(folder, version, release)


class Repository:
    """The repository of the page, and whoever maintains it."""

    def __init__(self, folder):
        self.folder = folder / "www"
        self.environment = {**os.environ, "GNUPGHOME": str(folder / "gpg")}
        (folder / "gpg").mkdir(mode=0o700)

    def type(self, block, **replaced):
        text = PAGE.block(block)
        for name, to in {"/srv/www/mailpush": self.folder, **replaced}.items():
            text = text.replace(name, str(to))
        return subprocess.run(["sh", "-euc", text], cwd=ROOT, env=self.environment,
                              capture_output=True, text=True, timeout=120)

    def add(self, packages):
        return self.type("script/repository", **{"-k": f"-p {packages} -k"})

    def listed(self):
        """The versions that each suite offers."""
        return {path.name: re.findall("^Version: (.*)", (path / "main/binary-all/Packages").read_text(),
                                      flags=re.M) for path in (self.folder / "dists").iterdir()}

    def withdraw(self, packages, name):
        for folder in (self.folder / "pool", packages):
            for path in folder.rglob(name):
                path.unlink()
        done = self.add(packages)
        assert done.returncode == 0, done.stderr

    def end(self):
        subprocess.run(["gpgconf", "--kill", "all"], env=self.environment, check=True)


@pytest.fixture
def repository(tmp_path):
    repository = Repository(tmp_path)
    done = repository.type("gpg", **{"gpg ": "gpg --batch --quiet --passphrase '' "})
    assert done.returncode == 0, done.stderr
    yield repository
    repository.end()


def type_(machine, block, address):
    text = PAGE.block(block).replace(SITE, address).replace("apt-get ", "apt-get -y ")
    return machine.run("sh", "-euc", text)


def installed(machine):
    return machine.run("dpkg-query", "-W", "-f", "${Version}", "mailpush", check=False).stdout


def test_mailpush_is_installed_upgraded_and_purged_from_a_repository(repository, packages, tmp_path):
    for folder in ("other", "later"):
        (tmp_path / folder).mkdir()
    for folder in (packages, repackaged(packages, tmp_path / "other", f"{LATER}1", OTHER)):
        done = repository.add(folder)
        assert done.returncode == 0, done.stderr
    with offered(repository.folder) as address, Machine() as machine:
        before = left(machine)
        type_(machine, "mailpush.sources <<END", address)
        assert package(packages, "mailpush").name.startswith(f"mailpush_{installed(machine)}_")
        assert machine.about(CONF) == "root:mailpush 640"

        repository.add(repackaged(packages, tmp_path / "later", LATER, base.release_here()))
        machine.run("apt-get", "-qq", "update")
        machine.run("apt-get", "-y", "upgrade")
        assert installed(machine) == LATER

        type_(machine, "apt-get purge", address)
        assert left(machine) == before
        machine.run("apt-get", "-qq", "update")
        assert machine.run("apt-cache", "policy", "mailpush").stdout == ""


def test_what_another_key_signed_is_not_taken(repository, packages, tmp_path):
    assert repository.add(packages).returncode == 0
    key = repository.folder / "mailpush.asc"
    another = tmp_path / "another"
    another.mkdir()
    other = Repository(another)
    other.type("gpg", **{"gpg ": "gpg --batch --quiet --passphrase '' "})
    other.add(packages)
    other.end()
    shutil.copy(other.folder / "mailpush.asc", key)
    with offered(repository.folder) as address, Machine() as machine:
        with pytest.raises(RuntimeError, match="is not signed|NO_PUBKEY|[Mm]issing key"):
            type_(machine, "mailpush.sources <<END", address)
        assert installed(machine) == ""


def test_a_package_that_is_not_what_was_built_is_refused(repository, packages, tmp_path):
    (tmp_path / "other").mkdir()
    folder = repackaged(packages, tmp_path / "other", LATER, OTHER)
    with open(package(folder, "mailpush"), "ab") as file:
        file.write(b"more")
    done = repository.add(folder)
    assert done.returncode == 1
    assert "build them again" in done.stderr
    assert not (repository.folder / "dists").exists()


@pytest.fixture
def two_suites(repository, tmp_path):
    """The folder of packages, two of them of one release, and in a folder of its own that of another."""
    packages = tmp_path / "packages"
    for version, release, folder in (("1", OTHER, ""), ("2", OTHER, ""), ("3", "woody", "woody")):
        made(packages / folder, version, release)
    done = repository.add(packages)
    assert done.returncode == 0, done.stderr
    return packages


def test_one_of_two_versions_is_withdrawn(repository, two_suites):
    repository.withdraw(two_suites, "mailpush_2*")
    assert repository.listed() == {OTHER: ["1"], "woody": ["3"]}


def test_a_suite_whose_only_package_is_withdrawn_has_empty_lists(repository, two_suites):
    repository.withdraw(two_suites, "mailpush_3*")
    assert repository.listed() == {OTHER: ["1", "2"], "woody": []}
    release = (repository.folder / "dists/woody/InRelease").read_text()
    assert "\nArchitectures: all\n" in release and " 0 main/binary-all/Packages\n" in release


def test_all_is_withdrawn(repository, two_suites):
    repository.withdraw(two_suites, "mailpush_*")
    assert repository.listed() == {OTHER: [], "woody": []}


def test_a_suite_without_a_folder_in_the_pool_goes(repository, two_suites):
    shutil.rmtree(repository.folder / "pool/woody")
    repository.withdraw(two_suites, "mailpush_3*")
    assert repository.listed() == {OTHER: ["1", "2"]}


def test_a_web_server_may_read_what_a_strict_umask_made(repository, tmp_path):
    packages = made(tmp_path / "packages", "1", OTHER)
    before = os.umask(0o077)
    try:
        assert repository.add(packages).returncode == 0
    finally:
        os.umask(before)
    assert [path for path in [repository.folder, *repository.folder.rglob("*")]
            if path.stat().st_mode & 0o004 == 0] == []


@pytest.mark.parametrize("block, replaced, text", [
    ("script/repository", {"packages@": "nobody@"}, "gpg has no key nobody@example.com"),
    ("script/repository", {"-k": "-p /nowhere -k"}, "script/package --all"),
])
def test_what_cannot_be_done_is_said(repository, packages, block, replaced, text):
    done = repository.type(block, **{"-k": f"-p {packages} -k", **replaced})
    assert (done.returncode, text in done.stderr) == (1, True), done.stderr
    assert not (repository.folder / "dists").exists()


def test_no_block_of_the_page_stands_there_that_nothing_types():
    typed = ["gpg", "script/repository", "mailpush.sources <<END", "apt-get purge"]
    # script/releases types the first; asked for several releases, it names them to the second.
    building = "script/bootstrap --release\nscript/package --all\n"
    assert sorted([building, *map(PAGE.block, typed)]) == sorted(PAGE.blocks)
