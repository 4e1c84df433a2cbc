"""Just enough JMAP (RFC 8620, 8621) to make, rename and destroy folders."""

import base64
import json
import urllib.request

from waiting import TIMEOUT

# What imapd.conf says for it.
OPTIONS = {"httpmodules": "jmap", "conversations": "yes", "httpallowcompress": "no"}
USING = ("urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail")


class Jmap:
    """A user's account, by the name of the user."""

    def __init__(self, cyrus, user):
        self.user = user
        self._url = f"http://127.0.0.1:{cyrus.http_port}/jmap/"
        login = base64.b64encode(f"{user}:{cyrus.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}

    def folders(self):
        """The ids of the folders, by their names."""
        found = self._call("Mailbox/get", ids=None)["list"]
        return {folder["name"]: folder["id"] for folder in found}

    def create(self, name, parent=None):
        """Returns the id of the new folder."""
        answer = self._call("Mailbox/set", create={"new": {"name": name, "parentId": parent}})
        return answer["created"]["new"]["id"]

    def update(self, folder, **changes):
        """Rename it (name) or move it below another (parentId)."""
        answer = self._call("Mailbox/set", update={folder: changes})
        assert list(answer["updated"]) == [folder], answer

    def destroy(self, folder):
        answer = self._call("Mailbox/set", destroy=[folder], onDestroyRemoveEmails=True)
        assert answer["destroyed"] == [folder], answer

    def _call(self, method, **arguments):
        calls = [[method, {"accountId": self.user, **arguments}, "0"]]
        request = urllib.request.Request(
            self._url, json.dumps({"using": USING, "methodCalls": calls}).encode(), self._headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            [[said, result, _]] = json.load(answer)["methodResponses"]
        assert said == method, result
        return result
