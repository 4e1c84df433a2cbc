"""A resolver that says nothing, for a while or for good: only the pushes wait for it."""

import os

import pytest

from control import get
from mailsite import register, wait_told
from resolver import Resolver

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may serve DNS")

PATIENT = "timeout:30 attempts:5"       # longer than we wait


@pytest.fixture
def resolver_for(tmp):
    """resolver_for(options): with these options of resolv.conf."""
    resolvers = []

    def make(options):
        resolvers.append(Resolver(tmp, options))
        return resolvers[-1]
    yield make
    for resolver in resolvers:
        resolver.close()


@pytest.fixture
def site_behind(site_of, referee):
    """site_behind(resolver): a daemon that finds Apple, the referee, with that one."""
    def make(resolver):
        site = site_of(referee, apns_host="api.push.apple.com", start=False)
        site.mailpushd.wrapper = resolver.wrapper()
        site.mailpushd.start()
        return site
    return make


def all_else_works(site):
    """Events, the control socket, and reading files on libuv's pool."""
    since = len(site.mailpushd.log)
    phone, = register(site)
    site.mailpushd.wait_log(f"registry: phone registered user={phone.user} ", since=since)
    assert get(site.mailpushd, "/status")
    site.mailpushd.reload()
    site.mailpushd.wait_log("info daemon: reloaded", since=since)
    return phone


def all_are_pushed_to(site, referee, phones):
    referee.listener.settimeout(60)
    peer = referee.accept().greet()
    for push in peer.pushes(len(phones)):
        peer.answer(push)
    wait_told(site, phones)


def test_a_name_that_resolves_slowly_delays_the_pushes_alone(resolver_for, site_behind, referee):
    resolver = resolver_for(PATIENT)
    site = site_behind(resolver)
    phone, = register(site)
    resolver.wait_asked()
    other = all_else_works(site)
    resolver.answer(referee.host)
    all_are_pushed_to(site, referee, [phone, other])


def test_a_resolver_that_gives_up_is_a_trouble_that_ends(resolver_for, site_behind, referee):
    resolver = resolver_for("timeout:1 attempts:1")
    site = site_behind(resolver)
    phone, = register(site)
    site.mailpushd.wait_log("cannot resolve 'api.push.apple.com': .*; check apns_host and DNS.*"
                            "alarm=apns:main state=begins")
    resolver.answer(referee.host)
    all_are_pushed_to(site, referee, [phone])
    site.mailpushd.wait_log("alarm=apns:main state=ends")


def test_a_resolver_that_never_answers_is_named_and_asked_again(
        resolver_for, site_behind, referee):
    resolver = resolver_for(PATIENT)
    site = site_behind(resolver)
    phone, = register(site)
    site.mailpushd.wait_log("cannot resolve 'api.push.apple.com' in time; check DNS.*"
                            "alarm=apns:main state=begins", timeout=30)
    resolver.wait_asked(4)              # twice, for either kind of address
    other = all_else_works(site)
    resolver.answer(referee.host)
    all_are_pushed_to(site, referee, [phone, other])
    site.mailpushd.wait_log("alarm=apns:main state=ends")


def test_a_name_that_is_being_resolved_does_not_hold_up_the_end(resolver_for, site_behind):
    resolver = resolver_for(PATIENT)
    site = site_behind(resolver)
    register(site)
    resolver.wait_asked()
    assert site.mailpushd.stop() == 0
    site.mailpushd.wait_log("info daemon: stopped")
