"""mailpushctl doctor: a real Cyrus and mailpushd with a fault put in, and the remedy followed."""

import subprocess
import threading

import pytest

from control import ctl, ctl_binary
from doctor import GROUPS, cure, examine, found, ill_of, imapd_conf, named, put, wait_found
from notify import queue_length
from proxy import Proxy


@pytest.mark.parametrize("transport", ["dlist", "datagram", "notifyd"])
def test_a_healthy_site_has_nothing_wrong(ward, transport):
    site = ward(cyrus={"transport": transport})
    site.mailpushd.wait_spool()
    wanted = ["max_dgram_qlen"] if transport != "dlist" and queue_length() < 512 else []
    status, findings = examine(site.mailpushd)
    assert [f["check"] for f in ill_of(findings, {"clock"})] == wanted, findings
    assert status == 0
    seen = {f["check"] for f in findings}
    assert seen >= {"mailpush.conf", "daemon", "alarm", "settings", "event_notifier", "event_groups",
                    "site", "socket", "permissions", "allowed_users", "imap", "version", "tls", "processes",
                    "credential", "aps_topic", "clock", "disk"}


def test_a_finding_is_one_line_of_text(ward):
    site = ward()
    put(imapd_conf(site), "event_groups: message flags mailbox")
    done = ctl(site.mailpushd, "doctor")
    [line] = [text for text in done.stdout.splitlines() if text.startswith("fail event_groups")]
    assert line == (
        "fail event_groups    lacks applepushservice, so no phone can register; in "
        f"{imapd_conf(site)} put: event_groups: {GROUPS}; then run: systemctl restart cyrus-imapd")
    assert done.returncode == 1 and "\033" not in done.stdout


def test_without_the_daemon_the_files_are_examined(ward):
    site = ward(start=False)
    status, findings = examine(site.mailpushd)
    assert status == 1
    assert named(ill_of(findings)) == [("daemon", "fail"), ("socket", "fail")]
    said = {f["check"]: f for f in findings}
    assert said["credential"]["level"] == "ok" and "expires on" in said["credential"]["why"]
    assert "can be reached and is trusted" in said["apple"]["why"]
    assert "not asked, as mailpushd did not answer" in said["apple"]["why"]


def test_without_the_daemon_apple_is_reached_through_a_proxy_over_ipv6(ward):
    with Proxy("::1") as proxy:
        site = ward(start=False, proxy=f"[::1]:{proxy.port}")

        def tunnel():
            proxy.accept()
            proxy.tunnel(site.sim.port)
        threading.Thread(target=tunnel, daemon=True).start()
        _, findings = examine(site.mailpushd)
    [apple] = [f for f in findings if f["check"] == "apple"]
    assert "can be reached and is trusted" in apple["why"]


def test_the_daemon_is_found_by_the_configuration(ward):
    site = ward()
    text = subprocess.run([ctl_binary(), "doctor", "--config", site.mailpushd.conf],
                          capture_output=True, text=True).stdout
    assert "\nok   daemon " in text


def test_a_configuration_that_is_wrong_is_reported(ward):
    site = ward()
    with site.mailpushd.conf.open("a") as file:
        file.write("colour = red\n")
    [finding] = found(site.mailpushd)
    assert (finding["check"], finding["level"]) == ("mailpush.conf", "fail")
    assert "unknown key" in finding["why"]
    site.mailpushd.conf.unlink()
    [finding] = found(site.mailpushd)
    assert (finding["check"], finding["level"]) == ("mailpush.conf", "fail")
    assert "--config" in finding["why"]


def test_settings_that_are_not_in_force_are_reported(ward):
    site = ward()
    site.mailpushd.write_conf(deferred_delay="7s")
    [finding] = wait_found(site.mailpushd, ("settings", "warn"))
    assert "deferred_delay is '7s'" in finding["why"]
    cure(site.mailpushd, finding)
    wait_found(site.mailpushd)


def test_an_alarm_that_stands_is_reported(ward, tmp, sim):
    site = ward()
    (tmp / "c.pem").write_bytes(sim.client_cert.read_bytes())
    (tmp / "k.pem").write_bytes(sim.client_key.read_bytes())
    site.mailpushd.credentials["main"] = {"certificate": tmp / "c.pem", "key": tmp / "k.pem"}
    site.mailpushd.write_conf()
    site.mailpushd.restart()
    (tmp / "k.pem").unlink()
    ill = wait_found(site.mailpushd, ("alarm", "fail"), ("credential", "fail"))
    assert "credential-file:main" in ill[0]["why"]
