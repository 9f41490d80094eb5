"""Opportunistic TLS (RFC 7435): a bad certificate, a broken handshake or none of TLS at all never keep mail back (scenarios 16, 17)."""
from scenario import unittest
from tls_scenario import TlsScenario


class Opportunistic(TlsScenario):
    hosts = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
    # Nobody trusts what the sink shows: the authority is not egress's.
    script = """
rules:
  - {match: {listener: 127.0.0.3}, starttls: {handshake: bad}}
  - {match: {listener: 127.0.0.4}, without: [STARTTLS]}
"""

    @classmethod
    def prepare(cls):
        cls.options["egress"] = {}
        cls.options["records"] = ["broken.d.test. MX 10 broken.test.", "broken.test. A 127.0.0.3",
                                  "plain.d.test. MX 10 plain.test.", "plain.test. A 127.0.0.4"]

    def test_a_bad_certificate_is_encrypted_and_told(self):
        kind, stage, tls, _ = self.send("u@bad-certificate.d.test")
        self.assertEqual((kind, stage), ("delivered", "body"))
        self.assertTrue(tls.startswith("TLSv1.3 "), tls)
        self.assertIn("certificate", tls)
        self.assertTrue(self.delivered("u@bad-certificate.d.test")["tls"])

    def test_a_broken_handshake_is_followed_by_plain_text_and_remembered(self):
        kind, stage, tls, _ = self.send("u@broken.d.test")
        self.assertEqual((kind, stage, tls), ("delivered", "body", ""))
        # Each source finds it out for itself, and does not try TLS again.
        for n in range(4):
            self.send("n%d@broken.d.test" % n)
        connected = self.trial.sink.stats()["total"]["connected"]
        for n in range(4, 7):
            self.assertEqual(self.send("n%d@broken.d.test" % n)[:3], ["delivered", "body", ""])
        self.assertEqual(self.trial.sink.stats()["total"]["connected"], connected)

    def test_without_starttls_it_is_plain_text(self):
        self.assertEqual(self.send("u@plain.d.test")[:3], ["delivered", "body", ""])


if __name__ == "__main__":
    unittest.main()
