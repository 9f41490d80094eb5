"""Merge fields: another text for each recipient, in headers, HTML and encoded parts; signed as it leaves; what cannot be
rendered is refused at submit with field and recipient."""
import email
import email.policy
import pathlib

from scenario import POLICY, Scenario, Trial, grpc, submission, submission_pb2, unittest, violations
from signed_mail import ED25519, check, header_fields, make_key

CONTENT = b"""From: "Team {{shop}}" <team@shop.example>
To: {{name}} <{{address}}>
Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= an {{name}}
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b1

--b1
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe, {{name}}! \\{{literal}} {{=
text}}
--b1
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PHA+e3tuYW1lfX0gPGI+e3smaHRtbH19PC9iPjwvcD4NCg==
--b1--
""".replace(b"\n", b"\r\n")
VALUES = {"shop": "A & B", "name": "Zo\u00eb <z>", "address": "u@m1.d.test", "text": "a\nb", "html": "<i>x</i>"}


class Merge(Scenario):
    @classmethod
    def setUpClass(cls):
        super(Scenario, cls).setUpClass()
        cls.trial = Trial().__enter__()
        cls.addClassCleanup(cls.finish)
        cls.content = cls.trial.dir / "content"
        keys = cls.trial.dir / "dkim"
        keys.mkdir()
        cls.dns = {"e1._domainkey.shop.example": make_key(keys / "ed.pem", ED25519)}
        cls.trial.start(POLICY + "dkim_keys:\n  - {domain: shop.example, selector: e1, key: ed.pem, algorithm: ed25519-sha256}\n",
                        sink={"recording": "full", "more": ["--content-dir", cls.content]},
                        egress={"dkim.directory": str(keys)})
        cls.client = cls.trial.client("shop")

    def merge(self, values, content=CONTENT, **more):
        """A submission with a recipient for each of `values`."""
        to = ["u%d@m%d.d.test" % (i, i % 3) for i in range(len(values))]
        made = submission(content, to, merge=True, **more)
        for recipient, own in zip(made.recipients, values):
            recipient.merge_values.update(own)
        return made

    def test_1_each_recipient_gets_its_own(self):
        since = len(self.trial.sink.records())
        people = [{**VALUES, "name": "N\u00e5me %d" % i, "address": "u%d@m.d.test" % i} for i in range(12)]
        self.client.submit(self.merge(people, list_unsubscribe_url="https://shop.example/u/{{address}}"))
        records = self.trial.wait_recipients(12, since=since)
        for record in records:
            raw = (pathlib.Path(self.content) / record["file"]).read_bytes()
            check(self, raw, self.dns, list(self.dns))
            number = int(record["to"][0].split("@")[0][1:])
            parsed = email.message_from_bytes(raw, policy=email.policy.default)
            name = "N\u00e5me %d" % number
            self.assertEqual(parsed["Subject"], "Gr\u00fc\u00dfe an " + name)
            self.assertEqual([(a.display_name, a.addr_spec) for a in parsed["From"].addresses], [("Team A & B", "team@shop.example")])
            self.assertEqual([(a.display_name, a.addr_spec) for a in parsed["To"].addresses], [(name, "u%d@m.d.test" % number)])
            self.assertEqual(header_fields(raw, "List-Unsubscribe"), [b"<https://shop.example/u/u%d@m.d.test>" % number])
            plain, html = parsed.iter_parts()
            self.assertEqual(plain.get_content().replace("\r\n", "\n").rstrip(), "Gr\u00fc\u00dfe, %s! {{literal}} a\nb" % name)
            self.assertEqual(html.get_content().strip(), "<p>%s <b><i>x</i></b></p>" % name)
        self.trial.wait_empty()

    def test_2_html_is_escaped(self):
        since = len(self.trial.sink.records())
        self.client.submit(self.merge([VALUES]))
        (record,) = self.trial.wait_recipients(1, since=since)
        raw = (pathlib.Path(self.content) / record["file"]).read_bytes()
        _, html = email.message_from_bytes(raw, policy=email.policy.default).iter_parts()
        self.assertIn("Zo\u00eb &lt;z&gt;", html.get_content())

    def test_3_without_merge_braces_are_text(self):
        since = len(self.trial.sink.records())
        self.client.submit(submission(CONTENT, "u@m2.d.test"))
        (record,) = self.trial.wait_recipients(1, since=since)
        self.assertTrue((pathlib.Path(self.content) / record["file"]).read_bytes().endswith(CONTENT))

    def test_4_what_cannot_be_rendered_is_refused_with_field_and_recipient(self):
        lacking = {k: v for k, v in VALUES.items() if k != "text"}
        for values, field, word in (([VALUES, lacking], "recipients[1].merge_values", "text"),
                                    ([{**VALUES, "name": "a\r\nBcc: x@y.example"}], "recipients[0].merge_values", "line end"),
                                    ([{**VALUES, "address": "a b"}], "recipients[0].merge_values", "address")):
            error = self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.client.submit, self.merge(values))
            self.assertIn(word, violations(error)[field])
        broken = CONTENT.replace(b"{{shop}}", b"{{#if shop}}")
        error = self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.client.submit, self.merge([VALUES], broken))
        self.assertIn("{{name}}", violations(error)["content"])
        forged = CONTENT.replace(b"<team@shop.example>", b"<{{address}}>, <team@shop.example>").replace(b"\r\nTo:", b"\r\nSender: team@shop.example\r\nTo:")
        error = self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.client.submit, self.merge([VALUES], forged))
        self.assertTrue(violations(error))


if __name__ == "__main__":
    unittest.main()
