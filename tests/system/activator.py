"""Holds sockets open and passes them in, as systemd does with a socket unit.

    listener = activator.listen(daemon.stream_socket)
    activator.pass_in(daemon, listener)
    daemon.start()

Run as a program it is what comes between: it puts the descriptors where the protocol wants them,
and becomes mailpushd.
"""

import fcntl
import os
import socket
import sys

FIRST_FD = 3
BACKLOG = 4096


def listen(path, kind=socket.SOCK_STREAM, mode=0o666, group=None):
    """A socket that listens at path; whoever connects waits until somebody accepts."""
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.bind(str(path))
    os.chmod(path, mode)
    if kind == socket.SOCK_STREAM:
        listener.listen(BACKLOG)
    return listener


def pass_in(daemon, *sockets, names=None, pid="self", count=None):
    """Have the daemon started with these sockets from now on."""
    fds = [s.fileno() for s in sockets]
    daemon.pass_fds = fds
    daemon.wrapper = [sys.executable, __file__, pid, str(len(fds) if count is None else count),
                      names or "", ",".join(map(str, fds)), *daemon.wrapper]


def main(pid, count, names, fds, *command):
    copies = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in fds.split(",") if fd]
    for position, copy in enumerate(copies):
        os.dup2(copy, FIRST_FD + position)
        os.close(copy)
    for fd in map(int, filter(None, fds.split(","))):
        if not FIRST_FD <= fd < FIRST_FD + len(copies):
            os.close(fd)
    os.environ["LISTEN_PID"] = str(os.getpid()) if pid == "self" else pid
    os.environ["LISTEN_FDS"] = count
    if names:
        os.environ["LISTEN_FDNAMES"] = names
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
