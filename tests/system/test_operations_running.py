"""docs/operations.md: what it says of alarms and of the log, typed by an administrator."""

import http.server
import os
import re
import shlex
import subprocess
import threading

from control import ctl_binary, get
from docpage import Page
from waiting import wait_until

PAGE = Page("operations.md")


class Chat(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.said.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.end_headers()


def test_the_alarm_command_tells_somebody(bare_site_for, imapd_conf, tmp):
    command = tmp / "command"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chat) as chat:
        chat.said = []
        threading.Thread(target=chat.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{chat.server_port}/"
        command.write_text(PAGE.block("exec curl").replace("https://chat.example.com/alarms", url))
        command.chmod(0o755)
        site = bare_site_for(alarm_command=command)
        text = imapd_conf.read_text()
        imapd_conf.unlink()
        site.mailpushd.reload()
        wait_until(lambda: chat.said, what="a message")
        [alarm] = get(site.mailpushd, "/status")["alarms"]
        assert chat.said == [f"mailpush on {os.uname().nodename}: reload begin: {alarm['text']}"]
        imapd_conf.write_text(text)
        site.mailpushd.reload()
        wait_until(lambda: len(chat.said) == 2, what="a second message")
        assert ": reload end: " in chat.said[1]
        chat.shutdown()


def test_the_log_level_is_changed_while_it_runs(bare_site):
    assert get(bare_site.mailpushd, "/status")["log_level"] == "debug"
    ctl = f"{ctl_binary()} --socket {shlex.quote(str(bare_site.mailpushd.control_socket))}"
    said = subprocess.run(["sh", "-euc", PAGE.block("log-level").replace("mailpushctl", ctl)],
                          capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1].startswith("log level is info")
    assert get(bare_site.mailpushd, "/status")["log_level"] == "info"


def test_a_line_of_the_log_is_as_shown(bare_site):
    """The same parts in the same order; the names with values are those of a registration."""
    shown = re.search(r"^\S+ info registry: phone registered .*$", PAGE.text, flags=re.M)[0]
    bare_site.registered_phone()
    line = bare_site.mailpushd.wait_log(r"^.*info registry: phone registered .*$")[0]
    assert re.findall(r"(\w+)=", line) == re.findall(r"(\w+)=", shown)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.split()[0])
