"""A Galera cluster of our own: three MariaDB servers on loopback, each in a folder that goes with it.

`galera.py [--spread] PROGRAM ARGUMENT...` runs the program with the url of a new cluster as its last
argument, whose first host is the writer; with --spread with three urls, each of which has another server
first.  77 if MariaDB or Galera is not installed.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys

import mariadb
from mariadb import DATABASE, LIMIT_S, USER, Mariadb
from waiting import wait_until

LIBRARIES = ("/usr/lib/galera/libgalera_smm.so", "/usr/lib/libgalera_smm.so", "/usr/lib64/galera/libgalera_smm.so")
NODES = 3
PORT = 3306

# How a node comes to the state of the others: all begin with the same data, and what came since is sent
# by Galera itself.  So nothing is left to do for the programs that would copy data, of which this is one.
TRANSFER = """#!/bin/sh
while [ $# -gt 0 ]; do
	case $1 in
	--role) role=$2 ;;
	--datadir) datadir=$2 ;;
	--address) address=$2 ;;
	--gtid) gtid=$2 ;;
	--bypass) is_enough=yes ;;
	esac
	shift
done
case $role in
joiner)
	rm -f "$datadir/transfer"
	mkfifo -m 666 "$datadir/transfer"
	echo "ready $datadir/transfer"
	read -r state <"$datadir/transfer"
	echo "$state"
	;;
donor)
	[ "$is_enough" ] || exit 1
	echo "$gtid" >"$address"
	echo "done $gtid"
	;;
esac
"""


def library():
    return next((path for path in LIBRARIES if os.path.exists(path)), None)


def why_not():
    if not mariadb.programs():
        return "MariaDB is not installed (script/bootstrap)"
    return None if library() else "Galera is not installed (script/bootstrap)"


class Node(Mariadb):
    def __init__(self, number, address):
        """address: of its own, so that its ports are free."""
        super().__init__()
        self.number = number
        self.address = address
        self.is_first = False
        self.position = None
        transfer = self.folder / "bin" / "wsrep_sst_missed"
        transfer.parent.mkdir()
        transfer.write_text(TRANSFER)
        transfer.chmod(0o755)

    @property
    def place(self):
        return self.address

    @property
    def listening(self):
        return [f"bind-address={self.address}", f"port={PORT}"]

    @property
    def environment(self):
        return {**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}"}

    def joins(self, nodes):
        group = ",".join(node.address for node in nodes)
        self.settings = [
            "binlog-format=ROW", "innodb-autoinc-lock-mode=2", "wsrep-on=ON", f"wsrep-provider={library()}",
            f"wsrep-cluster-address=gcomm://{group}", f"wsrep-node-name=node{self.number}",
            f"wsrep-node-address={self.address}", "wsrep-sst-method=missed",
            "wsrep-provider-options=gcache.size=32M;gcache.recover=yes;"
            f"gmcast.listen_addr=tcp://{self.address}:4567;ist.recv_addr={self.address}:4568;"
            "evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT4S;evs.inactive_timeout=PT8S"]

    def start(self):
        settings = list(self.settings)
        if self.is_first:
            self.settings = [*settings, "wsrep-new-cluster"]
        elif self.position:
            self.settings = [*settings, f"wsrep-start-position={self.position}"]
        try:
            super().start()
        finally:
            self.settings = settings
            self.is_first = False

    def state(self, name):
        return self.sql(f"SHOW STATUS LIKE 'wsrep_{name}'", database="").partition("\t")[2]

    def is_synced(self, size):
        try:
            return self.state("local_state_comment") == "Synced" and self.state("cluster_size") == str(size)
        except AssertionError:      # it is about to end
            return False

    def written(self):
        """How many transactions it has sent to the others."""
        return int(self.state("replicated"))

    def isolate(self, isolated):
        """Cut it off from the others, or join them again."""
        self.sql(f"SET GLOBAL wsrep_provider_options = 'gmcast.isolate={int(isolated)}'", database="")

    def kill(self):
        self.stop(signal.SIGKILL)

    def be_the_cluster(self):
        """With which the others go on, if there are too few of them."""
        self.sql("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'", database="")

    def _joins_again(self, size):
        done = subprocess.run(self.server("wsrep-recover"), capture_output=True, text=True, cwd=self.folder,
                              timeout=LIMIT_S, **self.user)
        self.position = re.search(r"Recovered position:? *(\S+)", done.stdout + done.stderr)[1]
        try:
            self.start()
            wait_until(lambda: self.process.poll() is not None or self.is_synced(size), LIMIT_S,
                       what="the node that comes back")
        except AssertionError:
            if self.process.poll() is None:
                raise
        return self.process.poll() is None

    def come_back(self, size=NODES):
        """After kill: with what the others did meanwhile.  If these lose each other on a busy machine, it
        gives up, and tries again."""
        wait_until(lambda: self._joins_again(size), 4 * LIMIT_S, what="a cluster that takes the node back")


class Galera:
    def __init__(self):
        network = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}"
        self.nodes = [Node(i, f"{network}.{i + 1}") for i in range(NODES)]

    def make(self):
        first, *others = self.nodes
        first.make()
        first.sql(f"CREATE USER {USER}@'%'; GRANT ALL ON {DATABASE}.* TO {USER}@'%'", database="")
        first.joins(self.nodes)
        # What it counts from now on is the cluster's.
        first.stop()
        first.is_first = True
        first.start()
        first.stop()
        for node in others:
            subprocess.run(["cp", "-a", first.folder / "data", node.folder], check=True)
            node.joins(self.nodes)
        first.is_first = True
        for count, node in enumerate(self.nodes, 1):
            node.start()
            wait_until(lambda: node.is_synced(count), LIMIT_S, what="a node that joins")
        for node in self.nodes:
            wait_until(lambda: node.is_synced(NODES), LIMIT_S, what="a cluster of all nodes")
        return self

    def url_of(self, first):
        """Of all nodes, that one before the others."""
        hosts = ",".join(node.address for node in [*self.nodes[first:], *self.nodes[:first]])
        return f"mariadb://{USER}@{hosts}/{DATABASE}"

    def urls(self):
        return [self.url_of(first) for first in range(NODES)]

    @property
    def url(self):
        return self.url_of(0)

    password = None

    @property
    def place(self):
        return self.nodes[0].address.rpartition(".")[0]

    def remove(self):
        for node in self.nodes:
            node.remove()


def main():
    if why_not():
        print(why_not())
        return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    cluster = Galera()
    program = [argument for argument in sys.argv[1:] if argument != "--spread"]
    try:
        cluster.make()
        urls = cluster.urls() if len(program) < len(sys.argv[1:]) else [cluster.url]
        return subprocess.run([*program, *urls]).returncode
    finally:
        cluster.remove()


if __name__ == "__main__":
    sys.exit(main())
