"""Just enough ManageSieve (RFC 5804) to give a user a mail filter."""

import base64
import socket

from waiting import TIMEOUT


def install_script(port, user, password, script, name="filter"):
    """Store the script and make it the active one."""
    plain = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    text = script.encode()
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
        answers = connection.makefile("rb")
        expect_ok(answers)
        for command in (f'AUTHENTICATE "PLAIN" "{plain}"'.encode(),
                        f'PUTSCRIPT "{name}" {{{len(text)}+}}\r\n'.encode() + text,
                        f'SETACTIVE "{name}"'.encode()):
            connection.sendall(command + b"\r\n")
            expect_ok(answers)


def expect_ok(answers):
    """Read up to the line that ends an answer; capabilities come before the first."""
    while not (line := answers.readline()).startswith(b"OK"):
        if not line or line.startswith((b"NO", b"BYE")):
            raise RuntimeError(f"timsieved: {line!r} {answers.peek()!r}")
