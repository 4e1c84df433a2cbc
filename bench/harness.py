"""What the measuring scripts share: the programs of one site, started and looked at from outside."""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOPIC = "com.apple.mail.XServer.00000000-0000-0000-0000-000000000000"
SITE = "bench"
STUCK_S = 60  # without a further push
QLEN = "/proc/sys/net/unix/max_dgram_qlen"
TICKS_S = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    pass


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def say(text):
    print(text, file=sys.stderr, flush=True)


class Place:
    """Where things are: programs, data that must lie on a real disk, sockets with short names."""

    BUILD = os.path.join(ROOT, "build-bench")

    def __init__(self, build, data="bench-data"):
        self.build = os.path.abspath(build)
        self.data = os.path.join(self.build, data)
        os.makedirs(self.data, exist_ok=True)
        self.sockets = tempfile.mkdtemp(prefix="mailpush-bench-")
        self.certificates = os.path.join(self.data, "certificates")

    def program(self, name):
        folder = {"mailpushd": "src/daemon", "apns-sim": "src/sim",
                  "mailpush-notify": "src/notify"}.get(name, "bench")
        return os.path.join(self.build, folder, name)

    def library(self, name):
        return os.path.join(self.build, "tests", "system", f"lib{name}.so")

    def socket(self, name):
        return os.path.join(self.sockets, name)

    def file(self, name):
        return os.path.join(self.data, name)

    def disk(self):
        kind, source = run("findmnt", "-n", "-o", "FSTYPE,SOURCE", "-T", self.data).split()[:2]
        return {"path": self.data, "type": kind, "source": source,
                "real": kind not in ("tmpfs", "ramfs")}


def build(place):
    """Optimised as a package would be; asserts stay on."""
    if not os.path.exists(os.path.join(place.build, "build.ninja")):
        run("meson", "setup", "--buildtype=release", place.build, ROOT)
    programs = ("mailpushd", "mailpush-notify", "apns-sim", "bench_fill", "bench_mixed",
                "bench_senders", "bench_sender")
    targets = [*map(place.program, programs), place.library("baddisk")]
    run("ninja", "-C", place.build, *(os.path.relpath(target, place.build) for target in targets))


def make_certificates(place):
    if not os.path.exists(os.path.join(place.certificates, "client.pem")):
        run(place.program("apns-sim"), "--init", place.certificates, "--topic", TOPIC)


def make_registry(place, count):
    """Kept for the next time, as long as what would be written is the same."""
    digest = hashlib.sha256()
    for source in ("src/sqlite/schema.c", "src/driver/registry_row.c", "bench/people.c",
                   "bench/fill.c"):
        with open(os.path.join(ROOT, source), "rb") as file:
            digest.update(file.read())
    path = place.file(f"registry-{count}-{digest.hexdigest()[:12]}.sqlite")
    if not os.path.exists(path):
        say(f"bench: registering {count} phones in {path}")
        new = place.file("registry-new.sqlite")
        remove_database(new)
        run(place.program("bench_fill"), "--registry", f"sqlite:{new}", "--count", str(count),
            "--site", SITE, "--topic", TOPIC)
        os.rename(new, path)
    return path


def remove_database(path):
    for end in ("", "-wal", "-shm", ".trace"):
        if os.path.exists(path + end):
            os.unlink(path + end)


def cpu_s(stat_path, with_ended=False):
    """Of a process or a thread; of a process also with its children that have ended."""
    with open(stat_path) as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15 if with_ended else 13]) / TICKS_S


class Process:
    """A server that runs for one round, and what it cost since it was ready."""

    def __init__(self, *command, log, environment=None, stderr=None):
        """`stderr`: a descriptor that gets what otherwise goes into the log."""
        with open(log, "w") as file:
            self.process = subprocess.Popen(command, stdout=file,
                                            stderr=file if stderr is None else stderr,
                                            env={**os.environ, **(environment or {})})
        self.log = log
        self.name = os.path.basename(command[0])

    def wait_until(self, is_ready):
        for _ in range(6000):
            if is_ready():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        with open(self.log) as file:
            raise Failed(f"{self.name} does not come up:\n{file.read()[-2000:]}")

    def log_has(self, pattern):
        with open(self.log) as file:
            return re.search(pattern, file.read()) is not None

    def begin(self):
        self.began = self.threads()

    def threads(self):
        """CPU seconds by the name of the thread."""
        used = {}
        tasks = f"/proc/{self.process.pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/comm") as file:
                name = file.read().strip()
            used[name] = used.get(name, 0) + cpu_s(f"{tasks}/{task}/stat")
        return used

    def used(self):
        return {name: s - self.began.get(name, 0) for name, s in self.threads().items()}

    def rss_mb(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1)) / 1024

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Simulator(Process):
    def __init__(self, place, record, client_auth=True):
        self.ready_file = place.socket("apns-ready")
        self.output = place.file("pushes")
        self.control_socket = place.socket("apns-control")
        for path in (self.ready_file, self.output):
            if os.path.exists(path):
                os.unlink(path)
        command = [place.program("apns-sim"), "--dir", place.certificates, "--record", record,
                   "--output", self.output, "--ready-file", self.ready_file,
                   "--control", self.control_socket]
        self.is_recorded = False
        super().__init__(*command, *([] if client_auth else ["--no-client-auth"]),
                         log=place.file("apns-sim.log"))
        self.wait_until(lambda: os.path.exists(self.ready_file))
        with open(self.ready_file) as file:
            self.port = int(file.read().strip().rpartition(":")[2])
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(self.control_socket)
        self.answers = self.connection.makefile("r")
        self.begin()

    def control(self, **command):
        self.connection.sendall(json.dumps(command).encode() + b"\n")
        return json.loads(self.answers.readline())

    def stats(self):
        return self.control(do="stats")

    def wait_for(self, count):
        """Until as many pushes are answered; returns when that was."""
        seen, since = -1, time.time()
        while True:
            answered = self.stats().get("by_status", {}).get("200", 0)
            now = time.time()
            if answered >= count:
                return now
            if answered != seen:
                seen, since = answered, now
            elif now - since > STUCK_S:
                raise Failed(f"only {answered} of {count} pushes came, none for {STUCK_S} s: "
                             f"{self.stats()}")
            time.sleep(0.02)


def check_pushes(simulator, count):
    """Each event led to one push, to a phone of its own (known when all was recorded)."""
    time.sleep(0.2)
    stats = simulator.stats()
    if stats["pushes"] != count or stats["by_status"] != {"200": count}:
        raise Failed(f"{count} events led to other pushes: {stats}")
    if not simulator.is_recorded:
        return
    with open(simulator.output) as file:
        tokens = [json.loads(line)["token"] for line in file]
    tokens = [token for token in tokens if token.strip("0")]    # trials of the credential are to nobody
    if len(tokens) != count or len(set(tokens)) != count:
        raise Failed(f"{count} events led to {len(tokens)} pushes to {len(set(tokens))} phones")


def write_configuration(place, registry, port, **settings):
    with open(place.file("imapd.conf"), "w") as file:
        file.write("servername: mail.example.com\nunixhierarchysep: yes\naltnamespace: yes\n"
                   f"virtdomains: off\naps_topic: {TOPIC}\n")
    keys = {
        "imapd_conf": place.file("imapd.conf"),
        "site": SITE,
        "notify_socket": place.socket("notify"),
        "stream_socket": place.socket("cyrus"),
        "socket_group": "",
        "registry": registry,
        "queue": place.file("queue.sqlite"),
        "control_socket": place.socket("control"),
        "spool_dir": "",
        "max_push_rate": 0,
        "apns_host": "localhost",
        "apns_port": port,
        "apns_ca_file": f"{place.certificates}/ca.pem",
        "log_target": "stderr",
        **settings,
    }
    path = place.file("mailpush.conf")
    with open(path, "w") as file:
        file.writelines(f'{key} = "{value}"\n' for key, value in keys.items())
        file.write(f'''credential "bench" {{
	certificate = "{place.certificates}/client.pem"
	key = "{place.certificates}/client.key"
}}
''')
    return path


def machine():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    return {"cpus": os.cpu_count(), "model": model.group(1) if model else os.uname().machine,
            "kernel": os.uname().release, "load": os.getloadavg()[0]}


class QueueLength:
    """The packaged sysctl, for the time of the run; needs root."""

    def __enter__(self):
        with open(QLEN) as file:
            self.before = file.read()
        self.write("512")

    def __exit__(self, *unused):
        self.write(self.before)

    @staticmethod
    def write(text):
        try:
            with open(QLEN, "w") as file:
                file.write(text)
        except OSError as error:
            say(f"bench: {QLEN} stays as it is ({error.strerror}); datagrams queue less")
