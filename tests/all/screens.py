"""What the tests of pages share: Chromium, sizes of screens, and how a page looks on them.

    from screens import *
"""

import pathlib
import shutil
import tempfile

import pytest

from browser import Browser

PHONE = (360, 740)
DESKTOP = (1280, 900)
SIZES = [(390, 844), (768, 1024), DESKTOP, (1920, 1080)]
LOGIN = "alice", "0123456789abcdef0123456789abcdef"     # for page_login

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


@pytest.fixture(scope="session")
def chromium():
    """Started once: that takes longest."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mp-", dir="/tmp"))
    with Browser(folder) as browser:
        yield browser
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def visitor(browser):
    """The browser of somebody who has logged in."""
    browser.log_in(*LOGIN)
    yield browser
    browser.log_in(None, None)


@pytest.fixture
def browser(chromium):
    chromium.open("about:blank")
    chromium.complaints()       # those of the test before
    return chromium


# ---- the page of phones ----

def users(browser):
    return browser.run("return [...document.querySelectorAll('#phones a')].map(link => link.innerText)")


def search(browser, begins):
    browser.run("document.getElementById('begins').value = arguments[0];"
                "document.querySelector('#search button').click()", begins)
