"""mailpushctl doctor: Dovecot, its plugin, and the way from it to mailpushd."""

import os
import re
import shutil
import subprocess

import pytest

from control import ctl
from doctor import AS_ROOT, OF_THE_MACHINE, cure, examine, ill_of, named, rewrite
from dovecot import MAIL_USER, version
from waiting import wait_until

CHECKS = {"dovecot", "mail_plugins", "module", "mailpush_socket", "socket", "permissions",
          "dovecot_users", "spool", "topic", "processes", "imapd.conf"}


@pytest.fixture
def ward(mailpushd, private_dovecot, sim):
    """ward(**settings): a Dovecot of the test's own and mailpushd, without a Cyrus."""
    class Ward:
        def __init__(self, dovecot=None, **settings):
            settings = {"dovecot_users": [MAIL_USER], **settings}
            self.mailpushd = mailpushd(start=False, imapd_conf="", notify_socket=None,
                                       stream_socket=None, socket_group=None, **settings)
            path = self.mailpushd.dir / "dovecot"
            self.mailpushd.write_conf(dovecot_socket=path)
            self.mailpushd.start()
            self.mailpushd.wait_spool()
            spool = self.mailpushd.spool
            if os.geteuid() == 0:
                shutil.chown(spool, group=MAIL_USER)
            self.mailpushd.dir.chmod(0o755)
            self.dovecot = private_dovecot(socket=path, spool=spool, **(dovecot or {}))
            self.conf = self.dovecot.dir / "dovecot.conf"

        def examine(self, *wrapper):
            return examine(self.mailpushd, "--dovecot-conf", self.conf,
                           wrapper=[*self.dovecot.entering(), *wrapper])[1]

        def wait_found(self, *wanted, ignored=frozenset(OF_THE_MACHINE)):
            last = []

            def is_found():
                last[:] = ill_of(self.examine(), ignored)
                return named(last) == sorted(wanted)
            try:
                wait_until(is_found, what=f"{wanted}")
            except TimeoutError as error:
                raise TimeoutError(f"{error}; found {last}") from None
            return list(last)

        def finding(self, check):
            [finding] = [f for f in self.examine() if f["check"] == check]
            return finding

        def end_broken(self):
            """Its processes cannot start, and say so."""
            self.dovecot.stop()
            self.dovecot.forgive()

        def cure(self, finding):
            cure(self.mailpushd, finding, dovecot=self.dovecot)

        def edit(self, pattern, new=""):
            text, count = re.subn(pattern, new, self.conf.read_text(), flags=re.M)
            assert count, pattern
            rewrite(self.conf, text)

        def unload(self, name):
            """In 2.3 a word of a line, in 2.4 a line of a block."""
            self.edit(rf"^ +{name} = yes\n|(?<=[ =]){name}(?=[ \n])")

        def module(self, name):
            return self.dovecot.dir / "modules" / name
    return Ward


def test_a_healthy_dovecot_is_praised(ward):
    site = ward()
    findings = site.examine()
    assert not ill_of(findings)
    assert {f["check"] for f in findings} >= CHECKS
    told = {f["check"]: f["why"] for f in findings}
    assert told["mail_plugins"] == "mailpush is loaded by imap, lmtp, lda, pop3, doveadm"
    assert f"Dovecot {'.'.join(map(str, version()))}." in told["dovecot"]
    assert told["dovecot_users"] == f"user {MAIL_USER} may speak for all users"
    assert told["spool"] == f"{site.mailpushd.spool}, by user {MAIL_USER}"
    assert told["topic"].startswith("com.apple.")
    done = ctl(site.mailpushd, "doctor", "--config", site.mailpushd.conf, "--dovecot-conf", site.conf,
               wrapper=site.dovecot.entering())
    assert re.search(r"^ok   module +\S+/lib25_mailpush_plugin.so fits this Dovecot", done.stdout, flags=re.M)


@pytest.mark.parametrize("name, meaning", [
    ("mailpush", "in imap, lmtp, lda, pop3, doveadm, so phones are not told"),
    ("notify", "in imap, lmtp, lda, pop3, doveadm, so the plugin, which depends on it,"),
    ("imap_mailpush", "in imap, so no phone can register")])
def test_a_plugin_that_is_not_loaded_is_found(ward, name, meaning):
    site = ward()
    site.unload(name)
    [finding] = site.wait_found(("mail_plugins", "fail"))
    assert finding["why"].startswith(f"lacks {name} {meaning}")
    site.end_broken()
    site.cure(finding)
    site.wait_found()


@pytest.mark.parametrize("protocol, level", [("lmtp", "fail"), ("lda", "warn"), ("pop3", "warn")])
def test_a_program_that_does_not_load_it_is_found(ward, protocol, level):
    site = ward()
    with site.conf.open("a") as conf:
        conf.write(f"protocol {protocol} {{\n  mail_plugins = notify\n}}\n")
    [finding] = site.wait_found(("mail_plugins", level))
    assert f"lacks mailpush in {protocol}, so" in finding["why"]
    site.cure(finding)
    site.wait_found()


def test_the_plugin_for_xapsd_beside_ours_is_reported(ward):
    site = ward()
    name = "xaps_imap" if version() < (2, 4) else "xaps_imap = yes\n    imap_mailpush"
    site.edit("(?<=[ =])imap_mailpush", f"imap_mailpush {name}" if version() < (2, 4) else name)
    [finding] = site.wait_found(("mail_plugins", "warn"))
    assert "imap loads xaps_imap of the plugin for xapsd as well" in finding["why"]


@pytest.mark.parametrize("name", ["lib25_mailpush_plugin.so", "lib26_imap_mailpush_plugin.so"])
def test_a_module_that_is_not_there_is_found(ward, name):
    site = ward()
    site.module(name).unlink()
    [finding] = site.wait_found(("module", "fail"))
    assert f"/{name}: No such file" in finding["why"]
    assert finding["run"] == "apt-get install dovecot-mailpush"
    site.end_broken()


def test_a_module_for_another_dovecot_is_found(ward):
    site = ward()
    path = site.module("lib25_mailpush_plugin.so")
    text, count = re.subn(rb"(\d\.ABIv)\d", rb"\g<1>0", path.read_bytes())
    assert count
    path.write_bytes(text)
    [finding] = site.wait_found(("module", "fail"))
    assert re.search(r" is built for 2\.\d+\.ABIv0\S*, but this Dovecot is 2\.\d+\.ABIv[1-9]", finding["why"])
    site.end_broken()


def test_another_path_of_the_socket_is_found(ward):
    site = ward()
    site.edit("mailpush_socket = .*", "mailpush_socket = /run/elsewhere/dovecot")
    [finding] = site.wait_found(("mailpush_socket", "fail"))
    assert "/run/elsewhere/dovecot" in finding["why"]
    site.cure(finding)
    site.wait_found()


@AS_ROOT
def test_a_folder_that_dovecot_may_not_enter_is_found(ward):
    site = ward()
    site.mailpushd.dir.chmod(0o700)
    found = site.wait_found(("socket", "fail"))
    assert f"Dovecot works as user {MAIL_USER}, who cannot enter" in found[0]["why"]
    site.cure(found[0])
    site.wait_found()


@AS_ROOT
def test_a_socket_that_dovecot_may_not_write_to_is_found(ward):
    site = ward()
    (site.mailpushd.dir / "dovecot").chmod(0o600)
    [finding] = site.wait_found(("permissions", "fail"))
    site.cure(finding)
    site.wait_found()


def test_a_daemon_that_does_not_run_is_found(ward):
    site = ward()
    site.mailpushd.kill9()
    found = site.wait_found(("daemon", "fail"), ("socket", "fail"))
    assert "no program listens" in found[1]["why"]
    site.cure(found[0])
    site.wait_found()


@AS_ROOT
def test_a_user_who_may_not_speak_for_others_is_found(ward):
    site = ward(dovecot_users=["root"])
    [finding] = site.wait_found(("dovecot_users", "fail"))
    assert finding["line"] == f"dovecot_users = {{ root, {MAIL_USER} }}"
    site.cure(finding)
    site.wait_found()


@AS_ROOT
def test_users_of_the_system_who_may_not_speak_are_found(ward):
    site = ward(dovecot={"system_users": ("alice",)})
    [finding] = site.wait_found(("dovecot_system_users", "warn"))
    assert finding["line"] == "dovecot_system_users = yes"
    assert site.finding("dovecot_users")["why"].endswith("is not allowed to say anything")
    site.cure(finding)
    site.wait_found()


@AS_ROOT
def test_users_of_the_system_who_may_speak_for_nothing_are_found(ward):
    site = ward(dovecot_system_users="yes")
    [finding] = site.wait_found(("dovecot_system_users", "warn"))
    assert finding["why"].startswith(f"is yes, but Dovecot works as user {MAIL_USER} for all")
    site.cure(finding)
    site.wait_found()


def test_a_user_who_does_not_exist_is_found(ward):
    site = ward()
    with site.conf.open("a") as conf:
        conf.write("mail_uid = no-such-user\n")
    found = site.wait_found(("dovecot_users", "fail"))
    assert "no-such-user" in found[0]["why"]
    site.end_broken()


@AS_ROOT
def test_users_of_their_own_need_the_program_that_keeps(ward):
    site = ward(dovecot={"system_users": ("alice",)}, dovecot_system_users="yes", dovecot_users=[])
    told = site.finding("dovecot_users")["why"]
    assert told.startswith("nobody is listed;") and told.endswith("speaks for that user alone")
    keep = site.dovecot.dir / "keep"
    assert site.finding("spool")["why"] == f"{site.mailpushd.spool}, by {keep}"
    keep.chmod(0o755)
    [finding] = site.wait_found(("spool", "fail"))
    assert f"{keep} is not setgid {MAIL_USER}" in finding["why"]
    site.cure(finding)
    site.wait_found()
    shutil.chown(keep, group="root")
    keep.chmod(0o2755)
    [finding] = site.wait_found(("spool", "fail"))
    site.cure(finding)
    site.wait_found()
    keep.unlink()
    [finding] = site.wait_found(("spool", "fail"))
    assert "No such file" in finding["why"]


@AS_ROOT
def test_a_spool_folder_into_which_the_program_does_not_write_is_found(ward):
    """It knows only its own, which here is the same folder, until it is another one."""
    site = ward(dovecot={"system_users": ("alice",)}, dovecot_system_users="yes")
    apart = ["unshare", "--mount", "sh", "-c", 'umount /var/spool/mailpush; exec "$@"', "sh"]
    [finding] = [f for f in site.examine(*apart) if f["check"] == "spool"]
    assert finding["level"] == "fail" and "into /var/spool/mailpush alone" in finding["why"]
    assert finding["line"] == 'spool_dir = "/var/spool/mailpush"'


@AS_ROOT
def test_a_spool_folder_into_which_nobody_may_write_is_found(ward):
    site = ward()
    site.mailpushd.spool.chmod(0o700)
    [finding] = site.wait_found(("spool", "fail"))
    site.cure(finding)
    site.wait_found()


@AS_ROOT
def test_one_mail_user_for_all_who_may_not_write_into_the_spool_folder_is_found(ward):
    """Whatever groups the system gives him: Dovecot gives its processes those that it is told."""
    site = ward()
    keep = site.dovecot.dir / "keep"
    for path in (site.mailpushd.spool, keep):
        shutil.chown(path, group="audio")
    keep.chmod(0o755)
    [finding] = site.wait_found(("spool", "fail"))
    assert f"{keep} is not setgid audio" in finding["why"]
    site.cure(finding)
    [finding] = site.wait_found(("spool", "fail"))
    assert f"user {MAIL_USER} for all" in finding["why"]
    site.cure(finding)
    site.wait_found()
    assert site.finding("spool")["why"] == f"{site.mailpushd.spool}, by user {MAIL_USER}"


@AS_ROOT
def test_a_mail_user_who_is_a_number_alone_is_known(ward):
    site = ward(dovecot_users=["54321"])
    with site.conf.open("a") as conf:
        conf.write("mail_uid = 54321\n")
    site.wait_found()
    assert site.finding("dovecot_users")["why"] == "user 54321 may speak for all users"


def test_another_spool_folder_is_found(ward):
    site = ward()
    site.edit("mailpush_spool = .*", "mailpush_spool = /var/spool/elsewhere")
    [finding] = site.wait_found(("spool", "fail"))
    assert "/var/spool/elsewhere" in finding["why"]
    site.cure(finding)
    site.wait_found()


def test_no_topic_is_found(ward):
    site = ward()
    site.mailpushd.credentials = {}
    site.mailpushd.write_conf()
    site.mailpushd.restart()
    assert site.finding("topic")["level"] == "fail"


def test_a_configuration_that_doveconf_refuses_is_reported_in_its_words(ward):
    site = ward()
    with site.conf.open("a") as conf:
        conf.write("no_such_setting = yes\n")
    [finding] = site.wait_found(("dovecot", "fail"))
    assert "no_such_setting" in finding["why"]
    site.end_broken()


# ---- what runs ----

def test_a_change_that_dovecot_has_not_read_is_found_until_it_is_reloaded(ward):
    site = ward()
    assert site.finding("processes")["why"] == f"Dovecot has read {site.conf} since it was changed"
    os.utime(site.conf)
    finding = site.finding("processes")
    assert finding["level"] == "warn" and "has not read it since" in finding["why"]
    site.cure(finding)
    site.wait_found(ignored=OF_THE_MACHINE - {"processes"})


def test_a_client_from_before_a_change_is_reported(ward):
    site = ward()
    with site.dovecot.imap("alice") as client:
        assert site.finding("processes")["level"] == "ok"       # and the client is older than a tick
        os.utime(site.conf)
        finding = site.finding("processes")

        def one_is_left():
            client.connection.noop()            # else Dovecot ends it ten seconds after its last word
            finding = site.finding("processes")
            return "1 process of imap, pop3 or lmtp still uses" in finding["why"] and finding
        client.connection.noop()
        site.cure(finding)
        finding = wait_until(one_is_left, what="the reload, and the end of processes without a client")
        assert finding["level"] == "warn"
        site.cure(finding)
    site.wait_found(ignored=OF_THE_MACHINE - {"processes"})


def test_a_dovecot_of_another_configuration_does_not_count(ward, tmp):
    site = ward()
    other = tmp / "other.conf"
    other.write_text(site.conf.read_text())
    site.conf = other
    finding = site.finding("processes")
    assert finding["level"] == "fail" and finding["why"] == f"no Dovecot runs here that reads {other}"


def test_a_dovecot_that_is_only_starting_is_not_missed(ward, tmp):
    site = ward()
    site.conf, config = tmp / "other.conf", site.conf.read_text()
    site.conf.write_text(config)
    master = tmp / "dovecot"
    master.write_text("#!/bin/sh\nread line\n")            # it has no process yet
    master.chmod(0o755)
    with subprocess.Popen([master, "-c", site.conf], stdin=subprocess.PIPE):
        wait_until(lambda: site.finding("processes")["why"]
                   == f"Dovecot has read {site.conf} since it was changed", what="the master")


# ---- sites without one ----

def test_a_site_of_the_plugin_for_xapsd_alone_is_reported(mailpushd):
    daemon = mailpushd(start=False, imapd_conf="", notify_socket=None, stream_socket=None)
    daemon.write_conf(xaps_socket=daemon.dir / "xaps")
    daemon.start()
    findings = examine(daemon)[1]
    assert not ill_of(findings)
    assert "plugin for xapsd alone" in {f["check"]: f["why"] for f in findings}["dovecot"]


def test_a_site_without_any_mail_server_is_reported(mailpushd):
    daemon = mailpushd(start=False, imapd_conf="", notify_socket=None, stream_socket=None)
    found = {f["check"]: f for f in ill_of(examine(daemon)[1])}
    assert found["mailpush.conf"]["level"] == "fail"
    for key in ("stream_socket", "dovecot_socket", "xaps_listen"):
        assert key in found["mailpush.conf"]["why"]
