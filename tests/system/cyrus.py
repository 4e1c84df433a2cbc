"""A private, real Cyrus IMAP on loopback.

    with Cyrus(transport="dlist", notify="/tmp/x/cyrus") as cyrus:
        cyrus.create_user("alice", "Notes")
        phone = Phone(cyrus, "alice")
        cyrus.deliver("alice", "Notes")

script/bootstrap keeps the programs in a folder of their own; nothing of Cyrus is installed on the
machine.  Each instance has a mount and a PID namespace:

- the mount namespace has a /dev of its own, because Cyrus logs to /dev/log alone;
- the first process of the PID namespace ends when its standard input does, which happens however
  we end, and the kernel then ends everything that Cyrus ever started.

As root, Cyrus runs as the user `mail`, so that the permissions of a socket and the uid of a peer
are real; else as whoever runs the tests.
"""

import functools
import os
import pathlib
import pwd
import re
import select
import shutil
import socket
import subprocess
import tempfile
import threading

import lmtp
import managesieve
import notifier
import pidspace
from imap import Imap, encode_name
from ports import free_ports
from waiting import TIMEOUT, Lines, wait_until

SERVERNAME = "mail.example.com"
APS_TOPIC = "com.apple.mail.XServer.00000000-0000-0000-0000-000000000000"
PASSWORD = "pw"
ADMIN = "cyrus"
SERVICE_USER = "mail" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
FOLDERS = ("dev", "programs", "spool", "conf/db", "conf/socket", "conf/proc", "conf/log",
           "conf/lock", "conf/sieve", "notified")

# Process 1 of the namespaces, in the instance's folder.  $1 is the unpacked Cyrus, the rest the
# master with the command before it that turns us into the user whom Cyrus runs as.  It tells its
# pid outside of the namespace (/proc is still the outer one) and waits for one line before it
# starts Cyrus.
INIT = r"""
set -e
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom; do
	: >dev/$node
	mount --bind /dev/$node dev/$node
done
ln -s "$PWD/log" dev/log
mount --rbind dev /dev
mount --bind group /etc/group
mount --bind "$1" programs
shift
read -r pid rest </proc/self/stat
echo "$pid"
read -r go
"$@" </dev/null >master.log 2>&1 &
while read -r line; do :; done
"""

SERVICES = """
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {dir}/imapd.conf -r"
}}
SERVICES {{
{notifyd}  imap  cmd="{bin}/imapd -C {dir}/imapd.conf" listen="127.0.0.1:{imap}" prefork=0
  imaps cmd="{bin}/imapd -C {dir}/imapd.conf -s" listen="127.0.0.1:{imaps}" prefork=0
  lmtp  cmd="{bin}/lmtpd -C {dir}/imapd.conf -a" listen="127.0.0.1:{lmtp}" prefork=0
  sieve cmd="{bin}/timsieved -C {dir}/imapd.conf" listen="127.0.0.1:{sieve}" prefork=0
  http  cmd="{bin}/httpd -C {dir}/imapd.conf" listen="127.0.0.1:{http}" prefork=0
  notify cmd="{bin}/notifyd -C {dir}/imapd.conf" listen="{dir}/notifyd" proto="udp" prefork=0 \
         maxchild=1
}}
EVENTS {{
}}
DAEMON {{
}}
"""

# Only with the transport "notifyd".
NOTIFYD = """  external cmd="{bin}/notifyd -C {dir}/imapd.conf -m external" \
listen="{dir}/conf/socket/notify" proto="udp" prefork=1
"""

# What notifyd runs for each notification of the method `external`: keeps the arguments and what came
# on standard input, each argument ended by a NUL.
EXTERNAL = """#!/bin/sh
name=$(date +%s%N)
{{ printf '%s\\0' "$@"; cat; }} >{dir}/notified/$name.new
mv {dir}/notified/$name.new {dir}/notified/$name
"""

# A filter that puts a message into the folder that a header names (in modified UTF-7).
FOLDER_HEADER = "X-Folder"
FILTER = f"""
require ["fileinto", "variables"];
if header :matches "{FOLDER_HEADER}" "*" {{ fileinto "${{1}}"; }}
"""


class Cyrus:
    """One instance.  It can be stopped and started again on the same mail."""

    password = PASSWORD
    user = SERVICE_USER         # whom mailpushd sees as its peer

    def __init__(self, *, altnamespace=True, unixhierarchysep=True, virtdomains="off",
                 transport="dlist", notify=None, aps_topic=APS_TOPIC, **options):
        """transport is dlist, datagram, or notifyd: Cyrus' own notifyd, which runs mailpush-notify.

        notify is the path of the listener's socket (default: `notify` in our folder).
        options are further settings of imapd.conf; None takes one out.
        """
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="cyrus-", dir="/tmp"))
        self.notify = pathlib.Path(notify or self.dir / "notify")
        self.kept = self.dir / "kept"       # mailpush-notify's spool folder
        self.altnamespace = altnamespace
        self.separator = "/" if unixhierarchysep else "."
        self.virtdomains = virtdomains
        self.transport = transport
        self.keeper = "mailpush-notify" if transport == "notifyd" else None
        (self.imap_port, self.imaps_port, self.lmtp_port, self.sieve_port,
         self.http_port) = free_ports(5)
        self._filtered = set()
        self.syslog = Lines()
        self._process = None
        self._syslog_socket = None
        self._admin = None
        self._prepare({
            "altnamespace": yes_no(altnamespace),
            "unixhierarchysep": yes_no(unixhierarchysep),
            "virtdomains": virtdomains,
            **self._notify_settings(),
            "aps_topic": aps_topic,
            **options})

    # ---- life ----

    def start(self):
        """Start and return self once mail can be read and delivered."""
        assert self._process is None, "already started"
        self._open_syslog()
        master = [f"{self._bin}/master", "-C", f"{self.dir}/imapd.conf", "-M",
                  f"{self.dir}/cyrus.conf", "-p", f"{self.dir}/master.pid", "-D"]
        self._process = subprocess.Popen(
            [*UNSHARE, "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", INIT, "init",
             str(programs()), *self._as_service_user(), *master],
            cwd=self.dir, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True)
        try:
            self._init_pid = self._read_pid()
            if not (self.dir / "conf/sasldb2").exists():
                self.add_password(ADMIN)
            print("go", file=self._process.stdin, flush=True)
            self._wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        """End everything at once; Cyrus' databases bear that."""
        if self._process is None:
            return
        if self._admin:
            self._admin.connection.shutdown()
            self._admin = None
        self._process.stdin.close()
        self._process.wait(TIMEOUT)
        self._process.stdout.close()
        self._process = None
        self._close_syslog()

    def remove(self):
        """Stop, and leave nothing on disk."""
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.remove()

    # ---- names ----

    def admin_name(self, user, *folder):
        """A user's mailbox as the administrator names it; no folder means INBOX."""
        local, _, domain = user.partition("@")
        if self.separator == ".":
            local = local.replace(".", "^")
        name = self.separator.join(("user", local, *folder))
        return f"{name}@{domain}" if domain else name

    def client_name(self, *folder):
        """A mailbox of one's own as its user names it; no folder means INBOX."""
        if folder and self.altnamespace:
            return self.separator.join(folder)
        return self.separator.join(("INBOX", *folder))

    def other_name(self, user, *folder):
        """Another user's mailbox as a client names it."""
        local = user.partition("@")[0]
        if self.separator == ".":
            local = local.replace(".", "^")
        return self.separator.join(("Other Users" if self.altnamespace else "user", local, *folder))

    def shared_name(self, *folder):
        """A folder that belongs to nobody, as a client names it."""
        prefix = ("Shared Folders",) if self.altnamespace else ()
        return self.separator.join((*prefix, *folder))

    def address(self, user, *folder):
        """Where to deliver for the INBOX or, by a plus address, for a folder with an ASCII name."""
        local, at, domain = user.partition("@")
        detail = f"+{self.separator.join(folder)}" if folder else ""
        return f"{local}{detail}{at}{domain}"

    def deliver(self, user, *folder, **message):
        """Deliver a message to the INBOX or a folder of create_user's.

        A plus address cannot name a folder outside of ASCII (Cyrus 3.6 takes no SMTPUTF8); there
        the user's own filter puts the message, as it does at most sites.
        """
        if all(part.isascii() for part in folder):
            lmtp.deliver(self.lmtp_port, self.address(user, *folder), lmtp.make_message(**message))
        else:
            name = encode_name(self.client_name(*folder))
            lmtp.deliver(self.lmtp_port, user,
                         lmtp.make_message(headers={FOLDER_HEADER: name}, **message))

    # ---- administration ----

    @property
    def admin(self):
        """The administrator's connection, opened when first needed."""
        if self._admin is None:
            self._admin = Imap(self.imap_port, ADMIN, PASSWORD)
        return self._admin

    def create_user(self, user="alice", *folders):
        """Let a user log in, and create the INBOX and folders (a nested one is a tuple)."""
        self.add_password(user)
        self.admin.create(self.admin_name(user))
        for folder in folders:
            self.create_folder(user, folder)

    def create_folder(self, user, folder):
        """Create a folder that deliver() reaches."""
        path = folder if isinstance(folder, tuple) else (folder,)
        self.admin.create(self.admin_name(user, *path))
        if all(part.isascii() for part in path):
            self.admin.setacl(self.admin_name(user, *path), "anyone", "p")
        elif user not in self._filtered:
            managesieve.install_script(self.sieve_port, user, PASSWORD, FILTER)
            self._filtered.add(user)

    def delete_user(self, user):
        self.admin.setacl(self.admin_name(user), ADMIN, "lrswipkxtecda")
        self.admin.delete(self.admin_name(user))
        self._filtered.discard(user)

    def rename_user(self, old, new):
        self.admin.rename(self.admin_name(old), self.admin_name(new))

    def add_password(self, user):
        local, _, domain = user.partition("@")
        self.run("usr/sbin/saslpasswd2", "-p", "-c", "-f", self.dir / "conf/sasldb2",
                 "-u", domain or SERVERNAME, local, text=PASSWORD)

    def add_to_group(self, group, user):
        """Make a user of Cyrus a member of a group of the system, as only this Cyrus sees it."""
        path = self.dir / "group"
        lines = path.read_text().splitlines()
        if not any(line.startswith(f"{group}:") for line in lines):
            lines.append(f"{group}:x:{60000 + len(lines)}:")
        lines = [f"{line}{'' if line.endswith(':') else ','}{user}"
                 if line.startswith(f"{group}:") else line for line in lines]
        path.write_text("\n".join(lines) + "\n")      # in place: it is mounted

    def processes(self, name):
        """The pids of its processes of this name that have not ended."""
        return pidspace.processes(self._init_pid, name)

    @property
    def notifyd(self):
        """The socket of Cyrus' own notifyd."""
        return self.dir / "notifyd"

    def notified(self):
        """What notifyd gave to the program that it is told to run: (arguments, text), in order."""
        found = []
        for path in sorted(self.dir.glob("notified/*[0-9]")):
            *arguments, text = path.read_bytes().decode().split("\0")
            found.append((arguments, text))
        return found

    def run(self, program, *arguments, text=""):
        """Run one of the unpacked programs beside Cyrus, as its user; returns what it prints."""
        done = subprocess.run(
            [*self._nsenter(), *self._as_service_user(), f"{self.dir}/programs/{program}",
             *map(str, arguments)],
            input=text, capture_output=True, text=True, timeout=TIMEOUT)
        if done.returncode:
            raise RuntimeError(f"{program} {arguments}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    # ---- inside ----

    @property
    def ca(self):
        """What clients verify the server by."""
        return self.dir / "cert.pem"

    @property
    def _bin(self):
        return f"{self.dir}/programs/usr/lib/cyrus/bin"

    def _prepare(self, options):
        for folder in FOLDERS:
            (self.dir / folder).mkdir(parents=True)
        key, certificate = make_certificate()
        (self.dir / "key.pem").write_text(key)
        (self.dir / "cert.pem").write_text(certificate)
        self._write_imapd_conf(options)
        notifyd = ""
        if self.transport == "notifyd":
            notifyd = NOTIFYD.format(bin=self._bin, dir=self.dir)
        (self.dir / "cyrus.conf").write_text(SERVICES.format(
            notifyd=notifyd, bin=self._bin, dir=self.dir, imap=self.imap_port, imaps=self.imaps_port,
            lmtp=self.lmtp_port, sieve=self.sieve_port, http=self.http_port))
        external = self.dir / "external"
        external.write_text(EXTERNAL.format(dir=self.dir))
        external.chmod(0o755)
        shutil.copy("/etc/group", self.dir / "group")
        self.dir.chmod(0o755)
        self._give_to_service_user()
        if self.transport == "notifyd":         # root's, as a package installs it
            program = self.dir / "mailpush-notify"
            shutil.copy(notifier.binary(), program)
            program.chmod(0o755)

    def _notify_settings(self):
        if self.transport == "notifyd":
            return {"notifysocket": self.dir / "conf/socket/notify",
                    "notify_external": self.dir / "mailpush-notify"}
        return {"notifysocket": f"dlist:{self.notify}" if self.transport == "dlist"
                else self.notify}

    def _write_imapd_conf(self, options):
        settings = {
            "cyrus_user": SERVICE_USER,
            "configdirectory": self.dir / "conf",
            "defaultpartition": "default",
            "partition-default": self.dir / "spool",
            "sievedir": self.dir / "conf/sieve",
            "servername": SERVERNAME,
            "admins": ADMIN,
            "allowplaintext": "yes",
            "sasl_pwcheck_method": "auxprop",
            "sasl_auxprop_plugin": "sasldb",
            "sasl_sasldb_path": self.dir / "conf/sasldb2",
            "sasl_mech_list": "PLAIN LOGIN",
            "failedloginpause": 0,
            "tls_server_cert": self.dir / "cert.pem",
            "tls_server_key": self.dir / "key.pem",
            "autocreate_quota": -1,
            "allowusermoves": "yes",
            "delete_mode": "immediate",
            "event_notifier": "external",
            "event_groups": "message flags mailbox applepushservice",
            "event_extra_params": "timestamp vnd.cmu.unseenMessages",
            "notify_external": self.dir / "external",
            **options,
        }
        lines = (f"{name}: {value}\n" for name, value in settings.items() if value is not None)
        (self.dir / "imapd.conf").write_text("".join(lines))

    def _give_to_service_user(self):
        owner = pwd.getpwnam(SERVICE_USER)
        if owner.pw_uid == os.geteuid():
            return
        for folder, folders, files in os.walk(self.dir):
            for name in (".", *folders, *files):
                os.chown(os.path.join(folder, name), owner.pw_uid, owner.pw_gid)

    def _as_service_user(self):
        """The command that runs the rest of its arguments as Cyrus' user, with its libraries."""
        libraries = ["env", f"LD_LIBRARY_PATH={self.dir}/programs/{library_folder()}",
                     *notifier.environment(self.notify, self.kept)]
        if os.geteuid() == 0:
            return ["setpriv", f"--reuid={SERVICE_USER}", f"--regid={SERVICE_USER}",
                    "--init-groups", "--", *libraries]
        return ["unshare", "--user", f"--map-user={os.geteuid()}", f"--map-group={os.getegid()}",
                "--", *libraries]

    def _nsenter(self):
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", str(self._init_pid), *user, "--mount", "--pid",
                "--root", "--"]

    def _read_pid(self):
        readable, _, _ = select.select([self._process.stdout], [], [], TIMEOUT)
        line = self._process.stdout.readline() if readable else ""
        if not line:
            raise RuntimeError("cannot make the namespaces for Cyrus (see standard error)")
        return int(line)

    def _wait_ready(self):
        """The master opens all ports before it accepts; lmtpd is started by the probe already."""
        wait_until(lambda: is_open(self.lmtp_port), what="Cyrus listening")
        self.admin.connection.noop()

    def _open_syslog(self):
        path = self.dir / "log"
        path.unlink(missing_ok=True)
        self._syslog_socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._syslog_socket.bind(str(path))
        path.chmod(0o666)
        self._syslog_thread = threading.Thread(target=self._read_syslog, daemon=True,
                                               args=(self._syslog_socket,))
        self._syslog_thread.start()

    def _read_syslog(self, log):
        while line := log.recv(65536):
            text = re.sub(r"^<\d+>", "", line.decode(errors="replace")).rstrip("\n\0")
            if "DB_NOTFOUND" not in text:       # saslpasswd2, for each new user
                self.syslog.add(text)

    def _close_syslog(self):
        self._syslog_socket.shutdown(socket.SHUT_RDWR)
        self._syslog_thread.join(TIMEOUT)
        self._syslog_socket.close()


# Without root, namespaces come with a user namespace in which we may mount.
UNSHARE = ["unshare"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]


def programs():
    """Where script/bootstrap unpacked Cyrus."""
    home = os.environ.get("HOME") or pathlib.Path(__file__).resolve().parents[2]
    cache = os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache"
    folder = pathlib.Path(os.environ.get("MAILPUSH_CACHE") or f"{cache}/mailpush") / "cyrus"
    if not (folder / ".packages").exists():
        raise RuntimeError(f"no Cyrus in {folder}; run script/bootstrap")
    return folder


@functools.cache
def version():
    """The version of the unpacked Cyrus, such as "3.10.2-1+deb13u2"."""
    master = programs() / "usr/lib/cyrus/bin/master"
    said = subprocess.run([master, "-V"], env={"LD_LIBRARY_PATH": str(programs() / library_folder())},
                          check=True, capture_output=True, text=True).stdout
    return re.fullmatch(r"cyrus-imapd \S+-Debian-(\S+)\n", said)[1]


def is_since(major, minor):
    """Whether the unpacked Cyrus is of this version or a later one."""
    found = re.match(r"(\d+)\.(\d+)", version())
    return (int(found[1]), int(found[2])) >= (major, minor)


def starttls():
    """The settings with which this Cyrus offers STARTTLS."""
    return {"allowstarttls": "yes"} if is_since(3, 10) else {}


@functools.cache
def library_folder():
    """The unpacked libraries' folder, relative to programs()."""
    library = next(programs().glob("usr/lib/*/libcyrus.so.0"))
    return library.parent.relative_to(programs())


@functools.cache
def make_certificate():
    """A key and a certificate for 127.0.0.1, the same for the whole session."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = pathlib.Path(folder, "key.pem"), pathlib.Path(folder, "cert.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "30", "-subj", f"/CN={SERVERNAME}",
             "-addext", f"subjectAltName=DNS:{SERVERNAME},IP:127.0.0.1",
             "-keyout", key, "-out", certificate], check=True, capture_output=True)
        return key.read_text(), certificate.read_text()


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def yes_no(value):
    return "yes" if value else "no"
