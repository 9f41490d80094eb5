"""4xx is tried again on schedule, 5xx ends at once, at every stage; each recipient has its own fate."""
import pathlib
import tempfile

from scenario import MAIL, POLICY, Scenario, submission, unittest, wait_for

SCRIPT = """
rules:
  - {name: temp-rcpt, match: {domain: trcpt.d.test}, first: 1, rcpt: "450 4.2.0 greylisted"}
  - {name: temp-dot, match: {domain: tdot.d.test}, first: 1, dot: "452 4.3.1 full"}
  - {name: operators, match: {domain: mine.d.test}, rcpt: "450 4.0.0 Come back never"}
  - {name: blocked, match: {domain: blocked.d.test}, rcpt: "550 5.1.1 Client host blocked using zen.spamhaus.org"}
  - {name: perm-rcpt, match: {domain: prcpt.d.test}, rcpt: "550 5.1.1 no such user"}
  - {name: perm-dot, match: {domain: pdot.d.test}, dot: "554 5.7.1 refused"}
"""

RETRY = """
retry_schedules:
  - {name: quick, waits: [1s]}
reply_rules:
  - {name: mine, pattern: come back NEVER, code: 4xx, reply_class: rcpt_bad, disposition: bounced}
"""


class Replies(Scenario):
    @classmethod
    def setUpClass(cls):
        script = pathlib.Path(tempfile.mkstemp(suffix=".yaml")[1])
        script.write_text(SCRIPT)
        cls.addClassCleanup(script.unlink)
        policy = POLICY.replace("priority: high}", "priority: high, retry_schedule: quick}") + RETRY
        cls.options = {"policy": policy, "sink": {"script": script}}
        super().setUpClass()

    def kinds(self, recipient, count):
        def found():
            rows = self.trial.local.sql("select kind, stage, reply_code, attempt from event where recipient = '%s' order by seq"
                                        % recipient)
            return rows if len(rows) >= count else None
        return wait_for(found, "%d events of %s" % (count, recipient), 60, 0.1)

    def test_temporary_refusals_are_tried_again(self):
        for domain, stage, code in (("trcpt", "rcpt", "450"), ("tdot", "body", "452")):
            to = "u@%s.d.test" % domain
            self.client.submit(submission(MAIL, to))
            self.assertEqual(self.kinds(to, 2), [["deferred", stage, code, "1"], ["delivered", "body", "250", "2"]])

    def test_final_refusals_bounce_once(self):
        for domain, stage, code in (("prcpt", "rcpt", "550"), ("pdot", "body", "554")):
            to = "u@%s.d.test" % domain
            self.client.submit(submission(MAIL, to))
            self.assertEqual(self.kinds(to, 1), [["bounced", stage, code, "1"]])

    def fate(self, to):
        self.client.submit(submission(MAIL, to))
        return wait_for(lambda: self.trial.local.sql(
            "select kind, reply_class from event where recipient = '%s' order by seq" % to), "an event of %s" % to, 60, 0.1)[0]

    def test_the_operators_rule_stands_above_all(self):
        self.assertEqual(self.fate("u@mine.d.test"), ["bounced", "rcpt_bad"])

    def test_a_refusal_of_our_address_is_never_a_bad_recipient(self):
        self.assertEqual(self.fate("u@blocked.d.test"), ["bounced", "dnsbl"])

    def test_a_domain_that_does_not_exist_is_deferred_and_null_mx_bounces(self):
        self.client.submit(submission(MAIL, "u@nowhere.invalid"))
        self.assertEqual(self.kinds("u@nowhere.invalid", 1)[0][:3], ["deferred", "dns", "450"])
        self.client.submit(submission(MAIL, "u@null.test"))
        self.assertEqual(self.kinds("u@null.test", 1)[0][:3], ["bounced", "dns", "556"])


if __name__ == "__main__":
    unittest.main()
