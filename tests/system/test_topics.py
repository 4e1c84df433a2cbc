"""The site changes its topic: whoever registers within a day is pushed to on both."""

import contextlib
import os
import sqlite3

import pytest

from apnssim import TOPIC
from mailsite import BarePhone, new_user
from phone import hash_of
from waiting import wait_until

OTHER_TOPIC = "com.apple.mobilemail.push.com.example"
DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture
def site(bare_site_for):
    """A credential for each topic; Cyrus gives the first."""
    site = bare_site_for(start=False)
    certificate, key = site.sim.add_client("second", OTHER_TOPIC)
    site.mailpushd.credentials["second"] = {"certificate": certificate, "key": key}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    return site


def set_topic(site, imapd_conf, before=TOPIC, topic=OTHER_TOPIC):
    since = len(site.mailpushd.log)
    imapd_conf.write_text(imapd_conf.read_text().replace(before, topic))
    if site.mailpushd.process:
        site.mailpushd.reload()
        site.mailpushd.wait_log(f"aps_topic has changed.*topic={topic}", since=since)


@pytest.fixture
def changed(site, imapd_conf):
    """The topic has just been changed."""
    set_topic(site, imapd_conf)
    return site


def let_a_day_pass(site):
    """Restart as if the change had been a day ago."""
    site.mailpushd.stop()
    with contextlib.closing(sqlite3.connect(site.mailpushd.dir / "queue.sqlite")) as queue:
        with queue:
            queue.execute("UPDATE topic SET until_ms = until_ms - ? WHERE until_ms > 0", (DAY_MS,))
    site.mailpushd.start()


def topics_of(pushes):
    return sorted({push["headers"]["apns-topic"] for push in pushes if push["status"] == 200})


def registered(site, *topics, phone=None):
    """A phone that has registered and was pushed to on each of these topics once."""
    phone = phone or BarePhone(new_user())
    before = len(site.pushes(phone))
    site.register(phone)
    told_on(site, phone, before, *topics)
    return phone


def told_on(site, phone, before, *topics):
    wait_until(lambda: topics_of(site.pushes(phone)[before:]) == sorted(topics),
               what=f"pushes on {topics}")


def deliver(site, phone, *topics):
    """Deliver, and assert on which topics the phone is told: nothing else waits then."""
    before = len(site.pushes(phone))
    site.deliver(phone.user)
    told_on(site, phone, before, *topics)
    site.wait_nothing_waits()
    assert topics_of(site.pushes(phone)[before:]) == sorted(topics)


def test_who_registered_before_the_change_is_pushed_to_on_the_old_topic(site, imapd_conf):
    phone = registered(site, TOPIC)
    set_topic(site, imapd_conf)
    deliver(site, phone, TOPIC)


def test_who_registers_within_a_day_is_pushed_to_on_both(changed):
    phone = registered(changed, TOPIC, OTHER_TOPIC)
    deliver(changed, phone, TOPIC, OTHER_TOPIC)
    assert changed.registrations("topic") == [OTHER_TOPIC, TOPIC]


def test_who_registers_again_within_a_day_has_no_gap(site, imapd_conf):
    phone = registered(site, TOPIC)
    set_topic(site, imapd_conf)
    registered(site, TOPIC, OTHER_TOPIC, phone=phone)
    deliver(site, phone, TOPIC, OTHER_TOPIC)


def test_the_change_survives_a_crash(changed):
    # The daemon has said so far what it has read, not what it has stored.
    wait_until(lambda: changed.stored_topics() == {TOPIC, OTHER_TOPIC}, what="both on disk")
    changed.mailpushd.kill9()
    changed.mailpushd.start()
    phone = registered(changed, TOPIC, OTHER_TOPIC)
    changed.mailpushd.kill9()
    changed.mailpushd.start()
    deliver(changed, phone, TOPIC, OTHER_TOPIC)


def test_a_change_while_the_daemon_is_away_is_noticed(site, imapd_conf):
    registered(site, TOPIC)
    site.mailpushd.stop()
    set_topic(site, imapd_conf)
    site.mailpushd.start()
    registered(site, TOPIC, OTHER_TOPIC)


def test_after_a_day_the_new_topic_alone_counts(changed):
    let_a_day_pass(changed)
    phone = registered(changed, OTHER_TOPIC)
    deliver(changed, phone, OTHER_TOPIC)


def test_who_renews_after_the_day_is_no_longer_pushed_to_on_the_old_topic(changed):
    phone = registered(changed, TOPIC, OTHER_TOPIC)
    let_a_day_pass(changed)
    deliver(changed, phone, TOPIC, OTHER_TOPIC)
    changed.register(phone)
    deliver(changed, phone, OTHER_TOPIC)
    assert changed.registrations("topic") == [OTHER_TOPIC]


@pytest.mark.parametrize("wrong, right", [(TOPIC, OTHER_TOPIC), (OTHER_TOPIC, TOPIC)])
def test_a_refusal_of_one_topic_does_not_stop_the_other(changed, wrong, right):
    phone = registered(changed, TOPIC, OTHER_TOPIC)
    changed.sim.control(do="topic", token=phone.token, topic=right)
    changed.deliver(phone.user)
    changed.mailpushd.wait_log("registrations are stopped: Apple's answer "
                               "reason=DeviceTokenNotForTopic count=1")
    changed.wait_nothing_waits()
    changed.sim.control(do="topic", token=phone.token, topic=None)
    deliver(changed, phone, right)


def test_a_phone_that_is_gone_is_forgotten_on_both(changed):
    phone = registered(changed, TOPIC, OTHER_TOPIC)
    changed.sim.control(do="token", token=phone.token, status=410, reason="Unregistered")
    changed.deliver(phone.user)
    wait_until(lambda: changed.registrations() == [], what="no registration")


def test_trouble_with_one_credential_does_not_delay_the_other(changed):
    phone = registered(changed, TOPIC, OTHER_TOPIC)
    before = len(changed.pushes(phone))
    changed.sim.control(do="next", status=403, reason="BadCertificate")
    changed.deliver(phone.user)
    wait_until(lambda: len(topics_of(changed.pushes(phone)[before:])) == 1, what="one push")
    changed.mailpushd.wait_log("Apple refuses pushes: 403 BadCertificate")
    assert changed.waiting_hashes() == {hash_of("INBOX")}


def test_a_topic_without_a_credential_is_not_pushed_to(bare_site_for, imapd_conf):
    """A typing error that was corrected leaves nothing behind."""
    site = bare_site_for()
    set_topic(site, imapd_conf, TOPIC, "com.apple.mail.typo")
    set_topic(site, imapd_conf, "com.apple.mail.typo", TOPIC)
    phone = registered(site, TOPIC)
    deliver(site, phone, TOPIC)
    assert site.registrations("topic") == [TOPIC]


def test_what_was_given_before_a_typing_error_counts_too(site, imapd_conf):
    set_topic(site, imapd_conf, TOPIC, "com.apple.mail.typo")
    set_topic(site, imapd_conf, "com.apple.mail.typo", OTHER_TOPIC)
    registered(site, TOPIC, OTHER_TOPIC)


def test_while_imapd_conf_names_no_topic_the_last_one_counts(site, imapd_conf):
    """An imapd that was started before still answers with it."""
    imapd_conf.write_text(imapd_conf.read_text().replace(f"aps_topic: {TOPIC}\n", ""))
    site.mailpushd.wait_log("alarm=aps-topic state=begins")
    registered(site, TOPIC)


# ---- more overdue than one turn spreads ----

def repeat(queue, table, row, **changed):
    """A row of the queue once more, with some columns changed."""
    columns = [column[1] for column in queue.execute(f"PRAGMA table_info({table})")]
    values = {**dict(zip(columns, row)), **changed}
    queue.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(columns))})",
                  [values[column] for column in columns])


def multiply(site, count, other_topic):
    """What waits for one phone waits for so many more, overdue; for the last one on another topic."""
    with contextlib.closing(sqlite3.connect(site.mailpushd.dir / "queue.sqlite")) as queue, queue:
        queue.execute("UPDATE push SET due_ms = 0")
        push, news = (queue.execute(f"SELECT * FROM {table}").fetchone() for table in ("push", "news"))
        for number in range(push[0] + 1, push[0] + count + 1):
            repeat(queue, "push", push, number=number, key=os.urandom(16), apns_id=os.urandom(16))
            repeat(queue, "news", news, number=number)
        queue.execute("UPDATE push SET topic = ? WHERE number = ?", (other_topic, number))


def test_more_overdue_than_one_turn_spreads_is_told_beside_a_topic_without_a_credential(
        bare_site_for):
    count = 3000
    site = bare_site_for(later_delay="2s")
    site.register(BarePhone(new_user()))
    site.mailpushd.kill9()
    multiply(site, count, OTHER_TOPIC)
    site.mailpushd.start()
    site.mailpushd.wait_log(f"alarm=credential:{OTHER_TOPIC} state=begins")
    site.sim.wait_pushes(count)
