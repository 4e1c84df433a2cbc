"""mailpushctl for people: help of one command, keys by their beginning, top, completion, 80 columns."""

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import termios

import pytest

from control import ctl, ctl_binary, ctl_fine, ctl_json
from mailpushd import REPOSITORY
from mailsite import register


def commands():
    text = subprocess.run([ctl_binary(), "--help"], capture_output=True, text=True, check=True).stdout
    return sorted({" ".join(re.match(r"  ([a-z-]+(?: [a-z]+\b)?)", line)[1].split())
                   for line in text.splitlines() if line.startswith("  ")})


def help_of(*words):
    return subprocess.run([ctl_binary(), *words, "--help"], capture_output=True, text=True)


@pytest.mark.parametrize("command", commands())
def test_each_command_has_help_of_its_own_with_an_example_that_is_taken(command):
    done = help_of(*command.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: mailpushctl {command}")
    assert f"\nexample:\n  mailpushctl {command}" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_a_group_of_commands_shows_all_of_them():
    text = help_of("cert").stdout
    assert "mailpushctl cert inspect FILE..." in text and "mailpushctl cert check [--online]" in text
    assert "--passphrase-file FILE" in text and "--user" not in text


def test_help_of_no_command_says_so():
    done = help_of("certt")
    assert done.returncode == 2 and "there is no command 'certt'" in done.stderr


def test_a_registration_is_named_by_the_beginning_of_its_key(bare_site):
    phone = bare_site.registered_phone()
    [device] = ctl_json(bare_site.mailpushd, "devices")
    shown = re.search(r"^([0-9a-f]+) ", ctl_fine(bare_site.mailpushd, "devices"), flags=re.M)[1]
    assert device["key"].startswith(shown) and len(shown) == 12
    assert phone.user in ctl_fine(bare_site.mailpushd, "devices", "show", shown[:4])
    other = f"{(int(shown[:8], 16) + 1) % 16 ** 8:08x}"
    failed = ctl(bare_site.mailpushd, "devices", "show", other)
    assert failed.returncode == 1 and f"no registration has a key that begins with {other}" in failed.stderr
    for wrong in (shown[:3], "xyz45", device["key"] + "0"):
        failed = ctl(bare_site.mailpushd, "devices", "show", wrong)
        assert failed.returncode == 1
        assert f"'{wrong}' is neither a key nor the beginning of one: of its 32 hex digits give at least 4" in failed.stderr
    ctl_fine(bare_site.mailpushd, "devices", "remove", shown)
    assert not ctl_json(bare_site.mailpushd, "devices")


def test_a_beginning_that_two_share_is_refused(bare_site):
    phones = {}
    while len(phones) < 65537:
        register(bare_site, 50)
        for device in ctl_json(bare_site.mailpushd, "devices"):
            phones.setdefault(device["key"][:4], set()).add(device["key"])
        shared = [prefix for prefix, keys in phones.items() if len(keys) > 1]
        if shared:
            break
    failed = ctl(bare_site.mailpushd, "devices", "remove", shared[0])
    assert failed.returncode == 1
    assert f"registrations have a key that begins with {shared[0]}" in failed.stderr
    assert len([d for d in ctl_json(bare_site.mailpushd, "devices") if d["key"].startswith(shared[0])]) > 1


def test_a_pattern_is_refused_and_an_empty_list_has_no_head(bare_site):
    refused = ctl(bare_site.mailpushd, "devices", "--user", "al*")
    assert refused.returncode == 2 and "patterns are not known" in refused.stderr
    assert ctl_fine(bare_site.mailpushd, "devices", "--user", "nobody") == "0 registrations of nobody\n"
    assert ctl_fine(bare_site.mailpushd, "queue") == "0 pending pushes\n"


def test_a_list_ends_with_how_long_it_is(bare_site):
    register(bare_site, 3)
    assert ctl_fine(bare_site.mailpushd, "devices").splitlines()[-2:] == ["", "3 registrations"]
    assert ctl_fine(bare_site.mailpushd, "devices", "--limit", "2").endswith("2 registrations, and perhaps more\n")


def test_push_and_doctor_name_a_phone_by_its_key(bare_site):
    phone = bare_site.registered_phone()
    [device] = ctl_json(bare_site.mailpushd, "devices")
    key = device["key"][:12]
    assert ctl_fine(bare_site.mailpushd, "push", phone.user).startswith(f"{key} 200")
    text = ctl(bare_site.mailpushd, "doctor", "--config", bare_site.mailpushd.conf, "--user", phone.user).stdout
    assert f"{key} was renewed" in text and phone.token[:8] not in text


def on_terminal(daemon, columns, *arguments):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen([ctl_binary(), "--socket", daemon.control_socket, *arguments], stdout=slave,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm", "NO_COLOR": "1"}) as process:
        os.close(slave)
        text = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:
                break
            if not part:
                break
            text += part
    os.close(master)
    assert process.returncode == 0
    return text.decode()


def test_tables_and_top_keep_to_the_width_of_the_terminal(bare_site):
    bare_site.registered_phone(user="a-user-with-quite-a-long-name@a-domain-that-is-no-shorter.example.com")
    for command in (["devices"], ["config"], ["top", "--limit", "1"]):
        lines = on_terminal(bare_site.mailpushd, 80, *command).replace("\033[H\033[2J", "").splitlines()
        assert max(map(len, lines)) <= 80, lines
    assert "~" in on_terminal(bare_site.mailpushd, 80, "devices")
    assert "shorter.example.com" in ctl_fine(bare_site.mailpushd, "devices")


def test_top_shows_what_happens(bare_site):
    phone = bare_site.registered_phone()
    bare_site.sim.control(do="token", token=phone.token, status=410, reason="Unregistered", times=1)
    bare_site.deliver(phone.user)
    bare_site.mailpushd.wait_log("push not taken .*status=410")
    text = ctl_fine(bare_site.mailpushd, "top", "--limit", "2")
    assert text.count("mailpushd ") == 2
    assert re.search(r"^alarms +none$", text, flags=re.M)
    assert re.search(r"^pushes +[\d.]+/s, 2 in all: .*410 Unregistered 1", text, flags=re.M)
    assert re.search(r"^apple +main: in force, 1 connection, 0 of \d+ streams$", text, flags=re.M)
    assert re.search(r"^  \d\d:\d\d:\d\d  410 Unregistered: ", text, flags=re.M)


# ---- completion ----

def shell_environment(daemon, tmp):
    """With a mailpushctl that asks this daemon, as the shell finds it."""
    program = tmp / "bin" / "mailpushctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {ctl_binary()} --socket {daemon.control_socket} "$@"\n')
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(tmp), "LC_ALL": "C.UTF-8"}


def in_bash(words, environment):
    script = ('. packaging/completion/mailpushctl; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
              '_mailpushctl; echo "${COMPREPLY[@]}"')
    return subprocess.run(["bash", "-c", script, "bash", "mailpushctl", *words], capture_output=True, text=True,
                          cwd=REPOSITORY, env=environment, check=True).stdout.split()


def in_fish(words, environment):
    script = f'source packaging/completion/mailpushctl.fish; complete -C "mailpushctl {" ".join(words)}"'
    said = subprocess.run(["fish", "-c", script], capture_output=True, text=True, cwd=REPOSITORY,
                          env=environment, check=True).stdout
    return [line.split("\t")[0] for line in said.splitlines()]


def in_zsh(words, environment):
    """compadd is ours here: it prints what is offered."""
    script = """
    compadd() { local name; if [[ $1 = -a ]]; then print -l -- ${(P)2}; else print -l -- ${@:#--}; fi }
    _files() { }
    PREFIX=$1; shift
    words=("$@"); CURRENT=$#words
    eval "$(sed '$d' packaging/completion/_mailpushctl)"
    _mailpushctl
    """
    said = subprocess.run(["zsh", "-fc", script, "zsh", words[-1], "mailpushctl", *words], capture_output=True,
                          text=True, cwd=REPOSITORY, env=environment, check=True)
    assert said.stderr == ""
    return [word for word in said.stdout.split() if word.startswith(words[-1])]


@pytest.mark.parametrize("complete, shell", [(in_bash, "bash"), (in_fish, "fish"), (in_zsh, "zsh")],
                         ids=["bash", "fish", "zsh"])
def test_a_shell_completes_commands_users_and_keys(bare_site, tmp, complete, shell):
    assert shutil.which(shell), f"{shell} is missing"
    phone = bare_site.registered_phone(user="gertrude")
    [device] = ctl_json(bare_site.mailpushd, "devices")
    environment = shell_environment(bare_site.mailpushd, tmp)
    assert complete(["de"], environment) == ["devices"]
    assert complete(["push", "ger"], environment) == [phone.user]
    assert complete(["devices", "--user", "ger"], environment) == [phone.user]
    assert complete(["devices", "show", device["key"][:5]], environment) == [device["key"]]
    assert sorted(complete(["cert", ""], environment))[-2:] == ["check", "inspect"]
