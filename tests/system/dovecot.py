"""A private, real Dovecot on loopback, 2.3 or 2.4, with our plugins.

    with Dovecot(socket="/tmp/x/dovecot") as dovecot:
        dovecot.create_user("alice", "Notes")
        phone = Phone(dovecot, "alice")
        dovecot.deliver("alice", "Notes")

It is the machine's Dovecot, whose packages start nothing.  Each instance has a mount and a PID
namespace, as Cyrus has (cyrus.py): our modules lie beside Dovecot's own there, and all that it
started ends with us.

Users are virtual: imap and lmtp work as the user `mail`, whom mailpushd sees as its peer.  With
system_users each works as its own user, who is one of the system, as only this Dovecot sees it, and
whoever else is to know them is run by knowing_users().
"""

import functools
import os
import pathlib
import pwd
import re
import select
import shutil
import subprocess
import tempfile

import lmtp
import pidspace
from cyrus import UNSHARE, is_open, make_certificate
from imap import Imap, encode_name
from ports import free_ports
from waiting import TIMEOUT, wait_until

PROGRAM = pathlib.Path("/usr/sbin/dovecot")
PROGRAMS = pathlib.Path("/usr/lib/dovecot")
MODULES = PROGRAMS / "modules"
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PASSWORD = "pw"
IS_ROOT = os.geteuid() == 0
MAIL_USER = "mail" if IS_ROOT else pwd.getpwuid(os.geteuid()).pw_name
INTERNAL_USER = "dovecot" if IS_ROOT else MAIL_USER
LOGINS_AT_ONCE = 4          # its processes take long to start under a sanitizer
SYSTEM_UID = 61000          # of the first user of system_users

# Process 1 of the namespaces, in the instance's folder; see cyrus.INIT.
INIT = r"""
set -e
mount --bind modules "$1"
mount --bind passwd /etc/passwd
if [ "$2" ]; then
	mount -t tmpfs -o mode=755 tmpfs /var/spool
	mkdir /var/spool/mailpush
	mount --bind "$2" /var/spool/mailpush
fi
shift 2
read -r pid rest </proc/self/stat
echo "$pid"
"$@" </dev/null >master.log 2>&1 &
while read -r line; do :; done
"""

SERVICES = """
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  executable = {wrapper} {programs}/lmtp
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service pop3 {{
  executable = {wrapper} {programs}/pop3
}}
service auth {{
  unix_listener auth-userdb {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
service imap {{
  executable = {wrapper} {programs}/imap
}}
"""

def one_imap():
    """One process serves all clients."""
    count = "service_count" if version() < (2, 4) else "restart_request_count"
    return f"service imap {{\n  process_limit = 1\n  client_limit = 100\n  {count} = 1000\n}}\n"


HIBERNATION = f"""
imap_hibernate_timeout = 1s
service imap {{
  unix_listener imap-master {{
    user = {INTERNAL_USER}
  }}
}}
"""


@functools.cache
def version():
    """(2, 3) or (2, 4)."""
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, re.match(r"(\d+)\.(\d+)", said).groups()))


def modules():
    """Where ours were built."""
    build = pathlib.Path(os.environ.get("MAILPUSH_BUILD", REPOSITORY / "build"))
    return build / "src" / "dovecot"


def keep_program():
    """mailpush-dovecot-keep."""
    return modules() / "mailpush-dovecot-keep"


def as_ourselves():
    """A command that, when we are not root, ends the pretence of it that mounting needs."""
    if IS_ROOT:
        return []
    return ["unshare", "--user", f"--map-user={os.geteuid()}", f"--map-group={os.getegid()}", "--"]


@functools.cache
def sanitizer():
    """What a process must have loaded first when our modules are built with AddressSanitizer."""
    module = modules() / "lib25_mailpush_plugin.so"
    said = subprocess.run(["ldd", module], capture_output=True, text=True, check=True).stdout
    found = re.search(r"libasan\S* => (\S+)", said)
    return found and found[1]


def sanitizer_environment(folder):
    """What makes our modules loadable then, and where it complains."""
    if not sanitizer():
        return {}
    return {"LD_PRELOAD": sanitizer(),
            "ASAN_OPTIONS": f"detect_leaks=0:abort_on_error=1:log_path={folder}/asan",
            "UBSAN_OPTIONS": f"print_stacktrace=1:halt_on_error=1:log_path={folder}/asan"}


def uid_of(user, system_users):
    """Of a user of system_users, who has a group of the same number."""
    return SYSTEM_UID + system_users.index(user)


def passwd_of(system_users, homes):
    """The system's /etc/passwd, and these users beside those in it."""
    return pathlib.Path("/etc/passwd").read_text() + "".join(
        f"{user}:x:{uid}:{uid}::{homes}/{user}:/bin/sh\n"
        for user in system_users for uid in [uid_of(user, system_users)])


def knowing_users(folder, *system_users):
    """A command that runs another one where these are users of the system too."""
    passwd = folder / "passwd"
    passwd.write_text(passwd_of(system_users, "/home"))
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/passwd && exec "$@"', str(passwd)]


class Dovecot:
    """One instance.  It can be stopped and started again on the same mail."""

    password = PASSWORD
    user = MAIL_USER            # whom mailpushd sees as its peer
    keeper = "keep"             # mailpush-dovecot-keep, as ps calls it

    def __init__(self, *, socket, spool=None, separator="/", prefix="", acl=True, virtual=False,
                 plugin=True, require_tls=False, system_users=(), capability=None,
                 hibernates=False, has_one_imap=False, has_mdbox=False, more_plugins=(), wrapper=""):
        """capability: imap_capability, with + an addition to it; hibernates: after a second of IDLE;
        has_one_imap: one process for all users; has_mdbox: mail in mdbox, not Maildir; more_plugins: of
        Dovecot's own; wrapper: a command that runs imap and lmtp."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dove-", dir="/tmp"))
        self.socket = pathlib.Path(socket)
        self.spool = pathlib.Path(spool or self.dir / "kept")
        self.separator, self.prefix = separator, prefix
        self.acl, self.virtual, self.plugin = acl, virtual, plugin
        self.require_tls = require_tls
        self.system_users = system_users
        self.format = "mdbox" if has_mdbox else "maildir"
        self.more_plugins = more_plugins
        self.imap_port, self.imaps_port, self.lmtp_port, self.pop3_port = free_ports(4)
        self._process = None
        self._forgiven = set()      # lines of its log
        self._prepare(capability, hibernates, has_one_imap, wrapper)

    # ---- life ----

    def start(self):
        """Start and return self once mail can be read and delivered."""
        assert self._process is None, "already started"
        self._process = subprocess.Popen(
            [*UNSHARE, "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", INIT, "init",
             MODULES, self.spool if self.system_users else "", *as_ourselves(),
             PROGRAM, "-F", "-c", self.dir / "dovecot.conf"],
            cwd=self.dir, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True)
        try:
            readable, _, _ = select.select([self._process.stdout], [], [], TIMEOUT)
            line = self._process.stdout.readline() if readable else ""
            assert line, "cannot make the namespaces for Dovecot (see standard error)"
            self._init_pid = int(line)
            wait_until(self._is_ready_or_ended, TIMEOUT, "Dovecot listening")
            assert not self.complaints() and self._process.poll() is None, "\n".join(self.log())
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        """End everything at once."""
        if self._process is None:
            return
        self._process.stdin.close()
        self._process.wait(TIMEOUT)
        self._process.stdout.close()
        self._process = None

    def remove(self):
        """Stop, and leave nothing on disk."""
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.remove()

    def log(self):
        """All that it has logged."""
        paths = [self.dir / "master.log", self.dir / "dovecot.log", *self.dir.glob("asan.*")]
        return [line for path in paths if path.exists()
                for line in path.read_text(errors="replace").splitlines()]

    def wait_log(self, *words):
        """Wait for a line with all these words: Dovecot's log is written by a process of its own."""
        wait_until(lambda: any(all(word in line for word in words) for line in self.log()),
                   TIMEOUT, f"a line of Dovecot's log with {words}")

    def complaints(self):
        """What should never be in its log."""
        return [line for line in self.log()
                if re.search(r"Panic:|Fatal:|Raw backtrace|killed with signal|Sanitizer|runtime error:",
                             line) and line not in self._forgiven]

    def forgive(self):
        """What it has complained of so far was provoked."""
        self._forgiven |= set(self.complaints())

    def processes(self, name):
        """The pids of its processes of this name that have not ended."""
        return pidspace.processes(self._init_pid, name)

    # ---- mail ----

    def create_user(self, user="alice", *folders):
        """Create the INBOX and folders; a nested one is a tuple."""
        with self.imap(user) as imap:
            imap.select("INBOX")
            for folder in folders:
                imap.create(self.name(*(folder if isinstance(folder, tuple) else (folder,))))

    def imap(self, user):
        return Imap(self.imap_port, user, PASSWORD)

    def name(self, *folder):
        """A mailbox of one's own as its user names it; no folder means INBOX."""
        return self.prefix + self.separator.join(folder) if folder else "INBOX"

    def shared_name(self, user, *folder):
        """Another user's mailbox as a client names it."""
        return self.separator.join(("shared", user, *folder))

    def public_name(self, *folder):
        return self.separator.join(("Public", *folder))

    def filter(self, user, script):
        """The user's Sieve script."""
        path = self.dir / "home" / user / ".dovecot.sieve"
        self.make_folder(path.parent, user)
        path.write_text(script)
        self._give(path, user)

    def deliver(self, user, *folder, **message):
        """Deliver a message by LMTP; into a folder by the user's filter."""
        if folder:
            name = self.name(*folder).replace('"', '\\"')
            self.filter(user, f'require "fileinto"; fileinto "{name}";')
        else:
            (self.dir / "home" / user / ".dovecot.sieve").unlink(missing_ok=True)
        lmtp.deliver(self.lmtp_port, user, lmtp.make_message(**message))

    def doveadm(self, *arguments, text=""):
        return self.run("doveadm", *arguments, text=text)

    def run(self, program, *arguments, text="", user=None):
        """Run one of its programs beside it, as root or as one of its users; returns what it prints."""
        return self._run_beside(user, text, program, "-c", self.dir / "dovecot.conf", *arguments)

    def keep(self, user, request):
        """Have mailpush-dovecot-keep keep this request, as this user may by himself."""
        self._run_beside(user, request, self.dir / "keep")

    @property
    def ca(self):
        """What clients verify the server by."""
        return self.dir / "cert.pem"

    def entering(self, *more):
        """A command that runs another where its modules are; it sees all processes, unless more is said."""
        user = [] if IS_ROOT else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", str(self._init_pid), "--mount", *user, *more, "--"]

    # ---- inside ----

    def _run_beside(self, user, text, *command):
        uid, gid = self._ids(user)
        become = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--init-groups", "--"] \
            if user and IS_ROOT else []
        done = subprocess.run([*self.entering("--pid", "--root"), "env", "-C", self.dir, *become,
                               *map(str, command)],
                              input=text, capture_output=True, text=True, timeout=TIMEOUT)
        if done.returncode:
            raise RuntimeError(f"{command}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def _is_ready_or_ended(self):
        """Its listeners open one by one, and it says so after the last."""
        says_so = any("starting up" in line for line in self.log())
        ports = (self.imap_port, self.imaps_port, self.lmtp_port, self.pop3_port)
        return (says_so and all(map(is_open, ports))
                or self._process.poll() is not None or self.complaints())

    def make_folder(self, path, user=None):
        for part in [*reversed(path.parents), path]:
            if not part.exists():
                part.mkdir()
                self._give(part, user)
        return path

    def _give(self, path, user=None):
        if IS_ROOT:
            os.chown(path, *self._ids(user))

    def _ids(self, user=None):
        """uid and gid of one of system_users, else of the mail user."""
        if user in self.system_users:
            uid = uid_of(user, self.system_users)
            return uid, uid
        owner = pwd.getpwnam(MAIL_USER)
        return owner.pw_uid, owner.pw_gid

    def _prepare(self, capability, hibernates, has_one_imap, wrapper):
        self.dir.chmod(0o1777 if sanitizer() else 0o755)
        for folder in ("run", "state", "home", "mail", "public", "kept"):
            self.make_folder(self.dir / folder)
        (self.dir / "kept").chmod(0o2770)       # as the daemon makes it
        for user in self.system_users:
            self.make_folder(self.dir / "home" / user, user)
            self.make_folder(self.dir / "mail" / user, user)
        log = self.dir / "dovecot.log"      # of programs that we run beside it too
        log.touch()
        log.chmod(0o666)
        key, certificate = make_certificate()
        (self.dir / "key.pem").write_text(key)
        (self.dir / "cert.pem").write_text(certificate)
        self._copy_modules()
        (self.dir / "passwd").write_text(passwd_of(self.system_users, self.dir / "home"))
        write = self._write_2_3 if version() < (2, 4) else self._write_2_4
        services = SERVICES.format(imap=self.imap_port, imaps=self.imaps_port,
                                   lmtp=self.lmtp_port, pop3=self.pop3_port,
                                   wrapper=wrapper,
                                   programs=PROGRAMS)
        hand_made = f"imap_capability = {capability}\n" if capability else ""
        if capability and capability.startswith("+") and version() >= (2, 4):
            hand_made = f"imap_capability {{\n  {capability[1:]} = yes\n}}\n"
        more = (HIBERNATION if hibernates else "") + (one_imap() if has_one_imap else "")
        (self.dir / "dovecot.conf").write_text(write(self._common() + hand_made + services + more))

    def _copy_modules(self):
        shutil.copytree(MODULES, self.dir / "modules", symlinks=True)
        for name in ("lib25_mailpush_plugin.so", "lib26_imap_mailpush_plugin.so"):
            shutil.copy(modules() / name, self.dir / "modules")
        if version() >= (2, 4):
            shutil.copy(modules() / "libmailpush_settings.so", self.dir / "modules" / "settings")
        if keep_program().exists():
            shutil.copy(keep_program(), self.dir / "keep")
            if IS_ROOT:
                shutil.chown(self.dir / "keep", "root", MAIL_USER)
            (self.dir / "keep").chmod(0o2755)

    def _common(self):
        """What both releases call the same."""
        internal = "" if IS_ROOT else (f"default_internal_user = {INTERNAL_USER}\n"
                                       f"default_login_user = {MAIL_USER}\n")
        # AddressSanitizer reserves terabytes of addresses.
        none = "0" if version() < (2, 4) else "unlimited"
        unlimited = f"default_vsz_limit = {none}\n" if sanitizer() else ""
        pairs = sanitizer_environment(self.dir).items()
        if version() < (2, 4):
            environment = "".join(f" {name}={value}" for name, value in pairs)
            environment = f"import_environment = $import_environment{environment}\n"
        else:
            environment = "".join(f"  {name} = {value}\n" for name, value in pairs)
            environment = f"import_environment {{\n{environment}}}\n" if pairs else ""
        return f"""
base_dir = {self.dir}/run
state_dir = {self.dir}/state
log_path = {self.dir}/dovecot.log
listen = 127.0.0.1
protocols = imap lmtp pop3
{internal}{unlimited}{environment}first_valid_uid = 1
auth_mechanisms = plain login
ssl = yes
"""

    def _plugins(self, *names):
        if not self.plugin:
            names = [name for name in names if "mailpush" not in name]
        if not self.acl:
            names = [name for name in names if "acl" not in name]
        if not self.virtual:
            names = [name for name in names if name != "virtual"]
        return names

    def _namespaces(self, own, shared, public, virtual):
        separator = f"  separator = {self.separator}\n"
        text = (f"namespace inbox {{\n  inbox = yes\n  prefix = {self.prefix}\n{separator}{own}}}\n"
                f"namespace public {{\n  type = public\n  prefix = Public{self.separator}\n"
                f"{separator}  subscriptions = no\n{public}}}\n")
        if self.acl:
            text += (f"namespace shared {{\n  type = shared\n{separator}"
                     f"  subscriptions = no\n  list = children\n{shared}}}\n")
        if self.virtual:
            text += (f"namespace virtual {{\n  prefix = Virtual{self.separator}\n{separator}"
                     f"  subscriptions = no\n{virtual}}}\n")
        return text

    def _write_2_3(self, common):
        uid, gid = self._ids()
        if self.system_users:
            userdb = "driver = passwd\n"
        else:
            userdb = (f"driver = static\n  args = uid={uid} gid={gid} home={self.dir}/home/%u "
                      "allow_all_users=yes\n")
        acl = f"  acl = vfile\n  acl_shared_dict = file:{self.dir}/state/shared\n" if self.acl else ""
        namespaces = self._namespaces(
            "",
            f"  prefix = shared{self.separator}%%u{self.separator}\n"
            f"  location = maildir:{self.dir}/mail/%%u:INDEXPVT={self.dir}/home/%u/shared/%%u\n",
            f"  location = maildir:{self.dir}/public\n",
            f"  location = virtual:{self.dir}/virtual:INDEX={self.dir}/home/%u/virtual\n")
        mailpush = (f"  mailpush_socket = {self.socket}\n  mailpush_spool = {self.spool}\n"
                    f"  mailpush_keep = {self.dir}/keep\n"
                    f"  mailpush_require_tls = {'yes' if self.require_tls else 'no'}\n")
        return f"""{common}
ssl_cert = <{self.dir}/cert.pem
ssl_key = <{self.dir}/key.pem
disable_plaintext_auth = no
mail_location = {self.format}:{self.dir}/mail/%u
mail_plugins = {' '.join(self._plugins(*self.more_plugins, 'acl', 'virtual', 'notify', 'mailpush'))}
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  {userdb}}}
plugin {{
{acl}{mailpush}  sieve = file:~/sieve;active=~/.dovecot.sieve
}}
protocol imap {{
  mail_plugins = $mail_plugins {' '.join(self._plugins('imap_acl', 'imap_mailpush'))}
}}
protocol lmtp {{
  mail_plugins = $mail_plugins sieve
}}
protocol lda {{
  mail_plugins = $mail_plugins sieve
}}
{namespaces}"""

    def _write_2_4(self, common):
        uid, gid = self._ids()
        if self.system_users:
            userdb = "userdb passwd {\n}\n"
        else:
            userdb = (f"userdb static {{\n  fields {{\n    uid = {uid}\n    gid = {gid}\n"
                      f"    home = {self.dir}/home/%{{user}}\n  }}\n"
                      "  userdb_static_allow_all_users = yes\n}\n")
        acl = (f"acl_driver = vfile\nacl_sharing_map {{\n  dict file {{\n"
               f"    path = {self.dir}/state/shared\n  }}\n}}\n") if self.acl else ""
        namespaces = self._namespaces(
            "",
            f"  prefix = shared{self.separator}$user{self.separator}\n"
            f"  mail_path = {self.dir}/mail/%{{owner_user}}\n"
            f"  mail_index_private_path = {self.dir}/home/%{{user}}/shared/%{{owner_user}}\n",
            f"  mail_path = {self.dir}/public\n",
            f"  mail_driver = virtual\n  mail_path = {self.dir}/virtual\n"
            f"  mail_index_path = {self.dir}/home/%{{user}}/virtual\n")
        mailpush = (f"mailpush_socket = {self.socket}\nmailpush_spool = {self.spool}\n"
                    f"mailpush_keep = {self.dir}/keep\n"
                    f"mailpush_require_tls = {'yes' if self.require_tls else 'no'}\n")

        def plugins(*names):
            lines = "".join(f"    {name} = yes\n" for name in self._plugins(*names))
            return f"mail_plugins {{\n{lines}  }}\n"
        return f"""dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
{common}
ssl_server_cert_file = {self.dir}/cert.pem
ssl_server_key_file = {self.dir}/key.pem
auth_allow_cleartext = yes
mail_driver = {self.format}
mail_path = {self.dir}/mail/%{{user}}
{plugins(*self.more_plugins, 'acl', 'virtual', 'notify', 'mailpush')}
passdb static {{
  password = {PASSWORD}
}}
{userdb}{acl}{mailpush if self.plugin else ''}sieve_script personal {{
  path = ~/sieve
  active_path = ~/.dovecot.sieve
}}
protocol imap {{
  {plugins('imap_acl', 'imap_mailpush')}}}
protocol lmtp {{
  {plugins('sieve')}}}
protocol lda {{
  {plugins('sieve')}}}
{namespaces}"""
