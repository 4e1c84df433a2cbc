"""Apple behind an HTTP proxy: the tunnel, and all that a proxy says instead."""

import base64
import os

import pytest

from mailsite import BarePhone, BareSite, new_user
from ports import free_port
from proxy import Proxy
from referee import Referee


@pytest.fixture
def proxy():
    with Proxy() as proxy:
        yield proxy


@pytest.fixture
def site(bare_site_for, proxy):
    return bare_site_for(proxy=f"127.0.0.1:{proxy.port}")


@pytest.fixture
def phone(site):
    phone = BarePhone(new_user())
    site.register(phone)
    return phone


def test_pushes_go_through_the_proxy(site, sim, proxy, phone):
    request = proxy.accept()
    assert request == (f"CONNECT 127.0.0.1:{sim.port} HTTP/1.1\r\n"
                       f"Host: 127.0.0.1:{sim.port}\r\n\r\n")
    proxy.tunnel(sim.port)
    site.told(phone, "INBOX")
    for _ in range(3):
        site.deliver(phone.user)
        site.told(phone, "INBOX")


def test_the_proxy_resolves_the_name(bare_site_for, sim, proxy):
    """A site whose machines cannot resolve Apple's name themselves."""
    site = bare_site_for(proxy=f"http://127.0.0.1:{proxy.port}", apns_host="api.push.apple.com")
    phone = BarePhone(new_user())
    site.register(phone)
    assert proxy.accept().startswith(f"CONNECT api.push.apple.com:{sim.port} HTTP/1.1\r\n")
    proxy.tunnel(sim.port)
    site.told(phone, "INBOX")


@pytest.mark.parametrize("port, authority", [(443, "127.0.0.1"), (2197, "127.0.0.1:2197")])
def test_apples_ports_are_asked_for_as_they_are(
        mailpushd, sim, imapd_conf, apns_folder, proxy, port, authority):
    """Behind the proxy there may be any port; the usual one is not named in :authority."""
    referee = Referee(apns_folder)
    daemon = mailpushd(imapd_conf=imapd_conf, apns_port=port, proxy=f"127.0.0.1:{proxy.port}",
                       apns_check_interval="0s")
    BareSite(daemon, sim).register(BarePhone(new_user()))
    assert proxy.accept().startswith(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n")
    proxy.tunnel(referee.port)
    peer = referee.accept().greet()
    push = peer.push()
    assert push.headers[":authority"] == authority
    peer.answer(push)
    daemon.wait_log("apns: pushed ")
    referee.close()


def test_the_proxy_may_be_reached_over_ipv6(bare_site_for, sim):
    with Proxy("::1") as proxy:
        site = bare_site_for(proxy=f"[::1]:{proxy.port}")
        phone = BarePhone(new_user())
        site.register(phone)
        proxy.accept()
        proxy.tunnel(sim.port)
        site.told(phone, "INBOX")


def test_the_proxy_gets_user_and_password_and_the_log_does_not(bare_site_for, sim, proxy, tmp):
    (tmp / "login").write_text("mail:s3cr:et\n")
    site = bare_site_for(proxy=f"127.0.0.1:{proxy.port}", proxy_password_file=tmp / "login")
    phone = BarePhone(new_user())
    site.register(phone)
    login = base64.b64encode(b"mail:s3cr:et").decode()
    assert f"\r\nProxy-Authorization: Basic {login}\r\n" in proxy.accept()
    proxy.tunnel(sim.port)
    site.told(phone, "INBOX")
    log = "\n".join(site.mailpushd.lines())
    assert "s3cr" not in log and login not in log


def test_an_answer_in_pieces_with_an_interim_one_before_it(site, sim, proxy, phone):
    proxy.accept()
    for piece in (b"HTTP/1.1 10", b"0 Continue\r\n\r", b"\nHTTP/1.1 200 OK\r\nVia: x\r\n", b"\r\n"):
        proxy.say(piece)
    proxy.tunnel(sim.port, b"")
    site.told(phone, "INBOX")


@pytest.mark.parametrize("answer, trouble", [
    (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "status 407; .*proxy_password_file"),
    (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno!\n",
     "status 403; allow CONNECT"),
    (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "status 502; it cannot reach"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "not answer in HTTP/1; check proxy"),
    (b"\x15\x03\x01\x00\x02\x02\x16", "not answer in HTTP/1; check proxy"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 9000, "longer than 8192 bytes; check proxy"),
    (b"HTTP/1.1 200 OK\r\n\r\nWelcome!", "sent bytes before TLS began; check proxy"),
])
def test_what_a_proxy_says_instead_is_a_trouble_and_costs_nothing(
        site, sim, proxy, phone, answer, trouble):
    proxy.accept()
    proxy.say(answer)
    proxy.wait_end()
    site.mailpushd.wait_log(f"the proxy.*{trouble}.*alarm=apns:main state=begins")
    proxy.accept()
    proxy.tunnel(sim.port)
    site.told(phone, "INBOX")
    site.mailpushd.wait_log("alarm=apns:main state=ends")


def test_a_proxy_that_closes_without_a_word(site, sim, proxy, phone):
    proxy.accept()
    proxy.client.close()
    site.mailpushd.wait_log("the proxy closed the connection.*check proxy.*state=begins")
    proxy.accept()
    proxy.tunnel(sim.port)
    site.told(phone, "INBOX")


def test_a_proxy_that_never_answers_is_given_up_in_time(site, sim, proxy, phone):
    proxy.accept()
    site.mailpushd.wait_log(r"no connection to .* in time \(tunnel\).*state=begins", timeout=30)
    proxy.listener.settimeout(30)
    proxy.accept()
    proxy.tunnel(sim.port)
    site.told(phone, "INBOX")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 60,
                                    b"HTTP/1.1 100 Continue\r\n\r\n" * 3],
                         ids=["a header", "interim answers"])
def test_a_proxy_that_answers_a_byte_a_second_is_given_up_in_time(
        site, sim, proxy, phone, answer):
    proxy.accept()
    said = 0
    while not proxy.ends_within(1):
        proxy.say(answer[said:said + 1])
        said += 1
        assert said < len(answer)
    assert said > 1
    site.mailpushd.wait_log(r"no connection to .* in time \(tunnel\).*state=begins")
    proxy.accept()
    proxy.tunnel(sim.port)
    site.told(phone, "INBOX")
    site.mailpushd.wait_log("alarm=apns:main state=ends")


@pytest.mark.parametrize("begin, more", [
    (b"HTTP/1.1 200 OK\r\nX: ", b"y" * 4096), (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 512),
    (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 512)], ids=["line", "lines", "interim answers"])
def test_an_answer_without_end_is_read_for_a_while_only(site, sim, proxy, phone, begin, more):
    """It is left as soon as it is too long, with most of it unread."""
    proxy.accept()
    proxy.say(begin)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        while True:
            proxy.say(more)
    site.mailpushd.wait_log("the proxy.*longer than 8192 bytes; check proxy.*state=begins")
    proxy.accept()
    proxy.tunnel(sim.port)
    site.told(phone, "INBOX")


def test_a_proxy_that_is_not_there_is_named(bare_site_for, sim):
    port = free_port()
    site = bare_site_for(proxy=f"127.0.0.1:{port}")
    site.register(BarePhone(new_user()))
    site.mailpushd.wait_log(f"cannot connect to 127.0.0.1 port {port}: .*state=begins")


# ---- the configuration ----

@pytest.mark.parametrize("settings, complaint", [
    ({"proxy": "proxy.example.com"}, "proxy: 'proxy.example.com' is not an HTTP proxy"),
    ({"proxy": "https://proxy.example.com:3128"}, "is not an HTTP proxy"),
    ({"proxy": "http://me:secret@proxy.example.com:3128"}, "proxy_password_file"),
    ({"proxy_password_file": "/nonexistent"}, "No such file or directory"),
    ({"proxy": "a:1", "proxy_password_file": "/dev/null"}, "cannot be read"),
    ({"proxy_password_file": "LOGIN"}, "proxy_password_file is set, but no proxy"),
])
def test_what_is_wrong_with_the_settings_is_said_before_the_start(
        bare_site_for, tmp, settings, complaint):
    (tmp / "login").write_text("me:secret\n")
    os.chmod(tmp / "login", 0o600)
    settings = {key: tmp / "login" if value == "LOGIN" else value
                for key, value in settings.items()}
    check = bare_site_for(start=False, **settings).mailpushd.run_check()
    assert check.returncode == 1
    assert complaint in check.stderr
