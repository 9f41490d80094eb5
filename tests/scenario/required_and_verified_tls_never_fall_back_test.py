"""`tls: required` and `verified` of the shaping rules: encrypted, or to a proven server, or not at all (scenarios 17, 18)."""
from scenario import unittest
from tls_scenario import TlsScenario


class Required(TlsScenario):
    hosts = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
    names = ("sink.test",)
    script = """
rules:
  - {match: {listener: 127.0.0.3}, starttls: {handshake: bad}}
  - {match: {listener: 127.0.0.4}, without: [STARTTLS]}
"""

    @classmethod
    def prepare(cls):
        # Transactional mail leaves by ip-11 and ip-12, marketing by ip-13 and ip-14.
        cls.options["policy"] += "shaping:\n" + "".join(
            "  - {match: {source: %s}, tls: %s}\n" % pair for pair in
            (("ip-11", "required"), ("ip-12", "required"), ("ip-13", "verified"), ("ip-14", "verified")))
        cls.options["records"] = ["broken.d.test. MX 10 broken.test.", "broken.test. A 127.0.0.3",
                                  "plain.d.test. MX 10 plain.test.", "plain.test. A 127.0.0.4",
                                  "other.d.test. MX 10 other.test.", "other.test. A 127.0.0.5"]

    def test_a_broken_handshake_defers(self):
        for stream in ("transactional", "marketing"):
            to = "%s@broken.d.test" % stream
            self.assertEqual(self.send(to, stream)[:3], ["deferred", "starttls", ""])

    def test_stripped_starttls_defers(self):
        for stream in ("transactional", "marketing"):
            kind, stage, _, reply = self.send("%s@plain.d.test" % stream, stream)
            self.assertEqual((kind, stage), ("deferred", "starttls"))
            self.assertIn("TLS is required", reply)

    def test_required_takes_a_certificate_of_another_name_and_verified_does_not(self):
        kind, _, tls, _ = self.send("r@other.d.test")
        self.assertEqual(kind, "delivered")
        self.assertTrue(tls.startswith("TLSv1.3 "), tls)
        kind, stage, _, reply = self.send("v@other.d.test", "marketing")
        self.assertEqual((kind, stage), ("deferred", "starttls"))
        self.assertIn("hostname mismatch", reply.lower())

    def test_verified_takes_a_proven_server(self):
        kind, _, tls, _ = self.send("v@good.d.test", "marketing")
        self.assertEqual(kind, "delivered")
        self.assertTrue(tls.endswith(" verified"), tls)

    def test_nothing_went_in_plain_text(self):
        for to in ("transactional@broken.d.test", "marketing@plain.d.test"):
            self.send("again-" + to)
        self.assertEqual([r for r in self.trial.sink.records() if not r["tls"]], [])


if __name__ == "__main__":
    unittest.main()
