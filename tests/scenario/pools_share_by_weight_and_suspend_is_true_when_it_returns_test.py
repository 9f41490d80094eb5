"""Pools, rotation and constraints: shares hold whatever the queues, orders are true when they return, members change under load."""
import collections
import json
import time

from scenario import MAIL, Scenario, submission, unittest

HEAD = """
tenants:
  - {name: shop, streams: [transactional, marketing], sender_domains: [shop.example]}
streams:
  - {name: transactional}
  - {name: marketing}
sources:
  - {name: ip-11, address: 127.0.0.11, ehlo: mta11.shop.example}
  - {name: ip-12, address: 127.0.0.12, ehlo: mta12.shop.example}
  - {name: ip-13, address: 127.0.0.13, ehlo: mta13.shop.example}
  - {name: ip-14, address: 127.0.0.14, ehlo: mta14.shop.example}
"""
FOUR = HEAD + """
pools:
  - {name: warm, members: [{source: ip-11}, {source: ip-12}, {source: ip-13}, {source: ip-14}]}
routes:
  - {match: {}, pool: warm}
"""
WITHOUT_14 = FOUR.replace(", {source: ip-14}", ", {source: ip-14, weight: 0}")
UNEVEN = FOUR.replace("{source: ip-11}", "{source: ip-11, weight: 5}").replace("{source: ip-12}", "{source: ip-12, weight: 3}")

SIX = HEAD + """  - {name: ip-15, address: 127.0.0.15, ehlo: mta15.shop.example}
  - {name: ip-16, address: 127.0.0.16, ehlo: mta16.shop.example}
pools:
  - {name: warm, members: [%s]}
routes:
  - {match: {}, pool: warm}
""" % ", ".join("{source: ip-%d, weight: %d}" % (11 + i, 6 - i) for i in range(6))


class Pools(Scenario):
    options = {"policy": FOUR}

    def send(self, count, prefix, stream="marketing", one_domain=False):
        for outcome in self.client.submit_many(
                submission(MAIL, "u%d@%s%s.d.test" % (i, prefix, "" if one_domain else i), stream=stream) for i in range(count)):
            self.assertFalse(outcome.HasField("error"), outcome.error.message)

    def picks(self, prefix):
        """Sources in the order in which the entries were released."""
        rows = self.trial.local.sql("select source from event where kind = 'delivered' and recipient like '%%@%s%%' order by attempt_id"
                                    % prefix)
        return [row[0] for row in rows]

    def sent_from(self, prefix):
        """By the address that the sink saw."""
        return collections.Counter(r["src"].rsplit(":", 1)[0] for r in self.trial.sink.records() if "@" + prefix in r["to"][0])

    def check_windows(self, picks, weights, most):
        """In any 100 consecutive picks each source is within `most` of its share."""
        worst = 0.0
        for source, weight in weights.items():
            exact = 100 * weight / sum(weights.values())
            for begin in range(len(picks) - 99):
                worst = max(worst, abs(picks[begin:begin + 100].count(source) - exact))
        print("furthest from the exact share in any 100 consecutive of %d picks: %.2f" % (len(picks), worst))
        self.assertLessEqual(worst, most)

    def test_1_a_thousand_queues_of_one_message_share_four_sources_evenly(self):
        before = len(self.trial.sink.records())
        self.send(1000, "even")
        self.trial.wait_records(before + 1000)
        self.trial.wait_empty()
        picks = self.picks("even")
        shares = {s: n / len(picks) for s, n in collections.Counter(picks).items()}
        print("shares of 1,000 one-message domains:", shares)
        for source in ("ip-11", "ip-12", "ip-13", "ip-14"):
            self.assertAlmostEqual(shares[source], 0.25, delta=0.02)
        self.check_windows(picks, {"ip-11": 1, "ip-12": 1, "ip-13": 1, "ip-14": 1}, 1)
        seen = self.sent_from("even")
        print("seen by the sink:", dict(seen))
        self.assertEqual(sum(seen.values()), 1000)
        for address in ("127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14"):
            self.assertAlmostEqual(seen[address] / 1000, 0.25, delta=0.02)

    def test_2_suspend_is_true_when_it_returns_and_resume_lets_go(self):
        before = len(self.trial.sink.records())
        begin = time.monotonic()
        self.trial.local.ctl("suspend", "--stream", "marketing", "--reason", "test")
        print("suspend returned after %.2f s" % (time.monotonic() - begin))
        self.send(20, "held")
        self.send(20, "free", stream="transactional")
        self.trial.wait_records(before + 20)
        told = self.trial.local.ctl("explain", "--tenant", "shop", "--stream", "marketing", "--to", "u@held1.d.test").stdout
        self.assertIn("on stream=marketing, test", told)
        self.assertFalse(self.picks("held"))
        listed = json.loads(self.trial.local.ctl("constraints", "--json").stdout)["constraints"]
        self.assertEqual([c["scope"]["stream"] for c in listed], ["marketing"])
        self.trial.local.ctl("resume", "--stream", "marketing")
        self.trial.wait_records(before + 40)
        self.trial.wait_empty()

    def test_3_a_suspended_source_is_passed_over_and_a_drained_one_too(self):
        self.trial.local.ctl("suspend", "--source", "ip-13")
        self.send(200, "three")
        self.trial.wait_empty()
        self.assertEqual(set(self.picks("three")), {"ip-11", "ip-12", "ip-14"})
        self.trial.local.ctl("resume", "--source", "ip-13")
        self.trial.apply(WITHOUT_14)
        self.send(200, "drained")
        self.trial.wait_empty()
        self.assertEqual(set(self.picks("drained")), {"ip-11", "ip-12", "ip-13"})
        self.trial.local.ctl("rollback")
        self.send(200, "again")
        self.trial.wait_empty()
        self.assertEqual(set(self.picks("again")), {"ip-11", "ip-12", "ip-13", "ip-14"})

    def test_4_members_change_under_load_without_loss_or_double_sending(self):
        before = len(self.trial.sink.records())
        for round_ in range(6):
            self.send(150, "load%d-" % round_)
            self.trial.apply(WITHOUT_14 if round_ % 2 == 0 else FOUR)
        self.trial.wait_records(before + 900)
        self.trial.wait_empty()
        tokens = [r["to"][0] for r in self.trial.sink.records()[before:]]
        self.assertEqual(len(tokens), 900)
        self.assertEqual(len(set(tokens)), 900)

    def test_5_uneven_weights_hold_under_queues_of_one_message(self):
        self.trial.apply(UNEVEN)
        self.send(600, "uneven")
        self.trial.wait_empty()
        counts = collections.Counter(self.picks("uneven"))
        print("weights 5 3 1 1 over 600:", dict(counts))
        for source, weight in (("ip-11", 5), ("ip-12", 3), ("ip-13", 1), ("ip-14", 1)):
            self.assertAlmostEqual(counts[source], 60 * weight, delta=6)
        self.check_windows(self.picks("uneven"), {"ip-11": 5, "ip-12": 3, "ip-13": 1, "ip-14": 1}, 1)

    def test_6_six_uneven_members(self):
        self.trial.apply(SIX)
        self.send(600, "six")
        self.trial.wait_empty()
        self.check_windows(self.picks("six"), {"ip-%d" % (11 + i): 6 - i for i in range(6)}, 2)


if __name__ == "__main__":
    unittest.main()
