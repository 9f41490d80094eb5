"""MTA-STS (RFC 8461): enforced per recipient domain; a sibling on the same MX host is not touched (scenarios 18, 19, 20)."""
from scenario import unittest
from sts_server import StsServer, policy
from tls_scenario import TlsScenario

DOMAINS = ("ok", "mismatch", "testing", "none", "stripped", "badcert", "typed", "moved")


class MtaSts(TlsScenario):
    hosts = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
    names = ("sink.test", "plain.test")
    script = "rules:\n  - {match: {listener: 127.0.0.3}, without: [STARTTLS]}\n"

    @classmethod
    def prepare(cls):
        answers = {
            "ok": policy("enforce", "sink.test"), "mismatch": policy("enforce", "*.other.test"),
            "testing": policy("testing", "other.test"), "none": policy("none"),
            "stripped": policy("enforce", "plain.test"), "badcert": policy("enforce", "wrong.test"),
            "typed": (200, "text/html", policy("enforce", "nobody.test")),
            "moved": (302, "text/plain", "https://mta-sts.ok.sts.test/.well-known/mta-sts.txt"),
        }
        certificate, key = cls.pki.issue(*("mta-sts.%s.sts.test" % d for d in DOMAINS))
        cls.server = StsServer(certificate, key, {"mta-sts.%s.sts.test" % d: a for d, a in answers.items()})
        cls.addClassCleanup(cls.server.stop)
        cls.options["egress"]["mta_sts.port"] = cls.server.port
        records = ["plain.test. A 127.0.0.3", "wrong.test. A 127.0.0.4", "*.sts.test. MX 10 sink.test.",
                   "stripped.sts.test. MX 10 plain.test.", "badcert.sts.test. MX 10 wrong.test.",
                   "badcert-sibling.sts.test. MX 10 wrong.test.", "stripped-sibling.sts.test. MX 10 plain.test."]
        for domain in DOMAINS:
            records += ["_mta-sts.%s.sts.test. 60 TXT \"v=STSv1; id=%s1;\"" % (domain, domain),
                        "mta-sts.%s.sts.test. A 127.0.0.1" % domain]
            if not any(r.startswith(domain + ".") for r in records):
                # A name with children is no match for the wildcard.
                records.append("%s.sts.test. MX 10 sink.test." % domain)
        cls.options["records"] = records

    def test_enforced_and_proved(self):
        kind, _, tls, _ = self.send("u@ok.sts.test")
        self.assertEqual(kind, "delivered")
        self.assertTrue(tls.endswith(" verified"), tls)

    def test_a_host_that_the_policy_does_not_name_defers_this_domain_only(self):
        kind, stage, _, reply = self.send("u@mismatch.sts.test")
        self.assertEqual((kind, stage), ("deferred", "starttls"))
        self.assertIn("MTA-STS", reply)
        self.assertEqual(self.send("u@sibling.sts.test")[0], "delivered")
        self.assertEqual(self.send("v@ok.sts.test")[0], "delivered")

    def test_testing_and_none_deliver(self):
        self.assertEqual(self.send("u@testing.sts.test")[0], "delivered")
        self.assertEqual(self.send("u@none.sts.test")[0], "delivered")

    def test_stripped_starttls_defers_and_the_sibling_gets_its_mail(self):
        kind, stage, _, _ = self.send("u@stripped.sts.test")
        self.assertEqual((kind, stage), ("deferred", "starttls"))
        self.assertEqual(self.send("u@stripped-sibling.sts.test")[:3], ["delivered", "body", ""])

    def test_a_certificate_of_another_name_defers_and_the_sibling_gets_its_mail(self):
        kind, stage, _, reply = self.send("u@badcert.sts.test")
        self.assertEqual((kind, stage), ("deferred", "starttls"))
        self.assertIn("hostname mismatch", reply.lower())
        self.assertEqual(self.send("u@badcert-sibling.sts.test")[0], "delivered")

    def test_a_document_of_the_wrong_type_or_moved_elsewhere_is_none(self):
        self.assertEqual(self.send("u@typed.sts.test")[0], "delivered")
        self.assertEqual(self.send("u@moved.sts.test")[0], "delivered")
        self.assertEqual([path for host, path in self.server.asked if host == "mta-sts.moved.sts.test"],
                         ["/.well-known/mta-sts.txt"])

    def test_a_policy_is_fetched_once(self):
        for n in range(3):
            self.assertEqual(self.send("n%d@none.sts.test" % n)[0], "delivered")
        self.assertEqual(sum(host == "mta-sts.none.sts.test" for host, _ in self.server.asked), 1)


if __name__ == "__main__":
    unittest.main()
