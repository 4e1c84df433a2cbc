"""mailpushctl doctor: faults in imapd.conf and cyrus.conf."""

import pytest

from control import ctl
from cyrus import is_since
from doctor import GROUPS, OTHER_TOPIC, cure, edit, examine, found, ill_of, imapd_conf, named, put, unset, wait_found

IMAPD_FAULTS = {
    "no notifier": ("event_notifier", None, [("event_notifier", "fail")]),
    "no registrations": ("event_groups", "message flags mailbox", [("event_groups", "fail")]),
    "no mail": ("event_groups", "flags mailbox applepushservice", [("event_groups", "fail")]),
    "no mailboxes": ("event_groups", "message flags applepushservice", [("event_groups", "warn")]),
    "no flags": ("event_groups", "message mailbox applepushservice", [("event_groups", "warn")]),
    "commas": ("event_groups", GROUPS.replace(" ", ","), [("event_groups", "fail")]),
    "capitals": ("event_groups", GROUPS.title(), [("event_groups", "fail")]),
    "a comment behind": ("event_groups", f"{GROUPS} access # all", [("event_groups", "fail")]),
    "no capability": ("suppress_capabilities", "IDLE XAPPLEPUSHSERVICE",
                      [("suppress_capabilities", "fail")]),
    "quota": ("event_groups", f"{GROUPS} quota", [("event_groups", "fail")]),
    "the default": ("event_groups", None, [("event_groups", "fail"), ("event_groups", "warn")]),
    "excluded flags": ("event_exclude_flags", r"\Flagged", [("event_exclude_flags", "fail")]),
    "excluded folders": ("event_exclude_specialuse", "ALL",
                         [("event_exclude_specialuse", "warn")]),
    "no topic": ("aps_topic", None, [("alarm", "fail"), ("aps_topic", "fail"),
                                     ("credential", "warn")]),
    "another topic": ("aps_topic", OTHER_TOPIC, [("alarm", "fail"), ("aps_topic", "fail"),
                                                 ("credential", "warn")]),
    "no topic of Mail's": ("aps_topic", "com.example.mail",
                           [("alarm", "fail"), ("aps_topic", "fail"), ("credential", "warn")]),
    "another socket": ("notifysocket", "dlist:/run/elsewhere", [("notifysocket", "fail")]),
    "no socket": ("notifysocket", None, [("notifysocket", "fail")]),
}


@pytest.mark.parametrize("fault", IMAPD_FAULTS)
def test_a_fault_in_imapd_conf_is_found_and_its_remedy_heals(ward, fault):
    site = ward()
    key, value, wanted = IMAPD_FAULTS[fault]
    if value is None:
        unset(imapd_conf(site), key)
    else:
        put(imapd_conf(site), f"{key}: {value}")
    ill = wait_found(site.mailpushd, *wanted)
    finding = next(f for f in ill if f["check"] == key)
    assert finding["file"] == str(imapd_conf(site))
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd)


def test_datagrams_to_the_stream_socket_are_found(ward):
    site = ward()
    put(imapd_conf(site), f"notifysocket: {site.mailpushd.stream_socket}")
    [finding] = wait_found(site.mailpushd, ("notifysocket", "fail"))
    assert "is a socket for dlist" in finding["why"]
    assert finding["line"] == f"notifysocket: dlist:{site.mailpushd.stream_socket}"


def test_a_socket_by_way_of_a_symbolic_link_is_mailpushds(ward, tmp):
    site = ward()
    (tmp / "link").symlink_to(site.mailpushd.stream_socket.parent)
    put(imapd_conf(site), f"notifysocket: dlist:{tmp}/link/{site.mailpushd.stream_socket.name}")
    wait_found(site.mailpushd)


@pytest.mark.parametrize("line", ["postmaster : x", "no colon", "\ufeffpostmaster: x", "pop3minpoll:",
                                  "@include /etc/more"])
def test_a_line_that_cyrus_does_not_start_with_is_found(ward, line):
    site = ward()
    with imapd_conf(site).open("a") as file:
        file.write(line + "\n")
    number = len(imapd_conf(site).read_text().splitlines())
    [finding] = [f for f in found(site.mailpushd) if f["check"] == "imapd.conf"]
    assert finding["level"] == "fail" and f"imapd.conf:{number}" in finding["why"]
    assert "does not start" in finding["why"]


def test_ways_of_writing_that_cyrus_takes_are_no_faults(ward):
    site = ward()
    path = imapd_conf(site)
    path.write_text(path.read_text().replace("event_groups: message flags",
                                             "\t EVENT_groups:message\tflags \\\n ")
                    .replace("\n", "\r\n").replace("\\\r\n", "\\\n")
                    + "# a comment: with a colon \\\nevent_notifier: twice\n\n  \t\n")
    assert "EVENT_groups" in path.read_text()
    wait_found(site.mailpushd)


def test_a_line_is_reported_where_it_stands_also_if_it_is_included(ward):
    site = ward()
    included = site.cyrus.dir / "events.conf"
    included.write_text("event_groups: message\n")
    unset(imapd_conf(site), "event_groups")
    with imapd_conf(site).open("a") as file:
        file.write(f"@include: {included}\n")
    finding = found(site.mailpushd)[0]
    assert finding["file"] == str(included)
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd)


def test_what_cyrus_does_not_start_with_is_found(ward):
    site = ward()
    with imapd_conf(site).open("a") as file:
        file.write("defaultpartition: other\nsievenotifier:\n")
    ill = wait_found(site.mailpushd, ("imapd.conf", "fail"), ("imapd.conf", "fail"))
    assert "sets defaultpartition, as" in ill[0]["why"] + ill[1]["why"]
    assert "sievenotifier has no value" in ill[0]["why"] + ill[1]["why"]


def test_the_cyrus_that_runs_is_asked(private_cyrus, mailpushd):
    cyrus = private_cyrus(event_groups="message flags mailbox")
    daemon = mailpushd(cyrus)
    findings = ill_of(examine(daemon)[1], {"clock"})
    assert named(findings) == [("event_groups", "fail"), ("imap", "fail")]
    cure(daemon, findings[0], cyrus)
    assert ill_of(examine(daemon)[1], {"clock"}) == []
    cyrus.stop()
    findings = ill_of(examine(daemon)[1], {"clock"})
    assert named(findings) == [("imap", "fail"), ("processes", "warn")]
    assert "does not answer" in next(f["why"] for f in findings if f["check"] == "imap")


def test_push_that_is_offered_without_events_is_found(private_cyrus, mailpushd):
    findings = ill_of(examine(mailpushd(private_cyrus(event_notifier=None)))[1], {"clock"})
    is_hidden = [] if is_since(3, 10) else [("imap", "fail")]
    assert named(findings) == [("event_notifier", "fail"), *is_hidden]


def test_notifications_that_mailpushd_would_drop_are_reported(ward):
    site = ward()
    put(imapd_conf(site), "sievenotifier: mailto")
    wait_found(site.mailpushd, ("forward_socket", "warn"))
    site.mailpushd.write_conf(forward_socket=str(site.cyrus.notifyd))
    site.mailpushd.restart()
    wait_found(site.mailpushd)


def test_another_servername_is_reported(ward):
    site = ward()
    put(imapd_conf(site), "servername: mail.example.net")
    [finding] = wait_found(site.mailpushd, ("site", "warn"))
    assert "all phones must register again" in finding["why"]
    put(finding["file"], finding["line"])
    site.mailpushd.restart()
    wait_found(site.mailpushd)


@pytest.mark.parametrize("text, why", [
    (b"servername: x\0y\n", "NUL byte"), (b"\xff\xfe\x00", "NUL byte"),
    (b"altnamespace: perhaps\n", "is not a value of altnamespace"),
    (b"@include: /no/such\n", "cannot open /no/such"),
    (b"x: " + b"y" * (2 * 1024 * 1024), "is larger than"),
], ids=["a NUL", "binary", "a wrong value", "a missing file", "too long"])
def test_an_imapd_conf_that_is_none_is_reported(ward, text, why):
    site = ward(start=False)
    imapd_conf(site).write_bytes(text)
    ill = found(site.mailpushd)
    assert any(f["check"] == "imapd.conf" and f["level"] == "fail" and why in f["why"]
               for f in ill), ill


def test_a_hostile_imapd_conf_cannot_steer_the_terminal(ward):
    site = ward(start=False)
    imapd_conf(site).write_bytes(
        b"aps_topic: \x1b[31m\x9b\nevent_groups: \x1b]0;x\x07 \xff\nnotifysocket: \x1bc\n"
        + b"event_notifier: %s%n%s\ncyrus_user: ../../etc\ncyrus_user: \xc3\n")
    done = ctl(site.mailpushd, "doctor", "--config", site.mailpushd.conf)
    assert done.returncode == 1 and "\x1b" not in done.stdout and "\x07" not in done.stdout
    status, findings = examine(site.mailpushd)
    assert status == 1 and "%s%n%s" in [f["why"] for f in findings]


def test_a_service_that_reads_another_imapd_conf_is_reported(ward):
    site = ward()
    edit(site.cyrus.dir / "cyrus.conf", f"lmtpd -C {imapd_conf(site)}", "lmtpd")
    [finding] = wait_found(site.mailpushd, ("cyrus.conf", "warn"))
    assert "service lmtp" in finding["why"] and "reads /etc/imapd.conf" in finding["why"]


def test_notifyd_on_our_socket_is_found(ward):
    site = ward()
    edit(site.cyrus.dir / "cyrus.conf", str(site.cyrus.notifyd), str(site.cyrus.notify))
    [finding] = wait_found(site.mailpushd, ("notifysocket", "fail"))
    assert "belongs to both mailpushd and the service notify" in finding["why"]


def test_a_missing_cyrus_conf_is_reported_and_another_can_be_named(ward, tmp):
    site = ward()
    other = tmp / "services"
    other.write_text((site.cyrus.dir / "cyrus.conf").read_text())
    (site.cyrus.dir / "cyrus.conf").unlink()
    [finding] = wait_found(site.mailpushd, ("cyrus.conf", "warn"))
    assert "--cyrus-conf" in finding["why"]
    assert found(site.mailpushd, "--cyrus-conf", other) == []
