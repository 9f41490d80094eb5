"""The peer demands a client certificate (scenario 22): shown when one is configured; without one, opportunistic mail goes in plain
text and required mail waits."""
from scenario import unittest
from tls_scenario import TlsScenario

RULE = "shaping:\n" + "".join("  - {match: {source: ip-%d}, tls: required}\n" % n for n in (13, 14))


class Demanded(TlsScenario):
    @classmethod
    def prepare(cls):
        cls.options["policy"] += RULE
        cls.options["sink"]["more"] += ["--tls-client-cert", "demand"]
        certificate, key = cls.pki.issue("mta.shop.example")
        cls.options["egress"].update({"smtp.tls.certificate": str(certificate), "smtp.tls.key": str(key)})

    def test_it_is_shown(self):
        for stream in ("transactional", "marketing"):
            kind, _, tls, _ = self.send("%s@x.d.test" % stream, stream)
            self.assertEqual(kind, "delivered")
            self.assertTrue(tls.startswith("TLSv1.3 "), tls)


class Lacking(TlsScenario):
    @classmethod
    def prepare(cls):
        cls.options["policy"] += RULE
        cls.options["sink"]["more"] += ["--tls-client-cert", "demand"]

    def test_opportunistic_mail_goes_in_plain_text(self):
        self.assertEqual(self.send("o@x.d.test")[:3], ["delivered", "body", ""])

    def test_required_mail_waits(self):
        kind, stage, _, _ = self.send("r@x.d.test", "marketing")
        self.assertEqual(kind, "deferred")
        self.assertIn(stage, ("starttls", "ehlo"))


if __name__ == "__main__":
    unittest.main()
