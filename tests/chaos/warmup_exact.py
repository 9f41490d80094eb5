"""See warmup_exact.sh."""
import argparse
import collections
import pathlib
import random
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/rig"))
from client import submission  # noqa: E402
from trial import Failure, Trial, wait_for  # noqa: E402

MAIL = b"From: News <news@shop.example>\r\nTo: you@example.com\r\nSubject: hello\r\n\r\nBody\r\n"
# Where each provider's MX lives: the sink's own address tells who was written to.
HOSTS = {"google": ("127.0.0.3", "mx.rig.google.com"), "yahoo": ("127.0.0.4", "mx.rig.yahoodns.net"), "other": ("127.0.0.2", "sink.test")}
RECORDS = ["%s. A %s" % (name, address) for address, name in HOSTS.values() if name != "sink.test"] + [
    "*.%s.test. MX 10 %s." % (provider, name) for provider, (_, name) in HOSTS.items()]
SOURCES = {"127.0.0.13": "ip-13", "127.0.0.14": "ip-14"}
# Stage 1 is where edits go; from 2 on the caps stay, for more days than are played.
CAPS = [{"google": 20, "yahoo": 16, "other": 10, "*": 50}] + [{"google": 40, "yahoo": 30, "other": 20, "*": 100}] * 200
POLICY = """
tenants:
  - {name: shop, streams: [marketing], sender_domains: [shop.example]}
streams:
  - {name: marketing, retry_schedule: quick}
sources:
  - {name: ip-13, address: 127.0.0.13, ehlo: mta13.shop.example, warmup: {plan: short, stage: 2}}
  - {name: ip-14, address: 127.0.0.14, ehlo: mta14.shop.example, warmup: {plan: short, stage: 2}}
pools:
  - {name: new, members: [{source: ip-13}, {source: ip-14}]}
routes:
  - {match: {stream: marketing}, pool: new}
retry_schedules:
  - {name: quick, waits: [1s]}
warmup_plans:
  - name: short
    stages:
""" + "".join("      - {caps: {google: %d, yahoo: %d, other: %d, '*': %d}}\n" % tuple(c.values()) for c in CAPS)


class Exact:
    def __init__(self, trial, args):
        self.trial, self.local, self.args = trial, trial.local, args
        self.random = random.Random(args.seed)
        self.provider_of = {address: provider for provider, (address, _) in HOSTS.items()}
        self.struck = collections.defaultdict(list)  # By day.
        self.edits = {}  # (day, source, provider) → most that may be granted from then on.
        self.submitted = 0

    # ---- the ledger's clock is that of this machine
    def day(self, at=None):
        return int((at if at is not None else time.time()) // self.args.day)

    def wait_day(self, day, share=0.0):
        until = (day + share) * self.args.day
        wait_for(lambda: time.time() >= until, "day %d" % day, max(0.0, until - time.time()) + 30, 0.05)

    def feed(self, count):
        client = self.trial.client("shop")
        names = list(HOSTS)
        outcomes = client.submit_many(submission(MAIL, "u%d@d%d.%s.test" % (self.submitted + i, i % 20, names[i % 3]), stream="marketing")
                                      for i in range(count))
        bad = [o.error.message for o in outcomes if o.HasField("error")]
        if bad:
            raise Failure(bad[0])
        self.submitted += count

    # ---- trouble
    def strike(self):
        kind = self.random.choice(["scheduler", "scheduler-2", "egress", "postgres", "edit"])
        day = self.day()
        self.struck[day].append(kind)
        if kind == "postgres":
            self.local.postgres("kill")
            self.local.start_postgres()
        elif kind == "edit":
            self.edit(day)
        else:
            self.local[kind].kill()
            self.local[kind].start()
        # What was given up at the end of a kill reaches into the next day, too.
        self.struck[self.day()].append(kind)

    def edit(self, day):
        address = self.random.choice(list(SOURCES))
        provider = self.random.choice(list(HOSTS))
        result = self.local.ctl("warmup", "set-stage", SOURCES[address], "--provider", provider, "--stage", "1", check=False)
        rows = self.local.sql("select cap, granted - returned from warmup_ledger where address = '%s' and provider = '%s' and "
                              "day = date 'epoch' + %d" % (address, provider, day))
        if result.returncode == 0 and rows and self.day() == day:
            self.edits[day, address, provider] = max(int(rows[0][0]), int(rows[0][1]))

    # ---- the verdict
    def counted(self):
        counts = collections.Counter()
        for record in self.trial.sink.records():
            address = record["src"].rsplit(":", 1)[0]
            provider = self.provider_of[record["dst"].rsplit(":", 1)[0]]
            rcpts = len(record["to"]) + len(record["refused"])
            day = self.day(record["t"])
            counts[day, address, provider] += rcpts
            counts[day, address, "*"] += rcpts
        return counts

    def ledger(self):
        return {(int(d), a, p): (int(cap), int(granted), int(used)) for d, a, p, cap, granted, used in self.local.sql(
            "select day - date 'epoch', address, provider, cap, granted, granted - returned from warmup_ledger where cap is not null")}

    def judge(self, first, last):
        counts, ledger = self.counted(), self.ledger()
        exceeded = []
        for key, count in sorted(counts.items()):
            cap, granted, used = ledger.get(key, (0, 0, 0))
            limit = max(cap, self.edits.get(key, 0))
            if count > limit or count > used:
                exceeded.append("%s: %d RCPTs, limit %d, ledger %d" % (key, count, limit, used))
        print("day      struck                              used of cap, by (source, provider)")
        short = []
        for day in range(first, last):
            cells = []
            for address in SOURCES:
                for provider in HOSTS:
                    key = (day, address, provider)
                    count, cap = counts[key], ledger.get(key, (0, 0, 0))[0]
                    cells.append("%d/%d" % (count, cap))
                    if not self.struck[day] and not self.struck[day - 1] and count < 0.99 * cap:
                        short.append("%s: %d of %d used" % (key, count, cap))
            print("%d %-35s %s" % (day, ",".join(sorted(set(self.struck[day])))[:35], " ".join(cells)))
        print("exceeded: %d, short without trouble: %d, RCPTs in all: %d"
              % (len(exceeded), len(short), sum(v for k, v in counts.items() if k[2] == "*")))
        if exceeded or short:
            raise Failure("\n".join(exceeded + short))

    def run(self):
        first = self.day() + 2  # The first whole day with everything up and mail waiting.
        self.feed(self.args.messages)
        quiet = first + self.args.quiet_days
        last = quiet + self.args.days
        self.wait_day(quiet)
        while self.day() < last:
            self.strike()
            pause = self.random.uniform(0.3, 1.2) * self.args.day
            resume = time.time() + pause
            wait_for(lambda: time.time() >= resume, "the next strike", pause + 60, 0.05)
        self.wait_day(last + 1, 0.2)
        self.judge(first, last)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--day", type=int, default=60, help="seconds; a grant that idles is drawn again after seven, so much shorter days leave some unused")
    parser.add_argument("--quiet-days", type=int, default=2)
    parser.add_argument("--days", type=int, default=10, help="with trouble, behind the quiet ones")
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--preset", default="debug")
    args = parser.parse_args()
    with Trial(preset=args.preset) as trial:
        local = trial.prepare(RECORDS, sink={"recording": "envelope", "hosts": [address for address, _ in HOSTS.values()], "tokens": 0})
        for name in ("scheduler", "scheduler-2"):
            local.scheduler(name, **{"testing": True, "warmup.day": "%ds" % args.day, "most_shards": 8, "lease": "3s"}).start()
        local.ingest().start()
        local.egress().start()
        trial.apply(POLICY)
        Exact(trial, args).run()


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit("warmup_exact: %s" % failure)
