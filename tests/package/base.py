"""Fresh Debian systems, made by debootstrap and kept in MAILPUSH_CACHE."""

import os
import pathlib
import platform
import shutil
import subprocess
import tempfile

CACHE = pathlib.Path(os.environ.get("MAILPUSH_CACHE") or pathlib.Path(
    os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "mailpush")


def release_here():
    """The name of the release that runs on this host, such as "bookworm"."""
    return platform.freedesktop_os_release()["VERSION_CODENAME"]


def make_base(folder, release, packages):
    """Make a minimal system with these packages in a folder that does not exist yet."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", release,
                        work, *sources("")[:1]], check=True, capture_output=True, timeout=1200)
        work.chmod(0o755)
        work.rename(folder)
    except subprocess.CalledProcessError as error:
        shutil.rmtree(work)
        raise RuntimeError(f"debootstrap failed:\n{error.stdout.decode()[-3000:]}") from None


def sources(suffix):
    """Where this host gets its release with a suffix from, such as "-security".

    Of the release itself there may be none, and debootstrap knows one."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)"],
                            capture_output=True, text=True, check=True).stdout.splitlines()
    wanted = f" {release_here()}{suffix}"
    return [line.split()[0] for line in listed if line.endswith(wanted)]
