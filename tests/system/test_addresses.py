"""Apple's name: the addresses that it has, those that are dead, and a resolver that does not answer."""

import errno
import os
import select
import socket

import pytest

from mailsite import register, wait_told
from waiting import TIMEOUT


@pytest.fixture
def named_site(site_of, tmp):
    """named_site(port, *addresses): Apple's name has these addresses."""
    def make(port, *addresses, **settings):
        hosts = tmp / "hosts"
        hosts.write_text("".join(f"{address} api.push.apple.com\n" for address in addresses))
        site = site_of(settings.pop("referee"), apns_host="api.push.apple.com", apns_port=port,
                       start=False, **settings)
        site.mailpushd.wrapper = ["unshare", "--mount", *([] if os.geteuid() == 0 else
                                  ["--user", "--map-root-user"]),
                                  "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"',
                                  str(hosts)]
        site.mailpushd.start()
        return site
    return make


def test_ipv6_serves_as_well(site_of, referee_for):
    referee = referee_for(host="::1")
    site = site_of(referee)
    phone, = register(site)
    peer = referee.accept().greet()
    push = peer.push()
    assert push.headers[":authority"] == f"[::1]:{referee.port}"
    peer.answer(push)
    wait_told(site, [phone])


def test_addresses_that_refuse_are_passed_over(named_site, referee_for):
    """Wherever it begins: only one of them, of either family, is alive."""
    referee = referee_for(host="::1")
    site = named_site(referee.port, "127.0.0.5", "127.0.0.6", "127.0.0.7", "::1",
                      referee=referee)
    phone, = register(site)
    peer = referee.accept().greet()
    peer.answer(peer.push())
    wait_told(site, [phone])


def black_hole(host, port):
    """A port that answers nothing: its queue of connections is full."""
    listener = socket.create_server((host, port), backlog=0)
    fillers = []
    while len(fillers) < 8:
        filler = socket.socket()
        filler.setblocking(False)
        assert filler.connect_ex((host, port)) in (0, errno.EINPROGRESS)
        fillers.append(filler)
    return [listener, *fillers]


def test_an_address_that_says_nothing_does_not_hold_up_the_next(named_site, referee_for):
    referee = referee_for(host="127.0.0.3")
    holes = [black_hole(f"127.0.0.{n}", referee.port) for n in (4, 5, 6)]
    site = named_site(referee.port, "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.3",
                      referee=referee)
    phone, = register(site)
    peer = referee.accept().greet()
    peer.answer(peer.push())
    wait_told(site, [phone])
    for opened in sum(holes, []):
        opened.close()


def test_a_saturated_connection_gets_another_beside_it_at_another_address(
        named_site, referee_for):
    first = referee_for(host="127.0.0.3")
    second = referee_for(host="::1", port=first.port)
    site = named_site(first.port, "127.0.0.3", "::1", connections=2, referee=first)
    phones = register(site, 6)
    one, two = None, None
    for referee in (first, second):
        referee.listener.settimeout(0.2)
    while not (one and two):
        one = one or try_accept(first)
        two = two or try_accept(second)
    one.wait(lambda: one.arrived)
    two.wait(lambda: two.arrived)
    peers = {one.socket: one, two.socket: two}
    answered = []
    while True:
        for peer in peers.values():
            while peer.arrived:
                answered.append(peer.arrived.pop(0))
                peer.answer(answered[-1])
        if len(answered) == len(phones):
            break
        ready, _, _ = select.select(peers, [], [], TIMEOUT)
        for connection in ready:
            peers[connection].receive()
    assert {push.token for push in answered} == {phone.token for phone in phones}
    wait_told(site, phones)


def try_accept(referee):
    try:
        peer = referee.accept().greet(max_concurrent_streams=1)
    except TimeoutError:
        return None
    peer.settle()
    return peer


def test_the_name_is_resolved_again_for_each_connection(named_site, referee_for, tmp):
    old = referee_for(host="127.0.0.3")
    new = referee_for(host="127.0.0.4", port=old.port)
    site = named_site(old.port, "127.0.0.3", referee=old)
    phone, = register(site)
    peer = old.accept().greet()
    push = peer.push()
    (tmp / "hosts").write_text("127.0.0.4 api.push.apple.com\n")
    peer.answer(push, 503, {"reason": "Shutdown"})
    peer = new.accept().greet()
    peer.answer(peer.push())
    wait_told(site, [phone])
