"""A mail server that takes messages, or does not.

    with MailServer() as server:
        server.port
        server.refuse = b"550 no"           # the answer to RCPT TO
        server.wait(1)                      # the messages so far, once there is one
"""

import email
import email.policy
import socketserver
import threading

from waiting import TIMEOUT, wait_until


class Talk(socketserver.StreamRequestHandler):
    def handle(self):
        server = self.server.owner
        server.talks += 1
        self.say(server.greeting)
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.say(b"354 go on")
                server.take(self.lines())
                self.say(b"250 taken")
            elif word == b"RCPT":
                self.say(server.refuse or b"250 fine")
            elif word == b"QUIT":
                self.say(b"221 bye")
                return
            else:
                server.commands.append(line)
                self.say(b"250 fine")

    def say(self, line):
        self.wfile.write(line + b"\r\n")

    def lines(self):
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            assert line.endswith(b"\r\n") and len(line) <= 1000
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class MailServer:
    def __init__(self, port=0):
        self.greeting = b"220 mail.example.com"
        self.refuse = None
        self.talks = 0
        self.commands = []
        self.messages = []
        self._listener = Listener(("127.0.0.1", port), Talk)
        self._listener.owner = self
        self.port = self._listener.server_address[1]

    def __enter__(self):
        threading.Thread(target=self._listener.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self._listener.shutdown()
        self._listener.server_close()

    def take(self, text):
        self.messages.append(email.message_from_bytes(text, policy=email.policy.SMTP))

    def wait(self, count, timeout=TIMEOUT):
        wait_until(lambda: len(self.messages) >= count, timeout, f"{count} messages")
        return self.messages
