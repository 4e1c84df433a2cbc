"""mailpushctl doctor: credentials, and whether Apple can be reached and takes them."""

import pytest

from apnssim import TOPIC, ZEROS
from doctor import OTHER_TOPIC, found, wait_found, with_credential


def test_no_credential_is_a_failure(ward):
    site = ward()
    site.mailpushd.credentials.clear()
    site.mailpushd.write_conf()
    site.mailpushd.restart()
    wait_found(site.mailpushd, ("alarm", "fail"), ("aps_topic", "fail"), ("credential", "fail"))


def test_a_credential_that_apple_refuses_is_found(ward, sim):
    site = ward()
    sim.wait_trials(1)
    sim.control(do="token", token=ZEROS, status=403, reason="BadCertificate")
    [finding] = found(site.mailpushd)
    assert (finding["check"], finding["level"]) == ("credential", "fail")
    assert "BadCertificate" in finding["why"]


@pytest.mark.parametrize("settings, why", [
    ({"apns_host": "no-such-host.invalid"}, "cannot resolve 'no-such-host.invalid'"),
    ({"apns_ca_file": None}, "the server's certificate is not trusted"),
    ({"apns_port": 1}, "Connection refused")])
def test_why_the_daemon_cannot_ask_apple_is_reported(ward, settings, why):
    site = ward(**settings)
    ill = wait_found(site.mailpushd, ("alarm", "fail"), ("credential", "fail"))
    assert all(why in f["why"] for f in ill), ill
    assert all("did not answer" not in f["why"] for f in ill)


def test_without_the_daemon_credentials_are_examined(ward, sim, tmp):
    site = ward(start=False)
    down = [("daemon", "fail"), ("socket", "fail")]
    certificate, key = sim.add_client("expired", TOPIC, "--days", "-1")
    with_credential(site, certificate=certificate, key=key)
    ill = wait_found(site.mailpushd, *down, ("credential", "fail"))
    assert "expired on" in next(f for f in ill if f["check"] == "credential")["why"]
    certificate, key = sim.add_client("soon", TOPIC, "--days", "9")
    with_credential(site, certificate=certificate, key=key)
    wait_found(site.mailpushd, *down, ("credential", "warn"))
    with_credential(site, certificate=certificate, key=sim.client_key)
    wait_found(site.mailpushd, *down, ("credential", "fail"))
    certificate, key = sim.add_client("other", OTHER_TOPIC)
    with_credential(site, certificate=certificate, key=key)
    ill = wait_found(site.mailpushd, *down, ("aps_topic", "fail"))
    assert next(f for f in ill if f["check"] == "aps_topic")["line"] == f"aps_topic: {OTHER_TOPIC}"
    with_credential(site, certificate=tmp / "missing.pem")
    wait_found(site.mailpushd, *down, ("credential", "fail"))


def test_an_apple_that_cannot_be_reached_or_trusted_is_found(ward, sim, tmp):
    site = ward(start=False)
    down = [("daemon", "fail"), ("socket", "fail")]
    site.mailpushd.write_conf(apns_ca_file=None)
    ill = wait_found(site.mailpushd, *down, ("apple", "fail"))
    assert "certificate" in next(f for f in ill if f["check"] == "apple")["why"]
    site.mailpushd.write_conf(apns_ca_file=sim.ca, apns_port=1)
    wait_found(site.mailpushd, *down, ("apple", "fail"))
    site.mailpushd.write_conf(apns_host="no-such-host.invalid", apns_port=443)
    wait_found(site.mailpushd, *down, ("apple", "fail"))
