"""apns-sim as an object of a test.

    sim = ApnsSim().start(tmp_path)         # makes the certificates when there are none
    ... point the sender at 127.0.0.1, sim.port, with sim.ca, sim.client_cert, sim.client_key ...
    sim.control(do="next", count=1, status=503, reason="ServiceUnavailable")
    first, second = sim.wait_pushes(2, where=lambda push: push["token"] == token)
    sim.stop()

A push to a token of zeros is a trial of the credential: mailpushd makes some of its own accord, so
they are kept apart (trials, wait_trials).

Records come through a pipe that a thread reads, so waiting is waiting for an event: nothing here
polls or sleeps. Who asks what there is so far (pushes, trials) gets all that the simulator has
recorded by then, and not only what the thread has read. What the program says on standard error goes to apns-sim.log in its directory.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import threading

from waiting import TIMEOUT

ZEROS = "0" * 64                # the device token of nobody
TOPIC = "com.apple.mail.XServer.00000000-0000-0000-0000-000000000000"
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def binary():
    """Path of the apns-sim under test."""
    build = pathlib.Path(os.environ.get("MAILPUSH_BUILD", REPOSITORY / "build"))
    return build / "src" / "sim" / "apns-sim"


def run(*arguments, check=True):
    """Run apns-sim to its end, e.g. run("--init", directory)."""
    return subprocess.run([str(binary()), *map(str, arguments)], check=check,
                          capture_output=True, text=True, timeout=60)


def token_key(sim, key_id="SIMKEY0001"):
    """The keys of a credential section."""
    return {"p8": sim.dir / f"AuthKey_{key_id}.p8", "key_id": key_id, "team_id": "SIMTEAM001",
            "topic": TOPIC}


class ApnsSim:
    def __init__(self):
        self.process = None
        self.port = None
        self.dir = None
        self.wrapper = []           # a command that runs it
        self._records = []
        self._trials = []
        self._read = 0              # lines of the record, of this life
        self._asking = threading.Lock()
        self._changed = threading.Condition()
        self._ended = False
        self._reader = None
        self._control = None
        self._replies = None

    def start(self, directory, *extra, port=0, topic=TOPIC, record="full"):
        """Start to serve out of directory; returns self once the port is open.

        extra are further arguments, e.g. "--no-client-auth". Records of an earlier start stay.
        """
        assert self.process is None, "already started"
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        if not (self.dir / "ca.pem").exists():
            run("--init", self.dir, "--topic", topic)
        with open(self.dir / "apns-sim.log", "ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, str(binary()), "--dir", str(self.dir), "--listen", f"127.0.0.1:{port}",
                 "--control", str(self.dir / "control"), "--record", record, *map(str, extra)],
                stdout=subprocess.PIPE, stderr=log)
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening on "):
            self.process.stdout.close()
            self.process.wait(timeout=30)
            self.process = None
            raise RuntimeError("apns-sim did not start: " + (self.dir / "apns-sim.log").read_text())
        self.port = int(line.rsplit(":", 1)[1])
        self._ended = False
        self._read = 0
        self._reader = threading.Thread(target=self._read_records, args=(self.process.stdout,),
                                        daemon=True)
        self._reader.start()
        return self

    def stop(self, timeout=30):
        """End it with SIGTERM and return its exit status; a no-op when it does not run."""
        return self._end(signal.SIGTERM, timeout)

    def kill(self, timeout=30):
        """End it with SIGKILL, as a machine that fails."""
        return self._end(signal.SIGKILL, timeout)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    @property
    def ca(self):
        return self.dir / "ca.pem"

    @property
    def client_cert(self):
        return self.dir / "client.pem"

    @property
    def client_key(self):
        return self.dir / "client.key"

    def add_client(self, name, topic, *extra):
        """Make another client certificate of the same CA; returns (certificate, key)."""
        run("--add-client", name, "--topic", topic, "--dir", self.dir, *extra)
        return self.dir / f"{name}.pem", self.dir / f"{name}.key"

    def control(self, *, check=True, **command):
        """Send one command and return the answer; an error raises unless check is false."""
        with self._asking:
            if self._control is None:
                self._connect()
            self._control.sendall(json.dumps(command).encode() + b"\n")
            answer = json.loads(self._replies.readline())
        if check and not answer["ok"]:
            raise RuntimeError(f"{command}: {answer['error']}")
        return answer

    def pushes(self, where=None):
        """The records so far, oldest first."""
        self._catch_up()
        with self._changed:
            return [push for push in self._records if where is None or where(push)]

    def wait_pushes(self, n, timeout=TIMEOUT, where=None):
        """Wait until n records (for which where holds) are there and return all of those."""
        def enough():
            return self._ended or sum(1 for p in self._records if where is None or where(p)) >= n

        with self._changed:
            self._changed.wait_for(enough, timeout)
            found = [push for push in self._records if where is None or where(push)]
            if len(found) < n:
                raise TimeoutError(f"{len(found)} of {n} pushes in {timeout} s; "
                                   f"all records: {self._records}")
            return found

    def trials(self):
        """The records of pushes to a token of zeros, so far."""
        self._catch_up()
        with self._changed:
            return list(self._trials)

    def wait_trials(self, n, timeout=TIMEOUT):
        """Wait until there are n of them, and return all."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._trials) >= n, timeout):
                raise TimeoutError(f"{len(self._trials)} of {n} trials in {timeout} s")
            return list(self._trials)

    def forget(self):
        """Drop the records so far."""
        self._catch_up()
        with self._changed:
            self._records.clear()

    def _connect(self):
        control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        control.settimeout(30)
        try:
            control.connect(str(self.dir / "control"))
        except BaseException:
            control.close()
            raise
        self._control, self._replies = control, control.makefile("rb")

    def _catch_up(self):
        """Until the thread has read all that is recorded now."""
        if self.process is None:        # it has
            return
        try:
            recorded = self.control(do="stats")["recorded"]
        except (OSError, ValueError):   # it has just ended: until the record does
            recorded = float("inf")
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._read >= recorded, TIMEOUT)

    def _read_records(self, stream):
        with stream:
            for line in stream:
                record = json.loads(line)
                with self._changed:
                    is_trial = record.get("token") == ZEROS
                    (self._trials if is_trial else self._records).append(record)
                    self._read += 1
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _end(self, signal_number, timeout):
        if self.process is None:
            return None
        if self._control is not None:
            self._replies.close()
            self._control.close()
            self._control = self._replies = None
        self.process.send_signal(signal_number)
        status = self.process.wait(timeout)
        self._reader.join(timeout)
        self.process = None
        return status
