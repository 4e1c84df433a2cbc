"""The registry in several databases, side by side: the cases of `script/bench --registry`.

Each server is our own, in a folder on a disk, and commits durably.  It stands in a network namespace
of its own, so that it is reached through a socket, and over a line that takes 20 ms there and back.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time

from harness import (ROOT, SITE, TOPIC, Failed, Place, Process, Simulator, check_pushes, cpu_s, make_registry,
                     remove_database, run, say, write_configuration)

sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
import mariadb
import network
import postgresql

DELAY_MS = 20
PACED_SENDERS = 32
PACED_RATE = 2000
FOLDER = "/var/tmp"  # a disk where /tmp may be memory, and open to whom the servers run as


def tree(pid):
    """The process and all below it."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children") as file:
        return [pid, *(p for child in file.read().split() for p in tree(int(child)))]
    return []


class Sqlite:
    name = "sqlite"
    far = False

    def __init__(self, place):
        self.place = place

    def fill(self, database, count):
        self.files = {**getattr(self, "files", {}), database: make_registry(self.place, count)}

    def url(self, database, far=False):
        return f"sqlite:{self.files[database]}"

    def cpu_s(self):
        return 0

    def close(self):
        pass


class Server:
    """What the servers have in common; `server` is the tests' own."""

    def __init__(self, place):
        self.place = place
        tempfile.tempdir = FOLDER
        self.line = None if network.why_not() else network.Network(DELAY_MS)
        if not self.line:
            say(f"bench: without a slow line: {network.why_not()}")
        self.server = self.make()
        tempfile.tempdir = None

    @property
    def far(self):
        return self.line is not None

    def fill(self, database, count):
        self.create(database)
        say(f"bench: registering {count} phones in {self.name}")
        run(self.place.program("bench_fill"), "--registry", self.url(database), "--count", str(count),
            "--site", SITE, "--topic", TOPIC)
        self.settle(database)

    def cpu_s(self):
        total = 0
        for pid in tree(self.server.process.pid):
            with contextlib.suppress(OSError):
                total += cpu_s(f"/proc/{pid}/stat", with_ended=True)
        return total

    def close(self):
        self.server.remove()
        if self.line:
            self.line.close()


class Postgresql(Server):
    name = "postgresql"
    why_not = None if postgresql.programs() else "PostgreSQL is not installed"

    def make(self):
        server = postgresql.Postgresql(("fsync=on", "shared_buffers=512MB", "max_wal_size=4GB"), network=self.line)
        server.make()
        return server

    def create(self, database):
        self.server.sql(f"CREATE DATABASE {database} OWNER {postgresql.USER}", database="postgres")

    def settle(self, database):
        self.server.sql("VACUUM ANALYZE", database=database)
        self.server.sql("CHECKPOINT", database=database)

    def url(self, database, far=False):
        host = self.server.network.address if far else ""
        return f"postgresql://{postgresql.USER}@{host}/{database}" + ("" if far else f"?host={self.server.folder}")


class Mariadb(Server):
    name = "mariadb"
    why_not = None if mariadb.programs() else "MariaDB is not installed"

    def make(self):
        server = mariadb.Mariadb(("innodb-flush-log-at-trx-commit=1", "innodb-buffer-pool-size=1536M",
                                  "innodb-log-file-size=1G"), network=self.line)
        server.make()
        return server

    def create(self, database):
        self.server.sql(f"CREATE DATABASE {database}", database="")
        for host in ("localhost", "%"):
            self.server.sql(f"GRANT ALL ON {database}.* TO {mariadb.USER}@'{host}'", database="")

    def settle(self, database):
        self.server.sql("ANALYZE TABLE mailpush_registration, mailpush_subscription", database=database)

    def url(self, database, far=False):
        if far:
            return f"mariadb://{mariadb.USER}@{self.server.network.address}/{database}"
        return f"mariadb://{mariadb.USER}@/{database}?socket={self.server.socket}"


KINDS = {kind.name: kind for kind in (Sqlite, Postgresql, Mariadb)}


@contextlib.contextmanager
def site(place, count, urls):
    """A simulator, and a node with an empty queue for each url."""
    simulator = Simulator(place, count)
    nodes = []
    try:
        for i, url in enumerate(urls):
            own = place if i == 0 else Place(place.build, f"bench-data-{i + 1}")
            own.certificates = place.certificates
            remove_database(own.file("queue.sqlite"))
            node = Process(place.program("mailpushd"), "-c", write_configuration(own, url, simulator.port),
                           log=own.file("mailpushd.log"))
            node.place = own
            nodes.append(node)
        for node in nodes:
            node.wait_until(lambda: node.log_has(r"daemon: ready"))
        yield simulator, nodes
    finally:
        for node in nodes:
            node.stop()
        simulator.stop()


def measure(database, urls, users, events, senders=1, rate=0, first=0):
    """Events by datagram, divided among the nodes."""
    place, share = database.place, events // len(urls)
    with site(place, "counts", urls) as (simulator, nodes):
        # The first batch asks who is suspended, and makes the connection.
        for node in nodes:
            node.begin()
        server_s = database.cpu_s()
        paced = ["--rate", str(rate), "--processes", str(senders)] if rate else []
        running = [subprocess.Popen([place.program("bench_senders"), "--datagram", node.place.socket("notify"),
                                     "--users", str(users), "--first", str(first + i * share), "--events",
                                     str(share), "--senders", str(senders), *paced],
                                    stdout=subprocess.PIPE, text=True) for i, node in enumerate(nodes)]
        told = [json.loads(process.communicate()[0]) for process in running]
        if any(process.returncode for process in running) or any(t["taken"] != share for t in told):
            raise Failed(f"not all events were taken: {told}")
        ended = simulator.wait_for(share * len(nodes))
        used_s = sum(sum(node.used().values()) for node in nodes)
        server_s = database.cpu_s() - server_s
        check_pushes(simulator, share * len(nodes))
        return {
            "events/s in": events / max(t["seconds"] for t in told),
            "pushes/s end to end": events / (ended - min(t["began_unix_s"] for t in told)),
            "CPU us/event mailpushd": used_s * 1e6 / events,
            "CPU us/event server": server_s * 1e6 / events,
            "wait us p50": max(t["waited_us"]["p50"] for t in told),
            "wait us p99": max(t["waited_us"]["p99"] for t in told),
            "wait us p999": max(t["waited_us"]["p999"] for t in told),
            "wait us max": max(t["waited_us"]["max"] for t in told),
        }


def mixed(database, nodes, users, batches):
    """Registrations among the news, by nodes that are threads of one program."""
    server_s = database.cpu_s()
    told = json.loads(run(database.place.program("bench_mixed"), "--registry", database.url("many"), "--users",
                          str(users), "--site", SITE, "--topic", TOPIC, "--nodes", str(nodes), "--batches",
                          str(batches // nodes), "--first", str(getattr(database, "newcomers", 0))))
    database.newcomers = told["newcomers"]
    return {
        "jobs/s": told["jobs"] / told["seconds"],
        "conflicts a batch": told["conflicts"] / batches,
        "CPU us/job server": (database.cpu_s() - server_s) * 1e6 / told["jobs"],
    }


def growth(database, options):
    """CPU of daemon and server an event, among few registrations and among many."""
    def cpu_us(name, users):
        passes = [measure(database, [database.url(name)], users, options.few, first=i * options.few % users)
                  for i in range(options.passes)]
        return sum(p["CPU us/event mailpushd"] + p["CPU us/event server"] for p in passes) / len(passes)
    few, many = cpu_us("few", options.few), cpu_us("many", options.registrations)
    return {f"CPU us/event of {options.few}": few, f"CPU us/event of {options.registrations}": many,
            "growth": many / few}


def cases_of(database, options):
    many, users, events = database.url("many"), options.registrations, options.events
    paced = PACED_RATE * options.seconds
    cases = {
        "near": lambda: measure(database, [many], users, events),
        "near paced": lambda: measure(database, [many], users, min(paced, users), PACED_SENDERS, PACED_RATE),
        "growth": lambda: growth(database, options),
        "mixed": lambda: mixed(database, 1, users, options.batches),
        "two nodes": lambda: measure(database, [many, many], users, events),
        "two nodes mixed": lambda: mixed(database, 2, users, options.batches),
    }
    if database.name == "sqlite":
        del cases["two nodes"], cases["two nodes mixed"]       # a file is one node's
    if database.far:
        far = database.url("many", far=True)
        cases["far"] = lambda: measure(database, [far], users, events)
        cases["far paced"] = lambda: measure(database, [far], users, min(paced, users), PACED_SENDERS, PACED_RATE)
    return {f"{database.name} {name}": case for name, case in cases.items()}


def ratios(names):
    rate, wait = "pushes/s end to end", "wait us p99"
    for name in names:
        yield f"pushes/s {name} far : near", (f"{name} far", rate), (f"{name} near", rate)
        yield f"pushes/s {name} two nodes : one", (f"{name} two nodes", rate), (f"{name} near", rate)
        yield (f"jobs/s {name} two nodes mixed : one", (f"{name} two nodes mixed", "jobs/s"),
               (f"{name} mixed", "jobs/s"))
        if name != "sqlite":
            yield f"pushes/s {name} : sqlite", (f"{name} near", rate), ("sqlite near", rate)
            yield f"wait p99 {name} far : sqlite", (f"{name} far paced", wait), ("sqlite near paced", wait)


@contextlib.contextmanager
def databases(place, options):
    """Filled: `many` and `few`."""
    options.few = min(10000, options.registrations)
    with contextlib.ExitStack() as stack:
        opened = []
        for name in options.registry.split(","):
            if name not in KINDS:
                raise Failed(f"no database is called '{name}'; there are {', '.join(KINDS)}")
            if why_not := getattr(KINDS[name], "why_not", None):
                say(f"bench: {name} is left out: {why_not}")
                continue
            database = KINDS[name](place)
            stack.callback(database.close)
            database.fill("many", options.registrations)
            database.fill("few", options.few)
            opened.append(database)
        yield opened
