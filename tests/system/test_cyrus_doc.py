"""docs/cyrus.md: what an administrator is told to write brings the real Cyrus to a push."""

import os
import re
import shutil
import subprocess

import pytest

import cyrus as cyrus_module
from apnssim import TOPIC
from control import get
from cyrus import SERVICE_USER, Cyrus, is_since, programs
from docpage import Page, check_exercised
from mailpushd import REPOSITORY, binary
from mailsite import MailSite, new_user
from waiting import wait_until

PAGE = Page("cyrus.md")
OF_PAGE = ("event_notifier", "event_groups", "event_extra_params", "notifysocket", "aps_topic")

# Of each block a word, and what exercises it: a test of this file, or another file.
EXERCISED = {
    "script/package": "tests/package/built.py",
    "meson install": "tests/package/test_from_source.py",
    "install -o root": "the_page",
    "credential \"mail\"": "the_page",
    "event_notifier:": "the_page",
    "notifysocket: /run/mailpush/notify": "datagram",
    "socket_group": "another_user",
    "usermod": "tests/package/test_from_source.py",
    "imaps cmd=": "port_for_phones",
    "mailpushd -n": "checks",
    "XAPPLEPUSHSERVICE": "checks",
    "mailpushctl devices --user": "the_page",
    "mailpushctl push": "the_page",
    "group \"staff\"": "group",
    "forward_socket": "not_an_event",
    "notify_external:": "stay_in_between",
    "notifyd -m external": "stay_in_between",
    "mailpush.socket": "tests/systemd/test_unit.py",
}


def test_no_block_stands_there_that_nothing_exercises():
    check_exercised(PAGE, EXERCISED, __file__)


# ---- the page, at a site below tmp ----

def settings(word):
    """A block of imapd.conf as settings."""
    return dict(re.findall(r"^(\w+): (.*)$", PAGE.block(word), flags=re.M))


@pytest.fixture
def places(tmp):
    """The page's places, and where they are in a test; nobody here is called mailpush."""
    etc, run = tmp / "etc", tmp / "run"
    etc.mkdir()
    run.mkdir()
    return {"/etc/mailpush": etc, "/run/mailpush": run, "-o root -g mailpush ": "",
            "runuser -u mailpush -- ": "", "runuser -u cyrus -- ":
            f"runuser -u {SERVICE_USER} -- " if os.geteuid() == 0 else ""}


def replaced(text, places):
    for name, place in places.items():
        text = text.replace(name, str(place))
    return text


@pytest.fixture
def type_(places, tmp):
    """type_(text, name=place): run a block as a shell does and return what it prints."""
    def run(text, **more):
        done = subprocess.run(["sh", "-euc", replaced(text, {**places, **more})], cwd=tmp,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
    return run


@pytest.fixture
def cyrus_as_told(private_cyrus, places):
    """cyrus_as_told(**more): a Cyrus whose notifications are set up by the page alone."""
    def make(**more):
        told = {**dict.fromkeys(OF_PAGE), **settings("event_notifier:"), **more}
        told = {name: value and replaced(value, places) for name, value in told.items()}
        return private_cyrus(notify=places["/run/mailpush"] / "cyrus", **told)
    return make


@pytest.fixture
def daemon_as_told(mailpushd, places):
    """daemon_as_told(cyrus, block...): a daemon with what these blocks of the page say."""
    def make(server, *blocks, names=(), **more):
        text = "".join(replaced(PAGE.block(block), {**places, **dict(names)}) for block in blocks)
        run = places["/run/mailpush"]
        daemon = mailpushd(server, start=False, stream_socket=run / "cyrus",
                           notify_socket=run / "notify", **more)
        if "credential" in text:
            daemon.credentials = {}
        daemon.write_conf(**dict.fromkeys(re.findall(r"^(\w+) =", text, flags=re.M)))
        with open(daemon.conf, "a", encoding="utf-8") as conf:
            conf.write(text)
        return daemon
    return make


@pytest.fixture
def join(sim):
    """join(cyrus, daemon): start the daemon, and have both as a site."""
    sites = []

    def make(server, daemon):
        sites.append(MailSite(server, daemon.start(), sim))
        return sites[-1]
    yield make
    for site in sites:
        site.close()


def chimes(site, *folders):
    """A phone registers and is told of new mail."""
    user = site.create_user(*folders)
    names = ["INBOX", *(site.cyrus.client_name(folder) for folder in folders)]
    phone = site.registered_phone(user, *names)
    for path, name in zip([(), *((folder,) for folder in folders)], names):
        site.deliver(user, *path)
        site.told(phone, name)
    return phone


def test_the_page_leads_from_nothing_to_a_phone_that_chimes(cyrus_as_told, daemon_as_told, join,
                                                            type_, tmp, sim):
    shutil.copy(sim.client_cert, tmp / "certificate.pem")
    shutil.copy(sim.client_key, tmp / "key.pem")
    type_(PAGE.block("install -o root"))
    server = cyrus_as_told()
    daemon = daemon_as_told(server, "credential \"mail\"")
    site = join(server, daemon)
    phone = chimes(site, "Notes")
    ctl = {"mailpushctl": f"{binary().parents[1]}/ctl/mailpushctl --socket "
                          f"{daemon.control_socket}", "alice": phone.user}
    assert phone.user in type_(PAGE.block("mailpushctl devices --user"), **ctl)
    assert "200" in type_(PAGE.block("mailpushctl push"), **ctl)
    site.told(phone, "INBOX")
    daemon.wait_log(f"phone registered user={phone.user} ")


def test_without_a_certificate_phones_register_and_are_pushed_to_when_it_is_there(
        cyrus_as_told, daemon_as_told, join, type_, tmp, sim):
    server = cyrus_as_told()
    daemon = daemon_as_told(server)
    daemon.credentials = {}
    daemon.write_conf()
    site = join(server, daemon)
    phone = site.phone(site.create_user())
    phone.register("INBOX")
    daemon.wait_log(f"phone registered user={phone.user} ")
    daemon.credentials = {"mail": {"certificate": sim.client_cert, "key": sim.client_key}}
    daemon.write_conf()
    daemon.restart()
    site.told_inbox(phone)


def test_datagrams_come_where_the_page_says(cyrus_as_told, daemon_as_told, join):
    server = cyrus_as_told(**settings("notifysocket: /run/mailpush/notify"))
    chimes(join(server, daemon_as_told(server)), "Notes")


def test_another_user_in_another_group_is_let_in(cyrus_as_told, daemon_as_told, join):
    server = cyrus_as_told()
    daemon = daemon_as_told(server, "socket_group", names={"imap": SERVICE_USER}.items())
    chimes(join(server, daemon))


CHECKS = PAGE.block("XAPPLEPUSHSERVICE")
PRINTED = "".join(f"{word}\n" for word in re.findall(r" # (\w+)$", CHECKS, flags=re.M))


def checks_of(site):
    """Where the checks find this site."""
    return {"localhost:993": f"127.0.0.1:{site.cyrus.imaps_port}",
            "mailpushctl": f"{binary().parents[1]}/ctl/mailpushctl --socket "
                           f"{site.mailpushd.control_socket}"}


def test_the_checks_print_what_stands_behind_them(cyrus_as_told, daemon_as_told, join, type_):
    server = cyrus_as_told()
    daemon = daemon_as_told(server)
    check, = [line for line in PAGE.block("mailpushd -n").split("\n") if "mailpushd" in line]
    assert type_(check, **{"mailpushd -n": f"{binary()} -n -c {daemon.conf}"}) == \
        f"{daemon.conf}: ok\n"
    site = join(server, daemon)
    site.deliver(site.create_user())
    wait_until(lambda: "MessageNew" in str(get(daemon, "/status")["events"]), what="the mail")
    assert type_(CHECKS, **checks_of(site)) == PRINTED == \
        "writable\nMessageNew\nXAPPLEPUSHSERVICE\n"


def test_the_checks_do_not_pass_while_cyrus_emits_no_events(cyrus_as_told, daemon_as_told, join,
                                                            type_):
    """Cyrus from 3.10 on prints the capability all the same."""
    server = cyrus_as_told(event_notifier=None)
    site = join(server, daemon_as_told(server))
    site.deliver(site.create_user())
    assert type_("(set +e\n" + CHECKS + ") || true", **checks_of(site)).split() == \
        ["writable", *(["XAPPLEPUSHSERVICE"] if is_since(3, 10) else [])]


def test_the_port_for_phones_is_served(cyrus_as_told, daemon_as_told, join):
    server = cyrus_as_told()
    path = server.dir / "cyrus.conf"
    line = PAGE.block("imaps cmd=").strip()
    told = line.replace('"imapd', f'"{server.dir}/programs/usr/lib/cyrus/bin/imapd '
                        f'-C {server.dir}/imapd.conf').replace(
        '"imaps"', f'"127.0.0.1:{server.imaps_port}"')
    server.stop()
    path.write_text(re.sub(r"^  imaps .*$", f"  {told}", path.read_text(), flags=re.M))
    assert told in path.read_text()
    server.start()
    chimes(join(server, daemon_as_told(server)))


def test_a_key_that_stands_there_twice_keeps_cyrus_from_starting(tmp):
    server = Cyrus(notify=tmp / "cyrus")
    try:
        with open(server.dir / "imapd.conf", "a", encoding="utf-8") as conf:
            conf.write("notifysocket: /run/cyrus/socket/notify\n")
        with pytest.raises((RuntimeError, TimeoutError, OSError)):
            server.start()
        assert "notifysocket" in (server.dir / "master.log").read_text() + \
            "\n".join(server.syslog.all())
    finally:
        server.remove()


def test_a_folder_with_a_junk_attribute_is_silent_until_another_is_set(
        cyrus_as_told, daemon_as_told, join):
    for exclude in (None, "\\Trash"):
        server = cyrus_as_told(event_exclude_specialuse=exclude)
        site = join(server, daemon_as_told(server))
        user = site.create_user("Notes")
        phone = site.phone(user)
        phone._ok(phone.connection.xatom("CREATE", '"Spam"', "(USE (\\Junk))"))
        phone.register("INBOX", "Spam", "Notes")
        site.told(phone, "INBOX", "Spam", "Notes")
        phone.append("Spam")
        site.deliver(user, "Notes")
        site.told(phone, *(["Notes"] if exclude is None else ["Spam", "Notes"]))
        site.mailpushd.stop()
        server.stop()


# ---- namespaces ----

def columns(row):
    """What a row says: the settings, and the four names."""
    return dict(zip(("altnamespace", "unixhierarchysep", "virtdomains"), row)), row[3:]


def test_the_table_has_all_namespaces():
    rows = PAGE.table("altnamespace")
    assert len({tuple(row[:3]) for row in rows}) == len(rows) == 8


@pytest.mark.parametrize("row", PAGE.table("altnamespace"), ids=lambda row: "-".join(row[:3]))
def test_a_row_of_the_table_is_what_a_phone_registers(site_for, row):
    options, (own, nested, others, shared) = columns(row)
    site = site_for(cyrus={"altnamespace": options["altnamespace"] == "yes",
                           "unixhierarchysep": options["unixhierarchysep"] == "yes",
                           "virtdomains": options["virtdomains"]})
    domain = "example.org" if options["virtdomains"] != "off" else None
    at = f"@{domain}" if domain else ""
    admin = site.cyrus.admin
    user = site.create_user("Notes", ("Projekte", "Entwürfe"), user=new_user(domain))
    local = new_user()
    jane = site.create_user("Notes", user=f"jane.{local}{at}")
    admin.setacl(site.cyrus.admin_name(jane, "Notes"), user, "lrs")
    team = f"team{local}"
    admin.create(f"{team}{at}")
    admin.setacl(f"{team}{at}", user, "lrsip")
    others = others.replace("doe", local)
    shared = shared.replace("team", team)

    phone = site.phone(user)
    names = ["INBOX", own, nested, others, shared]
    assert phone.register(*names).mailboxes == names
    site.told(phone, *names)
    for folder, name in (((), "INBOX"), (("Notes",), own), (("Projekte", "Entwürfe"), nested)):
        site.deliver(user, *folder)
        site.told(phone, name)
    site.deliver(jane, "Notes")
    site.told(phone, others)
    phone.append(shared)
    site.told(phone, shared)
    assert user in site.registrations("user")


# ---- others' mailboxes, other handlers ----

def test_members_of_a_group_are_pushed_to_by_the_acl(cyrus_as_told, daemon_as_told, join):
    server = cyrus_as_told(virtdomains="userid")
    daemon = daemon_as_told(server, "group \"staff\"")
    site = join(server, daemon)
    site.create_user(user="alice")
    site.create_user(user="bob")
    server.add_to_group("staff", "alice")
    server.admin.create("team")
    server.admin.setacl("team", "group:staff", "lrsip")
    alice = site.phone("alice")
    alice.register("INBOX", "Shared Folders/team")
    site.told(alice, "INBOX", "Shared Folders/team")
    alice.append("Shared Folders/team")
    site.told(alice, "Shared Folders/team")


def test_what_is_not_an_event_reaches_notifyd_as_before(cyrus_as_told, daemon_as_told, join):
    server = cyrus_as_told(mailnotifier="external")
    daemon = daemon_as_told(server, "forward_socket",
                            names={"/run/cyrus/socket/notify": server.notifyd}.items())
    site = join(server, daemon)
    phone = chimes(site)
    wait_until(lambda: ["MAIL"] == [arguments[1] for arguments, _ in server.notified()
                                    if arguments[5] == phone.user], what="what notifyd is told")


def test_a_notifyd_may_stay_in_between(private_cyrus, monkeypatch, mailpushd, join):
    line = PAGE.block("notifyd -m external")
    monkeypatch.setattr(cyrus_module, "NOTIFYD", "  external" + line.removeprefix("notify")
                        .replace('"notifyd', '"{bin}/notifyd -C {dir}/imapd.conf')
                        .replace("/run/cyrus/socket", "{dir}/conf/socket"))
    external, = settings("notify_external:").items()
    assert external == ("notify_external", "/usr/sbin/mailpush-notify")
    told = settings("event_notifier:")
    server = private_cyrus(transport="notifyd", **{name: told[name] for name in OF_PAGE
                                                   if name != "notifysocket"})
    assert f"notify_external: {server.dir}/mailpush-notify\n" in \
        (server.dir / "imapd.conf").read_text()
    chimes(join(server, mailpushd(server, start=False)), "Notes")


# ---- what the page names ----

def test_the_units_that_the_page_names_are_there():
    ours = {path.name.removesuffix(".in") for path in
            (REPOSITORY / "packaging/systemd").iterdir()}
    theirs = {path.name for path in programs().rglob("systemd/system/*")}
    named = re.findall(r"systemctl (?:enable --now|disable --now|start|stop|restart|status) ([\w.-]+)",
                       PAGE.text)
    assert len(named) > 5
    for name in named:
        assert (name if "." in name else f"{name}.service") in ours | theirs, name


def test_the_places_that_the_page_names_are_debians():
    shipped = programs() / "etc"
    assert "\nnotifysocket: /run/cyrus/socket/notify\n" in (shipped / "imapd.conf").read_text()
    assert 'cmd="notifyd" listen="/run/cyrus/socket/notify"' in (shipped / "cyrus.conf").read_text()


def test_what_the_page_says_is_logged_is_what_is_logged():
    ours = "".join(path.read_text() for path in (REPOSITORY / "src").rglob("*.c"))
    theirs = next(programs().glob("usr/lib/*/libcyrus_imap.so.0")).read_bytes()
    for text in ("phone registered", "not allowed to send events"):
        assert f"`{text}`" in PAGE.text and text in ours
    for text in ("unable to sendto() socket", "failed to connect"):
        assert f"`{text}`" in PAGE.text and text.encode() in theirs


def test_the_topic_of_the_page_is_one_that_mail_listens_to():
    assert settings("event_notifier:")["aps_topic"] == TOPIC
