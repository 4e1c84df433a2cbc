"""The power goes at each point of a recorded life: is what was acknowledged told?

    looked_at, findings = Examination(acts, apns_folder, seed, Plan()).run()

An image is named by its point, the number of acts of the record before the cut, and how the disk
left it: 1234-strictest, 1234-kept, 1234-torn-56.  Where neither the files nor what must stand has
changed since the point before, the image is that one, and is not looked at again.
"""

import collections
import dataclasses
import multiprocessing
import os
import pathlib
import random
import signal
import sys
import tempfile
import traceback

import record
from demands import Demands
from disk import Disk, always
from life import APPLE
from start import Starter, read_standing, write_image

JOBS = os.cpu_count()
# The threads of who asks are not in a fresh process, nor are the locks that they hold.
PROCESSES = multiprocessing.get_context("spawn")
SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@dataclasses.dataclass
class Plan:
    """Which images are looked at, and how many of them by mailpushd itself."""
    every: int = 1                          # point of the record
    tears: int = 10_000
    kinds: tuple = ("strictest", "kept")    # beside those that are torn
    # Of so many images one is started on by mailpushd; the others are read by its own modules.
    started: dict = dataclasses.field(
        default_factory=lambda: {"strictest": 1, "kept": 50, "torn": 50})  # 0: none
    only: str = ""                          # this image alone


class Walk:
    """Goes through a record, act by act."""

    def __init__(self, acts, synced=always):
        self.disk = Disk(synced)
        self.demands = Demands()
        self._acts = acts
        self._apple = {act.inode for act in acts
                       if act.kind == record.CREATE and act.name == APPLE}

    def points(self):
        """Yields (point, the kinds of image that may be another one than before)."""
        for point, act in enumerate(self._acts, 1):
            durable = cached = False
            if act.inode in self._apple:
                demanded = act.kind == record.WRITE and self.demands.follow_apple(act.bytes)
            elif act.kind in (record.MARK, record.ANSWER):
                demanded = self.demands.follow(act)
            else:
                demanded = False
                durable = self.disk.do(act)
                cached = act.kind != record.SYNC
            yield point, {"strictest": durable or demanded, "kept": cached or demanded}


def unrecorded(acts, folder):
    """The files in the folder, where all this has happened, that are not as the record says."""
    walk = Walk(acts)
    for _ in walk.points():
        pass
    kept = walk.disk.kept()
    there = {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
             for path in folder.rglob("*") if path.name != APPLE}
    return [name for name in {*kept, *there}
            if name not in kept or name not in there or kept[name] != there[name]]


class Examination:
    def __init__(self, acts, apns_folder, seed, plan, synced=always):
        """synced: whether syncing the file of that name does anything, or the disk lies; it goes to
        other processes, so it can be pickled."""
        self._acts = acts
        self._apns_folder = apns_folder
        self._seed = seed
        self._plan = plan
        self._synced = synced
        chance = random.Random(f"{seed}/points")
        self._tears = {}                    # point, numbers of its tearings
        for number in range(plan.tears):
            self._tears.setdefault(chance.randint(1, len(acts)), []).append(number)

    def run(self, tell=lambda looked_at, finding: None, enough=None):
        """Returns (how many images were looked at, by kind; what is wrong: [(image, texts)]).

        tell gets the same as it grows: the counts, and a finding or None.  It ends with as many
        findings as are enough.
        """
        words = PROCESSES.Queue()
        looked_at, findings, left = collections.Counter(), [], JOBS
        with tempfile.TemporaryDirectory(prefix="mp-", dir=SCRATCH) as folder:
            workers = [PROCESSES.Process(target=self._work, daemon=True,
                                         args=(words, share, pathlib.Path(folder)))
                       for share in range(JOBS)]
            for worker in workers:
                worker.start()
            try:
                while left and (enough is None or len(findings) < enough):
                    word = words.get()
                    if word is None:
                        left -= 1
                        continue
                    how, name, missing = word
                    looked_at[how] += 1
                    if missing:
                        findings.append((name, missing))
                    tell(looked_at, findings[-1] if missing else None)
            finally:
                for worker in workers:
                    worker.terminate()
                    worker.join()
        return looked_at, findings

    def _work(self, words, share, folder):
        """A share of the images, in a process of its own, which ends its programs when it is ended."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        try:
            with Starter(folder / f"starter{share}", self._apns_folder) as starter:
                self._look(words, share, folder / f"data{share}", starter)
        except SystemExit:
            words.cancel_join_thread()      # nobody reads any more
        except BaseException:
            words.put(("error", "the examination itself", [traceback.format_exc()]))
        finally:
            words.put(None)

    def _look(self, words, share, data, starter):
        walk = Walk(self._acts, self._synced)
        for turn, (point, name, kind, make_image) in enumerate(self._images(walk)):
            if turn % JOBS != share:
                continue
            write_image(make_image(), data)
            one_in = 1 if self._plan.only else self._plan.started[kind]
            is_started = one_in and turn // JOBS % one_in == 0
            missing = walk.demands.missing(read_standing(data))
            if is_started and not missing:
                write_image(make_image(), data)
                missing = starter.missing(data, walk.demands)
                kind += ", mailpushd started"
            words.put((kind, name, missing))

    def _images(self, walk):
        """Yields (point, name, kind, function that makes it), in the order of the record."""
        for point, is_new in walk.points():
            wanted = [(f"{point}-{kind}", kind, getattr(walk.disk, kind))
                      for kind in self._plan.kinds
                      if is_new[kind] and point % self._plan.every == 0]
            for number in self._tears.get(point, ()):
                wanted.append((f"{point}-torn-{number}", "torn",
                               lambda number=number: walk.disk.torn(
                                   random.Random(f"{self._seed}/{number}"))))
            for name, kind, make_image in wanted:
                if self._plan.only in ("", name):
                    yield point, name, kind, make_image
