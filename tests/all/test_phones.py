"""The page of phones and timelines as people see it: in Chromium."""

import pathlib
import sys

import pytest

SYSTEM = pathlib.Path(__file__).resolve().parents[1] / "system"
sys.path.insert(0, str(SYSTEM))

from conftest import *  # noqa: E402,F401,F403  the fixtures of the system tests
from mailsite import BarePhone  # noqa: E402
from ports import free_port  # noqa: E402
from screens import *  # noqa: E402,F401,F403  Chromium, and what fits a screen
from waiting import wait_until  # noqa: E402

HOSTILE = "<img src=x onerror=hacked=1>\"'&amp;<b>"


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def site(bare_site_for, tmp, port):
    (tmp / "tokens").touch(mode=0o600)
    (tmp / "tokens").write_text(":".join(LOGIN) + "\n")
    return bare_site_for(http_listen=f"127.0.0.1:{port}", page_login=f"token:{tmp}/tokens")


def test_the_browser_asks_for_the_name_and_the_token(site, browser, port):
    phone = site.registered_phone()
    browser.open(f"http://127.0.0.1:{port}/phones")
    assert phone.user not in browser.text()
    browser.open(f"http://{LOGIN[0]}:{LOGIN[1]}@127.0.0.1:{port}/phones")
    browser.wait(phone.user, "#phones")


def test_the_status_page_leads_to_a_users_timeline(site, visitor, port):
    phone = site.registered_phone("INBOX", "Notes")
    site.sim.control(do="next", status=410, reason="Unregistered")
    site.deliver(phone.user)
    site.mailpushd.wait_log(f"push not taken .*user={phone.user}")
    other = site.registered_phone(user=phone.user)
    visitor.open(f"http://127.0.0.1:{port}/", *PHONE)
    visitor.wait("Phones and timelines", "#phones-link")
    visitor.run("document.querySelector('#phones-link a').click()")
    visitor.wait(f"{other.user}\n", "#phones")
    visitor.run("document.querySelector('#phones a').click()")
    visitor.wait("registration forgotten", "#entries")
    assert "no longer in use" in visitor.text("#entries")
    assert "INBOX" in visitor.text("#phones")
    assert visitor.run(OVERFLOW) <= 0
    assert [(ratio, text) for ratio, text in visitor.run(CONTRASTS) if ratio < 4.5] == []
    page = visitor.run("return document.documentElement.outerHTML")
    for one in (phone, other):
        assert one.token not in page and one.account_id not in page
    visitor.run("history.back()")
    wait_until(lambda: users(visitor) == [other.user], what="the list again")
    assert visitor.complaints() == []


def test_a_user_without_a_phone_is_said_to_have_none(site, visitor, port):
    visitor.open(f"http://127.0.0.1:{port}/phones#user=nobody%26x")
    visitor.wait("No phone of nobody&x is registered", "#said")
    visitor.wait("nothing happened", "#entries")


def test_a_user_whose_last_phone_was_forgotten_is_found(site, visitor, port):
    phone = site.registered_phone()
    site.sim.control(do="next", status=410, reason="Unregistered")
    site.deliver(phone.user)
    site.mailpushd.wait_log(f"push not taken .*user={phone.user}")
    visitor.open(f"http://127.0.0.1:{port}/phones#begins={phone.user}")
    visitor.wait(f"the timeline of {phone.user}", "#said")
    visitor.run("document.querySelector('#said a').click()")
    visitor.wait("registration forgotten", "#entries")
    assert visitor.complaints() == []


def test_hostile_names_are_text(site, visitor, port):
    phones = [BarePhone(HOSTILE + end, (HOSTILE, "INBOX")) for end in ("1", "\u202e2", "#user=x&begins=y")]
    for phone in phones:
        site.register(phone)
    visitor.open(f"http://127.0.0.1:{port}/phones", *PHONE)
    visitor.wait("user=x", "#phones")
    assert set(users(visitor)) == {phone.user.replace("\u202e", "\ufffd") for phone in phones}
    for phone in phones:
        visitor.open("about:blank")
        visitor.open(f"http://127.0.0.1:{port}/phones", *PHONE)
        visitor.wait("user=x", "#phones")
        visitor.run("[...document.querySelectorAll('#phones a')].find(link => "
                    "new URLSearchParams(link.hash.slice(1)).get('user') === arguments[0]).click()", phone.user)
        visitor.wait("registered", "#entries")
        assert visitor.run(OVERFLOW) <= 0
    search(visitor, HOSTILE)
    visitor.wait("user=x", "#phones")
    assert visitor.run("return typeof hacked") == "undefined"
    assert visitor.run("return document.querySelectorAll('img, b b').length") == 0
    assert visitor.complaints() == []


def test_it_says_when_the_daemon_does_not_answer(site, visitor, port):
    site.registered_phone()
    visitor.open(f"http://127.0.0.1:{port}/phones")
    visitor.wait("renewed", "#phones")
    site.mailpushd.stop()
    search(visitor, "x")
    visitor.wait("This cannot be shown", "#said")
