"""mailpush-notify as Cyrus' notifyd runs it.

    done = notifier.run(daemon.stream_socket, daemon.spool, notify.mail("alice"))
    assert done.returncode == 0

What it kept is read back as the daemon reads it: `kept(spool)`.
"""

import dataclasses
import os
import pathlib
import re
import subprocess

import notify
from waiting import TIMEOUT, wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SILENT = ".silent"


def binary():
    """Path of the mailpush-notify under test."""
    build = pathlib.Path(os.environ.get("MAILPUSH_BUILD", REPOSITORY / "build"))
    return build / "src" / "notify" / "mailpush-notify"


def environment(socket, spool):
    """What notifyd cannot say by arguments, as NAME=value."""
    return [f"MAILPUSH_SOCKET={socket}", f"MAILPUSH_SPOOL={spool}"]


def arguments(event_class="EVENT", priority="", user="", mailbox="", file=()):
    """notifyd's: the last -f has a value only if the notification has a file."""
    return ["-c", event_class, "-p", priority, "-u", user, "-m", mailbox, "-f", *file]


def run(socket, spool, event, words=None, wrapper=(), **options):
    """Run it to its end; wrapper is a command that runs it."""
    options = options or {"input": notify.message(event) + b"\n"}
    return subprocess.run(
        [*wrapper, "env", *environment(socket, spool), str(binary()),
         *(arguments() if words is None else words)],
        capture_output=True, timeout=TIMEOUT, **options)


def hand_over(daemon, event, words=None):
    """Run it until the daemon answers in time, which a busy machine may not allow at once."""
    def answered():
        (daemon.spool / SILENT).unlink(missing_ok=True)
        done = run(daemon.stream_socket, daemon.spool, event, words)
        return None if b"gave no answer" in done.stderr else done
    return wait_until(answered, TIMEOUT, "an answer in time")


def keep(spool, event):
    """Have it keep an event, with no daemon there."""
    done = run(spool / "no-daemon", spool, event)
    assert done.returncode == 0, done.stderr


@dataclasses.dataclass
class Request:
    """A request as mailpush-notify writes it: all values but two are literals."""
    event_class: bytes
    priority: bytes
    user: bytes
    mailbox: bytes
    received_ms: int
    message: bytes
    file: bytes | None

    @classmethod
    def read(cls, text):
        values = {}
        rest = text.removeprefix(b"NOTIFY %(METHOD external ")
        while rest != b")\r\n":
            if head := re.match(rb" ?(\w+) {(\d+)\+}\r\n", rest):
                key, size = head[1], int(head[2])
                values[key], rest = rest[head.end():][:size], rest[head.end() + size:]
            else:
                plain = re.match(rb" ?(\w+) (\w+|\(\))(?=[ )])", rest)
                values[plain[1]] = None if plain[2] == b"NIL" else plain[2]
                rest = rest[plain.end():]
        return cls(values[b"CLASS"], values[b"PRIORITY"], values[b"USER"], values[b"MAILBOX"],
                   int(values[b"RECEIVED"]), values[b"MESSAGE"], values[b"FILEPATH"])


def kept_files(spool):
    """The events in the folder, in their order."""
    return sorted(path for path in spool.iterdir()
                  if not path.name.startswith(".") and path.name != "bad")


def kept(spool):
    return [Request.read(path.read_bytes()) for path in kept_files(spool)]
