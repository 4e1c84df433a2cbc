"""Fresh Debian systems, made by debootstrap and kept in MAILPUSH_CACHE."""

import os
import pathlib
import platform
import shutil
import subprocess
import tempfile

CACHE = pathlib.Path(os.environ.get("MAILPUSH_CACHE") or pathlib.Path(
    os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "mailpush")


DEBOOTSTRAP_S = 3600    # at most
NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


class NoRelease(Exception):
    """The mirror does not have the release, or cannot be reached."""


class Failed(Exception):
    """debootstrap failed for another reason."""


def release_here():
    """The name of the release that runs on this host, such as "bookworm"."""
    return platform.freedesktop_os_release()["VERSION_CODENAME"]


def make_base(folder, release, packages):
    """Make a minimal system with these packages in a folder that does not exist yet.

    In namespaces of its own: nothing of it runs on or stays mounted, however it ends."""
    mirror = sources("")[:1]
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        subprocess.run([*NAMESPACES, "debootstrap", "--variant=minbase",
                        f"--include={','.join(packages)}", release, work, *mirror], check=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DEBOOTSTRAP_S)
        work.chmod(0o755)
        work.rename(folder)
    except BaseException as error:
        shutil.rmtree(work)
        if not isinstance(error, subprocess.SubprocessError):
            raise
        said = (error.stdout or b"").decode(errors="replace")[-3000:]
        last = said.rstrip().rpartition("\n")[2]
        if last.startswith("E: Failed getting release file"):
            raise NoRelease(f"{''.join(mirror) or 'the mirror'} does not have it: {last}") from None
        raise Failed(f"{said}\n{error}") from None


def sources(suffix):
    """Where this host gets its release with a suffix from, such as "-security".

    Of the release itself there may be none, and debootstrap knows one."""
    return _sources(suffix, "$(CODENAME)") or _sources(suffix, "$(RELEASE)", "--no-release-info")


def _sources(suffix, name, *options):
    """By the name that the mirror gives, or the one in sources.list, while no list was fetched."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", f"$(REPO_URI) {name}", *options],
                            capture_output=True, text=True, check=True).stdout.splitlines()
    wanted = f" {release_here()}{suffix}"
    return [line.split()[0] for line in listed if line.endswith(wanted)]
