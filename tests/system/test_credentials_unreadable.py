"""Files of a credential that cannot be read for a while: the credential in use stays so, an alarm
says what is wrong, and it ends by itself."""

import errno
import os
import resource
import shutil

import pytest

from mailsite import BareSite, asked_by_hand

# Root without the capabilities that make it deaf to permissions.
OBEDIENT = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


@pytest.fixture
def folder(tmp, sim):
    """Where the files of the credential are."""
    folder = tmp / "etc"
    folder.mkdir()
    shutil.copy(sim.client_cert, folder / "certificate.pem")
    shutil.copy(sim.client_key, folder / "key.pem")
    return folder


@pytest.fixture
def site(mailpushd, sim, imapd_conf, folder):
    site = BareSite(mailpushd(imapd_conf=imapd_conf, start=False), sim)
    site.mailpushd.wrapper = OBEDIENT
    site.mailpushd.credentials["main"] = {"certificate": folder / "certificate.pem",
                                          "key": folder / "key.pem"}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    return site


@pytest.fixture
def phone(site):
    return site.registered_phone()


def begins(site, trouble):
    site.mailpushd.wait_log(f"cannot read {trouble}.*alarm=credential-file:main state=begins")


def ends(site):
    site.mailpushd.wait_log("alarm=credential-file:main state=ends")


def works(site, phone):
    site.deliver(phone.user)
    push, = site.told(phone, "INBOX")
    return push["connection"]


def works_on_a_new_connection(site, phone):
    """What is in memory is enough for another handshake."""
    before = works(site, phone)
    since = len(site.mailpushd.log)
    site.sim.control(do="reset")
    site.mailpushd.wait_log("apns: connection .*to=closed", since=since)
    assert works(site, phone) > before


@pytest.mark.parametrize("name, what", [("certificate.pem", "certificate"), ("key.pem", "key"),
                                        ("", "certificate")], ids=["certificate", "key", "folder"])
def test_what_the_daemon_may_not_read_for_a_while(site, phone, folder, name, what):
    path = folder / name
    mode = path.stat().st_mode
    path.chmod(0)
    begins(site, f"{what} '{folder}/.*': Permission denied; let the daemon's user read it")
    works_on_a_new_connection(site, phone)
    path.chmod(mode)
    ends(site)
    works(site, phone)


@pytest.mark.parametrize("name", ["certificate.pem", "key.pem"])
def test_a_file_that_is_deleted_and_put_back(site, phone, folder, name):
    path = folder / name
    text = path.read_bytes()
    path.unlink()
    begins(site, f"{name.removesuffix('.pem')} '{path}': No such file or directory; check the path")
    works_on_a_new_connection(site, phone)
    path.write_bytes(text)
    ends(site)
    works(site, phone)


@pytest.mark.parametrize("name", ["certificate.pem", "key.pem"])
def test_a_pipe_in_place_of_a_file_is_refused_and_nobody_waits_for_it(site, phone, folder, name):
    path = folder / name
    text = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    site.mailpushd.wait_log(f"{name.removesuffix('.pem')} '{path}' is not a file.*"
                            "alarm=credential-file:main state=begins")
    works(site, phone)
    path.unlink()
    path.write_bytes(text)
    ends(site)
    works(site, phone)


def test_a_folder_that_is_renamed_and_renamed_back(site, phone, folder, tmp):
    folder.rename(tmp / "away")
    begins(site, f"certificate '{folder}/certificate.pem': No such file or directory")
    works_on_a_new_connection(site, phone)
    (tmp / "away").rename(folder)
    ends(site)
    works(site, phone)


def test_a_folder_that_comes_back_with_another_certificate(site, phone, folder, tmp):
    """It is watched as before, and so is what it is replaced by."""
    folder.rename(tmp / "away")
    begins(site, f"certificate '{folder}/certificate.pem': No such file or directory")
    before = works(site, phone)
    folder.mkdir()
    for source, name in zip(site.sim.add_client("another", site.registrations("topic")[0]),
                            ("certificate.pem", "key.pem")):
        shutil.copy(source, folder / name)
    ends(site)
    assert works(site, phone) > before


def test_a_fault_that_is_none_of_the_files_own_ends_by_itself(site, phone, folder):
    """Nothing about the files changes when there are descriptors again."""
    process = site.mailpushd.process.pid
    limits = resource.prlimit(process, resource.RLIMIT_NOFILE)
    (folder / "key.pem").touch()
    resource.prlimit(process, resource.RLIMIT_NOFILE, (3, limits[1]))
    begins(site, f"certificate '{folder}/certificate.pem': Too many open files")
    resource.prlimit(process, resource.RLIMIT_NOFILE, limits)
    works(site, phone)
    site.mailpushd.wait_log("alarm=credential-file:main state=ends", timeout=30)
    site.mailpushd.wait_log("alarm=reload state=ends", timeout=30)


def test_a_fault_that_lasts_is_one_line_and_no_push_to_apple(site, folder, disk, sim):
    """However often the file is looked at until it ends."""
    disk.under(site.mailpushd)
    site.mailpushd.restart()
    site.mailpushd.wait_log("Apple takes the credential", since=site.mailpushd.start_line)
    checks = len(sim.trials())
    since = len(site.mailpushd.log)
    with disk.rule(f"unopenable {folder}/key.pem {errno.EIO}"):
        (folder / "key.pem").touch()
        begins(site, f"key '{folder}/key.pem': Input/output error")
        checks = len(sim.wait_trials(checks + 1))       # as after each reload
        for _ in range(2):
            looked = len(site.mailpushd.log)
            site.mailpushd.wait_log("files still cannot be read", since=looked)
        lines = site.mailpushd.lines(since)
        assert len([line for line in lines if "reloaded" in line or "stays in use" in line]) == 2, lines
    ends(site)
    assert asked_by_hand(site) == checks + 1
