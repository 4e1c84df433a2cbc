"""Who supervises mailpushd, as systemd does: a socket that hears how it is.

    supervisor = Supervisor(tmp / "systemd", watchdog_s=0.2)
    daemon.wrapper = supervisor.wrapper
    supervisor.wait("READY=1")

Each datagram is one line, its own line feeds written as spaces.
"""

import contextlib
import ctypes
import os
import socket
import threading

from waiting import Lines

PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
PTRACE_DETACH = 17


class Supervisor:
    def __init__(self, path, watchdog_s=None):
        self.heard = Lines()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._path = str(path)
        self.wrapper = ["env", f"NOTIFY_SOCKET={path}"]
        if watchdog_s:
            self.wrapper.append(f"WATCHDOG_USEC={int(watchdog_s * 1e6)}")
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def wait(self, pattern, since=0):
        return self.heard.wait(pattern, since=since)

    def now(self):
        """Where what is said from now on begins: all that was said before has been heard."""
        mark = f"MARK {len(self.heard)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(mark.encode(), self._path)
        self.wait(f"^{mark}$")
        return len(self.heard)

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _hear(self):
        while text := self._socket.recv(4096).decode():
            self.heard.add(text.strip().replace("\n", " "))


@contextlib.contextmanager
def hung(pid):
    """The process's first thread does nothing meanwhile; all others go on."""
    libc = ctypes.CDLL(None, use_errno=True)
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, pid, None, None):
            raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(pid, 0)
    try:
        yield
    finally:
        libc.ptrace(PTRACE_DETACH, pid, None, None)
