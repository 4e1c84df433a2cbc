"""Many changes, few pushes, and none missing."""

import itertools

import pytest

import lmtp
from mailsite import DOUBTED_MS, BarePhone, hashes_of, new_user
from phone import hash_of
from waiting import wait_until

FOLDER = "Entwürfe"
HOUR_MS = 3_600_000


def restart_with(site, **settings):
    """Change settings when all is told; what was told before does not delay what comes now."""
    site.wait_nothing_waits()
    site.mailpushd.write_conf(**settings)
    site.mailpushd.restart()


@pytest.mark.parametrize("transport", ["dlist", "datagram"])
def test_a_burst_is_pushed_at_once_and_once_more_when_the_interval_is_over(site_for, transport):
    site = site_for(cyrus={"transport": transport})
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX", "Notes")
    restart_with(site, min_interval="1h")
    site.deliver(user)
    site.told(phone, "INBOX")
    addresses = 9 * [*10 * [site.cyrus.address(user)], site.cyrus.address(user, "Notes")]
    assert len(lmtp.deliver_many(site.cyrus.lmtp_port, addresses)) == 99
    both = {hash_of("INBOX"), hash_of("Notes")}
    wait_until(lambda: site.waiting_hashes() == both, what="the burst in the queue")
    assert site.new_pushes(phone) == []
    site.mailpushd.write_conf(min_interval="50ms")
    site.mailpushd.restart()
    assert hashes_of([site.next_push(phone)]) == both
    site.wait_nothing_waits()
    assert len(site.pushes(phone)) == 3


def test_the_first_mail_does_not_wait_for_the_interval_and_the_second_does(site_for):
    site = site_for()
    alice, bob = site.create_user("Notes"), site.create_user()
    phone = site.registered_phone(alice, "INBOX", "Notes")
    other = site.registered_phone(bob, "INBOX")
    restart_with(site, min_interval="1h")
    site.deliver(alice)
    site.told(phone, "INBOX")
    for _ in range(5):
        site.deliver(alice)
        site.deliver(alice, "Notes")
    site.deliver(bob)
    site.told_inbox(other)
    assert site.new_pushes(phone) == []
    wait_until(lambda: site.waiting_hashes() == {hash_of("INBOX"), hash_of("Notes")},
               what="both waiting")


def test_later_is_not_postponed_by_a_steady_stream_of_changes(site_for):
    site = site_for(deferred_delay="500ms")
    user = site.create_user()
    site.deliver(user)
    device = site.phone(user)
    device.select("INBOX")
    phone = site.registered_phone(user, "INBOX")
    changes = itertools.cycle(["+FLAGS", "-FLAGS"])

    def changed_until_told():
        device.store("1", next(changes), "\\Seen")
        return site.new_pushes(phone)

    wait_until(changed_until_told, what="a push while changes go on")


def test_changes_within_the_delay_are_one_push(site_for):
    site = site_for()
    user = site.create_user("Notes", FOLDER)
    phone = site.registered_phone(user, "INBOX", "Notes", FOLDER)
    restart_with(site, deferred_delay="1h")
    device = site.phone(user)
    for folder in ("Notes", "INBOX", "Notes", FOLDER):
        device.append(folder)
    all_of_them = {hash_of("INBOX"), hash_of("Notes"), hash_of(FOLDER)}
    wait_until(lambda: site.waiting_hashes() == all_of_them, what="all that changed")
    site.mailpushd.write_conf(deferred_delay="50ms")    # what is overdue is put off by no more
    site.let_pass(2 * HOUR_MS)
    push = site.next_push(phone)
    assert hashes_of([push]) == all_of_them
    site.wait_nothing_waits()
    assert len(site.pushes(phone)) == 2


def test_more_mailboxes_than_a_push_can_name_are_pushed_by_several(bare_site):
    names = [f"Folder {n}" for n in range(250)]
    phone = bare_site.registered_phone(*names)
    sizes = [len(push["payload"]["aps"]["m"]) for push in bare_site.pushes(phone)]
    assert sorted(sizes) == [50, 100, 100]
    assert all(push["payload_size"] <= 4096 for push in bare_site.pushes(phone))


def test_no_more_pushes_a_second_than_are_allowed(bare_site_for):
    """Late ones may come closer together, but not all of 40 so late that it takes half the time."""
    site = bare_site_for(max_push_rate=10)
    phones = [BarePhone(new_user()) for _ in range(40)]
    for phone in phones:
        site.register(phone)
    for phone in phones:
        site.told(phone, "INBOX")
    times_ms = [push["time_ms"] for push in site.sim.pushes()]
    assert max(times_ms) - min(times_ms) > 2000


# ---- news during a flight ----

KEPT, GONE, TOLD, AGAIN = "kept", "gone", "told", "again"

# What Apple says about the first flight, and what becomes of what it carried.
VERDICTS = [
    (200, None, {}, TOLD),
    (400, "BadDeviceToken", {}, GONE),
    (410, "Unregistered", {}, GONE),
    (410, "ExpiredToken", {}, GONE),
    (410, "Unregistered", {"timestamp": 1}, KEPT),
    (400, "DeviceTokenNotForTopic", {}, GONE),
    (400, "BadMessageId", {}, TOLD),
    (400, "PayloadEmpty", {}, TOLD),
    (404, "BadPath", {}, TOLD),
    (405, "MethodNotAllowed", {}, TOLD),
    (413, "PayloadTooLarge", {}, TOLD),
    (418, "Unheard", {}, TOLD),
    (400, "BadTopic", {}, KEPT),
    (400, "TopicDisallowed", {}, KEPT),
    (403, "BadCertificate", {}, KEPT),
    (403, "BadCertificateEnvironment", {}, KEPT),
    (403, "Forbidden", {}, KEPT),
    (403, "InvalidProviderToken", {}, KEPT),
    (403, None, {}, KEPT),
    (403, "ExpiredProviderToken", {}, KEPT),
    (400, "IdleTimeout", {}, AGAIN),
    (429, "TooManyRequests", {}, AGAIN),
    (429, "TooManyProviderTokenUpdates", {}, KEPT),
    (500, "InternalServerError", {}, AGAIN),
    (503, "ServiceUnavailable", {}, AGAIN),
    (503, "ServiceUnavailable", {"retry_after": "1"}, AGAIN),
    (503, "Shutdown", {}, AGAIN),
    (599, "Unheard", {}, AGAIN),
]


@pytest.fixture
def in_flight(bare_site):
    """A phone whose push about INBOX Apple has and does not answer, with news about Notes that came
    meanwhile."""
    phone = bare_site.registered_phone("INBOX", "Notes")
    bare_site.sim.control(do="hold", on=True)
    bare_site.deliver(phone.user)
    wait_until(lambda: bare_site.sim.control(do="stats")["waiting"], what="the flight")
    bare_site.deliver(phone.user, "Notes")
    return phone


def check_outcome(site, phone, outcome):
    if outcome == TOLD:
        site.told(phone, "Notes")
        site.wait_nothing_waits()
    elif outcome == AGAIN:
        site.told(phone, "INBOX", "Notes")
        site.wait_nothing_waits()
    elif outcome == KEPT:
        check_kept(site, phone)
    else:
        site.mailpushd.wait_log("push not taken .*then=(forget|stop)")
        site.wait_nothing_waits()
        site.registered_phone()
        assert site.new_pushes(phone) == []


def check_kept(site, phone):
    """Neither the registration nor the news is lost: it is told when Apple is asked again."""
    site.mailpushd.wait_log("push not taken .*then=(hold|forget)")
    other = BarePhone(new_user(), ("Elsewhere",))
    site.register(other)
    wait_until(lambda: site.registrations() == [phone.token, other.token],
               what="both registrations")     # acknowledged may also be: parked
    assert site.waiting_hashes() >= {hash_of("INBOX"), hash_of("Notes")}
    site.let_pass(DOUBTED_MS)
    site.told(phone, "INBOX", "Notes")


@pytest.mark.parametrize("status, reason, more, outcome", VERDICTS)
def test_news_during_a_flight_survives_its_verdict(bare_site, in_flight, status, reason, more,
                                                   outcome):
    site, phone = bare_site, in_flight
    if outcome == TOLD and status == 200:
        site.sim.control(do="hold", on=False)
        assert hashes_of([site.next_push(phone)]) == {hash_of("INBOX")}
    else:
        site.sim.control(do="next", status=status, reason=reason, **more)
        site.sim.control(do="hold", on=False)
    check_outcome(site, phone, outcome)


ENDINGS = {
    "reset": {"do": "reset"},
    "stream-reset": {"do": "rst_streams"},
    "refused": {"do": "refuse_streams"},
    "goaway": {"do": "goaway", "last": "none", "reason": "Shutdown"},
}


@pytest.mark.parametrize("ending", ["reset", "goaway"])
def test_news_during_a_flight_survives_the_connection(bare_site, in_flight, ending):
    site, phone = bare_site, in_flight
    site.sim.control(**ENDINGS[ending])
    site.sim.control(do="hold", on=False)
    check_outcome(site, phone, AGAIN)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_push_that_apple_did_not_answer_is_sent_again(bare_site, ending):
    site = bare_site
    phone = site.registered_phone("INBOX", "Notes")
    command = dict(ENDINGS[ending])
    if ending in ("reset", "goaway"):
        command["after"] = 1
    site.sim.control(**command)
    site.deliver(phone.user, "Notes")
    site.told(phone, "Notes")
    ids = {push["headers"]["apns-id"] for push in site.pushes(phone)[1:]}
    assert len(ids) == 1


def test_a_push_to_a_service_that_fell_silent_is_sent_again(bare_site):
    """The slowest test: we ask the service whether it is there, and wait for its answer."""
    site = bare_site
    phone = site.registered_phone("INBOX", "Notes")
    site.sim.control(do="hold", on=True)
    site.sim.control(do="silence", on=True)
    site.deliver(phone.user)
    site.mailpushd.wait_log("push not taken .*ending=(lost|silent)", timeout=60)
    site.deliver(phone.user, "Notes")
    site.sim.control(do="hold", on=False)
    site.sim.control(do="silence", on=False)
    site.told(phone, "INBOX", "Notes")


def test_a_phone_that_registers_during_a_fatal_flight_is_kept(bare_site, in_flight):
    site, phone = bare_site, in_flight
    site.register(phone)
    # Acknowledged may also be: parked, and then the answer of 410 comes first.
    site.mailpushd.wait_log(f"phone renewed its registration user={phone.user} ")
    site.sim.control(do="next", status=410, reason="Unregistered")
    site.sim.control(do="hold", on=False)
    site.mailpushd.wait_log("push not taken .*then=forget")
    # The phone registered after that push left, so it is told at once.
    check_outcome(site, phone, AGAIN)
    assert site.registrations() == [phone.token]
