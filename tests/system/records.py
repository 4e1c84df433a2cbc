"""TLS of a server whose records a test can cut.

    peer = Peer(Records(referee.context, referee.accept_plain())).greet()
    peer.socket.cut()                       # half of the next record goes out, and nothing more
    flight = server_flight(referee.context, plain)      # our answer to its ClientHello, not sent
"""

import ssl


class Records:
    """What Peer needs of a socket."""

    def __init__(self, context, plain):
        """Shakes hands over `plain`."""
        self._plain = plain
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._is_whole = True
        self._do(self._tls.do_handshake)
        self._send()

    def cut(self):
        self._is_whole = False

    def recv(self, size):
        return self._do(self._tls.read, size)

    def sendall(self, data):
        self._tls.write(data)
        self._send()

    def close(self):
        self._plain.close()

    def _do(self, function, *arguments):
        while True:
            try:
                return function(*arguments)
            except ssl.SSLWantReadError:
                self._send()
                if data := self._plain.recv(65536):
                    self._in.write(data)
                else:
                    self._in.write_eof()

    def _send(self):
        data = self._out.read()
        if self._plain and data:
            self._plain.sendall(data if self._is_whole else data[:len(data) // 2])


def server_flight(context, plain):
    """What the server says to the client's first words."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while not outgoing.pending:
        incoming.write(plain.recv(65536))
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
    return outgoing.read()
