"""The status page as people see it: in Chromium."""

import json
import pathlib
import re
import shutil
import sys
import tempfile

import pytest

SYSTEM = pathlib.Path(__file__).resolve().parents[1] / "system"
sys.path.insert(0, str(SYSTEM))

from browser import Browser  # noqa: E402
from conftest import *  # noqa: E402,F401,F403  the fixtures of the system tests
from control import fetch_tcp, free_port, tcp  # noqa: E402
from mailsite import mail_beside_an_old_change, new_user  # noqa: E402
from pageserver import PageServer  # noqa: E402
from waiting import wait_until  # noqa: E402

PHONE = (360, 740)
DESKTOP = (1280, 900)
TURNING = "\u202e\u2066\u200f\u061c\u2028\u009b\u0007"   # directions of writing, and controls
HOSTILE = "<img src=x onerror=hacked=1><script>hacked=1</script>\"'&amp;<b>"


@pytest.fixture(scope="module")
def chromium():
    """Started once: that takes longest."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mp-", dir="/tmp"))
    with Browser(folder) as browser:
        yield browser
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def browser(chromium):
    chromium.complaints()       # those of the test before
    return chromium


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

OVERFLOW = "return document.documentElement.scrollWidth - window.innerWidth"
# For each text, how well it can be told from what is behind it (WCAG: 4.5 is enough).
CONTRASTS = """
const channel = c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const numbers = text => text.match(/[\\d.]+/g).map(Number);
function behind(element) {
    for (; element; element = element.parentElement) {
        const colour = numbers(getComputedStyle(element).backgroundColor);
        if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
}
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node; node = walker.nextNode();) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.getClientRects().length) continue;
    const [a, b] = [light(numbers(getComputedStyle(element).color)), light(behind(element))];
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node.data]);
}
return found;
"""


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


def test_who_cannot_see_it_is_told_too(site, browser, url):
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


def test_phones_that_are_stopped_are_neither_told_nor_well(site, browser, url):
    site.registered_phone()
    phone = site.registered_phone()
    browser.open(url, *PHONE)
    browser.wait("All is well", "#verdict")
    browser.wait("phones pushed to\n2\nphones stopped\n0", "#figures")
    site.sim.control(do="token", token=phone.token, status=400, reason="DeviceTokenNotForTopic",
                     times=1)
    site.deliver(phone.user)
    browser.wait("All is well, except for 1 phone", "#verdict")
    assert "phones pushed to\n1\nphones stopped\n1" in browser.text("#figures")
    assert "mailpushctl devices lists them" in browser.text("#advice")
    assert [(r, t) for r, t in browser.run(CONTRASTS) if r < 4.5] == []
    site.register(phone)
    browser.wait("phones stopped\n0", "#figures")
    assert browser.text("#verdict") == "All is well"


def test_trouble_stands_on_top_until_it_is_over(site, browser, url):
    phone = site.registered_phone()
    browser.open(url, *PHONE)
    browser.wait("All is well", "#verdict")
    registry = site.mailpushd.dir / "registry.sqlite"
    registry.rename(registry.with_suffix(".away"))
    site.deliver(phone.user)        # parked, and acknowledged
    browser.wait("Something needs you", "#verdict")
    [alarm] = json.loads(tcp(site.mailpushd.settings["http_listen"].split(":")[1],
                             "/status-page.json")[1])["alarms"]
    assert alarm["text"] in browser.text("#alarms")
    assert browser.run("return document.title").startswith("Something needs you")
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
    data["alarms"] = [{"name": "", "text": "", "since": data["now"]}]
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
