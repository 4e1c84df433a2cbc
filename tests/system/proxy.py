"""An HTTP proxy that a test scripts: it says what the test wants, and then carries bytes.

    with Proxy() as proxy:
        request = proxy.accept()        # "CONNECT 127.0.0.1:2197 HTTP/1.1\r\n..."
        proxy.tunnel(sim.port)          # a good proxy: 200, and bytes both ways
        proxy.say(b"HTTP/1.1 403 Forbidden\r\n\r\n")
"""

import socket
import threading

from waiting import TIMEOUT


class Proxy:
    def __init__(self, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family)
        self.listener.settimeout(TIMEOUT)
        self.port = self.listener.getsockname()[1]
        self.client = None
        self._open = [self.listener]

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for opened in self._open:
            opened.close()

    def accept(self):
        """The head of the next client's request."""
        self.client, _ = self.listener.accept()
        self.client.settimeout(TIMEOUT)
        self._open.append(self.client)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.client.recv(1)
        return head.decode()

    def say(self, data):
        self.client.sendall(data)

    def tunnel(self, port, answer=b"HTTP/1.1 200 Connection established\r\n\r\n"):
        server = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self._open.append(server)
        self.say(answer)
        for source, sink in ((self.client, server), (server, self.client)):
            source.settimeout(None)
            threading.Thread(target=carry, args=(source, sink), daemon=True).start()

    def ends_within(self, seconds):
        """Whether the client closes in that time; otherwise waits for all of it."""
        self.client.settimeout(seconds)
        try:
            self.wait_end()
        except TimeoutError:
            return False
        finally:
            self.client.settimeout(TIMEOUT)
        return True

    def wait_end(self):
        """Wait until the client has closed."""
        try:
            while self.client.recv(4096):
                pass
        except ConnectionResetError:
            pass


def carry(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass                            # one of the two is gone
