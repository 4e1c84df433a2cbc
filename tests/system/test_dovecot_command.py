"""XAPPLEPUSHSERVICE as Dovecot's plugin takes and answers it."""

import pathlib
import re
import socket

import pytest

from doveaudience import TOPIC
from phone import SUBTOPIC, Phone
from waiting import TIMEOUT, wait_until

CAPABILITY = "XAPPLEPUSHSERVICE"
ID = "8EBBC9A5-3D66-4E3B-8B8D-0A5B5E5B4F0C"
TOKEN = "ab" * 32
TOPIC_LINE = f'* XAPPLEPUSHSERVICE "aps-version" "2" "aps-topic" "{TOPIC}"'


@pytest.fixture
def dovecot(dovecot_for):
    dovecot = dovecot_for()
    dovecot.create_user("alice", "Notes")
    return dovecot


class Wire:
    """An IMAP connection of bytes."""

    def __init__(self, dovecot, user="alice"):
        self.socket = socket.create_connection(("127.0.0.1", dovecot.imap_port), TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.line()
        assert self.ask(f"0 LOGIN {user} {dovecot.password}")[-1].startswith("0 OK")

    def line(self):
        line = self.file.readline().decode()
        assert line.endswith("\r\n"), "the connection ended"
        return line.removesuffix("\r\n")

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def answer(self, tag):
        """Lines up to the tagged one, without the seconds that Dovecot adds to it."""
        lines = [self.line()]
        while not lines[-1].startswith(tag + " "):
            lines.append(self.line())
        return [*lines[:-1], re.sub(r" \([\d.]+ \+ [^)]*\)\.$", ".", lines[-1])]

    def ask(self, command):
        self.send(command + "\r\n")
        return self.answer(command.split()[0])

    def register(self, arguments):
        return self.ask(f"a {CAPABILITY} {arguments}")


@pytest.fixture
def wire(dovecot):
    wire = Wire(dovecot)
    yield wire
    wire.file.close()
    wire.socket.close()


KEYS = f"aps-account-id {ID} aps-device-token {TOKEN} aps-subtopic {SUBTOPIC}"
COMPLETED = "a OK XAPPLEPUSHSERVICE completed."


# ---- the answer ----

def test_the_answer_is_that_of_cyrus(wire, audience):
    assert wire.register(f"aps-version 2 {KEYS} mailboxes (INBOX Notes)") == [
        '* XAPPLEPUSHSERVICE "mailbox" "INBOX"',
        '* XAPPLEPUSHSERVICE "mailbox" "Notes"',
        TOPIC_LINE,
        COMPLETED]
    [event] = audience.all("Register")
    mailboxes = event.pop("mailboxes")
    assert event == {"source": "dovecot", "event": "Register", "user": "alice", "version": 2,
                     "account_id": ID, "device_token": TOKEN, "subtopic": SUBTOPIC}
    assert [(m["name"], m["owner"], m["folder"]) for m in mailboxes] == \
        [("INBOX", "alice", ""), ("Notes", "alice", "Notes")]


def test_of_others_mailboxes_only_those_that_are_registered_are_confirmed(dovecot_for, audience):
    dovecot = dovecot_for(acl=False)
    wire = Wire(dovecot, "Alice")
    wire.ask("c CREATE Public/Info")
    names = ["Public/Info", "INBOX"]
    for answer, confirmed in ((TOPIC, names), (TOPIC + " own", ["INBOX"])):
        audience.answers["Register"] = f'OK "{answer}"\r\n'.encode()
        assert wire.register(f"{KEYS} mailboxes ({' '.join(names)})") == [
            *[f'* XAPPLEPUSHSERVICE "mailbox" "{name}"' for name in confirmed], TOPIC_LINE, COMPLETED]


def test_version_1_has_the_inbox_alone_and_confirms_no_list(wire, audience):
    assert wire.register(f"aps-version 1 {KEYS} mailboxes (INBOX Notes)") == [
        TOPIC_LINE.replace('"2"', '"1"'), COMPLETED]
    [event] = audience.all("Register")
    assert event["version"] == 1 and [m["folder"] for m in event["mailboxes"]] == [""]


@pytest.mark.parametrize("version", ["", "aps-version 0", "aps-version 3", "aps-version 999999999"])
def test_any_other_version_counts_as_2(wire, version):
    assert wire.register(f"{version} {KEYS} mailboxes (INBOX)".lstrip()) == \
        ['* XAPPLEPUSHSERVICE "mailbox" "INBOX"', TOPIC_LINE, COMPLETED]


@pytest.mark.parametrize("mailboxes", ["", " mailboxes ()", " mailboxes (nowhere &&& \"\" Notes/sub)"])
def test_what_does_not_exist_is_left_out(wire, audience, mailboxes):
    assert wire.register(KEYS + mailboxes) == [TOPIC_LINE, COMPLETED]
    assert audience.all("Register")[0]["mailboxes"] == []


def test_names_are_confirmed_as_they_were_typed(wire, audience):
    wire.ask('c CREATE "B&APw-cher/\\"x\\" y"')
    assert wire.register(KEYS + ' mailboxes (inbox INBOX "B&APw-cher/\\"x\\" y" Notes Notes)')[:-2] == [
        '* XAPPLEPUSHSERVICE "mailbox" "inbox"',
        '* XAPPLEPUSHSERVICE "mailbox" "INBOX"',
        '* XAPPLEPUSHSERVICE "mailbox" "B&APw-cher/\\"x\\" y"',
        '* XAPPLEPUSHSERVICE "mailbox" "Notes"']
    names = [(m["name"], m["folder"]) for m in audience.all("Register")[0]["mailboxes"]]
    assert names[2] == ('B&APw-cher/"x" y', 'Bücher/"x" y')


# ---- arguments ----

def test_keys_come_in_any_order_and_case_and_unknown_ones_are_ignored(wire):
    assert wire.register(
        f'MAILBOXES ("Notes") sender "me" APS-SubTopic {SUBTOPIC} x (a (b) NIL) y NIL '
        f'"aps-DEVICE-token" "{TOKEN}" Aps-Account-Id {ID} aps-version "2"') == \
        ['* XAPPLEPUSHSERVICE "mailbox" "Notes"', TOPIC_LINE, COMPLETED]


def test_literals(wire):
    wire.send(f"a {CAPABILITY} aps-version {{1}}\r\n")
    assert wire.line().startswith("+ ")
    wire.send(f"2 {{14+}}\r\naps-account-id {ID} aps-device-token {{{len(TOKEN)}+}}\r\n{TOKEN} "
              f"aps-subtopic {SUBTOPIC} mailboxes ({{5+}}\r\nNotes INBOX)\r\n")
    assert wire.answer("a")[-3:] == ['* XAPPLEPUSHSERVICE "mailbox" "INBOX"', TOPIC_LINE, COMPLETED]


def test_a_command_that_comes_byte_by_byte(wire):
    for byte in f"a {CAPABILITY} {KEYS} mailboxes ({{5+}}\r\nNotes)\r\n".encode():
        wire.send(bytes([byte]))
    assert wire.answer("a") == ['* XAPPLEPUSHSERVICE "mailbox" "Notes"', TOPIC_LINE, COMPLETED]


@pytest.mark.parametrize("arguments, answer", [
    ("", "NO aps-account-id is missing"),
    (f"aps-account-id {ID}", "NO aps-device-token is missing"),
    (f"aps-account-id {ID} aps-device-token {TOKEN}", "NO aps-subtopic is missing"),
    (KEYS.replace(ID, "x_y"), "NO aps-account-id is not"),
    (KEYS.replace(ID, "x" * 65), "NO aps-account-id is not"),
    (KEYS.replace(ID, '""'), "NO aps-account-id is not"),
    (KEYS.replace(TOKEN, "ab" * 31), "NO aps-device-token is not"),
    (KEYS.replace(TOKEN, "ab" * 101), "NO aps-device-token is not"),
    (KEYS.replace(TOKEN, "xy" * 32), "NO aps-device-token is not"),
    (KEYS.replace(TOKEN, "ab" * 5000), "NO aps-device-token is not"),
    (KEYS.replace(SUBTOPIC, '"a b"'), "NO aps-subtopic is not"),
    (f"{KEYS} aps-version two", "BAD Error in IMAP command XAPPLEPUSHSERVICE: aps-version is not a number"),
    (f"{KEYS} aps-version (2)", "BAD Error in IMAP command XAPPLEPUSHSERVICE: The value of aps-version"),
    (f"{KEYS} mailboxes INBOX", "BAD Error in IMAP command XAPPLEPUSHSERVICE: The value of mailboxes"),
    (f"{KEYS} mailboxes (INBOX (Notes))", "BAD Error in IMAP command XAPPLEPUSHSERVICE: The name of a"),
    (f"{KEYS} (aps-version) 2", "BAD Error in IMAP command XAPPLEPUSHSERVICE: A key is not"),
    (f"{KEYS} mailboxes", "BAD Error in IMAP command XAPPLEPUSHSERVICE: The last key has no value"),
    (f"{KEYS} mailboxes (INBOX", "BAD Error in IMAP command XAPPLEPUSHSERVICE:"),
])
def test_a_bad_value_is_refused_with_a_text(wire, audience, arguments, answer):
    assert wire.register(arguments)[-1].startswith(f"a {answer}")
    assert wire.ask("b NOOP")[-1].startswith("b OK")
    assert audience.all("Register") == []


@pytest.mark.limit(600)
def test_the_inbox_and_the_first_of_too_many_mailboxes_are_taken(wire, audience, dovecot):
    for number in range(1001):
        for part in ("cur", "new", "tmp"):
            dovecot.make_folder(dovecot.dir / "mail" / "alice" / f".f{number}" / part)
    wire.socket.settimeout(None)        # all are opened before anything is answered; the test has a limit
    names = " ".join(f"f{number}" for number in range(1001))
    lines = wire.register(f"{KEYS} mailboxes ({names} INBOX f0)")
    taken = [f"f{number}" for number in range(999)] + ["INBOX"]
    assert lines == [*[f'* XAPPLEPUSHSERVICE "mailbox" "{name}"' for name in taken],
                     TOPIC_LINE, COMPLETED]
    assert [m["name"] for m in audience.all("Register")[0]["mailboxes"]] == taken
    opened = [f"f{number}" for number in range(1001)
              if (dovecot.dir / "mail" / "alice" / f".f{number}" / "dovecot-uidlist").exists()]
    assert opened == taken[:999]            # to open the others would be for nothing


# ---- when mailpushd does not have it ----

@pytest.mark.parametrize("answer", [b'NO "the disk is full"\r\n', b"OK ()\r\n", b'OK ""\r\n',
                                    b'OK " own"\r\n', b"", None])
def test_a_registration_that_is_not_acknowledged_is_refused(wire, audience, answer):
    audience.answers["Register"] = answer
    assert wire.register(f"{KEYS} mailboxes (INBOX)") == ["a NO [UNAVAILABLE] Push is not available now."]
    audience.answers.clear()
    assert wire.register(f"{KEYS} mailboxes (INBOX)")[-1] == COMPLETED
    assert not [event for _, event in audience.kept() if event["event"] == "Register"]


def test_imap_goes_on_while_a_phone_registers(wire, audience):
    audience.answers["Register"] = None
    wire.send(f"a {CAPABILITY} {KEYS} mailboxes (INBOX)\r\n")
    wait_until(lambda: audience.unanswered, what="the registration")
    for command in ("STATUS INBOX (MESSAGES)", 'LIST "" "*"', "CREATE new", "RENAME new newer", "SUBSCRIBE newer",
                    "GETACL INBOX", "NOOP", "CAPABILITY"):
        lines = wire.ask(f"b {command}")
        assert lines[-1].startswith("b OK"), lines
    audience.answer_late(f'OK "{TOPIC}"\r\n'.encode())
    assert wire.answer("a") == ['* XAPPLEPUSHSERVICE "mailbox" "INBOX"', TOPIC_LINE, COMPLETED]


WAITING = ["SELECT INBOX", "EXAMINE INBOX", "CLOSE", "UNSELECT", "DELETE Notes", "APPEND INBOX {6+}\r\nx: y\r\n",
           "IDLE\r\nDONE", "LOGOUT"]


@pytest.mark.parametrize("command", WAITING)
def test_some_commands_wait_for_the_answer(wire, audience, command):
    """LOGOUT, as Dovecot would drop the answer, and those that Dovecot treats alike."""
    assert wire.ask("0 SELECT Notes")[-1].startswith("0 OK")
    audience.answers["Register"] = None
    wire.send(f"a {CAPABILITY} {KEYS} mailboxes (INBOX)\r\nb {command}\r\n")
    wait_until(lambda: audience.unanswered, what="the registration")
    audience.answer_late(f'OK "{TOPIC}"\r\n'.encode())
    assert wire.answer("a") == ['* XAPPLEPUSHSERVICE "mailbox" "INBOX"', TOPIC_LINE, COMPLETED]
    assert wire.answer("b")[-1].startswith("b OK")


def test_registrations_and_a_logout_at_once_are_all_answered(wire, dovecot):
    """More commands than Dovecot takes at once."""
    tags = [f"a{number}" for number in range(9)]
    wire.send("".join(f"{tag} {CAPABILITY} {KEYS} mailboxes (INBOX)\r\n" for tag in tags) + "b LOGOUT\r\n")
    answers = re.findall(r"^(\w+) OK", wire.file.read().decode(), re.MULTILINE)
    assert sorted(answers[:-1]) == tags and answers[-1] == "b"
    wait_until(lambda: not dovecot.processes("imap"), what="the end of imap")


def test_a_command_in_the_selected_mailbox_does_not_wait(wire, audience, dovecot):
    dovecot.deliver("alice")
    assert wire.ask("0 SELECT INBOX")[-1].startswith("0 OK")
    audience.answers["Register"] = None
    wire.send(f"a {CAPABILITY} {KEYS} mailboxes (INBOX)\r\n")
    wait_until(lambda: audience.unanswered, what="the registration")
    for command in ("FETCH 1 FLAGS", "STORE 1 +FLAGS (\\Deleted)", "UID SEARCH ALL", "EXPUNGE"):
        lines = wire.ask(f"b {command}")
        assert lines[-1].startswith("b OK"), lines
        assert not any(line.startswith("* BAD") for line in lines), lines
    audience.answer_late(f'OK "{TOPIC}"\r\n'.encode())
    assert wire.answer("a")[-1] == COMPLETED


def test_who_logs_out_waits_no_longer_than_a_registration_may(wire, dovecot, audience):
    audience.answers["Register"] = None
    wire.send(f"a {CAPABILITY} {KEYS} mailboxes (INBOX)\r\nb LOGOUT\r\n")
    assert wire.answer("a") == ["a NO [UNAVAILABLE] Push is not available now."]
    assert wire.answer("b")[-1].startswith("b OK")
    wait_until(lambda: not dovecot.processes("imap"), what="the end of imap")


def test_a_phone_may_go_before_it_is_answered(wire, dovecot, audience):
    audience.answers["Register"] = None
    wire.send(f"a {CAPABILITY} {KEYS} mailboxes (INBOX)\r\n")
    wait_until(lambda: audience.unanswered, what="the registration")
    wire.socket.shutdown(socket.SHUT_WR)
    wire.file.read()
    wait_until(lambda: not dovecot.processes("imap"), what="the end of imap")


def test_without_a_daemon_a_registration_is_refused(wire, audience):
    audience.leave()
    assert wire.register(f"{KEYS} mailboxes (INBOX)") == ["a NO [UNAVAILABLE] Push is not available now."]


# ---- a client that does not read ----

LINES = 10_000
LARGE = "\r\n".join(["x" * 900] * LINES)        # more than sockets hold


def sleeps(pid):
    try:
        return ") S " in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True             # it has ended


def wait_blocked(wire, dovecot):
    """Wait until imap can send no more of a literal."""
    wait_until(lambda: b"FETCH (" in wire.socket.recv(65536, socket.MSG_PEEK), what="the literal")
    wait_until(lambda: all(map(sleeps, dovecot.processes("imap"))), what="full sockets")


def read_large(wire):
    """All lines up to the end, of which the large message is not torn."""
    before, literal, after = re.split(r"\{(\d+)\}\r\n", wire.file.read().decode(), maxsplit=1)
    assert after[:int(literal)].rstrip() == LARGE
    return [*before.splitlines(), *after[int(literal):].splitlines()]


@pytest.fixture
def blocked(wire, audience, dovecot):
    """A connection whose registration `a` is answered while the message that `b` fetches cannot be sent on."""
    dovecot.deliver("alice", body=LARGE)
    assert wire.ask("0 SELECT INBOX")[-1].startswith("0 OK")
    audience.answers["Register"] = None
    wire.send(f"a {CAPABILITY} {KEYS} mailboxes (INBOX)\r\nb FETCH 1 BODY.PEEK[TEXT]\r\n")
    wait_until(lambda: audience.unanswered, what="the registration")
    wait_blocked(wire, dovecot)
    audience.answer_late(f'OK "{TOPIC}"\r\n'.encode())
    return wire


def test_the_answer_waits_for_a_literal_that_blocks(blocked, dovecot):
    """Else it would be written into the literal, and end imap."""
    blocked.send("c LOGOUT\r\n")
    lines = read_large(blocked)
    tagged = [line[:4] for line in lines if re.match("[a-c] ", line)]
    assert TOPIC_LINE in lines and sorted(tagged) == ["a OK", "b OK", "c OK"] and tagged[-1] == "c OK"
    wait_until(lambda: not dovecot.processes("imap"), what="the end of imap")


def test_a_phone_may_go_while_its_answer_waits(blocked, dovecot):
    blocked.socket.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: not dovecot.processes("imap"), what="the end of imap")


def test_a_literal_may_block_right_behind_the_answer(wire, audience, dovecot):
    dovecot.deliver("alice", body=LARGE)
    audience.answers["Register"] = None
    wire.send(f"a {CAPABILITY} {KEYS} mailboxes (INBOX)\r\nb SELECT INBOX\r\n"
              "c FETCH 1:* BODY.PEEK[TEXT]\r\nd NOOP\r\ne LOGOUT\r\n")
    wait_until(lambda: audience.unanswered, what="the registration")
    audience.answer_late(f'OK "{TOPIC}"\r\n'.encode())
    wait_blocked(wire, dovecot)
    lines = read_large(wire)
    assert TOPIC_LINE in lines
    assert [line[:4] for line in lines if re.match("[a-e] ", line)] == ["a OK", "b OK", "c OK", "d OK", "e OK"]
    wait_until(lambda: not dovecot.processes("imap"), what="the end of imap")


# ---- the capability ----

def offers(dovecot, tls=False, user="alice"):
    if tls:
        with Phone(dovecot) as phone:
            return CAPABILITY in phone.capabilities()
    with dovecot.imap(user) as imap:
        return CAPABILITY in imap.capabilities()


def wait_offered(dovecot, **how):
    """The audience may be late for a while."""
    wait_until(lambda: offers(dovecot, **how), what="the capability")


def test_it_is_offered_when_there_is_a_topic(dovecot, audience):
    wait_offered(dovecot)
    for answer in (b'NO "no topic"\r\n', b'OK ""\r\n'):
        audience.answers["Topic"] = answer
        assert not offers(dovecot)
    audience.answers.clear()
    wait_offered(dovecot)
    audience.leave()
    assert not offers(dovecot)
    audience.listen()
    wait_offered(dovecot)


def test_what_holds_for_one_domain_does_not_for_another_in_the_same_process(dovecot_for, audience):
    dovecot = dovecot_for(has_one_imap=True)
    wait_offered(dovecot, user="jane@one.example")
    served = dovecot.processes("imap")
    audience.answers["Topic"] = b'NO "no topic"\r\n'
    assert not offers(dovecot, user="jane@two.example") and not offers(dovecot, user="jane")
    audience.answers.clear()
    wait_offered(dovecot, user="jane@two.example")
    wait_offered(dovecot, user="jane")
    assert len(served) == 1 and dovecot.processes("imap") == served


def test_tls_can_be_required(dovecot_for):
    dovecot = dovecot_for(require_tls=True)
    wait_offered(dovecot, tls=True)
    assert not offers(dovecot)
    wire = Wire(dovecot)
    assert wire.register(f"{KEYS} mailboxes (INBOX)") == ["a NO [PRIVACYREQUIRED] Push needs TLS."]


@pytest.mark.parametrize("setting, offered", [("IMAP4rev1 IDLE", False), ("+IDLE", True),
                                              (f"IMAP4rev1 {CAPABILITY}", True)])
def test_capabilities_set_by_hand_are_respected(dovecot_for, setting, offered):
    dovecot = dovecot_for(capability=setting)
    if offered:
        wait_offered(dovecot)
    assert offered or not offers(dovecot)


def test_where_the_plugin_is_not_loaded_there_is_no_such_command(dovecot_for):
    dovecot = dovecot_for(plugin=False)
    assert not offers(dovecot)
    assert "Unknown command" in Wire(dovecot).register(f"{KEYS} mailboxes (INBOX)")[-1]
