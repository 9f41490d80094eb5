"""An HTTPS server of MTA-STS policies for trials, in this process: host name → answer, to be changed at any time."""
from https_server import HttpsServer

POLICY = "version: STSv1\nmode: %s\n%smax_age: %d\n"


def policy(mode, *mx, max_age=86400):
    return POLICY % (mode, "".join("mx: %s\n" % m for m in mx), max_age)


class StsServer(HttpsServer):
    """`answers`: "mta-sts.example.test" → the policy's text, or (status, content type, body)."""

    def __init__(self, certificate, key, answers):
        self.answers, self.asked = answers, []
        super().__init__(certificate, key)

    def answer(self, path, body, headers):
        host = headers.get("Host", "").rsplit(":", 1)[0]
        self.asked.append((host, path))
        found = self.answers.get(host) if path == "/.well-known/mta-sts.txt" else None
        if isinstance(found, str):
            return 200, "text/plain", found
        return found or (404, "text/plain", "no such policy\n")
