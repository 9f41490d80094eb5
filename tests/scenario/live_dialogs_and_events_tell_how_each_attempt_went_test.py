"""`sluicectl trace` shows dialogs as they are spoken, of one source or recipient domain, without bodies and secrets; the event of each
attempt has its source, MX host and address, stage, code, enhanced status, text, class, TLS and how long each step took."""
import subprocess
import threading

from scenario import mail, submission, unittest, wait_for
from tls_scenario import TlsScenario
from submission_server import SubmissionServer

SECRET = "s3cret-of-the-relay"


class Watcher:
    """`sluicectl trace`, its lines gathered."""

    def __init__(self, trial, *arguments):
        command = [str(trial.bin / "sluicectl"), "--admin", trial.local.admin, "trace", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self.thread = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.thread.start()

    def texts(self):
        return [line.rstrip("\n") for line in list(self.lines)]

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.thread.join(30)
        self.process.stdout.close()


class Dialogs(TlsScenario):
    @classmethod
    def prepare(cls):
        certificate, key = cls.pki.issue("relay.test", "127.0.0.8")
        cls.relay = SubmissionServer("127.0.0.8", certificate, key, {"shop": SECRET})
        cls.addClassCleanup(cls.relay.stop)
        secrets = cls.scratch / "secrets"
        secrets.mkdir()
        (secrets / "relay").write_text(SECRET + "\n")
        cls.options["egress"]["smtp.secret_directory"] = str(secrets)
        cls.options["records"] = ["relay.test. A 127.0.0.8"]
        cls.options["policy"] = cls.options["policy"].replace("routes:\n", """smart_hosts:
  - {name: relay, hosts: [relay.test], port: %d, user: shop, password_file: relay}
routes:
  - {match: {domain: relay.d.test}, pool: warm, smart_host: relay}
""" % cls.relay.port)

    def watch(self, *arguments):
        watcher = Watcher(self.trial, *arguments)
        self.addCleanup(watcher.stop)
        return watcher

    def seen(self, watcher, to, domain):
        """Sends to `to` until the watcher, which takes a moment to reach egress, sees a whole dialog."""
        def look():
            self.client.submit(submission(mail("hello", b"Secret body\r\n"), to))
            self.trial.wait_empty()
            texts = watcher.texts()
            return texts if any("RCPT TO:<%s>" % to in t for t in texts) and any(" < 250" in t for t in texts) else None
        return wait_for(look, lambda: "a dialog of %s in %s" % (domain, watcher.texts()), 60, 0.2)

    def test_a_domain_is_watched_live(self):
        watcher = self.watch("--domain", "Watched.d.test")
        texts = self.seen(watcher, "u@watched.d.test", "watched.d.test")
        self.client.submit(submission(mail(), "u@unwatched.d.test"))
        self.trial.wait_empty()
        texts = wait_for(lambda: (lambda t: t if any("bytes" in x for x in t) else None)(watcher.texts()), "the size of the content", 30, 0.1)
        whole = "\n".join(texts)
        self.assertIn("MAIL FROM:<", whole)
        self.assertRegex(whole, r"ip-1[12] sink.test\[127\.0\.0\.2\] \S+#[0-9]+ > MAIL FROM:<")
        self.assertRegex(whole, r" - content, [0-9]+ bytes")
        self.assertNotIn("Secret body", whole)
        self.assertNotIn("unwatched", whole)

    def test_a_source_is_watched_and_secrets_stay_secret(self):
        watchers = [self.watch("--source", "ip-11"), self.watch("--source", "ip-12", "--json")]
        def look():
            self.client.submit(submission(mail("hello", b"Secret body\r\n"), "u@relay.d.test"))
            self.trial.wait_empty()
            whole = "\n".join(sum((w.texts() for w in watchers), []))
            return whole if "u@relay.d.test" in whole else None
        whole = wait_for(look, lambda: "a dialog with the relay in %s" % [w.texts() for w in watchers], 60, 0.2)
        self.assertGreaterEqual(len(self.relay.messages), 1)
        self.assertNotIn(SECRET, whole)
        self.assertNotIn("Secret body", whole)

    def test_somebody_must_be_named(self):
        watcher = self.watch()
        watcher.process.wait(30)
        watcher.thread.join(30)
        self.assertEqual(watcher.process.returncode, 2)
        self.assertIn("--source or a --domain", "".join(watcher.texts()))

    def test_an_event_has_every_fact_of_its_attempt(self):
        outcome = self.client.submit(submission(mail(), "u@facts.d.test"))
        self.trial.wait_empty()
        event = wait_for(lambda: next((e for e in self.client.get_message(outcome.message_id).events
                                       if e.HasField("attempt")), None), "the event", 30, 0.1)
        attempt = event.attempt
        self.assertIn(attempt.source, ("ip-11", "ip-12"))
        self.assertEqual((attempt.mx_host, attempt.mx_address), ("sink.test", "127.0.0.2"))
        self.assertEqual((attempt.reply.code, attempt.disposition, attempt.possible_duplicate), (250, 1, False))
        self.assertTrue(attempt.reply.text)
        times = attempt.times
        self.assertGreater(times.mail + times.rcpt + times.body, 0)
        self.assertLessEqual(times.mail + times.rcpt + times.data + times.body, attempt.duration_micros + 1000)
        # Of the first message on a connection only.
        opened = self.trial.local.sql("select count(*) from event where times ~ '^connect:[0-9]+,greeting:[0-9]+,.*body:[0-9]+$'")
        self.assertGreaterEqual(int(opened[0][0]), 1)
        wait_for(lambda: " times=connect:" in self.trial.local["egress"].log.read_text(), "the delivery log", 10, 0.1)


if __name__ == "__main__":
    unittest.main()
