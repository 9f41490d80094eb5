"""Scenario 50: greylisting and an MX host that does not answer need a second attempt, a domain may change its provider: each RCPT command
takes a grant of the provider that it is sent to, and a connection that is refused takes none."""
import pathlib
import tempfile

from scenario import MAIL, submission, unittest, wait_for
from warmup import GOOGLE, RECORDS, Warming

GREYLIST = """
rules:
  - {name: greylist, match: {domain: grey.d.test}, first: 1, per: recipient, rcpt: "451 4.7.1 Greylisted, come back later"}
"""
# The first MX of fall.d.test refuses connections: nobody listens there.
FALL_THROUGH = ["fall.d.test. MX 5 shut.test.", "fall.d.test. MX 10 sink.test.", "shut.test. A 127.0.0.9"]


class Grants(Warming):
    @classmethod
    def setUpClass(cls):
        script = pathlib.Path(tempfile.mkstemp(suffix=".yaml")[1])
        script.write_text(GREYLIST)
        cls.addClassCleanup(script.unlink)
        cls.sink = {"script": script}
        super().setUpClass()
        cls.trial.change_records(*RECORDS, *FALL_THROUGH)

    def attempted(self, provider="other"):
        return int(self.trial.local.sql("select coalesce(sum(attempted), 0) from warmup_ledger where provider = '%s'" % provider)[0][0])

    def tries_of(self, recipient, count):
        """Its RCPT commands, once there are so many: a transaction that came to nothing is recorded when its connection goes on or ends."""
        def seen():
            records = [r for r in self.trial.sink.records() if recipient in r["to"] + r["refused"]]
            return records if len(records) >= count else None
        return wait_for(seen, "%d tries" % count, 60, 0.2)

    def test_1_greylisting_takes_a_second_grant(self):
        before = self.attempted()
        self.client.submit(submission(MAIL, "once@grey.d.test", stream="letters"))
        self.trial.wait_empty(60)
        records = self.tries_of("once@grey.d.test", 2)
        self.assertEqual(sorted(bool(r["refused"]) for r in records), [False, True])
        self.assertTrue(all(r["src"].startswith("127.0.0.13:") for r in records))
        wait_for(lambda: self.attempted() == before + 2, "two attempts in the ledger", 30, 0.2)

    def test_2_an_mx_host_that_does_not_answer_costs_no_grant(self):
        before = self.attempted()
        self.client.submit(submission(MAIL, "u@fall.d.test", stream="letters"))
        self.trial.wait_empty(60)
        records = self.tries_of("u@fall.d.test", 1)
        self.assertEqual(len(records), 1)
        wait_for(lambda: self.attempted() == before + 1, "one attempt in the ledger", 30, 0.2)

    def test_3_a_domain_that_changes_its_provider_takes_grants_of_the_new_one(self):
        self.trial.change_records(*RECORDS, *FALL_THROUGH, "moves.y.test. 5 MX 10 mx.rig.google.com.")

        def moved():
            self.feed(0.5, domains=("y.test",))
            self.client.submit(submission(MAIL, "u@moves.y.test", stream="marketing"))
            self.trial.wait_empty(30)
            return any(r["dst"].startswith(GOOGLE + ":") for r in self.trial.sink.records() if "u@moves.y.test" in r["to"])
        wait_for(moved, "the domain at its new provider", 90, 0.1)
        # Had a grant of the one been used at the other, some day would have too many.
        self.check_caps()

    def test_4_no_day_had_more_than_its_caps_and_the_ledger_counted_each_rcpt(self):
        self.check_caps()
        for provider, host in (("google", "127.0.0.3"), ("yahoo", "127.0.0.4"), ("other", "127.0.0.2")):
            wait_for(lambda: self.attempted(provider) == self.by("127.0.0.13", host), "the ledger to say what the sink says of " + provider, 30, 0.2)


if __name__ == "__main__":
    unittest.main()
