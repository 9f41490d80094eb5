"""Scenarios 48 and 49: each provider has its own cap; what is above it leaves by the warm pool without delay, or waits where there is none,
visibly and with an ETA; a restart in mid-day keeps the count."""
import re

from scenario import unittest, wait_for
from warmup import GOOGLE, YAHOO, Warming


class Warmup(Warming):
    def test_1_gmail_is_full_while_yahoo_goes_on_and_the_rest_leaves_by_the_warm_pool_at_once(self):
        left = self.feed(self.day * 1.2)
        self.assertLess(left, 5, "nothing waited")
        self.check_caps()
        google, yahoo = self.by("127.0.0.13", GOOGLE), self.by("127.0.0.13", YAHOO)
        self.assertGreater(google, 0)
        self.assertGreater(yahoo, 3 * google)
        self.assertGreater(self.by("127.0.0.11", GOOGLE), 20, "the overflow")
        for name in ("stage_count", "cap_count", "used_count", "accepted_count", "decisions_total", "overflow_total"):
            wait_for(lambda: self.metric("sluice_warmup_" + name) > 0, name, 30, 0.2)

    def test_2_a_restart_in_mid_day_keeps_the_count(self):
        day = self.this_day() + 1
        self.wait_day(day, 0.2)
        self.feed(self.day * 0.2)
        sent = self.rcpts()
        self.assertGreater(sent[day, "127.0.0.13", YAHOO], 0, "something to be kept")
        self.trial.local["scheduler"].kill()
        self.trial.local["scheduler"].start()
        self.feed(self.day * 0.2)
        self.check_caps()
        rows = self.trial.local.sql("select granted - returned, cap from warmup_ledger where cap is not null")
        self.assertTrue(all(int(used) <= int(cap) for used, cap in rows), rows)
        for host in (GOOGLE, YAHOO):
            self.assertGreaterEqual(self.used(day, host), sent[day, "127.0.0.13", host], "what was sent before still counts")

    def test_3_mail_without_an_overflow_waits_and_says_until_about_when(self):
        self.submit(6, "g.test", stream="letters")

        def waits():
            row = [line for line in self.ctl("status", "ip-13", "--provider", "google").stdout.splitlines() if " google " in line]
            return re.search(r"(\d+), until about (\d\S+)", row[0]) if row else None
        found = wait_for(waits, "how many wait, and until when", 30, 0.2)
        self.assertLessEqual(int(found.group(1)), 6)
        told = self.trial.local.ctl("explain", "--tenant", "shop", "--from", "news@shop.example", "--to", "u@d1.g.test", "--stream", "letters").stdout
        self.assertRegex(told, r"waits for: an allowance of warming source ip-13: \d of 5 used today, the next about \d.*; \d+ wait, the last until about \d")
        self.assertGreater(self.metric("sluice_warmup_waiting_count"), 0)
        self.trial.wait_empty(90)
        wait_for(lambda: self.metric("sluice_warmup_waiting_count") == 0, "nobody waiting", 10)
        self.assertGreater(self.metric("sluice_warmup_wait_seconds_count"), 0)
        wait_for(lambda: self.trial.local.sql("select count(*) from warmup_waiting") == [["0"]], "nobody waiting in the table", 15)
        self.check_caps()

    def test_4_bad_orders_are_refused_with_their_cure(self):
        for arguments, cure in ((["set-stage", "ip-13", "--stage", "99"], "stages 1 to 2"), (["skip", "ip-13"], "say why"),
                                (["hold", "ip-99"], "does not warm up"), (["start", "ip-13", "--date", "soon"], "YYYY-MM-DD")):
            result = self.ctl(*arguments, check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn(cure, result.stderr)

    def test_5_in_a_mixed_pool_it_takes_its_share_up_to_its_cap_and_nothing_waits(self):
        before = len(self.trial.sink.records())
        self.assertLess(self.feed(6, stream="both"), 5)
        google, yahoo = ((self.by("127.0.0.11", host, before), self.by("127.0.0.13", host, before)) for host in (GOOGLE, YAHOO))
        self.assertGreater(google[0], 3 * google[1], "beyond the cap it is the other's")
        self.assertGreater(yahoo[1], 5)
        self.assertGreater(yahoo[0], yahoo[1] / 2, "and the other has its own share")
        self.check_caps()


if __name__ == "__main__":
    unittest.main()
