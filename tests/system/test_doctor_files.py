"""mailpushctl doctor: files that the daemon cannot use, keys that others can, and the wrong Apple;
services of Cyrus without a program; what this user may not read; full disks."""

import pathlib
import re
import shutil
import subprocess

import pytest

from doctor import AS_ROOT, NOBODY, cure, examine, found, imapd_conf, wait_found, with_credential


@AS_ROOT
@pytest.mark.parametrize("name", ["registry", "queue"])
def test_a_database_that_root_has_made_is_found(ward, tmp, name):
    site = ward(start=False)
    state = tmp / "state"
    state.mkdir()
    shutil.chown(state, "daemon")
    (state / f"{name}.sqlite").touch()
    places = {"registry": f"sqlite:{state}/registry.sqlite", "queue": state / "queue.sqlite"}
    site.mailpushd.write_conf(**places)
    [finding] = [f for f in found(site.mailpushd) if f["check"] == name]
    assert "belongs to root" in finding["why"]
    cure(site.mailpushd, finding)
    assert name not in {f["check"] for f in found(site.mailpushd)}


@AS_ROOT
def test_a_folder_of_databases_that_root_has_made_is_found(ward, tmp):
    """Where there is a user mailpush, as the package makes it."""
    site = ward(start=False)
    state, passwd = tmp / "state", tmp / "passwd"
    state.mkdir()
    for name in ("registry", "queue"):
        (state / f"{name}.sqlite").touch()
    user = "mailpush:x:61234:61234::/nonexistent:/usr/sbin/nologin\n"
    passwd.write_text(pathlib.Path("/etc/passwd").read_text() + user)
    known = ["unshare", "--mount", "sh", "-c", f'mount --bind {passwd} /etc/passwd; exec "$@"', "sh"]
    site.mailpushd.write_conf(registry=f"sqlite:{state}/registry.sqlite", queue=state / "queue.sqlite")
    ill = [f for f in found(site.mailpushd, wrapper=known) if f["check"] in ("registry", "queue")]
    assert [f["why"].split(",")[0] for f in ill] == [
        f"{path} belongs to root" for path in (state, state / "registry.sqlite", state / "queue.sqlite")]
    for finding in ill:
        subprocess.run(["sh", "-c", finding["run"].replace("mailpush:mailpush", "61234:61234")], check=True)
    assert not {"registry", "queue"} & {f["check"] for f in found(site.mailpushd, wrapper=known)}


@AS_ROOT
def test_a_folder_of_the_queue_alone_that_root_has_made_is_found(ward, tmp):
    site = ward(start=False)
    for name in ("registry", "queue"):
        (tmp / name).mkdir()
    shutil.chown(tmp / "registry", "daemon")
    site.mailpushd.write_conf(registry=f"sqlite:{tmp}/registry/registry.sqlite", queue=tmp / "queue/queue.sqlite")
    [finding] = [f for f in found(site.mailpushd) if f["check"] in ("registry", "queue")]
    assert finding["why"].startswith(f"{tmp}/queue belongs to root")
    cure(site.mailpushd, finding)
    assert not {"registry", "queue"} & {f["check"] for f in found(site.mailpushd)}


def test_the_apple_of_apps_that_are_being_written_is_found(ward):
    site = ward(start=False)
    site.mailpushd.write_conf(apns_host="api.sandbox.push.apple.com.invalid")
    [finding] = [f for f in found(site.mailpushd) if f["check"] == "apns_host"]
    assert finding["line"] == 'apns_host = "api.push.apple.com"'
    assert finding["file"] == str(site.mailpushd.conf)


@pytest.fixture
def etc(tmp, sim):
    """A folder of a credential and mailpush.conf, as /etc/mailpush is."""
    folder = tmp / "etc"
    folder.mkdir()
    (folder / "certificate.pem").write_bytes(sim.client_cert.read_bytes())
    (folder / "key.pem").write_bytes(sim.client_key.read_bytes())
    (folder / "key.pem").chmod(0o640)
    return folder


def with_credential_of(etc, site):
    site.mailpushd.credentials["main"] = {name: etc / f"{name}.pem" for name in ("certificate", "key")}
    site.mailpushd.write_conf()


@AS_ROOT
@pytest.mark.parametrize("is_running", [True, False], ids=["running", "stopped"])
def test_a_folder_that_the_daemon_cannot_enter_is_found_once(ward, tmp, etc, sim, is_running):
    site = ward(start=False)
    with_credential_of(etc, site)
    shutil.chown(etc / "key.pem", group="daemon")
    site.mailpushd.conf = site.mailpushd.conf.rename(etc / "mailpush.conf")
    if is_running:
        site.mailpushd.start()      # as root, before the databases are another's
    state = tmp / "state"
    state.mkdir()
    shutil.chown(state, "daemon")
    site.mailpushd.write_conf(registry=f"sqlite:{state}/registry.sqlite",
                              apns_ca_file=shutil.copy(sim.ca, etc / "ca.pem"))
    etc.chmod(0o700)

    def of_folder():
        return [f for f in found(site.mailpushd) if f"cannot enter the folder {etc}" in f["why"]]
    [finding] = of_folder()
    assert (finding["check"], finding["level"]) == ("mailpush.conf", "fail")
    assert finding["why"].startswith("mailpushd runs as user daemon, who ")
    cure(site.mailpushd, finding)
    assert of_folder() == []
    assert not [f for f in found(site.mailpushd) if "mailpushd runs as user" in f["why"]]


@AS_ROOT
def test_a_file_that_the_daemon_cannot_read_is_found(ward, tmp, etc):
    site = ward(start=False, user="daemon")
    with_credential_of(etc, site)
    [finding] = [f for f in found(site.mailpushd) if f["check"] == "credential"]
    assert f"cannot read {etc}/key.pem: Permission denied" in finding["why"]
    cure(site.mailpushd, finding)
    assert "credential" not in {f["check"] for f in found(site.mailpushd)}


@pytest.mark.parametrize("is_running", [True, False], ids=["running", "stopped"])
def test_a_key_that_others_can_read_is_reported(ward, etc, is_running):
    site = ward(start=False)
    with_credential_of(etc, site)
    (etc / "key.pem").chmod(0o644)
    if is_running:
        site.mailpushd.start()
    [finding] = [f for f in found(site.mailpushd) if f["check"] == "credential"]
    assert finding["level"] == "warn" and f"'{etc}/key.pem'" in finding["why"]
    assert "can be read by every user of this machine; chmod o-rwx" in finding["why"]
    (etc / "key.pem").chmod(0o640)
    assert "credential" not in {f["check"] for f in found(site.mailpushd)}


# ---- the programs of cyrus.conf ----

def test_a_service_whose_program_is_not_installed_is_found(ward, tmp):
    site, programs, conf = ward(), tmp / "programs", tmp / "cyrus.conf"
    text = (site.cyrus.dir / "cyrus.conf").read_text()
    folder = f"{site.cyrus.dir}/programs/usr/lib/cyrus/bin"
    programs.mkdir()
    for name in re.findall(rf'"{folder}/(\w+)', text):
        (programs / name).touch()
    conf.write_text(text.replace(folder, str(programs)))
    assert found(site.mailpushd, "--cyrus-conf", conf) == []
    (programs / "timsieved").unlink()
    [finding] = wait_found(site.mailpushd, ("cyrus.conf", "fail"), options=("--cyrus-conf", conf))
    assert f"service sieve ({conf}:" in finding["why"]
    assert f"runs {programs}/timsieved, which is not installed" in finding["why"]


def test_cyrus_does_not_start_with_a_service_whose_program_is_not_installed(ward, tmp):
    cyrus, conf = ward().cyrus, tmp / "cyrus.conf"
    conf.write_text((cyrus.dir / "cyrus.conf").read_text().replace("/timsieved", "/pop3d"))
    with pytest.raises(RuntimeError, match=": exit 78: "):
        cyrus.run("usr/lib/cyrus/bin/master", "-D", "-C", cyrus.dir / "imapd.conf", "-M", conf,
                  "-p", cyrus.dir / "second.pid")


@AS_ROOT
def test_what_this_user_may_not_read_is_not_called_wrong(ward, tmp, sim):
    site = ward()
    (tmp / "c.pem").write_bytes(sim.client_cert.read_bytes() + sim.client_key.read_bytes())
    (tmp / "c.pem").chmod(0o600)
    with_credential(site, certificate=tmp / "c.pem")
    imapd_conf(site).chmod(0o600)
    ill = wait_found(site.mailpushd, ("daemon", "warn"), ("credential", "warn"),
                     ("imapd.conf", "warn"), ("apple", "warn"), wrapper=NOBODY)
    assert all("Permission denied" in f["why"] for f in ill if f["check"] != "daemon")


@AS_ROOT
@pytest.mark.parametrize("by, user", [("user", "nobody"), ("owner", "daemon")])
def test_without_the_daemon_what_its_user_may_not_read_is_found(ward, tmp, sim, by, user):
    """Its user is the one that is set, or the owner of the registry's folder."""
    site = ward(start=False)
    (tmp / "c.pem").write_bytes(sim.client_cert.read_bytes() + sim.client_key.read_bytes())
    (tmp / "c.pem").chmod(0o600)
    site.mailpushd.credentials["main"] = {"certificate": tmp / "c.pem"}
    shutil.copy(sim.ca, tmp / "ca.pem")
    (tmp / "state").mkdir()
    site.mailpushd.write_conf(apns_ca_file=tmp / "ca.pem", registry=f"sqlite:{tmp}/state/registry.sqlite",
                              queue=tmp / "state/queue.sqlite",
                              **({"user": user} if by == "user" else {}))
    shutil.chown(tmp / "state", user)
    down = [("daemon", "fail"), ("socket", "fail")]
    ill = wait_found(site.mailpushd, *down, ("credential", "fail"))
    finding = next(f for f in ill if f["check"] == "credential")
    assert finding["why"].startswith(f"mailpushd runs as user {user}, who cannot read ")
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd, *down)


@AS_ROOT
@pytest.mark.parametrize("size, level", [("8m", "fail"), ("64m", "warn"), ("600m", "ok")])
def test_a_disk_that_is_nearly_full_is_reported(ward, tmp, size, level):
    site = ward(start=False)
    (tmp / "small").mkdir()
    site.mailpushd.write_conf(registry=f"sqlite:{tmp}/small/registry.sqlite")
    inside = ["unshare", "--mount", "sh", "-c",
              f"mount -t tmpfs -o size={size} tmpfs {tmp}/small && exec \"$@\"", "sh"]
    _, findings = examine(site.mailpushd, wrapper=inside)
    levels = [f["level"] for f in findings if f["check"] == "disk"]
    assert levels == [level, "ok"]
