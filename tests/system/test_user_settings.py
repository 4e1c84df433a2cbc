"""What mailpush.conf sets for single users, and groups whose members the system knows."""

import os
import re

import pytest

import notify
from control import ctl, ctl_fine, ctl_json, get
from mailsite import BarePhone, new_user
from test_reload import reload
from test_trace import wait_entry
from waiting import wait_until


def with_sections(site, text):
    """mailpush.conf with these sections too, in force."""
    write = type(site.mailpushd).write_conf

    def write_conf(**settings):
        write(site.mailpushd, **settings)
        with open(site.mailpushd.conf, "a", encoding="utf-8") as conf:
            conf.write(text)
    site.mailpushd.write_conf = write_conf
    reload(site)


def test_a_user_whose_push_is_off_gets_no_push(bare_site):
    phone, other = bare_site.registered_phone(), bare_site.registered_phone()
    with_sections(bare_site, f'user_settings "{phone.user.upper()}" {{ push = no }}\n')
    late = BarePhone(phone.user)
    bare_site.register(late)
    bare_site.deliver(phone.user)
    bare_site.mailpushd.wait_log("no push, as it is off for this user")
    bare_site.deliver(other.user)
    bare_site.told(other, "INBOX")
    assert not bare_site.new_pushes(phone) and not bare_site.new_pushes(late)
    [device, _] = get(bare_site.mailpushd, f"/devices?user={phone.user}")["devices"]
    assert device["push"] is False
    assert "off for this user" in ctl_fine(bare_site.mailpushd, "devices", "show", device["key"])
    assert " active, push = no " in ctl_fine(bare_site.mailpushd, "devices", "--user", phone.user)
    [traced] = ctl_json(bare_site.mailpushd, "trace", phone.user)
    assert [one["push"] for one in traced["devices"]] == [False, False]
    assert "active, no pushes (push = no in user_settings), renewed " in ctl_fine(bare_site.mailpushd, "trace", phone.user)
    said = ctl(bare_site.mailpushd, "doctor", "--config", bare_site.mailpushd.conf, "--user", phone.user)
    assert said.returncode == 1 and "gets no pushes, as mailpush.conf says push = no" in said.stdout


def test_a_test_push_says_that_news_is_not_pushed(bare_site):
    off, gone, other = (bare_site.registered_phone() for _ in range(3))
    with_sections(bare_site, f'user_settings "{off.user}" {{ push = no }}\n')
    bare_site.tell(notify.mail(gone.user, event="MailboxDelete"))
    wait_entry(bare_site, gone.user, kind="suspended")
    for phone, why in ((off, "ordinary news is not pushed to this user, as mailpush.conf says push = no"),
                       (gone, "ordinary news is not pushed to this phone, as the account was deleted")):
        text = ctl_fine(bare_site.mailpushd, "push", phone.user)
        assert " 200: Apple accepted it" in text and f"\n{'':13}this is a test: {why}" in text
        [answer] = ctl_json(bare_site.mailpushd, "push", phone.user)
        assert why in answer["devices"][0]["note"]
    assert "this is a test" not in ctl_fine(bare_site.mailpushd, "push", other.user)
    [answer] = ctl_json(bare_site.mailpushd, "push", other.user)
    assert answer["devices"][0]["note"] is None


def test_a_user_with_a_limit_is_pushed_to_that_seldom(bare_site):
    user = new_user()
    with_sections(bare_site, f'user_settings "{user}" {{ pushes_per_minute = 1 }}\n')
    phone, other = bare_site.registered_phone(user=user), bare_site.registered_phone()
    bare_site.deliver(phone.user)

    def device():
        return get(bare_site.mailpushd, f"/devices?user={phone.user}")["devices"][0]
    wait_until(lambda: device()["queue"] == "limited", what="a push that waits for the limit")
    assert device()["push"] is True and device()["limited_until"] > device()["last_push"]["time"] + 50
    key = device()["key"]
    for text in (ctl_fine(bare_site.mailpushd, *arguments)
                 for arguments in (("trace", phone.user), ("devices", "--user", phone.user), ("devices", "show", key))):
        assert re.search(r"limited until \d\d:\d\d:\d\d", text), text
    limited = wait_entry(bare_site, phone.user, kind="event", what="limited")
    assert abs(limited["due"] - device()["limited_until"]) < 1         # two clocks are read
    for _ in range(3):
        bare_site.deliver(other.user)
        bare_site.told(other, "INBOX")
    assert not bare_site.new_pushes(phone)
    ctl_fine(bare_site.mailpushd, "queue", "flush", "--user", phone.user)
    bare_site.told(phone, "INBOX")


@pytest.mark.parametrize("text, said", [
    ('user_settings "a" { push = maybe }\n', "push: 'maybe' is neither yes nor no"),
    ('user_settings "a" { pushes_per_minute = 0 }\n', "pushes_per_minute: '0' is not a number from 1 to 60"),
    ('user_settings "a" { }\nuser_settings "A" { }\n', "is given twice, in another case"),
    ('user_settings { push = no }\n', "has no name"),
    ('user_settings "" { push = no }\n', "not a user"),
    ('group "a" { system = yes\nmembers = { b } }\n', "with system = yes its members are the system's"),
    ('group "a" { system = perhaps }\n', "system: 'perhaps' is neither yes nor no"),
])
def test_a_section_that_makes_no_sense_is_named(bare_site, text, said):
    with open(bare_site.mailpushd.conf, "a", encoding="utf-8") as conf:
        conf.write(text)
    done = bare_site.mailpushd.run_check()
    assert done.returncode == 1 and said in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount another /etc/group")
def test_the_members_of_a_group_are_the_systems(bare_site_for, tmp):
    group = tmp / "group"
    owner, reader, stranger = new_user(), new_user(), new_user()
    known = open("/etc/group", encoding="utf-8").read()
    group.write_text(f"{known}mail-readers:x:65111:nobody,{reader}\n")
    site = bare_site_for(start=False)
    site.mailpushd.wrapper = ["unshare", "--mount", "sh", "-c",
                              'mount --bind "$0" /etc/group && exec "$@"', str(group)]
    site.mailpushd.start()
    with_sections(site, 'group "mail-readers" { system = yes }\ngroup "no-such-group" { system = yes }\n')
    site.mailpushd.wait_log("the system has no such group.*group=no-such-group")
    phones = {user: BarePhone(user, (f"Other Users/{owner}/Team",)) for user in (reader, stranger)}
    for phone in phones.values():
        site.register(phone)
        site.next_push(phone)

    def tell():
        site.tell(notify.mail(owner, "Team", **{"vnd.cmu.mailboxACL": "group:mail-readers\tlrs\t"}))
    tell()
    site.next_push(phones[reader])
    assert not site.new_pushes(phones[stranger])
    group.write_text(f"{known}mail-readers:x:65111:{stranger}\nno-such-group:x:65112:\n")
    since = reload(site)
    site.mailpushd.wait_log("the system knows all groups again", since=since)
    tell()
    site.next_push(phones[stranger])
    wait_until(lambda: get(site.mailpushd, "/status")["queue"]["pushes"] == 0, what="an empty queue")
    assert not site.new_pushes(phones[reader])
