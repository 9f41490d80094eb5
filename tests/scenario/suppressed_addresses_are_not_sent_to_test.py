"""Who is suppressed is refused at submit with a verdict of its own; who is suppressed later, before release, ends without an attempt."""
from scenario import MAIL, Scenario, submission, unittest, wait_for


class Suppressed(Scenario):
    def suppression(self, *words):
        return self.trial.local.ctl("suppression", *words)

    def test_refused_at_submit_as_soon_as_the_order_returned(self):
        self.suppression("add", "no@a.d.test", "--tenant", "shop", "--reason", "complaint")
        answer = self.client.submit(submission(MAIL, ["no@a.d.test", "yes@a.d.test"]))
        self.assertEqual([(v.index, v.reason) for v in answer.refused], [(0, "suppressed")])
        alone = self.client.submit(submission(MAIL, "No@a.d.test"))
        self.assertTrue(alone.message_id)
        self.assertEqual([v.reason for v in alone.refused], ["suppressed"])
        told = "select count(*) from event where kind = 'suppressed' and lower(recipient) = 'no@a.d.test' and tenant = 'shop'"
        wait_for(lambda: self.trial.local.sql(told) == [["2"]], "an event for each suppressed recipient")
        self.suppression("remove", "no@a.d.test", "--tenant", "shop")
        self.assertEqual(len(self.client.submit(submission(MAIL, "no@a.d.test")).refused), 0)
        self.trial.wait_accepted(2)

    def test_suppressed_while_it_waits(self):
        sql = self.trial.local.sql
        later = submission(MAIL, ["waits@b.d.test", "goes@b.d.test"])
        later.first_attempt_at.GetCurrentTime()
        later.first_attempt_at.seconds += 6
        self.assertEqual(len(self.client.submit(later).refused), 0)
        self.suppression("add", "waits@b.d.test")
        kinds = "select recipient, kind, attempt from event where recipient like '%@b.d.test' order by 1"
        wait_for(lambda: len(sql(kinds)) == 2, lambda: "two events, there are %s" % sql(kinds))
        self.assertEqual(sql(kinds), [["goes@b.d.test", "delivered", "1"], ["waits@b.d.test", "suppressed", "0"]])


if __name__ == "__main__":
    unittest.main()
