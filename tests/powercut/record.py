"""What programs did to the files of a folder, in the order in which it happened.

    record = Record(path)
    with record.held():                     # nobody under the recorder does anything meanwhile
        daemon.kill9()
    record.mark(sent=17)
    for act in record.read(): ...

recorder.c writes it; `mark` puts a word of the test's own between.
"""

import contextlib
import dataclasses
import fcntl
import json
import pathlib
import struct

from mailpushd import binary

HEAD = struct.Struct("=IHHQqQ")             # struct head of recorder.c
CREATE, FOLDER, WRITE, SIZE, SYNC, RENAME, LINK, UNLINK, ANSWER, MARK = "cdwtsrluam"
WITH_BYTES = (WRITE, ANSWER, MARK)


@dataclasses.dataclass(frozen=True, slots=True)
class Act:
    kind: str
    name: str
    new_name: str
    inode: int
    offset: int
    bytes: bytes

    def __str__(self):
        size = f" {len(self.bytes)} bytes at {self.offset}" if self.kind == WRITE else ""
        names = " -> ".join(name for name in (self.name, self.new_name) if name)
        return f"{self.kind} {names} inode {self.inode}{size}"


class Record:
    def __init__(self, path):
        self.path = pathlib.Path(path)

    def under(self, root):
        """A command that runs its arguments with the files below root recorded."""
        library = binary().parents[2] / "tests" / "powercut" / "librecorder.so"
        assert library.exists(), library
        return ["env", f"LD_PRELOAD={library}", f"RECORDER_ROOT={root}",
                f"RECORDER_FILE={self.path}",
                # The sanitizer wants to be the first library; it works as the second.
                "ASAN_OPTIONS=verify_asan_link_order=0"]

    @contextlib.contextmanager
    def held(self):
        with open(self.path, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def mark(self, **what):
        text = json.dumps(what).encode()
        with self.held() as file:
            file.write(HEAD.pack(ord(MARK), 0, 0, 0, 0, len(text)) + text)

    def read(self):
        """All acts so far."""
        data = self.path.read_bytes()
        acts, at = [], 0
        while at < len(data):
            kind, name_size, new_name_size, inode, offset, size = HEAD.unpack_from(data, at)
            kind = chr(kind)
            at += HEAD.size
            name = data[at:at + name_size].decode()
            at += name_size
            new_name = data[at:at + new_name_size].decode()
            at += new_name_size
            size = size if kind in WITH_BYTES else 0
            acts.append(Act(kind, name, new_name, inode, offset, data[at:at + size]))
            at += size
        return acts
