"""Fixtures of the system tests: real programs, one of each, joined as at a site.

MAILPUSH_BUILD is the build folder (default: build).  What each program said is shown when a test
fails, and no test runs longer than its limit (@pytest.mark.limit(seconds)).
"""

import json
import os
import pathlib
import shutil
import signal
import tempfile
import threading

import pytest

import apnssim
import mariadb
import postgresql
from apnssim import ApnsSim
from baddisk import BadDisk
from cyrus import SERVERNAME, Cyrus
from doveaudience import Audience
from dovecot import MAIL_USER, Dovecot, knowing_users
from mailpushd import Mailpushd, binary
from mailsite import DELAYS, BareSite, MailSite
from referee import Referee

LIMIT_S = 240
SERVERS = {"postgresql": (postgresql.programs, postgresql.Postgresql),
           "mariadb": (mariadb.programs, mariadb.Mariadb)}
TAIL = 60
SANITIZER = ("AddressSanitizer", "LeakSanitizer", "runtime error:")


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): longest time that the test may take")


# ---- what is shown when a test fails ----

EVIDENCE = pytest.StashKey()


@pytest.fixture
def evidence(request):
    """A list of (title, function that returns lines) to show when the test fails."""
    return request.node.stash.setdefault(EVIDENCE, [])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    if report.failed:
        for title, lines in item.stash.get(EVIDENCE, []):
            report.sections.append((title, "\n".join(lines()[-TAIL:])))


@pytest.fixture(autouse=True)
def time_limit(request):
    """A test that hangs fails, and its fixtures still end what they started."""
    marker = request.node.get_closest_marker("limit")
    seconds = marker.args[0] if marker else LIMIT_S
    # On a busy machine a worker may run its tests beside its main thread, where none can be ended.
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_alarm(*_):
        raise TimeoutError(f"the test took more than {seconds} s")

    previous = signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


# ---- the parts ----

@pytest.fixture(scope="session")
def build():
    """The build folder under test."""
    return binary().parents[2]


@pytest.fixture
def tmp():
    """A folder with a short path (a unix socket's may have 107 bytes), open to other users."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mp-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def disk(tmp):
    return BadDisk(tmp)


@pytest.fixture
def bad_disk_site(bare_site_for, disk):
    """The site's databases are on a disk in trouble."""
    site = bare_site_for(start=False)
    disk.under(site.mailpushd)
    site.mailpushd.start()
    return site


@pytest.fixture(scope="session")
def apns_folder():
    """Apple's certificates, made once."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="apns-", dir="/tmp"))
    apnssim.run("--init", folder, "--topic", apnssim.TOPIC)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def sim(apns_folder, evidence):
    """Apple, that accepts everything until told otherwise."""
    sim = ApnsSim().start(apns_folder)
    evidence.append(("apns-sim records", lambda: [json.dumps(p) for p in sim.pushes()]))
    yield sim
    sim.stop()


@pytest.fixture(scope="session")
def shared_cyruses():
    """Running instances by configuration."""
    running = {}
    yield running
    for cyrus in running.values():
        cyrus.remove()


@pytest.fixture
def cyrus_for(shared_cyruses, evidence):
    """cyrus_for(transport=..., altnamespace=...): one instance a configuration, for all tests.

    Each test uses users of its own (mailsite.new_user).
    """
    def get(**options):
        key = repr(sorted({**Cyrus.__init__.__kwdefaults__, **options}.items()))
        if key not in shared_cyruses:
            shared_cyruses[key] = start_or_remove(Cyrus(**options))
        show_syslog(shared_cyruses[key], evidence)
        return shared_cyruses[key]
    return get


def start_or_remove(cyrus):
    try:
        return cyrus.start()
    except BaseException:
        cyrus.remove()
        raise


@pytest.fixture
def private_cyrus(evidence):
    """private_cyrus(**options): an instance of the test's own, to stop and to spoil."""
    instances = []

    def make(**options):
        instances.append(Cyrus(**options))
        show_syslog(instances[-1], evidence)
        return instances[-1].start()
    yield make
    for cyrus in instances:
        cyrus.remove()


def show_syslog(cyrus, evidence):
    since = len(cyrus.syslog)
    evidence.append(("Cyrus syslog", lambda: cyrus.syslog.all(since)))


@pytest.fixture(params=SERVERS)
def server(request):
    """A database server, of each kind that a registry may be in."""
    programs, kind = SERVERS[request.param]
    if not programs():
        pytest.skip(f"{request.param} is not installed (script/bootstrap)")
    server = kind()
    try:
        yield server.make()
    finally:
        server.remove()


@pytest.fixture
def mailpushd(tmp, sim, evidence):
    """mailpushd(cyrus, start=True, **settings): a daemon with a folder and databases of its own."""
    daemons = []

    def make(cyrus=None, start=True, **settings):
        daemon = Mailpushd(tmp / f"d{len(daemons)}", cyrus, sim, **{**DELAYS, **settings})
        daemons.append(daemon)
        evidence.append(("mailpushd log", daemon.lines))
        return daemon.start() if start else daemon
    yield make
    statuses = [daemon.stop() for daemon in daemons]
    assert set(statuses) <= {0, None}, f"mailpushd ended with {statuses}"
    complaints = [line for daemon in daemons for line in daemon.lines()
                  if any(word in line for word in SANITIZER)]
    assert not complaints, complaints


@pytest.fixture
def site_for(cyrus_for, mailpushd, sim):
    """site_for(cyrus={...}, **settings): Cyrus, mailpushd and apns-sim, joined."""
    sites = []

    def make(cyrus=None, **settings):
        server = cyrus_for(**(cyrus or {}))
        sites.append(MailSite(server, mailpushd(server, **settings), sim))
        return sites[-1]
    yield make
    for site in sites:
        site.close()


@pytest.fixture
def ward(site_for):
    """A site whose imapd.conf and cyrus.conf are as before when the test is over."""
    kept = {}

    def make(cyrus=None, **settings):
        site = site_for(cyrus={"event_extra_params": "timestamp", **(cyrus or {})}, **settings)
        for name in ("imapd.conf", "cyrus.conf"):
            path = site.cyrus.dir / name
            kept.setdefault(path, (site.cyrus, path.read_bytes(), path.stat()))
        return site
    yield make
    spoiled = set()
    for path, (cyrus, text, status) in kept.items():
        if not path.exists() or path.stat().st_mtime_ns != status.st_mtime_ns:
            spoiled.add(cyrus)
        path.write_bytes(text)
        path.chmod(status.st_mode)
        os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))     # Cyrus goes by this text
    for cyrus in spoiled:       # doctor had it start a process, which read the other text and serves on
        cyrus.stop()
        cyrus.start()


@pytest.fixture
def site(site_for):
    """The usual site: dlist, upstream's namespace, short delays."""
    return site_for()


@pytest.fixture
def imapd_conf(tmp):
    """The settings of a Cyrus that need not run."""
    path = tmp / "imapd.conf"
    path.write_text(f"servername: {SERVERNAME}\naltnamespace: yes\nunixhierarchysep: yes\n"
                    f"virtdomains: off\naps_topic: {apnssim.TOPIC}\n")
    return path


@pytest.fixture
def bare_site_for(mailpushd, sim, imapd_conf):
    """bare_site_for(**settings): mailpushd and apns-sim; the test itself sends the events."""
    def make(**settings):
        return BareSite(mailpushd(imapd_conf=imapd_conf, **settings), sim)
    return make


@pytest.fixture
def bare_site(bare_site_for):
    return bare_site_for()


# ---- Dovecot ----

@pytest.fixture
def audience(tmp):
    """Who listens where Dovecot's plugins send, instead of mailpushd."""
    audience = Audience(tmp / "dovecot")
    yield audience
    audience.leave()


@pytest.fixture
def private_dovecot(evidence):
    """private_dovecot(socket=..., **options): an instance of the test's own."""
    instances = []

    def make(**options):
        instances.append(Dovecot(**options))
        evidence.append(("Dovecot log", instances[-1].log))
        return instances[-1].start()
    yield make
    complaints = [line for dovecot in instances for line in dovecot.complaints()]
    for dovecot in instances:
        dovecot.remove()
    assert not complaints, complaints


@pytest.fixture
def dovecot_for(private_dovecot, audience):
    """dovecot_for(**options): one that sends to the audience."""
    def make(**options):
        dovecot = private_dovecot(socket=audience.path, **options)
        audience.spools.append(dovecot.spool)
        return dovecot
    return make


@pytest.fixture
def dovecot_site_for(mailpushd, private_dovecot, sim, imapd_conf):
    """dovecot_site_for(**options): a Dovecot with these options, joined to mailpushd and apns-sim.

    mailpushd knows its system_users, or known_users instead, and takes what they say.
    """
    sites = []

    def make(known_users=None, system_users=(), **options):
        daemon = mailpushd(start=False, imapd_conf=imapd_conf, dovecot_users=[MAIL_USER])
        daemon.write_conf(dovecot_socket=daemon.dir / "dovecot")
        if system_users:
            daemon.write_conf(dovecot_system_users="yes")
            daemon.wrapper = knowing_users(
                daemon.dir, *(system_users if known_users is None else known_users))
        daemon.start()
        daemon.wait_spool()
        daemon.dir.chmod(0o755)
        dovecot = private_dovecot(socket=daemon.dir / "dovecot", spool=daemon.spool,
                                  system_users=system_users, **options)
        sites.append(MailSite(dovecot, daemon, sim))
        return sites[-1]
    yield make
    for site in sites:
        site.close()


# ---- an Apple that the test scripts ----

@pytest.fixture
def referee_for(apns_folder):
    """referee_for(**options): a server of the test's own."""
    referees = []

    def make(folder=apns_folder, **options):
        referees.append(Referee(folder, **options))
        return referees[-1]
    yield make
    for referee in referees:
        referee.close()


@pytest.fixture
def referee(referee_for):
    return referee_for()


@pytest.fixture
def site_of(mailpushd, sim, imapd_conf):
    """site_of(referee, **settings): a daemon whose Apple that referee is."""
    def make(referee, **settings):
        return BareSite(mailpushd(imapd_conf=imapd_conf, **{**referee.settings, **settings}), sim)
    return make
