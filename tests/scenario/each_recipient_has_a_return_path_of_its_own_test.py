"""VERP, token header and Feedback-ID: by policy, another token for each recipient, held while the secrets are missing."""
import hmac
import pathlib
import struct

from scenario import MAIL, POLICY, Scenario, Trial, mail, submission, unittest, wait_for
from signed_mail import header_fields

TENANT = "tenants:\n  - {name: shop, streams: [transactional, marketing], sender_domains: [shop.example], " \
         "verp_domain: bounces.shop.example, token_header: X-Mail-Reference, feedback_sender: shopmail}\n"
SECRET = b"0123456789abcdef0123456789abcdef"
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def entry_of(token):
    """The queue entry a token names: read here as the header of common/smtp/token.h describes it."""
    number = 0
    for c in token:
        number = number << 5 | ALPHABET.index(c)
    tag, cipher = number.to_bytes(20, "big")[:10], number.to_bytes(20, "big")[10:]
    keyed = lambda name: hmac.digest(SECRET, name, "sha256")
    plain = bytes(a ^ b for a, b in zip(cipher, hmac.digest(keyed(b"token cipher 1"), tag, "sha256")))
    assert hmac.digest(keyed(b"token mac 1"), plain, "sha256")[:10] == tag
    entry, offset = struct.unpack(">QH", plain)
    return entry, entry - offset


class Verp(Scenario):
    @classmethod
    def setUpClass(cls):
        super(Scenario, cls).setUpClass()
        cls.trial = Trial().__enter__()
        cls.addClassCleanup(cls.finish)
        cls.content = cls.trial.dir / "content"
        cls.secrets = cls.trial.dir / "token.secrets"
        policy = TENANT + POLICY[POLICY.index("streams:\n"):]
        cls.trial.start(policy, sink={"recording": "full", "more": ["--content-dir", cls.content]},
                        egress={"token.file": str(cls.secrets)})
        cls.client = cls.trial.client("shop")

    def test_1_without_secrets_the_mail_waits_and_leaves_when_they_come(self):
        self.client.submit(submission(MAIL, "u@v0.d.test", return_path=""))
        sql = self.trial.local.sql
        wait_for(lambda: sql("select count(*) from event where kind = 'held'")[0][0] == "1", "a held event", 60)
        self.assertIn("token.file", sql("select detail from event where kind = 'held'")[0][0])
        self.secrets.write_bytes(SECRET + b"\n")
        self.trial.wait_records(1)
        self.trial.wait_empty()

    def test_2_return_path_and_header_name_the_recipients_entry(self):
        since = len(self.trial.sink.records())
        to = ["r%d@v%d.d.test" % (i, i % 2) for i in range(20)]
        result = self.client.submit(submission(MAIL, to, return_path="", campaign="spring sale"))
        records = self.trial.wait_recipients(20, since=since)
        self.trial.wait_empty()
        self.assertTrue(all(len(r["to"]) == 1 for r in records))
        seen = {}
        for record in records:
            local, domain = record["from"].split("@")
            self.assertEqual(domain, "bounces.shop.example")
            self.assertTrue(local.startswith("b-"))
            message = (pathlib.Path(self.content) / record["file"]).read_bytes()
            self.assertEqual(header_fields(message, "X-Mail-Reference"), [local[2:].encode()])
            self.assertEqual(header_fields(message, "Feedback-ID"), [b"spring_sale:shop:transactional:shopmail"])
            self.assertNotIn(b"\x01", message)
            seen[record["to"][0]] = entry_of(local[2:])
        self.assertEqual(len(set(seen.values())), 20)
        first = min(entry for entry, _ in seen.values())
        for index, address in enumerate(to):
            self.assertEqual(seen[address], (first + index, first))
        self.assertTrue(result.message_id)

    def test_3_a_return_path_that_is_given_stays(self):
        since = len(self.trial.sink.records())
        self.client.submit(submission(mail("given"), "u@v1.d.test", return_path="own@shop.example"))
        self.client.submit(submission(mail("null"), "u@v1.d.test", return_path="<>"))
        self.assertEqual(sorted(r["from"] for r in self.trial.wait_records(since + 2)[since:]), ["", "own@shop.example"])


if __name__ == "__main__":
    unittest.main()
