"""One content goes once to many recipients of a path, up to the policy's limit; a peer that takes fewer gets the rest in further
transactions, at once; what was lost after the dot is a possible duplicate for each."""
from peers import QUICK, Peers
from scenario import unittest

SCRIPT = """
rules:
  - {match: {domain: lost.test}, first: 1, dot: close}
"""
LIMIT = QUICK + "shaping:\n  - {match: {}, connections: 1, recipients_per_transaction: 25}\n"


class Shared(Peers):
    script = SCRIPT
    policy = LIMIT
    records = ("shared.test. MX 10 sink.test.", "lost.test. MX 10 l.test.", "l.test. A 127.0.0.2")

    def test_a_hundred_recipients_take_few_transactions_and_each_has_its_event(self):
        to = ["u%d@shared.test" % i for i in range(100)]
        self.send(to)
        for address in to:
            (event,) = self.wait_events(address)
            self.assertEqual(event["kind"], "delivered")
        records = [r for r in self.trial.sink.records() if r["to"] and r["to"][0].endswith("@shared.test")]
        self.assertEqual(sorted(a for r in records for a in r["to"]), sorted(to))
        self.assertLessEqual(max(len(r["to"]) for r in records), 25)
        self.assertLess(len(records), 60, "how many depends on when releases come; singly would be 100")

    def test_a_connection_lost_after_the_dot_concerns_every_recipient(self):
        to = ["u%d@lost.test" % i for i in range(10)]
        self.send(to)
        for address in to:
            self.assertEqual(self.wait_events(address, 1)[0]["kind"] in ("delivered", "deferred"), True)
        lost = [r for r in self.wait_transactions("u0@lost.test") + self.trial.sink.records() if r["reached"] == "dot"]
        for address in lost[0]["to"]:
            first, second = self.wait_events(address, 2)
            self.assertEqual((first["kind"], first["possible_duplicate"], second["kind"]), ("deferred", True, "delivered"))


if __name__ == "__main__":
    unittest.main()
