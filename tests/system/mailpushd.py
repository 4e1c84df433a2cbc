"""mailpushd as an object of a test.

    daemon = Mailpushd(directory, cyrus, sim, deferred_delay="1s").start()
    daemon.log.wait("registered .*user=alice")
    assert daemon.stop() == 0

Settings are those of mailpush.conf; a list becomes {"a", "b"}, None takes a default of ours out, and
groups={"staff": ["alice"]} becomes sections.
What the daemon logs is collected in `log` over all its lives.
"""

import os
import pathlib
import re
import signal
import subprocess
import threading

from waiting import TIMEOUT, Lines, wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def binary():
    """Path of the mailpushd under test."""
    build = pathlib.Path(os.environ.get("MAILPUSH_BUILD", REPOSITORY / "build"))
    return build / "src" / "daemon" / "mailpushd"


class Mailpushd:
    def __init__(self, directory, cyrus=None, sim=None, **settings):
        """With cyrus, it listens where that sends its events; with sim, that is its Apple."""
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.conf = self.dir / "mailpush.conf"
        self.log = Lines()
        self.process = None
        self.start_line = 0         # of the log, where this life began
        self.program = binary()
        self.wrapper = []           # a command that runs the daemon, e.g. in a namespace
        self.pass_fds = []          # descriptors that it is started with
        self.credentials = {}
        if sim:
            self.credentials["main"] = {"certificate": sim.client_cert, "key": sim.client_key}
        self.settings = {**self._defaults(cyrus, sim), **settings}
        self.write_conf()

    # ---- configuration ----

    @property
    def notify_socket(self):
        return pathlib.Path(self.settings["notify_socket"])

    @property
    def stream_socket(self):
        return pathlib.Path(self.settings["stream_socket"])

    @property
    def control_socket(self):
        return pathlib.Path(self.settings["control_socket"])

    @property
    def spool(self):
        return pathlib.Path(self.settings["spool_dir"])

    def write_conf(self, **settings):
        """Write mailpush.conf again, with some settings changed (then reload or restart)."""
        self.settings.update(settings)
        lines = [f"{name} = {conf_value(value)}\n"
                 for name, value in self.settings.items()
                 if value is not None and name != "groups"]
        for name, members in self.settings.get("groups", {}).items():
            lines.append(f'group "{name}" {{\n\tmembers = {conf_value(members)}\n}}\n')
        for name, credential in self.credentials.items():
            inner = "".join(f"\t{key} = {conf_value(value)}\n" for key, value in credential.items())
            lines.append(f'credential "{name}" {{\n{inner}}}\n')
        self.conf.write_text("".join(lines))

    def _defaults(self, cyrus, sim):
        settings = {
            "notify_socket": self.dir / "notify",
            "stream_socket": self.dir / "cyrus",
            "control_socket": self.dir / "control",
            "registry": f"sqlite:{self.dir}/registry.sqlite",
            "queue": self.dir / "queue.sqlite",
            "spool_dir": self.dir / "spool",
            "log_level": "debug",
            "socket_group": "mail" if os.geteuid() == 0 else "",
        }
        if cyrus:
            settings["imapd_conf"] = cyrus.dir / "imapd.conf"
            settings["allowed_users"] = [cyrus.user]
            settings["notify_socket" if cyrus.transport == "datagram" else "stream_socket"] = \
                cyrus.notify
            settings["spool_dir"] = cyrus.kept
        if sim:
            settings.update(apns_host="127.0.0.1", apns_port=sim.port, apns_ca_file=sim.ca)
        return settings

    def wait_spool(self):
        """Until the spool folder is as the daemon makes it: it is there before it has its mode."""
        wait_until(lambda: self.spool.exists() and self.spool.stat().st_mode & 0o7777 == 0o2770,
                   what="the spool folder")

    def bad_files(self):
        """Names of those in the spool folder that it rejected."""
        return sorted(path.name for path in (self.spool / "bad").glob("*"))

    # ---- life ----

    def start(self, timeout=TIMEOUT):
        """Start and return self once events are taken in."""
        assert self.process is None, "already started"
        self.start_line = len(self.log)
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *self.wrapper, str(self.program), "-c",
             str(self.conf)],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
            start_new_session=True, pass_fds=self.pass_fds)
        self._reader = threading.Thread(target=self._read_log, args=(self.process.stderr,),
                                        daemon=True)
        self._reader.start()
        try:
            self._wait_ready(timeout)
        except BaseException:
            self.kill9()
            raise
        return self

    def stop(self):
        """End it with SIGTERM and return its exit status."""
        return self.kill(signal.SIGTERM)

    def kill9(self):
        return self.kill(signal.SIGKILL)

    def kill(self, signal_number=signal.SIGTERM):
        """End it with a signal and return its exit status; None when it does not run."""
        if self.process is None:
            return None
        self.process.send_signal(signal_number)
        try:
            status = self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self._reader.join(TIMEOUT)
            self.process = None
        return status

    def restart(self):
        status = self.stop()
        assert status == 0, f"exit status {status}"
        return self.start()

    def reload(self):
        """Have credentials and imapd.conf read again; wait_log tells when."""
        self.process.send_signal(signal.SIGHUP)

    def run_check(self):
        """`mailpushd -n`: check the configuration only; returns the CompletedProcess."""
        return subprocess.run([str(binary()), "-n", "-c", str(self.conf)], capture_output=True,
                              text=True, timeout=2 * TIMEOUT)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.stop()

    def path_inside(self, path):
        """A file as the daemon sees it, should it have mounts of its own."""
        return pathlib.Path(f"/proc/{self.process.pid}/root{path}")

    # ---- log ----

    def wait_log(self, pattern, timeout=TIMEOUT, since=0):
        """The match of the first line from number `since` on in which pattern is found."""
        return self.log.wait(pattern, timeout, since)

    def lines(self, since=0):
        return self.log.all(since)

    # ---- inside ----

    def _read_log(self, stream):
        with stream:
            for line in stream:
                self.log.add(line.rstrip("\n"))

    def _wait_ready(self, timeout):
        wait_until(self._is_ready_or_ended, timeout, "mailpushd ready")
        if self.process.poll() is not None:
            self._reader.join(TIMEOUT)
            raise RuntimeError(f"mailpushd ended with {self.process.returncode}:\n"
                               + "\n".join(self.log.all(self.start_line)))

    def _is_ready_or_ended(self):
        if self.process.poll() is not None:
            return True
        said_so = any(re.search(r"\bready\b", line) for line in self.log.all(self.start_line))
        sockets = (self.settings["notify_socket"], self.settings["stream_socket"])
        return said_so and all(os.path.exists(path) for path in sockets if path)


def conf_value(value):
    """A Python value as libconfuse reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "{" + ", ".join(conf_value(element) for element in value) + "}"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
