"""TLSRPT (RFC 8460): sessions are counted for domains with a `_smtp._tls` record, shown as the RFC's document and sent as mail."""
import base64
import email
import json

from scenario import unittest, wait_for
from tls_scenario import TlsScenario
from sts_server import StsServer, policy


class TlsReports(TlsScenario):
    hosts = ("127.0.0.2", "127.0.0.3")
    names = ("sink.test",)

    @classmethod
    def prepare(cls):
        certificate, key = cls.pki.issue("mta-sts.sts.test")
        cls.server = StsServer(certificate, key, {"mta-sts.sts.test": policy("testing", "sink.test", "wrong.test")})
        cls.addClassCleanup(cls.server.stop)
        cls.options["egress"]["mta_sts.port"] = cls.server.port
        cls.options["sink"].update({"recording": "full"})
        cls.contents = cls.scratch / "contents"
        cls.options["sink"]["more"] += ["--content-dir", cls.contents]
        # One of two hosts has a certificate of another name.
        cls.options["records"] = [
            "sts.test. MX 10 sink.test.", "_mta-sts.sts.test. TXT \"v=STSv1; id=1\"", "mta-sts.sts.test. A 127.0.0.1",
            "_smtp._tls.sts.test. TXT \"v=TLSRPTv1; rua=mailto:reports@d.test\"", "wrong.test. A 127.0.0.3",
            "_smtp._tls.plain.d.test. TXT \"v=TLSRPTv1; rua=mailto:a@d.test,https://d.test/x\"",
            "plain.d.test. MX 10 wrong.test.", "d.test. MX 10 sink.test."]

    def results(self, domain):
        def found():
            return self.trial.local.sql("select day, policy_type, failure, sessions from tls_result where domain = '%s' "
                                        "order by failure" % domain)
        return wait_for(found, "results of %s" % domain, 60, 0.2)

    def ctl(self, *arguments):
        return self.trial.local.ctl("tlsrpt", *arguments, env={"SLUICE_KEY": self.trial.local.key("shop")}).stdout

    def test_counted_shown_and_sent(self):
        self.assertEqual(self.send("u@sts.test")[0], "delivered")
        self.assertEqual(self.send("u@plain.d.test")[0], "delivered")
        self.assertEqual(self.send("u@unasked.d.test")[0], "delivered")
        ((day, kind, failure, sessions),) = self.results("sts.test")
        self.assertEqual((kind, failure, sessions), ("sts", "", "1"))
        self.assertEqual([row[1:3] for row in self.results("plain.d.test")], [["no-policy-found", ""]])
        self.assertEqual(self.trial.local.sql("select count(*) from tls_result where domain like 'unasked%'"), [["0"]])

        listed = self.ctl("list", "--day", day)
        self.assertIn("sts.test  succeeded=1  failed=0  mailto:reports@d.test", listed)
        who = ("--organization", "Shop", "--contact", "tls@shop.example")
        report = json.loads(self.ctl("show", "sts.test", "--day", day, *who))
        self.assertEqual(report["organization-name"], "Shop")
        self.assertEqual(report["policies"][0]["policy"]["policy-type"], "sts")
        self.assertIn("mode: testing", report["policies"][0]["policy"]["policy-string"])
        self.assertEqual(report["policies"][0]["summary"],
                         {"total-successful-session-count": 1, "total-failure-session-count": 0})

        for _ in range(2):  # again is safe
            self.ctl("send", "--day", day, "--stream", "transactional", *who)
        record = self.delivered("reports@d.test")
        self.delivered("a@d.test")
        message = email.message_from_bytes((self.contents / record["file"]).read_bytes())
        self.assertEqual(message.get_content_type(), "multipart/report")
        self.assertEqual(message["TLS-Report-Domain"], "sts.test")
        attached = message.get_payload(1)
        self.assertEqual(attached.get_content_type(), "application/tlsrpt+json")
        self.assertEqual(json.loads(base64.b64decode(attached.get_payload())), report)
        self.trial.wait_empty()
        self.assertEqual(sum("reports@d.test" in r["to"] for r in self.trial.sink.records()), 1)


if __name__ == "__main__":
    unittest.main()
