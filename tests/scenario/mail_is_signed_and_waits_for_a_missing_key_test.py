"""Signatures of the policy's keys verify elsewhere; without its key mail waits, says why, and leaves when the key comes."""
import pathlib

import signed_mail
from scenario import POLICY, Scenario, mail, submission, unittest, wait_for
from signed_mail import ED25519, RSA, check, header_fields, make_key

KEYS = """
dkim_keys:
  - {domain: shop.example, selector: r1, key: shop-rsa.pem, algorithm: rsa-sha256}
  - {domain: shop.example, selector: e1, key: shop-ed.pem, algorithm: ed25519-sha256}
  - {domain: news.shop.example, selector: n1, key: news.pem, algorithm: ed25519-sha256}
  - {domain: other.example, selector: o1, key: other.pem, algorithm: ed25519-sha256}
"""
TENANTS = """
tenants:
  - {name: shop, streams: [transactional, marketing], sender_domains: [shop.example]}
  - {name: plain, streams: [transactional], sender_domains: [plain.example]}
"""
CORPUS = pathlib.Path(__file__).resolve().parents[1] / "data/mail"
BOTH = ["r1._domainkey.shop.example", "e1._domainkey.shop.example"]


class Signing(Scenario):
    @classmethod
    def setUpClass(cls):
        super(Scenario, cls).setUpClass()
        from scenario import Trial
        cls.trial = Trial().__enter__()
        cls.addClassCleanup(cls.finish)
        cls.keys = cls.trial.dir / "dkim"
        cls.keys.mkdir()
        cls.content = cls.trial.dir / "content"
        cls.dns = {BOTH[0]: make_key(cls.keys / "shop-rsa.pem", RSA), BOTH[1]: make_key(cls.keys / "shop-ed.pem", ED25519)}
        policy = POLICY.replace(POLICY[:POLICY.index("streams:\n")], TENANTS, 1) + KEYS
        cls.trial.start(policy, sink={"recording": "full", "more": ["--content-dir", cls.content]},
                        egress={"dkim.directory": str(cls.keys)})
        cls.client = cls.trial.client("shop")

    def arrived(self, count, since):
        records = self.trial.wait_records(since + count)[since:]
        return [(pathlib.Path(self.content) / r["file"]).read_bytes() for r in records]

    def send(self, *contents, client=None, **more):
        since = len(self.trial.sink.records())
        batch = [submission(c, "u%d@k%d.d.test" % (i, i % 3), **more) for i, c in enumerate(contents)]
        for outcome in (client or self.client).submit_many(batch):
            self.assertFalse(outcome.HasField("error"), outcome.error.message)
        return since

    def test_1_the_whole_corpus_verifies_with_both_keys(self):
        contents = [path.read_bytes() for path in sorted(CORPUS.glob("*.eml"))]
        for message in self.arrived(len(contents), self.send(*contents)):
            check(self, message, self.dns, BOTH)

    def test_2_what_is_added_is_signed_and_nothing_can_be_added(self):
        since = len(self.trial.sink.records())
        self.client.submit(submission(mail("offer"), "u@k1.d.test", list_unsubscribe_url="https://shop.example/u?id=1"))
        (message,) = self.arrived(1, since)
        check(self, message, self.dns, BOTH)
        self.assertEqual(header_fields(message, "List-Unsubscribe"), [b"<https://shop.example/u?id=1>"])
        self.assertEqual(header_fields(message, "List-Unsubscribe-Post"), [b"List-Unsubscribe=One-Click"])
        for signature in header_fields(message, "DKIM-Signature"):
            signed = signed_mail.tags(signature)[b"h"].replace(b"\t", b"").replace(b" ", b"").split(b":")
            for name in (b"from", b"subject", b"date", b"message-id", b"list-unsubscribe", b"list-unsubscribe-post"):
                self.assertEqual(signed.count(name), 2, name)
            for name in (b"to", b"reply-to", b"cc"):
                self.assertEqual(signed.count(name), 1, name)
        forged = b"Subject: forged\r\n" + message
        self.assertFalse(signed_mail.dkim.DKIM(forged).verify(0, dnsfunc=lambda name, timeout=5: self.dns[name.decode().rstrip(".")]))

    def test_3_a_tenant_without_a_key_of_its_own_is_not_signed(self):
        since = self.send(mail(head=b"From: a@plain.example\r\n"), client=self.trial.client("plain"), return_path="a@plain.example")
        (message,) = self.arrived(1, since)
        check(self, message, self.dns, [])

    def test_4_without_its_key_mail_waits_says_so_and_leaves_when_the_key_comes(self):
        since = self.send(*[mail("news %d" % i, head=b"From: n@news.shop.example\r\n") for i in range(3)], mail("shop"))
        # Mail that has its keys goes on.
        (message,) = self.arrived(1, since)
        check(self, message, self.dns, BOTH)
        sql = self.trial.local.sql
        wait_for(lambda: sql("select count(*) from event where kind = 'held'")[0][0] == "3", "three held events", 60)
        self.assertIn("news.pem", sql("select detail from event where kind = 'held' limit 1")[0][0])
        self.assertEqual(sql("select count(*) from queue_entry")[0][0], "3")
        self.dns["n1._domainkey.news.shop.example"] = make_key(self.keys / "news.pem", ED25519)
        for message in self.arrived(3, since + 1):
            check(self, message, self.dns, ["n1._domainkey.news.shop.example"])
        self.trial.wait_empty()
        self.assertEqual(sql("select count(*) from event where kind = 'held'")[0][0], "3")

    def test_5_a_new_key_in_the_file_signs_what_follows(self):
        old = dict(self.dns)
        self.dns[BOTH[1]] = make_key(self.keys / "shop-ed.pem", ED25519)

        def signed_by_the_new_one():
            (message,) = self.arrived(1, self.send(mail("rotated")))
            known = self.dns if signed_mail.dkim.DKIM(message).verify(
                self.index_of(message, b"e1"), dnsfunc=lambda name, timeout=5: self.dns[name.decode().rstrip(".")]) else old
            check(self, message, known, BOTH)
            return known is self.dns
        wait_for(signed_by_the_new_one, "a signature of the new key", 60)

    @staticmethod
    def index_of(message, selector):
        signatures = header_fields(message, "DKIM-Signature")
        return next(i for i, s in enumerate(signatures) if signed_mail.tags(s)[b"s"] == selector)


if __name__ == "__main__":
    unittest.main()
