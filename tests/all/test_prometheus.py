"""The dashboard and the alert rules, with a real Prometheus that scrapes a mailpushd at work."""

import json
import re
import sys
from pathlib import Path

import pytest

SYSTEM = Path(__file__).resolve().parents[1] / "system"
sys.path.insert(0, str(SYSTEM))

from conftest import *  # noqa: E402,F401,F403  the fixtures of the system tests
import notify  # noqa: E402
from mailsite import old_change  # noqa: E402
from ports import free_port  # noqa: E402
from prometheus import Prometheus  # noqa: E402

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
RULES = PACKAGING / "prometheus" / "mailpush.rules.yml"
DASHBOARD = json.loads((PACKAGING / "grafana" / "mailpush.json").read_text())
VARIABLES = {"$__rate_interval": "5m", "$job": "mailpush", "$instance": ".*"}
OTHER = b"mailto\0SIEVE\0normal\0someone\0\0000\0hi\0\0"


@pytest.fixture
def site(bare_site_for, tmp):
    """One with an alarm that stands: a credential that is not there."""
    site = bare_site_for(start=False, http_listen=f"127.0.0.1:{free_port()}",
                         forward_socket=tmp / "target")
    site.mailpushd.credentials["late"] = {"certificate": "/no/such/file", "key": "/no/such/file"}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    return site


@pytest.fixture
def prometheus_for(site, tmp):
    """prometheus_for(rules=...): one that scrapes the site."""
    started = []

    def make(rules):
        port = site.mailpushd.settings["http_listen"].rpartition(":")[2]
        started.append(Prometheus(tmp / "prometheus", port, rules).__enter__())
        return started[0]
    yield make
    for prometheus in started:
        prometheus.__exit__()


def traffic(site, target):
    """Something of everything."""
    phone = site.registered_phone("INBOX", "Notes")
    site.sim.control(do="next", status=503, reason="ServiceUnavailable")
    site.deliver(phone.user, "Notes")
    site.told(phone, "Notes")
    site.tell(notify.mail(phone.user, event="MessageRead"))
    site.told(phone, "INBOX")
    notify.send(site.mailpushd.notify_socket, notify.datagram(notify.mail(phone.user)))
    site.told(phone, "INBOX")
    notify.send(site.mailpushd.notify_socket, OTHER)
    assert target.recv(65536) == OTHER


def filled_in(expr):
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    assert "$" not in expr, f"a variable that is not known: {expr}"
    return expr


def panels():
    """Those of folded rows too."""
    for panel in DASHBOARD["panels"]:
        yield panel
        yield from panel.get("panels", [])


def dashboard_expressions():
    for panel in panels():
        for target in panel.get("targets", []):
            yield filled_in(target["expr"])
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield filled_in(re.fullmatch(r"label_values\((.*), \w+\)", variable["definition"])[1])


def test_every_expression_has_data(site, prometheus_for, tmp):
    prometheus = prometheus_for(RULES)
    with notify.datagrams_at(tmp / "target") as target:
        # Twice: a counter that is there for the first time has no rate yet.
        for n in (1, 2):
            traffic(site, target)
            prometheus.wait(f'sum(mailpush_pushes_total{{status="200"}}) >= {4 * n}')
    expressions = list(dashboard_expressions())
    assert len(expressions) > 40
    for expr in expressions:
        prometheus.wait(expr)
    for annotation in DASHBOARD["annotations"]["list"]:
        prometheus.query(filled_in(annotation["expr"]))

    # An alert has no data while all is well, but all that it looks at has.
    rules = prometheus.rules()
    assert len(rules) > 15
    for rule in rules:
        assert (rule["health"], rule.get("lastError")) in (("ok", None), ("unknown", None)), rule
        prometheus.query(rule["query"])
        for selector in re.findall(r"\w+\{[^{}]*\}", rule["query"]):
            if not selector.startswith("mailpush_alarm{"):
                prometheus.wait(selector)


def test_alerts_fire_and_resolve(site, prometheus_for, tmp):
    impatient = tmp / "impatient.yml"
    impatient.write_text(re.sub(r"^( +for:) \w+$", r"\1 0s", RULES.read_text(), flags=re.M))
    prometheus = prometheus_for(impatient)
    said = prometheus.wait_alert("MailpushAlarm")
    assert said["summary"].endswith(": alarm credential-file:late")
    phone = site.registered_phone()
    assert set(prometheus.alerts()) == {"MailpushAlarm"}

    site.sim.stop()
    site.deliver(phone.user)
    said = prometheus.wait_alert("MailpushCredentialDoesNotWork")
    assert said["summary"].startswith("No push can be sent with credential main at 127.0.0.1:")
    site.sim.start(site.sim.dir, port=site.sim.port)
    prometheus.wait_resolved("MailpushCredentialDoesNotWork")

    registry = site.mailpushd.dir / "registry.sqlite"
    registry.rename(registry.with_suffix(".away"))
    site.deliver(phone.user)
    said = prometheus.wait_alert("MailpushDoesNotKeepEvents")
    assert said["summary"].endswith(": alarm registry")
    registry.with_suffix(".away").rename(registry)
    prometheus.wait_resolved("MailpushDoesNotKeepEvents")

    site.mailpushd.stop()
    said = prometheus.wait_alert("MailpushDown")
    assert said["summary"].startswith("mailpushd cannot be reached at 127.0.0.1:")
    site.mailpushd.start()
    prometheus.wait_resolved("MailpushDown")


def test_the_panels_do_not_overlap_and_say_what_they_show():
    covered, identities = set(), set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & covered and at["x"] + at["w"] <= 24, panel["title"]
        covered |= cells
        identities.add(panel["id"])
        if panel["type"] != "row":
            assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"]
            assert all(part["datasource"]["uid"] == "${datasource}"
                       for part in [panel, *panel["targets"]])
    assert len(identities) == len(list(panels()))


def test_six_panels_are_for_the_night_and_all_else_is_folded():
    kinds = [panel["type"] for panel in DASHBOARD["panels"]]
    assert [kinds[0], kinds[-1]] == ["row", "row"] and len(kinds) == 8 and "row" not in kinds[1:-1]
    assert DASHBOARD["panels"][-1]["collapsed"] and not DASHBOARD["panels"][0]["collapsed"]


def test_new_mail_is_as_late_as_the_mail_and_not_as_a_change_before_it(site, prometheus_for):
    """On the dashboard, and for the alert."""
    phone = old_change(site, "Notes")
    prometheus = prometheus_for(RULES)
    prometheus.wait('mailpush_event_to_push_seconds_count{urgency="urgent"} == 0')
    site.deliver(phone.user)
    site.told(phone, "INBOX", "Notes")
    [alert] = [rule["query"] for rule in prometheus.rules() if rule["name"] == "MailpushTellsLate"]
    shown = [expr for expr in dashboard_expressions()
             if re.search('event_to_push_seconds.*urgency="urgent"', expr)]
    assert len(shown) == 3
    for expr in [*shown, alert.replace(" > 60", "")]:
        [(_, late)] = prometheus.wait(expr)
        assert late < 60, expr
