"""A network namespace of our own, and the line to it, which can be slow and can swallow all packets.

    far = Network(delay_ms=20)                      # there and back again
    subprocess.Popen([*far.inside, "postgres", ...])
    far.address                                     # by which we reach it
    far.swallow()                                   # from now on each side is a black hole to the other
    far.carry()
    far.close()

Each end of the line is a TUN device; a thread carries the packets over.  So the line needs nothing
of the kernel but TUN, and what it does is the same everywhere.  `why_not()` says what is missing.
"""

import collections
import contextlib
import fcntl
import itertools
import os
import select
import shutil
import struct
import subprocess
import threading
import time

from waiting import wait_until

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
# Large, so that there are few packets to carry.
MTU = 65000
WAITING_MAX = 10000

_serial = itertools.count()


def why_not():
    """What a network of our own lacks here; None: nothing."""
    if os.geteuid() != 0:
        return "a network namespace needs root"
    if not all(map(shutil.which, ("ip", "nsenter", "unshare", "setpriv"))):
        return "a network namespace needs ip (iproute2), and nsenter, unshare and setpriv (util-linux)"
    if not os.path.exists("/dev/net/tun"):
        return "a line to a network namespace needs /dev/net/tun"
    done = subprocess.run(["unshare", "--net", "true"], capture_output=True)
    return "network namespaces are not allowed here" if done.returncode else None


class Network:
    def __init__(self, delay_ms=0):
        number = next(_serial)
        # Of a range that is nobody's (RFC 2544): two addresses of each process and network.  What
        # script/releases runs beside others counts processes anew, and has workers of its own.
        first = int(os.environ.get("FIRST_WORKER", 0))
        net = f"198.{18 + (first > 0)}.{os.getpid() + 16 * first & 255}"
        self.near, self.address = (f"{net}.{(4 * number + i) % 256}" for i in (1, 2))
        self.delay_s = delay_ms / 2000
        self.swallowed = 0
        self._swallows = False
        self._has_ended = False
        self._holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"])
        self._ends = []
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        try:
            wait_until(self._has_namespace, what="a network namespace")
            self._make(f"m{first % 16:x}{os.getpid()}-{number}")
        except BaseException:
            self.close()
            raise

    @property
    def inside(self):
        """A command that runs its arguments there."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--"]

    def swallow(self):
        self._swallows = True

    def carry(self):
        self._swallows = False

    @contextlib.contextmanager
    def swallowing(self):
        self.swallow()
        yield
        self.carry()

    def close(self):
        if self._thread.is_alive():
            self._has_ended = True
            os.write(self._woken, b"x")
            self._thread.join()
        for descriptor in (*self._ends, self._wake, self._woken):
            os.close(descriptor)
        self._holder.kill()
        self._holder.wait()

    def _has_namespace(self):
        try:
            return os.readlink(f"/proc/{self._holder.pid}/ns/net") != os.readlink("/proc/self/ns/net")
        except FileNotFoundError:
            return False

    def _make(self, name):
        near, far = f"{name}n"[-15:], f"{name}f"[-15:]
        self._ends = [tun(near), tun(far)]
        run("ip", "link", "set", far, "netns", str(self._holder.pid))
        for command, device, mine, peer in (([], near, self.near, self.address),
                                            (self.inside, far, self.address, self.near)):
            run(*command, "ip", "address", "add", mine, "peer", peer, "dev", device)
            run(*command, "ip", "link", "set", device, "mtu", str(MTU), "up")
        run(*self.inside, "ip", "link", "set", "lo", "up")
        self._thread.start()

    def _carry(self):
        other = {self._ends[0]: self._ends[1], self._ends[1]: self._ends[0]}
        waiting = collections.deque()                   # (when it arrives, where, packet)
        while not self._has_ended:
            left_s = max(0, waiting[0][0] - time.monotonic()) if waiting else None
            readable, _, _ = select.select([self._wake, *self._ends], [], [], left_s)
            for end in readable:
                if end == self._wake:
                    continue
                packet = os.read(end, MTU)
                if self._swallows or len(waiting) >= WAITING_MAX:
                    self.swallowed += 1
                else:
                    waiting.append((time.monotonic() + self.delay_s, other[end], packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, end, packet = waiting.popleft()
                with contextlib.suppress(OSError):      # as a wire with nobody at its end
                    os.write(end, packet)


def tun(name):
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
