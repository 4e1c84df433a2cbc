"""The disk: what of a folder is left when the power goes.

What a disk may do is as bad as POSIX allows, worse than what a journalling file system does:

- Data is durable once its file was synced (fsync and fdatasync alike, the size included), an entry
  of a directory (a file made, linked, renamed or removed) once that directory was synced.  To sync
  a file makes no entry durable, to sync a directory no data.
- What is not durable is there or not, each write and each entry by itself, whatever came first.
  A write that is there in part is whole sectors of 512 bytes of it; a sector is never torn.
- A file's size is not data: it may be any that the file had since it was synced, with data that is
  not there as zeros, and a file may have a name before it has anything else.
- A rename is one step: it happened, or it did not.

`Disk` follows a record.  At each point it can make the files as a disk would have them that kept
nothing but what is durable (`strictest`), that lost nothing, as the page cache is after a crash of
the daemon alone (`kept`), or any between (`torn`).
"""

import dataclasses
import itertools

import record

SECTOR = 512
ROOT = ""


@dataclasses.dataclass
class File:
    durable: bytearray = dataclasses.field(default_factory=bytearray)
    cached: bytearray = dataclasses.field(default_factory=bytearray)
    # Since the last sync, in order: a write (offset, bytes), or a size that was set (size, None).
    changes: list = dataclasses.field(default_factory=list)

    def write(self, offset, data):
        put(self.cached, offset, data)
        self.changes.append((offset, data))

    def resize(self, size):
        resize(self.cached, size)
        self.changes.append((size, None))

    def sync(self):
        for offset, data in self.changes:
            apply(self.durable, offset, data)
        self.changes.clear()

    def torn(self, random):
        """The bytes that a disk may have."""
        result = bytearray(self.durable)
        if not self.changes:
            return result
        size, smallest = self._size(random)
        resize(result, min(smallest, len(result)))
        resize(result, size)
        writes = [change for change in self.changes if change[1] is not None]
        order = random.random()
        if order < 1 / 3:
            random.shuffle(writes)
        fate = random.choice(("none", "all", "some", "some", "sectors"))
        for offset, data in writes:
            if fate == "none" or fate == "some" and random.random() < 0.5:
                continue
            for at, piece in sectors(offset, data):
                if fate != "sectors" or random.random() < 0.5:
                    put(result, at, piece[:max(0, size - at)])
        return result

    def _size(self, random):
        """One of the sizes since the last sync, and the smallest that the file had before it."""
        size = smallest = len(self.durable)
        sizes = [(size, smallest)]
        for offset, data in self.changes:
            size = offset if data is None else max(size, offset + len(data))
            smallest = min(smallest, size)
            sizes.append((size, smallest))
        return random.choice(sizes)


def always(_name):
    return True


class Disk:
    """Of a folder that is empty at first; its own name is durable."""

    def __init__(self, synced=always):
        """synced: whether syncing the file of that name does anything, or the disk lies."""
        self.files = {}                     # by a number that, unlike an inode's, is never used again
        self._numbers = {}                  # inode, the number of its file or directory
        self._unused = itertools.count(1)
        self._synced = synced
        self._durable = {ROOT: {}}          # entries of each directory: name, number
        self._cached = {ROOT: {}}
        self._changes = {ROOT: []}          # of entries: name, number or None: removed
        self._folders = {}                  # number, name of a directory

    def do(self, act):
        """Returns whether what is durable has changed."""
        if act.kind in (record.CREATE, record.FOLDER):
            self._numbers[act.inode] = next(self._unused)
        number = self._numbers.get(act.inode)
        if act.kind == record.SYNC:
            return self._sync(number)
        if act.kind == record.WRITE:
            self.files[number].write(act.offset, act.bytes)
        elif act.kind == record.SIZE:
            self.files[number].resize(act.offset)
        elif act.kind == record.CREATE:
            self.files[number] = File()
            self._enter({act.name: number})
        elif act.kind == record.FOLDER:
            self._folders[number] = act.name
            for entries in (self._durable, self._cached):
                entries[act.name] = {}
            self._changes[act.name] = []
            self._enter({act.name: number})
        elif act.kind == record.RENAME:
            self._enter({act.name: None, act.new_name: number})
        elif act.kind == record.LINK:
            self._enter({act.new_name: number})
        elif act.kind == record.UNLINK:
            self._enter({act.name: None})
        return False

    # ---- what is left ----

    def strictest(self):
        return self._image(self._durable, lambda file: file.durable)

    def kept(self):
        return self._image(self._cached, lambda file: file.cached)

    def torn(self, random):
        entries = {}
        for folder, durable in self._durable.items():
            entries[folder] = dict(durable)
            chance = random.choice((0, 0.5, 0.5, 1))
            for change in self._changes[folder]:
                if random.random() < chance:
                    change_entries(entries[folder], change)
        return self._image(entries, lambda file: file.torn(random))

    # ---- inside ----

    def _name(self, number):
        for entries in self._cached.values():
            for name, there in entries.items():
                if there == number:
                    return name
        return None

    def _sync(self, number):
        folder = None if number in self.files else self._folders.get(number, ROOT)
        if not self._synced(self._name(number) if folder is None else folder):
            return False
        if folder is None:
            self.files[number].sync()
            return True
        for change in self._changes[folder]:
            change_entries(self._durable[folder], change)
        self._changes[folder].clear()
        return True

    def _enter(self, change):
        """In one step; of a rename to another directory each half is a step."""
        for folder in {folder_of(name) for name in change}:
            part = {name: number for name, number in change.items() if folder_of(name) == folder}
            change_entries(self._cached[folder], part)
            self._changes[folder].append(part)

    def _image(self, entries, bytes_of):
        """{name: bytes, or None: a directory} of all that has a name."""
        image = {}
        for folder in sorted(entries):
            if folder != ROOT and folder not in image:
                continue                    # its own name is lost, and with it what is inside
            for name, number in entries[folder].items():
                image[name] = bytes_of(self.files[number]) if number in self.files else None
        return image


def folder_of(name):
    return name.rpartition("/")[0]


def change_entries(entries, change):
    for name, number in change.items():
        if number is None:
            entries.pop(name, None)
        else:
            entries[name] = number


def resize(data, size):
    if size < len(data):
        del data[size:]
    else:
        data.extend(bytes(size - len(data)))


def put(data, offset, piece):
    if piece:
        if len(data) < offset:
            resize(data, offset)
        data[offset:offset + len(piece)] = piece


def apply(data, offset, piece):
    if piece is None:
        resize(data, offset)
    else:
        put(data, offset, piece)


def sectors(offset, data):
    """The pieces of a write that a disk takes whole: (offset, bytes)."""
    at = 0
    while at < len(data):
        size = min(SECTOR - (offset + at) % SECTOR, len(data) - at)
        yield offset + at, data[at:at + size]
        at += size
