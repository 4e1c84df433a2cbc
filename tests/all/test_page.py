"""The status page as people see it: in Chromium."""

import json
import pathlib
import re
import sys

import pytest

SYSTEM = pathlib.Path(__file__).resolve().parents[1] / "system"
sys.path.insert(0, str(SYSTEM))

from conftest import *  # noqa: E402,F401,F403  the fixtures of the system tests
from control import ctl, fetch_tcp, tcp  # noqa: E402
from mailsite import mail_beside_an_old_change, new_user  # noqa: E402
from pageserver import PageServer  # noqa: E402
from ports import free_port  # noqa: E402
from screens import *  # noqa: E402,F401,F403  Chromium, and what fits a screen
from waiting import wait_until  # noqa: E402

TURNING = "\u202e\u2066\u200f\u061c\u2028\u009b\u0007"   # directions of writing, and controls
HOSTILE = "<img src=x onerror=hacked=1><script>hacked=1</script>\"'&amp;<b>"


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def site(bare_site_for, port):
    return bare_site_for(http_listen=f"127.0.0.1:{port}")


@pytest.fixture
def url(port):
    return f"http://127.0.0.1:{port}/"


def fail_a_push(site, phone):
    site.sim.control(do="next", status=410, reason="Unregistered")
    site.deliver(phone.user)
    site.mailpushd.wait_log(f"push not taken .*user={phone.user}")


# ---- how it looks ----

@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_it_can_be_read_on_any_screen_by_day_and_by_night(site, browser, url, size, scheme):
    fail_a_push(site, site.registered_phone())
    browser.open(url, *size, scheme)
    browser.wait("All is well", "#verdict")
    assert browser.run(OVERFLOW) <= 0
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 3 * 128) == (scheme == "dark")
    contrasts = browser.run(CONTRASTS)
    assert len(contrasts) > 40
    assert [(ratio, text) for ratio, text in contrasts if ratio < 4.5] == []
    assert browser.complaints() == []


def test_who_cannot_see_it_hears_it_too(site, browser, url):
    site.registered_phone()
    browser.open(url)
    browser.wait("All is well", "#verdict")
    assert browser.run("return document.documentElement.lang") == "en"
    labels = browser.run("return [...document.querySelectorAll('svg')]"
                         ".map(chart => [chart.getAttribute('role'), chart.ariaLabel])")
    assert [role for role, _ in labels] == 6 * ["img"]
    assert ["Events, last hour: 1, peak 1 a minute", "Pushes, last hour: 1 taken, 0 not"] == \
        [labels[0][1], labels[2][1]]
    assert browser.run("return document.getElementById('health').ariaLive") == "polite"
    assert browser.run("return [...document.querySelectorAll('h1')].length") == 1
    assert browser.run("return [...document.querySelectorAll('section')].every(section => "
                       "section.ariaLabel || section.querySelector('h2'))")


# ---- people first ----

def test_it_says_that_phones_are_silent_how_many_and_why(site, browser, url):
    phone = site.registered_phone()
    site.sim.control(do="next", count=1000, status=403, reason="BadCertificate")
    site.deliver(phone.user)
    browser.open(url, *PHONE)
    browser.wait(r"^Phones are silent: 1 waits since (\S+ )?\d\d:\d\d$", "#verdict")
    assert "Apple refuses pushes: 403 BadCertificate" in browser.text("#alarms")
    assert "mailpushctl cert check --online" in browser.text("#alarms")
    assert "held back" in browser.text("#credentials .is-wrong")
    assert browser.run("return document.querySelectorAll('#credentials .is-right').length") == 0
    site.sim.control(do="clear")
    ctl(site.mailpushd, "queue", "flush")
    browser.wait("^All is well$", "#verdict")
    assert browser.text("#credentials .is-right").endswith("left")


def test_it_says_how_long_ago_the_last_event_and_push_were(site, browser, url):
    browser.open(url)
    browser.wait("last event\nnone yet\nlast push\nnone yet", "#figures")
    site.registered_phone()
    browser.wait(r"last event\n(just now|\d+ s ago)\nlast push\n(just now|\d+ s ago)", "#figures")


def test_nothing_is_folded_away_and_something_is_not(site, browser, url):
    browser.open(url)
    browser.wait("8 more are 0", "#zeros-title")
    assert "events since the start" not in browser.text("#queue")
    browser.run("document.getElementById('zeros-title').click()")
    browser.wait("events since the start\n0", "#queue-zeros")
    site.registered_phone()
    browser.wait("events since the start\n1", "#queue")
    assert browser.run("return document.getElementById('zeros').open"), "it stays as it was left"


def test_every_failure_leads_to_its_explanation(site, browser, port):
    _, page, headers = fetch_tcp(port, "/")
    data = json.loads(tcp(port, "/status-page.json")[1])
    answers = [(400, "BadDeviceToken"), (400, "DeviceTokenNotForTopic"), (400, "TopicDisallowed"),
               (400, "PayloadEmpty"), (403, "BadCertificate"), (404, "BadPath"), (410, "Unregistered"),
               (429, "TooManyRequests"), (500, ""), (503, "Shutdown"), (418, "constructor")]
    failure = {"meaning": "", "time": data["now"], "times": 1}
    data["failures"] = [
        {"kind": "push", "result": "answered", "status": status, "reason": reason, **failure}
        for status, reason in answers] + [
        {"kind": "push", "result": result, "status": 0, "reason": "", **failure}
        for result in ("lost", "silent", "not_processed")] + [
        {"kind": "connection", "credential": "main", **failure}]
    with PageServer(page, headers, data) as server:
        browser.open(server.url)
        browser.wait("BadDeviceToken", "#failures")
        links = browser.run("return [...document.querySelectorAll('#failures a')].map(link => "
                            "[link.innerText, document.querySelector(link.hash)?.innerText])")
    assert len(links) == len(data["failures"])
    for name, meaning in links:
        assert meaning and len(meaning) > 80, name
    meanings = dict(links)
    assert "the phone is gone" in meanings["410 Unregistered"]
    assert "refused" in meanings["400 TopicDisallowed"]
    assert "trouble at Apple" in meanings["503 Shutdown"]
    assert "no connection" in meanings["Credential main"]


def test_charts_and_tiles_have_one_unit_and_an_axis(site, browser, port):
    _, page, headers = fetch_tcp(port, "/")
    data = json.loads(tcp(port, "/status-page.json")[1])
    data["rates"] = {"events": 2, "pushes": 0.05}
    data["history"]["hour"].update(events=[70, 120], taken=[5, 30], failed=[0, 10])
    data["history"]["day"].update(events=[1800], taken=[0], failed=[0], event_to_push=[0.3], answered=[0.02])
    with PageServer(page, headers, data) as server:
        browser.open(server.url)
        browser.wait("events a minute\n120\npushes a minute\n3", "#figures")
    ticks = browser.run("return [...document.querySelectorAll('.ticks')].map(axis => axis.innerText.split('\\n'))")
    assert ticks[0] == ["200", "100", "0"], "the hour's peak is 120 a minute"
    assert ticks[1] == ["200", "100", "0"], "1800 in a quarter of an hour are 120 a minute"
    assert ticks[2] == ["40", "20", "0"], "what was taken and what was not, together"
    assert ticks[3] == ["1", "0.5", "0"]
    assert ticks[5] == ["400 ms", "200 ms", "0"]
    heights = browser.run("return [...document.querySelectorAll('svg')[0].querySelectorAll('.blue')]"
                          ".map(bar => Number(bar.getAttribute('height')))")
    assert [round(height) for height in heights] == [35, 60]


# ---- it lives ----

def test_what_happens_is_shown_without_loading_the_page_again(site, browser, url):
    phone = site.registered_phone()
    browser.open(url)
    browser.wait("Last hour\n1 taken, 0 not", "#charts")
    browser.run("window.isTheSame = true")
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    browser.wait("Last hour\n2 taken, 0 not", "#charts")
    assert "Last hour\n2, peak" in browser.text("#charts")
    fail_a_push(site, phone)
    browser.wait("410 Unregistered", "#failures")
    assert browser.run("return window.isTheSame") is True
    assert browser.complaints() == []


def test_new_mail_is_as_late_as_the_mail_and_not_as_a_change_before_it(site, browser, url):
    mail_beside_an_old_change(site, "Notes")
    browser.open(url)
    browser.wait("Latency\n", "#charts")
    late = re.findall("95 % within (.*)", browser.text("#charts"))
    assert len(late) == 2 and all(re.fullmatch(r"[0-9.]+ m?s", one) for one in late), late


def test_phones_that_are_stopped_are_neither_pushed_to_nor_well(site, browser, url):
    site.registered_phone()
    phone = site.registered_phone()
    browser.open(url, *PHONE)
    browser.wait("All is well", "#verdict")
    browser.wait("phones registered\n2\nphones waiting", "#figures")
    site.sim.control(do="token", token=phone.token, status=400, reason="DeviceTokenNotForTopic",
                     times=1)
    site.deliver(phone.user)
    browser.wait("All is well, except for 1 phone", "#verdict")
    assert "phones registered\n2\nphones stopped\n1" in browser.text("#figures")
    assert "mailpushctl devices lists them" in browser.text("#advice")
    assert [(r, t) for r, t in browser.run(CONTRASTS) if r < 4.5] == []
    site.register(phone)
    browser.wait("All is well$", "#verdict")
    assert "phones stopped" not in browser.text("#figures")


def shows_the_alarm(site, browser):
    port = site.mailpushd.settings["http_listen"].split(":")[1]
    [alarm] = json.loads(tcp(port, "/status-page.json")[1])["alarms"]
    return alarm["text"] in browser.text("#alarms") and alarm["remedy"] in browser.text("#alarms")


def test_trouble_stands_on_top_until_it_is_over(site, browser, url):
    phone = site.registered_phone()
    browser.open(url, *PHONE)
    browser.wait("All is well", "#verdict")
    registry = site.mailpushd.dir / "registry.sqlite"
    registry.rename(registry.with_suffix(".away"))
    site.deliver(phone.user)        # parked, and acknowledged
    browser.wait(r"Phones are silent: 1 event waits since (\S+ )?\d\d:\d\d$", "#verdict")
    wait_until(lambda: shows_the_alarm(site, browser), what="the alarm in its present words")
    assert browser.run("return document.title").startswith("Phones are silent")
    assert browser.run(OVERFLOW) <= 0
    assert [(r, t) for r, t in browser.run(CONTRASTS) if r < 4.5] == []
    registry.with_suffix(".away").rename(registry)
    browser.wait("All is well", "#verdict")
    assert browser.text("#alarms") == ""
    assert browser.complaints() == []


def test_it_says_when_the_daemon_is_gone_and_goes_on_when_it_is_back(site, browser, url):
    site.registered_phone()
    browser.open(url, *PHONE)
    browser.wait("All is well", "#verdict")
    site.mailpushd.kill9()
    browser.wait("mailpushd cannot be reached", "#verdict")
    assert "systemctl status mailpush" in browser.text("#advice")
    assert "1 taken, 0 not" in browser.text("#charts")       # what was known stays
    site.mailpushd.start()
    browser.wait("All is well", "#verdict")
    assert browser.run("return document.body.className") == ""


# ---- hostile names ----

def assert_nothing_ran(browser):
    assert browser.run("return typeof hacked") == "undefined"
    assert browser.run("return document.querySelectorAll('img, b b, script').length") == 1
    assert browser.complaints() == []


def test_a_hostile_name_of_a_credential_is_text(bare_site_for, browser, port, url):
    site = bare_site_for(start=False, http_listen=f"127.0.0.1:{port}")
    main = site.mailpushd.credentials["main"]
    site.mailpushd.credentials = {"NAME": main, "OTHER": {**main, "certificate": "/nowhere"}}
    site.mailpushd.write_conf()
    conf = site.mailpushd.conf.read_text()
    for name in ("NAME", "OTHER"):
        conf = conf.replace(f'"{name}"', '"%s"' % (name + HOSTILE).replace('"', '\\"'))
    site.mailpushd.conf.write_text(conf)
    site.mailpushd.start()
    browser.open(url, *PHONE)
    browser.wait("Something needs you", "#verdict")
    assert "NAME" + HOSTILE in browser.text("#credentials")
    assert f'credential "OTHER{HOSTILE}": ' in browser.text("#alarms")
    assert browser.run(OVERFLOW) <= 0
    assert_nothing_ran(browser)


def poisoned(value):
    """The same with every text hostile."""
    if isinstance(value, dict):
        return {key: poisoned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [poisoned(inner) for inner in value]
    return HOSTILE + TURNING + 300 * "x" if isinstance(value, str) else value


def test_whatever_text_the_daemon_passes_on_is_text(site, browser, port):
    _, page, headers = fetch_tcp(port, "/")
    data = json.loads(tcp(port, "/status-page.json")[1])
    data["alarms"] = [{"name": "", "text": "", "remedy": "", "silences": None, "since": data["now"]}]
    data["failures"] = [
        {"kind": "push", "result": "", "status": 410, "reason": "", "meaning": "", "user": "",
         "time": data["now"], "times": 3},
        {"kind": "connection", "credential": "", "meaning": "", "time": data["now"], "times": 1}]
    data["credentials"][0]["trouble"] = ""
    data = poisoned(data)
    data["failures"][1]["kind"] = "connection"
    with PageServer(page, headers, data) as server:
        browser.open(server.url, *PHONE)
        browser.wait("Something needs you", "#verdict")
        for place in ("#site", "#about", "#alarms", "#credentials", "#failures"):
            assert HOSTILE in browser.text(place)
        assert browser.text("#failures").count(HOSTILE) == 5
        assert not set(TURNING) & set(browser.run("return document.documentElement.outerHTML"))
        assert browser.run(OVERFLOW) <= 0
        assert_nothing_ran(browser)


def test_the_policy_stops_a_script_that_got_in(site, browser, url):
    browser.open(url)
    browser.wait("All is well", "#verdict")
    browser.run("const script = document.createElement('script'); script.text = 'hacked = 1';"
                "document.body.append(script); document.body.setAttribute('style', 'top: 1px');")
    browser.run("const image = new Image(); image.src = '/metrics'; document.body.append(image);")
    assert browser.run("return typeof hacked") == "undefined"
    complaints = wait_until(browser.complaints, what="what the browser says of it")
    assert all("Content Security Policy" in complaint for complaint in complaints)
    assert len(complaints) == 3


# ---- names ----

@pytest.mark.parametrize("names", ["yes", "no"])
def test_people_are_named_only_if_that_is_wanted(bare_site_for, browser, port, url, names):
    site = bare_site_for(http_listen=f"127.0.0.1:{port}", status_page_names=names)
    phone = site.registered_phone(user=f"quite-{new_user()}")
    fail_a_push(site, phone)
    browser.open(url)
    browser.wait("410 Unregistered", "#failures")
    page = browser.run("return document.documentElement.outerHTML")
    assert (phone.user in page) == (names == "yes")
    assert phone.token[:8] not in page and phone.account_id[:8] not in page
