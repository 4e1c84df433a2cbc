"""What must stand at a point of a record: all that was acknowledged and not told yet.

Marks say what the senders are about to do, and what mailpush-notify has kept; answers are in the
record, and the lines that Apple's stand-in writes before it answers.

    demands.follow(act)                     # True: something else must stand now
    demands.missing(standing)               # what does not, as text

A registration that is being renewed may stand with either list.  What is about to be taken away
need not stand any more: a folder that is deleted, a phone that Apple is to call gone.
"""

import collections
import dataclasses
import json
import re

import record
from mailsite import hashes_of

ACKNOWLEDGED = b"OK ()\r\n"


@dataclasses.dataclass
class Registration:
    event: int
    user: str
    hashes: set


@dataclasses.dataclass
class Standing:
    """What a daemon finds that starts on some files."""
    trouble: list = dataclasses.field(default_factory=list)
    subscriptions: dict = dataclasses.field(default_factory=dict)   # token, hashes
    news: set = dataclasses.field(default_factory=set)              # (token, hash)
    events: set = dataclasses.field(default_factory=set)            # kept to be taken in again


class Demands:
    def __init__(self):
        self.registrations = {}             # token, Registration
        self.news = collections.defaultdict(set)    # (token, hash), events
        self._marks = {}                    # event, what was said of it before it was sent
        self._sent = {}                     # those that are not acknowledged
        self._told = collections.defaultdict(set)   # event, tokens told of it already
        self._line = b""                    # of Apple's, begun

    def follow(self, act):
        if act.kind == record.MARK:
            return self._on_mark(json.loads(act.bytes))
        if act.kind == record.ANSWER and act.bytes == ACKNOWLEDGED:
            return self._on_acknowledged(int(act.name.rpartition("-")[2]))
        return False

    def follow_apple(self, written):
        *lines, self._line = (self._line + written).split(b"\n")
        return any([self._on_push(json.loads(line)) for line in lines])

    def missing(self, standing):
        found = [f"trouble: {text}" for text in standing.trouble]
        # News of one mailbox is merged, and the newest event stands for all.
        kept = {(self._marks[event]["user"], self._marks[event].get("hash"))
                for event in standing.events}
        for token, registration in self.registrations.items():
            there = standing.subscriptions.get(token)
            if registration.event in standing.events:
                continue
            if there is None:
                found.append(f"the registration of event {registration.event}, {token[:8]}")
            elif not registration.hashes <= there:
                found.append(f"mailboxes of the registration of event {registration.event}")
        for (token, name), events in self.news.items():
            if (token, name) not in standing.news and \
                    (self.registrations[token].user, name) not in kept:
                found.append(f"the news of events {sorted(events)} for {token[:8]}")
        return found

    # ---- inside ----

    def _on_mark(self, mark):
        if "gone" in mark:
            self.registrations.pop(mark["gone"], None)
            self._drop(lambda token, _: token == mark["gone"])
        elif "kept" in mark:
            self._on_acknowledged(mark["kept"])
        elif "sent" in mark:
            self._on_sent(mark)
        return True

    def _on_sent(self, mark):
        self._marks[mark["sent"]] = self._sent[mark["sent"]] = mark
        if mark["kind"] == "register" and mark["token"] in self.registrations:
            token, hashes = mark["token"], set(mark["hashes"])
            self.registrations[token].hashes &= hashes
            self._drop(lambda of, name: of == token and name not in hashes)
        elif mark["kind"] == "delete":
            of_user = self._tokens_of(mark["user"])
            for token in of_user:
                self.registrations[token].hashes.discard(mark["hash"])
            self._drop(lambda token, name: token in of_user and name == mark["hash"])

    def _on_acknowledged(self, event):
        mark = self._sent.pop(event)
        if mark["kind"] == "register":
            self.registrations[mark["token"]] = Registration(
                event, mark["user"], set(mark["hashes"]))
        elif mark["kind"] == "news":
            for token in self._tokens_of(mark["user"]):
                if mark["hash"] in self.registrations[token].hashes and \
                        token not in self._told[event]:
                    self.news[token, mark["hash"]].add(event)
        self._told.pop(event, None)
        return True

    def _on_push(self, push):
        if push["status"] != 200:
            return False
        for name in hashes_of([push]):
            self.news.pop((push["token"], name), None)
            for event, mark in self._sent.items():
                if mark["kind"] == "news" and mark["hash"] == name:
                    self._told[event].add(push["token"])
        return True

    def _tokens_of(self, user):
        return {token for token, registration in self.registrations.items()
                if registration.user == user}

    def _drop(self, is_dropped):
        for key in [key for key in self.news if is_dropped(*key)]:
            del self.news[key]


def events_in(raw):
    """The numbers of the events in these bytes: each has one as its pid."""
    return {int(number) for number in re.findall(rb'"pid":(\d+)', raw)}
