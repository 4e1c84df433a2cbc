"""The processes of a server that runs in a pid namespace of its own."""

import os
import pathlib
import re


def processes(init_pid, name):
    """The pids, as seen from here, of the processes of this name that have not ended."""
    space = os.readlink(f"/proc/{init_pid}/ns/pid")
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            _, its_name, state = re.split(r" [(](.*)[)] ", (folder / "stat").read_text())
            if its_name == name and state[0] != "Z" and os.readlink(folder / "ns/pid") == space:
                found.append(int(folder.name))
        except OSError:
            continue                # it has ended
    return found
