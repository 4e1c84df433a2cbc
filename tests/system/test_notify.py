"""mailpush-notify: what notifyd gives it reaches the daemon, or the disk, and quickly."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

import notifier
import notify
from baddisk import BadDisk
from mailsite import BarePhone, new_user
from phone import new_token
from waiting import TIMEOUT, wait_until

MIB = 1024 * 1024


@pytest.fixture
def spool(tmp):
    """A folder as the package makes it."""
    folder = tmp / "spool"
    folder.mkdir()
    folder.chmod(0o2770)
    return folder


@pytest.fixture
def listener(tmp):
    """A daemon that is there and says nothing."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp / "silent"))
        listener.listen(8)
        listener.setblocking(False)
        yield listener


def was_asked(listener):
    """Did somebody connect since this was last asked?"""
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def run(listener, spool, event="{}", **options):
    return notifier.run(listener.getsockname(), spool, event, **options)


# ---- to the daemon ----

def test_an_event_is_handed_over(bare_site):
    site = bare_site
    phone = site.registered_phone()
    done = notifier.hand_over(site.mailpushd, notify.mail(phone.user))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    site.told(phone, "INBOX")
    site.mailpushd.wait_log("event came .*through=stream")
    wait_until(lambda: not notifier.kept_files(site.mailpushd.spool), what="an empty spool")


def test_a_notification_of_another_class_is_handed_over(bare_site):
    done = notifier.hand_over(bare_site.mailpushd, "hello", notifier.arguments(
        "SIEVE", "1", "alice", "INBOX", ["/a file"]))
    assert (done.returncode, done.stderr) == (0, b"")
    bare_site.mailpushd.wait_log("class=SIEVE")


def test_a_large_message_is_handed_over(bare_site):
    site = bare_site
    phone = site.registered_phone()
    event = notify.mail(phone.user, more="x" * (MIB - 2000))
    done = notifier.hand_over(site.mailpushd, event)
    assert (done.returncode, done.stderr) == (0, b"")
    site.told(phone, "INBOX")


# ---- to the disk ----

def test_without_a_daemon_the_event_is_kept(spool, tmp):
    before_ms = time.time_ns() // 1000000
    done = notifier.run(tmp / "nobody", spool, b'{"event":"MessageNew"}')
    after_ms = time.time_ns() // 1000000
    assert done.returncode == 0
    said = done.stderr.decode()
    assert said == (f"mailpush-notify: cannot reach mailpushd at '{tmp}/nobody': No such file or "
                    f"directory; the notification is kept in '{spool}'\n")
    request, = notifier.kept(spool)
    assert (request.event_class, request.message) == (b"EVENT", b'{"event":"MessageNew"}')
    assert (request.priority, request.user, request.mailbox, request.file) == (b"", b"", b"", None)
    assert before_ms <= request.received_ms <= after_ms
    file, = notifier.kept_files(spool)
    assert file.stat().st_mode & 0o7777 == 0o640
    assert not [name for name in os.listdir(spool) if name.startswith(".tmp-")]


def test_whatever_the_umask_the_daemon_can_read_it(spool, tmp):
    done = notifier.run(tmp / "nobody", spool, "{}", wrapper=["sh", "-c", 'umask 777; "$0" "$@"'])
    assert done.returncode == 0
    file, = notifier.kept_files(spool)
    assert file.stat().st_mode & 0o7777 == 0o640
    assert {(spool / name).stat().st_mode & 0o7777 for name in (".silent", ".number")} == {0o660}


@pytest.mark.parametrize("words", [
    ["EVENT", "", "", "", ()],
    ["SIEVE", "-f", "-c", "--", ("-x",)],
    ["a\nb", "\r\n)\r\nNOTIFY %(", '"', "\\", ("{3+}\r\n",)],
    [os.fsdecode(b"\xff\xfe\x80"), "\u00e4", os.fsdecode(b"\xc3"), "\x01\x7f", ("NIL",)],
    ["C" * 100000, "p" * 100000, "u" * 100000, "m" * 100000, ("f" * 100000,)],
])
def test_every_argument_is_kept_as_it_is(spool, tmp, words):
    done = notifier.run(tmp / "nobody", spool, "{}", notifier.arguments(*words))
    assert done.returncode == 0
    request, = notifier.kept(spool)
    values = [request.event_class, request.priority, request.user, request.mailbox]
    assert values == [os.fsencode(word) for word in words[:4]]
    assert request.file == (os.fsencode(words[4][0]) if words[4] else None)


@pytest.mark.parametrize("message", [b"\n", b"no newline", b"two\n\n", b"\0\xff" * 1000, b"\r\n"])
def test_every_message_is_kept_as_it_is_but_for_the_newline_of_notifyd(spool, tmp, message):
    done = notifier.run(tmp / "nobody", spool, None, input=message)
    assert done.returncode == 0
    request, = notifier.kept(spool)
    assert request.message == message.removesuffix(b"\n")


def test_the_order_of_events_is_that_of_the_names(spool, tmp):
    for number in range(20):
        notifier.keep(spool, str(number))
    assert [request.message for request in notifier.kept(spool)] == \
        [str(number).encode() for number in range(20)]


def test_a_clock_that_was_set_back_does_not_turn_the_order_round(spool, tmp):
    notifier.keep(spool, "first")
    number = 10 ** 6 * int(time.time() + 3600)
    notifier.kept_files(spool)[0].rename(spool / f"{number:016}.1")
    (spool / ".number").write_text(f"{number:016}\n")
    for message in ("second", "third"):
        notifier.keep(spool, message)
    assert [request.message for request in notifier.kept(spool)] == [b"first", b"second", b"third"]


@pytest.mark.parametrize("number", ["", "rubbish", "9" * 16, "-000000000000001", "1" * 100000])
def test_a_spoilt_number_does_no_harm(spool, number):
    (spool / ".number").write_text(number)
    notifier.keep(spool, "first")
    assert [request.message for request in notifier.kept(spool)] == [b"first"]


def test_many_at_once_keep_all(spool, tmp):
    running = []
    for number in range(40):
        (tmp / str(number)).write_text(str(number))
        with open(tmp / str(number), "rb") as message:
            running.append(subprocess.Popen(
                ["env", *notifier.environment(tmp / "nobody", spool), str(notifier.binary()),
                 *notifier.arguments()], stdin=message, stderr=subprocess.DEVNULL))
    assert {process.wait(60) for process in running} == {0}
    assert sorted(int(request.message) for request in notifier.kept(spool)) == list(range(40))
    numbers = [path.name.split(".")[0] for path in notifier.kept_files(spool)]
    assert len(set(numbers)) == 40


def test_a_number_that_somebody_holds_is_not_waited_for(spool, tmp):
    holder = subprocess.Popen(["flock", spool / ".number", "sh", "-c", "echo held; exec cat"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout.readline() == b"held\n"
        notifier.keep(spool, "first")
        holder.stdin.close()
    assert [request.message for request in notifier.kept(spool)] == [b"first"]


# ---- a daemon that says nothing ----

def test_a_daemon_that_is_silent_is_waited_for_and_the_event_is_kept(spool, listener):
    done = run(listener, spool)
    assert done.returncode == 0
    assert b"gave no answer within 200 ms; the notification is kept in" in done.stderr
    assert was_asked(listener)
    assert len(notifier.kept(spool)) == 1


def test_a_daemon_whose_backlog_is_full_is_not_waited_for_longer(spool, tmp):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp / "full"))
        listener.listen(0)
        with notify.connect(tmp / "full"):
            done = run(listener, spool)
    assert done.returncode == 0
    assert b"gave no answer within 200 ms" in done.stderr
    assert len(notifier.kept(spool)) == 1


def test_for_a_while_a_silent_daemon_is_not_asked_again(spool, listener):
    assert run(listener, spool).returncode == 0
    assert was_asked(listener)
    for _ in range(3):
        os.utime(spool / notifier.SILENT)       # just now, however long it took to start
        done = run(listener, spool)
        assert (done.returncode, done.stderr) == (0, b"")
    assert not was_asked(listener)
    assert len(notifier.kept(spool)) == 4


@pytest.mark.parametrize("age_s", [6, -60])
def test_then_it_is_asked_again_whatever_became_of_the_clock(spool, listener, age_s):
    run(listener, spool)
    assert was_asked(listener)
    then = time.time() - age_s
    os.utime(spool / notifier.SILENT, (then, then))
    assert b"gave no answer" in run(listener, spool).stderr
    assert was_asked(listener)
    os.utime(spool / notifier.SILENT)
    run(listener, spool)
    assert not was_asked(listener)


def answer_once(listener, answer):
    """Run it against a daemon that answers so, in time, which a busy machine may not allow at once."""
    def answered():
        for path in pathlib.Path(spool_of(listener)).iterdir():
            path.unlink()
        said = answer_now(listener, answer)
        return None if "gave no answer" in said else (said,)
    return wait_until(answered, what="an answer in time")[0]


def answer_now(listener, answer):
    process = subprocess.Popen(
        ["env", *notifier.environment(listener.getsockname(), spool_of(listener)),
         str(notifier.binary()), *notifier.arguments()],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(b"{}\n")
    process.stdin.close()
    connection, _ = wait_until(lambda: accept(listener), what="a connection")
    with connection:
        connection.settimeout(TIMEOUT)
        if connection.recv(65536):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(answer)
    with process:
        said = process.stderr.read().decode()
    assert process.returncode == 0
    return said


def accept(listener):
    try:
        return listener.accept()
    except BlockingIOError:
        return None


def spool_of(listener):
    return listener.getsockname().removesuffix("silent") + "spool"


def test_an_acknowledgement_is_all_that_it_needs(spool, listener):
    assert answer_once(listener, b"OK ()\r\n") == ""
    assert not list(spool.iterdir())


@pytest.mark.parametrize("answer", [b'NO "not on disk yet"\r\n', b'NO "malformed"\r\n', b"OKAY\r\n",
                                    b"OK\r\n", b"x" * 1000, b"\xff\0\r\n"])
def test_a_refused_notification_is_kept_and_the_daemon_is_asked_again(spool, listener, answer):
    assert "answered: " in answer_once(listener, answer)
    assert len(notifier.kept(spool)) == 1
    assert not (spool / notifier.SILENT).exists()


def test_a_daemon_that_hangs_up_is_silent(spool, listener):
    assert "closed the connection without an answer" in answer_once(listener, b"")
    assert len(notifier.kept(spool)) == 1
    assert (spool / notifier.SILENT).exists()


# ---- when nothing is left ----

def test_without_the_folder_the_loss_is_said(tmp):
    done = notifier.run(tmp / "nobody", tmp / "no-spool", "{}")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == (
        f"mailpush-notify: cannot write into '{tmp}/no-spool': No such file or directory; make it: "
        "install -d -o mailpush -g mail -m 2770; the notification is lost (cannot reach mailpushd "
        f"at '{tmp}/nobody': No such file or directory)\n")


def on_tmpfs(spool, options, then=":"):
    """A command that runs its arguments with a file system of its own at the spool folder."""
    return ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]),
            "sh", "-c", f'mount -t tmpfs -o {options} tmpfs "$0" && {then} && "$@"', str(spool)]


@pytest.mark.parametrize("options, then, why", [
    ("size=64k", 'head -c 61440 /dev/zero >"$0/filler"', "No space left on device; make room"),
    ("nr_inodes=2", ': >"$0/filler"', "No space left on device; make room"),
    ("size=1m", 'mount -o remount,ro "$0"', "Read-only file system; make its disk writable"),
])
def test_a_disk_that_takes_nothing_is_said(spool, tmp, options, then, why):
    done = notifier.run(tmp / "nobody", spool, "x" * 20000, wrapper=on_tmpfs(spool, options, then))
    assert (done.returncode, done.stdout) == (1, b"")
    assert why in done.stderr.decode()
    assert "the notification is lost" in done.stderr.decode()


def test_what_could_not_be_written_whole_leaves_nothing_behind(spool, tmp):
    full = on_tmpfs(spool, "size=64k", 'head -c 49152 /dev/zero >"$0/filler"')
    shown = ["sh", "-c", '"$@"; status=$?; ls -A "$0"; exit $status', str(spool)]
    done = notifier.run(tmp / "nobody", spool, "x" * 20000, wrapper=[*full, *shown])
    assert (done.returncode, done.stdout.split()) == (1, [b".number", b"filler"])


def test_a_limit_of_file_sizes_is_said_and_leaves_nothing_behind(spool, tmp):
    done = notifier.run(tmp / "nobody", spool, "x" * 20000, wrapper=["prlimit", "--fsize=1000"])
    assert done.returncode == 1
    assert b"File too large" in done.stderr
    assert b"the notification is lost" in done.stderr
    assert [path.name for path in spool.iterdir()] == [".number"]


@pytest.mark.parametrize("rules", [["unsyncable .tmp- 5"], ["well .tmp-", "unsyncable /spool 5"]],
                         ids=["file", "folder"])
def test_what_is_not_known_to_be_synced_is_not_said_to_be_kept(spool, tmp, rules):
    disk = BadDisk(tmp)
    with disk.rule(*rules):
        done = notifier.run(tmp / "nobody", spool, "{}", wrapper=disk.wrapper())
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"Input/output error; look at that disk; the notification is lost" in done.stderr
    assert [path.name for path in spool.iterdir()] == [".number"]


@pytest.mark.skipif(os.geteuid() != 0, reason="without root all run as one user")
def test_who_may_not_write_gets_the_reason(spool, tmp):
    done = notifier.run(tmp / "nobody", spool, "{}",
                        wrapper=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
    assert done.returncode == 1
    assert b"Permission denied; the user that Cyrus runs as needs write permission" in done.stderr


# ---- hostile input ----

@pytest.mark.parametrize("words, why", [
    ([], "no class: -c is missing"),
    (["-p", "", "-f"], "no class: -c is missing"),
    (["-c"], "-c has no value"),
    (["-c", "EVENT", "-x", "y"], "unexpected argument '-x'"),
    (["-c", "EVENT", "more"], "unexpected argument 'more'"),
    (["-cEVENT"], "unexpected argument '-cEVENT'"),
    (["-h", "-V"], "unexpected argument '-h'"),
])
def test_a_wrong_call_is_named(spool, tmp, words, why):
    done = notifier.run(tmp / "nobody", spool, "{}", words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().endswith(f"mailpush-notify: {why}\n")
    assert not list(spool.iterdir())


@pytest.mark.parametrize("word, said", [("-h", b"usage: mailpush-notify"),
                                        ("-V", b"mailpush-notify ")])
def test_it_says_what_it_is(word, said):
    done = subprocess.run([notifier.binary(), word], capture_output=True, timeout=TIMEOUT)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(said)


@pytest.mark.parametrize("size, status", [(MIB - 200, 0), (MIB - 50, 1), (MIB, 1), (3 * MIB, 1)])
def test_a_message_that_the_daemon_would_not_take_is_named(spool, tmp, size, status):
    done = notifier.run(tmp / "nobody", spool, None, input=b"x" * size)
    assert done.returncode == status
    assert (b"1048576" in done.stderr) == bool(status)
    assert len(notifier.kept(spool)) == 1 - status


def test_a_message_without_end_is_too_large(spool, tmp):
    with open("/dev/zero", "rb") as zero:
        done = notifier.run(tmp / "nobody", spool, None, stdin=zero)
    assert done.returncode == 1
    assert b"the message has more than 1048576 bytes" in done.stderr


def test_a_message_that_does_not_come_is_not_waited_for(spool, tmp):
    reader, writer = os.pipe()
    os.write(writer, b'{"event":')
    done = notifier.run(tmp / "nobody", spool, None, stdin=reader)
    os.close(reader)
    os.close(writer)
    assert done.returncode == 1
    assert b"did not end within 10 s" in done.stderr


@pytest.mark.parametrize("closed, why", [("<&-", b"standard input is closed"),
                                         ("</dev/null", b"standard input is empty"),
                                         ("</", b"cannot read the message")])
def test_without_a_message_there_is_nothing_to_keep(spool, tmp, closed, why):
    done = notifier.run(tmp / "nobody", spool, "",
                        wrapper=["sh", "-c", f'exec "$0" "$@" {closed}'])
    assert done.returncode == 1
    assert why in done.stderr
    assert not list(spool.iterdir())


def test_without_standard_error_the_event_is_kept_and_whole(spool, tmp):
    done = notifier.run(tmp / "nobody", spool, "{}", wrapper=["sh", "-c", 'exec "$0" "$@" >&- 2>&-'])
    assert done.returncode == 0
    assert [request.message for request in notifier.kept(spool)] == [b"{}"]


def test_a_daemon_that_hung_does_not_take_an_old_registration_for_the_newest(bare_site):
    site = bare_site
    phone = site.registered_phone("INBOX", "Old")
    daemon = site.mailpushd

    def tell(*mailboxes):
        event = notify.registration(phone.user, phone.token, phone.account_id, mailboxes)
        return notifier.run(daemon.stream_socket, daemon.spool, event)

    daemon.process.send_signal(signal.SIGSTOP)
    assert b"gave no answer" in tell("INBOX", "First").stderr       # it waits in the backlog too
    assert tell("INBOX", "Second").stderr == b""
    daemon.process.send_signal(signal.SIGCONT)
    wait_until(lambda: not notifier.kept_files(daemon.spool), what="an empty spool")
    last = BarePhone(new_user())
    site.register(last)         # behind what waits in the backlog
    wait_until(lambda: last.token in site.registrations(), what="the registration behind it")
    assert site.subscriptions(phone) == ["INBOX", "Second"]


def test_a_token_of_nobody_s_is_no_secret_to_others(spool, tmp):
    """What is kept names device tokens: only the folder's group may read it."""
    notifier.keep(spool, notify.registration(new_user(), new_token(), "A"))
    assert not notifier.kept_files(spool)[0].stat().st_mode & 0o007
