"""mailpushctl doctor --user: the phones of one user."""

import contextlib
import re
import sqlite3

import pytest

from doctor import OTHER_TOPIC, examine, imapd_conf, named, put


def examine_user(site, user):
    """What is said of the user, before all else, and whether that alone would be a failure."""
    status, findings = examine(site.mailpushd, "--user", user)
    assert status == any(f["level"] == "fail" for f in findings)
    of_user = findings[:[f["check"] for f in findings].index("mailpush.conf")]
    return int(any(f["level"] == "fail" for f in of_user)), of_user


def test_a_phone_that_is_pushed_to_is_reported_with_what_is_left(ward):
    site = ward()
    user = site.create_user("Notes")
    phone = site.registered_phone(user, "INBOX", "Notes")
    site.deliver(user, "Notes")
    site.told(phone, "Notes")
    status, findings = examine_user(site, user)
    assert status == 0 and {f["level"] for f in findings} == {"ok"}
    said = {f["check"]: f["why"] for f in reversed(findings)}
    assert re.match("[0-9a-f]{12} was renewed ", said["device"])
    assert said["mailboxes"] == "registered for INBOX, Notes"
    assert said["event"].startswith("the last one came ")
    assert "its last answer is 200" in said["push"]
    assert any("Apple accepted it" in f["why"] and ", apns-id " in f["why"] for f in findings if f["check"] == "trace")
    advice = " ".join(f["why"] for f in findings if f["check"] == "phone")
    for word in ("Push, not Fetch", "alerts are on", "Low Power Mode", "aps_topic"):
        assert word in advice


@pytest.mark.parametrize("user, hint", [("nobody-here", "with the domain"),
                                        ("Alice", "lower case")])
def test_a_user_without_a_phone_is_reported(ward, user, hint):
    status, [finding] = examine_user(ward(), user)
    assert status == 1 and (finding["check"], finding["level"]) == ("user", "fail")
    assert "set the account to Push" in finding["why"] and hint in finding["why"]


def test_what_apple_refused_for_good_is_reported(ward, sim):
    site = ward()
    user = site.create_user()
    phone = site.registered_phone(user, "INBOX")
    sim.control(do="token", token=phone.token, status=400, reason="DeviceTokenNotForTopic")
    site.deliver(user)
    site.mailpushd.wait_log("registrations are stopped")
    _, findings = examine_user(site, user)
    levels = {f["check"]: f["level"] for f in findings}
    assert levels == {"device": "fail", "mailboxes": "ok", "trace": "ok"}
    assert "DeviceTokenNotForTopic" in findings[0]["why"]


def test_what_apple_did_not_take_is_reported(ward, sim):
    site = ward()
    user = site.create_user()
    phone = site.registered_phone(user, "INBOX")
    sim.control(do="token", token=phone.token, status=429, reason="TooManyRequests")
    site.deliver(user)
    site.mailpushd.wait_log("TooManyRequests")
    _, findings = examine_user(site, user)
    levels = {f["check"]: f["level"] for f in findings}
    assert levels["push"] == "fail" and "phone" not in levels
    [push] = [f["why"] for f in findings if f["check"] == "push"]
    assert "429 TooManyRequests: Apple got too many pushes" in push


def test_a_phone_that_registered_for_nothing_is_reported(ward):
    site = ward()
    user = site.create_user()
    site.phone(user).register("Nowhere")
    site.mailpushd.wait_log("registered")
    status, findings = examine_user(site, user)
    assert status == 1
    assert named(f for f in findings if f["level"] != "ok") == [
        ("event", "warn"), ("mailboxes", "fail"), ("push", "warn")]
    assert findings[-1]["run"] == f"mailpushctl push {user}"


def test_a_phone_that_was_not_renewed_for_long_is_reported(ward):
    site = ward()
    user = site.create_user()
    site.registered_phone(user, "INBOX")
    site.mailpushd.stop()
    with contextlib.closing(sqlite3.connect(site.mailpushd.dir / "registry.sqlite")) as db, db:
        db.execute("UPDATE registration SET renewed_ms = renewed_ms - 8 * 86400000")
    site.mailpushd.start()
    _, findings = examine_user(site, user)
    [finding] = [f for f in findings if f["level"] != "ok"]
    assert finding["check"] == "device" and "was renewed 8 d ago" in finding["why"]


def test_a_phone_of_a_former_topic_is_reported(ward, sim):
    site = ward()
    user = site.create_user()
    site.registered_phone(user, "INBOX")
    certificate, key = sim.add_client("other", OTHER_TOPIC)
    site.mailpushd.credentials["other"] = {"certificate": certificate, "key": key}
    site.mailpushd.write_conf()
    put(imapd_conf(site), f"aps_topic: {OTHER_TOPIC}")
    site.mailpushd.restart()
    _, findings = examine_user(site, user)
    [finding] = [f for f in findings if f["level"] != "ok"]
    assert (finding["check"], finding["level"]) == ("topic", "warn")
    assert "registers again" in finding["why"]
    del site.mailpushd.credentials["main"]
    site.mailpushd.write_conf()
    site.mailpushd.restart()
    _, findings = examine_user(site, user)
    assert [f["level"] for f in findings if f["check"] == "topic"] == ["fail"]


def test_a_user_without_the_daemon_is_reported_clearly(ward):
    site = ward(start=False)
    _, [finding] = examine_user(site, "alice")
    assert finding["level"] == "warn" and "mailpushd did not answer" in finding["why"]
