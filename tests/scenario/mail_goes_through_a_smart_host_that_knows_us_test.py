"""A smart host for a route: hosts, port, AUTH PLAIN or LOGIN over verified TLS with a password from a mounted file (RFC 4954)."""
from scenario import unittest, wait_for
from tls_scenario import TlsScenario
from submission_server import SubmissionServer


class SmartHost(TlsScenario):
    @classmethod
    def prepare(cls):
        certificate, key = cls.pki.issue("relay.test", "127.0.0.8")
        users = {"shop": "s3cret"}
        cls.plain = SubmissionServer("127.0.0.8", certificate, key, users)
        cls.login = SubmissionServer("127.0.0.8", certificate, key, users, "LOGIN")
        for server in (cls.plain, cls.login):
            cls.addClassCleanup(server.stop)
        secrets = cls.scratch / "secrets"
        secrets.mkdir()
        (secrets / "right").write_text("s3cret\n")
        (secrets / "wrong").write_text("guess\n")
        cls.options["egress"]["smtp.secret_directory"] = str(secrets)
        cls.options["records"] = ["relay.test. A 127.0.0.8"]
        cls.options["policy"] = cls.options["policy"].replace("routes:\n", """smart_hosts:
  - {name: plain, hosts: [relay.test], port: %d, user: shop, password_file: right}
  - {name: login, hosts: [127.0.0.8], port: %d, user: shop, password_file: right, tls: required}
  - {name: wrong, hosts: [relay.test], port: %d, user: shop, password_file: wrong}
routes:
  - {match: {domain: plain.d.test}, pool: warm, smart_host: plain}
  - {match: {domain: login.d.test}, pool: warm, smart_host: login}
  - {match: {domain: wrong.d.test}, pool: warm, smart_host: wrong}
""" % (cls.plain.port, cls.login.port, cls.plain.port))

    def test_auth_plain_over_verified_tls(self):
        kind, _, tls, reply = self.send("u@plain.d.test")
        self.assertEqual(kind, "delivered", reply)
        self.assertTrue(tls.endswith(" verified"), tls)
        user, recipients, content, encrypted = self.plain.messages[0]
        self.assertEqual((user, recipients, encrypted), ("shop", ["u@plain.d.test"], True))
        self.assertIn("Body", content)

    def test_auth_login(self):
        kind, _, _, reply = self.send("u@login.d.test")
        self.assertEqual(kind, "delivered", reply)
        self.assertEqual(self.login.messages[0][0], "shop")

    def test_a_wrong_password_defers_and_is_never_shown(self):
        kind, stage, _, reply = self.send("u@wrong.d.test")
        self.assertEqual((kind, stage), ("deferred", "auth"))
        self.assertIn("no such user or password", reply)
        for service in self.trial.local.services.values():
            self.assertNotIn("guess", service.log.read_text())

    def test_other_mail_goes_by_mx(self):
        self.assertEqual(self.send("u@other.d.test")[0], "delivered")
        wait_for(lambda: any("u@other.d.test" in r["to"] for r in self.trial.sink.records()), "a record", 30, 0.05)


if __name__ == "__main__":
    unittest.main()
