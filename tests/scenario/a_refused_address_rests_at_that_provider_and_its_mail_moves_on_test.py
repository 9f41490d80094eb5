"""Scenario 51: a reply that refuses the warming address rests it at that provider within seconds, and only there; its mail leaves by the
overflow without waiting, over the change of days, too; a person lets it go on."""
import pathlib
import tempfile
import time

from scenario import unittest, wait_for
from warmup import GOOGLE, YAHOO, Warming

# At RCPT, so that it meets connections that are open already, too.
REFUSES = """
rules:
  - {name: refuses, match: {listener: 127.0.0.3, source: 127.0.0.13}, rcpt: '550 5.7.28 unusual rate of unsolicited mail originating from your IP address'}
"""


class Refused(Warming):
    @classmethod
    def setUpClass(cls):
        cls.script = pathlib.Path(tempfile.mkstemp(suffix=".yaml")[1])
        cls.script.write_text("rules: []\n")
        cls.addClassCleanup(cls.script.unlink)
        cls.sink = {"script": cls.script}
        super().setUpClass()

    def suspended(self):
        return self.trial.local.sql("select provider from warmup_state where suspended_until > now()")

    def test_1_it_is_suspended_there_and_only_there(self):
        self.script.write_text(REFUSES)
        self.trial.sink.reload()
        refused = lambda: self.by("127.0.0.13", GOOGLE) > 0  # noqa: E731
        wait_for(lambda: self.feed(0.5) and refused(), "the first refusal", 60, 0.1)
        before = time.time()
        wait_for(lambda: self.suspended() == [["google"]], "the suspension of google, and of nobody else", 30, 0.1)
        self.assertLess(time.time() - before, 15)
        history = self.ctl("history", "ip-13", "--provider", "google").stdout
        self.assertIn("suspend (refused)", history)
        self.assertIn("550 5.7.28", history, "what was seen")
        self.assertIn("suspended until", self.ctl("status", "ip-13").stdout)

    def test_2_its_mail_leaves_by_the_overflow_without_waiting_over_the_change_of_days(self):
        before = len(self.trial.sink.records())
        end = (self.this_day() + 1.3) * self.day
        while time.time() < end:
            self.assertLess(self.feed(2), 5, "mail to google leaves by the warm pool")
        self.assertEqual(self.by("127.0.0.13", GOOGLE, before), 0)
        self.assertGreater(self.by("127.0.0.13", YAHOO, before), 0)

    def test_3_a_person_lets_it_go_on(self):
        self.ctl("resume", "ip-13", "--provider", "google", "--reason", "they took it off their list")
        self.assertEqual(self.suspended(), [])
        self.assertEqual(self.trial.local.sql("select stopped_until > now() from warmup_ledger where provider = 'google' order by day desc limit 1"), [["f"]])
        # The constraint of the refusal stands and is known: it suspends nobody again, not on the next day either.
        self.assertEqual(self.trial.local.sql("select count(*) from sending_constraint where cause = 'automation' and until > now()"), [["1"]])
        self.wait_day(self.this_day() + 1, 0.3)
        self.assertEqual(self.suspended(), [])


if __name__ == "__main__":
    unittest.main()
