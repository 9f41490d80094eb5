"""Rates that hold for several sources together, with two schedulers that share them: counted at the sink they are exact in any second and
used whole, edited live, kept over the death of a scheduler; and what they hold back slows nobody else."""
import json
import time

from scenario import MAIL, Scenario, Trial, most_in_any, submission, unittest, wait_for

POLICY = """
tenants:
  - {name: shop, streams: [marketing], sender_domains: [shop.example]}
  - {name: bank, streams: [marketing], sender_domains: [shop.example]}
streams:
  - {name: marketing}
sources:
  - {name: ip-11, address: 127.0.0.11, ehlo: mta11.shop.example}
  - {name: ip-12, address: 127.0.0.12, ehlo: mta12.shop.example}
pools:
  - {name: narrow, members: [{source: ip-11}, {source: ip-12}]}
  - {name: wide, members: [{source: ip-11}, {source: ip-12}]}
routes:
  - {match: {campaign: narrow}, pool: narrow}
  - {match: {}, pool: wide}
shaping:
  - {match: {}, connection_rate: 10k/s, messages_per_connection: 0}
  - {match: {tenant: shop}, rate: %s}
  - {match: {pool: narrow}, rate: 30/s}
"""
RECORDS = ["*.%s.test. MX 10 mx.%s.test." % (name, name) for name in ("tenant", "pool", "free")]
RECORDS += ["mx.%s.test. A 127.0.0.2" % name for name in ("tenant", "pool", "free")]


class SharedRates(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.trial = Trial().__enter__()
        cls.addClassCleanup(cls.finish)
        local = cls.trial.prepare(RECORDS)
        for name in ("scheduler", "scheduler-2"):
            local.scheduler(name, shards=4, most_shards=2).start()
        local.ingest().start()
        local.egress().start()
        cls.trial.apply(POLICY % "20/s")
        cls.shop, cls.bank = cls.trial.client("shop"), cls.trial.client("bank")
        wait_for(lambda: len({row[0] for row in local.sql("select owner from shard_lease where shard >= 0 and expires_at > now()")}) == 2,
                 "both schedulers to own shards", 60, 0.1)
        wait_for(lambda: local.sql("select sum(most) from rate_share where rate_key like 'tenant=shop%'") == [["20"]], "the shares", 30, 0.1)

    @staticmethod
    def send(client, count, site, campaign=""):
        # In small batches, so that both schedulers have some.
        for begin in range(0, count, 20):
            for outcome in client.submit_many(submission(MAIL, "u%d@d%d.%s.test" % (i, i % 7, site), stream="marketing", campaign=campaign)
                                              for i in range(begin, min(begin + 20, count))):
                assert not outcome.HasField("error"), outcome.error.message

    def seen(self, site):
        return [r for r in self.trial.sink.records() if r["to"] and r["to"][0].endswith("." + site + ".test")]

    def times(self, site):
        return sorted(r["t"] for r in self.seen(site))

    def wait_times(self, site, count, seconds=90):
        return wait_for(lambda: (lambda t: t if len(t) >= count else None)(self.times(site)),
                        lambda: "%d at %s (there are %d)" % (count, site, len(self.times(site))), seconds, 0.1)

    def check_used(self, times, rate, name):
        """Between the first seconds, in which the shares find who wants them, and the last, in which one may have no more to send."""
        inside = [t for t in times if times[0] + 3 <= t <= times[int(len(times) * 0.75)]]
        used = (len(inside) - 1) / rate / (inside[-1] - inside[0])
        print("%s: most in any second %d of %d, used %.3f" % (name, most_in_any(times, 1), rate, used))
        self.assertGreaterEqual(used, 0.95)
        self.assertLessEqual(most_in_any(times, 1), rate + 1)

    def test_1_a_tenant_has_its_rate_over_all_sources_and_slows_nobody(self):
        self.send(self.shop, 140, "tenant")
        begin = time.monotonic()
        self.send(self.bank, 300, "free")
        self.wait_times("free", 300)
        print("300 of another tenant beside it took %.2f s" % (time.monotonic() - begin))
        self.assertLess(len(self.times("tenant")), 140, "the limited tenant ended first: the comparison says nothing")
        times = self.wait_times("tenant", 140)
        self.check_used(times, 20, "tenant")
        self.assertEqual({r["src"].rsplit(":", 1)[0] for r in self.seen("tenant")}, {"127.0.0.11", "127.0.0.12"})
        shards = self.trial.local.sql("select distinct shard from event where kind = 'delivered' and recipient like '%tenant.test'")
        self.assertGreater(len(shards), 2, "only one of the schedulers sent")

    def test_2_a_pool_has_its_rate_over_all_sources(self):
        self.send(self.bank, 210, "pool", campaign="narrow")
        self.check_used(self.wait_times("pool", 210), 30, "pool")

    def test_3_explain_names_the_rule(self):
        answer = json.loads(self.trial.local.ctl("explain", "--from", "news@shop.example", "--to", "u@d1.free.test", "--tenant", "shop",
                                                 "--stream", "marketing", "--json").stdout)
        self.assertIn("shaping[1], tenant=shop together", json.dumps(answer))

    def test_4_an_edit_counts_what_went(self):
        before = len(self.times("tenant"))
        self.send(self.shop, 140, "tenant")
        self.wait_times("tenant", before + 30)
        self.trial.apply(POLICY % "40/s")
        self.wait_times("tenant", before + 90)
        self.trial.apply(POLICY % "20/s")
        edited = time.time()
        times = self.wait_times("tenant", before + 140)
        self.assertLessEqual(most_in_any(times, 1), 41)
        self.assertLessEqual(most_in_any([t for t in times if t > edited + 1], 1), 21)

    def test_5_the_share_of_a_dead_scheduler_lapses_and_is_never_doubled(self):
        local, before = self.trial.local, len(self.times("tenant"))
        self.send(self.shop, 540, "tenant")
        self.wait_times("tenant", before + 60)
        local["scheduler-2"].kill()
        # It takes no shards of the other (most_shards), but all of the rate: its own mail was half of what is left.
        wait_for(lambda: local.sql("select most from rate_share where rate_key like 'tenant=shop%' and most = 20") == [["20"]],
                 "the whole rate to be one's", 60, 0.1)
        alone = time.time()
        after = len(self.times("tenant"))
        times = self.wait_times("tenant", after + 60)
        inside = [t for t in times if alone + 0.5 <= t <= alone + 2.5]
        print("alone: %d in two seconds" % len(inside))
        self.assertGreaterEqual(len(inside), 37)
        local["scheduler-2"].start()
        times = self.wait_times("tenant", before + 540, 120)
        print("over the kill: most in any second", most_in_any(times[before:], 1))
        self.assertLessEqual(most_in_any(times[before:], 1), 21)


if __name__ == "__main__":
    unittest.main()
