"""Each alarm that the code can raise is explained in docs/operations.md and in mailpushd(8)."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {path.name: path.read_text() for folder in ("alert", "config", "arrival", "flow", "monitor", "admin", "daemon")
           for path in sorted((ROOT / "src" / folder).glob("*.c"))}

# Calls whose name is not a literal; in_code() finds the names that they are given.
WITH_A_VARIABLE = {"alarm_mail.c": 1, "delivery.c": 1, "forward.c": 1, "keyring.c": 1, "socket_watch.c": 1, "topic_alarm.c": 1}


# Their texts quote no more than names of credentials, their files, hosts and topics.
SHOWN_TO_ALL = {"apns:", "bad-device-token:", "credential:", "credential-dates:", "credential-expiry:",
                "credential-file:", "intake:overload", "no-credential", "not-for-topic:", "registry:expiry",
                "registry:frozen"}


def in_code():
    """The names; what changes in one is left out, so that "apns:main" is "apns:"."""
    found = set()
    for text in SOURCES.values():
        if "alarm_raise(" not in text:
            continue
        found |= set(re.findall(r'alarm_raise\(\s*"([^"]+)"', text))
        found |= set(re.findall(r'"([a-z-]+:)%\.\d+s"', text))
        found |= {f"{kind}:" for kind in re.findall(r'raise_or_clear\("([^"]+)"', text)}
        found |= set(re.findall(r'^#define ALARM "([^"]+)"', text, flags=re.M))
        found |= set(re.findall(r'\.alarm = "([^"]+)"', text))
    return found


def test_no_call_has_a_name_from_elsewhere():
    calls = {name: len(re.findall(r'alarm_raise\((?!\s*")', text)) for name, text in SOURCES.items()}
    assert {name: count for name, count in calls.items() if count} == WITH_A_VARIABLE


def test_each_alarm_stands_in_the_operations_page_and_the_other_way_round():
    section = (ROOT / "docs/operations.md").read_text().partition("\n## Alarms\n")[2]
    table = section.partition("\n## ")[0].partition("| alarm | means |")[2]
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \| (.*) \|$", table, flags=re.M)
    assert all(means and todo for _, means, todo in rows)
    assert {re.sub(r"[A-Z]+$", "", name) for name, _, _ in rows} == in_code()


def test_each_alarm_has_a_remedy_that_a_mail_names():
    text = (ROOT / "src/alert/remedy.c").read_text()
    assert set(re.findall(r'^\t\{"([^"]+)",', text, flags=re.M)) == in_code()


def test_the_status_page_hides_the_texts_of_all_others():
    text = (ROOT / "src/monitor/status_page.c").read_text()
    hidden = re.search(r"quoting\[\] = \{(.*?)\};", text, flags=re.S)[1]
    assert set(re.findall(r'"([^"]+)"', hidden)) == in_code() - SHOWN_TO_ALL


def test_each_alarm_stands_in_the_manual_page_and_the_other_way_round():
    page = (ROOT / "man/mailpushd.8").read_text()
    section = page.partition(".Ss Alarms\n")[2].partition("\n.Ss ")[0]
    named = set()
    for line in re.findall(r"^\.It Sy (.*)$", section, flags=re.M):
        for name in line.split(" , "):
            named.add(re.sub(r" : Ns Ar \w+$", ":", name))
    assert named == in_code()
