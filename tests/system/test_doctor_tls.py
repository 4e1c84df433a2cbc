"""mailpushctl doctor: can a phone connect with TLS to the Cyrus that runs?"""

import re

import pytest

from cyrus import starttls
from doctor import cure, examine
from ports import free_port

NO_CERTIFICATE = {"tls_server_cert": None, "tls_server_key": None}


@pytest.fixture
def ward(private_cyrus, mailpushd):
    """ward(has_imaps=..., **options of imapd.conf): a Cyrus of the test's own."""
    class Ward:
        def __init__(self, has_imaps=True, **options):
            self.cyrus = private_cyrus(**options)
            if not has_imaps:
                path = self.cyrus.dir / "cyrus.conf"
                path.write_text(re.sub(r"\n  imaps ", r"\n# imaps ", path.read_text()))
                self.cyrus.stop()
                self.cyrus.start()
            self.mailpushd = mailpushd(self.cyrus)

        def finding(self):
            [finding] = [f for f in examine(self.mailpushd)[1] if f["check"] == "tls"]
            return finding
    return Ward


def test_the_port_for_tls_is_what_phones_want(ward):
    site = ward()
    finding = site.finding()
    assert finding["level"] == "ok"
    assert f"imaps://127.0.0.1:{site.cyrus.imaps_port}/, through what stands in front" in finding["why"]


def at_another_port(site, more=""):
    """In cyrus.conf the service for TLS is reached from elsewhere, at a port of its own."""
    path = site.cyrus.dir / "cyrus.conf"
    path.write_text(path.read_text().replace(f'"127.0.0.1:{site.cyrus.imaps_port}"',
                                             f'"{site.cyrus.imaps_port}"{more}'))
    return f"only at imaps://localhost:{site.cyrus.imaps_port}/"


def test_another_port_for_tls_helps_only_those_who_set_it(ward):
    site = ward()
    only = at_another_port(site)
    finding = site.finding()
    assert finding["level"] == "warn" and "no service imapd -s for port 993" in finding["why"]
    assert only in finding["why"]
    assert 'listen="imaps"' in finding["line"]


def test_a_port_for_tls_that_phones_want_and_cyrus_does_not_serve_is_not_put_again(ward):
    """As when Cyrus was not restarted."""
    site = ward()
    only = at_another_port(site, f'\n  more cmd="imapd -s" listen="127.0.0.1:{free_port()}"')
    finding = site.finding()
    assert finding["level"] == "warn" and "Cyrus does not speak TLS at imaps://127.0.0.1:" in finding["why"]
    assert only in finding["why"] and "line" not in finding


def test_the_service_to_add_is_for_tls_once(ward):
    site = ward()
    at_another_port(site)
    path = site.cyrus.dir / "cyrus.conf"
    path.write_text(re.sub(r"\n +imap .*", "", path.read_text()))
    assert site.finding()["line"].count(" -s") == 1


def test_starttls_alone_is_odd(ward):
    site = ward(has_imaps=False, **starttls())
    finding = site.finding()
    assert finding["level"] == "warn" and "no service imapd -s for port 993" in finding["why"]
    assert f"only by STARTTLS at imap://127.0.0.1:{site.cyrus.imap_port}/" in finding["why"]


def test_neither_is_a_failure_and_the_remedy_heals(ward):
    """Cyrus offers no STARTTLS without a certificate, whatever its version."""
    site = ward(has_imaps=False, **NO_CERTIFICATE)
    finding = site.finding()
    assert finding["level"] == "fail" and "no phone can connect with TLS" in finding["why"]
    assert finding["file"] == str(site.cyrus.dir / "cyrus.conf")
    finding["line"] = finding["line"].replace('"imaps"', f'"127.0.0.1:{site.cyrus.imaps_port}"')
    with (site.cyrus.dir / "imapd.conf").open("a") as file:
        file.write(f"tls_server_cert: {site.cyrus.dir}/cert.pem\n"
                   f"tls_server_key: {site.cyrus.dir}/key.pem\n")
    cure(site.mailpushd, finding, site.cyrus)
    assert site.finding()["level"] == "ok"


def test_a_port_for_tls_without_a_certificate_is_a_failure(ward):
    finding = ward(**NO_CERTIFICATE).finding()
    assert finding["level"] == "fail" and "Cyrus does not speak TLS at imaps://" in finding["why"]
    assert "tls_server_cert" in finding["why"] and "line" not in finding


def test_a_cyrus_that_does_not_answer_is_not_asked_for_tls(ward):
    site = ward()
    site.cyrus.stop()
    assert "tls" not in {f["check"] for f in examine(site.mailpushd)[1]}
