"""mailpushctl cert inspect: what files of certificates and keys are, and which match."""

import json
import subprocess

import pytest

from apnssim import TOPIC
from control import ctl, ctl_fine, ctl_json


@pytest.fixture
def daemon(bare_site_for):
    """It does not run, and is not asked."""
    return bare_site_for(start=False).mailpushd


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture
def rsa(tmp):
    """An RSA key, and a certificate for it as macOS Server got them."""
    key, certificate = tmp / "rsa.key", tmp / "rsa.pem"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
            "-days", "9", "-subj", f"/UID={TOPIC}/CN=APSP")
    return certificate, key


def inspected(daemon, *files):
    """By file, with whether all can be used."""
    done = ctl(daemon, "--json", "cert", "inspect", *files)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [f["file"] for f in found] == [str(path) for path in files]
    assert done.returncode == (1 if any("why" in f for f in found) else 0)
    return found


def test_certificates_are_inspected_without_the_daemon(daemon, sim, tmp):
    text = ctl_fine(daemon, "cert", "inspect", sim.client_cert)
    assert f"topics     {TOPIC}\n" in text
    assert "no key in this file" in text
    both = tmp / "both.pem"
    both.write_bytes(sim.client_cert.read_bytes() + sim.client_key.read_bytes())
    [found] = ctl_json(daemon, "cert", "inspect", both)
    assert found["topics"][0] == TOPIC and found["has_key"] and "why" not in found
    other = tmp / "mixed.pem"
    other.write_bytes(sim.client_cert.read_bytes() + sim.add_client("x", "com.example")[1].read_bytes())
    done = ctl(daemon, "cert", "inspect", other)
    assert done.returncode == 1 and "NOT USABLE" in done.stdout
    done = ctl(daemon, "cert", "inspect", "/etc/passwd", tmp / "missing", tmp)
    assert done.returncode == 1
    assert "holds neither a certificate nor a key" in done.stderr
    assert "missing': No such file" in done.stderr and "is not a file" in done.stderr


@pytest.mark.parametrize("ciphers", [[], ["-legacy"]])
def test_a_pkcs12_file_is_inspected_with_its_passphrase(daemon, sim, tmp, ciphers):
    path, passphrase = tmp / "apns.p12", tmp / "passphrase"
    passphrase.write_text("secret\n")
    subprocess.run(["openssl", "pkcs12", "-export", *ciphers, "-in", sim.client_cert, "-inkey",
                    sim.client_key, "-out", path, "-passout", f"file:{passphrase}"], check=True)
    [found] = ctl_json(daemon, "cert", "inspect", path, "--passphrase-file", passphrase)
    assert found["kind"] == "pkcs12" and found["topics"][0] == TOPIC
    assert found["has_key"] and "why" not in found
    text = ctl_fine(daemon, "cert", "inspect", "--passphrase-file", passphrase, path)
    assert f"topics     {TOPIC}\n" in text and "match" in text
    passphrase.write_text("wrong\n")
    done = ctl(daemon, "cert", "inspect", "--passphrase-file", passphrase, path)
    assert done.returncode == 1 and "NOT USABLE" in done.stdout and "passphrase" in done.stdout
    done = ctl(daemon, "cert", "inspect", path)
    assert done.returncode == 1 and "set passphrase_file" in done.stdout


def test_a_token_key_is_inspected(daemon, tmp):
    path = tmp / "AuthKey_ABC123DEFG.p8"
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-out", path], check=True)
    [found] = ctl_json(daemon, "cert", "inspect", path)
    assert found == {"file": str(path), "kind": "p8", "algorithm": "EC P-256",
                     "key_id": "ABC123DEFG"}
    text = ctl_fine(daemon, "cert", "inspect", path)
    assert "signs provider tokens" in text and "key_id     ABC123DEFG" in text
    other = path.rename(tmp / "key.p8")
    assert ctl_json(daemon, "cert", "inspect", other)[0]["key_id"] is None
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-out", other], check=True)
    done = ctl(daemon, "cert", "inspect", other)
    assert done.returncode == 1 and "cannot sign provider tokens" in done.stdout
    other.write_text("-----BEGIN PRIVATE KEY-----\n!!!!\n")
    assert "NOT USABLE" in ctl(daemon, "cert", "inspect", other).stdout
    other.write_bytes(b"\x30\x82rubbish")
    assert "NOT USABLE" in ctl(daemon, "cert", "inspect", other).stdout


# ---- what a file is ----

def test_a_key_alone_is_said_to_be_one(daemon, rsa):
    [found] = inspected(daemon, rsa[1])
    assert found == {"file": str(rsa[1]), "kind": "key", "algorithm": "RSA, 2048 bits",
                     "certificates": [], "may_sign": False}
    text = ctl_fine(daemon, "cert", "inspect", rsa[1])
    assert text == (f"{rsa[1]}: private key\n  algorithm  RSA, 2048 bits\n"
                    "  the key of a certificate: name both files to see whether they match\n")


def test_an_ec_key_is_not_taken_for_one_that_signs(daemon, sim):
    [found] = inspected(daemon, sim.client_key)
    assert (found["kind"], found["algorithm"], found["may_sign"]) == ("key", "EC P-256", True)
    text = ctl_fine(daemon, "cert", "inspect", sim.client_key)
    assert "the key of a certificate" in text and "its name ends in .p8" in text


def test_a_key_that_is_encrypted_needs_its_passphrase(daemon, rsa, tmp):
    encrypted, passphrase = tmp / "encrypted.pem", tmp / "passphrase"
    passphrase.write_text("secret\n")
    openssl("pkey", "-in", rsa[1], "-aes256", "-passout", f"file:{passphrase}", "-out", encrypted)
    [found] = inspected(daemon, encrypted)
    assert found["kind"] == "key" and "is encrypted; set passphrase_file" in found["why"]
    [found] = ctl_json(daemon, "cert", "inspect", "--passphrase-file", passphrase, encrypted)
    assert found["algorithm"] == "RSA, 2048 bits"


def test_the_file_that_apple_gives_is_known(daemon, sim, tmp):
    der = tmp / "aps.cer"
    openssl("x509", "-in", sim.client_cert, "-outform", "DER", "-out", der)
    [found] = inspected(daemon, der)
    assert found["kind"] == "certificate" and found["topics"][0] == TOPIC
    assert "openssl x509 -inform DER" in found["why"]


def test_a_request_is_no_certificate(daemon, rsa, tmp):
    request = tmp / "request.pem"
    openssl("req", "-new", "-key", rsa[1], "-subj", "/CN=push", "-out", request)
    [found] = inspected(daemon, request)
    assert found["kind"] == "request" and "upload it to Apple" in found["why"]


@pytest.mark.parametrize("days, said", [
    (("--days", "-3"), "days ago; renew it"), (("--seconds", "200000:300000"), "in 2 days; check")])
def test_a_certificate_out_of_its_time_cannot_be_used(daemon, sim, days, said):
    certificate, key = sim.add_client("odd", TOPIC, *days)
    [alone] = inspected(daemon, certificate)
    assert said in alone["why"]
    pair, _ = inspected(daemon, certificate, key)
    assert said in pair["why"] and pair["key"] == str(key)


# ---- which match ----

@pytest.mark.parametrize("order", [1, -1])
def test_a_certificate_and_its_key_are_put_together(daemon, rsa, sim, order):
    for pair in (rsa, (sim.client_cert, sim.client_key)):
        certificate, key = inspected(daemon, *pair[::order])[::order]
        assert certificate["key"] == str(pair[1]) and not certificate["has_key"]
        assert key["certificates"] == [str(pair[0])] and not key["may_sign"]
    text = ctl_fine(daemon, "cert", "inspect", *rsa)
    assert f"  its key    {rsa[1]}\n" in text and f"  fits       {rsa[0]}\n" in text


def test_files_that_do_not_fit_each_other_are_said_not_to(daemon, rsa, sim):
    certificate, key = inspected(daemon, sim.client_cert, rsa[1])
    assert "no key in these files matches it" in certificate["why"] and "key" not in certificate
    assert "matches no certificate in these files" in key["why"]
    text = ctl(daemon, "cert", "inspect", sim.client_cert, rsa[1]).stdout
    assert text.count("NOT USABLE") == 2


def test_each_of_many_files_finds_its_own(daemon, rsa, sim):
    first, second, third, fourth = inspected(
        daemon, rsa[1], sim.client_cert, sim.client_key, rsa[0])
    assert first["certificates"] == [str(rsa[0])] and fourth["key"] == str(rsa[1])
    assert third["certificates"] == [str(sim.client_cert)] and second["key"] == str(sim.client_key)


def test_a_token_key_beside_a_certificate_is_no_misfit(daemon, sim):
    p8 = sim.dir / "AuthKey_SIMKEY0001.p8"
    certificate, token_key = inspected(daemon, sim.client_cert, p8)
    assert token_key["kind"] == "p8" and "key" not in certificate


def test_a_pair_is_judged_as_the_daemon_does(daemon, sim):
    certificate, _ = inspected(daemon, *sim.add_client("other", "com.example.other"))
    assert "iOS Mail does not listen to" in certificate["why"]
