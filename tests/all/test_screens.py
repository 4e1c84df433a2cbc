"""The pages on screens of four sizes, light and dark, with 0, 50 and 100 000 phones: in Chromium."""

import json
import pathlib
import shutil
import sys
import tempfile
import time

import pytest

SYSTEM = pathlib.Path(__file__).resolve().parents[1] / "system"
sys.path.insert(0, str(SYSTEM))

import apnssim  # noqa: E402
from conftest import *  # noqa: E402,F401,F403  the fixtures of the system tests
from control import ctl  # noqa: E402
from mailpushd import Mailpushd  # noqa: E402
from ports import free_port  # noqa: E402
from screens import *  # noqa: E402,F401,F403  Chromium, and what fits a screen


@pytest.fixture(scope="module", params=[0, 50, 100_000])
def crowd(request, apns_folder):
    """(the page's url, how many phones): a daemon with so many phones of as many users, user000000 ..."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mp-", dir="/tmp"))
    (folder / "imapd.conf").write_text(f"servername: mail.example.com\naps_topic: {apnssim.TOPIC}\n")
    (folder / "tokens").touch(mode=0o600)
    (folder / "tokens").write_text(f"{LOGIN[0]}:{LOGIN[1]}\n")
    port = free_port()
    with apnssim.ApnsSim().start(apns_folder) as sim, \
            Mailpushd(folder / "d", None, sim, imapd_conf=folder / "imapd.conf",
                      http_listen=f"127.0.0.1:{port}",
                      page_login=f"token:{folder}/tokens") as daemon:
        with open(folder / "phones", "w", encoding="utf-8") as file:
            for i in range(request.param):
                json.dump({"user": f"user{i:06}", "token": f"{i:064x}",
                           "account_id": f"00000000-0000-0000-0000-{i:012X}",
                           "subtopic": "com.apple.mobilemail", "version": 2,
                           "mailboxes": ["INBOX"], "topic": apnssim.TOPIC,
                           "renewed": time.time()}, file)
                file.write("\n")
        if request.param:
            done = ctl(daemon, "import", folder / "phones", timeout=1800)
            assert done.returncode == 0, done.stderr
        yield f"http://127.0.0.1:{port}/", request.param
    shutil.rmtree(folder, ignore_errors=True)


# The parts of the page in the order in which they are read, and their left edges.
PLACES = """return ["health", "figures", "failures", "credentials", "charts", "queue", "meanings"].map(id => {
    const box = document.getElementById(id).getBoundingClientRect();
    return [box.top, box.left, box.right];
});"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_status_page_fits_every_screen(crowd, browser, size, scheme):
    url, phones = crowd
    browser.open(url, *size, scheme)
    browser.wait(f"phones registered\n{phones:,}\n", "#figures")
    assert browser.text("#verdict") == "All is well"
    assert browser.run(OVERFLOW) <= 0
    assert [(ratio, text) for ratio, text in browser.run(CONTRASTS) if ratio < 4.5] == []
    places = browser.run(PLACES)
    tops = [top for top, _, _ in places]
    assert tops == sorted(tops), "failures come before charts"
    if size[0] < 600:
        assert len(set(tops)) == len(tops), "one column"
        assert browser.run("return new Set([...document.querySelectorAll('.card, #figures div')]"
                           ".map(one => one.getBoundingClientRect().top)).size ==="
                           "document.querySelectorAll('.card, #figures div').length")
    assert browser.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_page_of_phones_fits_every_screen(crowd, visitor, size, scheme):
    url, phones = crowd
    visitor.open(url + "phones", *size, scheme)
    visitor.wait("No phone is registered" if not phones else "user000000")
    assert len(users(visitor)) == min(phones, 50)
    assert visitor.run(OVERFLOW) <= 0
    assert [(ratio, text) for ratio, text in visitor.run(CONTRASTS) if ratio < 4.5] == []
    assert visitor.complaints() == []
    if phones > 50:
        visitor.run("document.querySelector('#more a').click()")
        visitor.wait("user000050\n", "#phones")
        search(visitor, "user09999")
        visitor.wait("user099990\n", "#phones")
        assert users(visitor) == [f"user09999{i}" for i in range(10)]
        assert visitor.text("#more") == ""
