"""Scenarios 11 to 15: whatever a host says before MAIL speaks of the host: another one is tried, or the mail waits; it never
bounces. A host that knows no EHLO gets HELO, and each source says its own name."""
from peers import Peers
from scenario import unittest

SCRIPT = """
rules:
  - {match: {listener: 127.0.0.3}, banner: "421 4.3.2 too busy"}
  - {match: {listener: 127.0.0.4}, banner: "554 5.7.1 go away"}
  - {match: {listener: 127.0.0.5}, banner: {delay: 300s, reply: "220 late"}}
  - {match: {listener: 127.0.0.6}, without: [EHLO]}
  - {match: {listener: 127.0.0.7}, ehlo: "550 5.7.1 your name is no good"}
"""


class Greetings(Peers):
    script = SCRIPT
    hosts = tuple("127.0.0.%d" % n for n in range(2, 8))
    egress = {"smtp.timeout.banner": "1s"}
    records = (*("h%d.test. A 127.0.0.%d" % (n, n) for n in range(3, 8)), *("only%d.test. MX 10 h%d.test." % (n, n) for n in range(3, 8)),
               *("both%d.test. MX 10 h%d.test." % (n, n) for n in range(3, 8)), *("both%d.test. MX 20 sink.test." % n for n in range(3, 8)))

    def only(self, number):
        to = "u@only%d.test" % number
        self.send(to)
        return self.wait_events(to)[0]

    def test_a_refusing_banner_is_the_hosts_affair(self):
        for number, code, reply_class in ((3, 421, "remote_sys"), (4, 554, "block_ip")):
            event = self.only(number)
            self.assertEqual((event["kind"], event["stage"], event["reply_code"], event["reply_class"]),
                             ("deferred", "banner", code, reply_class))

    def test_a_banner_that_never_comes_is_waited_for_no_longer_than_its_timeout(self):
        event = self.only(5)
        self.assertEqual((event["kind"], event["stage"], event["reply_code"], event["enhanced_status"]),
                         ("deferred", "banner", 0, "4.4.2"))

    def test_a_policy_refusal_at_ehlo_defers(self):
        event = self.only(7)
        self.assertEqual((event["kind"], event["stage"], event["reply_code"]), ("deferred", "ehlo", 550))

    def test_the_next_host_takes_what_one_of_them_would_not_greet(self):
        for number in (3, 4, 5, 7):
            to = "u@both%d.test" % number
            self.send(to)
            (event,) = self.wait_events(to)
            self.assertEqual((event["kind"], event["attempt"], event["mx_host"]), ("delivered", 1, "sink.test"))

    def test_a_host_without_ehlo_gets_helo_and_each_source_its_name(self):
        self.assertEqual(self.only(6)["kind"], "delivered")
        (record,) = self.wait_transactions("u@only6.test")
        source = record["src"].rsplit(":", 1)[0]
        self.assertEqual(record["ehlo"], {"127.0.0.11": "mta11.shop.example", "127.0.0.12": "mta12.shop.example"}[source])


if __name__ == "__main__":
    unittest.main()
