"""For scenarios about what MX hosts do: a sink script, more hosts, DNS records that may change, and retries after a second."""
import json
import pathlib
import shutil
import tempfile

from scenario import MAIL, POLICY, Scenario, submission, wait_for

QUICK = POLICY.replace("priority: high}", "priority: high, retry_schedule: quick}") + """
retry_schedules:
  - {name: quick, waits: [1s]}
"""


class Peers(Scenario):
    """Files set these; the trial is shared by their tests."""
    script = ""
    hosts = ("127.0.0.2",)  # Where the sink listens; sink.test is the first.
    records = ()
    policy = QUICK
    egress = {}
    keeps_content = False  # What the sink took, as files of cls.content.

    @classmethod
    def setUpClass(cls):
        sink = {"hosts": cls.hosts}
        if cls.keeps_content:
            cls.content = pathlib.Path(tempfile.mkdtemp(prefix="sluice-content-", dir="/tmp"))
            cls.addClassCleanup(shutil.rmtree, cls.content, ignore_errors=True)
            sink.update(recording="full", more=["--content-dir", cls.content])
        if cls.script:
            path = pathlib.Path(tempfile.mkstemp(suffix=".yaml")[1])
            path.write_text(cls.script)
            cls.addClassCleanup(path.unlink)
            sink["script"] = path
        cls.options = {"policy": cls.policy, "records": cls.records, "sink": sink, "egress": cls.egress}
        super().setUpClass()

    def send(self, to, content=MAIL, **more):
        return self.client.submit(submission(content, to, **more))

    def events_of(self, recipient):
        rows = self.trial.local.sql("select row_to_json(e) from (select kind, attempt, stage, reply_code, enhanced_status, reply, "
                                    "reply_class, source, mx_host, mx_address, tls, possible_duplicate, provider, duration_micros "
                                    "from event where recipient = '%s' order by seq) e" % recipient)
        return [json.loads(row[0]) for row in rows]

    def wait_events(self, recipient, count=1, seconds=60):
        """The first `count` events of a recipient, oldest first."""
        def found():
            events = self.events_of(recipient)
            return events[:count] if len(events) >= count else None
        return wait_for(found, lambda: "%d events of %s: %s" % (count, recipient, self.events_of(recipient)), seconds, 0.1)

    def fates(self, recipient, count=1, seconds=60):
        """(kind, stage, code) of the first `count` events."""
        return [(e["kind"], e["stage"], e["reply_code"]) for e in self.wait_events(recipient, count, seconds)]

    def transactions(self, recipient):
        """What the sink saw of a recipient, accepted or refused, once it has written it down."""
        return [r for r in self.trial.sink.records() if recipient in r["to"] or recipient in r.get("refused", ())]

    def wait_transactions(self, recipient, count=1):
        return wait_for(lambda: (lambda t: t if len(t) >= count else None)(self.transactions(recipient)),
                        lambda: "%d transactions for %s" % (count, recipient), 60, 0.05)

    def lines_of(self, recipient):
        """The delivery log's lines of a recipient."""
        text = self.trial.local["egress"].log.read_text(errors="replace")
        return [line for line in text.splitlines() if "event=attempt" in line and "recipient=%s " % recipient in line]
