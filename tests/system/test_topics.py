"""The site changes its topic: each phone is pushed to on the one of its last registration."""

import contextlib
import os
import sqlite3

import pytest

from apnssim import TOPIC
from mailsite import BarePhone, new_user
from waiting import wait_until

OTHER_TOPIC = "com.apple.mobilemail.push.com.example"


@pytest.fixture
def site(bare_site_for):
    """A credential for each topic; Cyrus gives the first."""
    site = bare_site_for(start=False)
    certificate, key = site.sim.add_client("second", OTHER_TOPIC)
    site.mailpushd.credentials["second"] = {"certificate": certificate, "key": key}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    return site


def set_topic(site, imapd_conf):
    imapd_conf.write_text(imapd_conf.read_text().replace(TOPIC, OTHER_TOPIC))
    if site.mailpushd.process:
        site.mailpushd.reload()
        site.mailpushd.wait_log(f"reloaded .*aps_topic={OTHER_TOPIC}")


def topics_of(pushes):
    return {push["headers"]["apns-topic"] for push in pushes if push["status"] == 200}


def told_on(site, phone, before, topic):
    wait_until(lambda: topics_of(site.pushes(phone)[before:]) == {topic}, what=f"pushes on {topic}")
    site.wait_nothing_waits()
    assert topics_of(site.pushes(phone)[before:]) == {topic}


def registered(site, topic, phone=None):
    """A phone that has registered and was pushed to on this topic alone."""
    phone = phone or BarePhone(new_user())
    before = len(site.pushes(phone))
    site.register(phone)
    told_on(site, phone, before, topic)
    return phone


def deliver(site, phone, topic):
    """Deliver; the phone is told on this topic alone."""
    before = len(site.pushes(phone))
    site.deliver(phone.user)
    told_on(site, phone, before, topic)


def test_a_change_while_the_daemon_is_away_is_noticed(site, imapd_conf):
    phone = registered(site, TOPIC)
    site.mailpushd.stop()
    set_topic(site, imapd_conf)
    site.mailpushd.start()
    deliver(site, phone, TOPIC)
    registered(site, OTHER_TOPIC, phone)


def test_a_refusal_of_the_old_topic_leaves_those_of_the_new(site, imapd_conf):
    before, after = registered(site, TOPIC), BarePhone(new_user())
    set_topic(site, imapd_conf)
    registered(site, OTHER_TOPIC, after)
    site.sim.control(do="topic", token=before.token, topic=OTHER_TOPIC)
    site.deliver(before.user)
    site.mailpushd.wait_log("registrations are stopped: Apple's answer "
                            "reason=DeviceTokenNotForTopic count=1")
    deliver(site, after, OTHER_TOPIC)


def test_while_imapd_conf_names_no_topic_a_registration_keeps_its_own(site, imapd_conf):
    """An imapd that was started before still answers with it."""
    phone = registered(site, TOPIC)
    imapd_conf.write_text(imapd_conf.read_text().replace(f"aps_topic: {TOPIC}\n", ""))
    site.mailpushd.wait_log("alarm=aps-topic state=begins")
    site.register(phone)
    deliver(site, phone, TOPIC)


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


def test_more_overdue_than_one_turn_spreads_is_reported_beside_a_topic_without_a_credential(
        bare_site_for):
    count = 3000
    site = bare_site_for(deferred_delay="1h")
    site.register(BarePhone(new_user()))
    wait_until(site.waiting_hashes, what="a push that waits")
    site.mailpushd.kill9()
    multiply(site, count, OTHER_TOPIC)
    site.mailpushd.write_conf(deferred_delay="2s")
    site.mailpushd.start()
    site.mailpushd.wait_log(f"alarm=credential:{OTHER_TOPIC} state=begins")
    site.sim.wait_pushes(count)
