"""Several domains behind one Dovecot: each tells its phones the topic of its own certificate."""

import contextlib
import re

import pytest

from apnssim import TOPIC
from control import ctl, ctl_json, get
from doctor import examine, found
from imap import ImapError
from mailsite import BarePhone
from ports import free_port
from test_reload import reload
from waiting import wait_until
from xaps import Plugin

OTHER_TOPIC = "com.apple.mobilemail.push.org.example.with-a-certificate-of-its-own"


WITHOUT_CYRUS = {"imapd_conf": "", "notify_socket": None, "stream_socket": None}


def add_domain(site, *domains, name="of-its-own", topic=OTHER_TOPIC):
    """A credential of theirs."""
    certificate, key = site.sim.add_client(name, topic)
    site.mailpushd.credentials[name] = {"certificate": certificate, "key": key, "domains": list(domains)}


def topics(site, phone):
    return {push["headers"]["apns-topic"] for push in site.pushes(phone)}


def test_each_domain_of_one_dovecot_has_its_topic(dovecot_site_for):
    site = dovecot_site_for()
    add_domain(site, "one.example", "two.example")
    reload(site)
    wanted = {"jane@one.example": OTHER_TOPIC, "bob@two.example": OTHER_TOPIC, "jane@three.example": TOPIC,
              "jane": TOPIC}
    phones = []
    for user, topic in wanted.items():
        site.create_user(user=user)
        phones.append(site.phone(user))
        assert phones[-1].register("INBOX").topic == topic
        site.told_inbox(phones[-1])
        site.settled(phones[-1])
    assert {device["user"]: device["topic"] for device in get(site.mailpushd, "/devices")["devices"]} == wanted
    for phone in phones:
        site.deliver(phone.user)
        site.told_inbox(phone)
        assert topics(site, phone) == {wanted[phone.user]}
    [answer] = ctl_json(site.mailpushd, "config")
    assert ["one.example, two.example"] == [
        row["value"] for row in answer["settings"] if row["key"] == "credential of-its-own: domains"]


def test_a_domain_whose_credential_cannot_be_used_registers_no_phone(dovecot_site_for):
    site = dovecot_site_for()
    add_domain(site, "one.example")
    site.mailpushd.credentials["of-its-own"]["key"] = site.sim.dir / "no-such-key.pem"
    reload(site)
    site.mailpushd.wait_log("alarm=credential-file:of-its-own state=begins")
    site.create_user(user="jane@one.example")
    site.create_user(user="jane@two.example")
    fine, none = site.phone("jane@two.example"), site.phone("jane@one.example")
    assert fine.register("INBOX").topic == TOPIC
    with pytest.raises(ImapError, match="UNAVAILABLE"):
        none.register("INBOX")
    wait_until(lambda: site.registrations("user") == ["jane@two.example"], what="the one registration")


@pytest.mark.parametrize("with_cyrus", [True, False])
def test_the_plugin_for_xapsd_gets_the_topic_of_the_domain(bare_site_for, with_cyrus):
    port = free_port()
    site = bare_site_for(start=False, xaps_listen=f"127.0.0.1:{port}")
    add_domain(site, "One.example")
    site.mailpushd.write_conf(**({} if with_cyrus else WITHOUT_CYRUS))
    site.mailpushd.start()
    plugin = Plugin(port)
    for user, topic in (("Jane@ONE.example", OTHER_TOPIC), ("jane@two.example", TOPIC), ("jane", TOPIC)):
        phone = BarePhone(user)
        assert plugin.register(phone) == (200, topic)
        wait_until(lambda: site.pushes(phone), what=f"the first push to {user}")
        assert topics(site, phone) == {topic}
        said = ctl(site.mailpushd, "doctor", "--config", site.mailpushd.conf,
                   "--user", user.lower()).stdout
        assert "registered for INBOX" in said and not re.search("warn +topic", said)
    plugin.close()


def test_cyrus_alone_has_one_topic(bare_site):
    add_domain(bare_site, "one.example")
    bare_site.mailpushd.write_conf()
    done = bare_site.mailpushd.run_check()
    assert done.returncode == 0
    assert "warning: domains: those of credentials have no effect" in done.stderr
    reload(bare_site)
    said = ctl(bare_site.mailpushd, "doctor", "--config", bare_site.mailpushd.conf).stdout
    assert "warn domains         those of credentials have no effect" in said
    phone = BarePhone("jane@one.example")
    bare_site.register(phone)
    wait_until(lambda: bare_site.pushes(phone), what="the first push")
    assert topics(bare_site, phone) == {TOPIC}


def test_each_topic_too_short_for_the_plugin_for_xapsd_is_warned_of(bare_site_for):
    short = {"one": "com.apple.mobilemail.push.example.one", "two": "com.apple.mobilemail.push.example.two"}
    port = free_port()
    site = bare_site_for(start=False, xaps_listen=f"127.0.0.1:{port}")
    for name, topic in short.items():
        add_domain(site, f"{name}.example", name=name, topic=topic)
    site.mailpushd.write_conf(log_level="info")
    site.mailpushd.start()
    checked = site.mailpushd.run_check()
    assert checked.returncode == 0
    whys = [f["why"] for f in found(site.mailpushd) if f["check"] == "xaps_listen"]
    assert len(whys) == 2
    with contextlib.closing(Plugin(port)) as plugin:
        for name, topic in short.items():
            said = f"the topic {topic} is so short"
            assert f"warning: xaps_listen: {said}" in checked.stderr
            assert [why for why in whys if why.startswith(said)]
            assert plugin.register(BarePhone(f"jane@{name}.example")) == (200, topic)
            site.mailpushd.wait_log(f"topic is so short .* topic={topic} limit=50")


def test_users_of_other_domains_who_get_no_topic_are_warned_of(bare_site_for):
    site = bare_site_for(start=False)
    site.mailpushd.credentials.clear()
    add_domain(site, "one.example")
    site.mailpushd.write_conf(**WITHOUT_CYRUS, dovecot_socket=site.mailpushd.dir / "dovecot")
    said = "every credential lists some, so Dovecot's users of other domains"
    checked = site.mailpushd.run_check()
    assert checked.returncode == 0
    assert f"warning: domains: {said}" in checked.stderr
    site.mailpushd.start()
    findings = {f["check"]: f for f in examine(site.mailpushd)[1]}
    assert findings["domains"]["level"] == "warn" and findings["domains"]["why"].startswith(said)
    assert findings["topic"]["level"] == "ok", "each of them has one"
