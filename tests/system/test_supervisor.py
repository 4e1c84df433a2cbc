"""What systemd is told of mailpushd, and what it may be told while it runs."""

import re

import pytest

import control
import notify
from cyrus import UNSHARE
from mailsite import BarePhone, BareSite, locked, new_user
from supervisor import Supervisor, hung
from waiting import wait_until

WATCHDOG_S = 0.2
QLEN = "/proc/sys/net/unix/max_dgram_qlen"


@pytest.fixture
def supervisor(tmp):
    supervisor = Supervisor(tmp / "systemd", WATCHDOG_S)
    yield supervisor
    supervisor.close()


@pytest.fixture
def supervised(mailpushd, sim, imapd_conf, supervisor):
    """supervised(**settings): a site whose daemon is ready as its supervisor knows it."""
    def make(**settings):
        daemon = mailpushd(start=False, imapd_conf=imapd_conf, **settings)
        daemon.wrapper = supervisor.wrapper
        site = BareSite(daemon.start(), sim)
        supervisor.wait("^READY=1 ")
        return site
    return make


def pings(supervisor, since=0):
    return supervisor.heard.all(since).count("WATCHDOG=1")


# ---- systemd ----

def test_when_it_is_ready_its_sockets_take_events(mailpushd, imapd_conf, supervisor):
    daemon = mailpushd(start=False, imapd_conf=imapd_conf)
    daemon.wrapper = supervisor.wrapper
    daemon.start()
    supervisor.wait("^READY=1 STATUS=0 phones wait, 0 alarms$")
    assert notify.ask(daemon.stream_socket, notify.request(notify.mail("alice"))) == b"OK ()\r\n"
    notify.send(daemon.notify_socket, notify.datagram(notify.mail("alice")))


def test_without_its_sockets_it_is_never_ready(mailpushd, imapd_conf, supervisor):
    """The one that is made last cannot be made."""
    other = mailpushd(imapd_conf=imapd_conf)
    daemon = mailpushd(start=False, imapd_conf=imapd_conf, stream_socket=other.stream_socket)
    daemon.wrapper = supervisor.wrapper
    with pytest.raises(RuntimeError, match="ended with 1"):
        daemon.start()
    assert not [text for text in supervisor.heard.all() if "READY" in text]


def test_the_stop_is_reported(supervised, supervisor):
    site = supervised()
    since = supervisor.now()
    assert site.mailpushd.stop() == 0
    supervisor.wait("^STOPPING=1 STATUS=stopping$", since)
    assert not [text for text in supervisor.heard.all(since) if "READY" in text]


def test_a_reload_is_reported_from_begin_to_end(supervised, supervisor):
    site = supervised()
    since = supervisor.now()
    site.mailpushd.reload()
    supervisor.wait(r"^RELOADING=1 MONOTONIC_USEC=\d+ ", since)
    supervisor.wait("^READY=1 ", since)
    states = [text.split("=")[0] for text in supervisor.heard.all(since)
              if re.match("RELOADING|READY", text)]
    assert states == ["RELOADING", "READY"]


def test_a_reload_that_fails_ends_as_well(supervised, supervisor, imapd_conf):
    site = supervised()
    since = supervisor.now()
    imapd_conf.unlink()
    site.mailpushd.reload()
    supervisor.wait("^READY=1 STATUS=0 phones wait, 1 alarm: reload$", since)


def test_the_status_tells_who_waits_and_what_is_wrong(supervised, supervisor):
    site = supervised()
    phone = site.registered_phone()
    site.sim.stop()
    since = supervisor.now()
    site.deliver(phone.user)
    supervisor.wait("^STATUS=1 phone waits, 1 alarm: apns:main$", since)
    site.sim.start(site.sim.dir, port=site.sim.port)
    site.told(phone, "INBOX")
    supervisor.wait("^STATUS=0 phones wait, 0 alarms$", since)


def test_the_watchdog_is_fed_by_the_loop_alone(supervised, supervisor):
    """Threads that go on do not hide a loop that hangs."""
    site = supervised()
    supervisor.wait("^WATCHDOG=1$")
    with hung(site.mailpushd.process.pid):
        since = supervisor.now()
        with notify.connect(site.mailpushd.stream_socket, timeout=4 * WATCHDOG_S) as connection:
            connection.sendall(notify.request(notify.mail("alice")))
            with pytest.raises(TimeoutError):
                connection.recv(100)
        assert pings(supervisor, since) == 0
    supervisor.wait("^WATCHDOG=1$", since)


def test_a_disk_that_stalls_does_not_starve_the_watchdog(supervised, supervisor):
    site = supervised()
    with locked(site.mailpushd.dir / "registry.sqlite"):
        site.register(BarePhone(new_user()))
        since = supervisor.now()
        wait_until(lambda: pings(supervisor, since) >= 5, what="five pings")


def test_a_supervisor_that_makes_no_sense_is_named(mailpushd, imapd_conf):
    daemon = mailpushd(start=False, imapd_conf=imapd_conf)
    daemon.wrapper = ["env", "NOTIFY_SOCKET=systemd"]
    daemon.start()
    daemon.wait_log("warn daemon: NOTIFY_SOCKET 'systemd' is neither a path nor")


# ---- mailpush.conf, read again (test_reload.py has the rest) ----

def test_the_level_of_the_log_is_changed_by_a_reload(bare_site_for):
    site = bare_site_for(log_level="info")
    phone = site.registered_phone()
    assert not debug_lines(site)
    site.mailpushd.write_conf(log_level="debug")
    reload(site)
    site.deliver(phone.user)
    site.mailpushd.wait_log(" debug apns: pushed ")
    site.told(phone, "INBOX")
    site.mailpushd.write_conf(log_level="info")
    reload(site)
    since = len(site.mailpushd.log)
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    assert not debug_lines(site, since)


def test_another_servername_is_no_other_site_before_a_restart(bare_site, imapd_conf):
    site = bare_site
    phone = site.registered_phone()
    text = imapd_conf.read_text()
    imapd_conf.write_text(text.replace("servername: ", "servername: other."))
    site.mailpushd.reload()
    site.mailpushd.wait_log("warn config: servername of imapd.conf has changed.*a restart "
                            "applies that.* servername=other")
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    site_name = control.get(site.mailpushd, "/status")["site"]
    assert site_name in text and not site_name.startswith("other")


def test_a_mailpush_conf_that_is_spoilt_changes_nothing(bare_site, imapd_conf):
    site = bare_site
    good = site.mailpushd.conf.read_text()
    site.mailpushd.conf.write_text(good + "min_intervall = 2s\n")
    site.mailpushd.reload()
    line = len(good.splitlines()) + 1
    site.mailpushd.wait_log(f"alarm: {site.mailpushd.conf}:{line}: unknown key 'min_intervall'"
                            ".*the previous settings stay in force.*state=begins")
    site.mailpushd.conf.write_text(good)
    site.mailpushd.reload()
    site.mailpushd.wait_log("alarm=reload state=ends")
    phone = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def reload(site):
    since = len(site.mailpushd.log)
    site.mailpushd.reload()
    site.mailpushd.wait_log("info daemon: reloaded", since=since)


def debug_lines(site, since=0):
    return [line for line in site.mailpushd.lines(since) if " debug " in line]


# ---- the kernel's setting ----

@pytest.mark.parametrize("limit, is_named", [(None, True), (10, True), (512, False)])
def test_a_short_queue_of_datagrams_is_named_with_the_remedy(mailpushd, imapd_conf, limit,
                                                             is_named):
    """Each network namespace has its own; a new one has the kernel's."""
    daemon = mailpushd(start=False, imapd_conf=imapd_conf)
    change = f"echo {limit} >{QLEN} && " if limit else ""
    daemon.wrapper = [*UNSHARE, "--net", "sh", "-c", f'{change}exec "$@"', "sh"]
    daemon.start()
    named = [line for line in daemon.lines() if "sysctl -w net.unix.max_dgram_qlen=512" in line]
    assert bool(named) == is_named
    if named:
        assert " warn intake: " in named[0] and named[0].endswith("max_dgram_qlen=10")


def test_without_the_datagram_socket_its_queue_does_not_matter(mailpushd, imapd_conf):
    daemon = mailpushd(start=False, imapd_conf=imapd_conf, notify_socket="")
    daemon.wrapper = [*UNSHARE, "--net"]
    daemon.start()
    assert not [line for line in daemon.lines() if "max_dgram_qlen" in line]
