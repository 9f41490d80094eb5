"""A tenant's `pending`: what would exceed it is refused with the limit and the cure, whatever restarts; others are not concerned; when
mail has left, there is room again."""
import time

from scenario import MAIL, Scenario, grpc, submission, unittest, wait_for

POLICY = """
tenants:
  - {name: shop, streams: [marketing], sender_domains: [shop.example], pending: 60}
  - {name: other, streams: [marketing], sender_domains: [shop.example]}
streams:
  - {name: marketing}
sources:
  - {name: ip-11, address: 127.0.0.11, ehlo: mta11.shop.example}
pools:
  - {name: warm, members: [{source: ip-11}]}
routes:
  - {match: {}, pool: warm}
"""
QUOTA = 60


class Quota(Scenario):
    options = {"policy": POLICY, "records": ["*.q.test. MX 10 mx.q.test.", "mx.q.test. A 127.0.0.2"]}

    def test_it_holds_and_frees(self):
        local = self.trial.local
        local.ctl("suspend", "--domain", "held.q.test", "--reason", "to see the quota")
        accepted = [o for o in self.client.submit_many(submission(MAIL, "u%d@held.q.test" % i, stream="marketing") for i in range(100))
                    if not o.HasField("error")]
        self.assertLessEqual(len(accepted), QUOTA)
        # What was taken a moment ago may count twice for a moment.
        wait_for(lambda: self.outcome() != "accepted" and self.waiting() >= QUOTA, "the quota to be used whole", 60, 0.2)
        self.assertEqual(self.waiting(), QUOTA)
        error = self.refused(grpc.StatusCode.RESOURCE_EXHAUSTED, self.client.submit, submission(MAIL, "more@held.q.test", stream="marketing"))
        self.assertIn("tenant 'shop'", error.details())
        self.assertIn("pending: 60", error.details())
        self.trial.client("other").submit(submission(MAIL, "u@held.q.test", stream="marketing"))
        wait_for(lambda: local.sql("select sum(entries) from tenant_pending where tenant = 'shop'") == [[str(QUOTA)]], "the count", 30, 0.1)
        for name in ("scheduler", "ingest"):
            local[name].kill()
            local[name].start()
        self.client = self.trial.client("shop")
        # A new ingest takes nothing before it knows what waits; nor does one whose scheduler has yet to count.
        begin, tries = time.monotonic(), 0
        while time.monotonic() - begin < 3 or tries < 5:
            tries += self.outcome() == "RESOURCE_EXHAUSTED"
            self.assertNotEqual(self.outcome(), "accepted")
        local.ctl("cancel", "--tenant", "shop", "--reason", "seen")
        wait_for(lambda: self.waiting() == 0, "the queue of the tenant to be empty", 60, 0.1)
        wait_for(lambda: self.outcome() == "accepted", "room again", 60, 0.1)

    def waiting(self):
        return int(self.trial.local.sql("select count(*) from queue_entry where tenant = 'shop'")[0][0])

    def outcome(self):
        try:
            self.client.submit(submission(MAIL, "more@held.q.test", stream="marketing"))
            return "accepted"
        except grpc.RpcError as error:
            return error.code().name


if __name__ == "__main__":
    unittest.main()
