"""What the scenarios about TLS share: sinks with certificates, events with their TLS facts, a retry schedule that waits."""
import pathlib
import shutil
import tempfile

from scenario import MAIL, POLICY, Scenario, submission, wait_for
from pki import Authority, tlsa  # noqa: E402,F401

# One attempt a test looks at; the next one is far away.
SLOW = "retry_schedules:\n  - {name: slow, waits: [1h]}\n"
POLICY_SLOW = POLICY.replace("priority: high}", "priority: high, retry_schedule: slow}").replace(
    "{name: marketing}", "{name: marketing, retry_schedule: slow}") + SLOW


class TlsScenario(Scenario):
    """`prepare` fills cls.options with what needs certificates; cls.pki is the authority that egress trusts."""
    script = ""
    hosts = ("127.0.0.2",)
    names = ("sink.test",)

    @classmethod
    def setUpClass(cls):
        cls.scratch = pathlib.Path(tempfile.mkdtemp(prefix="sluice-pki-", dir="/tmp"))
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)
        cls.pki = Authority(cls.scratch)
        cls.certificate, cls.key = cls.pki.issue(*cls.names)
        script = cls.scratch / "script.yaml"
        script.write_text(cls.script)
        cls.options = {
            "policy": POLICY_SLOW,
            "sink": {"hosts": cls.hosts, "script": script,
                     "more": ["--tls-cert", cls.certificate, "--tls-key", cls.key]},
            "egress": {"smtp.tls.ca_file": str(cls.pki.ca_file)},
        }
        cls.prepare()
        super().setUpClass()

    @classmethod
    def prepare(cls):
        pass

    def send(self, to, stream="transactional"):
        self.client.submit(submission(MAIL, to, stream=stream))
        return self.event(to)

    def event(self, to, count=1):
        """The last of `count` events of a recipient, as (kind, stage, tls, reply)."""
        def found():
            rows = self.trial.local.sql("select kind, stage, tls, reply from event where recipient = '%s' order by seq" % to)
            return rows[count - 1] if len(rows) >= count else None
        return wait_for(found, "%d events of %s" % (count, to), 60, 0.1)

    def delivered(self, to):
        """The sink's record of it."""
        def found():
            return next((r for r in self.trial.sink.records() if to in r["to"] and r["code"] == 250), None)
        return wait_for(found, "a record of %s" % to, 30, 0.05)
