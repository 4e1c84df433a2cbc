"""A credential that Apple refuses is on hold: what is said of it, and when it is tried again."""

import concurrent.futures
import re
import time

import pytest

from apnssim import TOPIC, ZEROS
from control import ask, ctl, ctl_fine, ctl_json, get
from mailsite import BarePhone, new_user, register
from waiting import wait_until
from wallclock import WallClock

REFUSED = {"status": 403, "reason": "BadCertificate"}
OTHER_TOPIC = "com.apple.mail.other"
CREDENTIALS = {"main": TOPIC, "other": OTHER_TOPIC}
LEAST_S = 10
WORDS = r"on hold since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: Apple refuses pushes: 403 BadCertificate"


@pytest.fixture
def site(bare_site):
    """Apple refuses the certificate, whoever is pushed to, and one push waits."""
    phone = bare_site.registered_phone()
    refuse(bare_site, True)
    bare_site.sim.control(do="next", count=1000, **REFUSED)
    bare_site.deliver(phone.user)
    bare_site.mailpushd.wait_log("Apple refuses pushes: 403 BadCertificate.*state=begins")
    bare_site.phone = phone
    wait_waiting(bare_site, 1)
    return bare_site


def refuse(site, is_refused):
    site.sim.control(do="clear")
    if is_refused:
        site.sim.control(do="token", token=ZEROS, **REFUSED)


def refused_pushes(site):
    """Those that Apple looked at while it refuses, to phones and to nobody."""
    return [push for push in site.sim.pushes() + site.sim.trials() if push["status"] == 403]


def credential(site):
    return get(site.mailpushd, "/status")["credentials"][0]


def wait_waiting(site, count):
    wait_until(lambda: credential(site).get("waiting") == count, what=f"{count} pushes that wait")


def push(site):
    return ctl(site.mailpushd, "push", site.phone.user)


def flush(site):
    return ctl(site.mailpushd, "queue", "flush")


def check(site):
    return ctl(site.mailpushd, "cert", "check", "--online")


def reload(site):
    site.mailpushd.reload()


@pytest.mark.parametrize("request_one", [push, flush, check, reload])
def test_who_asks_need_not_wait_for_the_next_probe(site, request_one):
    """Which comes after five minutes."""
    refuse(site, False)
    request_one(site)
    site.told(site.phone, "INBOX")
    site.mailpushd.wait_log("alarm=apns:main state=ends")


def test_what_is_asked_for_again_waits_for_ten_seconds(site):
    """Counted from the last attempt, which began behind the first flush."""
    site.mailpushd.wait_log("push not taken .*reason=BadCertificate")
    before, since = time.time(), len(site.mailpushd.log)
    flush(site)
    site.mailpushd.wait_log("push not taken .*reason=BadCertificate", since=since)
    [held] = ask(site.mailpushd, "POST", "/queue/flush")[1]["cannot_go"]
    assert before + 9 < held["next_try"] <= get(site.mailpushd, "/status")["now"] + 10


def test_the_status_says_since_when_and_what_waits(site):
    register(site, 2)
    wait_waiting(site, 3)
    status = get(site.mailpushd, "/status")
    [held] = status["credentials"]
    assert held["held"] and held["waiting"] == 3
    assert status["started"] < held["held_since"] <= status["now"]
    assert status["now"] < held["next_try"] <= status["now"] + 300
    assert "403 BadCertificate" in held["trouble"]
    text = ctl_fine(site.mailpushd, "status")
    assert re.search(r"main, .* left, on hold since .*, tried next in \d+ min, 3 pushes wait: "
                     "Apple refuses pushes: 403 BadCertificate", text)


def test_out_of_its_dates_it_is_not_tried(bare_site_for, tmp):
    site = bare_site_for(start=False)
    clock = WallClock(tmp).under(site.mailpushd)
    site.mailpushd.start()
    site.phone = site.registered_phone()
    site.sim.control(do="next", count=1000, **REFUSED)
    site.deliver(site.phone.user)
    site.mailpushd.wait_log("Apple refuses pushes: 403 BadCertificate.*state=begins")
    clock.set("+900d")
    site.mailpushd.wait_log("alarm=credential-dates:main state=begins")
    assert credential(site)["held"] and credential(site)["next_try"] is None
    assert "tried next when it is valid, 1 push waits: certificate " in ctl_fine(
        site.mailpushd, "status")
    assert "renew it with Apple; it is tried next when it is valid, 1 push waits" in push(site).stdout


def test_a_credential_that_is_not_held_says_nothing_of_a_hold(bare_site):
    assert not {"held_since", "next_try", "waiting"} & set(credential(bare_site))
    assert ask(bare_site.mailpushd, "POST", "/queue/flush")[1]["cannot_go"] == []


def test_the_check_says_what_apple_said_and_since_when(site):
    done = check(site)
    assert done.returncode == 1
    assert re.search(f"fail Apple answered 403 BadCertificate: .*; {WORDS}.*; "
                     "it is tried next in \\d+ s, 1 push waits", done.stdout)
    assert re.search(f"fail {WORDS}", ctl(site.mailpushd, "cert", "check").stdout)


def test_a_check_that_apple_answers_well_tells_of_no_hold(site):
    refuse(site, False)
    done = check(site)
    assert done.returncode == 0 and "hold" not in done.stdout, done.stdout


def test_a_flush_tells_once_what_waits_for_a_credential_on_hold(site):
    since = len(site.mailpushd.log)
    [answer] = ctl_json(site.mailpushd, "queue", "flush")
    assert set(answer) == {"flushed", "cannot_go"}
    [held] = answer["cannot_go"]
    assert (held["why"], held["count"], held["credential"], held["waiting"]) == (
        "held", 1, "main", 1)
    assert "403 BadCertificate" in held["meaning"]
    site.mailpushd.wait_log("push not taken .*reason=BadCertificate", since=since)
    wait_waiting(site, 1)
    assert re.fullmatch("0 pushes are due now\n1 cannot go on topic .*, as credential main is on "
                        "hold since .*, tried next .*, 1 push waits: Apple refuses pushes: "
                        "403 BadCertificate.*\n", flush(site).stdout)


def test_a_test_push_says_that_the_credential_is_on_hold(site):
    done = push(site)
    assert done.returncode == 1
    assert re.search(f"403 BadCertificate: Apple refuses the certificate: .*; {WORDS}.*; "
                     "it is tried next in \\d+ s, ", done.stdout)


def test_a_test_push_that_has_no_answer_says_that_the_credential_is_on_hold(site):
    site.sim.control(do="hold", on=True)
    done = push(site)
    assert done.returncode == 1
    assert re.search(f"no answer yet: {WORDS}.*; it is tried next now, 0 pushes wait", done.stdout)


def test_a_reload_logs_that_the_credential_is_on_hold(site):
    site.mailpushd.reload()
    site.mailpushd.wait_log(f"warn apns: {WORDS}.*1 push waits credential=main")


def test_a_check_that_apple_refuses_holds_the_credential(bare_site):
    """Before a push to a phone is refused."""
    phone = bare_site.registered_phone()
    refuse(bare_site, True)
    assert check(bare_site).returncode == 1
    bare_site.mailpushd.wait_log("Apple refuses pushes: 403 BadCertificate.*"
                                 "alarm=apns:main state=begins")
    bare_site.deliver(phone.user)
    assert credential(bare_site)["held"]
    assert get(bare_site.mailpushd, "/status")["pushes"]["by"] == [
        {"result": "answered", "status": 200, "reason": "", "count": 1}]
    wait_until(lambda: refused_pushes(bare_site), what="the simulator's record")
    assert refused_pushes(bare_site) == bare_site.sim.trials()[-1:]
    refuse(bare_site, False)
    check(bare_site)
    bare_site.told(phone, "INBOX")


def test_a_probe_is_not_counted_as_a_push(bare_site):
    check(bare_site)
    bare_site.register(BarePhone(new_user(), ()))
    assert get(bare_site.mailpushd, "/status")["pushes"]["total"] == 0


# ---- several ways to ask, several credentials: one probe of each in ten seconds ----

@pytest.fixture
def two(bare_site_for, imapd_conf, sim):
    """Two credentials on hold; for each of them waits a push to a phone of the same user."""
    site = bare_site_for(start=False)
    certificate, key = sim.add_client("other", OTHER_TOPIC)
    site.mailpushd.credentials["other"] = {"certificate": certificate, "key": key}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    site.phone = site.registered_phone()
    imapd_conf.write_text(imapd_conf.read_text().replace(TOPIC, OTHER_TOPIC))
    site.mailpushd.reload()
    site.mailpushd.wait_log(f"reloaded .*aps_topic={OTHER_TOPIC}")
    site.registered_phone(user=site.phone.user)
    refuse(site, True)
    site.sim.control(do="next", count=1000, **REFUSED)
    site.deliver(site.phone.user)
    for name in CREDENTIALS:
        site.mailpushd.wait_log(f"403 BadCertificate.*alarm=apns:{name} state=begins")
    wait_until(lambda: [held["waiting"] for held in holds(site)] == [1, 1], what="two holds")
    wait_until(lambda: all(probes(site).values()), what="the simulator's record of both")
    return site


def holds(site):
    credentials = get(site.mailpushd, "/status")["credentials"]
    assert all(held["held"] for held in credentials)
    return sorted(credentials, key=lambda held: held["name"])


def probes(site):
    """How many pushes Apple has refused, by credential."""
    topics = [push["headers"]["apns-topic"] for push in refused_pushes(site)]
    return {name: topics.count(topic) for name, topic in CREDENTIALS.items()}


def assert_seldom(site, before, began):
    """However slow the machine is: one probe at once, and one for each ten seconds that passed."""
    came = probes(site)
    most = 1 + int((time.time() - began) / LEAST_S)
    for name in CREDENTIALS:
        assert 1 <= came[name] - before[name] <= most, (came, before, most)


WAYS = [push, flush, check, reload]


@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("second", WAYS)
def test_who_asks_after_another_waits_for_ten_seconds(two, first, second):
    """Whichever way, and for each credential: the next attempt comes closer, but not to now."""
    before, began = probes(two), time.time()
    with concurrent.futures.ThreadPoolExecutor() as background:
        background.submit(first, two)
        wait_until(lambda: all(probes(two)[name] > before[name] for name in CREDENTIALS),
                   what="a probe of each credential")
        wait_until(lambda: all(held["next_try"] > began + 100 and held["waiting"] == 1
                               for held in holds(two)), what="Apple's answers to them")
        background.submit(second, two)
        wait_until(lambda: all(held["next_try"] < began + 100 or
                               probes(two)[held["name"]] > before[held["name"]] + 1
                               for held in holds(two)), what="a next attempt that is near")
        assert_seldom(two, before, began)
        assert min(held["next_try"] for held in holds(two)) > began + LEAST_S - 1
        two.sim.control(do="clear")         # so that nobody waits for long
        two.mailpushd.stop()


def test_who_asks_in_all_ways_at_once_reads_of_each_credential(two):
    before, began, since = probes(two), time.time(), len(two.mailpushd.log)
    with concurrent.futures.ThreadPoolExecutor() as background:
        checked, pushed = background.submit(check, two), background.submit(push, two)
        flushed = ctl_json(two.mailpushd, "queue", "flush")[0]["cannot_go"]
        reload(two)
        for name in CREDENTIALS:
            two.mailpushd.wait_log(f"warn apns: {WORDS}.*; it is tried next .*"
                                   f"push.* waits? credential={name}", since=since)
        assert len(re.findall(f"{WORDS}.*; it is tried next .*, \\d push(?:es)? waits?",
                              checked.result().stdout)) == 2
        assert len(re.findall(f"{WORDS}.*; it is tried next .*, \\d push(?:es)? waits?",
                              pushed.result().stdout)) == 2
    # The attempt that another of them asked for may be at Apple when the queue is looked at.
    waiting = [one for one in flushed if one["why"] != "in_flight"]
    assert sum(one["count"] for one in flushed) == len(CREDENTIALS)
    assert {held["credential"] for held in waiting} <= set(CREDENTIALS)
    assert all(held["next_try"] and "403 BadCertificate" in held["meaning"] for held in waiting)
    # Two clocks are read.  The attempts ten seconds later begin no new hold.
    assert all(held["held_since"] < began + 1 for held in [*waiting, *holds(two)])
    assert_seldom(two, before, began)
