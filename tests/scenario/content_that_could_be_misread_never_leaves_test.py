"""Scenarios 34 to 37 and 39: dots are stuffed, bare line ends and the smuggling built on them are refused at submit, so are lines
over 998 bytes; a null sender stays null; a limit on size counts the bytes that were submitted, not those that were stored."""
import xxhash

from peers import Peers
from scenario import grpc, mail, submission, unittest, violations

SCRIPT = """
rules:
  - {match: {listener: 127.0.0.3}, without: [CHUNKING]}
"""
DOTS = b".\r\n..\r\n...\r\n.leading\r\nin . the . middle\r\n.\r\n"


class Content(Peers):
    script = SCRIPT
    hosts = ("127.0.0.2", "127.0.0.3")
    records = ("bdat.test. MX 10 sink.test.", "data.test. MX 10 h3.test.", "h3.test. A 127.0.0.3")

    def test_lines_of_dots_arrive_as_they_are(self):
        token = "0123456789abcdef0123456789abcdef"
        content = b"X-Rig-Token: " + token.encode() + b"\r\n" + mail(body=DOTS)
        for domain in ("bdat.test", "data.test"):
            self.send("u@" + domain, content=content)
            (record,) = self.wait_transactions("u@" + domain)
            self.assertEqual(record["suffix_xxh3"], xxhash.xxh3_128_hexdigest(content))

    def test_bare_line_ends_and_smuggling_are_refused_and_nothing_leaves(self):
        before = self.trial.sink.stats()["total"]["mail"]
        attacks = [b"a\rb\r\n", b"a\nb\r\n", b"x\n.\r\nMAIL FROM:<evil@example.com>\r\n", b"x\r.\r\nRCPT TO:<a@example.com>\r\n",
                   b"x\r\n.\nDATA\r\n", b"x\n.\n\r\n", b"x\r\n.\rQUIT\r\n"]
        for body in attacks:
            with self.subTest(body):
                error = self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.send, "u@bdat.test", content=mail(body=body))
                self.assertTrue(any("content" in field for field in violations(error)), error.details())
        total = self.trial.sink.stats()["total"]
        self.assertEqual((total["mail"] - before, total["bare_lf"]), (0, 0))

    def test_a_line_of_998_bytes_passes_and_a_longer_one_is_refused_by_name(self):
        self.send("long@data.test", content=mail(body=b"x" * 998 + b"\r\n"))
        self.assertEqual(self.wait_events("long@data.test")[0]["kind"], "delivered")
        error = self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.send, "long@data.test", content=mail(body=b"x" * 999 + b"\r\n"))
        self.assertIn("998", " ".join(violations(error).values()))

    def test_the_null_sender_stays_null(self):
        self.client.submit(submission(mail(), "null@bdat.test", return_path="<>"))
        (record,) = self.wait_transactions("null@bdat.test")
        self.assertEqual(record["from"], "")

    def test_a_size_limit_counts_the_bytes_submitted(self):
        # A thousand to one by compression; the limit is 50 MiB.
        content = mail(body=b"0123456789" * 7 + b"\r\n") + (b"0123456789" * 7 + b"\r\n") * 750_000
        error = self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.send, "u@bdat.test", content=content)
        self.assertIn("content", error.details() + " ".join(violations(error)))


if __name__ == "__main__":
    unittest.main()
