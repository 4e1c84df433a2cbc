"""Apple is asked whether it takes the credential, though nothing is to be sent."""

import pytest

from apnssim import TOPIC, ZEROS, ApnsSim
from control import ctl, ctl_json, get, tcp
from mailsite import BarePhone, asked_by_hand, new_user
from ports import free_port
from waiting import wait_until


OTHER_TOPIC = TOPIC[:-1] + "7"


def has_alarm(site, text):
    site.mailpushd.wait_log(f"{text}.*alarm=apns:main state=begins")
    [alarm] = [a for a in get(site.mailpushd, "/status")["alarms"] if a["name"] == "apns:main"]
    assert alarm["text"].startswith('credential "main": ')


# ---- when ----

def test_apple_is_asked_at_the_start(bare_site):
    [trial] = bare_site.sim.wait_trials(1)
    assert (trial["status"], trial["reason"]) == (400, "BadDeviceToken")
    assert trial["headers"]["apns-topic"] == TOPIC
    bare_site.mailpushd.wait_log("info apns: Apple takes the credential credential=main status=400")


def test_apple_is_asked_after_a_reload(bare_site):
    """Ten seconds after the last time at the soonest."""
    bare_site.sim.wait_trials(1)
    bare_site.mailpushd.reload()
    bare_site.sim.wait_trials(2)


def test_apple_is_asked_again_by_itself(bare_site_for):
    """A minute after the answer: no interval is shorter."""
    bare_site_for(apns_check_interval="1min").sim.wait_trials(2, timeout=180)


def test_a_credential_that_is_new_is_asked_about(bare_site_for, tmp, sim):
    site = bare_site_for(start=False)
    certificate, key = tmp / "certificate.pem", tmp / "key.pem"
    certificate.write_bytes(sim.client_cert.read_bytes())
    key.write_bytes(sim.client_key.read_bytes())
    site.mailpushd.credentials["main"] = {"certificate": certificate, "key": key}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    sim.wait_trials(1)
    for source, target in zip(sim.add_client("renewed", TOPIC), (certificate, key)):
        target.write_bytes(source.read_bytes())
    first, second = sim.wait_trials(2)
    assert second["connection"] > first["connection"]


@pytest.fixture
def two(bare_site_for, sim):
    """A site with two credentials."""
    certificate, key = sim.add_client("other", OTHER_TOPIC)
    site = bare_site_for(start=False)
    site.mailpushd.credentials["other"] = {"certificate": certificate, "key": key}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    return site


def topics(trials):
    return sorted(trial["headers"]["apns-topic"] for trial in trials)


def test_each_credential_is_asked_about(two):
    assert topics(two.sim.wait_trials(2)) == [TOPIC, OTHER_TOPIC]


def test_one_with_which_apple_judges_pushes_is_not_asked_about(two):
    """The other one shows when it would have been."""
    two.sim.wait_trials(2)
    two.registered_phone()
    two.mailpushd.reload()
    two.sim.wait_trials(3)
    ctl(two.mailpushd, "cert", "check", "--online")
    assert topics(two.sim.wait_trials(5)) == [TOPIC] * 2 + [OTHER_TOPIC] * 3


def test_apple_is_never_asked_where_nobody_wants_it(bare_site_for):
    site = bare_site_for(apns_check_interval="0s")
    site.mailpushd.reload()
    site.mailpushd.wait_log("info daemon: reloaded")
    assert asked_by_hand(site) == 1


def test_pushes_to_phones_go_first(bare_site_for, sim):
    sim.stop()
    site = bare_site_for()
    site.mailpushd.wait_log("alarm=apns:main state=begins")
    phone = BarePhone(new_user())
    site.register(phone)
    site.deliver(phone.user)
    wait_until(lambda: [push for push in ctl_json(site.mailpushd, "queue") if push["urgent"]], what="urgent news")
    sim.start(sim.dir, port=sim.port)
    [push] = site.told(phone, "INBOX")
    [trial] = sim.wait_trials(1)
    assert (push["connection"], push["stream"]) < (trial["connection"], trial["stream"])


# ---- what follows ----

@pytest.mark.parametrize("status,reason", [(403, "BadCertificate"), (400, "TopicDisallowed")])
def test_a_refused_credential_is_an_alarm_before_a_mail_is_late(bare_site_for, sim, status, reason):
    sim.control(do="token", token=ZEROS, status=status, reason=reason)
    site = bare_site_for()
    has_alarm(site, f"Apple refuses pushes: {status} {reason}")
    assert get(site.mailpushd, "/status")["credentials"][0]["held"]


def test_it_ends_when_apple_takes_the_credential_again(bare_site_for, sim):
    sim.control(do="token", token=ZEROS, status=403, reason="BadCertificate")
    site = bare_site_for()
    has_alarm(site, "Apple refuses pushes: 403 BadCertificate")
    sim.control(do="clear")
    site.mailpushd.reload()                 # or after five minutes
    site.mailpushd.wait_log("alarm=apns:main state=ends")


def test_an_address_that_does_not_resolve_is_an_alarm(bare_site_for):
    has_alarm(bare_site_for(apns_host="nobody.invalid"), "cannot resolve 'nobody.invalid'")


def test_a_server_that_is_not_trusted_is_an_alarm(bare_site_for, tmp):
    with ApnsSim().start(tmp / "stranger") as stranger:
        has_alarm(bare_site_for(apns_ca_file=stranger.ca), "certificate")


def test_a_service_that_is_away_is_an_alarm_until_it_is_back(bare_site_for, sim):
    sim.stop()
    site = bare_site_for()
    has_alarm(site, "Connection refused")
    sim.start(sim.dir, port=sim.port)
    site.mailpushd.wait_log("alarm=apns:main state=ends")


def test_a_service_that_fails_is_no_refusal(bare_site_for, sim):
    sim.control(do="token", token=ZEROS, status=503, reason="ServiceUnavailable")
    site = bare_site_for()
    site.mailpushd.wait_log("debug apns: Apple does not take the credential .*status=503")
    site.registered_phone()
    assert not get(site.mailpushd, "/status")["credentials"][0]["held"]


def test_it_is_no_push(bare_site_for):
    port = free_port()
    site = bare_site_for(http_listen=f"127.0.0.1:{port}")
    site.mailpushd.wait_log("Apple takes the credential")
    status = get(site.mailpushd, "/status")
    assert status["pushes"] == {"total": 0, "by": []}
    assert status["latencies"]["answered"]["count"] == 0
    assert "mailpush_pushes_total{" not in tcp(port, "/metrics")[1]
    assert "BadDeviceToken" not in tcp(port, "/status-page.json")[1]


def test_a_bad_token_says_nothing_of_the_next_one(bare_site):
    """Each server calls zeros bad, also one of the wrong kind: what it says of a phone is doubted."""
    bare_site.sim.wait_trials(1)
    phone = BarePhone(new_user())
    bare_site.sim.control(do="token", token=phone.token, status=400, reason="BadDeviceToken")
    bare_site.register(phone)
    bare_site.mailpushd.wait_log("push not taken .*reason=BadDeviceToken .*then=hold")
    assert bare_site.registrations() == [phone.token]
