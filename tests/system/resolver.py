"""A DNS server that answers when the test wants it to.

    resolver = Resolver(tmp)
    daemon.wrapper = resolver.wrapper()     # the daemon asks it, and nobody else
    resolver.wait_asked()
    resolver.answer("127.0.0.1")            # what was asked, and what will be
"""

import os
import socket
import threading

from waiting import TIMEOUT

PORT = 53                                   # resolv.conf cannot name another
A = b"\0\1\0\1"


class Resolver:
    def __init__(self, folder, options=""):
        """Of loopback addresses each process takes another, for tests that run side by side."""
        process = os.getpid()
        address = f"127.53.{process >> 8 & 255}.{process & 255}"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, PORT))
        self._conf = folder / "resolv.conf"
        self._conf.write_text(f"nameserver {address}\noptions {options}\n")
        self._changed = threading.Condition()
        self._asked = []                    # (question, who) without an answer
        self._address = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def wrapper(self):
        """A command that runs its arguments with this resolver."""
        return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"',
                str(self._conf)]

    def wait_asked(self, times=1):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._asked) >= times, TIMEOUT)

    def answer(self, address):
        with self._changed:
            self._address = address
            for query, client in self._asked:
                self._send(query, client)

    def close(self):
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join(TIMEOUT)
        self._socket.close()

    def _serve(self):
        while True:
            query, client = self._socket.recvfrom(512)
            if not query:
                return
            with self._changed:
                self._asked.append((query, client))
                self._changed.notify_all()
                if self._address:
                    self._send(query, client)

    def _send(self, query, client):
        """An address for a question of type A, and none for any other."""
        question = query[12:query.index(b"\0", 12) + 5]
        has_one = question.endswith(A)
        record = b"\xc0\x0c" + A + b"\0\0\0\1" + b"\0\4" + socket.inet_aton(self._address)
        self._socket.sendto(query[:2] + b"\x81\x80\0\1" + bytes([0, has_one]) + bytes(4)
                            + question + record * has_one, client)
