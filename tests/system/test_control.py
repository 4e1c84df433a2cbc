"""The control socket: what can be asked, by whom, and what hostile requests cannot do."""

import json
import os
import re
import socket
import subprocess

import pytest

import notify
from control import UnixConnection, ask, get, tcp, wait_counted
from mailsite import locked
from ports import free_port
from waiting import TIMEOUT, wait_until

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user as well")


@pytest.fixture
def site(bare_site):
    return bare_site


# ---- status ----

def test_status_counts_what_came_and_what_was_pushed(site):
    phone = site.registered_phone("INBOX", "Notes")
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    site.ask("{}")
    wait_counted(site.mailpushd, registrations=1, pushes=2)
    status = get(site.mailpushd, "/status")
    by = {(e["event"], e["transport"], e["action"]): e["count"] for e in status["events"]["by"]}
    assert by == {("ApplePushService", "stream", "register"): 1, ("MessageNew", "stream", "urgent"): 1}
    assert status["counters"]["malformed"] == 1
    assert status["registrations"]["total"] == 1
    assert status["registrations"]["received"]["new"] == 1
    assert status["pushes"]["by"] == [
        {"result": "answered", "status": 200, "reason": "", "count": 2}]
    assert status["latencies"]["acknowledged"]["count"] == 2
    assert status["latencies"]["answered"]["count"] == 2
    assert status["alarms"] == []
    [credential] = status["credentials"]
    assert credential["in_force"] and credential["topic"] == status["aps_topic"]
    assert [c["state"] for c in credential["connections"]] == ["open"]
    assert credential["connections"][0]["address"] == "127.0.0.1"
    wait_until(lambda: all(database["bytes"] for database in get(site.mailpushd, "/status")["databases"].values()),
               what="the size of each database")


def test_alarms_stand_in_the_status(bare_site_for):
    site = bare_site_for(start=False)
    site.mailpushd.credentials.clear()
    site.mailpushd.write_conf()
    site.mailpushd.start()
    [alarm] = get(site.mailpushd, "/status")["alarms"]
    assert alarm["name"] == "no-credential"
    assert alarm["since"] > 0
    assert "no credential is configured" in alarm["text"]


def test_a_registry_that_hangs_holds_up_no_status(site):
    site.registered_phone()
    wait_counted(site.mailpushd, registrations=1, pushes=1)
    with locked(site.mailpushd.dir / "registry.sqlite"):
        # The registry's thread is stuck with a job that writes.
        connection = notify.connect(site.mailpushd.stream_socket)
        connection.sendall(notify.request(notify.registration("held", "ab" * 32, "ABC")))
        wait_until(lambda: get(site.mailpushd, "/status")["events"]["waiting"] == 1,
                   what="an event that waits")
        assert get(site.mailpushd, "/status")["registrations"]["total"] == 1
        connection.close()


# ---- who may ask ----

CURL = ["curl", "-sS", "--max-time", str(TIMEOUT), "--unix-socket"]


def as_nobody(command):
    return subprocess.run(["setpriv", "--reuid=nobody", "--regid=65534", "--clear-groups",
                           *map(str, command)], capture_output=True, text=True, timeout=TIMEOUT)


@AS_ROOT
def test_another_user_is_refused_by_the_mode_of_the_socket(site):
    assert site.mailpushd.control_socket.stat().st_mode & 0o777 == 0o660
    done = as_nobody([*CURL, site.mailpushd.control_socket, "http://x/status"])
    assert done.returncode != 0 and done.stdout == ""


@AS_ROOT
def test_another_user_is_refused_whatever_the_mode(bare_site_for):
    site = bare_site_for(control_mode="0666")
    done = as_nobody([*CURL, site.mailpushd.control_socket, "http://x/status"])
    assert json.loads(done.stdout) == {"error": "this user may not ask"}
    site.mailpushd.wait_log("warn control: not allowed to use the control socket .*uid=")


@AS_ROOT
def test_a_user_that_is_named_may_ask(bare_site_for):
    site = bare_site_for(control_mode="0666", control_users=["nobody"])
    done = as_nobody([*CURL, site.mailpushd.control_socket, "http://x/healthz"])
    assert json.loads(done.stdout) == {"status": "ok"}


@AS_ROOT
def test_the_socket_has_the_group_and_mode_that_are_set(bare_site_for):
    site = bare_site_for(control_group="mail", control_mode="0640")
    assert site.mailpushd.control_socket.group() == "mail"
    assert site.mailpushd.control_socket.stat().st_mode & 0o777 == 0o640


def test_the_socket_is_gone_when_the_daemon_is(site):
    assert site.mailpushd.stop() == 0
    assert not site.mailpushd.control_socket.exists()


# ---- TCP ----

def test_monitors_see_metrics_health_and_the_page_and_nothing_else(bare_site_for):
    port = free_port()
    site = bare_site_for(http_listen=f"127.0.0.1:{port}")
    phone = site.registered_phone()
    wait_until(lambda: 'mailpush_registrations{state="active"} 1\n' in tcp(port, "/metrics")[1],
               what="the phone in the metrics")
    status, text = tcp(port, "/metrics")
    assert status == 200
    assert 'mailpush_pushes_total{result="answered",status="200",reason=""} 1\n' in text
    assert phone.user not in text and phone.token[:8] not in text
    assert tcp(port, "/healthz") == (200, '{"status":"ok"}\n')
    assert tcp(port, "/readyz") == (200, '{"status":"ready"}\n')
    for path in ("/status", "/devices", "/config", "/events", "/queue", "//", "/index.html"):
        assert tcp(port, path)[0] == 404
    assert tcp(port, "/metrics", "POST")[0] == 405


def test_it_is_not_ready_while_the_registry_is_in_trouble(bare_site_for):
    port = free_port()
    site = bare_site_for(http_listen=f"127.0.0.1:{port}")
    phone = site.registered_phone()
    registry = site.mailpushd.dir / "registry.sqlite"
    registry.rename(registry.with_suffix(".away"))
    site.deliver(phone.user)        # parked, and acknowledged
    wait_until(lambda: tcp(port, "/readyz")[0] == 503, what="not ready")
    assert json.loads(tcp(port, "/readyz")[1]) == {"status": "not ready", "alarms": ["registry"]}
    assert tcp(port, "/healthz")[0] == 200
    registry.with_suffix(".away").rename(registry)
    wait_until(lambda: tcp(port, "/readyz")[0] == 200, what="ready again")


def test_an_address_that_is_not_loopback_is_warned_of(bare_site_for):
    site = bare_site_for(http_listen=f"0.0.0.0:{free_port()}")
    site.mailpushd.wait_log("warn control: http_listen is not a loopback address")
    assert "warning: http_listen is not a loopback" in site.mailpushd.run_check().stderr


# ---- hostile requests ----

def raw(daemon, data, half_close=False):
    """What is answered to these bytes, until the daemon closes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        connection.connect(str(daemon.control_socket))
        try:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except BrokenPipeError:
            pass
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
        return answer


@pytest.mark.parametrize("data", [
    b"\0" * 1000,
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(5000)) + b"\r\n",
    b"POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
    b"POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /push HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /devices/%00%ff%2e%2e HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /devices?user=a\0b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /devices\0/x HTTP/1.1\r\nHost: x\0y\r\n\r\n",
    b"GET\0 /devices HTTP/1.1\0\r\nHost: x\r\n\r\n",
    b"GET /devices?limit=1&limit=x&user=%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n[[[[[",
])
def test_what_is_no_request_does_no_harm(site, data):
    raw(site.mailpushd, data, half_close=True)
    assert get(site.mailpushd, "/healthz") == {"status": "ok"}
    phone = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")


@pytest.mark.parametrize("path", ["/metrics%00", "/metrics%00/x", "/%00", "/metrics?user=a%00b",
                                  "/metrics?us%00er=a", "/metrics?a=b&c=%00"])
def test_a_request_with_a_nul_is_none(bare_site_for, path):
    """What stands before the NUL is not what was asked for."""
    port = free_port()
    daemon = bare_site_for(http_listen=f"127.0.0.1:{port}").mailpushd
    assert tcp(port, path)[0] == 400
    answer = raw(daemon, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), half_close=True)
    assert answer.startswith(b"HTTP/1.1 400 ")
    # Some versions of libmicrohttpd refuse such a path themselves, in HTML.
    assert b"NUL" in answer or b"Bad Request Path" in answer and "?" not in path
    assert tcp(port, "/metrics?user=a%20b%01")[0] == 200


def test_a_body_that_is_too_large_is_not_taken(site):
    head = b"POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: 2100000\r\n\r\n"
    assert raw(site.mailpushd, head).startswith(b"HTTP/1.1 413 ")
    chunks = b"POST /push HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + \
        520 * (b"1000\r\n" + b"a" * 4096 + b"\r\n") + b"0\r\n\r\n"
    assert raw(site.mailpushd, chunks).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("method, path, body, why", [
    ("GET", "/devices?limit=0", None, "limit must be"),
    ("GET", "/devices?limit=1001", None, "limit must be"),
    ("GET", "/devices?after_key=zz", None, "limit must be"),
    ("GET", "/devices/zz", None, "by its key"),
    ("GET", "/queue?after=-1", None, "limit must be"),
    ("POST", "/push", {}, "the user is missing"),
    ("POST", "/push", {"user": 1}, "'user' must be a string"),
    ("POST", "/push", "{", "one JSON object"),
    ("POST", "/queue/drop", {}, "dropped news is lost"),
    ("POST", "/log-level", {"level": "loud"}, "level must be"),
    ("POST", "/log-level", {"volume": "loud"}, "level must be"),
])
def test_a_request_that_makes_no_sense_is_refused_with_the_reason(site, method, path, body, why):
    status, answer = ask(site.mailpushd, method, path, body)
    assert status == 400 and why in answer["error"], answer


def test_unknown_paths_and_methods_are_refused(site):
    assert ask(site.mailpushd, "GET", "/nothing")[0] == 404
    assert ask(site.mailpushd, "PUT", "/status")[0] == 405
    assert ask(site.mailpushd, "GET", "/push")[0] == 405


def test_clients_that_say_nothing_make_room_for_others(site):
    silent = []
    try:
        for _ in range(200):
            silent.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            silent[-1].connect(str(site.mailpushd.control_socket))
            silent[-1].sendall(b"GET /status HTTP/1.1\r\n")
        assert get(site.mailpushd, "/healthz") == {"status": "ok"}
        # The first of them were cut off.
        silent[0].settimeout(30)
        assert silent[0].recv(100) == b""
    finally:
        for connection in silent:
            connection.close()


def test_a_client_that_never_ends_its_request_is_cut_off(site):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as slow:
        slow.settimeout(30)
        slow.connect(str(site.mailpushd.control_socket))
        slow.sendall(b"GET /status HTTP/1.1\r\n")
        assert slow.recv(100) == b""
    assert get(site.mailpushd, "/healthz") == {"status": "ok"}


def test_clients_that_hang_up_while_the_registry_is_away_make_room_for_others(site):
    phone = site.registered_phone()
    user = json.dumps({"user": phone.user})
    [device] = get(site.mailpushd, "/devices")["devices"]
    requests = [("GET", "/devices", None), ("GET", "/export", None), ("GET", f"/devices/{device['key']}", None),
                ("GET", "/forgotten", None), ("GET", f"/trace?user={phone.user}", None), ("POST", "/prune", None),
                ("POST", "/push", user), ("POST", "/queue/flush", user), ("POST", "/user/remove", user)]
    with locked(site.mailpushd.dir / "registry.sqlite"), notify.connect(site.mailpushd.stream_socket) as cyrus:
        cyrus.sendall(notify.request(notify.registration("held", "ab" * 32, "ABC")))
        wait_until(lambda: get(site.mailpushd, "/status")["events"]["waiting"] == 1, what="an event that waits")
        for _ in range(20):
            waiting = [UnixConnection(site.mailpushd.control_socket) for _ in requests]
            for connection, (method, path, body) in zip(waiting, requests):
                connection.request(method, path, body=body)
            assert get(site.mailpushd, "/healthz") == {"status": "ok"}      # they came before
            for connection in waiting:
                connection.close()
        assert get(site.mailpushd, "/status")["site"]
    get(site.mailpushd, "/devices")     # behind all that was asked for
    assert site.mailpushd.stop() == 0


def test_the_daemon_stops_while_somebody_waits_and_somebody_follows(site, sim):
    phone = site.registered_phone()
    follower = UnixConnection(site.mailpushd.control_socket)
    follower.request("GET", "/events")
    stream = follower.getresponse()
    assert stream.readline() == b"\n"
    sim.control(do="delay", ms=600_000)
    waiting = UnixConnection(site.mailpushd.control_socket)
    waiting.request("POST", "/push", body=json.dumps({"user": phone.user}))
    site.mailpushd.wait_log("test push")
    assert site.mailpushd.stop() == 0
    assert waiting.getresponse().status == 503
    assert re.fullmatch(rb"(\{.*\}\n|\n)*", stream.read())
    follower.close()
    waiting.close()
    sim.control(do="delay", ms=0)
