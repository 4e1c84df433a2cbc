"""The doors for Dovecot's plugin for xapsd: each code and body of its HTTP API, and what they lead to."""

import concurrent.futures
import contextlib
import json
import socket

import pytest

from apnssim import TOPIC
from control import ctl_json, get
from doctor import found
from mailsite import BarePhone, BareSite, locked, new_user
from network import Network, why_not
from ports import free_port
from waiting import TIMEOUT, wait_until
from xaps import Plugin, news, registration

CONNECTIONS = 64


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def xaps_for(bare_site_for, port):
    """A daemon that listens as xapsd does."""
    return lambda **settings: bare_site_for(xaps_listen=f"127.0.0.1:{port}",
                                            **{"ack_timeout": "30s", **settings})


@pytest.fixture
def site(xaps_for):
    return xaps_for()


@pytest.fixture
def plugin(site, port):
    with contextlib.closing(Plugin(port)) as plugin:
        yield plugin


def registered(site, plugin, *mailboxes, user=None):
    """A phone that has the push that follows its registration."""
    phone = BarePhone(user or new_user(), mailboxes or ("INBOX",))
    assert plugin.register(phone) == (200, TOPIC)
    site.told_inbox(phone)
    site.settled(phone)
    return phone


def wait_answered(status, plugin, user, **headers):
    """Until news is answered so: while the registry is late, what is parked is answered 200."""
    def answer():
        return plugin.ask("/notify", news(user, "MessageNew"), **headers)
    wait_until(lambda: answer() == (status, ""), what=f"an answer of {status}")


# ---- what it leads to ----

def test_a_phone_registers_and_new_mail_is_pushed(site, plugin):
    phone = registered(site, plugin)
    assert plugin.notify(phone.user, "MessageNew") == 200
    site.told_inbox(phone)


def test_a_phone_with_other_folders_too_gets_the_plain_payload(site, plugin):
    phone = registered(site, plugin, "Notes", "INBOX", "Entw&APw-rfe")
    device = site.settled(phone)
    assert (device["topic"], device["confirmed"]) == (TOPIC, False)
    assert site.subscriptions(phone) == ["Entw&APw-rfe", "INBOX", "Notes"]
    assert plugin.notify(phone.user, "MessageNew") == 200
    site.told_inbox(phone)


@pytest.mark.parametrize("events", [["MessageRead"], ["FlagsSet"], ["SomethingNew"], ["MailboxRename", "x"]])
def test_what_is_not_new_mail_is_deferred(xaps_for, port, events):
    site = xaps_for(deferred_delay="1h", deferred_events=[])
    phone = BarePhone(new_user())
    with contextlib.closing(Plugin(port)) as plugin:
        plugin.register(phone)
        assert plugin.notify(phone.user, *events) == 200
        waiting, = wait_until(lambda: ctl_json(site.mailpushd, "queue"), what="a push that waits")
        assert (waiting["user"], waiting["urgent"]) == (phone.user, False), waiting
        assert plugin.notify(phone.user, *events, "MessageNew") == 200
    site.told_inbox(phone)


def test_users_are_the_same_in_upper_and_lower_case(site, plugin):
    phone = BarePhone(new_user())
    assert plugin.register(phone, Username=phone.user.capitalize()) == (200, TOPIC)
    site.told_inbox(phone)
    site.settled(phone)
    assert plugin.notify(phone.user.upper(), "MessageNew") == 200
    site.told_inbox(phone)


def test_users_can_differ_by_case_alone(xaps_for, port):
    site = xaps_for(xaps_fold_users="no")
    with contextlib.closing(Plugin(port)) as plugin:
        phone = registered(site, plugin, user="Jane." + new_user())
        wait_answered(404, plugin, phone.user.lower())
        assert plugin.notify(phone.user, "MessageNew") == 200
    site.told_inbox(phone)


def test_inbox_may_be_registered_in_lower_case(site, plugin):
    phone = registered(site, plugin, "inbox")
    assert plugin.notify(phone.user, "MessageNew") == 200
    site.told_inbox(phone)


def test_a_request_that_is_sent_again_while_it_waits_is_pushed_once(site, plugin, port):
    """The plugin does so when it got no answer in time: 500, or 200 once it is parked."""
    phone = registered(site, plugin)
    site.mailpushd.write_conf(ack_timeout="50ms")
    site.mailpushd.restart()
    with contextlib.closing(Plugin(port)) as hasty, locked(site.mailpushd.dir / "registry.sqlite"):
        hasty.register(BarePhone(new_user()))
        for _ in range(4):
            assert hasty.notify(phone.user, "MessageNew") in (500, 200)
    site.told_inbox(phone)
    site.mailpushd.write_conf(ack_timeout="10s")
    site.mailpushd.restart()
    site.deliver(phone.user)
    site.told_inbox(phone)
    assert len(site.pushes(phone)) == 3


def test_no_cyrus_is_needed(mailpushd, sim, port):
    site = BareSite(mailpushd(imapd_conf="", notify_socket=None, stream_socket=None, ack_timeout="30s",
                              xaps_listen=f"127.0.0.1:{port}"), sim)
    with contextlib.closing(Plugin(port)) as plugin:
        phone = registered(site, plugin)
        assert plugin.notify(phone.user, "MessageNew") == 200
    site.told_inbox(phone)


# ---- codes and bodies ----

@pytest.mark.parametrize("changes", [
    {"ApsAccountId": ""}, {"ApsAccountId": None}, {"ApsAccountId": 5}, {"ApsAccountId": "white space"},
    {"ApsDeviceToken": ""}, {"ApsDeviceToken": "no hex"}, {"ApsSubtopic": ""},
    {"ApsSubtopic": "com.apple.calendar"}, {"Username": ""}, {"Username": "a\nb"}, {"Username": "u" * 513},
    {"Mailboxes": []}, {"Mailboxes": None}, {"Mailboxes": "INBOX"}, {"Mailboxes": [1]},
    {"Mailboxes": [""]}], ids=str)
def test_a_registration_that_lacks_something_is_400_with_an_empty_body(site, plugin, changes):
    assert plugin.register(BarePhone(new_user()), **changes) == (400, "")
    assert site.registrations() == []


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"Username": "a", "Mailbox": "INBOX"}',
    news("", "MessageNew"), news("a", "MessageNew", mailbox=""), news("a"), news("a", 1),
    {**news("a"), "Events": "MessageNew"}, news("u" * 513, "MessageNew")], ids=str)
def test_news_that_lacks_something_is_400_with_an_empty_body(plugin, body):
    assert plugin.ask("/notify", body) == (400, "")
    assert plugin.ask("/register", body) == (400, "")


def test_news_of_a_user_without_a_phone_is_404(plugin):
    wait_answered(404, plugin, new_user())


def test_news_that_no_phone_of_the_user_watches_is_204(site, plugin):
    phone = BarePhone(new_user(), ("Notes",))
    assert plugin.register(phone) == (200, TOPIC)
    wait_answered(204, plugin, phone.user)


@pytest.mark.parametrize("mailbox", ["Notes", "inbox", "INBOX/Notes", "Entwürfe"])
def test_news_of_another_mailbox_than_inbox_is_200_and_ignored(site, plugin, mailbox):
    phone = registered(site, plugin, "INBOX", "Notes")
    assert plugin.notify(phone.user, "MessageNew", mailbox=mailbox) == 200
    assert plugin.notify(new_user(), "MessageNew", mailbox=mailbox) == 200
    assert plugin.notify(phone.user, "MessageNew") == 200
    site.told_inbox(phone)
    assert len(site.pushes(phone)) == 2


def test_other_paths_and_methods_are_refused(plugin):
    assert plugin.ask("/", "{}") == (404, "")
    assert plugin.ask("/notify/", "{}") == (404, "")
    assert plugin.ask("/notify", "", method="GET") == (405, "")
    assert plugin.ask("/register", "{}", method="PUT") == (405, "")
    assert plugin.ask("/notify?x=%00", "{}")[0] == 400
    assert plugin.ask("/", "{}") == (404, ""), "the same connection is still good"


def test_a_body_that_is_too_large_is_refused_before_it_is_read(plugin):
    status, _ = plugin.ask("/register", registration(BarePhone(new_user(), ("x" * 70000,))))
    assert status == 413


@pytest.fixture
def without_aps_topic(imapd_conf):
    imapd_conf.write_text(imapd_conf.read_text().replace("aps_topic", "#"))


def test_where_cyrus_has_no_topic_it_is_that_of_the_first_credential(without_aps_topic, site, plugin):
    phone = BarePhone(new_user())
    assert plugin.register(phone) == (200, TOPIC)
    site.told_inbox(phone)


def test_without_a_topic_nobody_can_register(without_aps_topic, xaps_for, port):
    site = xaps_for(start=False)
    site.mailpushd.credentials.clear()
    site.mailpushd.write_conf()
    site.mailpushd.start()
    with contextlib.closing(Plugin(port)) as plugin:
        assert plugin.register(BarePhone(new_user())) == (500, "")
    site.mailpushd.wait_log("there is no topic for phones")
    assert site.registrations() == []


def test_a_short_topic_is_warned_of(xaps_for, port, imapd_conf):
    short = "com.apple.mobilemail.push.org.example.mail"
    imapd_conf.write_text(imapd_conf.read_text().replace(TOPIC, short))
    site = xaps_for()
    with contextlib.closing(Plugin(port)) as plugin:
        assert plugin.register(BarePhone(new_user())) == (200, short)
    site.mailpushd.wait_log(f"topic is so short .* topic={short} limit=50")
    said = f"the topic {short} is so short that the xaps plugin for Dovecot 2.3 ends its imap process"
    assert f"warning: xaps_listen: {said}" in site.mailpushd.run_check().stderr
    finding, = [f for f in found(site.mailpushd) if f["check"] == "xaps_listen"]
    assert finding["level"] == "warn" and finding["why"].startswith(said)


# ---- what is on disk ----

def test_a_registration_that_was_answered_outlives_a_kill(site, plugin):
    phone = BarePhone(new_user())
    assert plugin.register(phone) == (200, TOPIC)
    site.mailpushd.kill9()
    site.mailpushd.start()
    site.told_inbox(phone)
    assert site.registrations() == [phone.token]


def test_with_the_registry_away_all_is_answered_soon_and_kept(site, plugin):
    known, newcomer = registered(site, plugin), BarePhone(new_user())
    with locked(site.mailpushd.dir / "registry.sqlite"):
        assert plugin.register(newcomer) == (200, TOPIC)
        assert plugin.notify(known.user, "MessageNew") == 200
        assert plugin.notify(new_user(), "MessageNew") == 200, "nobody knows"
        assert get(site.mailpushd, "/status")["events"]["waiting"] == 3
        site.mailpushd.kill9()
    site.mailpushd.start()
    site.told_inbox(known)
    site.told_inbox(newcomer)
    device = site.settled(newcomer)
    assert (device["topic"], device["confirmed"]) == (TOPIC, False)


def test_what_waits_at_a_stop_is_answered(site, port):
    phone = BarePhone(new_user())
    with locked(site.mailpushd.dir / "registry.sqlite"), \
            concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(Plugin(port).register, phone)
        wait_until(lambda: get(site.mailpushd, "/status")["events"]["waiting"], what="the event")
        assert site.mailpushd.stop() == 0
        assert answer.result(TIMEOUT) == (200, TOPIC)
    site.mailpushd.start()
    site.told_inbox(phone)


# ---- connections ----

def test_64_connections_stay_open_and_each_is_answered(site, port):
    with contextlib.ExitStack() as stack:
        plugins = [stack.enter_context(contextlib.closing(Plugin(port))) for _ in range(CONNECTIONS)]
        phones = [BarePhone(new_user()) for _ in plugins]
        for plugin, phone in zip(plugins, phones):
            assert plugin.register(phone) == (200, TOPIC)
        sockets = [plugin.connection.sock for plugin in plugins]
        for phone in phones:
            site.told_inbox(phone)
        for _ in range(3):
            with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
                answers = pool.map(lambda plugin, phone: plugin.notify(phone.user, "MessageNew"),
                                   plugins, phones)
                assert set(answers) == {200}
        assert [plugin.connection.sock for plugin in plugins] == sockets, "none was closed"
        for phone in phones:
            site.told_inbox(phone)


def test_beyond_the_limit_the_longest_idle_connection_is_closed(mailpushd, sim, imapd_conf, port):
    """Of 400 descriptors a quarter is for these connections."""
    daemon = mailpushd(start=False, imapd_conf=imapd_conf, xaps_listen=f"127.0.0.1:{port}", ack_timeout="30s")
    daemon.wrapper = ["prlimit", "--nofile=400:400"]
    site = BareSite(daemon.start(), sim)
    with contextlib.ExitStack() as stack:
        plugins = [stack.enter_context(contextlib.closing(Plugin(port))) for _ in range(101)]
        for plugin in plugins[:100]:
            assert plugin.ask("/", "{}") == (404, "")
        assert plugins[0].ask("/", "{}") == (404, ""), "now another one is idle for longest"
        assert plugins[100].ask("/", "{}") == (404, "")
        plugins[1].connection.sock.settimeout(TIMEOUT)
        assert plugins[1].connection.sock.recv(1) == b"", "it is closed"
        assert plugins[0].ask("/", "{}") == (404, "")
        phone = BarePhone(new_user())
        site.register(phone)
        site.told_inbox(phone)


def test_a_request_byte_by_byte_and_two_at_once(site, port):
    """The second comes before the first is answered."""
    first, second = BarePhone(new_user()), BarePhone(new_user())
    text = b""
    for phone in (first, second):
        body = json.dumps(registration(phone)).encode()
        text += (b"POST /register HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
                 + body)
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in text:
            connection.sendall(bytes([byte]))
        came = b""
        while came.count(TOPIC.encode()) < 2:
            assert (part := connection.recv(4096)), came
            came += part
        assert came.count(b"HTTP/1.1 200 OK\r\n") == 2
    site.told_inbox(first)
    site.told_inbox(second)


def test_who_hangs_up_does_no_harm(site, port):
    phone = BarePhone(new_user())
    with locked(site.mailpushd.dir / "registry.sqlite"):
        plugin = Plugin(port)
        plugin.connection.request("POST", "/register", body=json.dumps(registration(phone)))
        wait_until(lambda: get(site.mailpushd, "/status")["events"]["waiting"], what="the event")
        plugin.close()
    site.told_inbox(phone)


# ---- who may ask ----

@pytest.mark.parametrize("headers", [{"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "same-origin"},
                                     {"Host": "evil.example.com"}, {"Host": "127.0.0.1.example.com:1"}],
                         ids=str)
def test_a_web_page_cannot_ask(site, plugin, headers):
    assert plugin.ask("/register", registration(BarePhone(new_user())), **headers) == (403, "")
    assert site.registrations() == []


@pytest.mark.parametrize("host", ["localhost", "[::1]:11619", "127.0.0.1"])
def test_the_plugin_may_name_this_machine(plugin, host):
    wait_answered(404, plugin, new_user(), Host=host)


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_other_machines_may_ask_only_if_they_are_named(bare_site_for, port):
    with contextlib.closing(Network()) as network:
        site = bare_site_for(xaps_listen=f"0.0.0.0:{port}", xaps_clients=["198.51.100.0/24"])
        with contextlib.closing(Plugin(port, network.near)) as stranger:
            assert stranger.ask("/register", registration(BarePhone(new_user())))[0] == 403
        assert site.registrations() == []
        site.mailpushd.wait_log(f"client is not in xaps_clients address={network.near}")
        with contextlib.closing(Plugin(port)) as here:
            wait_answered(404, here, new_user())
        site.mailpushd.write_conf(xaps_clients=[f"{network.near}/31"])
        site.mailpushd.restart()
        with contextlib.closing(Plugin(port, network.near)) as named:
            wait_answered(404, named, new_user(), Host="mail.example.com")


def test_what_is_refused_is_counted_and_fills_no_log(xaps_for, port):
    site = xaps_for(log_level="info")
    with contextlib.closing(Plugin(port)) as plugin:
        for _ in range(50):
            assert plugin.ask("/notify", "{") == (400, "")
    assert get(site.mailpushd, "/status")["counters"]["rejected"] == 50
    site.mailpushd.wait_log("request refused")
    assert len([line for line in site.mailpushd.lines() if "request refused" in line]) < 10
