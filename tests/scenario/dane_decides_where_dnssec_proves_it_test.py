"""DANE (RFC 7672) against a signing name server of the distribution: match, mismatch, unusable, SERVFAIL, unsigned (scenario 21)."""
from scenario import unittest
from tls_scenario import TlsScenario, tlsa

WRONG = "3 1 1 " + "00" * 32


class Dane(TlsScenario):
    hosts = ("127.0.0.2", "127.0.0.3")
    names = ("sink.test", "mx-ta.dane.test")
    script = "rules:\n  - {match: {listener: 127.0.0.3}, without: [STARTTLS]}\n"

    @classmethod
    def prepare(cls):
        right = tlsa(cls.certificate)
        anchors = cls.scratch / "anchors"
        records = {
            "match": [right], "several": [WRONG, right], "mismatch": [WRONG], "ta": [tlsa(cls.pki.ca_file, 2, 0, 1)],
            "taname": [tlsa(cls.pki.ca_file, 2, 0, 1)], "unusable": ["1 1 1 " + "00" * 32, "3 1 9 00"],
            "plain": ["0 0 1 " + "00" * 32], "servfail": [], "without": []}
        lines = []
        for name, data in records.items():
            address = "127.0.0.3" if name == "plain" else "127.0.0.2"
            lines += ["%s.dane.test. MX 10 mx-%s.dane.test." % (name, name), "mx-%s.dane.test. A %s" % (name, address)]
            lines += ["*._tcp.mx-%s.dane.test. TLSA %s" % (name, d) for d in data]
        zone = cls.scratch / "zones"
        zone.mkdir()
        (zone / "dane.test.zone").write_text("\n".join(lines) + "\n")
        cls.options["records"] = ["unsigned.d.test. MX 10 mx-unsigned.d.test.", "mx-unsigned.d.test. A 127.0.0.2",
                                  "*._tcp.mx-unsigned.d.test. TLSA " + WRONG]
        cls.options["dns"] = ["--zone-dir", zone, "--signed-zone", "dane.test", "--anchors-file", anchors,
                              "--broken-zone", "_tcp.mx-servfail.dane.test"]
        cls.options["egress"] = {"dns.trust_anchors": str(anchors)}  # no authority is trusted: DANE alone proves

    def test_a_match_is_verified(self):
        for name in ("match", "several", "ta"):
            kind, _, tls, reply = self.send("u@%s.dane.test" % name)
            self.assertEqual(kind, "delivered", reply)
            self.assertTrue(tls.endswith(" verified"), tls)

    def test_a_mismatch_defers(self):
        kind, stage, _, _ = self.send("u@mismatch.dane.test")
        self.assertEqual((kind, stage), ("deferred", "starttls"))

    def test_an_authority_named_by_dane_vouches_for_the_right_name_only(self):
        kind, stage, _, reply = self.send("u@taname.dane.test")
        self.assertEqual((kind, stage), ("deferred", "starttls"))
        self.assertIn("hostname mismatch", reply.lower())

    def test_unusable_records_ask_for_encryption_without_proof(self):
        kind, _, tls, _ = self.send("u@unusable.dane.test")
        self.assertEqual(kind, "delivered")
        self.assertTrue(tls.startswith("TLSv1.3 "), tls)
        self.assertFalse(tls.endswith(" verified"), tls)
        kind, stage, _, _ = self.send("u@plain.dane.test")
        self.assertEqual((kind, stage), ("deferred", "starttls"))

    def test_servfail_defers(self):
        kind, stage, _, reply = self.send("u@servfail.dane.test")
        self.assertEqual((kind, stage), ("deferred", "starttls"))
        self.assertIn("TLSA", reply)

    def test_without_records_or_unsigned_it_is_opportunistic(self):
        self.assertEqual(self.send("u@without.dane.test")[0], "delivered")
        kind, _, tls, _ = self.send("u@unsigned.d.test")
        self.assertEqual(kind, "delivered")
        self.assertFalse(tls.endswith(" verified"), tls)


if __name__ == "__main__":
    unittest.main()
