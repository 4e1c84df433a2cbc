"""A Machine on which services run as on a mail server: with a network of its own, so that ports are free.

    with MailHost() as host:
        host.type("apt-get install cyrus-imapd")
        host.type("systemctl restart cyrus-imapd")

Its first process is no systemd.  What is typed is typed in a shell, but for the lines that tell systemctl
to start or stop a service: the command of its unit runs then, as the user whom the unit names.
"""

import pathlib
import re
import shlex
import subprocess

from machine import Machine, PROXIES, QUIET

# Else a package's scripts, seeing no systemd, start what they install, and on the host's ports.
POLICY = "#!/bin/sh\nexit 101\n"
LOOPBACK_UP = """
import fcntl, socket, struct
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1 | 64))  # SIOCSIFFLAGS: UP, RUNNING
"""
SYSTEMCTL = re.compile(r"systemctl (start|stop|restart|enable --now|disable --now) ([\w-]+)$")


class MailHost(Machine):
    def __enter__(self):
        super().__enter__()
        self._network = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready; read -r line"],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._network.stdout.readline()
        self._is_online = False
        self._services = {}
        subprocess.run([*self._in_network(), "python3", "-c", LOOPBACK_UP], check=True)
        policy = self.path("/usr/sbin/policy-rc.d")
        policy.write_text(POLICY)
        policy.chmod(0o755)
        return self

    def __exit__(self, *exception):
        for name in list(self._services):
            self._stop(name)
        self._network.communicate("\n")
        super().__exit__(*exception)

    def _in_network(self):
        return ["nsenter", f"--net=/proc/{self._network.pid}/ns/net"]

    def command(self, *command):
        """A command as one that runs in the machine; apt-get is the only one that sees the world."""
        within = super().command(*command)
        return within if self._is_online else [*self._in_network(), *within]

    def type(self, text, check=True):
        """Type lines into a shell; what they print.  The first that fails is the last."""
        if not re.search("^systemctl ", text, flags=re.M):
            return self._shell(text, check)
        return "".join(self._systemctl(*told.groups()) if (told := SYSTEMCTL.match(line))
                       else self._shell(line) for line in text.splitlines())

    def listens(self, port):
        """Whether somebody accepts connections on a TCP port."""
        folder = pathlib.Path(f"/proc/{self._network.pid}/net")
        return any(re.search(rf":{port:04X} \w+:0000 0A ", (folder / name).read_text())
                   for name in ("tcp", "tcp6"))

    def _shell(self, text, check=True):
        self._is_online = text.startswith("apt-get ")
        try:
            done = self.run("sh", "-euc", text.replace("apt-get ", "apt-get -y "), check=check)
        finally:
            self._is_online = False
        return done.stdout

    def _systemctl(self, verb, name):
        if verb != "start":
            self._stop(name)
        if verb.endswith("able --now"):
            self.run("systemctl", verb.split()[0], name)
        if verb not in ("stop", "disable --now"):
            self._start(name)
        return ""

    def _start(self, name):
        unit = self.path(f"/lib/systemd/system/{name}.service").read_text()
        setting = dict(re.findall(r"^(\w+)=(.*)$", unit, flags=re.M))
        shell = "".join(f"export {each}\n" for each in shlex.split(setting.get("Environment", "")))
        if "EnvironmentFile" in setting:
            shell += f". {setting['EnvironmentFile']}\n"
        user = setting.get("User", "root")
        shell += f"exec setpriv --reuid={user} --regid={setting.get('Group', user)} --init-groups " \
                 f"{setting['ExecStart']}\n"
        self._services[name] = subprocess.Popen(
            self.command("sh", "-euc", shell), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env={**QUIET, **PROXIES})

    def _stop(self, name):
        process = self._services.pop(name, None)
        if process:
            process.terminate()
            process.wait(30)
