"""Limits that hold for several sources together, with two schedulers and two egresses that share them: counted at the sink they are exact
in any second and used whole, edited live, kept over the death of a scheduler or egress; and what they hold back slows nobody else."""
import json
import pathlib
import tempfile
import time

from scenario import MAIL, Scenario, Trial, mail, most_in_any, submission, unittest, wait_for
from trial import Sink

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
  - {name: heavy, members: [{source: ip-11}, {source: ip-12}]}
  - {name: left, members: [{source: ip-11}]}
routes:
  - {match: {campaign: narrow}, pool: narrow}
  - {match: {campaign: heavy}, pool: heavy}
  - {match: {campaign: left}, pool: left}
  - {match: {}, pool: wide}
shaping:
  - {match: {}, connection_rate: 10k/s, messages_per_connection: 0}
  - {match: {tenant: shop}, rate: %s}
  - {match: {pool: narrow}, rate: 30/s}
  - {match: {pool: heavy}, bytes_rate: 200k/s}
  - {match: {pool: wide, site: thin.test}, connections: 6}
  - {match: {pool: wide, site: dials.test}, connection_rate: 12/h}
  - {match: {site: dials.test}, messages_per_connection: 1}
"""
# The thin site has a sink of its own, slow, which says how many connections it has at once.
HOSTS = {"tenant": "127.0.0.2", "pool": "127.0.0.2", "free": "127.0.0.2", "heavy": "127.0.0.2", "dials": "127.0.0.2", "thin": "127.0.0.3"}
RECORDS = [line for site, host in HOSTS.items() for line in ("*.%s.test. MX 10 mx.%s.test." % (site, site), "mx.%s.test. A %s" % (site, host))]
SLOW = 'rules:\n  - match: {domain: "*"}\n    dot: {reply: "250 2.0.0 Ok", delay: 30ms}\n'
HEAVY = mail(body=(b"x" * 70 + b"\r\n") * 68)
HEAVY += b"y" * (5000 - len(HEAVY) - 2) + b"\r\n"


class SharedLimits(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.trial = Trial().__enter__()
        cls.addClassCleanup(cls.finish)
        local = cls.trial.prepare(RECORDS)
        for name in ("scheduler", "scheduler-2"):
            local.scheduler(name, shards=4, most_shards=2).start()
        local.ingest().start()
        local.egress("egress", bind_addresses=["127.0.0.11"]).start()
        local.egress("egress-2", bind_addresses=["127.0.0.12"]).start()
        script = pathlib.Path(tempfile.mkstemp(suffix=".yaml")[1])
        cls.addClassCleanup(script.unlink)
        script.write_text(SLOW)
        cls.thin = Sink(cls.trial, local.smtp_port, recording="none", tokens=0, script=script, hosts=("127.0.0.3",))
        cls.addClassCleanup(cls.thin.stop)
        cls.trial.apply(POLICY % "20/s")
        cls.shop, cls.bank = cls.trial.client("shop"), cls.trial.client("bank")
        wait_for(lambda: len({row[0] for row in local.sql("select owner from shard_lease where shard >= 0 and expires_at > now()")}) == 2,
                 "both schedulers to own shards", 60, 0.1)
        for limit, count in (("tenant=shop%", 20), ("%thin.test connections", 6), ("%dials.test connection_rate%", 12)):
            wait_for(lambda: local.sql("select sum(most) from rate_share where rate_key like '%s'" % limit) == [[str(count)]],
                     "the shares of " + limit, 30, 0.1)
        # Those of the first two tests, one beside the other.
        cls.send(cls.shop, 140, "tenant")
        cls.send(cls.bank, 210, "pool", campaign="narrow")

    @staticmethod
    def send(client, count, site, campaign="", content=MAIL):
        # In small batches, so that both schedulers have some.
        for begin in range(0, count, 20):
            for outcome in client.submit_many(submission(content, "u%d@d%d.%s.test" % (i, i % 7, site), stream="marketing", campaign=campaign)
                                              for i in range(begin, min(begin + 20, count))):
                assert not outcome.HasField("error"), outcome.error.message

    def seen(self, site):
        return [r for r in self.trial.sink.records() if r["to"] and r["to"][0].endswith("." + site + ".test")]

    def times(self, site):
        return sorted(r["t"] for r in self.seen(site))

    def wait_times(self, site, count, seconds=90):
        return wait_for(lambda: (lambda t: t if len(t) >= count else None)(self.times(site)),
                        lambda: "%d at %s (there are %d)" % (count, site, len(self.times(site))), seconds, 0.1)

    def check_used(self, times, rate, name, seconds=3):
        """Between the first seconds, in which the shares find who wants them, and the last, in which one may have no more to send."""
        inside = [t for t in times if times[0] + seconds <= t <= times[int(len(times) * 0.75)]]
        used = (len(inside) - 1) / rate / (inside[-1] - inside[0])
        print("%s: most in any second %d of %d, used %.3f" % (name, most_in_any(times, 1), rate, used))
        # On an idle machine 0.99; each message that is late costs its own time.
        self.assertGreaterEqual(used, 0.95)
        self.assertLessEqual(most_in_any(times, 1), rate + 1)

    def test_1_a_tenant_has_its_rate_over_all_sources_and_slows_nobody(self):
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
        self.send(self.shop, 440, "tenant")
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
        times = self.wait_times("tenant", before + 440, 120)
        print("over the kill: most in any second", most_in_any(times[before:], 1))
        self.assertLessEqual(most_in_any(times[before:], 1), 21)

    def test_6_a_pool_has_its_bytes_over_all_sources(self):
        self.send(self.bank, 240, "heavy", campaign="heavy", content=HEAVY)
        times = self.wait_times("heavy", 240)
        self.check_used(times, 200_000 / len(HEAVY), "messages of %d bytes" % len(HEAVY), seconds=1)
        shards = self.trial.local.sql("select distinct shard from event where kind = 'delivered' and recipient like '%heavy.test'")
        self.assertGreater(len(shards), 2, "only one of the schedulers sent")

    def dialled(self):
        return {r["src"] for r in self.seen("dials")}

    def test_7_new_connections_of_a_pool_are_counted_over_all_egresses(self):
        self.send(self.bank, 40, "dials")
        self.wait_times("dials", 12)
        self.send(self.bank, 100, "free")
        self.wait_times("free", 400)
        ports = self.dialled()
        self.assertEqual(len(ports), 12)
        self.assertEqual({port.rsplit(":", 1)[0] for port in ports}, {"127.0.0.11", "127.0.0.12"})

    def test_8_a_pool_has_its_connections_over_all_egresses_though_one_is_killed(self):
        self.send(self.bank, 900, "thin")
        wait_for(lambda: self.thin.accepted() >= 200, "deliveries to the thin site", 30, 0.05)
        stats = self.thin.stats()
        self.assertEqual(stats["most_open_connections"], 6)
        self.assertEqual(set(stats["by_source"]), {"127.0.0.11", "127.0.0.12"})
        self.trial.local["egress-2"].kill()
        self.trial.local["egress-2"].start()
        wait_for(lambda: self.thin.accepted() >= 900, lambda: "900 at the thin site, not %d" % self.thin.accepted(), 120, 0.1)
        stats = self.thin.stats()
        print("connections at once to the thin site, one egress killed:", stats["most_open_connections"])
        self.assertEqual(stats["most_open_connections"], 6)
        self.assertEqual(len(self.dialled()), 12, "who has been restarted may not dial anew within the hour")

    def test_9_connections_that_one_does_not_use_another_does(self):
        before = self.thin.accepted()
        self.send(self.bank, 1200, "thin", campaign="left")
        wait_for(lambda: self.thin.stats()["by_source"]["127.0.0.11"]["most_open"] == 6, "all six to be one's", 30, 0.1)
        wait_for(lambda: self.thin.accepted() >= before + 1200, lambda: "all at the thin site, not %d" % self.thin.accepted(), 120, 0.1)
        self.assertEqual(self.thin.stats()["most_open_connections"], 6)


if __name__ == "__main__":
    unittest.main()
