"""A site whose hosts refuse every connection costs a few attempts, not one for each message that waits for it; others go on; it is
told; once the hosts are back a retry brings the mail out, each once."""
import time

from scenario import AT_FULL_SPEED, MAIL, Scenario, submission, unittest, wait_for
from trial import Sink

DOWN = "127.0.0.99"
COUNT = 400
RETRY_EVERY = 2  # Seconds: egress may answer a probe from its memory of the host.


class DownSite(Scenario):
    options = {"policy": AT_FULL_SPEED, "records": ["down.test. MX 10 nobody.test.", "nobody.test. A " + DOWN]}

    def down_paths(self):
        return self.metric("sluice_scheduler_down_paths_count")

    def explained(self):
        return self.trial.local.ctl("explain", "--tenant", "shop", "--stream", "transactional", "--from", "news@shop.example",
                                    "--to", "you@down.test").stdout

    def test_it_rests_and_all_of_its_mail_leaves_once(self):
        self.client.submit_many(submission(MAIL, "u%d@down.test" % i, stream="transactional") for i in range(COUNT))
        wait_for(lambda: self.down_paths() == 2, lambda: "both paths down (%s)" % self.down_paths(), 30, 0.1)
        self.assertIn("cannot connect", self.explained())
        untried = int(self.trial.local.sql("select count(*) from queue_entry where domain = 'down.test' and attempts = 0")[0][0])
        self.assertGreater(untried, COUNT // 2, "most of it waits without an attempt")

        before = self.trial.sink.accepted()
        self.client.submit(submission(MAIL, "you@up.d.test", stream="transactional"))
        self.trial.wait_accepted(before + 1)

        back = Sink(self.trial, self.trial.local.smtp_port, recording="none", tokens=0, hosts=(DOWN,))
        self.trial.children.append(back)
        retried = 0

        def all_left():
            nonlocal retried
            if time.monotonic() > retried + RETRY_EVERY:
                self.trial.local.ctl("retry", "--domain", "down.test", "--wait")
                retried = time.monotonic()
            return back.accepted() >= COUNT
        wait_for(all_left, lambda: "all mail of the site (%d of %d)" % (back.accepted(), COUNT), 120, 0.1)
        self.trial.wait_empty()
        self.assertEqual(back.accepted(), COUNT)
        self.assertEqual(self.down_paths(), 0)


if __name__ == "__main__":
    unittest.main()
