"""Who comes in, on the real services with TLS everywhere: strangers, expired and wrong certificates, callers of every role at every
method, wrong, foreign and revoked keys, requests that are too large. Certificates are replaced while mail flows, and nobody notices."""
import json
import os
import ssl
import unittest

from scenario import AT_FULL_SPEED, MAIL, Client, Scenario, Trial, grpc, mail, submission, wait_for
from client import admin_pb2, submission_pb2, submission_pb2_grpc
from load import Load
from pki import Authority, openssl
from trial import Local

PERSONS = ("viewer", "operator", "admin")
FOR_ADMINS = {"ApplyPolicy", "CreateApiKey", "LimitApiKey", "RevokeApiKey"}
READING = ("Get", "List", "Explain", "Summarize", "Validate")
BANK = '  - {name: bank, streams: [transactional], sender_domains: [bank.example]}\n'


def least(method):
    return "admin" if method in FOR_ADMINS else "viewer" if method.startswith(READING) else "operator"


class Security(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.trial = Trial().__enter__()
        cls.addClassCleanup(cls.finish)
        cls.authority = Authority(cls.trial.dir / "tls")
        cls.ca = str(cls.authority.ca_file)
        issue = cls.authority.issue
        cls.scheduler, cls.ingest, cls.egress = (issue(name, "127.0.0.1") for name in ("scheduler.one", "ingest.one", "egress.egress"))
        cls.public = issue("127.0.0.1")
        cls.people = {role: issue(role + ".ann") for role in (*PERSONS, "ingest", "egress")}
        cls.wrap_ctl()
        policy = AT_FULL_SPEED.replace("streams:\n", BANK + "streams:\n", 1)
        cls.trial.start(policy, sink={"recording": "none", "tokens": 20000},
                        scheduler={**cls.files("internal", cls.scheduler), **cls.files("admin.tls", cls.scheduler)},
                        ingest={**cls.files("tls", cls.public), **cls.files("intake", cls.ingest)},
                        egress=cls.files("dispatch", cls.egress))
        cls.trial.key = cls.trial.local.key("shop")

    @classmethod
    def files(cls, prefix, pair):
        return {prefix + ".plaintext": False, prefix + ".ca": cls.ca, prefix + ".cert": str(pair[0]), prefix + ".key": str(pair[1])}

    @classmethod
    def wrap_ctl(cls):
        plain = Local.ctl
        certificate, key = cls.people["admin"]
        Local.ctl = lambda local, *arguments, **more: plain(local, *arguments, "--ca", cls.ca, "--cert", certificate, "--cert-key", key, **more)
        cls.addClassCleanup(setattr, Local, "ctl", plain)

    def channel(self, address, pair=None, ca=None):
        read = lambda path: open(path, "rb").read()
        credentials = grpc.ssl_channel_credentials(read(ca or self.ca), *((read(pair[1]), read(pair[0])) if pair else (None, None)))
        channel = grpc.secure_channel(address, credentials, options=[("grpc.use_local_subchannel_pool", 1)])
        self.addCleanup(channel.close)
        return channel

    def call(self, address, method, pair=None, ca=None, stream=False, timeout=10):
        """Status code of a call with an empty request, and what was said."""
        channel = self.channel(address, pair, ca)
        make = channel.unary_stream if stream else channel.unary_unary
        try:
            answer = make("/sluice.v1." + method, request_serializer=lambda x: x, response_deserializer=lambda x: x)(b"", timeout=timeout)
            if stream:
                answer.cancel()
            return grpc.StatusCode.OK, ""
        except grpc.RpcError as error:
            return error.code(), error.details()

    def client(self, key, ca=None):
        client = Client.__new__(Client)
        client.channel = self.channel(self.trial.local.submit, ca=ca)
        client.metadata = [("authorization", "Bearer " + key)] if key else []
        client.stub = submission_pb2_grpc.SubmissionServiceStub(client.channel)
        return client

    # ---- roles
    def test_every_method_for_every_role(self):
        admin = self.trial.local.admin
        methods = [m.name for m in admin_pb2.DESCRIPTOR.services_by_name["AdminService"].methods]
        self.assertGreater(len(methods), 25)
        for role in (*PERSONS, "ingest", "egress"):
            for method in methods:
                code, said = self.call(admin, "AdminService/" + method, self.people[role])
                may = role in PERSONS and PERSONS.index(role) >= PERSONS.index(least(method))
                self.assertNotIn(code, (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNIMPLEMENTED), "%s %s: %s" % (role, method, said))
                self.assertEqual(code != grpc.StatusCode.PERMISSION_DENIED, may, "%s %s: %s %s" % (role, method, code, said))
        self.assertEqual(self.call(admin, "TlsReportService/ListTlsResults", self.people["egress"])[0], grpc.StatusCode.PERMISSION_DENIED)

    def test_internal_links_are_for_their_processes(self):
        config = self.trial.local["scheduler"].config
        for role in (*PERSONS, "egress"):
            code, said = self.call(config["intake.listen"], "IntakeService/CancelEntries", self.people[role])
            self.assertEqual(code, grpc.StatusCode.PERMISSION_DENIED, role + said)
        self.assertEqual(self.call(config["intake.listen"], "IntakeService/CancelEntries", self.people["ingest"])[0], grpc.StatusCode.OK)
        for role in (*PERSONS, "ingest"):
            channel = self.channel(config["dispatch.listen"], self.people[role])
            stream = channel.stream_stream("/sluice.v1.DispatchService/Control", request_serializer=lambda x: x,
                                           response_deserializer=lambda x: x)(iter([]), timeout=10)
            with self.assertRaises(grpc.RpcError) as caught:
                next(stream)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.PERMISSION_DENIED, role)

    # ---- certificates
    def test_strangers_expired_and_none_are_not_let_in(self):
        stranger = Authority(self.trial.dir / "stranger", "stranger")
        expired = self.expired("admin.ann")
        config = self.trial.local["scheduler"].config
        for address in (config["admin.listen"], config["intake.listen"], config["dispatch.listen"]):
            for who, pair in (("nobody", None), ("a stranger", stranger.issue("admin.ann")), ("an expired one", expired)):
                code, said = self.call(address, "AdminService/GetStatus", pair)
                self.assertEqual(code, grpc.StatusCode.UNAVAILABLE, "%s at %s: %s" % (who, address, said))
        # Nor do we talk to a server of another authority.
        self.assertEqual(self.call(config["admin.listen"], "AdminService/GetStatus", self.people["admin"], stranger.ca_file)[0],
                         grpc.StatusCode.UNAVAILABLE)

    def expired(self, name):
        certificate, key = self.authority.issue(name)
        stem = str(certificate)[:-len(".pem")]
        openssl("x509", "-req", "-in", stem + ".csr", "-CA", self.authority.ca_file, "-CAkey", self.authority.key_file, "-CAcreateserial",
                "-days", "-1", "-extfile", stem + ".ext", "-out", certificate)
        return certificate, key

    def test_an_egress_is_let_in_only_as_the_host_that_its_certificate_names(self):
        local = self.trial.local
        other = local.egress("egress-2", **self.files("dispatch", self.egress), **{"bind_addresses": ["127.0.0.99"]})
        other.start()
        try:
            wait_for(lambda: "PERMISSION_DENIED" in other.log.read_text() or "certificate" in other.log.read_text(),
                     lambda: "a refusal in the log:\n" + other.tail(), 30, 0.1)
            names = [e["egress_id"] for e in json.loads(local.ctl("status", "--json").stdout)["egresses"] if e["connected"]]
            self.assertEqual(names, ["egress"])
        finally:
            other.stop()
            local.services.pop("egress-2")

    # ---- keys
    def test_wrong_foreign_and_revoked_keys(self):
        shop = self.client(self.trial.key)
        sent = shop.submit(submission(MAIL, "own@keys.d.test")).message_id
        for key in ("", "slk_0000000000_guess", self.trial.key[:-1]):
            self.refused(grpc.StatusCode.UNAUTHENTICATED, self.client(key).submit, submission(MAIL, "x@keys.d.test"))
        bank = self.client(self.trial.local.key("bank"))
        self.refused(grpc.StatusCode.PERMISSION_DENIED, bank.submit, submission(MAIL, "x@keys.d.test"))
        self.refused(grpc.StatusCode.NOT_FOUND, bank.get_message, sent)
        self.refused(grpc.StatusCode.NOT_FOUND, bank.cancel, sent)
        self.assertEqual(shop.get_message(sent).message_id, sent)
        created = json.loads(self.trial.local.ctl("key", "create", "--tenant", "shop", "--json").stdout)
        gone = self.client(created["secret"])
        gone.submit(submission(MAIL, "y@keys.d.test"))
        self.trial.local.ctl("key", "revoke", created["api_key"]["key_id"])
        self.refused(grpc.StatusCode.UNAUTHENTICATED, gone.submit, submission(MAIL, "z@keys.d.test"))
        # Plain text at a TLS port is nobody.
        plain = Client(self.trial.local.submit, self.trial.key)
        self.addCleanup(plain.close)
        self.refused(grpc.StatusCode.UNAVAILABLE, plain.submit, submission(MAIL, "z@keys.d.test"), timeout=5)

    def test_what_is_too_large_is_refused_and_the_next_is_taken(self):
        client = self.client(self.trial.key)
        line = b"x" * 70 + b"\r\n"
        self.refused(grpc.StatusCode.INVALID_ARGUMENT, client.submit, submission(mail(body=line * (52 * 1024 * 1024 // len(line))), "l@keys.d.test"))
        self.refused(grpc.StatusCode.RESOURCE_EXHAUSTED, client.submit, submission(mail(body=line * (71 * 1024 * 1024 // len(line))), "l@keys.d.test"))
        many = submission_pb2.Submission(content=MAIL, stream="transactional", return_path="<>",
                                         recipients=[submission_pb2.Recipient(address="u%d@keys.d.test" % n) for n in range(1001)])
        self.refused(grpc.StatusCode.INVALID_ARGUMENT, client.submit, many)
        client.submit(submission(MAIL, "small@keys.d.test"))

    # ---- rotation
    def test_certificates_change_under_load_and_nobody_notices(self):
        before = self.trial.sink.stats()["tokens"]["distinct_accepted"]
        load = Load(self.trial, 3000, 300, more=["--tls", "--ca", self.ca])
        seen = lambda: self.trial.sink.stats()["tokens"]["distinct_accepted"] - before
        wait_for(lambda: seen() > 300, "the load to flow", 60, 0.02)
        serials = {address: self.serial(address) for address in self.addresses()}
        for pair, names in ((self.public, ("127.0.0.1",)), (self.scheduler, ("scheduler.one", "127.0.0.1")),
                            (self.ingest, ("ingest.one", "127.0.0.1")), (self.egress, ("egress.egress", "127.0.0.1"))):
            fresh = self.authority.issue(*names)
            # The key stays, so that the two files agree at every moment.
            stem = str(fresh[0])[:-len(".pem")]
            openssl("req", "-new", "-key", pair[1], "-subj", "/CN=" + names[0], "-out", stem + ".csr")
            openssl("x509", "-req", "-in", stem + ".csr", "-CA", self.authority.ca_file, "-CAkey", self.authority.key_file,
                    "-CAcreateserial", "-days", 30, "-extfile", stem + ".ext", "-out", stem + ".new")
            open(stem + ".chain", "w").write(open(stem + ".new").read() + open(self.ca).read())
            os.chmod(stem + ".chain", 0o644)
            os.replace(stem + ".chain", pair[0])
        for address, old in serials.items():
            wait_for(lambda: self.serial(address) != old, "the new certificate at " + address, 60, 0.2)
        self.assertTrue(load.running(), "the change comes under load")
        # Everybody connects anew with what stands there now.
        self.trial.local["egress"].stop()
        self.trial.local["egress"].start()
        summary = load.finish()
        self.assertEqual((summary["accepted"], summary["rejected"], summary["given_up"]), (3000, 0, 0))
        wait_for(lambda: seen() >= 3000, lambda: "all to arrive (%d)" % seen(), 120, 0.1)
        self.assertEqual(self.trial.sink.stats()["tokens"]["extra"], 0)

    def addresses(self):
        config = self.trial.local["scheduler"].config
        return [self.trial.local.submit, config["admin.listen"], config["intake.listen"], config["dispatch.listen"]]

    def serial(self, address):
        certificate = ssl.get_server_certificate((address.rsplit(":", 1)[0], int(address.rsplit(":", 1)[1])))
        return openssl("x509", "-noout", "-serial", stdin=certificate.encode())


if __name__ == "__main__":
    unittest.main()
