"""A registry in PostgreSQL over the network: who the server is, who the daemon is, and where passwords are."""

import os
import shutil

import pytest

from mailsite import BarePhone, new_user
from ports import free_port
from postgresql import Postgresql, programs
from selfsigned import certificates

pytestmark = pytest.mark.skipif(not programs(), reason="PostgreSQL is not installed (script/bootstrap)")

SECRET = "kept secret"


@pytest.fixture(scope="module", name="certificates")
def certificates_of_the_module():
    with certificates("server", "client", "stranger") as pairs:
        yield pairs


class OnNetwork:
    """A server that is reached by TLS alone, by this rule of its pg_hba.conf."""

    def __init__(self, pairs, rule, port):
        self.server = Postgresql(password=SECRET)
        self.port = port
        certificate, key = pairs["server"]
        self.key = self.server.folder / "server.key"
        shutil.copyfile(key, self.key)
        self.key.chmod(0o600)
        self.server.own(self.key)
        self.server.settings = ("listen_addresses=127.0.0.1,127.0.0.2", "ssl=on", f"ssl_cert_file={certificate}",
                                f"ssl_key_file={self.key}", f"ssl_ca_file={pairs['client'][0]}")
        self.rule = rule

    def make(self):
        self.server.make()
        rules = self.server.data / "pg_hba.conf"
        local = [line for line in rules.read_text().splitlines() if line.startswith("local")]
        rules.write_text("\n".join([*local, f"hostssl all all 127.0.0.0/8 {self.rule}", ""]))
        self.server.sql("SELECT pg_reload_conf()")
        return self

    def url(self, *parameters, host="localhost"):
        return f"postgresql://mailpush@{host}:{self.port}/mailpush?" + "&".join(parameters)

    def is_encrypted(self):
        return self.server.sql("SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                               " WHERE application_name = 'mailpush'") == "t"


@pytest.fixture
def on_network(certificates, monkeypatch):
    """on_network(rule): one whose port its own programs know too."""
    made = []

    def make(rule="trust"):
        port = free_port()
        monkeypatch.setenv("PGPORT", str(port))
        made.append(OnNetwork(certificates, rule, port))
        return made[-1].make()
    yield make
    for one in made:
        one.server.remove()


def pushes(site):
    phone = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_the_server_is_verified_and_a_stranger_is_not_trusted(bare_site_for, on_network, certificates):
    place = on_network()
    verified = "sslmode=verify-full"
    pushes(bare_site_for(registry=place.url(verified, f"sslrootcert={certificates['server'][0]}")))
    assert place.is_encrypted()
    other = bare_site_for(registry=place.url(verified, f"sslrootcert={certificates['stranger'][0]}"))
    other.deliver(new_user())
    other.mailpushd.wait_log("registry 'postgresql://.*certificate verify failed.*alarm=registry state=begins")


def test_the_name_in_the_url_is_that_of_the_certificate(bare_site_for, on_network, certificates):
    place = on_network()
    root = f"sslrootcert={certificates['server'][0]}"
    site = bare_site_for(registry=place.url("sslmode=verify-full", root, host="127.0.0.2"))
    site.deliver(new_user())
    site.mailpushd.wait_log('does not match host name "127.0.0.2".*alarm=registry state=begins')
    pushes(bare_site_for(registry=place.url("sslmode=verify-ca", root, host="127.0.0.2")))


def test_a_certificate_of_the_daemon_lets_it_in(bare_site_for, on_network, certificates, tmp):
    place = on_network("trust clientcert=verify-ca")
    verified = ("sslmode=verify-full", f"sslrootcert={certificates['server'][0]}")
    refused = bare_site_for(registry=place.url(*verified))
    refused.deliver(new_user())
    refused.mailpushd.wait_log("requires a valid client certificate.*alarm=registry state=begins")
    certificate, key = certificates["client"]
    shutil.copyfile(key, tmp / "client.key")
    (tmp / "client.key").chmod(0o600)       # libpq takes no key that others may read
    pushes(bare_site_for(registry=place.url(*verified, f"sslcert={certificate}", f"sslkey={tmp}/client.key")))


def test_a_pipe_in_the_place_of_a_certificate_is_not_waited_for(bare_site_for, on_network, certificates, tmp):
    place = on_network()
    root = tmp / "root.pem"
    os.mkfifo(root)
    site = bare_site_for(registry=place.url("sslmode=verify-full", f"sslrootcert={root}"))
    phone = BarePhone(new_user())
    site.register(phone)
    site.mailpushd.wait_log(f"cannot read '{root}': it is not a regular file.*alarm=registry state=begins")
    root.unlink()
    shutil.copyfile(certificates["server"][0], root)
    site.told(phone, "INBOX")


def test_a_password_comes_from_the_pass_file_of_the_library(bare_site_for, on_network, certificates, tmp):
    place = on_network("scram-sha-256")
    file = tmp / "pgpass"
    file.write_text(f"localhost:{place.port}:mailpush:mailpush:not the secret\n")
    file.chmod(0o600)
    site = bare_site_for(registry=place.url(
        "sslmode=verify-full", f"sslrootcert={certificates['server'][0]}", f"passfile={file}"))
    phone = BarePhone(new_user())
    site.register(phone)
    site.mailpushd.wait_log("password authentication failed.*alarm=registry state=begins")
    file.write_text(f"localhost:{place.port}:mailpush:mailpush:{SECRET}\n")
    site.told(phone, "INBOX")
    assert not [line for line in site.mailpushd.lines() if "secret" in line]


def test_a_service_has_all_that_the_url_does_not_say(bare_site_for, on_network, certificates, tmp, monkeypatch):
    place = on_network("scram-sha-256")
    file = tmp / "pg_service.conf"
    file.write_text(f"[mail]\nhost=localhost\nport={place.port}\ndbname=mailpush\nuser=mailpush\npassword={SECRET}\n"
                    f"sslmode=verify-full\nsslrootcert={certificates['server'][0]}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    site = bare_site_for(registry="postgresql://?service=mail")
    pushes(site)
    assert place.is_encrypted()
    assert not [line for line in site.mailpushd.lines() if "secret" in line]
