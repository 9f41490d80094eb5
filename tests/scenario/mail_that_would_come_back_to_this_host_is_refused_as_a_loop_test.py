"""Scenario 6: an MX host on loopback or on an address of ours is a loop, 5.4.4, and nothing is connected to. (All trials but this
one run with `testing`, which allows loopback.)"""
from peers import Peers
from scenario import unittest


class Loop(Peers):
    egress = {"testing": False}
    records = ("home.test. MX 10 here.test.", "here.test. A 127.0.0.1", "own.test. MX 10 ours.test.", "ours.test. A 127.0.0.11")

    def test_loopback_and_our_own_address_bounce(self):
        for domain in ("home.test", "own.test"):
            self.send("u@" + domain)
            (event,) = self.wait_events("u@" + domain)
            self.assertEqual((event["kind"], event["stage"], event["enhanced_status"]), ("bounced", "dns", "5.4.4"))
            self.assertIn("loops back", event["reply"])
        self.assertEqual(self.trial.sink.stats()["total"]["connected"], 0)


if __name__ == "__main__":
    unittest.main()
