"""What the scenarios of warmup share: three providers, each at an MX address of its own, one warming source with an overflow, short days."""
import collections
import time

from scenario import MAIL, Scenario, submission, wait_for

DAY = 15
GOOGLE, YAHOO, OTHER = "127.0.0.3", "127.0.0.4", "127.0.0.2"
HOSTS = (GOOGLE, YAHOO, OTHER)
RECORDS = ["mx.rig.google.com. A " + GOOGLE, "mx.rig.yahoodns.net. A " + YAHOO,
           "*.g.test. MX 10 mx.rig.google.com.", "*.y.test. MX 10 mx.rig.yahoodns.net."]
CAPS = {GOOGLE: 5, YAHOO: 60, OTHER: 20}
# The stage is a person's from the first day on, so that the caps are those of the plan on every day.
POLICY = """
tenants:
  - {name: shop, streams: [marketing, letters, both], sender_domains: [shop.example]}
streams:
  - {name: marketing, retry_schedule: quick}
  - {name: letters, retry_schedule: quick}
  - {name: both, retry_schedule: quick}
sources:
  - {name: ip-11, address: 127.0.0.11, ehlo: mta11.shop.example}
  - {name: ip-13, address: 127.0.0.13, ehlo: mta13.shop.example, warmup: {plan: flat}}
pools:
  - {name: warm, members: [{source: ip-11}]}
  - {name: new, members: [{source: ip-13}], overflow: warm}
  - {name: alone, members: [{source: ip-13}]}
  - {name: mixed, members: [{source: ip-11}, {source: ip-13}]}
routes:
  - {match: {stream: letters}, pool: alone}
  - {match: {stream: both}, pool: mixed}
  - {match: {stream: marketing}, pool: new}
shaping:
  - {match: {}, connection_rate: 100k/s}
retry_schedules:
  - {name: quick, waits: [1s]}
warmup_plans:
  - {name: flat, stages: [{caps: {google: 5, yahoo: 60, other: 20, '*': 85}}, {caps: {google: 5, yahoo: 60, other: 20, '*': 85}}]}
"""


class Warming(Scenario):
    day = DAY
    policy = POLICY
    sink = {}
    records = RECORDS
    dns = ()

    @classmethod
    def scheduler(cls, local):
        return {"testing": True, "warmup.day": "%ds" % cls.day, "lease": "6s"}

    @classmethod
    def setUpClass(cls):
        cls.options = {"policy": cls.policy, "records": cls.records, "dns": cls.dns, "scheduler": cls.scheduler,
                       "sink": {"recording": "envelope", "hosts": HOSTS, **cls.sink}}
        super().setUpClass()
        cls.sent = 0
        cls.begins()

    @classmethod
    def begins(cls):
        wait_for(lambda: cls.trial.local.sql("select count(*) from warmup_state where phase = 'warming'") == [["3"]], "the start", 30)
        cls.trial.local.ctl("warmup", "hold", "ip-13", "--reason", "test")

    def ctl(self, *arguments, check=True):
        return self.trial.local.ctl("warmup", *arguments, check=check)

    def this_day(self):
        return int(time.time() // self.day)

    def wait_day(self, day, share=0.0):
        wait_for(lambda: time.time() >= (day + share) * self.day, "day %d" % day, 3 * self.day, 0.05)

    def submit(self, count, domain, stream="marketing"):
        cls = type(self)
        self.client.submit_many(submission(MAIL, "u%d@d%d.%s" % (cls.sent + i, i % 4, domain), stream=stream) for i in range(count))
        cls.sent += count

    def feed(self, seconds, domains=("g.test", "y.test"), stream="marketing"):
        """Steady mail to each; answers how long after the last of it all was gone."""
        end = time.time() + seconds
        while time.time() < end:
            for domain in domains:
                self.submit(8 // len(domains), domain, stream)
            gone = time.time() + 0.4
            wait_for(lambda: time.time() >= gone, "the next batch", 5, 0.05)
        before = time.time()
        self.trial.wait_empty(60)
        return time.time() - before

    def rcpts(self, since=0, after=0):
        """RCPT commands by (day, source, MX address): of records beyond the first `since`, and after a time. A refused one is recorded
        when its connection goes on, which may be much later."""
        counts = collections.Counter()
        for record in self.trial.sink.records()[since:]:
            if record["t"] < after:
                continue
            source, host = (record[k].rsplit(":", 1)[0] for k in ("src", "dst"))
            counts[int(record["t"] // self.day), source, host] += len(record["to"]) + len(record["refused"])
        return counts

    def by(self, source, host, since=0, after=0):
        return sum(count for (_, s, h), count in self.rcpts(since, after).items() if (s, h) == (source, host))

    def used(self, day, host):
        """Grants of the day drawn and not given back, as the ledger has them."""
        provider = {GOOGLE: "google", YAHOO: "yahoo", OTHER: "other"}[host]
        rows = self.trial.local.sql("select granted - returned from warmup_ledger where address = '127.0.0.13' and provider = '%s' and "
                                    "day = date 'epoch' + %d" % (provider, day))
        return int(rows[0][0]) if rows else 0

    def check_caps(self):
        for (day, source, host), count in self.rcpts().items():
            if source == "127.0.0.13":
                self.assertLessEqual(count, CAPS[host], "day %d at %s" % (day, host))
