"""A line to a database's socket that cuts connections at random, and loses answers.

`cutting.py postgresql|mariadb PROGRAM ARGUMENT...` runs the program with the url of a new server behind
such a line as its last argument; 77 if the server is not installed.
"""

import contextlib
import random
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import mariadb
import postgresql

# One of so many pieces of bytes that a client sends is the last of its connection.
PIECES = 60


class Cutting:
    """Listens at `path`, and carries bytes to `server` and back: both are sockets in the file system."""

    def __init__(self, path, server):
        self.server = str(server)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        Path(path).chmod(0o777)
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client):
        server = socket.socket(socket.AF_UNIX)
        with client, server, selectors.DefaultSelector() as both, contextlib.suppress(OSError):
            server.connect(self.server)
            both.register(client, selectors.EVENT_READ, server)
            both.register(server, selectors.EVENT_READ, client)
            while True:
                for ready, _ in both.select():
                    piece = ready.fileobj.recv(1 << 16)
                    if not piece:
                        return
                    is_last = ready.fileobj is client and random.randrange(PIECES) == 0
                    if is_last:
                        lose(server, piece)
                        return
                    ready.data.sendall(piece)


def lose(server, piece):
    """A part of what was sent arrives, or all of it; then the server does it, and nobody hears of it."""
    arrives = random.choice((0, random.randrange(len(piece)), len(piece), len(piece)))
    server.sendall(piece[:arrives])
    server.shutdown(socket.SHUT_WR)
    while server.recv(1 << 16):
        pass


def url_behind(server, folder):
    """Of the server behind a line; the line stays for as long as this program."""
    if isinstance(server, mariadb.Mariadb):
        Cutting(folder / "socket", server.socket)
        return server.url.replace(str(server.socket), f"{folder}/socket")
    name = ".s.PGSQL.5432"
    Cutting(folder / name, server.folder / name)
    return server.url.replace(str(server.folder), str(folder))


def main():
    kind = {"postgresql": postgresql, "mariadb": mariadb}[sys.argv[1]]
    if not kind.programs():
        print(f"{sys.argv[1]} is not installed (script/bootstrap installs it)")
        return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    server = postgresql.Postgresql() if kind is postgresql else mariadb.Mariadb()
    try:
        server.make()
        with tempfile.TemporaryDirectory(prefix="mailpush-cut-") as folder:
            return subprocess.run([*sys.argv[2:], url_behind(server, Path(folder))]).returncode
    finally:
        server.remove()


if __name__ == "__main__":
    sys.exit(main())
