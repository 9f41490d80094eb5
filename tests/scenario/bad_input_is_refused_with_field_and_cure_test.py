"""Bad input gets an error that names the field and the cure, and nothing is stored."""
import time

from scenario import MAIL, Scenario, grpc, mail, submission, unittest, violations

BAD = grpc.StatusCode.INVALID_ARGUMENT


class BadInput(Scenario):
    def wrong(self, field, *, code=BAD, content=MAIL, to="user@a.d.test", **more):
        error = self.refused(code, self.client.submit, submission(content, to, **more))
        found = violations(error)
        self.assertTrue(any(field in name for name in found), "%s not in %s (%s)" % (field, found, error.details()))
        for text in found.values():
            self.assertGreater(len(text), 10)
        self.assertEqual(self.trial.local.sql("select count(*) from message"), [["0"]])
        self.assertEqual(self.trial.local.sql("select count(*) from submission"), [["0"]])

    def test_an_unknown_stream_is_refused(self):
        self.wrong("stream", stream="nope")

    def test_a_malformed_return_path_is_refused(self):
        self.wrong("return_path", return_path="no at sign")

    def test_a_message_without_a_usable_recipient_is_refused(self):
        self.wrong("recipients", to="broken@@x")

    def test_no_recipients_are_refused(self):
        self.wrong("recipients", to=[])

    def test_too_many_recipients_are_refused(self):
        self.wrong("recipients", to=["u%d@a.d.test" % i for i in range(1001)])

    def test_header_injection_is_refused(self):
        self.wrong("content", content=b"From: a@shop.example\r\nSubject: x\r\nbroken line\r\n\r\nhi\r\n")

    def test_a_bare_line_feed_is_refused(self):
        self.wrong("content", content=mail(body=b"one\r\ntwo\nthree\r\n"))

    def test_smuggling_is_refused(self):
        self.wrong("content", content=mail(body=b"hello\n.\r\nMAIL FROM:<evil@example.com>\r\n"))

    def test_a_null_byte_is_refused(self):
        self.wrong("content", content=mail(body=b"a\0b\r\n"))

    def test_two_from_headers_are_refused(self):
        self.wrong("content", content=mail(head=b"From: a@shop.example\r\nFrom: b@shop.example\r\n"))

    def test_an_expiry_in_the_past_is_refused(self):
        message = submission(MAIL, "user@a.d.test")
        message.expires_at.FromSeconds(int(time.time()) - 60)
        error = self.refused(BAD, self.client.submit, message)
        self.assertTrue(any("expires_at" in name for name in violations(error)), error.details())

    def test_a_foreign_sender_domain_is_refused(self):
        code = grpc.StatusCode.PERMISSION_DENIED
        error = self.refused(code, self.client.submit, submission(mail(head=b"From: a@other.example\r\n"), "user@a.d.test"))
        self.assertIn("other.example", error.details())
        error = self.refused(code, self.client.submit, submission(MAIL, "user@a.d.test", return_path="x@other.example"))
        self.assertIn("other.example", error.details())

    def test_no_key_a_wrong_key_and_a_revoked_key_are_unauthenticated(self):
        from scenario import Client
        local = self.trial.local
        for key in ("", "nonsense", "slk_0000000000_" + "A" * 43):
            client = Client(local.submit, key)
            self.refused(grpc.StatusCode.UNAUTHENTICATED, client.submit, submission(MAIL, "user@a.d.test"))
            client.close()
        secret = local.key("shop")
        local.ctl("key", "revoke", secret.split("_")[1])
        client = Client(local.submit, secret)
        self.refused(grpc.StatusCode.UNAUTHENTICATED, client.submit, submission(MAIL, "user@a.d.test"))
        client.close()

    def test_other_content_under_a_used_key_already_exists(self):
        first = self.client.submit(submission(MAIL, "user@a.d.test", idempotency_key="same"))
        again = self.client.submit(submission(MAIL, "user@a.d.test", idempotency_key="same"))
        self.assertEqual(first.message_id, again.message_id)
        self.assertTrue(again.repeated)
        self.refused(grpc.StatusCode.ALREADY_EXISTS, self.client.submit,
                     submission(mail("other"), "user@a.d.test", idempotency_key="same"))
        self.trial.wait_empty()
        self.assertEqual(self.trial.sink.accepted(), 1)
        for table in ("event", "message", "submission"):
            self.trial.local.sql("truncate %s" % table)

    def test_a_policy_that_is_wrong_is_refused_with_line_and_path(self):
        good = (self.trial.dir / "policy.yaml").read_text()
        cases = {"weight: 2": ("weight: -1", "weight"), "{source: ip-12}": ("{source: ip-99}", "ip-99"),
                 "pool: warm": ("pool: wram", "wram"), "name: ip-12": ("name: ip-11", "ip-11"),
                 "tenants:": ("tenantz:", "tenantz")}
        for old, (new, named) in cases.items():
            path = self.trial.dir / "wrong.yaml"
            path.write_text(good.replace(old, new, 1))
            result = self.trial.local.ctl("apply", "-f", path, check=False)
            self.assertNotEqual(result.returncode, 0, new)
            self.assertIn(named, result.stderr + result.stdout)
            self.assertRegex(result.stderr + result.stdout, r"wrong\.yaml:\d+")


if __name__ == "__main__":
    unittest.main()
