"""Mail is sent through the real egress, each to a recipient of its own; the return path and the header that it left with are put into every
message of the corpus of bounces and complaints, which comes back by SMTP. Each finds its mail, with the class of the corpus's table."""
import pathlib
import smtplib

from scenario import MAIL, POLICY, Scenario, Trial, submission, unittest, wait_for
from signed_mail import header_fields
from trial import free_ports

DATA = pathlib.Path(__file__).resolve().parents[1] / "data/feedback"
TENANT = "tenants:\n  - {name: shop, streams: [transactional, marketing], sender_domains: [shop.example], " \
         "verp_domain: bounces.shop.example, token_header: X-Mail-Reference}\n"
NOBODYS = "0" * 32
EVENT = {"bounce": "bounced_later", "complaint": "complained", "unsubscribe": "unsubscribed"}
FEW_ON_ONE_CONNECTION = 50


class ComesBack(Scenario):
    @classmethod
    def setUpClass(cls):
        super(Scenario, cls).setUpClass()
        cls.trial = Trial().__enter__()
        cls.addClassCleanup(cls.finish)
        (cls.port,) = free_ports(1)
        secrets = cls.trial.dir / "token.secrets"
        secrets.write_bytes(b"0123456789abcdef0123456789abcdef\n")
        content = cls.trial.dir / "content"
        cls.trial.start(TENANT + POLICY[POLICY.index("streams:\n"):], sink={"recording": "full", "more": ["--content-dir", content]},
                        egress={"token.file": str(secrets)},
                        ingest={"feedback.listen": "127.0.0.1:%d" % cls.port, "token.file": str(secrets),
                                "feedback.domains": ["bounces.shop.example", "feedback.shop.example"]})
        rows = [line.split("\t") for line in (DATA / "expected.tsv").read_text().splitlines() if not line.startswith("#")]
        cls.rows = {"r%d@a.d.test" % i: dict(zip(("file", "kind", "recipient", "status", "class", "token", "sender"), row))
                    for i, row in enumerate(rows)}
        cls.sent = cls.send_all(content)

    @classmethod
    def send_all(cls, content):
        """Recipient → (return path, token) as it arrived."""
        client = cls.trial.client("shop")
        for outcome in client.submit_many(submission(MAIL, to, return_path="") for to in cls.rows):
            assert not outcome.HasField("error"), outcome.error.message
        records = cls.trial.wait_recipients(len(cls.rows))
        cls.trial.wait_empty()
        return {r["to"][0]: (r["from"], header_fields((content / r["file"]).read_bytes(), "X-Mail-Reference")[0].decode())
                for r in records}

    def bring_back(self, recipients):
        for begin in range(0, len(recipients), FEW_ON_ONE_CONNECTION):
            with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as smtp:
                for recipient in recipients[begin:begin + FEW_ON_ONE_CONNECTION]:
                    row, (path, token) = self.rows[recipient], self.sent[recipient]
                    # One trace alone has to do: the address that it comes to, or what is left in the message.
                    by_path = row["token"] == "envelope"
                    text = (DATA / (row["file"] + ".eml")).read_bytes().replace(b"@TOKEN@", (NOBODYS if by_path else token).encode())
                    smtp.sendmail("" if row["sender"] == "<>" else row["sender"], path if by_path else "fbl@feedback.shop.example", text)

    def test_every_message_with_a_trace_finds_its_mail(self):
        self.assertGreaterEqual(len(self.rows), 60)
        self.assertEqual(len({path for path, _ in self.sent.values()}), len(self.rows))
        traced = [r for r, row in self.rows.items() if row["token"] != "none"]
        self.bring_back(traced)
        acted = {r: row for r, row in self.rows.items() if row["token"] != "none" and row["kind"] in EVENT}
        self.assertGreaterEqual(len(acted), 60)
        query = "select recipient, kind, reply_class from event where kind in ('bounced_later', 'complained', 'unsubscribed')"
        found = wait_for(lambda: (lambda rows: rows if len(rows) >= len(acted) else None)(self.trial.local.sql(query)), "events of all", 60)
        got = {recipient: (kind, reply_class) for recipient, kind, reply_class in found}
        want = {r: (EVENT[row["kind"]], row["class"] if row["kind"] == "bounce" else "") for r, row in acted.items()}
        self.assertEqual({self.rows[r]["file"]: v for r, v in got.items()}, {self.rows[r]["file"]: v for r, v in want.items()})
        self.assertEqual(len(found), len(acted), "each once")
        suppressed = {row[0] for row in self.trial.local.sql("select address from suppression")}
        self.assertEqual(suppressed, {r for r, row in acted.items() if row["kind"] != "bounce" or row["class"] == "rcpt_bad"})

    def test_what_has_lost_every_trace_finds_nothing(self):
        lost = [r for r, row in self.rows.items() if row["token"] == "none"]
        self.assertTrue(lost)
        self.bring_back(lost)
        listed = ", ".join("'%s'" % r for r in lost)
        self.assertEqual(self.trial.local.sql("select kind from event where recipient in (%s)" % listed), [["delivered"]] * len(lost))


if __name__ == "__main__":
    unittest.main()
