"""Certificates of a database server and of its clients, each signed by itself, for localhost.

    with certificates("server", "stranger") as pairs:       # in a folder that goes with them
        certificate, key = pairs["server"]
"""

import contextlib
import pathlib
import subprocess
import tempfile


def _make(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
                   check=True, capture_output=True)
    (folder / f"{name}.key").chmod(0o644)
    return folder / f"{name}.pem", folder / f"{name}.key"


@contextlib.contextmanager
def certificates(*names):
    """In a folder that the server's user may enter, which pytest's own is not while another pytest starts."""
    with tempfile.TemporaryDirectory(prefix="mailpush-tls-") as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        yield {name: _make(folder, name) for name in names}
