"""Two schedulers share the shards, two egresses the addresses: shares hold over both, an order is true everywhere when it returns, and
members change under load within two seconds, without loss or double sending."""
import collections
import threading
import time

from scenario import MAIL, Scenario, Trial, submission, unittest, wait_for

ADDRESSES = ["127.0.0.%d" % n for n in (11, 12, 13, 14)]


def policy(new=("ip-11", "ip-12", "ip-13", "ip-14"), other=("ip-13",)):
    members = lambda names: ", ".join("{source: %s}" % name for name in names)  # noqa: E731
    return """
tenants:
  - {name: shop, streams: [marketing, transactional], sender_domains: [shop.example]}
streams:
  - {name: marketing}
  - {name: transactional}
sources:
%s
pools:
  - {name: new, members: [%s]}
  - {name: other, members: [%s]}
routes:
  - {match: {stream: marketing}, pool: new}
  - {match: {}, pool: other}
""" % ("\n".join("  - {name: ip-%s, address: %s, ehlo: mta.shop.example}" % (a.rsplit(".", 1)[1], a) for a in ADDRESSES),
       members(new), members(other))


class Together(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.trial = Trial().__enter__()
        cls.addClassCleanup(cls.finish)
        local = cls.trial.prepare()
        for name in ("scheduler", "scheduler-2"):
            local.scheduler(name, shards=4, most_shards=2).start()
        local.ingest().start()
        local.egress("egress", bind_addresses=ADDRESSES[:2]).start()
        local.egress("egress-2", bind_addresses=ADDRESSES[2:]).start()
        cls.trial.apply(policy())
        cls.client = cls.trial.client("shop")
        wait_for(lambda: len({row[0] for row in local.sql("select owner from shard_lease where shard >= 0 and expires_at > now()")}) == 2,
                 "both schedulers to own shards", 60, 0.1)

    def send(self, count, prefix, stream="marketing"):
        for outcome in self.client.submit_many(
                submission(MAIL, "u%d@%s%d.d.test" % (i, prefix, i), stream=stream) for i in range(count)):
            self.assertFalse(outcome.HasField("error"), outcome.error.message)

    def seen(self, prefix):
        """Records of the sink, in the order in which transactions ended."""
        return [r for r in self.trial.sink.records() if "@" + prefix in r["to"][0]]

    def wait_seen(self, prefix, count):
        return wait_for(lambda: (lambda r: r if len(r) >= count else None)(self.seen(prefix)),
                        lambda: "%d records of %s (there are %d)" % (count, prefix, len(self.seen(prefix))), 90, 0.1)

    @staticmethod
    def source(record):
        return record["src"].rsplit(":", 1)[0]

    def check_each_once(self, prefix, count):
        self.wait_seen(prefix, count)
        self.trial.wait_empty()
        recipients = [r["to"][0] for r in self.seen(prefix)]
        self.assertEqual(len(recipients), count)
        self.assertEqual(len(set(recipients)), count)

    def test_1_shares_hold_over_both(self):
        self.send(1000, "even")
        self.check_each_once("even", 1000)
        owners = self.trial.local.sql("select shard, count(*) from event where kind = 'delivered' and recipient like '%@even%' group by 1")
        self.assertGreater(len(owners), 1)
        counts = collections.Counter(map(self.source, self.seen("even")))
        print("1,000 by two schedulers:", dict(counts))
        for address in ADDRESSES:
            self.assertAlmostEqual(counts[address] / 1000, 0.25, delta=0.02)

    def under_load(self, prefix, count, act):
        """`act` while `count` messages are being sent; every one must arrive once."""
        failures = []

        def load():
            try:
                for batch in range(count // 50):
                    self.send(50, "%s%d-" % (prefix, batch))
            except Exception as e:  # noqa: BLE001
                failures.append(e)
        sender = threading.Thread(target=load)
        sender.start()
        try:
            act()
        finally:
            sender.join(120)
        self.assertFalse(failures)
        self.check_each_once(prefix, count)

    def ordered(self, *arguments):
        begin = time.monotonic()
        self.trial.local.ctl(*arguments)
        return time.monotonic() - begin

    def sources_of(self, prefix, count=100):
        """Where messages leave that are submitted now."""
        self.send(count, prefix)
        return collections.Counter(map(self.source, self.wait_seen(prefix, count)))

    def test_2_suspend_is_true_at_both_when_it_returns(self):
        def act():
            self.wait_seen("busy", 50)
            for name in ("ip-11", "ip-13"):
                print("suspend of %s under load returned after %.2f s" % (name, self.ordered("suspend", "--source", name, "--reason", "test")))
            self.assertEqual(set(self.sources_of("held")), {"127.0.0.12", "127.0.0.14"})
            for name in ("ip-11", "ip-13"):
                self.ordered("resume", "--source", name)
            self.assertEqual(set(self.sources_of("resumed")), set(ADDRESSES))
        self.under_load("busy", 1000, act)

    def test_3_members_are_drained_moved_and_added_under_load(self):
        took = []

        def change(**members):
            path = self.trial.dir / "policy.yaml"
            path.write_text(policy(**members))
            took.append(self.ordered("apply", "-f", path))

        def act():
            self.wait_seen("moved", 50)
            change(new=("ip-11", "ip-12"))  # Both of one egress leave …
            self.assertEqual(set(self.sources_of("left")), {"127.0.0.11", "127.0.0.12"})
            change(new=("ip-12", "ip-14"), other=("ip-11",))  # … one comes back, one moves to the other pool …
            self.assertEqual(set(self.sources_of("back")), {"127.0.0.12", "127.0.0.14"})
            self.send(20, "elsewhere", stream="transactional")
            self.assertEqual({self.source(r) for r in self.wait_seen("elsewhere", 20)}, {"127.0.0.11"})
            change()  # … and all are there again.
            self.assertEqual(set(self.sources_of("all")), set(ADDRESSES))
        self.under_load("moved", 1500, act)
        print("policies in force everywhere under load after", ["%.2f s" % t for t in took])
        self.assertLess(min(took), 2)


if __name__ == "__main__":
    unittest.main()
