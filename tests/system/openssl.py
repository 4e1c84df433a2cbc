"""A TLS server that does what Python's own cannot: other keys, and a renegotiation, in the middle.

    peer = Peer(OpenSSL(referee.dir, referee.accept_plain(), most=TLS1_3)).greet()
    peer.socket.update_keys()               # ours, and asks the client for its own
    peer.socket.renegotiate()               # asks for a new handshake (TLS 1.2)
    peer.socket.heard                       # what the client said below the data
"""

import ctypes
import ctypes.util
import select

TLS1_2, TLS1_3 = 0x0303, 0x0304
ALERT, HANDSHAKE = 21, 22                   # kinds of records
KEY_UPDATE = (HANDSHAKE, 24)
NO_RENEGOTIATION = (ALERT, 100)

_PEM, _VERIFY_OR_LEAVE, _SET_MOST, _REQUESTED = 1, 3, 124, 1
_WANT_READ, _WANT_WRITE, _ZERO_RETURN = 2, 3, 6

_lib = ctypes.CDLL(ctypes.util.find_library("ssl"))
for _name in ("TLS_server_method", "SSL_CTX_new", "SSL_new"):
    getattr(_lib, _name).restype = ctypes.c_void_p

_SELECT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p),
                           ctypes.POINTER(ctypes.c_ubyte), ctypes.c_void_p, ctypes.c_uint,
                           ctypes.c_void_p)
_HEAR = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_int, ctypes.c_int,
                         ctypes.POINTER(ctypes.c_ubyte), ctypes.c_size_t, ctypes.c_void_p,
                         ctypes.c_void_p)
_H2 = ctypes.create_string_buffer(b"h2")


@_SELECT
def _select_h2(_ssl, out, size, *_):
    out[0] = ctypes.addressof(_H2)
    size[0] = 2
    return 0


class OpenSSL:
    """What Peer needs of a socket."""

    def __init__(self, folder, plain, most=TLS1_3):
        """Shakes hands over `plain`; `folder` has the certificates."""
        self.heard = []
        self._plain = plain
        self._hear_fn = _HEAR(self._hear)   # as long as the connection
        context = ctypes.c_void_p(_lib.SSL_CTX_new(ctypes.c_void_p(_lib.TLS_server_method())))
        _lib.SSL_CTX_ctrl(context, _SET_MOST, ctypes.c_long(most), None)
        for step in (
                _lib.SSL_CTX_use_certificate_file(context, _bytes(folder / "server.pem"), _PEM),
                _lib.SSL_CTX_use_PrivateKey_file(context, _bytes(folder / "server.key"), _PEM),
                _lib.SSL_CTX_load_verify_locations(context, _bytes(folder / "ca.pem"), None)):
            assert step == 1
        _lib.SSL_CTX_set_verify(context, _VERIFY_OR_LEAVE, None)
        _lib.SSL_CTX_set_alpn_select_cb(context, _select_h2, None)
        _lib.SSL_CTX_set_msg_callback(context, self._hear_fn)
        self._ssl = ctypes.c_void_p(_lib.SSL_new(context))
        _lib.SSL_CTX_free(context)
        _lib.SSL_set_fd(self._ssl, plain.fileno())
        _lib.SSL_set_accept_state(self._ssl)
        self._do(_lib.SSL_do_handshake)

    def update_keys(self):
        assert _lib.SSL_key_update(self._ssl, _REQUESTED) == 1
        self._do(_lib.SSL_do_handshake)

    def renegotiate(self):
        assert _lib.SSL_renegotiate(self._ssl) == 1
        self._do(_lib.SSL_do_handshake)

    def recv(self, size):
        data = ctypes.create_string_buffer(size)
        got = self._do(_lib.SSL_read, data, size)
        return data.raw[:got]

    def sendall(self, data):
        if data:
            self._do(_lib.SSL_write, data, len(data))

    def close(self):
        if self._ssl:
            _lib.SSL_free(self._ssl)
            self._ssl = None
        self._plain.close()

    def _do(self, function, *arguments):
        """The result; 0 when the client said that it leaves."""
        while True:
            _lib.ERR_clear_error()
            result = function(self._ssl, *arguments)
            if result > 0:
                return result
            kind = _lib.SSL_get_error(self._ssl, result)
            if kind == _ZERO_RETURN:
                return 0
            if kind not in (_WANT_READ, _WANT_WRITE):
                raise ConnectionResetError(f"TLS ended ({kind})")
            ready = select.select([self._plain] if kind == _WANT_READ else [],
                                  [self._plain] if kind == _WANT_WRITE else [], [],
                                  self._plain.gettimeout())
            if not any(ready):
                raise TimeoutError("the client says nothing")

    def _hear(self, is_ours, _version, kind, data, size, *_):
        if not is_ours and kind == HANDSHAKE:
            self.heard.append((kind, data[0]))
        elif not is_ours and kind == ALERT and size == 2:
            self.heard.append((kind, data[1]))


def _bytes(path):
    return str(path).encode()
