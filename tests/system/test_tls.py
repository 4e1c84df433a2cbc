"""TLS with Apple: whom we trust, who trusts us, and what may befall a handshake or a connection."""

import ssl
import subprocess

import pytest

import apnssim
from mailsite import register, wait_told


@pytest.fixture
def site(site_of, referee):
    return site_of(referee)


@pytest.fixture
def strangers(tmp):
    """Certificates of another authority."""
    apnssim.run("--init", tmp / "strangers")
    return tmp / "strangers"


@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_that_the_server_does_not_know_is_held(
        site_of, referee_for, strangers, most):
    referee = referee_for(client_ca=strangers / "ca.pem", most=most)
    site = site_of(referee)
    register(site)
    with pytest.raises(ssl.SSLError):
        referee.accept()
    site.mailpushd.wait_log("refused our certificate .*unknown ca.*alarm=apns:main state=begins")


@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_pushes_go_over_tls_of_either_version(site_of, referee_for, most):
    referee = referee_for(most=most)
    site = site_of(referee)
    phone, = register(site)
    peer = referee.accept().greet()
    peer.answer(peer.push())
    assert peer.socket.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2"}.get(most, "TLSv1.3")
    wait_told(site, [phone])


@pytest.fixture
def picky_server(apns_folder):
    """A server that takes RSA certificates alone: with ours it gets none.  Yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-tls1_3", "-alpn", "h2",
         "-cert", apns_folder / "server.pem", "-key", apns_folder / "server.key",
         "-CAfile", apns_folder / "ca.pem", "-Verify", "1",
         "-client_sigalgs", "rsa_pss_rsae_sha256"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while b"ACCEPT" not in server.stdout.readline():
        assert server.poll() is None
    yield port
    server.kill()
    server.communicate()


def test_a_server_that_misses_our_certificate_after_the_handshake_is_held(
        site_of, referee, picky_server):
    site = site_of(referee, apns_port=picky_server)
    register(site)
    site.mailpushd.wait_log("refused our certificate .*certificate required.*"
                            "alarm=apns:main state=begins")


def refused_server(site, referee, trouble):
    """The client leaves in the handshake; whoever looks at the log knows why."""
    register(site)
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        peer = referee.accept()                 # with TLS 1.3 it is over on our side already
        peer.receive()
    site.mailpushd.wait_log(f"{trouble}.*alarm=apns:main state=begins")


def test_a_server_of_another_authority_gets_nothing(site_of, referee_for, strangers):
    referee = referee_for(strangers)
    site = site_of(referee, apns_ca_file=referee_for().dir / "ca.pem")
    refused_server(site, referee, "not trusted .*apns_ca_file")


def test_a_server_whose_certificate_expired_gets_nothing(site_of, referee_for, tmp):
    apnssim.run("--init", tmp / "expired", "--days", "-2")
    referee = referee_for(tmp / "expired")
    refused_server(site_of(referee), referee, "not trusted .*expired.*clock")


def test_a_server_of_another_name_gets_nothing(site_of, referee_for):
    referee = referee_for(host="127.0.0.2")
    refused_server(site_of(referee), referee, "not trusted .*mismatch.*check apns_host")


@pytest.mark.parametrize("alpn", [None, ("http/1.1",)])
def test_a_server_without_http2_gets_nothing(site_of, referee_for, alpn):
    referee = referee_for(alpn=alpn)
    site = site_of(referee)
    register(site)
    peer = referee.accept()
    assert peer.socket.recv(100) == b""
    site.mailpushd.wait_log("does not offer HTTP/2.*alarm=apns:main state=begins")


def test_a_server_that_speaks_no_tls_gets_nothing(site, referee):
    register(site)
    plain = referee.accept_plain()
    plain.recv(4096)
    plain.sendall(b"220 mail.example.com ESMTP\r\n")
    site.mailpushd.wait_log("TLS failed.*alarm=apns:main state=begins")
