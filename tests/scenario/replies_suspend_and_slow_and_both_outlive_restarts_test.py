"""Replies have consequences: a rule suspends one source at one provider for its time, and a provider that wants less gets less and
then more again. Both are constraints with evidence, which outlive egress and scheduler."""
import json
import time

from scenario import MAIL, Scenario, submission, unittest, wait_for

POLICY = """
tenants:
  - {name: shop, streams: [marketing], sender_domains: [shop.example]}
  - {name: other, streams: [marketing], sender_domains: [other.example]}
streams:
  - {name: marketing, retry_schedule: quick}
sources:
  - {name: ip-11, address: 127.0.0.11, ehlo: mta11.shop.example}
  - {name: ip-12, address: 127.0.0.12, ehlo: mta12.shop.example}
pools:
  - {name: warm, members: [{source: ip-11}, {source: ip-12}]}
  - {name: single, members: [{source: ip-12}]}
routes:
  - {match: {provider: strict}, pool: warm}
  - {match: {}, pool: single}
providers:
  - {mx_suffix: .strict.test, provider: strict}
  - {mx_suffix: .slow.test, provider: slow}
shaping:
  - {match: {}, connection_rate: 100k/s}
retry_schedules:
  - {name: quick, waits: [1s]}
automation:
  - {match: {provider: strict, reply: 'TSS04'}, when: 2/h, suspend: 2h}
  - {match: {reply: 'no such luck'}, transcode: 450, retry_after: 1h}
  - {match: {reply: 'spammy tenant'}, suspend: 1h, scope: tenant}
"""
RECORDS = ["*.strict.d.test. MX 10 mx.strict.test.", "mx.strict.test. A 127.0.0.2",
           "*.slow.d.test. MX 10 mx.slow.test.", "mx.slow.test. A 127.0.0.2"]
SCRIPT = """
rules:
  - match: {source: 127.0.0.11, domain: "*.strict.d.test"}
    rcpt: "421 4.7.0 [TSS04] Messages temporarily deferred due to user complaints"
  - match: {local: "luck*"}
    rcpt: "550 5.7.1 no such luck today"
  - match: {local: "spam*"}
    rcpt: "421 4.7.1 spammy tenant"
  - match: {domain: "*.slow.d.test"}
    every: 4
    rcpt: "451 4.4.5 Too much mail, slow down"
"""


class Reactions(Scenario):
    @classmethod
    def setUpClass(cls):
        import pathlib
        import tempfile
        script = pathlib.Path(tempfile.mkdtemp(prefix="sluice-script-")) / "script.yaml"
        script.write_text(SCRIPT)
        cls.options = {"policy": POLICY, "records": RECORDS, "sink": {"script": script}}
        super().setUpClass()

    def send(self, count, domain, local="u", client=None):
        for outcome in (client or self.client).submit_many(
                submission(MAIL, "%s%d@%s" % (local, i, domain), stream="marketing") for i in range(count)):
            self.assertFalse(outcome.HasField("error"), outcome.error.message)

    def constraints(self):
        return json.loads(self.trial.local.ctl("constraints", "--json").stdout).get("constraints", [])

    def wait_constraint(self, cause, **scope):
        def found():
            rows = [c for c in self.constraints() if c["cause"] == cause and all(c["scope"].get(k) == v for k, v in scope.items())]
            return rows[0] if rows else None
        return wait_for(found, lambda: "a constraint of %s %s (%s)" % (cause, scope, self.constraints()), 30, 0.1)

    def test_1_two_replies_an_hour_suspend_that_source_at_that_provider_alone(self):
        self.send(40, "a.strict.d.test")
        row = self.wait_constraint("automation", source="ip-11", provider="strict")
        self.assertEqual((row["rule"], row["value"]), ("automation[0]", "suspend"))
        self.assertIn("TSS04", row["evidence"])
        self.assertIn("2 times within 1h", row["evidence"])
        self.trial.wait_recipients(40)
        taken = [r for r in self.trial.sink.records() if r["to"]]
        self.assertEqual({r["src"].split(":")[0] for r in taken}, {"127.0.0.12"}, "all left by the other source in the end")
        told = self.trial.local.ctl("explain", "--tenant", "shop", "--stream", "marketing", "--to", "u@a.strict.d.test").stdout
        self.assertIn("automation", told)

    def test_2_it_outlives_egress_and_scheduler(self):
        for service in ("egress", "scheduler"):
            self.trial.local[service].kill()
        for service in ("scheduler", "egress"):
            self.trial.local[service].start()
        self.trial.local.wait_bound(2)
        before = len(self.trial.sink.records())
        self.wait_constraint("automation", source="ip-11", provider="strict")
        self.send(20, "b.strict.d.test")
        records = self.trial.wait_recipients(20, before)
        self.assertEqual({r["src"].split(":")[0] for r in records}, {"127.0.0.12"})

    def test_3_a_refusal_is_taken_for_another_and_tried_when_the_rule_says(self):
        self.send(1, "c.d.test", "luck")
        wait_for(lambda: self.events("deferred") and any(e[1].startswith("luck") for e in self.events("deferred")), "a deferral", 30, 0.1)
        self.assertFalse([e for e in self.events("bounced") if e[1].startswith("luck")])
        due = self.trial.local.sql("select extract(epoch from due_at - now()) from queue_entry where recipient like 'luck%'")
        self.assertGreater(float(due[0][0]), 3000)

    def test_4_a_tenant_is_suspended_where_a_rule_says_so(self):
        other = self.trial.client("other")
        for outcome in other.submit_many([submission(MAIL.replace(b"shop.example", b"other.example"), "spam@e.d.test", stream="marketing", return_path="a@other.example")]):
            self.assertFalse(outcome.HasField("error"), outcome.error.message)
        row = self.wait_constraint("automation", tenant="other")
        self.assertEqual(row["value"], "suspend")
        before = len(self.trial.sink.records())
        self.send(5, "f.d.test")
        self.trial.wait_recipients(5, before)

    def test_5_a_provider_that_wants_less_gets_less(self):
        self.send(60, "g.slow.d.test")
        row = self.wait_constraint("aimd", source="ip-12", provider="slow")
        self.assertIn("rate=", row["value"])
        self.assertIn("slow down", row["evidence"])
        self.assertRegex(row["evidence"], r"from \d+/h to \d+/h")
        self.trial.local["egress"].kill()
        self.trial.local["egress"].start()
        self.trial.local.wait_bound(2)
        self.wait_constraint("aimd", source="ip-12", provider="slow")


if __name__ == "__main__":
    unittest.main()
