"""A provider blocks one of four addresses in mid-run: it is out there within seconds, what the others may take holds (rates and connections,
and the cap of one that still warms up), other providers go on through it, nothing bounces, and probes bring it back when the block has ended."""
import collections
import itertools
import json
import pathlib
import tempfile
import time
import urllib.request

from scenario import MAIL, Scenario, most_in_any, submission, unittest, wait_for

POLICY = """
tenants:
  - {name: shop, streams: [marketing], sender_domains: [shop.example]}
streams:
  - {name: marketing, retry_schedule: quick}
sources:
  - {name: ip-11, address: 127.0.0.11, ehlo: mta11.shop.example}
  - {name: ip-12, address: 127.0.0.12, ehlo: mta12.shop.example}
  - {name: ip-13, address: 127.0.0.13, ehlo: mta13.shop.example}
  - {name: ip-14, address: 127.0.0.14, ehlo: mta14.shop.example, warmup: {plan: young}}
pools:
  - {name: warm, members: [{source: ip-11}, {source: ip-12}, {source: ip-13}, {source: ip-14}]}
routes:
  - {match: {}, pool: warm}
shaping:
  - {match: {provider: google}, connections: 2, messages_per_connection: 5, rate: 8/s, connection_rate: 10/s}
retry_schedules:
  - {name: quick, waits: [1s]}
warmup_plans:
  - {name: young, stages: [{caps: {google: 40, '*': 100000}}, {caps: {google: 40, '*': 100000}}]}
health:
  - {rule: blocked, least: 3, share: 0.05, rest: 4s, longest_rest: 4s, probe_every: 1s, probes: 2}
"""
RECORDS = ["gmail.test. MX 5 gmail-smtp-in.l.google.com.", "gmail-smtp-in.l.google.com. A 127.0.0.2",
           "yahoo.test. MX 1 mta5.am0.yahoodns.net.", "mta5.am0.yahoodns.net. A 127.0.0.3"]
BLOCK = """rules:
  - {name: blocked, match: {listener: 127.0.0.2, source: 127.0.0.12}, banner: "554 5.7.1 Access from your address is refused"}
"""
FREE = "rules: []\n"
RATE = 8
DAY, CAP = 15, 40  # Of ip-14 at google: a third of what its rate would let through.
BACKLOG = 120  # More than the four may take in three seconds: the load presses on their rates all the time.


class Cascade(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.script = pathlib.Path(tempfile.mkstemp(suffix=".yaml")[1])
        cls.script.write_text(FREE)
        cls.addClassCleanup(cls.script.unlink)
        cls.options = {"policy": POLICY, "records": RECORDS,
                       "scheduler": {"testing": True, "warmup.day": "%ds" % DAY, "lease": "6s"},
                       "sink": {"script": cls.script, "hosts": ("127.0.0.2", "127.0.0.3")}}
        super().setUpClass()
        cls.number = itertools.count()
        wait_for(lambda: cls.trial.local.sql("select count(*) > 0 from warmup_state where phase = 'warming'") == [["t"]], "the warmup", 30)
        # A person's: the caps stay those of the plan, whatever replies of the run say.
        cls.trial.local.ctl("warmup", "hold", "ip-14", "--reason", "test")

    def sql(self, text):
        return self.trial.local.sql(text)

    def answer(self, script):
        self.script.write_text(script)
        self.trial.sink.reload()

    def pump(self):
        """Half to each provider; the load goes on while something is waited for, as long as not too much waits already."""
        waiting = int(self.sql("select count(*) from queue_entry")[0][0])
        mails = []
        for _ in range(20 if waiting < BACKLOG else 0):
            n = next(self.number)
            mails += [submission(MAIL, "u%d@%s.test" % (n, name), stream="marketing") for name in ("gmail", "yahoo")]
        for outcome in self.client.submit_many(mails):
            self.assertFalse(outcome.HasField("error"), outcome.error.message)

    def until(self, condition, what, seconds=90):
        def looked():
            self.pump()
            return condition()
        return wait_for(looked, what, seconds, 0.2)

    def delivered(self, source, provider, after="epoch"):
        return int(self.sql("select count(*) from event where kind = 'delivered' and source = '%s' and provider = '%s' and "
                            "occurred_at > '%s'" % (source, provider, after))[0][0])

    def state(self):
        rows = self.sql("select state, since, probing_since from health_state where source = 'ip-12' and provider = 'google'")
        return rows[0] if rows else ["healthy", "", ""]

    def held(self):
        listed = json.loads(self.trial.local.ctl("constraints", "--source", "ip-12", "--json").stdout)["constraints"]
        return [c for c in listed if c["cause"] == "health"]

    def metric(self, *parts):
        text = urllib.request.urlopen("http://%s/metrics" % self.trial.local["scheduler"].config["metrics.listen"]).read().decode()
        return [one.rsplit(" ", 1)[1] for one in text.splitlines() if all(part in one for part in parts)]

    def test_it_is_out_alone_and_comes_back_by_probes(self):
        self.until(lambda: self.delivered("ip-12", "google") > 10, "deliveries of all four")
        self.answer(BLOCK)
        self.until(lambda: self.state()[0] == "suspended", "the suspension")
        first = "(select min(occurred_at) from event where source = 'ip-12' and kind = 'deferred')"
        out = float(self.sql("select extract(epoch from since - %s) from health_state where source = 'ip-12' and "
                             "provider = 'google'" % first)[0][0])
        print("suspended %.2f s after the first refusal" % out)
        self.assertLess(out, 10)
        (held,) = self.until(self.held, "the constraint")
        self.assertEqual(held["scope"], {**held["scope"], "source": "ip-12", "provider": "google"})
        self.assertIn("Access from your address is refused", held["evidence"])
        since = self.state()[1]
        begun = time.time()
        self.assertIn("3", self.metric("sluice_health_state_count{", 'provider="google"', 'source="ip-12"'))

        # Probes are refused as long as the block stands; others, and yahoo through the same address, go on.
        self.until(lambda: int(self.sql("select strikes from health_state where source = 'ip-12'")[0][0]) > 1, "a refused probe")
        for source, provider in (("ip-11", "google"), ("ip-13", "google"), ("ip-14", "google"), ("ip-12", "yahoo")):
            self.until(lambda: self.delivered(source, provider, since) > 10, "%s to go on at %s" % (source, provider))
        self.check_drill_down()
        self.assertEqual(self.sql("select count(*) from health_state where state <> 'healthy' and (source <> 'ip-12' or "
                                  "provider <> 'google')"), [["0"]])

        self.until(lambda: time.time() >= (begun // DAY + 2) * DAY, "a whole day of the load on three")
        over = time.time()
        self.assertGreater(int(self.sql("select count(*) from queue_entry where domain = 'gmail.test'")[0][0]), 0,
                           "what the others may not take waits")

        self.answer(FREE)
        self.until(lambda: self.state()[0] in ("throttled", "watch"), "the way back")
        self.until(lambda: self.state()[0] == "healthy", "health")
        self.until(lambda: not self.held(), "no constraint left")
        back = self.sql("select now()")[0][0]
        self.until(lambda: self.delivered("ip-12", "google", back) > 10, "its full share again")

        self.trial.wait_empty()
        self.assertEqual(self.sql("select count(*) from event where kind = 'bounced'"), [["0"]])
        sent = 2 * next(self.number)
        records = self.trial.wait_recipients(sent)
        counts = collections.Counter(to for r in records for to in r["to"])
        self.assertEqual((len(counts), max(counts.values())), (sent, 1))
        told = [row[0] for row in self.sql("select kind from event where source = 'ip-12' and provider = 'google' and kind in "
                                           "('suspended', 'restored', 'resumed') order by shard, seq")]
        self.assertEqual(told, ["suspended", "restored", "resumed"])
        refused = int(self.sql("select count(*) from event where source = 'ip-12' and provider = 'google' and kind = 'deferred'")[0][0])
        late = int(self.sql("select count(*) from event where source = 'ip-12' and provider = 'google' and kind = 'deferred' and "
                            "occurred_at > timestamptz '%s' + interval '2 seconds'" % since)[0][0])
        print("%d messages sent, %d attempts refused, %d of them later than 2 s after the suspension (probes)" % (sent, refused, late))
        self.assertLess(late, 30)
        self.assertLessEqual(self.most_connections(records), 2)
        self.check_rates(records, begun, over)
        self.check_cap(records, begun, over)

    def check_drill_down(self):
        """The matrix, and the replies behind a cell of it."""
        matrix = self.trial.local.ctl("reputation").stdout.splitlines()
        self.assertRegex(matrix[0], r"^WHO .*google")
        self.assertRegex(matrix[1], r"^ip-12 .*suspended")
        shown = self.trial.local.ctl("reputation", "--source", "ip-12", "--provider", "google").stdout
        self.assertRegex(shown, r"\d+ +ip-12 +google +shop +deferred +block_ip .*554 5\.7\.1 Access from your address is refused")
        self.assertIn("ask the provider to lift the block", shown)

    def check_cap(self, records, begun, over):
        """RCPT commands of the warming one at google, as the sink counted them by day: the load of the one that is out is not for it."""
        by_day = collections.Counter()
        for r in records:
            if r["src"].startswith("127.0.0.14:") and r["dst"].startswith("127.0.0.2:"):
                by_day[int(r["t"] // DAY)] += len(r["to"]) + len(r["refused"])
        whole = [by_day[day] for day in range(int(begun // DAY) + 1, int(over // DAY))]
        print("RCPTs of the warming source to google by day: %s (cap %d), on whole days without the blocked one: %s" % (
            sorted(by_day.items()), CAP, whole))
        self.assertTrue(whole)
        self.assertLessEqual(max(by_day.values()), CAP)
        self.assertGreater(max(whole), CAP / 2, "it was asked for all that it may take")

    def check_rates(self, records, begun, over):
        """What arrived at google from each: never faster than its rate, and those that took the load over at all of it."""
        arrived = collections.defaultdict(list)
        for r in records:
            if r["dst"].startswith("127.0.0.2:"):
                arrived[r["src"].rsplit(":", 1)[0]].append(r["t"])
        most = {source: most_in_any(times, 2) for source, times in arrived.items()}
        took = {source: sum(begun <= t < over for t in times) / (over - begun) for source, times in arrived.items()}
        print("most to google in any two seconds: %s; a second while one was out: %s" % (
            sorted(most.items()), sorted((s, round(n, 2)) for s, n in took.items())))
        for source in ("127.0.0.11", "127.0.0.13", "127.0.0.14"):
            # One more for the window's edge, one for what the sink's clock shifts.
            self.assertLessEqual(most[source], 2 * RATE + 2, source)
        for source in ("127.0.0.11", "127.0.0.13"):
            self.assertGreater(took[source], RATE * 0.5, source)
        self.assertLess(took["127.0.0.12"], 1, "probes alone")

    @staticmethod
    def most_connections(records):
        """At once, from one source to google, by when transactions ended on each: a lower bound of the truth. A port comes again, so
        a connection ends with its fifth message."""
        times = collections.defaultdict(list)
        for r in records:
            if r["dst"].startswith("127.0.0.2:"):
                times[r["src"]].append(r["t"])
        edges = collections.defaultdict(list)
        for src, ended in times.items():
            ended.sort()
            for first in range(0, len(ended), 5):
                one = ended[first:first + 5]
                edges[src.rsplit(":", 1)[0]] += [(one[0], 1), (one[-1], 0)]
        most = 0
        for of_source in edges.values():
            now = 0
            for _, begins in sorted(of_source):
                now += 1 if begins else -1
                most = max(most, now)
        print("at most %d connections at once from one address to google" % most)
        return most


if __name__ == "__main__":
    unittest.main()
