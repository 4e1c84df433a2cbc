"""The status page as it is served: headers, JSON, what it does not tell.  Browsers: tests/all."""

import base64
import hashlib
import json
import re

import pytest

from apnssim import TOPIC
from control import (UnixConnection, ask, fetch, fetch_tcp, get, tcp,
                     wait_counted)
from mailsite import OLD_CHANGE_S, BarePhone, mail_beside_an_old_change, new_user
from ports import free_port
from waiting import wait_until

DATA = "/status-page.json"


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def site(bare_site_for, port):
    return bare_site_for(http_listen=f"127.0.0.1:{port}")


@pytest.fixture
def named_site(bare_site_for, port):
    return bare_site_for(http_listen=f"127.0.0.1:{port}", status_page_names="yes")


def data(site):
    return get(site.mailpushd, DATA)


def refuse(site, phone, status, reason):
    """Apple answers the next push to this phone so."""
    site.sim.control(do="next", status=status, reason=reason)
    site.deliver(phone.user)
    site.mailpushd.wait_log(f"push not taken .*user={phone.user} .*status={status}")


# ---- the page ----

def test_both_sockets_serve_the_same_page(site, port):
    status, page, headers = fetch_tcp(port, "/")
    assert status == 200 and page.startswith("<!doctype html>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    local = fetch(UnixConnection(site.mailpushd.control_socket), "/")
    assert local[:2] == (200, page)
    assert local[2]["Content-Security-Policy"] == headers["Content-Security-Policy"]


def test_the_page_tells_of_the_registry_and_not_where_it_is(site):
    site.registered_phone()
    assert data(site)["registry"].keys() == {"server", "connected", "since", "parked"}
    registry = data(site)["registry"]
    assert (registry["connected"], registry["parked"]) == (True, 0)
    assert registry["server"].startswith("SQLite 3.")
    assert str(site.mailpushd.dir) not in json.dumps(data(site))


def test_the_page_is_small_and_needs_nothing_else(site, port):
    _, page, _ = fetch_tcp(port, "/")
    assert len(page.encode()) < 40000
    assert re.findall(r"\w+://[^\"'` ]*", page) == 2 * ["http://www.w3.org/2000/svg"]   # a name
    assert re.findall(r"<link[^>]*>", page) == ['<link id="icon" rel="icon" href="data:,">']
    assert not re.search(r"<script[^>]+src|@import|url\(|<img|<iframe", page)
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page


def test_what_the_page_shows_is_never_made_markup(site, port):
    _, page, _ = fetch_tcp(port, "/")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", page)


def test_the_policy_allows_the_pages_own_script_and_style_and_nothing_else(site, port):
    _, page, headers = fetch_tcp(port, "/")

    def source(element):
        [text] = re.findall(f"<{element}>(.*?)</{element}>", page, flags=re.S)
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    assert dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; ")) == {
        "default-src": "'none'", "script-src": source("script"), "style-src": source("style"),
        "img-src": "data:", "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'",
        "frame-ancestors": "'none'"}


@pytest.mark.parametrize("path", ["/", DATA])
def test_no_answer_is_kept_or_guessed_at(site, port, path):
    _, _, headers = fetch_tcp(port, path)
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    if path == "/":
        assert headers["Referrer-Policy"] == "no-referrer"
    else:
        assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/", DATA])
def test_head_is_get_without_a_body(site, port, path):
    status, body, headers = fetch_tcp(port, path, "HEAD")
    assert (status, body) == (200, "") and int(headers["Content-Length"]) > 0
    assert ("Content-Security-Policy" in headers) == (path == "/")


def test_it_can_only_be_read(site, port):
    for path in ("/", DATA):
        for method in ("POST", "PUT", "DELETE"):
            assert tcp(port, path, method)[0] == 405
    for path in ("/status.js", "/favicon.ico", "/status-page.json/", "/page/status.html"):
        assert tcp(port, path)[0] == 404


# ---- from under which name ----

@pytest.mark.parametrize("path", ["/", DATA, "/metrics", "/nothing"])
def test_a_strangers_name_that_leads_to_loopback_gets_nothing(site, port, path):
    status, text, _ = fetch_tcp(port, path, Host=f"evil.example:{port}")
    assert status == 403 and "ask for it by its address or as localhost" in json.loads(text)["error"]


def test_loopback_may_be_called_localhost(site, port):
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", "127.0.0.1"):
        assert fetch_tcp(port, DATA, Host=host)[0] == 200


def test_an_address_of_the_network_may_have_any_name(bare_site_for, port):
    bare_site_for(http_listen=f"0.0.0.0:{port}")
    assert fetch_tcp(port, DATA, Host="mail.example.com:9105")[0] == 200


# ---- the JSON ----

def test_it_has_what_the_page_shows(site):
    phone = site.registered_phone("INBOX", "Notes")
    site.deliver(phone.user, "Notes")
    site.told(phone, "Notes")
    wait_counted(site.mailpushd, registrations=1, pushes=2)
    shown = data(site)
    assert set(shown) == {"version", "site", "started", "now", "events", "registrations", "queue",
                          "pushes", "rates", "credentials", "registry", "alarms", "failures", "history", "last", "phones"}

    def are_the_same():
        page, status = data(site), get(site.mailpushd, "/status")
        names = ("version", "site", "started", "events", "registrations", "queue", "pushes")
        return all(page[name] == status[name] for name in names)
    wait_until(are_the_same, what="the same in the status")
    assert [one["name"] for one in shown["credentials"]] == ["main"]
    assert shown["alarms"] == [] and shown["failures"] == []


def test_the_history_begins_with_the_daemon_and_has_what_came(site):
    phone = site.registered_phone("INBOX", "Notes")
    site.deliver(phone.user, "Notes")
    site.told(phone, "Notes")
    refuse(site, phone, 503, "ServiceUnavailable")
    history = data(site)["history"]
    assert history["hour"]["seconds"] == 60 and history["day"]["seconds"] == 900
    for span in ("hour", "day"):
        parts = {name: history[span][name]
                 for name in ("events", "taken", "failed", "event_to_push", "answered")}
        assert {len(values) for values in parts.values()} <= {1, 2, 3}, "it has run for moments"
        assert sum(parts["events"]) == 3
        assert sum(parts["taken"]) >= 2 and sum(parts["failed"]) == 1
        assert all(value is None or 0 < value < 60 for value in parts["event_to_push"] + parts["answered"])
        assert any(parts["event_to_push"]) and any(parts["answered"])


def test_new_mail_is_as_late_as_the_mail_and_not_as_a_change_before_it(site):
    mail_beside_an_old_change(site, "Notes")
    history = data(site)["history"]
    for span in ("hour", "day"):
        [late] = [value for value in history[span]["event_to_push"] if value is not None]
        assert 0 < late < OLD_CHANGE_S / 4


def test_the_last_event_and_the_last_push_have_a_time(site):
    assert data(site)["last"] == {"event": None, "push": None}
    site.registered_phone()
    shown = data(site)
    for name in ("event", "push"):
        assert shown["started"] <= shown["last"][name] <= shown["now"] + 0.01   # two clocks are read


def test_an_alarm_says_what_to_do_and_who_is_silent(site):
    phone = site.registered_phone()
    site.sim.control(do="next", count=1000, status=403, reason="BadCertificate")
    site.deliver(phone.user)

    def waits():
        return [alarm for alarm in data(site)["alarms"]
                if alarm["name"] == "apns:main" and (alarm["silences"] or {}).get("phones") == 1]
    [alarm] = wait_until(waits, what="a phone that waits for the credential")
    assert alarm["silences"] == {"topic": TOPIC, "phones": 1}
    assert "cert check --online" in alarm["remedy"]


def test_an_expired_certificate_silences_its_phones(bare_site_for, port):
    site = bare_site_for(start=False, http_listen=f"127.0.0.1:{port}")
    certificate, key = site.sim.add_client("ends", TOPIC, "--days", "-1")
    site.mailpushd.credentials = {"main": {"certificate": certificate, "key": key}}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    site.register(BarePhone(new_user()))

    def waits():
        return [alarm for alarm in data(site)["alarms"] if alarm["name"] == "credential-dates:main"
                and alarm["silences"] == {"topic": TOPIC, "phones": 1}]
    wait_until(waits, what="a phone that waits for a valid certificate")


def test_an_alarm_that_silences_nobody_says_so(bare_site_for, port):
    site = bare_site_for(start=False, http_listen=f"127.0.0.1:{port}")
    main = site.mailpushd.credentials["main"]
    site.mailpushd.credentials = {"main": main, "other": {**main, "certificate": "/nowhere"}}
    site.mailpushd.write_conf()
    site.mailpushd.start()
    [alarm] = data(site)["alarms"]
    assert alarm["name"] == "credential-file:other" and alarm["silences"] is None


def test_the_history_ends_with_the_daemon(site):
    site.registered_phone()
    site.mailpushd.restart()
    history = data(site)["history"]
    assert history["hour"]["events"] == [0]
    assert history["hour"]["event_to_push"] == history["day"]["answered"] == [None]


def test_a_push_that_apple_refused_is_explained(site):
    phone = site.registered_phone()
    refuse(site, phone, 410, "Unregistered")
    [failure] = data(site)["failures"]
    assert failure.pop("time") > 0
    assert "no longer in use" in failure.pop("meaning")
    assert failure == {"kind": "push", "result": "answered", "status": 410,
                       "reason": "Unregistered", "times": 1}


def test_the_same_failure_again_is_counted(site):
    for status, reason in ((503, "Shutdown"), (410, "Unregistered"), (503, "Shutdown")):
        refuse(site, site.registered_phone(), status, reason)
    assert [(f["status"], f["times"]) for f in data(site)["failures"]] == [(503, 2), (410, 1)]


def test_a_connection_that_fails_is_listed(site):
    site.sim.stop()
    site.register(BarePhone(new_user()))

    def unreachable():
        """Before it, perhaps, the connection by which Apple is asked at the start was closed."""
        return next((failure for failure in data(site)["failures"]
                     if "127.0.0.1" in failure["meaning"]), None)
    failure = wait_until(unreachable, what="a failure that names the address")
    assert (failure["kind"], failure["credential"]) == ("connection", "main")


# ---- what it does not tell ----

def test_nobody_is_named_unless_that_is_wanted(site, port):
    phone = site.registered_phone(user=f"secret-{new_user()}")
    refuse(site, phone, 429, "TooManyRequests")
    refuse(site, phone, 410, "Unregistered")
    texts = [tcp(port, path)[1] for path in ("/", DATA)] + [json.dumps(data(site))]
    assert '"reason":"TooManyRequests"' in texts[1]
    for text in texts:
        for secret in (phone.user, phone.token[:8], phone.account_id[:8]):
            assert secret.lower() not in text.lower()


def test_with_names_it_says_whose_phone_it_was(named_site, port):
    phone = named_site.registered_phone()
    refuse(named_site, phone, 503, "ServiceUnavailable")
    refuse(named_site, phone, 410, "Unregistered")
    text = tcp(port, DATA)[1]
    assert [f.get("user") for f in json.loads(text)["failures"]] == [phone.user, None]
    assert phone.token[:8] not in text and phone.account_id[:8] not in text


def break_the_configuration(site):
    """With a line that names somebody."""
    site.mailpushd.write_conf(control_users=["somebody-secret"])
    site.mailpushd.reload()
    site.mailpushd.wait_log("error alarm: .*somebody-secret")


def test_an_alarm_that_quotes_the_configuration_is_not_quoted(site, port):
    break_the_configuration(site)
    text = tcp(port, DATA)[1]
    [alarm] = json.loads(text)["alarms"]
    assert alarm["name"] == "reload" and "mailpushctl status" in alarm["text"]
    assert "somebody-secret" not in text
    assert "somebody-secret" in get(site.mailpushd, "/status")["alarms"][0]["text"]


QUOTING = {"registry": "secret-user", "alarm-mail": "secret-person@example.com"}


@pytest.mark.parametrize("names", ["no", "yes"])
def test_alarms_about_other_servers_are_quoted_with_names_alone(bare_site_for, port, names):
    bare_site_for(http_listen=f"127.0.0.1:{port}", status_page_names=names,
                  registry=f"postgresql://secret-user@127.0.0.1:{free_port()}/secret-database",
                  alarm_mail=QUOTING["alarm-mail"], alarm_mail_server=f"127.0.0.1:{free_port()}")

    def stand():
        texts = {alarm["name"]: alarm["text"] for alarm in json.loads(tcp(port, DATA)[1])["alarms"]}
        return texts if texts.keys() >= QUOTING.keys() else None
    texts = wait_until(stand, what="an alarm about the registry, and one about the mail of it")
    for name, secret in QUOTING.items():
        assert (secret in texts[name]) == (names == "yes"), texts[name]


def test_with_names_it_is_quoted(named_site, port):
    break_the_configuration(named_site)
    assert "somebody-secret" in json.loads(tcp(port, DATA)[1])["alarms"][0]["text"]


def test_without_http_listen_only_the_control_socket_has_it(bare_site):
    assert ask(bare_site.mailpushd, "GET", DATA)[0] == 200
    bare_site.mailpushd.wait_log("daemon: ready")
    assert "http_listen" not in "\n".join(bare_site.mailpushd.lines())
