"""systemd understands our units as they would be installed."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("MAILPUSH_BUILD", ROOT / "build"))
UNITS = ROOT / "packaging/systemd"


def test_systemd_finds_no_fault_with_the_units(tmp_path):
    service = (UNITS / "mailpush.service.in").read_text()
    (tmp_path / "mailpush.service").write_text(
        service.replace("@sbindir@", str(BUILD / "src/daemon")))
    socket = tmp_path / "mailpush.socket"
    socket.write_text((UNITS / "mailpush.socket").read_text())
    verified = subprocess.run(["systemd-analyze", "verify", "--man=no", str(socket)],
                              capture_output=True, text=True)
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
