"""What /metrics says, and that docs/operations.md names exactly that."""

import pathlib
import re

import pytest

import notify
from apnssim import TOPIC
from control import ctl_fine, get, tcp
from mailsite import OLD_CHANGE_S, mail_beside_an_old_change
from ports import free_port
from waiting import wait_until

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "operations.md"
OTHER = b"mailto\0SIEVE\0normal\0someone\0\0000\0hi\0\0"


@pytest.fixture
def monitored_site_for(bare_site_for):
    """bare_site_for with a port for Prometheus: site.metrics() reads it."""
    def make(**settings):
        port = free_port()
        site = bare_site_for(http_listen=f"127.0.0.1:{port}", **settings)
        site.metrics = lambda: tcp(port, "/metrics")[1]
        return site
    return make


def documented():
    """The names in the table, each with its labels."""
    table = PAGE.read_text().partition("| metric (with")[2].partition("\n\n")[0]
    lines = re.findall(r"^\| `(\w+)` \|([^|]*)\|", table, flags=re.M)
    named = {f"mailpush_{name}": set(re.findall(r"`(\w+)`", labels)) for name, labels in lines}
    return named | {name: set() for name in re.findall(r"`(process_\w+)`", PAGE.read_text())}


def exported(text):
    """The names, each with the labels of its samples; a histogram counts as one."""
    labels = {name: set() for name in re.findall(r"^# TYPE (\w+) ", text, flags=re.M)}
    for name, inner in re.findall(r"^(mailpush_\w+)(?:\{(.*)\})? ", text, flags=re.M):
        if name not in labels:
            name = re.sub(r"_(bucket|sum|count)$", "", name)
        labels[name] |= set(re.findall(r'(\w+)="', inner)) - {"le"}
    return labels


def test_the_page_names_exactly_what_is_exported(monitored_site_for):
    site = monitored_site_for(start=False)
    site.mailpushd.credentials["late"] = {"certificate": "/no/such/file", "key": "/no/such/file"}
    site.mailpushd.write_conf()
    site.mailpushd.start()          # and an alarm stands
    site.registered_phone()
    wait_until(lambda: "mailpush_pushes_total{" in site.metrics(), what="the answer to the first push")
    wait_until(lambda: exported(site.metrics()) == documented(), what="what is documented")


def test_what_is_passed_on_is_counted_by_what_became_of_it(monitored_site_for, tmp):
    unwanting = monitored_site_for()
    notify.send(unwanting.mailpushd.notify_socket, OTHER)
    wait_until(lambda: 'forwarded_total{outcome="unwanted"} 1\n' in unwanting.metrics(),
               what="a notification that nobody wants")
    assert 'forwarded_total{outcome="dropped"} 0\n' in unwanting.metrics()

    with notify.datagrams_at(tmp / "target") as target:
        passing = monitored_site_for(forward_socket=tmp / "target")
        notify.send(passing.mailpushd.notify_socket, OTHER)
        assert target.recv(65536) == OTHER
        wait_until(lambda: 'forwarded_total{outcome="forwarded"} 1\n' in passing.metrics(),
                   what="a notification passed on")
    notify.send(passing.mailpushd.notify_socket, OTHER)
    wait_until(lambda: "mailpush_notifications_waiting 1\n" in passing.metrics(),
               what="a notification that waits")
    assert "mailpush_notifications_other_total 2\n" in passing.metrics()


@pytest.mark.parametrize("folder", [(), ("Notes",)])
def test_new_mail_counts_from_the_mail_and_not_from_a_change_before_it(monitored_site_for, folder):
    site = monitored_site_for()
    mail_beside_an_old_change(site, *folder)
    text = site.metrics()
    assert 'event_to_push_seconds_count{urgency="urgent"} 1\n' in text
    seconds = float(re.search('event_to_push_seconds_sum{urgency="urgent"} (.*)', text)[1])
    assert seconds < OLD_CHANGE_S / 4
    # What the status says, which mailpushctl shows.
    assert get(site.mailpushd, "/status")["latencies"]["urgent_push"]["p99"] < OLD_CHANGE_S / 4


def test_a_token_key_does_not_expire(monitored_site_for, sim):
    site = monitored_site_for(start=False)
    site.mailpushd.credentials["main"] = {
        "p8": sim.dir / "AuthKey_SIMKEY0001.p8", "key_id": "SIMKEY0001",
        "team_id": "SIMTEAM001", "topic": TOPIC}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    site.registered_phone()
    text = site.metrics()
    assert f'mailpush_credential_works{{credential="main",topic="{TOPIC}"}} 1\n' in text
    assert "mailpush_credential_expiry_timestamp_seconds{" not in text
    assert get(site.mailpushd, "/status")["credentials"][0]["expires"] is None
    assert f"main, {TOPIC}, does not expire\n" in ctl_fine(site.mailpushd, "status")
    assert "ok   the key is readable; it does not expire\n" in ctl_fine(site.mailpushd, "cert",
                                                                        "check")


def test_a_credential_that_is_out_of_time_does_not_work(monitored_site_for, sim):
    site = monitored_site_for(start=False)
    certificate, key = sim.add_client("expired", TOPIC, "--days", "-3")
    site.mailpushd.credentials["main"] = {"certificate": certificate, "key": key}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    assert f'mailpush_credential_works{{credential="main",topic="{TOPIC}"}} 0\n' in site.metrics()
