"""What a server that owes us nothing answers, and what becomes of the phone."""

import email.utils
import time

import pytest

from apnssim import TOPIC
from control import get
from mailsite import BarePhone, new_user
from referee import DATA, END_HEADERS, END_STREAM, HEADERS, header_block

LONG_AGO_MS = 1_700_000_000_000


@pytest.fixture
def site(site_of, referee):
    return site_of(referee)


class Line:
    """The site's one connection, and phones behind it."""

    def __init__(self, site, referee):
        self.site = site
        self.peer = None
        self.referee = referee

    def phone(self):
        """One that registered and was told so."""
        phone = BarePhone(new_user())
        self.site.register(phone)
        if not self.peer:
            self.connect()
        self.peer.answer(self.peer.push())
        self.site.mailpushd.wait_log(f"apns: pushed user={phone.user} ")
        return phone

    def connect(self):
        self.peer = self.referee.accept().greet()
        return self.peer

    def deliver(self, phone):
        """The push that follows."""
        self.site.deliver(phone.user)
        push = self.peer.push()
        assert push.token == phone.token
        return push

    def is_told(self, phone):
        """A push to it is asked for and taken, as ever."""
        self.peer.answer(self.deliver(phone))


@pytest.fixture
def line(site, referee):
    return Line(site, referee)


def answered(site, phone, reason, then):
    site.mailpushd.wait_log(f"push not taken user={phone.user} .*reason={reason} then={then} ")


# ---- the token ----

@pytest.mark.parametrize("status, body", [
    (410, {"reason": "Unregistered"}), (410, {"reason": "ExpiredToken"}), (410, None),
    (410, {"reason": "Unregistered", "timestamp": 2 ** 53}), (400, {"reason": "BadDeviceToken"})])
def test_a_token_that_is_gone_is_forgotten(site, line, status, body):
    phone, other = line.phone(), line.phone()
    line.peer.answer(line.deliver(phone), status, body)
    site.mailpushd.wait_log("registrations are gone: Apple's answer")
    assert site.registrations() == [other.token]
    site.deliver(phone.user)
    line.is_told(other)


def test_a_phone_that_registered_after_the_timestamp_is_kept(site, line):
    phone = line.phone()
    line.peer.answer(line.deliver(phone), 410,
                     {"reason": "Unregistered", "timestamp": LONG_AGO_MS})
    answered(site, phone, "Unregistered", "forget")
    line.phone()
    assert phone.token in site.registrations()
    assert site.waiting_hashes()


@pytest.mark.parametrize("status, body", [
    (410, {"reason": "Unregistered", "timestamp": 2 ** 53}), (400, {"reason": "BadDeviceToken"})])
def test_a_phone_that_registers_while_the_push_is_under_way_is_kept(site, line, status, body):
    phone = line.phone()
    push = line.deliver(phone)
    site.register(phone)
    line.peer.answer(push, status, body)
    answered(site, phone, body["reason"], "forget")
    again = line.peer.push()        # it asked for pushes after that one was sent
    assert again.token == phone.token
    line.peer.answer(again)
    line.phone()
    assert phone.token in site.registrations()


def test_a_bad_token_is_held_until_the_server_is_proven(site, line):
    phone = BarePhone(new_user())
    site.register(phone)
    peer = line.connect()
    peer.answer(peer.push(), 400, {"reason": "BadDeviceToken"})
    answered(site, phone, "BadDeviceToken", "hold")
    other = line.phone()
    assert site.registrations() == [phone.token, other.token]


def test_tokens_of_another_topic_stop_and_many_are_an_alarm(site, line):
    phones = [line.phone() for _ in range(6)]
    for phone in phones[:5]:
        line.peer.answer(line.deliver(phone), 400, {"reason": "DeviceTokenNotForTopic"})
        answered(site, phone, "DeviceTokenNotForTopic", "stop")
    site.mailpushd.wait_log(f"not for topic .*alarm=not-for-topic:{TOPIC} state=begins")
    assert len(site.registrations()) == 6
    for phone in phones[:5]:
        site.deliver(phone.user)
    line.is_told(phones[5])
    [alarm] = get(site.mailpushd, "/status")["alarms"]
    assert alarm["name"] == f"not-for-topic:{TOPIC}"    # five of six
    site.register(phones[0])
    site.mailpushd.wait_log(f"alarm=not-for-topic:{TOPIC} state=ends")
    line.is_told(phones[0])


def test_too_many_requests_back_off_one_token_while_others_flow(site, line):
    phone, other = line.phone(), line.phone()
    line.peer.answer(line.deliver(phone), 429, {"reason": "TooManyRequests"}, retry_after="3600")
    for _ in range(3):
        line.is_told(other)
        site.deliver(phone.user)
    line.is_told(other)
    line.peer.settle()
    assert not line.peer.arrived


# ---- Retry-After ----

def retry_after_forms():
    later = time.time() + 3600
    return [("retry-after", "3600"), ("Retry-After", "3600"), ("RETRY-AFTER", "3600"),
            ("Retry-After", email.utils.formatdate(later, usegmt=True)),
            ("retry-after", time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(later))),
            ("retry-after", time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(later))),
            ("retry-after", "999999999")]


@pytest.mark.parametrize("status, reason", [(503, "ServiceUnavailable"),
                                            (429, "TooManyRequests")])
def test_retry_after_is_honoured_in_all_its_forms(site, line, status, reason):
    phones = [line.phone() for _ in retry_after_forms()]
    other = line.phone()
    for phone, (name, value) in zip(phones, retry_after_forms()):
        push = line.deliver(phone)
        line.peer.frame(HEADERS, END_HEADERS | END_STREAM, push.stream, header_block(
            (":status", str(status)), (name, value)))
        site.mailpushd.wait_log(f"push not taken user={phone.user} .*then=again ")
    for _ in range(3):
        line.is_told(other)
    line.peer.settle()
    assert not line.peer.arrived


@pytest.mark.parametrize("value", ["", "-1", "soon", "0", "Sun, 06 Nov 1994 08:49:37 GMT",
                                   "9" * 300])
def test_retry_after_that_says_nothing_backs_off_as_usual(site, line, value):
    phone = line.phone()
    push = line.deliver(phone)
    line.peer.answer(push, 503, {"reason": "ServiceUnavailable"}, retry_after=value)
    again = line.peer.push()
    assert again.apns_id == push.apns_id
    line.peer.answer(again)


# ---- the credential ----

@pytest.mark.parametrize("status, reason", [
    (403, "BadCertificate"), (403, "BadCertificateEnvironment"), (403, "Forbidden"),
    (403, "MissingProviderToken"), (400, "TopicDisallowed"), (400, "BadTopic"),
    (429, "TooManyProviderTokenUpdates"), (403, None)])
def test_a_refused_credential_holds_all_and_costs_nothing(site, line, status, reason):
    phones = [line.phone() for _ in range(3)]
    push = line.deliver(phones[0])
    line.peer.answer(push, status, {"reason": reason} if reason else None)
    site.mailpushd.wait_log(f"Apple refuses pushes: {status} {reason or 'without a reason'}; .*"
                            "alarm=apns:main state=begins")
    line.peer.wait_end()
    for phone in phones:
        site.deliver(phone.user)
    assert len(site.registrations()) == 3
    site.mailpushd.restart()
    peer = line.connect()
    pushes = peer.pushes(3)
    assert {each.token for each in pushes} == {phone.token for phone in phones}
    assert push.apns_id in {each.apns_id for each in pushes}


# ---- the request ----

@pytest.mark.parametrize("status, reason", [
    (400, "BadMessageId"), (400, "PayloadEmpty"), (404, "BadPath"), (405, "MethodNotAllowed"),
    (413, "PayloadTooLarge"), (400, "Unheard"), (418, None)])
def test_what_is_our_own_mistake_is_dropped_loudly(site, line, status, reason):
    phone = line.phone()
    line.peer.answer(line.deliver(phone), status, {"reason": reason} if reason else None)
    site.mailpushd.wait_log(f"rejects a push as malformed.*status={status} ")
    line.is_told(phone)
    line.peer.settle()
    assert not line.peer.arrived


# ---- nonsense ----

@pytest.mark.parametrize("status", ["302", "101", "100", "600", "999", "0", "abc", "", None])
def test_what_no_service_of_apples_would_say_costs_no_push(site, line, status):
    phone = line.phone()
    push = line.deliver(phone)
    block = header_block((":status", status)) if status is not None else header_block(("x", "y"))
    line.peer.frame(HEADERS, END_HEADERS | END_STREAM, push.stream, block)
    again = line.peer.push()
    assert (again.apns_id, again.payload) == (push.apns_id, push.payload)
    line.peer.answer(again)
    line.is_told(phone)


@pytest.mark.parametrize("status, then", [(200, "apns: pushed"), (410, "then=forget"),
                                          (503, "then=again")])
@pytest.mark.parametrize("body", [b"<html>" * 10_000, b"\0" * 1000, b"[" * 511, b"null",
                                  b'{"reason": 5, "timestamp": "x"}', b'{"timestamp": -1}'],
                         ids=["long", "zeros", "nested", "null", "types", "negative"])
def test_a_body_that_says_nothing_leaves_the_status(site, line, status, then, body):
    phone = line.phone()
    push = line.deliver(phone)
    since = len(site.mailpushd.log)
    line.peer.frame(HEADERS, END_HEADERS, push.stream, header_block((":status", str(status))))
    for at in range(0, len(body), 16_000):
        line.peer.frame(DATA, 0, push.stream, body[at:at + 16_000])
    line.peer.frame(DATA, END_STREAM, push.stream)
    site.mailpushd.wait_log(then, since=since)
    if status == 503:
        line.peer.answer(line.peer.push())
    line.phone()


# ---- the service ----

@pytest.mark.parametrize("status, reason", [(500, "InternalServerError"),
                                            (503, "ServiceUnavailable"), (502, None),
                                            (599, "Unheard")])
def test_a_service_that_fails_gets_the_same_push_again(site, line, status, reason):
    phone = line.phone()
    push = line.deliver(phone)
    line.peer.answer(push, status, {"reason": reason} if reason else None)
    again = line.peer.push()
    assert (again.apns_id, again.payload) == (push.apns_id, push.payload)
    line.peer.answer(again)
    line.is_told(phone)


@pytest.mark.parametrize("status, reason", [(503, "Shutdown"), (400, "IdleTimeout")])
def test_a_server_that_shuts_down_is_left_and_the_push_goes_elsewhere(
        site, line, status, reason):
    phone = line.phone()
    push = line.deliver(phone)
    old = line.peer
    old.answer(push, status, {"reason": reason})
    peer = line.connect()
    again = peer.push()
    assert again.apns_id == push.apns_id
    peer.answer(again)
    old.wait_end()


# ---- limits ----

def test_a_push_names_at_most_100_mailboxes_and_the_rest_follows(site, line):
    names = tuple(f"Folder{n}" for n in range(250))
    phone = BarePhone(new_user(), ("INBOX", *names))
    site.register(phone)
    named = []
    peer = line.connect()
    while len(named) < 251:
        push = peer.push()
        assert len(push.body) <= 4096
        assert 1 <= len(push.payload["aps"]["m"]) <= 100
        named += push.payload["aps"]["m"]
        peer.answer(push)
    assert len(set(named)) == len(named) == 251
    peer.settle()
    assert not peer.arrived
