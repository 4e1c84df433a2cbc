"""Credentials in all their forms, and what happens when they are replaced, broken or out of time."""

import os
import re
import shutil

import pytest

from apnssim import TOPIC, run, token_key
from control import ctl, ctl_fine, ctl_json, get
from mailsite import BarePhone, new_user
from waiting import wait_until
from wallclock import WallClock


@pytest.fixture
def files(tmp, sim):
    """The certificate and key that the daemon uses, to be replaced."""
    class Files:
        folder = tmp / "etc"
        certificate = folder / "certificate.pem"
        key = folder / "key.pem"

        def renewed(self, *extra):
            """Another certificate for the same topic, ready to be put in place."""
            return sim.add_client(f"renewed{next(numbers)}", TOPIC, *extra)

        def put(self, pair):
            for source, target in zip(pair, (self.certificate, self.key)):
                replace(source, target)

    numbers = iter(range(1000))
    files = Files()
    files.folder.mkdir()
    files.put((sim.client_cert, sim.client_key))
    return files


def replace(source, target):
    """Put a copy in place, whole from one moment to the next."""
    fresh = target.with_name(target.name + ".new")
    shutil.copy(source, fresh)
    os.replace(fresh, target)


@pytest.fixture
def clock(tmp):
    return WallClock(tmp)


@pytest.fixture
def site_with(bare_site_for, clock):
    """site_with(certificate=..., key=...): a daemon with this credential."""
    def make(**credential):
        site = bare_site_for(start=False)
        clock.under(site.mailpushd)
        site.mailpushd.credentials["main"] = credential
        site.mailpushd.write_conf()
        site.mailpushd.start()
        return site
    return make


@pytest.fixture
def site(site_with, files):
    return site_with(certificate=files.certificate, key=files.key)


def works(site, phone):
    site.deliver(phone.user)
    return site.told(phone, "INBOX")


def no_alarms(site, since=0):
    return [line for line in site.mailpushd.lines(since) if "alarm=credential" in line] == []


# ---- every form ----

@pytest.mark.parametrize("kind", ["chained", "p12", "old p12", "one file", "token key"])
def test_a_push_goes_out_with_every_kind_of_credential(site_with, sim, tmp, kind):
    passphrase = sim.dir / "passphrase"
    both = tmp / "both.pem"
    both.write_bytes(sim.client_cert.read_bytes() + sim.client_key.read_bytes())
    site = site_with(**{
        "chained": {"certificate": sim.dir / "client-chained.pem",
                    "key": sim.dir / "client-chained.key"},
        "p12": {"pkcs12": sim.dir / "client.p12", "passphrase_file": passphrase},
        "old p12": {"pkcs12": sim.dir / "client-old.p12", "passphrase_file": passphrase},
        "one file": {"certificate": both},
        "token key": token_key(sim),
    }[kind])
    phone = site.registered_phone()
    push, = works(site, phone)
    assert (push["provider_iat"] is not None) == (kind == "token key")


def test_neither_key_nor_token_is_ever_logged(site_with, sim):
    site = site_with(**token_key(sim))
    phone = site.registered_phone()
    sim.control(do="next", status=403, reason="InvalidProviderToken")
    site.deliver(phone.user)
    site.mailpushd.wait_log("Apple refuses pushes: 403 InvalidProviderToken")
    text = "\n".join(site.mailpushd.lines())
    body = "".join((sim.dir / "AuthKey_SIMKEY0001.p8").read_text().splitlines()[1:-1])
    assert body[:20] not in text and "eyJ" not in text and "bearer" not in text.lower()


# ---- provider tokens ----

def test_an_expired_token_is_renewed_only_when_it_may_be(site_with, sim):
    """One that is not 20 minutes old cannot have expired: our clock is wrong."""
    site = site_with(**token_key(sim))
    phone = site.registered_phone()
    sim.control(do="next", status=403, reason="ExpiredProviderToken")
    site.deliver(phone.user)
    site.mailpushd.wait_log("Apple refuses pushes: 403 ExpiredProviderToken.*state=begins")
    site.mailpushd.restart()
    site.told(phone, "INBOX")


def test_a_key_that_is_replaced_is_used_on_a_new_connection(site_with, sim, tmp):
    folder = tmp / "keys"
    folder.mkdir()
    p8 = folder / "AuthKey.p8"
    replace(sim.dir / "AuthKey_SIMKEY0001.p8", p8)
    run("--add-key", "SIMKEY0002", "--dir", sim.dir)
    site = site_with(**{**token_key(sim), "p8": p8})
    phone = site.registered_phone()
    before, = works(site, phone)
    since = len(site.mailpushd.log)
    replace(sim.dir / "AuthKey_SIMKEY0002.p8", p8)
    site.mailpushd.wait_log("credential in use credential=main", since=since)
    site.deliver(phone.user)
    site.mailpushd.wait_log("Apple refuses pushes: 403 InvalidProviderToken")
    site.mailpushd.stop()
    site.mailpushd.credentials["main"] = token_key(sim, "SIMKEY0002")
    site.mailpushd.write_conf()
    site.mailpushd.start()
    after = site.told(phone, "INBOX")[-1]
    assert after["connection"] > before["connection"]


# ---- replaced ----

def test_a_renewed_certificate_is_noticed_without_a_signal(site, files):
    phone = site.registered_phone()
    before, = works(site, phone)
    since = len(site.mailpushd.log)
    files.put(files.renewed())
    site.mailpushd.wait_log("credential in use credential=main", since=since)
    after, = works(site, phone)
    assert after["connection"] > before["connection"]
    assert no_alarms(site)


def test_a_pair_that_is_replaced_one_file_at_a_time_is_no_alarm(site, files):
    phone = site.registered_phone()
    certificate, key = files.renewed()
    replace(certificate, files.certificate)
    site.mailpushd.wait_log("files of a credential do not match")
    works(site, phone)
    since = len(site.mailpushd.log)
    replace(key, files.key)
    site.mailpushd.wait_log("credential in use credential=main", since=since)
    works(site, phone)
    assert no_alarms(site)


def test_a_pair_that_goes_on_not_to_fit_is_an_alarm_until_it_is_mended(site, files):
    """And mailpush.conf, which an administrator may be writing, is read at a reload alone."""
    phone = site.registered_phone()
    site.mailpushd.conf.write_text(site.mailpushd.conf.read_text() + "half writ")
    certificate, key = files.renewed()
    replace(certificate, files.certificate)
    site.mailpushd.wait_log(f"key '{files.key}' does not fit certificate '{files.certificate}'.*"
                            "alarm=credential-file:main state=begins", timeout=30)
    works(site, phone)
    replace(key, files.key)
    site.mailpushd.wait_log("alarm=credential-file:main state=ends")
    works(site, phone)
    assert [line for line in site.mailpushd.lines() if "alarm=reload" in line] == []


def test_a_section_that_is_renamed_is_in_force_by_its_new_name(site, sim):
    phone = site.registered_phone()
    site.mailpushd.credentials["mail"] = site.mailpushd.credentials.pop("main")
    site.mailpushd.write_conf()
    site.mailpushd.reload()
    site.mailpushd.wait_log("info daemon: reloaded")
    [credential] = get(site.mailpushd, "/status")["credentials"]
    assert credential["name"] == "mail" and credential["in_force"]
    assert "it is in force" in ctl_fine(site.mailpushd, "cert", "check")
    sim.control(do="next", status=403, reason="BadCertificate")
    site.deliver(phone.user)
    site.mailpushd.wait_log("Apple refuses pushes.*alarm=apns:mail state=begins")


def test_a_chain_that_is_added_is_used(site_with, sim, tmp):
    """Without it Apple does not know who signed the certificate."""
    chained = (sim.dir / "client-chained.pem").read_text()
    end = "-----END CERTIFICATE-----\n"
    certificate = tmp / "certificate.pem"
    certificate.write_text(chained[:chained.index(end) + len(end)])
    site = site_with(certificate=certificate, key=sim.dir / "client-chained.key")
    phone = BarePhone(new_user())
    site.register(phone)
    site.mailpushd.wait_log("refused our certificate.*alarm=apns:main state=begins")
    certificate.write_text(chained)
    site.told(phone, "INBOX")
    site.mailpushd.wait_log("alarm=apns:main state=ends")


def test_links_that_are_switched_as_certbot_does_are_noticed(site_with, files, tmp):
    live, archive = tmp / "live", tmp / "archive"
    live.mkdir()
    archive.mkdir()

    def deploy(number, pair):
        for name, source in zip(("cert", "key"), pair):
            shutil.copy(source, archive / f"{name}{number}.pem")
            link = live / f"{name}.pem"
            link.unlink(missing_ok=True)
            link.symlink_to(f"../archive/{name}{number}.pem")

    deploy(1, (files.certificate, files.key))
    site = site_with(certificate=live / "cert.pem", key=live / "key.pem")
    phone = site.registered_phone()
    since = len(site.mailpushd.log)
    deploy(2, files.renewed())
    site.mailpushd.wait_log("credential in use credential=main", since=since)
    works(site, phone)


def test_a_folder_that_is_switched_by_a_link_is_noticed(site_with, files, tmp):
    """As secrets are mounted into containers: two names lead through one link."""
    secrets = tmp / "secrets"
    secrets.mkdir()

    def deploy(number, pair):
        folder = secrets / f"..{number}"
        folder.mkdir()
        for name, source in zip(("cert.pem", "key.pem"), pair):
            shutil.copy(source, folder / name)
        (secrets / "..data.new").symlink_to(f"..{number}")
        os.replace(secrets / "..data.new", secrets / "..data")

    deploy(1, (files.certificate, files.key))
    for name in ("cert.pem", "key.pem"):
        (secrets / name).symlink_to(f"..data/{name}")
    site = site_with(certificate=secrets / "cert.pem", key=secrets / "key.pem")
    phone = site.registered_phone()
    since = len(site.mailpushd.log)
    deploy(2, files.renewed())
    site.mailpushd.wait_log("credential in use credential=main", since=since)
    works(site, phone)
    assert no_alarms(site)


def test_a_file_that_is_written_in_place_is_noticed(site, files):
    phone = site.registered_phone()
    since = len(site.mailpushd.log)
    for source, target in zip(files.renewed(), (files.certificate, files.key)):
        target.write_bytes(source.read_bytes())
    site.mailpushd.wait_log("credential in use credential=main", since=since)
    works(site, phone)


def test_a_bad_new_file_leaves_the_old_one_in_use(site, files):
    phone = site.registered_phone()
    files.certificate.write_text("spoilt\n")
    site.mailpushd.wait_log(f"'{files.certificate}' holds no certificate.*"
                            "alarm=credential-file:main state=begins")
    works(site, phone)
    files.put(files.renewed())
    site.mailpushd.wait_log("alarm=credential-file:main state=ends")
    works(site, phone)


def test_renewals_under_load_drop_nothing(site, files, sim):
    """Each certificate is replaced while pushes that were sent with it are not answered yet."""
    phones = [site.registered_phone() for _ in range(20)]
    sim.control(do="clear", counters=True)
    sim.control(do="delay", ms=30)
    for _ in range(3):
        since = len(site.mailpushd.log)
        for phone in phones:
            site.deliver(phone.user)
        files.put(files.renewed())
        site.mailpushd.reload()
        for phone in phones:
            site.deliver(phone.user)
        site.mailpushd.wait_log("credential in use credential=main", since=since)
        for phone in phones:
            works(site, phone)
    site.wait_nothing_waits()
    stats = sim.control(do="stats")
    assert stats["unanswered"] == 0
    assert set(stats["by_status"]) == {"200"}


def test_a_refusal_of_the_former_certificate_does_not_hold_the_new_one(site, files, sim):
    phone = site.registered_phone()
    sim.control(do="hold", on=True)
    site.deliver(phone.user)
    wait_until(lambda: sim.control(do="stats")["waiting"], what="the flight")
    since = len(site.mailpushd.log)
    files.put(files.renewed())
    site.mailpushd.reload()
    site.mailpushd.wait_log("credential in use credential=main", since=since)
    sim.control(do="next", status=403, reason="BadCertificate")
    sim.control(do="hold", on=False)
    site.told(phone, "INBOX")
    assert not any("alarm=apns:main" in line for line in site.mailpushd.lines())


# ---- out of time ----

def test_an_expired_certificate_holds_its_pushes_until_it_is_replaced(site_with, files):
    files.put(files.renewed("--days", "-3"))
    site = site_with(certificate=files.certificate, key=files.key)
    site.mailpushd.wait_log(r"certificate '\S+' expired on .*its pushes wait.*"
                            "alarm=credential-dates:main state=begins")
    phone = BarePhone(new_user())
    site.register(phone)
    site.deliver(phone.user)
    files.put(files.renewed())
    site.told(phone, "INBOX")
    site.mailpushd.wait_log("alarm=credential-dates:main state=ends")
    assert site.sim.control(do="stats")["handshakes_failed"] == 0


@pytest.fixture
def expired_site(site_with, files):
    """Its certificate has expired, and one push waits for a new one."""
    files.put(files.renewed("--days", "-3"))
    site = site_with(certificate=files.certificate, key=files.key)
    site.phone = BarePhone(new_user())
    site.register(site.phone)
    site.deliver(site.phone.user)
    wait_until(lambda: site.waiting_hashes(site.phone), what="a push that waits")
    return site


EXPIRED = r"certificate '\S+' expired on \d{4}-\d\d-\d\d, [23] days ago; renew it"


def test_the_trace_names_an_expired_certificate_as_what_a_push_waits_for(expired_site):
    [answer] = ctl_json(expired_site.mailpushd, "trace", expired_site.phone.user)
    assert re.search(EXPIRED, answer["devices"][0]["because"])
    assert re.search(f"a push is waiting: {EXPIRED}",
                     ctl_fine(expired_site.mailpushd, "trace", expired_site.phone.user))


def test_a_flush_says_that_an_expired_certificate_keeps_pushes_back(expired_site):
    [answer] = ctl_json(expired_site.mailpushd, "queue", "flush")
    [obstacle] = answer["cannot_go"]
    assert answer["flushed"] == 0
    assert (obstacle["why"], obstacle["count"], obstacle["topic"]) == ("trouble", 1, TOPIC)
    assert re.search(EXPIRED, obstacle["meaning"])


def test_a_test_push_names_an_expired_certificate(expired_site):
    done = ctl(expired_site.mailpushd, "push", expired_site.phone.user)
    assert done.returncode == 1
    assert re.search(f"no answer yet: {EXPIRED}", done.stdout)


def test_a_check_names_an_expired_certificate_once(expired_site):
    done = ctl(expired_site.mailpushd, "cert", "check")
    assert len(re.findall(EXPIRED, done.stdout)) == 1, done.stdout


def test_a_certificate_that_expires_meanwhile_holds_its_pushes(site_with, files, clock):
    files.put(files.renewed("--seconds", "-60:3600"))
    site = site_with(certificate=files.certificate, key=files.key)
    phone = site.registered_phone()
    site.mailpushd.wait_log("expires in less than a day.*alarm=credential-expiry:main state=begins")
    clock.set("+2h")
    site.mailpushd.wait_log("alarm=credential-dates:main state=begins")
    site.mailpushd.wait_log("alarm=credential-expiry:main state=ends")
    site.deliver(phone.user)
    files.put(files.renewed())
    site.told(phone, "INBOX")


def test_a_certificate_that_is_not_valid_yet_is_used_when_it_is(site_with, files, clock):
    files.put(files.renewed("--seconds", "-60:3600"))
    clock.set("-1h")
    site = site_with(certificate=files.certificate, key=files.key)
    site.mailpushd.wait_log("is not valid before .*alarm=credential-dates:main state=begins")
    phone = BarePhone(new_user())
    site.register(phone)
    clock.set("+0s")
    site.told(phone, "INBOX")
    site.mailpushd.wait_log("alarm=credential-dates:main state=ends")


def test_a_new_file_that_is_out_of_time_does_not_replace_a_good_one(site, files):
    phone = site.registered_phone()
    files.put(files.renewed("--days", "-3"))
    site.mailpushd.wait_log("expired on .*alarm=credential-file:main state=begins")
    works(site, phone)


def test_a_new_file_that_is_not_valid_yet_takes_over_when_it_is(site, files, clock):
    phone = site.registered_phone()
    since = len(site.mailpushd.log)
    clock.set("-1h")
    files.put(files.renewed("--seconds", "-60:3600"))
    site.mailpushd.wait_log("not valid before .*alarm=credential-file:main state=begins")
    works(site, phone)
    clock.set("+0s")
    site.mailpushd.wait_log("credential in use credential=main", since=since)
    site.mailpushd.wait_log("alarm=credential-file:main state=ends")
    works(site, phone)


def test_an_expiry_that_is_near_already_begins_and_does_not_worsen(site_with, files):
    files.put(files.renewed("--days", "5"))
    site = site_with(certificate=files.certificate, key=files.key)
    site.mailpushd.wait_log("alarm=credential-expiry:main state=begins")
    works(site, site.registered_phone())
    assert not [line for line in site.mailpushd.lines() if "state=worsens" in line]


def test_the_days_that_are_left_are_counted_from_thirty_on(site_with, files):
    files.put(files.renewed("--days", "20"))
    site = site_with(certificate=files.certificate, key=files.key)
    site.mailpushd.wait_log("expires in (19|20) days, on 20.*"
                            "alarm=credential-expiry:main state=begins")
    phone = site.registered_phone()
    files.put(files.renewed("--days", "40"))
    site.mailpushd.wait_log("alarm=credential-expiry:main state=ends")
    works(site, phone)


# ---- imapd.conf ----

def test_a_changed_imapd_conf_is_noticed_without_a_signal(site, imapd_conf):
    imapd_conf.write_text(imapd_conf.read_text().replace("altnamespace: yes", "altnamespace: no"))
    site.mailpushd.wait_log("info daemon: reloaded")
    phone = BarePhone(new_user(), ("INBOX/Notes",))
    site.register(phone)
    site.told(phone, *phone.mailboxes)
    site.deliver(phone.user, "Notes")
    site.told(phone, "INBOX/Notes")


def test_a_changed_file_that_imapd_conf_includes_is_noticed(site, imapd_conf, tmp):
    included = tmp / "more" / "namespace.conf"
    included.parent.mkdir()
    text = imapd_conf.read_text()
    included.write_text("altnamespace: yes\n")
    imapd_conf.write_text(text.replace("altnamespace: yes\n", f"@include: {included}\n"))
    site.mailpushd.wait_log("info daemon: reloaded")
    since = len(site.mailpushd.log)
    included.write_text("altnamespace: no\n")
    site.mailpushd.wait_log("info daemon: reloaded", since=since)
    phone = BarePhone(new_user(), ("INBOX/Notes",))
    site.register(phone)
    site.told(phone, *phone.mailboxes)
    site.deliver(phone.user, "Notes")
    site.told(phone, "INBOX/Notes")


def test_a_broken_imapd_conf_does_not_keep_a_certificate_from_being_renewed(
        site, files, imapd_conf):
    phone = site.registered_phone()
    since = len(site.mailpushd.log)
    imapd_conf.write_text("altnamespace: perhaps\n")
    files.put(files.renewed())
    site.mailpushd.wait_log("credential in use credential=main", since=since)
    site.mailpushd.wait_log("the previous settings stay in force.*alarm=reload state=begins")
    works(site, phone)
