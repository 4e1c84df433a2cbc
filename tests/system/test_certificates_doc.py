"""docs/certificates.md: what an administrator is told to type does what is said."""

import re
import shutil
import subprocess

import pytest

from apnssim import TOPIC, ZEROS
from docpage import Page
from mailpushd import Mailpushd, binary

PAGE = Page("certificates.md")


@pytest.fixture
def type_(tmp, sim):
    """type_(word): run the block with that word as a shell does, at a site below tmp."""
    etc = tmp / "etc"
    # Apple is where the simulator is, and nobody here is called mailpush.
    (tmp / ".curlrc").write_text(f'connect-to = "api.push.apple.com:443:127.0.0.1:{sim.port}"\n'
                                 f'cacert = "{sim.ca}"\n')

    def run(word, **environment):
        text = PAGE.block(word).replace("/etc/mailpush", str(etc))
        text = text.replace("-o root -g mailpush ", "").replace("runuser -u mailpush -- ", "")
        text = text.replace("mailpushd -n", f"{binary()} -n -c {environment.get('conf')}")
        text = text.replace("/var/lib/mailpush", str(environment.get("var")))
        return subprocess.run(["sh", "-euc", text], cwd=tmp, capture_output=True, text=True,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                                   "CURL_HOME": str(tmp)},
                              check=True).stdout
    return run


def issue(tmp, sim):
    """What Apple does with the request."""
    (tmp / "ext").write_text("1.2.840.113635.100.6.3.2=DER:0500\nextendedKeyUsage=clientAuth\n")
    subprocess.run(["openssl", "x509", "-req", "-in", "request.csr", "-CA", sim.dir / "ca.pem",
                    "-CAkey", sim.dir / "ca.key", "-set_serial", "4711", "-days", "365",
                    "-subj", f"/UID={TOPIC}/CN=Apple Push Services", "-extfile", "ext",
                    "-outform", "DER", "-out", "aps.cer"], cwd=tmp, check=True, capture_output=True)


def test_from_the_request_to_a_working_daemon(type_, tmp, sim, imapd_conf):
    type_("openssl req")
    assert (tmp / "key.pem").stat().st_mode & 0o777 == 0o600
    issue(tmp, sim)
    assert re.search(f"UID ?= ?{re.escape(TOPIC)}", type_("-inform DER"))
    of_key, of_certificate = type_("sha256sum").split("\n")[:2]
    assert of_key == of_certificate
    type_("install -d")
    daemon = Mailpushd(tmp / "d", None, sim, imapd_conf=imapd_conf)
    daemon.credentials["main"] = {"certificate": tmp / "etc" / "certificate.pem",
                                  "key": tmp / "etc" / "key.pem"}
    daemon.write_conf()
    assert type_("mailpushd -n", conf=daemon.conf) == f"{daemon.conf}: ok\n"
    assert type_("curl") == '{"reason":"BadDeviceToken"}'


def test_a_certificate_for_another_topic_is_found_out(type_, tmp, sim):
    certificate, key = sim.add_client("without", TOPIC)
    shutil.copy(key, tmp / "key.pem")
    shutil.copy(certificate, tmp / "certificate.pem")
    sim.control(do="token", token=ZEROS, status=400, reason="TopicDisallowed")
    assert type_("curl") == '{"reason":"TopicDisallowed"}'


def test_a_file_in_the_old_encryption_is_converted(type_, tmp, sim, imapd_conf):
    shutil.copy(sim.dir / "client-old.p12", tmp / "export.p12")
    shutil.copy(sim.dir / "passphrase", tmp / "passphrase")
    type_("-legacy")
    (tmp / "both.pem").chmod(0o600)
    daemon = Mailpushd(tmp / "d", None, sim, imapd_conf=imapd_conf)
    daemon.credentials["main"] = {"certificate": tmp / "both.pem"}
    daemon.write_conf()
    assert daemon.run_check().returncode == 0


def test_the_topics_of_the_phones_are_counted(type_, bare_site):
    bare_site.registered_phone()
    assert type_("sqlite3", var=bare_site.mailpushd.dir) == f"{TOPIC}|1\n"


def test_what_is_renewed_needs_no_signal(type_, tmp, sim, bare_site_for):
    etc = tmp / "etc"
    for name, source in (("certificate.pem", sim.client_cert), ("key.pem", sim.client_key)):
        shutil.copy(source, tmp / name)
    type_("install -d")
    site = bare_site_for(start=False)
    site.mailpushd.credentials["main"] = {"certificate": etc / "certificate.pem",
                                          "key": etc / "key.pem"}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    since = len(site.mailpushd.log)
    for name, source in zip(("certificate.pem", "key.pem"), sim.add_client("new", TOPIC)):
        shutil.copy(source, tmp / name)
    type_("install -d")
    site.mailpushd.wait_log("credential in use credential=main", since=since)
    site.registered_phone()
