"""A Debian of its own, in which packages are installed: what is written is thrown away.

    with Machine() as machine:
        machine.install(package)
        machine.run("mailpushd", "-V")

It is of the same release as its host.  Each machine lies over the same fresh system, in a namespace
that ends with us.  It uses the network and the package sources of its host.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

import base

BASE = base.CACHE / base.release_here()
PACKAGES = ("ca-certificates", "systemd")
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8",
         "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
PROXIES = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}

# Holds the namespace, in the machine's folder: tells when all stands, and ends when its standard
# input does.
INIT = r"""
set -e
mount -t overlay -o lowerdir="$1",upperdir=upper,workdir=work overlay root
mount -t proc proc root/proc
mount --rbind /dev root/dev
mount -t tmpfs tmpfs root/run
cp /etc/resolv.conf /etc/hosts root/etc
rm -rf root/etc/apt
cp -a /etc/apt root/etc
echo ready
while read -r line; do :; done
"""


class Machine:
    def __enter__(self):
        make_base()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="machine-", dir="/tmp"))
        for name in ("upper", "work", "root"):
            (self.dir / name).mkdir()
        self._init = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", INIT, "init", str(BASE)],
            cwd=self.dir, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True)
        self._pid = str(self._init.pid)
        assert self._init.stdout.readline() == "ready\n", "the machine does not start"
        return self

    def __exit__(self, *exception):
        self._init.stdin.close()
        self._init.wait(10)
        self._init.stdout.close()
        shutil.rmtree(self.dir)

    def command(self, *command):
        """A command as one that runs in the machine; its process is the command itself."""
        return ["nsenter", "-t", self._pid, "-m", "chroot", str(self.dir / "root"),
                *map(str, command)]

    def run(self, *command, check=True, text=""):
        done = subprocess.run(self.command(*command), capture_output=True, text=True, input=text,
                              env={**QUIET, **PROXIES}, timeout=900)
        if check and done.returncode:
            raise RuntimeError(f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(self, *command):
        """A process whose standard output and error can be read."""
        return subprocess.Popen(self.command(*command), stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=QUIET)

    def path(self, path):
        """A file of the machine as the host sees it."""
        return pathlib.Path(f"/proc/{self._pid}/root{self.dir}/root{path}")

    def install(self, *packages):
        """Install package files, and what they depend on."""
        for package in packages:
            shutil.copy(package, self.path("/root"))
        self.run("apt-get", "-qq", "update")
        return self.run("apt-get", "-qq", "-y", "--no-install-recommends", "install",
                        *(f"/root/{package.name}" for package in packages))

    def about(self, path):
        """Who owns a file and who may use it, such as "root:mailpush 640"."""
        return self.run("stat", "-c", "%U:%G %a", path).stdout.strip()


def make_base():
    if not BASE.is_dir():
        base.make_base(BASE, base.release_here(), PACKAGES)
