"""A second Apple, independent of ours: a server on python3-h2 that a test scripts frame by frame.

    peer = referee.accept()                     # a client connected, TLS is done
    peer.greet(max_concurrent_streams=1000)     # our first SETTINGS
    push = peer.push()                          # the next request that came whole
    peer.answer(push, 410, {"reason": "Unregistered"})

It does nothing by itself but acknowledge, and open the windows that a client has used.  h2 checks
what the client sends, with the limits that it was told; what h2 would not let us send goes out
raw (frame, header_block).  Certificates are those of a folder that `apns-sim --init` made.
"""

import json
import pathlib
import socket
import ssl

import h2.config
import h2.connection
import h2.events
import h2.settings

from waiting import TIMEOUT

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
NO_LIMIT = 2 ** 31 - 1


class Gone(Exception):
    """The client ended the connection."""


class Push:
    """A request, as far as it has come."""

    def __init__(self, stream, headers):
        self.stream = stream
        self.headers = dict(headers)
        self.body = b""

    @property
    def token(self):
        return self.headers[":path"].rpartition("/")[2]

    @property
    def apns_id(self):
        return self.headers["apns-id"]

    @property
    def payload(self):
        return json.loads(self.body)


class Referee:
    def __init__(self, folder, host="127.0.0.1", port=0, alpn=("h2",), client_ca=None,
                 most=ssl.TLSVersion.TLSv1_3):
        """client_ca: whose client certificates are taken (default: the folder's)."""
        self.dir = pathlib.Path(folder)
        self.host = host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, port), family=family)
        self.listener.settimeout(TIMEOUT)
        self.port = self.listener.getsockname()[1]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.maximum_version = most
        self.context.load_cert_chain(self.dir / "server.pem", self.dir / "server.key")
        self.context.load_verify_locations(client_ca or self.dir / "ca.pem")
        self.context.verify_mode = ssl.CERT_REQUIRED
        if alpn:
            self.context.set_alpn_protocols(list(alpn))
        self._open = []

    @property
    def settings(self):
        """What mailpush.conf says about it: each connection and push is one that the test expects."""
        return {"apns_host": self.host, "apns_port": self.port,
                "apns_ca_file": self.dir / "ca.pem", "apns_check_interval": "0s"}

    def accept_plain(self):
        """The next connection, without TLS."""
        plain, _ = self.listener.accept()
        plain.settimeout(TIMEOUT)
        self._open.append(plain)
        return plain

    def accept(self):
        """The next connection, after its handshake; ssl.SSLError if that fails."""
        return self.over(self.accept_plain())

    def over(self, plain):
        peer = Peer(self.context.wrap_socket(plain, server_side=True))
        self._open.append(peer.socket)
        return peer

    def close(self):
        for opened in [self.listener, *self._open]:
            opened.close()


class Peer:
    """One client."""

    def __init__(self, connection):
        self.socket = connection
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8",
                                           validate_outbound_headers=False,
                                           normalize_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.has_greeted = False
        self.opens_windows = True
        self.streams = {}           # all pushes that began
        self.arrived = []           # those that came whole and were not asked for yet
        self.streams_at_ack = []    # how many had begun at each acknowledgement of our SETTINGS
        self.resets = []            # streams that the client reset
        self.client_settings = {}
        self.pings = 0              # of the client
        self.pongs = 0
        self.goaway = None
        self.ended = False

    # ---- what a good server does ----

    def greet(self, **settings):
        """Our first frames."""
        settings = {"max_concurrent_streams": 1000, **settings}
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values=codes(settings))
        acknowledgements = self.h2.data_to_send()       # nothing may come before our SETTINGS
        self.h2.initiate_connection()
        self.raw(self.h2.data_to_send() + acknowledgements)
        self.has_greeted = True
        return self

    def change_settings(self, **settings):
        """Other SETTINGS; waits until the client has acknowledged them."""
        seen = len(self.streams_at_ack)
        self.h2.update_settings(codes(settings))
        self.flush()
        self.wait(lambda: len(self.streams_at_ack) > seen)

    def push(self):
        """The next push that came whole."""
        self.wait(lambda: self.arrived)
        return self.arrived.pop(0)

    def pushes(self, count):
        return [self.push() for _ in range(count)]

    def answer(self, push, status=200, body=None, **headers):
        fields = [(":status", str(status)), ("apns-id", push.apns_id),
                  *((name.replace("_", "-"), value) for name, value in headers.items())]
        self.h2.send_headers(push.stream, fields, end_stream=body is None)
        if body is not None:
            self.h2.send_data(push.stream, json.dumps(body).encode(), end_stream=True)
        self.flush()

    def settle(self):
        """Wait until all that the client sent before our PING has come."""
        seen = self.pongs
        self.h2.ping(b"settled?")
        self.flush()
        self.wait(lambda: self.pongs > seen)

    def open_window(self, size, push=None):
        self.h2.increment_flow_control_window(size, push.stream if push else None)
        self.flush()

    # ---- what h2 would not do ----

    def frame(self, kind, flags=0, stream=0, payload=b""):
        """Send any frame."""
        self.raw(frame_bytes(kind, flags, stream, payload))

    def raw(self, data):
        self.socket.sendall(data)

    def send_goaway(self, last, reason=None, code=0):
        """A GOAWAY that ends nothing here: streams up to `last` go on."""
        text = json.dumps({"reason": reason}).encode() if reason else b""
        self.frame(GOAWAY, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big") + text)

    def reset(self, push, code):
        self.frame(RST_STREAM, 0, push.stream, int(code).to_bytes(4, "big"))

    # ---- events ----

    def wait(self, condition):
        while not condition():
            self.receive()

    def wait_end(self):
        """Wait until the client has closed."""
        while not self.ended:
            try:
                self.receive()
            except Gone:
                pass

    def close(self):
        """Without a word, as a server that dies."""
        self.socket.close()

    def receive(self):
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        if not data:
            self.ended = True
            raise Gone
        for event in self.h2.receive_data(data):
            self._handle(event)
        self.flush()

    def flush(self):
        if self.has_greeted and (data := self.h2.data_to_send()):
            self.socket.sendall(data)

    def _handle(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.streams[event.stream_id] = Push(event.stream_id, event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.streams[event.stream_id].body += event.data
            if self.opens_windows and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.arrived.append(self.streams[event.stream_id])
        elif isinstance(event, h2.events.SettingsAcknowledged):
            self.streams_at_ack.append(len(self.streams))
        elif isinstance(event, h2.events.RemoteSettingsChanged):
            self.client_settings.update(
                {code: change.new_value for code, change in event.changed_settings.items()})
        elif isinstance(event, h2.events.StreamReset):
            self.resets.append((event.stream_id, event.error_code))
        elif isinstance(event, h2.events.PingReceived):
            self.pings += 1
        elif isinstance(event, h2.events.PingAckReceived):
            self.pongs += 1
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event


def codes(settings):
    return {getattr(h2.settings.SettingCodes, name.upper()): value
            for name, value in settings.items()}


def frame_bytes(kind, flags=0, stream=0, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def header_block(*fields):
    """HPACK without state: each field a literal that nobody indexes, letters as they are."""
    return b"".join(b"\0" + text(name) + text(value) for name, value in fields)


def text(value):
    data = value.encode()
    return integer(len(data)) + data


def integer(value):
    """RFC 7541 5.1, with a prefix of 7 bits."""
    if value < 127:
        return bytes([value])
    rest, out = value - 127, bytearray([127])
    while rest >= 128:
        out.append(rest % 128 + 128)
        rest //= 128
    return bytes(out + bytes([rest]))
