"""Scenario 51: a reply that refuses the warming address rests it at that provider within seconds, and only there; its mail leaves by the
overflow without waiting, over the change of days, too; a person lets it go on, and only a new refusal rests it again. A listing rests it
everywhere until it is delisted."""
import pathlib
import tempfile
import time

from scenario import unittest, wait_for
from warmup import GOOGLE, HOSTS, POLICY, RECORDS, YAHOO, Warming

# At RCPT, so that it meets connections that are open already, too.
REFUSES = """
rules:
  - {name: refuses, match: {listener: 127.0.0.3, source: 127.0.0.13}, rcpt: '550 5.7.28 unusual rate of unsolicited mail originating from your IP address'}
"""
FREE = "rules: []\n"
ZEN = "zen.spamhaus.org"
ZEN_LIVES = ["2.0.0.127.%s. 1 A 127.0.0.2" % ZEN]
LISTED = ["13.0.0.127.%s. 1 A 127.0.0.3" % ZEN, "13.0.0.127.%s. 1 TXT \"https://check.spamhaus.org/q/127.0.0.13\"" % ZEN]
HEALTH = """
health:
  - {rule: listed_critical, rest: 2s, probe_every: 1s, probes: 2}
"""


class Refused(Warming):
    policy = POLICY + HEALTH
    records = RECORDS + ZEN_LIVES
    dns = ["--ttl", "1"]

    @classmethod
    def scheduler(cls, local):
        return {**super().scheduler(local), "reputation.resolvers": [local.dns.replace(":", "@")], "reputation.lists_every": "500ms",
                "reputation.confirm_after": "2s"}

    @classmethod
    def setUpClass(cls):
        cls.script = pathlib.Path(tempfile.mkstemp(suffix=".yaml")[1])
        cls.script.write_text(FREE)
        cls.addClassCleanup(cls.script.unlink)
        cls.sink = {"script": cls.script}
        super().setUpClass()

    def answer(self, script):
        self.script.write_text(script)
        self.trial.sink.reload()

    def suspended(self):
        """Where it may not send, in order."""
        return [row[0] for row in self.trial.local.sql("select provider from warmup_state where suspended_until > now() order by provider")]

    def told(self, what):
        """Events of warmup that begin with this."""
        return self.trial.local.sql("select provider, detail from event where kind = 'warmup_judged' and source = 'ip-13' and "
                                    "detail like '%s%%'" % what)

    def goes_on(self, host, since):
        return self.feed(0.5) and self.by("127.0.0.13", host, since) > 0

    def test_1_it_is_suspended_there_and_only_there(self):
        self.answer(REFUSES)
        wait_for(lambda: self.goes_on(GOOGLE, 0), "the first refusal", 60, 0.1)
        before = time.time()
        wait_for(lambda: self.suspended() == ["google"], "the suspension of google, and of nobody else", 30, 0.1)
        self.assertLess(time.time() - before, 15)
        history = self.ctl("history", "ip-13", "--provider", "google").stdout
        self.assertIn("suspend (refused)", history)
        self.assertIn("550 5.7.28", history, "what was seen")
        self.assertIn("suspended until", self.ctl("status", "ip-13").stdout)
        wait_for(lambda: self.told("suspend (refused)"), "the event for subscribers", 30, 0.1)

    def test_2_its_mail_leaves_by_the_overflow_without_waiting_over_the_change_of_days(self):
        before = time.time()
        end = (self.this_day() + 1.3) * self.day
        while time.time() < end:
            self.assertLess(self.feed(2), 5, "mail to google leaves by the warm pool")
        self.assertEqual(self.by("127.0.0.13", GOOGLE, after=before), 0)
        self.assertGreater(self.by("127.0.0.13", YAHOO, after=before), 0)
        # What was refused itself has left by the warm pool soon after.
        records = self.trial.sink.records()
        moved = {to: r["t"] for r in records if r["src"].startswith("127.0.0.11:") for to in r["to"]}
        refused = {to: r["t"] for r in records for to in r["refused"]}
        self.assertTrue(refused)
        for recipient, at in refused.items():
            self.assertLess(moved[recipient] - at, 15, recipient)
        self.assertEqual(self.trial.local.sql("select count(*) from event where kind = 'bounced'"), [["0"]])

    def test_3_a_person_lets_it_go_on_and_what_was_seen_before_suspends_it_no_more(self):
        self.answer(FREE)
        before = len(self.trial.sink.records())
        self.ctl("resume", "ip-13", "--provider", "google", "--reason", "they took it off their list")
        self.assertEqual(self.suspended(), [])
        self.assertEqual(self.trial.local.sql("select stopped_until > now() from warmup_ledger where provider = 'google' order by day desc limit 1"), [["f"]])
        self.assertEqual(self.trial.local.sql("select count(*) from sending_constraint where cause = 'automation' and until > now()"), [["0"]],
                         "what the refusal had made is lifted with it")
        wait_for(lambda: self.goes_on(GOOGLE, before), "mail to google by it again", 60, 0.1)
        self.wait_day(self.this_day() + 1, 0.3)
        self.assertEqual(self.suspended(), [])
        history = self.ctl("history", "ip-13", "--provider", "google").stdout
        self.assertIn("they took it off their list; lifts google_blocks_source", history)
        wait_for(lambda: len(self.told("order (resume)")) == 1, "the event", 30, 0.1)
        self.assertEqual(self.trial.local.sql("select count(*) from audit_log where method = 'UpdateWarmup' and request::text like '%resume ip-13 google%'"),
                         [["1"]])
        self.check_caps()

    def test_4_the_next_refusal_suspends_it_again(self):
        self.answer(REFUSES)
        wait_for(lambda: self.feed(0.5) and self.suspended() == ["google"], "the suspension", 60, 0.1)

    def test_5_a_listing_is_confirmed_suspends_it_everywhere_and_lets_it_go_when_it_ends(self):
        self.trial.change_records(*self.records, *LISTED)
        wait_for(lambda: self.suspended() == ["google", "other", "yahoo"], "the suspension", 60, 0.1)
        (signal,) = self.trial.local.sql("select word, positives from reputation_signal where name = '%s' and source = 'ip-13'" % ZEN)
        self.assertEqual(signal[0], "listed_critical")
        self.assertGreaterEqual(int(signal[1]), 2, "one answer is not enough")
        history = self.ctl("history", "ip-13", "--provider", "yahoo").stdout
        for text in ("suspend (listed)", ZEN, "SBL CSS"):
            self.assertIn(text, history, "what was seen and decided")
        wait_for(lambda: {row[0] for row in self.told("suspend (listed)")} == {"other", "yahoo"}, "the events", 30, 0.1)
        before, listed_at = len(self.trial.sink.records()), time.time()
        self.assertLess(self.feed(2), 5, "its mail leaves by the warm pool")
        self.assertEqual([self.by("127.0.0.13", host, after=listed_at) for host in HOSTS], [0, 0, 0])

        self.trial.change_records(*self.records)
        wait_for(lambda: self.suspended() == ["google"], "the end of what the listing had made, and of nothing else", 60, 0.1)
        self.assertIn("resume (delisted)", self.ctl("history", "ip-13", "--provider", "yahoo").stdout)
        wait_for(lambda: {row[0] for row in self.told("resume (delisted)")} == {"other", "yahoo"}, "the events", 30, 0.1)
        wait_for(lambda: self.goes_on(YAHOO, before), "mail by it again, once its probes were accepted", 90, 0.1)
        self.check_caps()


if __name__ == "__main__":
    unittest.main()
