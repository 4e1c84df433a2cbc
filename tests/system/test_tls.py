"""TLS with Apple: whom we trust, who trusts us, and what may befall a handshake or a connection."""

import socket
import ssl
import struct
import subprocess

import pytest

import apnssim
from mailsite import register, wait_told
from openssl import KEY_UPDATE, NO_RENEGOTIATION, TLS1_2, OpenSSL
from ports import free_port
from records import Records, server_flight
from referee import Peer


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
    port = free_port()
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


def received(peer):
    """What the client sent before it left, perhaps while we still wrote our session tickets."""
    try:
        return peer.socket.recv(100)
    except (BrokenPipeError, ConnectionResetError):
        return b""


@pytest.mark.parametrize("alpn", [None, ("http/1.1",)])
def test_a_server_without_http2_gets_nothing(site_of, referee_for, alpn):
    referee = referee_for(alpn=alpn)
    site = site_of(referee)
    register(site)
    assert received(referee.accept()) == b""
    site.mailpushd.wait_log("does not offer HTTP/2.*alarm=apns:main state=begins")


def test_a_server_that_speaks_no_tls_gets_nothing(site, referee):
    register(site)
    plain = referee.accept_plain()
    plain.recv(4096)
    plain.sendall(b"220 mail.example.com ESMTP\r\n")
    site.mailpushd.wait_log("TLS failed.*alarm=apns:main state=begins")


# ---- in the middle ----

def test_keys_that_the_server_changes_disturb_nothing(site, referee):
    """TLS 1.3: new keys with a push in flight, and the client is to change its own."""
    phones = register(site)
    peer = Peer(OpenSSL(referee.dir, referee.accept_plain())).greet()
    for changes in range(1, 4):
        push = peer.push()
        peer.socket.update_keys()
        peer.answer(push)
        wait_told(site, phones)
        phones = register(site)
        peer.wait(lambda: peer.arrived)
        assert peer.socket.heard.count(KEY_UPDATE) == changes
    peer.answer(peer.push())
    wait_told(site, phones)
    peer.socket.close()


def test_a_new_handshake_is_refused_and_no_push_lost(site, referee):
    """TLS 1.2: what answers with our alert is the server's choice; this one leaves."""
    phone, = register(site)
    peer = Peer(OpenSSL(referee.dir, referee.accept_plain(), most=TLS1_2)).greet()
    push = peer.push()
    peer.socket.renegotiate()
    peer.wait_end()
    assert NO_RENEGOTIATION in peer.socket.heard
    peer.socket.close()
    peer = referee.accept().greet()
    again = peer.push()
    assert again.apns_id == push.apns_id
    peer.answer(again)
    wait_told(site, [phone])


def reset(plain):
    """An RST at once."""
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    plain.close()


def works_again(site, referee, phone):
    referee.listener.settimeout(60)
    peer = referee.accept().greet()
    peer.answer(peer.push())
    wait_told(site, [phone])
    site.mailpushd.wait_log("alarm=apns:main state=ends")


@pytest.mark.parametrize("part", [0, 2], ids=["nothing", "half"])
def test_a_reset_in_the_handshake_is_a_trouble_that_ends(site, referee, part):
    phone, = register(site)
    plain = referee.accept_plain()
    flight = server_flight(referee.context, plain)
    plain.sendall(flight[:len(flight) // part] if part else b"")
    reset(plain)
    site.mailpushd.wait_log("Connection reset by peer.*alarm=apns:main state=begins")
    works_again(site, referee, phone)


def test_half_a_handshake_and_then_silence_is_given_up_in_time(site, referee):
    phone, = register(site)
    plain = referee.accept_plain()
    flight = server_flight(referee.context, plain)
    plain.sendall(flight[:len(flight) // 2])
    site.mailpushd.wait_log(r"no connection to .* in time \(handshake\).*state=begins", timeout=60)
    works_again(site, referee, phone)


@pytest.mark.limit(180)
def test_half_a_record_and_then_silence_costs_the_connection_and_no_push(site, referee):
    """Bytes that are no whole record are no sign of life."""
    phone, = register(site)
    peer = Peer(Records(referee.context, referee.accept_plain())).greet()
    push = peer.push()
    peer.settle()
    peer.socket.cut()
    peer.answer(push)
    site.mailpushd.wait_log("does not answer a PING", timeout=90)
    peer = referee.accept().greet()
    again = peer.push()
    assert again.apns_id == push.apns_id
    peer.answer(again)
    wait_told(site, [phone])
