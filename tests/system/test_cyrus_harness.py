"""The harness itself: the private Cyrus says what the tests rely on, and leaves nothing behind."""

import contextlib
import imaplib
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.parse

import pytest

import lmtp
from cyrus import version
from imap import Imap, decode_name, encode_name
from jmap import OPTIONS, Jmap
from mailsite import new_user
from phone import Phone, hash_of
from waiting import TIMEOUT, Lines, wait_until

FOLDER = "Entwürfe"
NAMESPACES = list(itertools.product((True, False), (True, False), ("off", "userid")))


class Listener:
    """Stands in for mailpushd: takes every event in and remembers it as one JSON line."""

    def __init__(self, cyrus):
        self.events = Lines()
        self.peer_uids = set()
        self._dlist = cyrus.transport == "dlist"
        kind = socket.SOCK_STREAM if self._dlist else socket.SOCK_DGRAM
        self._socket = socket.socket(socket.AF_UNIX, kind)
        self._socket.bind(str(cyrus.notify))
        cyrus.notify.chmod(0o777)
        self._path = cyrus.notify
        if self._dlist:
            self._socket.listen(64)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        self._path.unlink()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(TIMEOUT)
        self._socket.close()

    def wait(self, event, since=0):
        """The first event of this name from number `since` on, parsed."""
        return json.loads(self.events.wait(rf'^{{"event":"{event}".*', since=since).string)

    def _serve(self):
        with contextlib.suppress(OSError):
            while self._serve_one():
                pass

    def _serve_one(self):
        if self._dlist:
            connection, _ = self._socket.accept()
            with connection:
                return self._answer(connection)
        datagram = self._socket.recv(65536)
        if datagram:
            self.events.add(datagram.split(b"\0")[6].decode())
        return datagram

    def _answer(self, connection):
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        self.peer_uids.add(int.from_bytes(credentials[4:8], sys.byteorder))
        with connection.makefile("rb") as request:
            head = request.readline()
            self.events.add(request.read(int(re.search(rb"{(\d+)\+}", head)[1])).decode())
            request.readline()
        connection.sendall(b"OK ()\r\n")
        return True


@pytest.fixture
def listening():
    """listening(cyrus): a Listener until the test ends."""
    with contextlib.ExitStack() as stack:
        def make(cyrus):
            listener = Listener(cyrus)
            stack.callback(listener.close)
            return listener
        yield make


def mailbox_of(event):
    """The decoded path of an event's uri."""
    path = re.fullmatch(r"imap://mail\.example\.com/([^;]+).*", event["uri"])[1]
    return urllib.parse.unquote(path).removesuffix("/")


@pytest.mark.parametrize("transport", ["dlist", "datagram"])
def test_a_registration_reaches_the_listener(cyrus_for, listening, transport):
    cyrus = cyrus_for(transport=transport)
    listener = listening(cyrus)
    cyrus.create_user("alice", "Notes")
    with Phone(cyrus, "alice") as phone:
        answer = phone.register("INBOX", "Notes", "Absent")
    assert (answer.mailboxes, answer.version) == (["INBOX", "Notes"], 2)
    event = listener.wait("ApplePushService")
    assert event["user"] == "alice"
    assert event["apsDeviceToken"] == phone.token
    assert event["apsAccountId"] == phone.account_id
    assert event["mailboxes"] == ["INBOX", "Notes"]


@pytest.mark.parametrize("key", ["sender", "unheard-of", "APS-VERSION"])
def test_a_registration_with_a_key_that_cyrus_does_not_know_is_bad(cyrus_for, listening, key):
    cyrus = cyrus_for()
    listener = listening(cyrus)
    user = make_user(cyrus, new_user())
    with Phone(cyrus, user) as phone, Phone(cyrus, user) as later:
        with pytest.raises(imaplib.IMAP4.error, match=" BAD "):
            phone.xapplepushservice(2, phone.account_id, phone.token, mailboxes=["INBOX"],
                                    more={key: "2"})
        later.register("INBOX")
    assert listener.wait("ApplePushService")["apsDeviceToken"] == later.token


def test_folders_that_the_user_may_not_read_are_left_out_of_a_registration(cyrus_for, listening):
    """Silently, as those that do not exist."""
    cyrus = cyrus_for()
    listener = listening(cyrus)
    user, owner = make_user(cyrus, new_user()), new_user()
    rights = {"Seen": "l", "Posted": "lp", "Read": "r", "Both": "lr"}
    cyrus.create_user(owner, *rights)
    for folder, letters in rights.items():
        cyrus.admin.setacl(cyrus.admin_name(owner, folder), user, letters)
    with Phone(cyrus, user) as phone:
        answer = phone.register("INBOX", *(cyrus.other_name(owner, folder) for folder in rights))
    assert answer.mailboxes == \
        ["INBOX", cyrus.other_name(owner, "Read"), cyrus.other_name(owner, "Both")]
    assert listener.wait("ApplePushService")["mailboxes"] == answer.mailboxes


@pytest.mark.skipif(os.geteuid() != 0, reason="without root all run as one user")
def test_cyrus_runs_as_another_user(private_cyrus, listening):
    cyrus = private_cyrus()
    listener = listening(cyrus)
    cyrus.create_user()
    listener.wait("MailboxCreate")
    assert listener.peer_uids and 0 not in listener.peer_uids


def test_the_version_is_that_of_the_server_that_runs(cyrus_for):
    """script/releases tells by it which Cyrus all these tests were passed with."""
    greeting = cyrus_for().admin.connection.welcome.decode()
    assert greeting.endswith(f"-Debian-{version()} server ready")


@pytest.mark.parametrize("altnamespace,unixhierarchysep,virtdomains", NAMESPACES)
def test_every_namespace_names_owner_and_folder(cyrus_for, listening, altnamespace,
                                                unixhierarchysep, virtdomains):
    cyrus = cyrus_for(altnamespace=altnamespace, unixhierarchysep=unixhierarchysep,
                      virtdomains=virtdomains)
    listener = listening(cyrus)
    user = "carol@example.org" if virtdomains == "userid" else "jane.doe"
    cyrus.create_user(user, FOLDER)
    with Phone(cyrus, user) as phone:
        names = [cyrus.client_name(), cyrus.client_name(FOLDER)]
        assert phone.register(*names).mailboxes == names
        cyrus.deliver(user, FOLDER)
        delivered = listener.wait("MessageNew")
        phone.append(cyrus.client_name())
    assert mailbox_of(delivered) == cyrus.admin_name(user, FOLDER)
    assert mailbox_of(listener.wait("MessageAppend")) == cyrus.admin_name(user)


def test_another_device_works_on_the_mailboxes(cyrus_for, listening):
    cyrus = cyrus_for()
    listener = listening(cyrus)
    cyrus.create_user("bob", FOLDER)
    cyrus.deliver("bob")
    with Phone(cyrus, "bob") as device:
        assert device.select("INBOX") == 1
        device.fetch("1")
        device.copy("1", FOLDER)
        device.store("1", "-FLAGS", "\\Seen")
        device.move("1", FOLDER)
        device.select(FOLDER)
        assert device.search("UNSEEN") == ["2"]
        device.store("1", "+FLAGS", "\\Deleted")
        device.expunge()
        device.rename(FOLDER, "Archiv")
        assert "Archiv" in device.list()
        device.delete("Archiv")
    cyrus.delete_user("bob")
    for event in ("MessageRead", r"vnd\.cmu\.MessageCopy", "FlagsClear", r"vnd\.cmu\.MessageMove",
                  "MessageTrash", "MessageExpunge", "MailboxRename", "MailboxDelete"):
        listener.wait(event)


class Seen:
    """The ids of mailboxes, as events name them."""

    def __init__(self, cyrus, listener, user):
        self.device = Imap(cyrus.imap_port, user, cyrus.password)
        self._listener = listener
        self._user = user

    def at(self, folder):
        since = len(self._listener.events)
        self.device.append(folder)
        event = self._listener.wait("MessageAppend", since)
        assert mailbox_of(event) == f"user/{self._user}/{folder}"
        return event["mailboxID"]


def test_a_mailbox_keeps_its_id_and_no_other_gets_it(cyrus_for, listening):
    cyrus = cyrus_for(**OPTIONS)
    cyrus.create_user("ida", "Notes", "Work", ("Work", "Sub"))
    jmap, seen = Jmap(cyrus, "ida"), Seen(cyrus, listening(cyrus), "ida")
    with seen.device as device:
        notes, sub = seen.at("Notes"), seen.at("Work/Sub")
        device.rename("Notes", "Archive")
        assert seen.at("Archive") == notes
        jmap.update(notes, name="Older")
        assert seen.at("Older") == notes
        jmap.update(jmap.folders()["Work"], name="Job")
        assert seen.at("Job/Sub") == sub
        jmap.update(notes, parentId=jmap.folders()["Job"])
        assert seen.at("Job/Older") == notes
        device.delete("Job/Older")
        device.create("Job/Older")
        second = seen.at("Job/Older")
        jmap.destroy(second)
        jmap.create("Older", jmap.folders()["Job"])
        assert len({notes, sub, second, seen.at("Job/Older")}) == 4


def test_a_plus_address_reaches_a_folder(cyrus_for, listening):
    cyrus = cyrus_for()
    listener = listening(cyrus)
    cyrus.create_user("frank", "R&D", "Projects", ("Projects", "2026"))
    cyrus.deliver("frank", "Projects", "2026")
    assert mailbox_of(listener.wait("MessageNew")) == "user/frank/Projects/2026"
    with Phone(cyrus, "frank") as phone:
        cyrus.deliver("frank", "R&D")
        assert phone.select("R&D") == 1


def test_many_connections_deliver_at_once(cyrus_for, listening):
    cyrus = cyrus_for()
    listening(cyrus)
    cyrus.create_user("erin")
    rcpts = ["erin"] * 20 + ["nobody-has-this-name"]
    assert lmtp.deliver_many(cyrus.lmtp_port, rcpts) == ["erin"] * 20
    with Phone(cyrus, "erin") as phone:
        assert phone.select("INBOX") == 20


def test_what_cyrus_logs_is_kept(private_cyrus):
    cyrus = private_cyrus()
    cyrus.create_user()
    cyrus.syslog.wait(r"imap\[\d+\]: login: .* cyrus")
    cyrus.syslog.wait("NOTIFY.*No such file")


def test_nothing_is_left_after_stop(private_cyrus):
    cyrus = private_cyrus()
    folder = str(cyrus.dir)
    with Phone(cyrus, make_user(cyrus)) as phone:
        phone.select("INBOX")
        assert processes_of(folder)
        cyrus.stop()
    assert processes_of(folder) == []
    cyrus.remove()
    assert not os.path.exists(folder)


def test_mail_is_there_after_a_restart(private_cyrus):
    cyrus = private_cyrus()
    user = make_user(cyrus)
    cyrus.deliver(user)
    cyrus.stop()
    cyrus.start()
    with Phone(cyrus, user) as phone:
        assert phone.select("INBOX") == 1


def test_nothing_is_left_when_the_tests_are_killed(tmp):
    program = ("import sys; sys.path.insert(0, sys.argv[1])\n"
               "from cyrus import Cyrus\n"
               "print(Cyrus().start().dir, flush=True)\n"
               "sys.stdin.read()\n")
    child = subprocess.Popen([sys.executable, "-c", program, os.path.dirname(__file__)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with child:
        folder = child.stdout.readline().strip()
        assert processes_of(folder)
        child.send_signal(signal.SIGKILL)
    wait_until(lambda: not processes_of(folder), what="the end of Cyrus")
    subprocess.run(["rm", "-r", folder], check=True)


@pytest.mark.parametrize("name,encoded", [
    ("Entwürfe", "Entw&APw-rfe"), ("R&D", "R&-D"), ("日本語", "&ZeVnLIqe-"), ("a😀b", "a&2D3eAA-b")])
def test_names_are_encoded_as_modified_utf7(name, encoded):
    assert encode_name(name) == encoded
    assert decode_name(encoded) == name


def test_the_hash_is_of_the_decoded_name():
    assert hash_of("INBOX") == "7e33429f656f1e6e9d79b29c3f82c57e"
    assert hash_of("Entwürfe") == "6935862f74f620598b6b2549c202aafa"


def make_user(cyrus, user="alice"):
    cyrus.create_user(user)
    return user


def processes_of(folder):
    """Command lines of the processes that run out of an instance's folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().decode(errors="replace").replace("\0", " ")
            if f"{folder}/programs" in command:
                found.append(command)
    return found
