"""Scenarios 41, 42, 44 and 45: expiry is told, a first attempt is never early, what waits is cancelled, bounced, moved and
retried by operations that end."""
import json
import time

from scenario import MAIL, POLICY, Scenario, submission, unittest, wait_for

from google.protobuf.timestamp_pb2 import Timestamp


def at(seconds):
    stamp = Timestamp()
    stamp.FromMicroseconds(int((time.time() + seconds) * 1_000_000))
    return stamp


class Operations(Scenario):
    options = {"policy": POLICY}

    def wait_events(self, kind, campaign, count):
        def found():
            rows = self.trial.local.sql("select recipient, source from event where kind = '%s' and campaign = '%s'" % (kind, campaign))
            return rows if len(rows) >= count else None
        return wait_for(found, "%d events %s of %s" % (count, kind, campaign), 60, 0.1)

    def submit_later(self, campaign, count, seconds=3600):
        for i in range(count):
            self.client.submit(submission(MAIL, "u%d@%s.d.test" % (i, campaign), stream="marketing", campaign=campaign,
                                          first_attempt_at=at(seconds)))

    def operation(self, *arguments):
        answer = json.loads(self.trial.local.ctl(*arguments, "--wait", "--json").stdout)
        self.assertTrue(answer["ended_at"], answer)
        return int(answer["done_count"]), int(answer["too_late_count"])

    def test_a_campaign_is_cancelled_and_the_others_stay(self):
        self.submit_later("stay", 3)
        self.submit_later("gone", 5)
        self.assertEqual(self.operation("cancel", "--campaign", "gone", "--reason", "wrong price"), (5, 0))
        self.assertEqual(len(self.wait_events("cancelled", "gone", 5)), 5)
        self.assertEqual(self.trial.local.sql("select count(*) from queue_entry where campaign = 'stay'"), [["3"]])
        audit = self.trial.local.sql("select request from audit_log where method = 'StartOperation'")
        self.assertTrue(any("wrong price" in row[0] for row in audit), audit)
        listed = self.trial.local.ctl("operations", "list").stdout
        self.assertIn("campaign=gone", listed)

    def test_a_domain_is_bounced(self):
        self.submit_later("bad", 2)
        self.assertEqual(self.operation("bounce", "--domain", "bad.d.test"), (2, 0))
        self.assertEqual(len(self.wait_events("bounced", "bad", 2)), 2)

    def test_what_is_moved_leaves_through_the_other_pool(self):
        self.submit_later("move", 4)
        self.assertEqual(self.operation("move", "--campaign", "move", "--to", "warm"), (4, 0))
        self.assertEqual(self.operation("retry", "--campaign", "move"), (4, 0))
        sources = {row[1] for row in self.wait_events("delivered", "move", 4)}
        self.assertLessEqual(sources, {"ip-11", "ip-12"})

    def test_a_scheduled_first_attempt_is_not_early(self):
        due = time.time() + 3
        self.submit_later("due", 1, 3)
        self.wait_events("delivered", "due", 1)
        (row,) = self.trial.local.sql("select micros(occurred_at) from event where kind = 'delivered' and campaign = 'due'")
        self.assertGreaterEqual(int(row[0]) / 1e6, due - 0.5)

    def test_an_order_without_a_filter_or_for_an_unknown_pool_is_refused_with_its_cure(self):
        self.assertIn("name what is meant", self.trial.local.ctl("cancel", check=False).stderr)
        self.assertIn("no pool", self.trial.local.ctl("move", "--tenant", "shop", "--to", "nowhere", check=False).stderr)

    def test_the_queue_is_listed_and_summed_up(self):
        self.submit_later("listed", 2)
        listed = json.loads(self.trial.local.ctl("queue", "list", "--campaign", "listed", "--json").stdout)
        self.assertEqual(sorted(e["recipient"] for e in listed["entries"]), ["u0@listed.d.test", "u1@listed.d.test"])
        top = json.loads(self.trial.local.ctl("queue", "top", "--by", "campaign", "--json").stdout)
        self.assertIn(("listed", "2"), [(g["name"], str(g["entries"])) for g in top["groups"]])


if __name__ == "__main__":
    unittest.main()
