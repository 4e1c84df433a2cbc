"""mailpushd's control socket, and mailpushctl, as tests use them.

    status, answer = ask(daemon, "GET", "/status")
    done = ctl(daemon, "devices", "--json")
"""

import http.client
import json
import os
import socket
import subprocess

from mailpushd import binary
from waiting import TIMEOUT, wait_until


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("mailpushd", timeout=TIMEOUT)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)    # with a time limit it would not wait for a place in the backlog
        self.sock.settimeout(TIMEOUT)


def ask(daemon, method, path, body=None):
    """(status, the JSON that was answered)."""
    connection = UnixConnection(daemon.control_socket)
    try:
        text = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        connection.request(method, path, body=text)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def get(daemon, path):
    """What is answered to a GET that succeeds."""
    status, answer = ask(daemon, "GET", path)
    assert status == 200, answer
    return answer


def wait_counted(daemon, registrations, pushes):
    """Until the status has so many registrations, and so many of Apple's answers.

    The daemon learns of an answer after the simulator has given it, and the status does not wait
    long for a registry that is slow.
    """
    def is_counted():
        status = get(daemon, "/status")
        return (status["registrations"]["total"], status["pushes"]["total"]) == (registrations, pushes)
    wait_until(is_counted, what=f"{registrations} registrations and {pushes} answers in the status")


def fetch(connection, path, method="GET", **headers):
    """(status, text, headers) over a connection that is closed then."""
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode(), response.headers
    finally:
        connection.close()


def fetch_tcp(port, path, method="GET", **headers):
    """(status, text, headers) from http_listen."""
    return fetch(http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT), path, method,
                 **headers)


def tcp(port, path, method="GET"):
    """(status, text) from http_listen."""
    return fetch_tcp(port, path, method)[:2]


def ctl_binary():
    return binary().parents[1] / "ctl" / "mailpushctl"


def ctl(daemon, *arguments, wrapper=(), timeout=TIMEOUT, **environment):
    """Run mailpushctl to its end; returns the CompletedProcess."""
    return subprocess.run(
        [*wrapper, str(ctl_binary()), "--socket", str(daemon.control_socket), *map(str, arguments)],
        capture_output=True, text=True, timeout=timeout,
        env={**os.environ, "LC_ALL": "C.UTF-8", **environment})


def ctl_fine(daemon, *arguments):
    """The text of one that succeeds."""
    done = ctl(daemon, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), (done.stdout, done.stderr)
    return done.stdout


def ctl_json(daemon, *arguments):
    """The objects that it prints with --json."""
    text = ctl_fine(daemon, "--json", *arguments)
    decoder, at, found = json.JSONDecoder(), 0, []
    while at < len(text):
        value, end = decoder.raw_decode(text, at)
        found.append(value)
        at = end + len(text[end:]) - len(text[end:].lstrip())
    return found
