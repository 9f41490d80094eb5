"""A small submission server for trials, in this process: STARTTLS, AUTH PLAIN or LOGIN, one message after the other."""
import base64
import socket
import ssl
import threading


class SubmissionServer:
    """`users`: name → password. `messages`: (user, recipients, content, encrypted)."""

    def __init__(self, address, certificate, key, users, mechanisms="PLAIN LOGIN"):
        self.users, self.mechanisms, self.messages, self.refused = users, mechanisms, [], 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.run, args=(client,), daemon=True).start()

    def stop(self):
        self.listener.close()

    def run(self, client):
        try:
            Dialog(self, client).run()
        except (OSError, ValueError, IndexError):
            pass
        finally:
            client.close()


class Dialog:
    def __init__(self, server, client):
        self.server, self.client, self.user, self.encrypted = server, client, None, False
        self.lines = client.makefile("rb")

    def say(self, *lines):
        self.client.sendall(b"".join(line.encode() + b"\r\n" for line in lines))

    def line(self):
        line = self.lines.readline()
        if not line:
            raise OSError("closed")
        return line.decode().rstrip("\r\n")

    def run(self):
        self.say("220 relay.test ESMTP")
        recipients = []
        while True:
            line = self.line()
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                self.say("250-relay.test", *(["250-AUTH " + self.server.mechanisms] if self.encrypted else ["250-STARTTLS"]),
                         "250 8BITMIME")
            elif verb == "STARTTLS":
                self.say("220 go on")
                self.client = self.server.context.wrap_socket(self.client, server_side=True)
                self.lines, self.encrypted = self.client.makefile("rb"), True
            elif verb == "AUTH":
                self.authenticate(line)
            elif verb == "QUIT":
                self.say("221 bye")
                return
            elif self.user is None:
                self.say("530 5.7.0 Authentication required")
            elif verb == "MAIL":
                recipients = []
                self.say("250 ok")
            elif verb == "RCPT":
                recipients.append(line.split("<")[1].split(">")[0])
                self.say("250 ok")
            elif verb == "DATA":
                self.say("354 go on")
                content = []
                while (text := self.line()) != ".":
                    content.append(text)
                self.server.messages.append((self.user, recipients, content, self.encrypted))
                self.say("250 ok")
            else:
                self.say("502 what?")

    def authenticate(self, line):
        words = line.split(" ")
        if words[1] == "PLAIN":
            _, user, password = base64.b64decode(words[2]).decode().split("\0")
        else:
            self.say("334 VXNlcm5hbWU6")
            user = base64.b64decode(self.line()).decode()
            self.say("334 UGFzc3dvcmQ6")
            password = base64.b64decode(self.line()).decode()
        if self.server.users.get(user) == password:
            self.user = user
            self.say("235 2.7.0 welcome")
        else:
            self.server.refused += 1
            self.say("535 5.7.8 no such user or password")
