"""Scenarios 1, 2 and 7: MX hosts are tried in order of preference, equals in random order; one that refuses the connection is
passed over within the same attempt, and when all do, the attempt is deferred with 4.4.1 and made again on schedule."""
from peers import Peers
from scenario import unittest, wait_for

PAIRS = 24  # Domains with two equal hosts each: a coin that falls the same way every time is no coin.


class NextHost(Peers):
    hosts = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
    records = ("first.test. MX 10 down.test.", "first.test. MX 20 sink.test.",
               "alldown.test. MX 10 down.test.", "alldown.test. MX 20 down2.test.",
               "down.test. A 127.0.0.98", "down2.test. A 127.0.0.99",
               *("eq%d.test. MX 10 a%d.eq.test." % (i, i) for i in range(PAIRS)),
               *("eq%d.test. MX 10 b%d.eq.test." % (i, i) for i in range(PAIRS)),
               *("eq%d.test. MX 20 sink.test." % i for i in range(PAIRS)),
               *("a%d.eq.test. A 127.0.0.3" % i for i in range(PAIRS)),
               *("b%d.eq.test. A 127.0.0.4" % i for i in range(PAIRS)))

    def test_the_next_host_gets_the_same_message_and_one_delivery_is_logged(self):
        self.send("u@first.test")
        (event,) = self.wait_events("u@first.test")
        self.assertEqual((event["kind"], event["attempt"], event["mx_host"]), ("delivered", 1, "sink.test"))
        wait_for(lambda: self.lines_of("u@first.test"), "the line of the delivery log", 10, 0.05)
        self.assertEqual(len(self.lines_of("u@first.test")), 1)
        self.assertEqual(len(self.transactions("u@first.test")), 1)
        self.assertEqual(len(self.events_of("u@first.test")), 1)

    def test_when_all_hosts_are_down_it_is_deferred_and_tried_again(self):
        self.send("u@alldown.test")
        events = self.wait_events("u@alldown.test", 2)
        self.assertEqual([(e["kind"], e["stage"], e["enhanced_status"], e["attempt"]) for e in events],
                         [("deferred", "connect", "4.4.1", 1), ("deferred", "connect", "4.4.1", 2)])

    def test_equal_preference_is_taken_at_random_and_a_higher_one_not_at_all(self):
        for number in range(PAIRS):
            self.send("u@eq%d.test" % number)
        hosts = [self.wait_events("u@eq%d.test" % i)[0]["mx_address"] for i in range(PAIRS)]
        self.assertEqual(set(hosts), {"127.0.0.3", "127.0.0.4"})


if __name__ == "__main__":
    unittest.main()
