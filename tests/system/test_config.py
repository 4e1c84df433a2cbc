"""`mailpushd -n`: a mistake is named with file, line, key and value before anything runs."""

import os
import re
import shutil
import subprocess

import pytest

from apnssim import TOPIC, token_key
from mailpushd import REPOSITORY, Mailpushd, binary
from waiting import TIMEOUT


@pytest.fixture
def daemon(tmp, sim, imapd_conf):
    """A configuration that is good."""
    return Mailpushd(tmp / "d", None, sim, imapd_conf=imapd_conf)


def complaint(daemon):
    """What `-n` says about a configuration that is not good."""
    done = daemon.run_check()
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_a_good_configuration_is_fine(daemon):
    done = daemon.run_check()
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{daemon.conf}: ok\n", "")


def test_the_check_touches_nothing(daemon):
    before = sorted(daemon.dir.iterdir())
    assert daemon.run_check().returncode == 0
    assert sorted(daemon.dir.iterdir()) == before


@pytest.mark.parametrize("key", ["notify_socket", "stream_socket", "dovecot_socket", "xaps_socket", "control_socket"])
def test_a_socket_that_could_not_be_made_is_named(daemon, tmp, key):
    daemon.write_conf(**{key: tmp / "missing" / "socket"})
    assert f"{key}: the folder '{tmp}/missing'" in complaint(daemon)
    (tmp / "missing").write_text("")
    assert f"{key}: '{tmp}/missing' is not a folder" in complaint(daemon)
    daemon.write_conf(**{key: tmp / "missing"})
    assert f"{key}: '{tmp}/missing' already exists and is not a socket" in complaint(daemon)


def test_the_check_may_run_beside_the_daemon(bare_site):
    assert bare_site.mailpushd.run_check().returncode == 0
    phone = bare_site.registered_phone()
    bare_site.deliver(phone.user)
    bare_site.told(phone, "INBOX")


def test_every_key_of_the_manual_is_taken(daemon):
    daemon.write_conf(
        site="mail.example.com", socket_mode="0660", ack_timeout="2s", max_waiting=1000000,
        spool_dir="", forward_socket="dlist:/run/other/dlist", forward_events="yes",
        registration_ttl="30d", registrations_per_user=64, deleted_user_grace="7d",
        shared_mailboxes="yes", subtopics=["com.apple.mobilemail"], urgent_events=["MessageNew"],
        deferred_events=["MessageAppend", "FlagsClear:Seen"], min_interval="2s", deferred_delay="30s",
        max_push_rate=2000, connections=4, priority="none", log_level="info",
        log_target="auto", alarm_command="", user="", http_listen="127.0.0.1:9105",
        status_page_names="yes", page_login="header:X-Remote-User", trace_keep="7d", trace_size="64MiB", xaps_listen="[::1]:11619", xaps_clients=["192.0.2.7", "10.1.0.0/16"],
        xaps_socket=daemon.dir / "xapsd", xaps_fold_users="no", dovecot_system_users="yes")
    assert daemon.run_check().returncode == 0


# ---- values ----

@pytest.mark.parametrize("key, value, why", [
    ("min_interval", "2", "is not a duration; write a number with its unit"),
    ("min_interval", "2 parsecs", "is not a duration"),
    ("min_interval", "-1s", "is not a duration"),
    ("min_interval", "", "is not a duration"),
    ("deferred_delay", "2d", "is out of range; it must be from 0s to 1d"),
    ("ack_timeout", "1ms", "is out of range; it must be from 50ms to 60s"),
    ("registration_ttl", "1d", "is out of range; it must be from 7d to 3650d"),
    ("max_push_rate", "many", "is not a number"),
    ("max_push_rate", "-1", "is out of range"),
    ("registrations_per_user", "0", "is out of range"),
    ("apns_port", "0", "is out of range"),
    ("apns_port", "65536", "is out of range"),
    ("connections", "4x", "is not a number"),
    ("imapd_conf", "imapd.conf", "is not an absolute path"),
    ("queue", "", "is empty; write the path of a file"),
    ("notify_socket", "/tmp/" + "n" * 120, "is too long"),
    ("registry", "postgres://example.com/", "is not a database that this version knows"),
    ("registry", "sqlite:registry", "is not the path of a file"),
    ("spool_dir", "spool", "is not an absolute path"),
    ("spool_dir", "/" + "s" * 1024, "is too long"),
    ("forward_socket", "notify", "is not a socket; write the absolute path"),
    ("forward_socket", "dlist:", "is not a socket"),
    ("forward_socket", "dlist:notify", "is not a socket"),
    ("forward_socket", "/tmp/" + "n" * 103, "is not a socket"),
    ("xaps_listen", "localhost:11619", "is not a numeric address with a port"),
    ("xaps_clients", ["mail.example.com"], "is not a numeric address or network"),
    ("xaps_clients", ["10.0.0.0/33"], "is not a numeric address or network"),
    ("xaps_fold_users", "maybe", "is neither yes nor no"),
    ("forward_events", "maybe", "is neither yes nor no"),
    ("socket_group", "no-such-group", "is not a group of this system"),
    ("socket_mode", "rw-rw----", "is not a mode of a file"),
    ("socket_mode", "7777", "is not a mode of a file"),
    ("allowed_users", ["no-such-user"], "is not a user of this system"),
    ("shared_mailboxes", "perhaps", "is neither yes nor no"),
    ("status_page_names", "some", "is neither yes nor no"),
    ("page_login", "yes", "is no login; write"),
    ("page_login", "token:/nowhere", "cannot read token file '/nowhere'"),
    ("subtopics", [""], "is not a subtopic"),
    ("urgent_events", ["MailboxDelete"], "is not an event that can push"),
    ("deferred_events", ["messagenew"], "is not an event that can push"),
    ("priority", "7", "is not an apns-priority"),
    ("log_level", "loud", "is not a log level"),
    ("log_target", "paper", "is not a log target"),
    ("user", "no-such-user", "is not a user of this system"),
    ("site", "a b", "is not a name of a site"),
])
def test_a_value_that_makes_no_sense_is_named(daemon, key, value, why):
    daemon.write_conf(**{key: None})
    daemon.write_conf(**{key: value})
    line = line_of(daemon, f"{key} = ")
    shown = value[0] if isinstance(value, list) else value
    assert complaint(daemon).startswith(f"mailpushd: {daemon.conf}:{line}: {key}: '{shown[:100]}")
    assert why in complaint(daemon)


def line_of(daemon, beginning):
    lines = daemon.conf.read_text().splitlines()
    return 1 + next(n for n, line in enumerate(lines) if line.startswith(beginning))


# ---- the file ----

def test_an_unknown_key_is_named(daemon):
    daemon.write_conf(min_intervall="2s")
    line = line_of(daemon, "min_intervall")
    said = complaint(daemon)
    assert said.startswith(f"mailpushd: {daemon.conf}:{line}: unknown key")
    assert "'min_intervall'" in said


@pytest.mark.parametrize("line, remedy", [
    ('min_interval: "2s"', "a key is followed by =, other than in imapd.conf"),
    ('certificate = "/etc/mailpush/certificate.pem"',
     'it belongs into a section: credential "mail" { ... }'),
    ('credential { }', 'write credential "NAME" { ... }'),
])
def test_what_is_often_mistaken_has_a_remedy_of_its_own(daemon, line, remedy):
    with open(daemon.conf, "a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    last = len(daemon.conf.read_text().splitlines())
    said = complaint(daemon)
    assert said.startswith(f"mailpushd: {daemon.conf}:{last}: ")
    assert said.endswith(f"; {remedy}\n")


def test_comments_do_not_move_the_number_of_a_line(daemon):
    """Each of the example's hundred comments did."""
    example = (REPOSITORY / "packaging/mailpush.conf").read_text()
    daemon.conf.write_text(f"{example}site = a   # here\nmin_intervall = 2s\n")
    assert complaint(daemon).startswith(
        f"mailpushd: {daemon.conf}:{len(example.splitlines()) + 2}: unknown key 'min_intervall'")


def test_a_file_as_windows_writes_it_is_fine(daemon):
    text = daemon.conf.read_text()
    daemon.conf.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert daemon.run_check().returncode == 0


def test_a_file_in_another_encoding_is_named(daemon):
    daemon.conf.write_text(daemon.conf.read_text(), encoding="utf-16")
    assert "holds a NUL byte, as text in UTF-16 does; save the file as UTF-8" in complaint(daemon)


def test_a_key_given_twice_is_named(daemon):
    with open(daemon.conf, "a", encoding="utf-8") as file:
        file.write('min_interval = "3s"\nmin_interval = "3s"\n')
    said = complaint(daemon)
    last = len(daemon.conf.read_text().splitlines())
    assert said.startswith(f"mailpushd: {daemon.conf}:{last}: min_interval is given twice")


def test_a_list_given_twice_is_named(daemon):
    with open(daemon.conf, "a", encoding="utf-8") as file:
        file.write('subtopics = {"com.apple.mobilemail"}\nsubtopics = {"com.apple.mobilemail"}\n')
    assert "subtopics is given twice" in complaint(daemon)


def test_a_line_that_is_not_closed_is_named(daemon):
    with open(daemon.conf, "a", encoding="utf-8") as file:
        file.write('site = "mail\n')
    assert complaint(daemon).startswith(f"mailpushd: {daemon.conf}:")


def test_what_openssl_cnf_forbids_is_said(daemon, sim, tmp, monkeypatch):
    """As in FIPS mode, without a provider that could do it."""
    forbids = tmp / "openssl.cnf"
    forbids.write_text("openssl_conf = all\n[all]\nalg_section = algorithms\n"
                       "[algorithms]\ndefault_properties = fips=yes\n")
    monkeypatch.setenv("OPENSSL_CONF", str(forbids))
    assert "cannot set up TLS for certificate" in complaint(daemon)
    daemon.credentials["main"] = token_key(sim)
    daemon.write_conf()
    assert "see what openssl.cnf allows" in complaint(daemon)


def test_a_file_that_is_missing_is_named(daemon):
    daemon.conf.unlink()
    said = complaint(daemon)
    assert said.startswith(f"mailpushd: {daemon.conf}: cannot open: No such file or directory")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user as well")
def test_a_file_that_the_daemon_may_not_read_is_named(daemon):
    daemon.conf.chmod(0o600)
    done = subprocess.run(["setpriv", "--reuid=nobody", "--clear-groups", binary(), "-n", "-c",
                           daemon.conf], capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 1
    assert "cannot open: Permission denied; let the daemon's user read it" in done.stderr


def test_the_packaged_example_says_only_what_is_the_case(daemon):
    """With all that it shows as a comment in force, it is still good."""
    example = (REPOSITORY / "packaging/mailpush.conf").read_text()
    good = daemon.conf.read_text()
    ours = set(re.findall(r"^(\w+) = ", good, flags=re.M))
    shown = [line[1:] for line in example.splitlines()
             if (found := re.match(r"#(\w+) = ", line)) and found[1] not in ours]
    assert shown
    daemon.conf.write_text(good + "\n".join(shown) + "\n")
    assert daemon.run_check().returncode == 0


def test_without_any_socket_no_event_could_come(daemon):
    daemon.write_conf(notify_socket="", stream_socket="")
    assert "without one of them events cannot come" in complaint(daemon)


def test_the_two_sockets_must_be_two(daemon):
    daemon.write_conf(notify_socket="/tmp/one", stream_socket="/tmp/one")
    assert "are the same path '/tmp/one'" in complaint(daemon)


@pytest.mark.parametrize("prefix", ["", "dlist:"])
@pytest.mark.parametrize("key", ["notify_socket", "stream_socket"])
def test_notifications_for_others_cannot_be_passed_on_to_mailpushd_itself(daemon, prefix, key):
    path = daemon.settings[key]
    daemon.write_conf(forward_socket=f"{prefix}{path}")
    assert f"forward_socket '{prefix}{path}' is our own {key}" in complaint(daemon)


def test_events_cannot_be_passed_on_to_nobody(daemon):
    daemon.write_conf(forward_events="yes")
    assert "forward_events is yes, but no forward_socket is set" in complaint(daemon)


def test_a_file_to_pass_notifications_on_to_is_named(daemon):
    daemon.write_conf(forward_socket=str(daemon.conf))
    assert f"forward_socket: '{daemon.conf}' is not a socket" in complaint(daemon)


# ---- credentials ----

def test_a_certificate_that_is_missing_is_named(daemon):
    daemon.credentials["main"]["certificate"] = "/nonexistent/apns.pem"
    daemon.write_conf()
    assert complaint(daemon) == (
        f'{daemon.conf}: credential "main": cannot read certificate \'/nonexistent/apns.pem\': '
        "No such file or directory; check the path\n")


def test_a_key_that_does_not_fit_is_named(daemon, sim):
    _, key = sim.add_client("other", "com.apple.mail.other")
    daemon.credentials["main"]["key"] = key
    daemon.write_conf()
    assert "does not fit certificate" in complaint(daemon)


def test_an_expired_certificate_is_named(daemon, sim):
    certificate, key = sim.add_client("expired", TOPIC, "--days", "-1")
    daemon.credentials["main"] = {"certificate": certificate, "key": key}
    daemon.write_conf()
    assert f"certificate '{certificate}' expired on " in complaint(daemon)


def test_a_certificate_for_another_topic_is_named(daemon):
    daemon.credentials["main"]["topic"] = "com.apple.mail.another"
    daemon.write_conf()
    assert "is not for topic 'com.apple.mail.another'" in complaint(daemon)


def test_a_certificate_that_is_not_apples_is_named(daemon, sim):
    daemon.credentials["main"] = {"certificate": sim.dir / "server.pem",
                                  "key": sim.dir / "server.key"}
    daemon.write_conf()
    assert "has no topic" in complaint(daemon)


def test_half_a_credential_is_named(daemon):
    del daemon.credentials["main"]["certificate"]
    daemon.write_conf()
    assert 'credential "main": certificate is missing' in complaint(daemon)


def test_a_certificate_without_a_key_is_named(daemon, sim):
    del daemon.credentials["main"]["key"]
    daemon.write_conf()
    assert f"'{sim.client_cert}' holds no private key in PEM form; set `key`" in complaint(daemon)


def test_a_credential_given_twice_is_named(daemon):
    section = daemon.conf.read_text()[daemon.conf.read_text().index("credential"):]
    with open(daemon.conf, "a", encoding="utf-8") as file:
        file.write(section)
    assert "section 'main' is given twice" in complaint(daemon)


def test_two_kinds_in_one_credential_are_named(daemon):
    daemon.credentials["main"]["p8"] = "/etc/mailpush/key.p8"
    daemon.write_conf()
    assert "certificate and p8 are both set; keep one, or make two sections" in complaint(daemon)


def kinds(sim):
    """Every form in which an administrator has a credential."""
    passphrase = sim.dir / "passphrase"
    return {
        "chain": {"certificate": sim.dir / "client-chained.pem",
                  "key": sim.dir / "client-chained.key"},
        "pkcs12": {"pkcs12": sim.dir / "client.p12", "passphrase_file": passphrase},
        "old pkcs12": {"pkcs12": sim.dir / "client-old.p12", "passphrase_file": passphrase},
        "token key": {"p8": sim.dir / "AuthKey_SIMKEY0001.p8", "key_id": "SIMKEY0001",
                      "team_id": "SIMTEAM001", "topic": TOPIC},
    }


@pytest.mark.parametrize("kind", ["chain", "pkcs12", "old pkcs12", "token key"])
def test_every_kind_of_credential_is_fine(daemon, sim, kind):
    daemon.credentials["main"] = kinds(sim)[kind]
    daemon.write_conf()
    done = daemon.run_check()
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{daemon.conf}: ok\n", "")


def test_a_certificate_and_its_key_may_be_one_file(daemon, sim, tmp):
    both = tmp / "both.pem"
    both.write_bytes(sim.client_key.read_bytes() + sim.client_cert.read_bytes())
    both.chmod(0o600)
    daemon.credentials["main"] = {"certificate": both}
    daemon.write_conf()
    assert daemon.run_check().returncode == 0


def test_a_passphrase_that_does_not_fit_is_named_and_not_shown(daemon, sim, tmp):
    wrong = tmp / "wrong"
    wrong.write_text("close sesame\n")
    wrong.chmod(0o600)
    daemon.credentials["main"] = {**kinds(sim)["old pkcs12"], "passphrase_file": wrong}
    daemon.write_conf()
    said = complaint(daemon)
    assert f"the passphrase in '{wrong}' does not open" in said
    assert "sesame" not in said


def warnings(daemon):
    """What `-n` says of a configuration that is good all the same."""
    done = daemon.run_check()
    assert (done.returncode, done.stdout) == (0, f"{daemon.conf}: ok\n"), done.stderr
    return done.stderr


def test_a_certificate_that_ends_soon_is_a_warning(daemon, sim):
    certificate, key = sim.add_client("soon", TOPIC, "--days", "29")
    daemon.credentials["main"] = {"certificate": certificate, "key": key}
    daemon.write_conf()
    assert f"warning: credential \"main\": certificate '{certificate}' expires on " \
        in warnings(daemon)


def test_a_key_that_everybody_can_read_is_a_warning(daemon, sim, tmp):
    key = tmp / "key.pem"
    key.write_bytes(sim.client_key.read_bytes())
    key.chmod(0o644)
    daemon.credentials["main"]["key"] = key
    daemon.write_conf()
    said = warnings(daemon)
    assert f"'{key}'" in said and "chmod o-rwx" in said


def test_a_topic_that_mail_does_not_listen_to_is_named(daemon, sim):
    certificate, key = sim.add_client("mdm", "com.apple.mgmt.External.1")
    daemon.credentials["main"] = {"certificate": certificate, "key": key}
    daemon.write_conf()
    assert "com.apple.mgmt.External.1', which iOS Mail does not listen to" in complaint(daemon)


# ---- groups ----

def test_groups_are_taken(daemon):
    daemon.write_conf(groups={"staff": ["alice", "bob@example.org", "jane.doe"], "empty": [],
                              "all the others": ["carol"]})
    assert daemon.run_check().returncode == 0


@pytest.mark.parametrize("groups, why", [
    ({"group:staff": ["alice"]}, 'group "group:staff": leave out group:'),
    ({"": ["alice"]}, 'group "": not a name of a group'),
    ({"s" * 300: ["alice"]}, 'not a name of a group'),
    ({"staff": ["alice", ""]}, "group \"staff\": members: '' is not a user"),
    ({"staff": ["a\tr"]}, "is not a user"),
    ({"staff": ["u" * 513]}, "is not a user"),
    ({"staff": ["u"] * 10001}, 'group "staff": more than 10000 members'),
    ({f"g{n}": [] for n in range(257)}, 'group "g256": more than 256 groups'),
])
def test_a_group_that_makes_no_sense_is_named(daemon, groups, why):
    daemon.write_conf(groups=groups)
    assert complaint(daemon).startswith(f"mailpushd: {daemon.conf}:")
    assert why in complaint(daemon)


@pytest.mark.parametrize("text, why", [
    ('group "staff" { members = {a} }\ngroup "staff" { members = {b} }\n',
     "section 'staff' is given twice"),
    ('group "staff" {\nmembers = {a, b}\nmembers = {c}\n}\n', "members is given twice"),
    ('group "staff" {\nusers = {a}\n}\n', "unknown key 'users'"),
    ('group "staff" {\nmembers = {a, b\n', "the file ends too early"),
    ('group "staff" {\nmembers = {a, b}\n', "the file ends too early"),
    ('group { members = {a} }\n', 'write group "NAME" { ... }'),
])
def test_a_group_that_is_written_wrongly_is_named(daemon, text, why):
    with open(daemon.conf, "a", encoding="utf-8") as file:
        file.write(text)
    assert why in complaint(daemon)


# ---- imapd.conf ----

def test_an_imapd_conf_that_cannot_be_read_is_named(daemon, imapd_conf):
    imapd_conf.unlink()
    assert complaint(daemon) == (
        f"{daemon.conf}: imapd_conf: cannot open {imapd_conf}: No such file or directory; "
        "set imapd_conf to the file that Cyrus reads\n")


def test_a_line_of_imapd_conf_that_includes_no_file_is_named(daemon, imapd_conf):
    imapd_conf.write_text("@include: /nowhere/more.conf\n" + imapd_conf.read_text())
    assert complaint(daemon) == (
        f"{daemon.conf}: imapd_conf: {imapd_conf}:1: @include: cannot open /nowhere/more.conf: "
        "No such file or directory; correct that line\n")


def test_an_imapd_conf_without_a_topic_is_named(daemon, imapd_conf):
    imapd_conf.write_text("servername: mail.example.com\n")
    assert f"aps_topic is not set in {imapd_conf}" in complaint(daemon)


def test_an_imapd_conf_that_is_no_file_is_named(daemon, imapd_conf):
    imapd_conf.unlink()
    os.mkfifo(imapd_conf)
    assert f"cannot read {imapd_conf}: it is not a file" in complaint(daemon)


def test_a_topic_that_no_credential_has_is_named(daemon, imapd_conf):
    imapd_conf.write_text(imapd_conf.read_text().replace(TOPIC, "com.apple.mail.other"))
    assert "aps_topic com.apple.mail.other" in complaint(daemon)


# ---- places ----

@pytest.mark.parametrize("key", ["queue", "registry", "notify_socket", "stream_socket"])
def test_a_folder_that_is_not_there_is_named(daemon, key):
    prefix = "sqlite:" if key == "registry" else ""
    daemon.write_conf(**{key: f"{prefix}/no/such/folder/file"})
    said = complaint(daemon)
    assert f"{key}: the folder '/no/such/folder': No such file or directory; create it" in said


@pytest.fixture
def check_as_nobody(daemon):
    """What `-n` says to a user who may read the configuration, and whose folder it is."""
    shutil.chown(daemon.dir, "nobody")
    daemon.credentials = {}
    daemon.write_conf(socket_group="", apns_ca_file="")

    def check():
        done = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                               binary(), "-n", "-c", daemon.conf],
                              capture_output=True, text=True, timeout=20)
        return [line for line in done.stderr.splitlines() if ": warning: " not in line]
    return check


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user as well")
class TestAsAnotherUser:
    def test_a_folder_that_cannot_be_written_is_named(self, daemon, check_as_nobody):
        assert check_as_nobody() == []
        shutil.chown(daemon.dir, "root")
        said = check_as_nobody()
        for key in ("registry", "queue", "notify_socket", "stream_socket", "control_socket"):
            assert f"{daemon.conf}: {key}: the folder '{daemon.dir}': Permission denied; " \
                "let the daemon's user write there" in said

    def test_a_database_that_root_has_made_is_named(self, daemon, check_as_nobody):
        (daemon.dir / "queue.sqlite").touch(0o600)
        said, = check_as_nobody()
        assert said.startswith(f"{daemon.conf}: queue: '{daemon.dir}/queue.sqlite': Permission denied")
        assert said.endswith("unless another user ran mailpushd")

    def test_a_group_that_the_daemon_is_not_in_is_named(self, daemon, check_as_nobody):
        daemon.write_conf(socket_group="mail", control_group="mail")
        assert check_as_nobody() == [
            f"{daemon.conf}: {key}: the daemon's user is not in the group, so it cannot give the "
            "socket to it; as root: usermod -aG mail USER"
            for key in ("socket_group", "control_group")]


def test_a_spool_that_cannot_be_made_is_named(daemon):
    daemon.write_conf(spool_dir="/no/such/folder/spool")
    assert ("spool_dir: '/no/such/folder/spool': No such file or directory; create it: install -d"
            in complaint(daemon))


def test_a_file_in_the_place_of_the_spool_is_named(daemon):
    daemon.write_conf(spool_dir=daemon.conf)
    assert f"spool_dir: '{daemon.conf}' is not a folder" in complaint(daemon)


def test_a_spool_that_is_there_is_fine(daemon):
    daemon.spool.mkdir()
    assert daemon.run_check().returncode == 0


SOCKETS = ["notify_socket", "stream_socket", "control_socket"]


@pytest.mark.parametrize("key", SOCKETS)
def test_a_file_in_the_place_of_a_socket_is_named(daemon, key):
    daemon.write_conf(**{key: str(daemon.conf)})
    assert f"{key}: '{daemon.conf}' already exists and is not a socket" in complaint(daemon)


@pytest.mark.parametrize("key", SOCKETS)
def test_a_link_in_the_place_of_a_socket_is_named(daemon, tmp, key):
    (tmp / "link").symlink_to(tmp / "elsewhere")
    daemon.write_conf(**{key: tmp / "link"})
    assert f"{key}: '{tmp}/link' already exists and is not a socket" in complaint(daemon)


@pytest.mark.parametrize("key", ["queue", "registry"])
def test_what_a_database_cannot_be_is_named(daemon, tmp, key):
    prefix = "sqlite:" if key == "registry" else ""
    (tmp / "link").symlink_to(tmp)
    daemon.write_conf(**{key: f"{prefix}{tmp}/link"})
    assert f"{key}: '{tmp}/link' already exists and is not a file" in complaint(daemon)
    (tmp / "loop").symlink_to(tmp / "loop")
    daemon.write_conf(**{key: f"{prefix}{tmp}/loop"})
    assert f"{key}: '{tmp}/loop': Too many levels of symbolic links" in complaint(daemon)


def test_an_address_that_others_reach_needs_the_clients(daemon):
    daemon.write_conf(xaps_listen="192.0.2.1:11619")
    assert "xaps_listen is not a loopback address, and xaps_clients is empty" in complaint(daemon)
    daemon.write_conf(xaps_clients=["192.0.2.7", "2001:db8::/32"])
    assert daemon.run_check().returncode == 0


@pytest.mark.parametrize("key, value, said", [
    ("apns_ca_file", "/no/such/ca.pem", "No such file or directory"),
    ("alarm_command", "/no/such/command", "cannot run '/no/such/command'"),
    ("alarm_command", "/bin/echo alarm", "the path of a program"),
    ("alarm_command", "/tmp", "it is not a file"),
])
def test_a_file_that_is_not_there_is_named(daemon, key, value, said):
    daemon.write_conf(**{key: value})
    assert key in complaint(daemon)
    assert said in complaint(daemon)


@pytest.mark.parametrize("url", [
    "postgresql://u:geheim@h/d", "postgresql://u@h/d?pass%77ord=geheim", "postgresql://u@h/d?pass%77ord=geheim%zz",
    "postgresql://u@h/d?scram_client_key=geheim%zz", "postgresql://u@h/d?sslmode=geheim%zz", "postgresql://u:geheim",
    "mariadb://u@h/d?passwd=geheim", "mariadb://u@h/d?pwd=ge@heim", "mysql://u:geheim@h/d"])
def test_a_secret_in_the_url_of_a_registry_is_refused_and_not_shown(daemon, url):
    daemon.write_conf(registry=url)
    assert ": registry: '" in complaint(daemon) and "heim" not in complaint(daemon)


def test_a_pipe_of_certificates_is_not_waited_for(daemon, tmp):
    os.mkfifo(tmp / "pipe")
    daemon.write_conf(apns_ca_file=tmp / "pipe")
    assert f"apns_ca_file '{tmp}/pipe': it is not a file" in complaint(daemon)


def test_a_value_of_imapd_conf_that_makes_no_sense_is_named(daemon, imapd_conf):
    imapd_conf.write_text("altnamespace: perhaps\n")
    assert f"{imapd_conf}:1: 'perhaps' is not a value of altnamespace" in complaint(daemon)


def test_the_daemon_does_not_start_on_what_the_check_refuses(daemon):
    daemon.write_conf(min_interval="2")
    with pytest.raises(RuntimeError, match="ended with 1"):
        daemon.start()


# ---- the command line ----

@pytest.mark.parametrize("arguments, status, said", [
    (["-h"], 0, "usage: mailpushd"),
    (["--help"], 0, "usage: mailpushd"),
    (["-V"], 0, "mailpushd "),
    (["--version"], 0, "mailpushd "),
    (["-x"], 2, "usage: mailpushd"),
    (["-n", "more"], 2, "unexpected argument 'more'"),
])
def test_the_command_line(arguments, status, said):
    done = subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == status
    assert said in (done.stdout if status == 0 else done.stderr)
