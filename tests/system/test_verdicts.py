"""What Apple answers, and what becomes of the phone."""

import contextlib
import sqlite3

import pytest

import notify
from apnssim import TOPIC
from control import UnixConnection, ctl_fine, ctl_json, fetch, get
from mailsite import DOUBTED_MS, BarePhone, new_user
from phone import hash_of
from test_held import wait_waiting
from test_sleep import delete, wait_states
from waiting import wait_until

OTHER_TOPIC = "com.apple.mobilemail.push.com.example"


@pytest.fixture
def site(bare_site):
    return bare_site


def metrics_of(daemon):
    """/metrics is on the control socket too."""
    return fetch(UnixConnection(daemon.control_socket), "/metrics")[1]


@pytest.fixture
def marker(bare_site):
    """Another phone: a push to it shows that what was to happen before has happened."""
    return bare_site.registered_phone()


def pushed_alone(site, marker, phone):
    """Deliver to both; only the marker is told.  Twice, so that a slower push would be seen."""
    for _ in range(2):
        site.deliver(phone.user)
        site.deliver(marker.user)
        site.told(marker, "INBOX")
    assert site.new_pushes(phone) == []


# ---- forget ----

@pytest.mark.parametrize("status, reason", [(410, "Unregistered"), (410, "ExpiredToken"),
                                            (410, None), (400, "BadDeviceToken")])
def test_a_phone_that_is_gone_is_forgotten(site, marker, status, reason):
    phone = site.registered_phone()
    site.sim.control(do="token", token=phone.token, status=status, reason=reason, times=1)
    site.deliver(phone.user)
    site.mailpushd.wait_log("registrations are gone: Apple's answer")
    assert site.registrations() == [marker.token]
    pushed_alone(site, marker, phone)
    site.register(phone)
    site.told(phone, "INBOX")


def test_all_accounts_of_a_phone_that_is_gone_are_forgotten(site, marker):
    phone = site.registered_phone()
    other_account = BarePhone(new_user(), token=phone.token)
    site.register(other_account)
    site.next_push(other_account)
    site.sim.control(do="token", token=phone.token, status=410, reason="Unregistered")
    site.deliver(phone.user)
    site.mailpushd.wait_log("registrations are gone: Apple's answer .*count=2")
    assert site.registrations() == [marker.token]


def test_a_phone_that_has_registered_since_apple_saw_it_go_is_kept(site, marker):
    phone = site.registered_phone()
    site.sim.control(do="token", token=phone.token, status=410, reason="Unregistered",
                     timestamp=1_700_000_000_000, times=1)
    site.deliver(phone.user)
    site.mailpushd.wait_log("push not taken .*reason=Unregistered")
    site.deliver(marker.user)
    site.told(marker, "INBOX")
    site.register(marker)
    assert site.registrations() == [marker.token, phone.token]
    assert site.waiting_hashes() == {hash_of("INBOX")}
    site.let_pass(DOUBTED_MS)
    site.told(phone, "INBOX")


def test_a_bad_token_before_apple_took_any_push_may_be_our_own_fault(site):
    """The wrong host or certificate makes every token a bad one."""
    phone = BarePhone(new_user())
    site.sim.control(do="token", token=phone.token, status=400, reason="BadDeviceToken", times=1)
    site.register(phone)
    site.mailpushd.wait_log("push not taken .*reason=BadDeviceToken .*then=hold")
    site.mailpushd.wait_log("Apple calls a device token bad, and none was good yet.*state=begins")
    other = site.registered_phone()
    site.mailpushd.wait_log("alarm=bad-device-token.*state=ends")
    assert site.registrations() == [phone.token, other.token]
    site.let_pass(DOUBTED_MS)
    site.told(phone, "INBOX")


def remove(site, phone):
    [device] = ctl_json(site.mailpushd, "devices", "--user", phone.user)
    ctl_fine(site.mailpushd, "devices", "remove", device["key"])


def test_the_doubt_about_a_topic_ends_with_its_last_phone(site):
    """Nobody is left to whom a push could be taken."""
    phones = [BarePhone(new_user()) for _ in range(2)]
    for phone in phones:
        site.sim.control(do="token", token=phone.token, status=400, reason="BadDeviceToken")
        site.register(phone)
        site.mailpushd.wait_log(f"push not taken user={phone.user} .*reason=BadDeviceToken .*then=hold")
    remove(site, phones[0])
    assert [alarm["name"] for alarm in get(site.mailpushd, "/status")["alarms"]] == \
        [f"bad-device-token:{TOPIC}"]
    remove(site, phones[1])
    site.mailpushd.wait_log("alarm=bad-device-token.*state=ends")


def test_the_doubt_about_a_topic_ends_with_a_phone_that_the_registry_has_lost(site):
    """Housekeeping finds that, of what waits for a deleted account."""
    phone = BarePhone(new_user())
    site.sim.control(do="token", token=phone.token, status=400, reason="BadDeviceToken")
    site.register(phone)
    site.mailpushd.wait_log("alarm=bad-device-token.*state=begins")
    delete(site, phone.user)
    wait_states(site, "suspended")
    registry = site.mailpushd.dir / "registry.sqlite"
    with contextlib.closing(sqlite3.connect(registry)) as database, database:
        database.execute("DELETE FROM registration")
    ctl_fine(site.mailpushd, "prune")
    site.wait_nothing_waits()
    site.mailpushd.wait_log("alarm=bad-device-token.*state=ends")


# ---- stop ----

def test_a_token_for_another_topic_is_left_alone_until_it_registers_again(site, marker):
    phone = site.registered_phone()
    site.sim.control(do="token", token=phone.token, status=400, reason="DeviceTokenNotForTopic",
                     times=1)
    site.deliver(phone.user)
    site.mailpushd.wait_log("push not taken .*reason=DeviceTokenNotForTopic .*then=stop")
    pushed_alone(site, marker, phone)
    assert site.registrations("stopped_reason") == [None, "DeviceTokenNotForTopic"]
    [device] = ctl_json(site.mailpushd, "devices", "--user", phone.user)
    assert device["state"] == "stopped"
    assert device["last_push"]["status"] == 400
    assert device["last_push"]["reason"] == "DeviceTokenNotForTopic"
    assert ": 400 DeviceTokenNotForTopic\n" in ctl_fine(site.mailpushd, "devices")
    site.register(phone)
    wait_until(lambda: site.registrations("stopped_reason") == [None, None], what="nobody stopped")
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_a_stopped_phone_is_counted_wherever_phones_are(site, marker):
    """In status, metrics, the status page and doctor, until it registers again."""
    phone = site.registered_phone()
    site.sim.control(do="token", token=phone.token, status=400, reason="DeviceTokenNotForTopic",
                     times=1)
    site.deliver(phone.user)
    site.mailpushd.wait_log("registrations are stopped: Apple's answer")

    def counted(path):
        return get(site.mailpushd, path)["registrations"]

    for path in ("/status", "/status-page.json"):
        wait_until(lambda: counted(path)["stopped"] == 1, what=f"a stopped phone in {path}")
        assert (counted(path)["total"], counted(path)["active"]) == (2, 1)
    metrics = metrics_of(site.mailpushd)
    assert 'mailpush_registrations{state="stopped"} 1\n' in metrics
    assert 'mailpush_registrations{state="active"} 1\n' in metrics
    text = ctl_fine(site.mailpushd, "status")
    assert "\nRegistrations  2: active 1, superseded 0, suspended 0, stopped 1\n" \
        "  1 stopped by Apple's answer since the start\n" in text
    site.register(phone)
    wait_until(lambda: counted("/status")["stopped"] == 0, what="nobody stopped")


def test_a_tenth_of_the_phones_stopped_is_an_alarm_until_they_register_again(site, marker):
    """Also when pushes to others are taken all the time."""
    phones = [site.registered_phone() for _ in range(5)]
    for phone in phones:
        site.sim.control(do="token", token=phone.token, status=400,
                         reason="DeviceTokenNotForTopic", times=1)
        site.deliver(phone.user)
        site.mailpushd.wait_log(f"push not taken .*user={phone.user} .*then=stop")
        site.deliver(marker.user)
        site.told(marker, "INBOX")
    site.mailpushd.wait_log(f"not for topic .*alarm=not-for-topic:{TOPIC} state=begins")
    site.deliver(marker.user)
    site.told(marker, "INBOX")
    assert [alarm["name"] for alarm in get(site.mailpushd, "/status")["alarms"]] == \
        [f"not-for-topic:{TOPIC}"]
    site.register(phones[2])
    site.mailpushd.wait_log(f"alarm=not-for-topic:{TOPIC} state=ends")


def test_the_alarm_about_stopped_phones_ends_with_the_last_of_them(site):
    phones = [site.registered_phone() for _ in range(5)]
    for phone in phones:
        site.sim.control(do="token", token=phone.token, status=400,
                         reason="DeviceTokenNotForTopic")
        site.deliver(phone.user)
    site.mailpushd.wait_log(f"not for topic .*alarm=not-for-topic:{TOPIC} state=begins")
    for phone in phones:
        remove(site, phone)
    site.mailpushd.wait_log(f"alarm=not-for-topic:{TOPIC} state=ends")


def test_all_accounts_of_a_stopped_phone_say_why(site, marker):
    """Of the second one no push was answered: it has no last push, but a reason."""
    phone = site.registered_phone()
    other = BarePhone(new_user(), token=phone.token)
    site.sim.control(do="token", token=phone.token, status=400, reason="DeviceTokenNotForTopic")
    site.register(other)
    site.mailpushd.wait_log("registrations are stopped: Apple's answer .*count=2")
    pushed_alone(site, marker, phone)
    with contextlib.closing(sqlite3.connect(site.mailpushd.dir / "registry.sqlite")) as registry:
        key = registry.execute("SELECT hex(key) FROM registration WHERE user = ?",
                               (phone.user,)).fetchone()[0].lower()
    site.mailpushd.stop()
    with contextlib.closing(sqlite3.connect(site.mailpushd.dir / "queue.sqlite")) as queue:
        with queue:
            queue.execute("DELETE FROM phone")
    site.mailpushd.start()
    assert "none; stopped: DeviceTokenNotForTopic\n" in ctl_fine(site.mailpushd, "devices")
    assert "\nStopped        DeviceTokenNotForTopic\n" in ctl_fine(site.mailpushd, "devices", "show",
                                                                  key)


# ---- drop ----

def test_a_push_that_apple_finds_malformed_is_dropped_loudly(site):
    phone = site.registered_phone("INBOX", "Notes")
    site.sim.control(do="next", status=400, reason="BadMessageId")
    site.deliver(phone.user)
    site.mailpushd.wait_log("error apns: Apple rejects a push as malformed.*reason=BadMessageId")
    site.deliver(phone.user, "Notes")
    site.told(phone, "Notes")


# ---- hold ----

def test_a_refused_credential_costs_no_registration(site):
    phones = [site.registered_phone() for _ in range(3)]
    site.sim.control(do="next", status=403, reason="BadCertificate")
    site.deliver(phones[0].user)
    site.mailpushd.wait_log("Apple refuses pushes: 403 BadCertificate")
    for phone in phones[1:]:
        site.deliver(phone.user)
    wait_waiting(site, len(phones))
    assert site.registrations() == [phone.token for phone in phones]
    assert all(site.new_pushes(phone) == [] for phone in phones)
    site.mailpushd.restart()
    for phone in phones:
        site.told(phone, "INBOX")


# ---- again ----

def test_a_repeated_push_keeps_its_id(site):
    phone = site.registered_phone("INBOX", "Notes")
    site.sim.control(do="next", status=503, reason="ServiceUnavailable", count=2)
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    tries = site.pushes(phone)[-3:]
    assert [push["status"] for push in tries] == [503, 503, 200]
    assert len({push["headers"]["apns-id"] for push in tries}) == 1
    assert len({str(push["payload"]) for push in tries}) == 1


def test_a_push_that_names_more_than_before_has_another_id(site):
    phone = site.registered_phone("INBOX", "Notes")
    site.sim.control(do="hold", on=True)
    site.deliver(phone.user)
    wait_until(lambda: site.sim.control(do="stats")["waiting"], what="the flight")
    site.deliver(phone.user, "Notes")
    site.sim.control(do="next", status=503, reason="ServiceUnavailable")
    site.sim.control(do="hold", on=False)
    site.told(phone, "INBOX", "Notes")
    first, *others = site.pushes(phone)[1:]
    assert first["headers"]["apns-id"] not in [push["headers"]["apns-id"] for push in others]


def test_a_push_sent_again_after_a_crash_keeps_its_id(site):
    phone = site.registered_phone()
    site.sim.control(do="hold", on=True)
    site.deliver(phone.user)
    wait_until(lambda: site.sim.control(do="stats")["waiting"], what="the flight")
    site.mailpushd.kill9()
    site.sim.control(do="hold", on=False)
    site.mailpushd.start()
    push, = site.told(phone, "INBOX")[-1:]
    flights = site.pushes(phone)[1:]
    assert len(flights) == 2
    assert {flight["headers"]["apns-id"] for flight in flights} == {push["headers"]["apns-id"]}


def test_an_id_is_not_used_for_two_pushes(site):
    phone = site.registered_phone()
    for _ in range(3):
        site.deliver(phone.user)
        site.told(phone, "INBOX")
    assert len({push["headers"]["apns-id"] for push in site.pushes(phone)}) == 4


def test_trouble_with_one_phone_does_not_delay_another(site, marker):
    phone = site.registered_phone()
    site.sim.control(do="token", token=phone.token, status=429, reason="TooManyRequests",
                     retry_after="3600")
    pushed_alone(site, marker, phone)
    assert site.waiting_hashes(phone) == {hash_of("INBOX")}


# ---- given up ----

A_DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture
def troubled(site, marker, request):
    """A phone whose push was answered so, now and whenever it is tried again."""
    phone = site.registered_phone()
    site.sim.control(do="token", token=phone.token, **request.param)
    site.deliver(phone.user)
    site.mailpushd.wait_log(f"push not taken user={phone.user} .*status={request.param['status']}")
    return phone


OF_ONE_TOKEN = [{"status": 429, "reason": "TooManyRequests"},
                {"status": 410, "reason": "Unregistered", "timestamp": 1_700_000_000_000}]


@pytest.mark.parametrize("troubled", OF_ONE_TOKEN, indirect=True)
def test_trouble_of_one_token_is_given_up_in_the_end(site, troubled):
    """After a day, by the clock that nobody sets, or after so many attempts."""
    site.have_failed_for(A_DAY_MS, attempts=1000)
    site.mailpushd.wait_log("given up after a day")
    site.wait_nothing_waits()
    assert get(site.mailpushd, "/status")["counters"]["given_up"] == 1
    assert troubled.token in site.registrations()
    site.sim.control(do="clear")
    site.deliver(troubled.user)
    site.told(troubled, "INBOX")


@pytest.mark.parametrize("troubled", OF_ONE_TOKEN, indirect=True)
@pytest.mark.parametrize("age_ms, attempts", [(A_DAY_MS - 60_000, 20), (A_DAY_MS + 60_000, 998)])
def test_and_not_before_a_day_nor_before_it_was_tried_often(site, troubled, age_ms, attempts):
    site.have_failed_for(age_ms, attempts)
    site.mailpushd.wait_log(f"push not taken user={troubled.user} ", since=site.mailpushd.start_line)
    assert site.waiting_hashes() == {hash_of("INBOX")}


@pytest.mark.parametrize("troubled", [{"status": 503, "reason": "ServiceUnavailable"},
                                      {"status": 403, "reason": "BadCertificate"},
                                      {"status": 400, "reason": "BadTopic"}], indirect=True)
def test_trouble_of_the_service_or_the_credential_is_never_given_up(site, troubled):
    site.have_failed_for(30 * A_DAY_MS, attempts=1000)
    site.mailpushd.wait_log(f"push not taken user={troubled.user} ", since=site.mailpushd.start_line)
    assert site.waiting_hashes() == {hash_of("INBOX")}
    site.sim.control(do="clear")
    site.let_pass(DOUBTED_MS)
    site.told(troubled, "INBOX")


# ---- topics and credentials ----

@pytest.fixture
def two_topics(bare_site_for, imapd_conf):
    """A phone of each topic; the site changed it in between."""
    site = bare_site_for(start=False)
    certificate, key = site.sim.add_client("second", OTHER_TOPIC)
    site.mailpushd.credentials["second"] = {"certificate": certificate, "key": key}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    first = site.registered_phone()
    imapd_conf.write_text(imapd_conf.read_text().replace(TOPIC, OTHER_TOPIC))
    site.mailpushd.reload()
    site.mailpushd.wait_log(f"reloaded .*aps_topic={OTHER_TOPIC}")
    return site, first, site.registered_phone()


def topic_of(push):
    return push["headers"]["apns-topic"]


def test_each_phone_is_pushed_to_on_the_topic_that_it_was_given(two_topics):
    site, first, second = two_topics
    for phone, topic in ((first, TOPIC), (second, OTHER_TOPIC)):
        site.deliver(phone.user)
        assert {topic_of(push) for push in site.told(phone, "INBOX")} == {topic}


def test_a_phone_that_registers_again_is_pushed_to_on_the_new_topic(two_topics):
    site, first, _ = two_topics
    site.register(first)
    assert {topic_of(push) for push in site.told(first, "INBOX")} == {OTHER_TOPIC}


def test_a_refused_credential_does_not_delay_the_other(two_topics):
    site, first, second = two_topics
    site.sim.control(do="token", token=first.token, status=403, reason="BadCertificate")
    site.deliver(first.user)
    site.mailpushd.wait_log("Apple refuses pushes: 403 BadCertificate")
    site.deliver(second.user)
    site.told(second, "INBOX")


def test_a_phone_whose_topic_has_no_credential_waits_for_one(bare_site_for, imapd_conf):
    site = bare_site_for(start=False)
    imapd_conf.write_text(imapd_conf.read_text().replace(TOPIC, OTHER_TOPIC))
    site.mailpushd.start()
    phone = BarePhone(new_user())
    site.register(phone)
    site.mailpushd.wait_log(f"no credential for topic {OTHER_TOPIC}")
    site.mailpushd.stop()
    certificate, key = site.sim.add_client("second", OTHER_TOPIC)
    site.mailpushd.credentials["second"] = {"certificate": certificate, "key": key}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    assert {topic_of(push) for push in site.told(phone, "INBOX")} == {OTHER_TOPIC}


def test_the_topic_of_a_registration_is_the_one_of_its_time(site, imapd_conf):
    """What is parked or comes later does not change it."""
    phone = site.registered_phone()
    imapd_conf.write_text(imapd_conf.read_text().replace(TOPIC, OTHER_TOPIC))
    site.mailpushd.reload()
    site.mailpushd.wait_log(f"reloaded .*aps_topic={OTHER_TOPIC}")
    site.tell(notify.mail(phone.user, event="MessageRead"))
    assert {topic_of(push) for push in site.told(phone, "INBOX")} == {TOPIC}
    assert site.registrations("topic") == [TOPIC]
