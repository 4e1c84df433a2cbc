"""mailpushctl against what is no mailpushd: garbage, wrong types, answers without end, silence."""

import json
import os
import signal
import socket
import subprocess
import threading

import pytest

from control import ctl_binary
from waiting import TIMEOUT

COMMANDS = [
    ["status"], ["devices"], ["devices", "--user", "x"], ["devices", "show", "1"],
    ["devices", "remove", "1"], ["devices", "--forgotten"], ["push", "x"], ["queue"], ["queue", "flush"],
    ["queue", "drop", "--all"], ["events", "--follow"], ["prune"], ["cert", "check", "--online"],
    ["config"], ["log-level", "info"], ["doctor", "--config", "/no/such", "--user", "x"],
]
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
STEERING = "\u001b[31m\u009b31m\u202e\u2066\n"

# As an answer of the daemon has them, each a value of every kind.
NAMES = """alarms aps_topic by cannot_go connections counters credentials databases devices dropped events
    expires findings flushed forgotten kept_back key kind last_event last_push latencies level limit line
    lines log_level log_lines_dropped mailboxes meaning name next now nudged oldest pid pushes queue rates
    reason registrations registry removed result seconds settings since site started state status
    streams text time token topic total user value version why credential""".split()


def wrong(value, depth=3):
    """Every name that there is, with this value or an object or a list of such."""
    inner = {name: value for name in NAMES}
    for _ in range(depth):
        inner = {name: ([inner] if name.endswith("s") else inner) for name in NAMES[:12]} | {
            name: value for name in NAMES[12:]}
    return inner


ANSWERS = {
    "nothing": b"",
    "garbage": b"\x00\xff\x16\x03 garbage\r\n\r\n",
    "no JSON": JSON + b"{]",
    "a list": JSON + b"[1, 2]",
    "a nest": JSON + b'{"next":' * 100000,
    "an empty object": JSON + b"{}",
    "a header without end": b"HTTP/1.1 200 " + b"x" * 300000,
    "a shorter answer": b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{}",
    "a refusal without words": b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
    "a refusal of another kind":
        b"HTTP/1.1 404 No\r\nConnection: close\r\n\r\n{\"error\": 7}",
    **{f"only {value!r}": JSON + json.dumps(wrong(value, depth=1)).encode() + b"\n"
       for value in (None, 1e308, -2**63, [[]], "x")},
}


class Impostor:
    """Serves the control socket, and answers each connection with the same bytes."""

    def __init__(self, path, answer, again=False):
        self.answer, self.again = answer, again
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(20)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection):
        try:
            connection.recv(65536)
            connection.sendall(self.answer)
            while self.again:
                connection.sendall(self.again)
        except OSError:     # it has had enough
            pass

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(TIMEOUT)       # or it accepts from whoever gets the number of this socket next
        self.socket.close()


def run(path, *arguments, **how):
    return subprocess.run([ctl_binary(), "--socket", path, *arguments], capture_output=True,
                          timeout=100, env={**os.environ, "LC_ALL": "C.UTF-8"}, **how)


def is_sane(done):
    """It neither crashed nor was ended; 3: what it followed has ended."""
    return done.returncode in (0, 1, 3) and b"Sanitizer" not in done.stderr \
        and b"runtime error" not in done.stderr


@pytest.mark.parametrize("trouble, said", [({}, b""), ({"cut": True}, b"the oldest entries of the trace are too many"),
                                           ({"damaged": 1}, b"a part of the trace is damaged")])
def test_an_export_of_a_user_says_what_is_missing(tmp, trouble, said):
    whole = {"devices": [{"key": "a"}], "trace": {}, "entries": [{"kind": "push"}], "cut": False, "damaged": 0}
    with Impostor(tmp / "control", JSON + json.dumps(whole | trouble).encode()):
        done = run(tmp / "control", "user", "export", "alice")
    assert done.returncode == bool(trouble) and said in done.stderr and bool(done.stderr) == bool(trouble)
    assert json.loads(done.stdout)["trace"] == whole["entries"]


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_wrong_answer_is_survived_by_all_commands(tmp, answer):
    with Impostor(tmp / "control", ANSWERS[answer]):
        for command in [*COMMANDS, ["--json", "devices"], ["--json", "queue"],
                        ["--json", "push", "x"]]:
            done = run(tmp / "control", *command)
            assert is_sane(done), (command, done)


@pytest.mark.parametrize("answer", ["nothing", "garbage", "no JSON", "a list", "a nest",
                                    "a shorter answer"])
def test_what_is_no_answer_is_reported_with_a_remedy(tmp, answer):
    with Impostor(tmp / "control", ANSWERS[answer]):
        done = run(tmp / "control", "status")
    assert done.returncode == 1 and done.stdout == b""
    assert str(tmp / "control").encode() in done.stderr
    assert b"journalctl -u mailpush" in done.stderr or b"systemctl restart" in done.stderr


@pytest.mark.parametrize("command", [["status"], ["events", "--follow"]])
def test_an_answer_without_end_is_given_up(tmp, command):
    with Impostor(tmp / "control", JSON, again=b"x" * 1048576):
        done = run(tmp / "control", *command)
    assert done.returncode == 1 and b"the answer is too large" in done.stderr


def test_a_refusal_without_end_is_given_up(tmp):
    head = JSON.replace(b"200 OK", b"500 No")
    with Impostor(tmp / "control", head, again=b"x" * 1048576):
        done = run(tmp / "control", "events", "--follow")
    assert done.returncode == 1 and b"the answer is too large" in done.stderr


@pytest.mark.parametrize("command", COMMANDS[:-1])
def test_no_text_of_an_answer_steers_the_terminal(tmp, command):
    answer = json.dumps(wrong(STEERING) | {"kind": "event"}).encode() + b"\n"
    with Impostor(tmp / "control", JSON + answer):
        done = run(tmp / "control", *command)
    assert is_sane(done)
    text = done.stdout.decode()
    assert not set("\u001b\u009b\u202e\u2066") & set(text), text


def test_a_daemon_that_hangs_is_reported_by_all_at_once(bare_site):
    """Each waits as long as for the slowest of good answers, and not once for each question."""
    daemon = bare_site.mailpushd
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        commands = [["status"], ["devices"], ["push", "x"],
                    ["doctor", "--config", str(daemon.conf), "--user", "x"]]
        running = [subprocess.Popen([ctl_binary(), "--socket", daemon.control_socket, *command],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                   for command in commands]
        said = [process.communicate(timeout=100) for process in running]
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    assert [process.returncode for process in running] == [1] * len(commands)
    for out, err in said[:-1]:
        assert out == "" and "mailpushd hangs" in err and "systemctl restart mailpush" in err
    [line] = [text for text in said[-1][0].splitlines() if text.startswith("fail daemon ")]
    assert "mailpushd hangs" in line and line.endswith("run: systemctl restart mailpush")


def test_output_that_cannot_be_written_is_a_failure(bare_site):
    with open("/dev/full", "w") as full:
        done = subprocess.run([ctl_binary(), "--socket", bare_site.mailpushd.control_socket,
                               "config"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "cannot write the output: No space left" in done.stderr


def test_a_reader_that_goes_away_ends_it_silently(bare_site):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([ctl_binary(), "--socket", bare_site.mailpushd.control_socket, "config"],
                          stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, "")


def test_a_long_setting_is_shown_whole(bare_site_for):
    members = [f"somebody-with-a-long-name-{i}@example.org" for i in range(30)]
    site = bare_site_for(groups={"staff": members})
    done = run(site.mailpushd.control_socket, "config", text=True)
    assert members[-1] in done.stdout
