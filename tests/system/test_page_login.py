"""Phones and timelines over http_listen: only with a login, read only, and written down."""

import base64
import http.client
import json
import re
import socket
import subprocess

import pytest

from control import ask, fetch, fetch_tcp, UnixConnection
from docpage import Page
from mailsite import BarePhone, new_user
from ports import free_port
from waiting import wait_until

ALICE = "alice", "0123456789abcdef0123456789abcdef"
BOB = "bob", "bob-0123456789abcdef0123456789"
BEHIND = ("/phones", "/devices", "/trace?user=someone")


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def tokens(tmp):
    path = tmp / "tokens"
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}:{token}\n" for name, token in (ALICE, BOB)))
    return path


@pytest.fixture
def site(bare_site_for, port, tokens):
    return bare_site_for(http_listen=f"127.0.0.1:{port}", page_login=f"token:{tokens}")


@pytest.fixture
def headed_site(bare_site_for, port):
    return bare_site_for(http_listen=f"127.0.0.1:{port}", page_login="header:X-Remote-User")


def basic(name, token):
    return "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()


def look(port, path, login=ALICE, **headers):
    status, text, answered = fetch_tcp(port, path, Authorization=basic(*login), **headers)
    return status, text if "html" in answered["Content-Type"] else json.loads(text)


# ---- who gets in ----

def test_without_page_login_there_is_nothing_to_log_in_to(bare_site_for, port):
    bare_site_for(http_listen=f"127.0.0.1:{port}")
    for path in BEHIND:
        assert look(port, path)[0] == 404
    assert json.loads(fetch_tcp(port, "/status-page.json")[1])["phones"] is False


@pytest.mark.parametrize("path", BEHIND)
def test_a_name_with_its_token_gets_in_and_nobody_else(site, port, path):
    assert look(port, path)[0] == 200
    assert look(port, path, BOB)[0] == 200
    for wrong in ((ALICE[0], BOB[1]), (ALICE[0], ""), ("", ALICE[1]), (ALICE[0], ALICE[1] + "0")):
        assert look(port, path, wrong)[0] == 401
    status, text, headers = fetch_tcp(port, path)
    assert status == 401 and headers["WWW-Authenticate"] == 'Basic realm="mailpush", charset="UTF-8"'
    assert "page_login" in json.loads(text)["error"]


def test_the_rest_is_as_open_as_before(site, port):
    for path in ("/", "/status-page.json", "/metrics", "/healthz", "/readyz"):
        assert fetch_tcp(port, path)[0] == 200
    assert json.loads(fetch_tcp(port, "/status-page.json")[1])["phones"] is True


def test_the_control_socket_needs_no_login(site):
    assert fetch(UnixConnection(site.mailpushd.control_socket), "/phones")[0] == 200
    assert ask(site.mailpushd, "GET", "/devices")[0] == 200


def test_wrong_logins_keep_nobody_else_out_and_are_logged_once_a_minute(bare_site_for, port, tokens):
    site = bare_site_for(http_listen=f"127.0.0.1:{port}", page_login=f"token:{tokens}", log_level="info")
    answers = [look(port, "/devices", ("mallory", f"{i:032}"))[0] for i in range(50)]
    assert answers == 50 * [401]
    assert look(port, "/devices")[0] == 200
    site.mailpushd.wait_log("login to the page refused")
    site.mailpushd.stop()
    lines = [line for line in site.mailpushd.lines() if "login to the page refused" in line]
    assert len(lines) == 1
    assert not any("mallory" in line for line in site.mailpushd.lines()), "a token may be in the name's place"


def test_a_reload_takes_a_new_token(site, port, tokens):
    tokens.write_text(f"alice:{'new-' * 8}\n")
    site.mailpushd.reload()
    wait_until(lambda: look(port, "/devices", (ALICE[0], "new-" * 8))[0] == 200, what="the new token")
    assert look(port, "/devices", ALICE)[0] == 401 and look(port, "/devices", BOB)[0] == 401


def test_a_token_file_that_is_spoilt_leaves_the_former_ones(site, port, tokens):
    tokens.write_text("alice\n")
    site.mailpushd.reload()
    site.mailpushd.wait_log("alarm: .*page_login.*line 1 that is not")
    assert look(port, "/devices")[0] == 200


def test_a_token_is_made_as_the_manual_says(bare_site_for, port, tmp):
    text = Page("operations.md").block("page-tokens").replace("/etc/mailpush", str(tmp))
    text = re.sub(r"^(chown|systemctl) .*\n?", "", text, flags=re.M)
    subprocess.run(["sh", "-euc", text], check=True, timeout=60)
    site = bare_site_for(http_listen=f"127.0.0.1:{port}", page_login=f"token:{tmp}/page-tokens")
    name, token = (tmp / "page-tokens").read_text().strip().split(":")
    assert name == "alice" and look(port, "/devices", (name, token))[0] == 200
    site.mailpushd.wait_log("somebody looked at the page behind the login who=alice")


# ---- a web server in front ----

def test_a_web_server_in_front_names_who_looks(headed_site, port):
    assert fetch_tcp(port, "/devices", **{"X-Remote-User": "carol"})[0] == 200
    headed_site.mailpushd.wait_log("somebody looked at the page behind the login who=carol")
    for name in ("", "x" * 65):
        status, text, _ = fetch_tcp(port, "/devices", **{"X-Remote-User": name})
        assert status == 403 and "X-Remote-User" in json.loads(text)["error"]
    assert fetch_tcp(port, "/devices")[0] == 403
    assert look(port, "/devices")[0] == 403, "a token is no name"


@pytest.mark.parametrize("address, login, fault", [
    ("0.0.0.0:{port}", "header:X-Remote-User", "http_listen is not a loopback address"),
    ("0.0.0.0:{port}", "token:{tokens}", "http_listen is not a loopback address"),
    ("", "token:{tokens}", "page_login is set, but http_listen is not")])
def test_it_is_for_loopback_alone(bare_site_for, port, tokens, address, login, fault):
    site = bare_site_for(start=False, http_listen=address.format(port=port),
                         page_login=login.format(tokens=tokens))
    check = site.mailpushd.run_check()
    assert check.returncode != 0 and fault in check.stderr


def test_where_the_new_address_cannot_be_bound_phones_stay_hidden(bare_site_for, port):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        site = bare_site_for(http_listen=f"0.0.0.0:{port}")
        site.mailpushd.settings |= {"http_listen": f"127.0.0.1:{taken.getsockname()[1]}",
                                    "page_login": "header:X-Remote-User"}
        site.mailpushd.write_conf()
        site.mailpushd.reload()
        site.mailpushd.wait_log("alarm: .*http_listen")
    for path in BEHIND:
        assert fetch_tcp(port, path, **{"X-Remote-User": "mallory"})[0] == 404
    assert json.loads(fetch_tcp(port, "/status-page.json")[1])["phones"] is False


def test_the_longest_name_with_the_longest_token_gets_in(bare_site_for, port, tokens):
    longest = "n" * 64, "t" * 128
    tokens.write_text(":".join(longest))
    bare_site_for(http_listen=f"127.0.0.1:{port}", page_login=f"token:{tokens}")
    assert look(port, "/devices", longest)[0] == 200


def test_a_token_file_that_all_may_read_is_refused(bare_site_for, port, tokens):
    tokens.chmod(0o644)
    site = bare_site_for(start=False, http_listen=f"127.0.0.1:{port}", page_login=f"token:{tokens}")
    check = site.mailpushd.run_check()
    assert check.returncode != 0 and "every user of this machine may read" in check.stderr
    assert ALICE[1] not in check.stderr


# ---- what they see ----

def test_phones_are_listed_by_pages_and_by_the_beginning_of_a_name(site, port):
    phones = [BarePhone(user) for user in ("anna", "berta", "bertram", "carl")]
    for phone in phones:
        site.register(phone)
    first = look(port, "/devices?limit=2")[1]
    assert [one["user"] for one in first["devices"]] == ["anna", "berta"]
    then = look(port, f"/devices?after_user={first['next']['user']}&after_key={first['next']['key']}")[1]
    assert [one["user"] for one in then["devices"]] == ["bertram", "carl"] and then["next"] is None
    found = look(port, "/devices?after_user=bert")[1]["devices"]
    assert [one["user"] for one in found] == ["berta", "bertram", "carl"]
    text = json.dumps(found)
    for phone in phones:
        assert phone.token not in text and phone.account_id not in text


def test_a_timeline_is_what_mailpushctl_trace_shows(site, port):
    phone = site.registered_phone()
    status, answer = look(port, f"/trace?user={phone.user}")
    assert status == 200 and [one["state"] for one in answer["devices"]] == ["active"]
    assert {"registration", "push"} <= {one["kind"] for one in answer["entries"]}
    assert phone.token not in json.dumps(answer) and phone.account_id not in json.dumps(answer)


def test_nothing_is_shown_in_full(site, port):
    phone = site.registered_phone()
    for path in ("/devices?full=1", f"/devices?user={phone.user}&full=1", f"/trace?user={phone.user}&full=1"):
        status, answer = look(port, path)
        assert status == 403 and "only the control socket" in answer["error"]


def test_it_can_only_be_read(site, port):
    phone = site.registered_phone()
    [device] = look(port, "/devices")[1]["devices"]
    for method, path in (("DELETE", f"/devices/{device['key']}"), ("GET", f"/devices/{device['key']}"),
                         ("POST", "/devices/remove"), ("POST", "/user/remove"), ("POST", "/push"),
                         ("GET", "/export"), ("GET", "/config"), ("GET", "/events"), ("GET", "/queue"),
                         ("GET", "/status"), ("GET", "/forgotten")):
        assert fetch_tcp(port, path, method, Authorization=basic(*ALICE))[0] == 404
    for path in ("/devices", "/phones", "/trace"):
        for method in ("POST", "PUT", "DELETE"):
            assert fetch_tcp(port, path, method, Authorization=basic(*ALICE))[0] == 405
    assert [one["user"] for one in look(port, "/devices")[1]["devices"]] == [phone.user]


# ---- who looked at whom ----

def test_who_looked_at_whom_is_in_the_log(site, port):
    user = new_user()
    look(port, f"/trace?user={user}")
    site.mailpushd.wait_log(f"info control: somebody looked at a user on the page who=alice user={user} path=/trace")
    look(port, "/devices?after_user=ber", BOB)
    site.mailpushd.wait_log("somebody looked at the page behind the login who=bob from=ber path=/devices")


def test_a_hostile_name_forges_no_line(site, port):
    look(port, "/trace?user=a%0Aerror%20alarm:%20forged%1B[2J%E2%80%AE")
    site.mailpushd.wait_log(r"somebody looked at a user on the page who=alice user=")
    assert not any(re.search(r"^\S+ error alarm: forged", line) or "\x1b" in line or "\u202e" in line
                   for line in site.mailpushd.lines())
    for user in ("%00", "x" * 2000, ""):
        assert look(port, f"/trace?user={user}")[0] == 400


@pytest.mark.limit(300)
def test_who_looks_often_does_not_fill_the_log(bare_site_for, port, tokens):
    site = bare_site_for(http_listen=f"127.0.0.1:{port}", page_login=f"token:{tokens}", log_level="info")
    for i in range(700):
        assert look(port, f"/devices?limit=1&user=u{i}")[0] == 200
    site.mailpushd.stop()
    lines = [line for line in site.mailpushd.lines() if "somebody looked at a user" in line]
    assert 300 <= len(lines) < 700          # a window may end meanwhile
    assert any("more of the same" in line and "who=alice" in line for line in site.mailpushd.lines())


# ---- hostile requests ----

HOSTILE = ["Basic", "Basic ", "Basic ====", "Basic " + "A" * 8000, "Basic \xff\xfe", "Bearer x",
           "Basic " + base64.b64encode(b"alice:" + ALICE[1].encode() + b"\0").decode(),
           "Basic " + base64.b64encode(b"\0" * 200).decode()]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_header_that_makes_no_sense_is_no_login(site, port, value):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/devices", headers={"Authorization": value.encode("latin-1")})
    assert connection.getresponse().status == 401
    connection.close()
    assert look(port, "/devices")[0] == 200


def test_a_strangers_name_that_leads_to_loopback_gets_nothing(site, port):
    for path in BEHIND:
        assert look(port, path, Host=f"evil.example:{port}")[0] == 403


def test_the_page_of_phones_runs_its_own_script_alone(site, port):
    status, page, headers = fetch_tcp(port, "/phones", Authorization=basic(*ALICE))
    assert status == 200 and page.startswith("<!doctype html>") and len(page.encode()) < 40000
    assert headers["Cache-Control"] == "no-store"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'sha256-" in policy and "form-action 'none'" in policy
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", page)
