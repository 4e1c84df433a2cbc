"""A machine that is booted: systemd is its first process.

    with Booted() as machine:
        machine.install(package)
        machine.run("systemctl", "start", "mailpush")

It is a Machine with namespaces for processes and cgroups as well, in a cgroup of its own.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import machine
from waiting import wait_until

CGROUPS = pathlib.Path("/sys/fs/cgroup")

# The arguments are the folder of the base system and the cgroups to be in.
ENTER = r"""
set -e
base=$1
shift
for cgroup; do
	mkdir "$cgroup"
	echo $$ >"$cgroup/cgroup.procs"
done
exec unshare --mount --pid --uts --ipc --cgroup --fork --kill-child sh -c "$INIT" init "$base"
"""

INIT = r"""
set -e
mount -t overlay -o lowerdir="$1",upperdir=upper,workdir=work overlay root
cp /etc/resolv.conf /etc/hosts root/etc
rm -rf root/etc/apt
cp -a /etc/apt root/etc
cd root
hostname mail.example.com
mount -t proc proc proc
# What the kernel has once for all namespaces, or for the network that is shared, is not to be set.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
if [ -f /sys/fs/cgroup/cgroup.procs ]; then
	mount -t cgroup2 cgroup2 sys/fs/cgroup
else
	mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
	mkdir sys/fs/cgroup/systemd
	mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
fi
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do
	cp -a "/dev/$node" dev
done
mkdir dev/pts dev/shm old
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
pivot_root . old
umount -l old
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --log-target=null --show-status=no
"""


def hierarchies():
    """Where systemd keeps its cgroups: the only hierarchy, or the one of its name."""
    return [path for path in (CGROUPS, CGROUPS / "systemd") if (path / "cgroup.procs").exists()]


class Booted(machine.Machine):
    def __enter__(self):
        machine.make_base()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="machine-", dir="/tmp"))
        for name in ("upper", "work", "root"):
            (self.dir / name).mkdir()
        self._cgroups = [path / self.dir.name for path in hierarchies()]
        assert self._cgroups, "this system has no cgroups"
        with open(self.dir / "boot.log", "wb") as log:
            self._init = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "sh", "-c", ENTER, "enter", str(machine.BASE),
                 *map(str, self._cgroups)],
                cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "INIT": INIT}, start_new_session=True)
        try:
            self._pid = wait_until(self._first_process, what="systemd")
            wait_until(lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip()
                       in ("running", "degraded"), what="the end of the boot")
        except BaseException:
            print((self.dir / "boot.log").read_text())
            self.__exit__()
            raise
        return self

    def _first_process(self):
        assert self._init.poll() is None, "the machine does not start"
        children = pathlib.Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children")
        for child in children.read_text().split():
            with contextlib.suppress(FileNotFoundError):    # it has ended since
                if os.readlink(f"/proc/{child}/exe").endswith("/systemd"):
                    return child
        return None

    def __exit__(self, *exception):
        self._init.kill()
        self._init.wait()
        for cgroup in self._cgroups:
            wait_until(lambda: is_removed(cgroup), what="the end of all processes")
        shutil.rmtree(self.dir)

    def command(self, *command):
        return ["nsenter", "-t", self._pid, "-m", "-p", "-u", "-i", "-C", "--", *map(str, command)]

    def path(self, path):
        return pathlib.Path(f"/proc/{self._pid}/root{path}")


def is_removed(cgroup):
    """Remove it, if nothing runs in it any more."""
    subprocess.run(["find", cgroup, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"],
                   capture_output=True, check=False)
    return not cgroup.exists()
