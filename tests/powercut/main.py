"""script/powercut: records a life, and lets the power go at each point of it."""

import argparse
import pathlib
import random
import shutil
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]
sys.dont_write_bytecode = True

import apnssim  # noqa: E402
from life import Life  # noqa: E402
from mailpushd import binary  # noqa: E402
from powercut import Examination, Plan, unrecorded  # noqa: E402
from record import Record  # noqa: E402

KEPT = binary().parents[2] / "powercut"     # the records of runs that found something, by seed
EVENTS = 300
TELL_S = 10


class Progress:
    def __init__(self):
        self._told = time.monotonic()

    def __call__(self, looked_at, finding):
        if finding:
            name, missing = finding
            print(f"{name}:", *missing[:5], sep="\n    ", flush=True)
        if time.monotonic() - self._told > TELL_S:
            self._told = time.monotonic()
            print_counts(looked_at)


def print_counts(looked_at):
    print(", ".join(f"{kind}: {count}" for kind, count in sorted(looked_at.items())), flush=True)


def record_life(seed, folder, apns_folder):
    life = Life(folder / "life", apns_folder, seed)
    life.live(EVENTS)
    missed = unrecorded(life.record.read(), life.data)
    if missed:
        sys.exit(f"these files are not as the record says: {missed}")
    return life.record


def main():
    parser = argparse.ArgumentParser(prog="powercut", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", default=random.randrange(2**32))
    parser.add_argument("image", nargs="?", default="", help="this one of a run that failed")
    options = parser.parse_args()
    kept = KEPT / str(options.seed)
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="mp-", dir="/tmp") as folder:
        folder = pathlib.Path(folder)
        apnssim.run("--init", folder / "apns", "--topic", apnssim.TOPIC)
        if options.image and not kept.exists():
            parser.error(f"there is no record of this seed ({kept})")
        record = Record(kept) if options.image else \
            record_life(options.seed, folder, folder / "apns")
        acts = record.read()
        print(f"{len(acts)} points", flush=True)
        looked_at, findings = Examination(
            acts, folder / "apns", options.seed, Plan(only=options.image)).run(Progress())
        print_counts(looked_at)
        if not findings:
            return "no such image" if options.image and not looked_at else 0
        if not options.image:
            KEPT.mkdir(exist_ok=True)
            shutil.copy(record.path, kept)
        return (f"{len(findings)} images from which something is lost; to look at the first one "
                f"again: script/powercut {options.seed} {findings[0][0]}")


if __name__ == "__main__":
    sys.exit(main())
