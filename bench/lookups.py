#!/usr/bin/env python3
"""How MariaDB is best asked about many mailboxes at once: the shapes of such a question, side by side.

Starts a server of its own, registers --count phones through the registry, and asks about mailboxes
in shuffled order, each shape about the same ones.  Prints the median of each in milliseconds: of the
processor's time that the server took, which what else the machine does hardly changes, and of the
time until the answer was there.
"""

import argparse
import ctypes
import ctypes.util
import hashlib
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/system"))

from mariadb import Mariadb, programs  # noqa: E402  (of tests/system)

SITE = "mail.example.com"
COLUMNS = "s.hash, r.id, r.username, r.device_token, r.account_id, r.topic, r.renewed_ms"
JOIN = "STRAIGHT_JOIN mailpush_registration r ON r.id = s.registration WHERE r.stopped_reason IS NULL"

IN_ORDER = "ORDER BY q.i, s.registration, s.name"


def literal(data):
    return f"x'{data.hex()}'"


def place(user):
    return hashlib.sha256(f"{SITE}\0{user}\0\0".encode()).digest()[:16]


def in_list(users):
    wanted = ",".join(literal(place(user)) for user in users)
    return (f"SELECT s.place, {COLUMNS} FROM mailpush_subscription s {JOIN} AND s.place IN ({wanted}) "
            f"ORDER BY s.place, s.registration, s.name")


def in_rows(users):
    wanted = ",".join(f"({literal(SITE.encode())},{literal(user.encode())},'')" for user in users)
    return (f"SELECT s.owner, {COLUMNS} FROM mailpush_subscription s {JOIN} "
            f"AND (s.site, s.owner, s.folder) IN ({wanted}) ORDER BY s.owner, s.registration, s.name")


def json_table(users):
    wanted = ",".join(f'"{place(user).hex()}"' for user in users)
    return (f"SELECT q.i, {COLUMNS} FROM JSON_TABLE('[{wanted}]', '$[*]' COLUMNS (i FOR ORDINALITY, "
            f"h CHAR(32) CHARACTER SET ascii PATH '$')) q "
            f"STRAIGHT_JOIN mailpush_subscription s ON s.place = UNHEX(q.h) {JOIN} {IN_ORDER}")


def values(users):
    wanted = ",".join(f"({i},{literal(place(user))})" for i, user in enumerate(users))
    return (f"WITH q (i, place) AS (VALUES {wanted}) SELECT q.i, {COLUMNS} FROM q "
            f"STRAIGHT_JOIN mailpush_subscription s ON s.place = q.place {JOIN} {IN_ORDER}")


def temporary(users):
    wanted = ",".join(f"({i},{literal(place(user))})" for i, user in enumerate(users))
    return ("CREATE TEMPORARY TABLE IF NOT EXISTS q (i INT PRIMARY KEY, place BINARY(16)) ENGINE = Aria; "
            f"DELETE FROM q; INSERT INTO q VALUES {wanted}; SELECT q.i, {COLUMNS} FROM q "
            f"STRAIGHT_JOIN mailpush_subscription s ON s.place = q.place {JOIN} {IN_ORDER}")


SHAPES = {
    "place IN (...)": in_list,
    "(site, owner, folder) IN ((...), ...)": in_rows,
    "JSON_TABLE": json_table,
    "WITH q AS (VALUES ...)": values,
    "temporary table": temporary,
}


class Client:
    """MariaDB's own library, without a program's printing in between."""

    def __init__(self, socket):
        self.lib = ctypes.CDLL(ctypes.util.find_library("mariadb"))
        for name in ("mysql_init", "mysql_real_connect", "mysql_store_result"):
            getattr(self.lib, name).restype = ctypes.c_void_p
        self.lib.mysql_error.restype = ctypes.c_char_p
        self.lib.mysql_num_rows.restype = ctypes.c_ulonglong
        self.conn = ctypes.c_void_p(self.lib.mysql_init(None))
        multi_statements = 1 << 16
        assert self.lib.mysql_real_connect(self.conn, None, b"root", None, b"mailpush", 0, str(socket).encode(),
                                           ctypes.c_ulong(multi_statements)), self.error()
        # As the driver has it.
        self.ask("SET SESSION in_predicate_conversion_threshold = 0")

    def error(self):
        return self.lib.mysql_error(self.conn).decode()

    def ask(self, sql):
        """The rows of all its statements."""
        text = sql.encode()
        rows = 0
        status = self.lib.mysql_real_query(self.conn, text, ctypes.c_ulong(len(text)))
        while status == 0:
            result = ctypes.c_void_p(self.lib.mysql_store_result(self.conn))
            if result:
                rows += self.lib.mysql_num_rows(result)
                self.lib.mysql_free_result(result)
            status = self.lib.mysql_next_result(self.conn)
        assert status == -1, self.error()
        return rows


def cpu_ms(pid):
    """Of all threads, as the scheduler counts it."""
    return sum(int(file.read_text().split()[0])
               for file in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e6


def measure(client, pid, questions):
    """Shape -> medians; in turns, so that what else the machine does meets all alike."""
    took = {name: [] for name in SHAPES}
    for users in questions:
        for name, shape in SHAPES.items():
            sql = shape(users)
            began, cpu = time.monotonic(), cpu_ms(pid)
            rows = client.ask(sql)
            took[name].append((cpu_ms(pid) - cpu, (time.monotonic() - began) * 1000))
            assert rows == len(users), f"{rows} rows for {len(users)} mailboxes"
    return {name: tuple(statistics.median(column) for column in zip(*times)) for name, times in took.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.environ.get("MAILPUSH_BUILD", ROOT / "build-bench"))
    parser.add_argument("--count", type=int, default=100000)
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    if not programs():
        sys.exit("lookups.py: MariaDB is not installed (script/bootstrap installs it)")
    server = Mariadb(["innodb-buffer-pool-size=512M"])
    try:
        server.make()
        subprocess.run([f"{options.build}/bench/bench_fill", "--registry", server.url, "--count",
                        str(options.count), "--site", SITE, "--topic", "com.apple.mail.XServer.bench"],
                       check=True)
        server.sql("ANALYZE TABLE mailpush_registration, mailpush_subscription")
        client = Client(server.socket)
        dice = random.Random(1)
        sizes = (1, 100, 2000)
        figures = [measure(client, server.process.pid, [[f"u{n:08}" for n in dice.sample(range(options.count), size)]
                                    for _ in range(options.rounds)]) for size in sizes]
        for column, what in enumerate(("processor", "answer")):
            print(f"{what:40}" + "".join(f"{size:>10}" for size in sizes))
            for name in SHAPES:
                print(f"{name:40}" + "".join(f"{of_size[name][column]:10.2f}" for of_size in figures))
    finally:
        server.remove()


if __name__ == "__main__":
    main()
