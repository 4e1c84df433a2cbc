"""Ports that nobody listens at, for servers that must be told theirs."""

import itertools
import os
import random
import socket

# Below those that the kernel gives to outgoing connections; each worker of the tests has its own, and
# those of script/releases, which runs beside others, come after these.
FIRST, COUNT, WORKERS = 15000, 1000, 16


def _of_this_process():
    worker = os.environ.get("PYTEST_XDIST_WORKER")      # as in gw3
    first = int(os.environ.get("FIRST_WORKER", 0))
    begin = FIRST + COUNT * ((first + int(worker[2:])) % WORKERS if worker else WORKERS)
    return itertools.cycle(random.sample(range(begin, begin + COUNT), COUNT))


_candidates = _of_this_process()


def free_ports(count):
    ports = []
    while len(ports) < count:
        port = next(_candidates)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
    return ports


def free_port():
    return free_ports(1)[0]
