"""mailpushctl doctor: has the Cyrus that runs read the imapd.conf that is there?"""

import contextlib
import os
import re
import time

import pytest

import lmtp
from doctor import AS_ROOT, NOBODY, cure, examine, put
from waiting import wait_until


@pytest.fixture
def ward(private_cyrus, mailpushd):
    """A Cyrus of the test's own, with processes that serve a phone and a delivery."""
    class Ward:
        def __init__(self):
            self.cyrus = private_cyrus()
            self.mailpushd = mailpushd(self.cyrus)
            self.imapd_conf = self.cyrus.dir / "imapd.conf"
            self.sender = lmtp.connect(self.cyrus.lmtp_port)

        def finding(self, **how):
            [finding] = [f for f in examine(self.mailpushd, **how)[1] if f["check"] == "processes"]
            return finding
    ward = Ward()
    yield ward
    ward.sender.close()


LASTING = {"master", "imapd", "lmtpd"}      # administrator and sender are connected; others may end at any time


def named_in(finding):
    """The number of each name that is told."""
    return dict(re.findall(r"(\w+) (\d+) \(for ", finding["why"]))


def processes_of(cyrus):
    """The number of each program of this Cyrus, as those outside see them; None while one is missing."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if words[1:3] == [b"-C", bytes(cyrus.dir / "imapd.conf")]:
            with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                found[file.read().strip()] = pid
    return found if found.keys() >= LASTING else None


def test_processes_that_started_since_have_read_it(ward):
    finding = ward.finding()
    assert finding["level"] == "ok", finding
    assert re.match(r"all \d+ of Cyrus were started since ", finding["why"])


def test_processes_from_before_a_change_are_named_until_cyrus_is_restarted(ward):
    before = wait_until(lambda: processes_of(ward.cyrus), what="the processes of Cyrus")
    put(ward.imapd_conf, "event_extra_params: timestamp")
    finding = ward.finding()
    assert finding["level"] == "warn"
    assert {name: named_in(finding)[name] for name in LASTING} == \
        {name: before[name] for name in LASTING}
    assert f"{ward.imapd_conf} was changed " in finding["why"]
    assert "phones get the former aps_topic if that was changed" in finding["why"]
    cure(ward.mailpushd, finding, ward.cyrus)
    assert ward.finding()["level"] == "ok"


def test_a_file_that_is_included_counts_too(ward):
    included = ward.cyrus.dir / "more.conf"
    included.write_text("postmaster: root\n")
    with ward.imapd_conf.open("a") as file:
        file.write(f"@include: {included}\n")
    ward.cyrus.stop()
    ward.cyrus.start()
    assert ward.finding()["level"] == "ok"
    included.write_text("postmaster: admin\n")
    finding = ward.finding()
    assert finding["level"] == "warn" and f"{included} was changed " in finding["why"]
    assert "aps_topic" not in finding["why"]        # that stands in another file


def test_a_file_from_the_future_is_reported(ward):
    later = time.time() + 86400
    os.utime(ward.imapd_conf, (later, later))
    finding = ward.finding()
    assert finding["level"] == "warn" and "the clock was set back" in finding["why"]
    cure(ward.mailpushd, finding, ward.cyrus)
    assert ward.finding()["level"] == "ok"


def test_a_cyrus_that_is_not_there_is_reported(ward):
    ward.cyrus.stop()
    finding = ward.finding()
    assert finding["level"] == "warn"
    assert f"no master of Cyrus runs here that was started with -C {ward.imapd_conf}" \
        in finding["why"]


@AS_ROOT
def test_who_may_see_processes_need_not_be_root(ward):
    put(ward.imapd_conf, "event_extra_params: timestamp")
    seen, by_root = named_in(ward.finding(wrapper=NOBODY)), named_in(ward.finding())
    assert all(seen[name] == by_root[name] for name in LASTING)


@AS_ROOT
@pytest.mark.parametrize("how", [1, 2])
def test_processes_that_are_hidden_are_said_to_be(ward, how):
    hiding = ["unshare", "--mount", "sh", "-c",
              f"mount -t proc -o hidepid={how} proc /proc && exec \"$@\"", "sh"]
    finding = ward.finding(wrapper=[*hiding, *NOBODY])
    assert finding["level"] == "warn"
    assert re.search(r"hidepid.* is unknown: run mailpushctl doctor as root$", finding["why"])
    assert ward.finding(wrapper=hiding)["level"] == "ok"        # root sees them
