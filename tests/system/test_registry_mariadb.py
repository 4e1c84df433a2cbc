"""What is MariaDB's alone of a registry in a database server."""

import signal

import pytest

import notify
from control import ctl_fine, get
from mailsite import BarePhone, new_user
from mariadb import Mariadb, programs
from ports import free_port
from selfsigned import certificates

pytestmark = pytest.mark.skipif(not programs(), reason="MariaDB is not installed (script/bootstrap)")


@pytest.fixture
def mariadb_with():
    """mariadb_with(*settings): a server that has them."""
    servers = []

    def make(*settings):
        servers.append(Mariadb(settings))
        servers[-1].make()
        return servers[-1]
    yield make
    for server in servers:
        server.remove()


@pytest.fixture
def mariadb(mariadb_with):
    return mariadb_with()


def test_with_tables_made_by_an_administrator_few_rights_are_enough(bare_site_for, mariadb):
    mariadb.sql("CREATE DATABASE strict; CREATE USER mailpush@'%'; DROP USER mailpush@localhost", database="")
    site = bare_site_for(start=False, registry=mariadb.url.replace("/mailpush?", "/strict?"))
    sql = ctl_fine(site.mailpushd, "schema", "--config", site.mailpushd.conf)
    assert sql == ctl_fine(site.mailpushd, "schema", "mariadb")
    mariadb.sql(sql, database="strict")
    site.mailpushd.start()
    one, other = site.registered_phone("INBOX", "Notes"), site.registered_phone()
    site.tell(notify.mail(one.user, "Notes", event="MailboxDelete"))
    ctl_fine(site.mailpushd, "prune")
    ctl_fine(site.mailpushd, "user", "remove", other.user, "--yes")
    site.deliver(one.user)
    site.told(one, "INBOX")
    assert get(site.mailpushd, "/status")["alarms"] == []


def test_a_server_that_stands_still_is_waited_for_no_longer_than_is_set(bare_site_for, mariadb):
    site = bare_site_for(registry=mariadb.url, registry_timeout="500ms")
    phone = site.registered_phone()
    mariadb.process.send_signal(signal.SIGSTOP)
    try:
        site.deliver(phone.user)
        site.mailpushd.wait_log("no answer within 500 ms.*alarm=registry state=begins")
    finally:
        mariadb.process.send_signal(signal.SIGCONT)
    site.told(phone, "INBOX")


def test_a_server_that_became_read_only_is_left(bare_site_for, mariadb):
    site = bare_site_for(registry=mariadb.url)
    phone = site.registered_phone()
    mariadb.sql("SET GLOBAL read_only = 1")
    site.deliver(phone.user)
    site.mailpushd.wait_log("read-only.*alarm=registry state=begins")
    mariadb.sql("SET GLOBAL read_only = 0")
    site.told(phone, "INBOX")


def test_a_url_that_cannot_be_read_ends_the_start(bare_site_for):
    site = bare_site_for(start=False, registry="mariadb://mailpush@db:port/mailpush")
    with pytest.raises(RuntimeError, match="not a url of a MariaDB database: a host is"):
        site.mailpushd.start()


# ---- over the network ----

@pytest.fixture(scope="module", name="certificates")
def certificates_of_the_module():
    with certificates("server", "client", "stranger") as pairs:
        yield pairs


@pytest.fixture
def on_network(mariadb_with, certificates):
    """A server with TLS, and a url of it without parameters."""
    port = free_port()
    certificate, key = certificates["server"]
    server = mariadb_with("skip-networking=0", "bind-address=0.0.0.0", f"port={port}", f"ssl-cert={certificate}",
                          f"ssl-key={key}", f"ssl-ca={certificates['client'][0]}")
    return server, f"mariadb://mailpush@localhost:{port}/mailpush"


def test_the_server_is_verified_and_a_stranger_is_not_trusted(bare_site_for, on_network, certificates):
    server, url = on_network
    server.sql("ALTER USER mailpush@localhost REQUIRE SSL")
    site = bare_site_for(registry=f"{url}?ssl_ca={certificates['server'][0]}")
    phone = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    other = bare_site_for(registry=f"{url}?ssl_ca={certificates['stranger'][0]}")
    other.deliver(phone.user)
    other.mailpushd.wait_log("registry 'mariadb://.*certificate.*alarm=registry state=begins")


def test_the_name_in_the_url_is_that_of_the_certificate(bare_site_for, on_network, certificates):
    # Connector/C 3.4 takes any name of 127.0.0.1.
    _, url = on_network
    site = bare_site_for(registry=f"{url.replace('localhost', '127.0.0.2')}?ssl_ca={certificates['server'][0]}")
    site.deliver(new_user())
    site.mailpushd.wait_log("registry 'mariadb://.*(certificate|Hostname verification failed).*alarm=registry state=begins")


def test_a_certificate_of_the_daemon_lets_it_in(bare_site_for, on_network, certificates):
    server, url = on_network
    server.sql("ALTER USER mailpush@localhost REQUIRE X509")
    url += f"?ssl_ca={certificates['server'][0]}"
    refused = bare_site_for(registry=url)
    refused.deliver(new_user())
    refused.mailpushd.wait_log("Access denied.*alarm=registry state=begins")
    certificate, key = certificates["client"]
    site = bare_site_for(registry=f"{url}&ssl_cert={certificate}&ssl_key={key}")
    phone = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")


def test_a_password_that_is_wrong_is_not_shown(bare_site_for, on_network, tmp_path):
    server, url = on_network
    server.sql("ALTER USER mailpush@localhost IDENTIFIED BY 'kept secret'")
    file = tmp_path / "password"
    file.write_text("not the secret\n")
    site = bare_site_for(registry=f"{url}?ssl_verify=no", registry_password_file=file)
    phone = BarePhone(new_user())
    site.register(phone)
    site.mailpushd.wait_log("Access denied.*alarm=registry state=begins")
    file.write_text("kept secret\n")
    site.told(phone, "INBOX")
    assert not [line for line in site.mailpushd.lines() if "secret" in line]


def test_the_next_host_is_taken(bare_site_for, on_network):
    _, url = on_network
    host = url.split("@")[1].split("/")[0]
    site = bare_site_for(registry=url.replace(host, f"localhost:{free_port()},{host}"))
    phone = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")
