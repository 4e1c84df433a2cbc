"""Notifications for other programs, which come to our sockets, reach them."""

import contextlib
import os
import re
import signal
import socket

import pytest

import managesieve
import notify
from cyrus import PASSWORD, is_since
from mailsite import MailSite, new_user
from waiting import TIMEOUT, wait_until

NOTIFIERS = {"mailnotifier": "external", "sievenotifier": "external"}
# Cyrus 3.10 has done away with `notify` for the `enotify` of RFC 5435.
SCRIPT = """
require ["enotify"];
notify :options ["one", "two words"] :message "Post für dich" "external";
""" if is_since(3, 10) else """
require ["notify"];
notify :method "external" :options ["one", "two words"] :message "Post für dich";
"""
CLASSES = ("MAIL", "SIEVE")


@pytest.fixture(params=["dlist", "datagram"])
def transport(request):
    return request.param


def sieve_mail(user, notification_class="SIEVE", message="hi"):
    """A notification as Cyrus sends it, in both forms."""
    text = message.encode()
    name = notification_class.encode()
    request = (b"NOTIFY %%(METHOD mailto CLASS %s PRIORITY normal USER %s MAILBOX NIL OPTIONS "
               b"(x@example.com) MESSAGE {%d+}\r\n%s FILEPATH /spool/1)\r\n"
               % (name, user.encode(), len(text), text))
    datagram = b"mailto\0%s\0normal\0%s\0\0001\0x@example.com\0%s\0/spool/1\0" % (
        name, user.encode(), text)
    return request, datagram


# ---- Cyrus' own notifyd ----

def subject_of(text):
    return text.partition("Subject: ")[2].partition("\n")[0]


def notified(site, user):
    """What notifyd was told about this user: class -> (arguments, text)."""
    return [(arguments[1], arguments, text) for arguments, text in site.cyrus.notified()
            if arguments[5] == user]


def check_notified(site, user):
    site.deliver(user, subject="Hello")
    wait_until(lambda: {name for name, _, _ in notified(site, user)} == set(CLASSES),
               what="what notifyd is to be told")
    for name, arguments, text in notified(site, user):
        if name == "MAIL":
            assert arguments == ["-c", "MAIL", "-p", "", "-u", user, "-m", "INBOX", "-f"]
            assert text.startswith("From: sender@example.net\nSubject: Hello\n")
        else:
            assert arguments[:-1] == ["-c", "SIEVE", "-p", "normal", "-u", user, "-m", "", "-f"]
            assert arguments[-1].startswith(f"{site.cyrus.dir}/spool/stage./")
            assert text.startswith("Post für dich\n\nAction(s) taken:\nKept\n")


@pytest.fixture
def notifying_site_for(cyrus_for, site_for, transport):
    """A site whose Cyrus notifies of mail, and whose users' scripts do."""
    def make(**settings):
        options = {"transport": transport, **NOTIFIERS}
        site = site_for(cyrus=options,
                        **{"forward_socket": cyrus_for(**options).notifyd, **settings})
        return site
    return make


def create_notifying_user(site):
    user = site.create_user("Notes")
    managesieve.install_script(site.cyrus.sieve_port, user, PASSWORD, SCRIPT)
    return user


def test_what_cyrus_says_beside_events_reaches_its_notifyd(notifying_site_for):
    site = notifying_site_for()
    user = create_notifying_user(site)
    phone = site.registered_phone(user, "INBOX", "Notes")
    check_notified(site, user)
    site.told(phone, "INBOX")
    assert not [line for line in site.mailpushd.lines() if "for other programs" in line]


def test_it_does_so_through_a_second_daemon_as_well(notifying_site_for, mailpushd, cyrus_for,
                                                    transport):
    """Cyrus -> (either) -> one daemon -> (dlist) -> another -> (datagram) -> notifyd."""
    server = cyrus_for(transport=transport, **NOTIFIERS)
    second = mailpushd(imapd_conf=server.dir / "imapd.conf", forward_socket=server.notifyd)
    site = notifying_site_for(forward_socket=f"dlist:{second.stream_socket}",
                              forward_events="yes")
    user = create_notifying_user(site)
    check_notified(site, user)
    phone = site.phone(user)
    phone.register("INBOX")
    for daemon in (site.mailpushd, second):
        daemon.wait_log(f"event came event=MessageNew owner={user} ")
        daemon.wait_log(f"phone registered user={user} ")
    MailSite(server, second, site.sim).told_inbox(phone)


@pytest.fixture
def stopped_notifyd():
    """stopped_notifyd(cyrus): notifyd hangs until the test ends, or resume() is called."""
    stopped = []

    def resume():
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        stopped.clear()

    def stop(cyrus):
        stopped.extend(cyrus.processes("notifyd"))
        assert stopped
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        return resume
    yield stop
    resume()


@pytest.mark.limit(600)     # where sockets hold 512 datagrams; a minute is usual for that
def test_a_notifyd_that_hangs_holds_up_neither_mail_nor_pushes(notifying_site_for,
                                                               stopped_notifyd):
    site = notifying_site_for()
    user = create_notifying_user(site)
    phone = site.registered_phone(user, "INBOX", "Notes")
    check_notified(site, user)
    site.told(phone, "INBOX")
    resume = stopped_notifyd(site.cyrus)
    # Each is two notifications.
    subjects = [f"mail {n}" for n in range(10 + notify.queue_length())]
    for subject in subjects:
        site.deliver(user, subject=subject)
        site.told(phone, "INBOX")
    site.deliver(user, "Notes", subject="the last")     # which runs no script
    site.told(phone, "Notes")
    site.mailpushd.wait_log("takes no notifications: it does not read; .*alarm=forward "
                            "state=begins")
    resume()
    site.mailpushd.wait_log("alarm=forward state=ends")
    came = wait_until(
        lambda: len(notified(site, user)) >= 2 + 2 * len(subjects) + 1 and notified(site, user),
        timeout=TIMEOUT + len(subjects), what="all notifications")
    assert [subject_of(text) for name, _, text in came if name == "MAIL"] == [
        "Hello", *subjects, "the last"]


# ---- byte for byte ----

@contextlib.contextmanager
def requests_at(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as target:
        target.settimeout(TIMEOUT)
        target.bind(str(path))
        target.listen(8)
        yield target


def next_request(target, answer=b"OK ()\r\n"):
    connection, _ = target.accept()
    with connection:
        connection.settimeout(TIMEOUT)
        request = connection.recv(65536)
        connection.sendall(answer)
    return request


ODD = b'notify %( class "A\\"b" X (y %(z)) message {3}\nhi\n )\n'


def test_a_datagram_is_passed_on_byte_for_byte(bare_site_for, tmp):
    site = bare_site_for(forward_socket=tmp / "target")
    request, datagram = sieve_mail(new_user())
    with notify.datagrams_at(tmp / "target") as target:
        notify.send(site.mailpushd.notify_socket, datagram)
        assert target.recv(65536) == datagram
        assert notify.ask(site.mailpushd.stream_socket, request) == b"OK ()\r\n"
        assert target.recv(65536) == datagram


def test_a_request_is_passed_on_byte_for_byte(bare_site_for, tmp):
    site = bare_site_for(forward_socket=f"dlist:{tmp}/target")
    request, datagram = sieve_mail(new_user())
    with requests_at(tmp / "target") as target:
        for sent in (request, ODD):
            assert notify.ask(site.mailpushd.stream_socket, sent) == b"OK ()\r\n"
            assert next_request(target) == sent
        notify.send(site.mailpushd.notify_socket, datagram)
        assert next_request(target) == request


def test_events_are_passed_on_only_if_that_is_wanted(bare_site_for, tmp):
    event, request = notify.mail(new_user()), notify.request(notify.mail(new_user()))
    modseq = notify.datagram(notify.mail(new_user(), event="MailboxModseq"))
    with notify.datagrams_at(tmp / "target") as target:
        site = bare_site_for(forward_socket=tmp / "target")
        phone = site.registered_phone()
        notify.send(site.mailpushd.notify_socket, modseq)
        site.deliver(phone.user)
        site.told(phone, "INBOX")
        notify.send(site.mailpushd.notify_socket, sieve_mail("marker")[1])
        assert target.recv(65536) == sieve_mail("marker")[1]

        site = bare_site_for(forward_socket=tmp / "target", forward_events="yes")
        for datagram in (modseq, notify.datagram(event), notify.datagram("no event")):
            notify.send(site.mailpushd.notify_socket, datagram)
            assert target.recv(65536) == datagram
        assert notify.ask(site.mailpushd.stream_socket, request) == b"OK ()\r\n"
        assert target.recv(65536).startswith(b'external\0EVENT\0\0\0\0000\0{"event":"MessageNew"')


# ---- targets in trouble ----

def test_what_comes_while_the_target_is_away_waits_for_it(bare_site_for, mailpushd, imapd_conf):
    target = mailpushd(imapd_conf=imapd_conf, start=False)
    site = bare_site_for(forward_socket=f"dlist:{target.stream_socket}")
    phone = site.registered_phone()
    for name in ("ONE", "TWO", "THREE"):
        request, _ = sieve_mail(phone.user, name)
        assert notify.ask(site.mailpushd.stream_socket, request) == b"OK ()\r\n"
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    site.mailpushd.wait_log("takes no notifications: No such file or directory; [123] wait for it.*"
                            "alarm=forward state=begins")
    target.start()
    site.mailpushd.wait_log("alarm=forward state=ends")
    target.wait_log("class=THREE")
    named = [line.rpartition("class=")[2] for line in target.lines() if "for other programs" in line]
    assert named == ["ONE", "TWO", "THREE"]


def test_a_target_that_never_answers_holds_up_nobody(bare_site_for, tmp):
    site = bare_site_for(forward_socket=f"dlist:{tmp}/target", ack_timeout="60s")
    phone = site.registered_phone()
    request, _ = sieve_mail(phone.user)
    with requests_at(tmp / "target"):
        for _ in range(50):
            assert notify.ask(site.mailpushd.stream_socket, request) == b"OK ()\r\n"
            site.deliver(phone.user)
        site.told(phone, "INBOX")
        site.mailpushd.wait_log("takes no notifications: it does not answer; .*alarm=forward "
                                "state=begins")
        site.mailpushd.wait_log('was not passed on why="it does not answer"')
        assert site.mailpushd.stop() == 0
    site.mailpushd.wait_log("could not be passed on before the end are lost count=[0-9]+ ")


def test_a_target_that_refuses_is_in_the_log(bare_site_for, tmp):
    site = bare_site_for(forward_socket=f"dlist:{tmp}/target", log_level="info")
    request, _ = sieve_mail(new_user())
    with requests_at(tmp / "target") as target:
        for _ in range(3):
            assert notify.ask(site.mailpushd.stream_socket, request) == b"OK ()\r\n"
            next_request(target, b'NO "no such user"\r\n')
        assert notify.ask(site.mailpushd.stream_socket, request) == b"OK ()\r\n"
        next_request(target)
    assert site.mailpushd.stop() == 0
    site.mailpushd.wait_log("a notification was not passed on why=.*no such user")
    site.mailpushd.wait_log('more of the same what="notifications not passed on" count=2')


def test_what_waits_is_passed_on_before_the_end(bare_site_for, tmp):
    """Or said to be lost, if the target is too slow for that."""
    def is_the_end():
        has_ended = site.mailpushd.process.poll() is not None
        with contextlib.suppress(BlockingIOError):
            while True:
                came.append(target.recv(65536))
        return has_ended
    came = []
    site = bare_site_for(forward_socket=tmp / "target")
    _, datagram = sieve_mail(new_user())
    with notify.datagrams_at(tmp / "target") as target:
        for _ in range(40):     # more than the target's queue holds
            notify.send(site.mailpushd.notify_socket, datagram)
        site.mailpushd.process.send_signal(signal.SIGTERM)
        target.setblocking(False)
        wait_until(is_the_end, what="the end")
        assert site.mailpushd.stop() == 0
    lost = re.findall(r"before the end are lost count=(\d+)", "\n".join(site.mailpushd.lines()))
    assert set(came) == {datagram} and len(came) + sum(map(int, lost)) == 40


def test_what_no_datagram_can_carry_is_refused(bare_site_for, tmp):
    site = bare_site_for(forward_socket=tmp / "target")
    large, _ = sieve_mail(new_user(), message="x" * 30000)
    fine, datagram = sieve_mail(new_user())
    with notify.datagrams_at(tmp / "target") as target:
        assert notify.ask(site.mailpushd.stream_socket, large) == \
            b'NO "it cannot be written as a datagram"\r\n'
        assert notify.ask(site.mailpushd.stream_socket, fine) == b"OK ()\r\n"
        assert target.recv(65536) == datagram


# ---- without a target ----

def test_a_class_is_shown_as_harmless_text(bare_site):
    site = bare_site
    for name in (b'"a b"', b"{6+}\r\n\x1b[2J\0x", b"{4+}\r\n\xff\r\nx", b"{2000+}\r\n" + b"L" * 2000):
        request = b"NOTIFY %(CLASS " + name + b" MESSAGE hi)\r\n"
        assert notify.ask(site.mailpushd.stream_socket, request) == b"OK ()\r\n"
    for shown in ('"a b"', r"\?\[2J\?x", r"\?\?\?x", "L" * 64):
        site.mailpushd.wait_log(f"for other programs, dropped .* class={shown}$")


def test_many_classes_do_not_fill_the_log(bare_site):
    for n in range(100):
        request, _ = sieve_mail("alice", f"CLASS{n}")
        assert notify.ask(bare_site.mailpushd.stream_socket, request) == b"OK ()\r\n"
    assert bare_site.mailpushd.stop() == 0
    bare_site.mailpushd.wait_log("notifications for other programs were dropped count=100$")
    assert sum("for other programs, dropped" in line for line in bare_site.mailpushd.lines()) == 16


# ---- to ourselves ----

@pytest.mark.parametrize("target", ["{dir}/notify", "dlist:{dir}/cyrus"])
def test_passing_on_to_mailpushd_itself_is_a_mistake(bare_site_for, tmp, target):
    (tmp / "link").symlink_to(tmp / "d0", target_is_directory=True)
    path = target.format(dir=tmp / "link")
    with pytest.raises(RuntimeError, match="forward_socket '.*' is our own (notify|stream)_socket"):
        bare_site_for(forward_socket=path)


@pytest.mark.parametrize("target, own", [("{}", "notify"), ("dlist:{}", "cyrus")])
def test_what_comes_back_to_ourselves_ends_there(bare_site_for, tmp, target, own):
    """The path led nowhere when it was looked at."""
    site = bare_site_for(forward_socket=target.format(tmp / "link"))
    (tmp / "link").symlink_to(site.mailpushd.dir / own)
    request, datagram = sieve_mail(new_user())

    def came_back():
        return sum("to forward_socket came back: the socket is mailpushd's own" in line
                   for line in site.mailpushd.lines())

    assert notify.ask(site.mailpushd.stream_socket, request) == b"OK ()\r\n"
    notify.send(site.mailpushd.notify_socket, datagram)
    wait_until(lambda: came_back() == 2, what="both to come back")
    phone = site.registered_phone()
    site.deliver(phone.user)
    site.told(phone, "INBOX")
    assert site.mailpushd.stop() == 0
    assert came_back() == 2
