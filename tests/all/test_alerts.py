"""The alert rules, as promtool understands them: each fires when it should, and not before."""

import json
import re
import subprocess
from pathlib import Path

import pytest

RULES = Path(__file__).resolve().parents[2] / "packaging" / "prometheus" / "mailpush.rules.yml"
UP = "1+0x3000"
MINUTES_A_DAY = 24 * 60


def series(metric, values, **labels):
    """A series of mailpushd at host a; values are promtool's notation, one a minute."""
    inner = ", ".join(f'{key}="{value}"' for key, value in
                      {"job": "mailpush", "instance": "a", **labels}.items())
    return {"series": f"{metric}{{{inner}}}", "values": values}


def counter(name, rise, **labels):
    """It stands for half an hour, then rises by so much for half an hour, then stands again."""
    return series(f"mailpush_{name}", f"7+0x30 7+{rise}x30 {7 + 30 * rise}+0x120", **labels)


def gauge(name, before, then, **labels):
    """The one for half an hour, then the other for an hour, then the one again."""
    return series(f"mailpush_{name}", f"{before}+0x29 {then}+0x59 {before}+0x60", **labels)


def histogram(name, fast, **labels):
    """100 a minute; of these, so many below 0.1 s in the half hour from minute 30 on."""
    slow = 100 - fast
    below = f"0+100x30 3000+{fast}x30 {3000 + 30 * fast}+100x90"
    assert slow >= 0
    return [series(f"mailpush_{name}_bucket", below, le="0.1", **labels),
            series(f"mailpush_{name}_bucket", "0+100x151", le="120", **labels),
            series(f"mailpush_{name}_bucket", "0+100x151", le="+Inf", **labels)]


def expiry(days, then=6):
    """It expires so many days after the beginning, or is found, after 1000 minutes, to do so then."""
    return series("mailpush_credential_expiry_timestamp_seconds",
                  f"{days * 86400}+0x999 {then * 86400}+0x500", credential="main", topic="t")


SITE = series("mailpush_site_info", UP, site="s")
NODES = "abcde"


def at_nodes(*input_series):
    """The same at each of five nodes that share a registry."""
    return [{**one, "series": one["series"].replace('instance="a"', f'instance="{node}"')}
            for one in (SITE, *input_series) for node in NODES]


# alert: (series, minutes at which it is quiet, minutes at which it fires)
CASES = {
    "MailpushDown": ([series("up", "1+0x9 0+0x9 1+0x30")], [9, 11, 25], [13, 19]),
    "MailpushRestartsOften": (
        [series("mailpush_start_time_seconds", "100+0x30 200+100x3 500+0x120")], [30, 33, 150], [40]),
    "MailpushDoesNotKeepEvents": (
        [series("mailpush_alarm", "_x9 1+0x9 _x30", name="intake:late")], [9, 26], [12]),
    "MailpushAlarm": (
        [series("mailpush_alarm", "_x9 1+0x9 _x30", name="credential-file:main")], [9, 26], [12]),
    "MailpushEventsShed": ([counter("events_shed_total", 1)], [30, 90], [35, 60]),
    "MailpushEventsRefused": (
        [counter("events_rejected_total", 0), counter("events_malformed_total", 1)], [30, 90], [35]),
    "MailpushNoEvents": (
        [series("mailpush_start_time_seconds", UP), series("mailpush_registrations", UP, state="active"),
         series("mailpush_events_total", "5+5x60 300+0x2000 400+1x900", event="MessageNew")],
        [MINUTES_A_DAY, MINUTES_A_DAY + 60, 2200], [MINUTES_A_DAY + 100]),
    "MailpushHoldsUpMail": (histogram("event_acknowledgement_seconds", 10), [30, 33, 80], [45]),
    "MailpushDiskIsSlow": (
        histogram("database_commit_seconds", 10, database="queue"), [30, 43, 80], [58]),
    "MailpushCredentialDoesNotWork": (
        [gauge("credential_works", 1, 0, credential="main", topic="t")], [20, 34, 95], [36, 80]),
    "MailpushNoCredential": ([series("mailpush_alarm", "_x9 1+0x19 _x30", name="credential:t")], [9, 13, 36], [15, 28]),
    "MailpushCredentialExpires": ([expiry(30.5)], [700, 1000], [740]),
    "MailpushCredentialExpiresNow": ([expiry(7.5, then=400)], [700, 1000], [740]),
    "MailpushQueueIsOld": ([gauge("queue_oldest_age_seconds", 0, 2000)], [29, 39, 95], [41, 85]),
    "MailpushQueueGrows": (
        [SITE, series("mailpush_registrations", "1000+0x150", state="active"),
         gauge("queue_pushes", 3, 300, state="waiting"),
         series("mailpush_queue_oldest_age_seconds", "0+0x30 60+60x60 0+0x60")],
        [29, 33, 110], [45]),
    "MailpushTellsLate": (
        histogram("event_to_push_seconds", 10, urgency="urgent"), [30, 43, 110], [59]),
    "MailpushPushErrors": (
        [counter("pushes_total", 10, status="503"), counter("pushes_total", 10, status="410"),
         series("mailpush_pushes_total", "0+50x150", status="200")], [30, 40, 110], [59]),
    "MailpushPushesGivenUp": ([counter("pushes_given_up_total", 1)], [30, 130], [35]),
    "MailpushPhonesGone": (
        [SITE, series("mailpush_registrations", "1000+0x150", state="active"),
         counter("registrations_gone_total", 3, why="apple"),
         counter("registrations_gone_total", 50, why="expired"),
         counter("registrations_stopped_total", 1)], [30, 35, 140], [60]),
    "MailpushPhonesStopped": (
        [series("mailpush_registrations", "44+0x150", state="active"),
         series("mailpush_registrations", "1+0x150", state="suspended"),
         gauge("registrations", 3, 6, state="stopped")], [30, 39, 110], [59]),
    "MailpushNotificationsDropped": (
        [counter("notifications_forwarded_total", 1, outcome="dropped")], [30, 90], [35]),
    "MailpushLogLinesDropped": ([counter("log_lines_dropped_total", 9)], [30, 90], [35]),
}
# What must not make it fire: alert -> series, looked at from minute 40 on.
HARMLESS = {
    "MailpushDown": [series("up", UP), series("up", "0+0x100", job="other")],
    "MailpushAlarm": [series("mailpush_alarm", UP, name=name)
                      for name in ("queue", "intake:late", "apns:main", "no-credential", "credential:t",
                                   "credential-expiry:main")],
    "MailpushDoesNotKeepEvents": [series("mailpush_alarm", UP, name="queue:damaged")],
    "MailpushNoEvents": [series("mailpush_start_time_seconds", UP),
                         series("mailpush_registrations", "0+0x3000", state="active")],
    "MailpushNoCredential": [series("mailpush_alarm", UP, name=name)
                             for name in ("aps-topic", "credential-file:main", "credential-expiry:main")],
    "MailpushCredentialExpires": [expiry(31)],
    "MailpushPushErrors": [series("mailpush_pushes_total", "0+50x100", status="410"),
                           series("mailpush_pushes_total", "0+50x100", status="200")],
    "MailpushQueueGrows": [SITE, series("mailpush_registrations", "1000+0x100", state="active"),
                           series("mailpush_queue_pushes", "50+0x100", state="waiting"),
                           series("mailpush_queue_oldest_age_seconds", "0+60x100")],
    "MailpushPhonesGone": [SITE, series("mailpush_registrations", "10+0x100", state="active"),
                           series("mailpush_registrations_gone_total", "0+0x40 4+0x60", why="apple"),
                           series("mailpush_registrations_stopped_total", "0+0x100")],
    "MailpushPhonesStopped": [series("mailpush_registrations", "5+0x100", state="active"),
                              series("mailpush_registrations", "4+0x100", state="stopped")],
}
# The same for five nodes of a site; each says how many phones all of it has, and how many of its own wait.
OF_NODES = {
    "MailpushQueueGrows": (
        at_nodes(series("mailpush_registrations", "1000+0x150", state="active"),
                 gauge("queue_pushes", 3, 60, state="waiting"),
                 series("mailpush_queue_oldest_age_seconds", "0+0x30 60+60x60 0+0x60")),
        [29, 33, 110], [45]),
    "MailpushPhonesGone": (
        at_nodes(series("mailpush_registrations", "1000+0x150", state="active"),
                 counter("registrations_gone_total", 1, why="apple"),
                 counter("registrations_stopped_total", 0)), [30, 35, 140], [60]),
}
# Five servers, each with a registry of its own: what is a tenth of each is a tenth of all.
OF_SITES = {
    "MailpushQueueGrows": [
        {**one, "series": one["series"].replace('instance="a"', f'instance="{node}"').replace('"s"', f'"{node}"')}
        for node in NODES
        for one in (SITE, series("mailpush_registrations", "1500+0x100", state="active"),
                    series("mailpush_queue_pushes", "150+0x100", state="waiting"),
                    series("mailpush_queue_oldest_age_seconds", "0+60x100"))],
}
ALERTS = re.findall(r"- alert: (\w+)", RULES.read_text())


def looked_at(alert, minute, fires):
    return {"expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})',
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": "{}", "value": 1}] if fires else []}


def check(tmp_path, input_series, looks):
    test = tmp_path / "test.yml"
    # JSON is YAML.
    test.write_text(json.dumps({
        "rule_files": [str(RULES)], "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": input_series, "promql_expr_test": looks}]}))
    done = subprocess.run(["promtool", "test", "rules", test], capture_output=True, text=True,
                          timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_nothing_wrong():
    done = subprocess.run(["promtool", "check", "rules", "--lint=all", "--lint-fatal", RULES],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_case_and_words_for_people():
    assert list(CASES) == ALERTS and set(HARMLESS) < set(ALERTS)
    for rule in RULES.read_text().split("- alert: ")[1:]:
        assert re.search(r"severity: (critical|warning)\}", rule) and "summary: " in rule
        assert len(re.search(r"description: >-\n(.*)", rule, flags=re.S)[1].split()) > 15, rule


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_fires_when_it_should_and_then_ends(alert, tmp_path):
    input_series, quiet, firing = CASES[alert]
    assert quiet and firing
    check(tmp_path, input_series, [looked_at(alert, minute, minute in firing)
                                   for minute in sorted(quiet + firing)])


@pytest.mark.parametrize("alert", sorted(OF_NODES))
def test_an_alert_about_a_site_takes_its_nodes_together(alert, tmp_path):
    input_series, quiet, firing = OF_NODES[alert]
    check(tmp_path, input_series, [looked_at(alert, minute, minute in firing)
                                   for minute in sorted(quiet + firing)])


@pytest.mark.parametrize("alert", sorted(OF_SITES))
def test_an_alert_about_a_site_keeps_sites_apart(alert, tmp_path):
    check(tmp_path, OF_SITES[alert], [looked_at(alert, minute, False) for minute in (40, 60, 90)])


@pytest.mark.parametrize("alert", sorted(HARMLESS))
def test_an_alert_does_not_fire_for_what_is_harmless(alert, tmp_path):
    check(tmp_path, HARMLESS[alert], [looked_at(alert, minute, False) for minute in (40, 60, 90)])
