"""See warmup_exact.sh."""
import argparse
import collections
import pathlib
import random
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/rig"))
from client import grpc, submission  # noqa: E402
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
shaping:
  - {match: {}, connection_rate: 100k/s}
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


KINDS = ["ingest", "scheduler", "scheduler-2", "egress", "postgres", "edit"]
# A day that is struck later has not the time to use what is left, however exactly it counts.
LATE = 0.65


class Exact:
    def __init__(self, trial, args):
        self.trial, self.local, self.args = trial, trial.local, args
        self.random = random.Random(args.seed)
        self.provider_of = {address: provider for provider, (address, _) in HOSTS.items()}
        self.struck = collections.defaultdict(list)  # By day.
        self.late = set()  # Days.
        self.edits = {}  # (day, source, provider) → most that may be granted from then on.
        self.outstanding = collections.Counter()  # (day, source, provider) → granted, and not seen by the sink at the kills.
        self.submitted = 0

    # ---- the ledger's clock is that of this machine
    def day(self, at=None):
        return int((at if at is not None else time.time()) // self.args.day)

    def share(self):
        return time.time() / self.args.day % 1

    def wait_until(self, at, what):
        wait_for(lambda: time.time() >= at, what, max(0.0, at - time.time()) + 60, 0.05)

    def wait_day(self, day, share=0.0):
        self.wait_until((day + share) * self.args.day, "day %d" % day)

    def feed(self, count):
        """So many to each provider as their caps demand."""
        client = self.trial.client("shop")
        names = [name for name in HOSTS for _ in range(CAPS[1][name] // 10)]
        outcomes = client.submit_many(submission(MAIL, "u%d@d%d.%s.test" % (self.submitted + i, i % 20, names[(self.submitted + i) % len(names)]),
                                                 stream="marketing") for i in range(count))
        bad = [o.error.message for o in outcomes if o.HasField("error")]
        if bad:
            raise Failure(bad[0])
        self.submitted += count

    def try_feed(self, count):
        try:
            self.feed(count)
            return True
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            return False

    # ---- trouble
    def strike(self):
        kind = self.random.choice(self.args.kinds)
        day = self.day()
        self.struck[day].append("%s@%.2f" % (kind, self.share()))
        if kind == "edit":
            self.edit(day)
        else:
            self.kill(kind, day)
        if self.day() != day or self.share() > LATE:
            self.late.add(day)

    def kill(self, kind, day):
        """What was granted and had not reached the sink when somebody was killed may be lost with it, and nothing else."""
        seen, before = self.counted(), self.ledger()
        if kind == "postgres":
            self.local.postgres("kill")
            self.local.start_postgres()
        else:
            self.local[kind].kill()
            after = self.ledger()
            self.local[kind].start()
        if kind == "postgres":
            after = self.ledger()
        if kind == "ingest":
            # It takes mail again, once the client has noticed; and it had no part in any grant.
            wait_for(lambda: self.try_feed(60), "ingest to take mail", 60, 0.2)
            return
        for key in set(before) | set(after):
            used = max(rows[key][2] for rows in (before, after) if key in rows)
            if key[0] in (day, self.day()):
                self.outstanding[key] += max(0, used - seen[key])

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
        print("day      struck                                    used of cap, by (source, provider); -n: short, of which grants were outstanding")
        short, lost, spare = [], 0, 0
        for day in range(first, last):
            cells = []
            for address in SOURCES:
                for provider in HOSTS:
                    key = (day, address, provider)
                    count, cap = counts[key], ledger.get(key, (0, 0, 0))[0]
                    unused = max(0, cap - count)
                    cells.append("%d/%d%s" % (count, cap, "" if not unused else " -%d(%d)" % (unused, self.outstanding[key])))
                    if day in self.late:
                        continue
                    lost += unused
                    spare += self.outstanding[key]
                    if unused > max(self.outstanding[key], (1 - self.args.least) * cap):
                        short.append("%s: %d of %d used, %d outstanding at the kills" % (key, count, cap, self.outstanding[key]))
            print("%d %-42s %s" % (day, ",".join(self.struck[day])[:42] + (" late" if day in self.late else ""), "  ".join(cells)))
        print("days: %d (struck late: %d), kills: %d, edits: %d, exceeded: %d, short beyond what was outstanding: %d, unused: %d of at most %d, RCPTs in all: %d"
              % (last - first, len(self.late), sum(not s.startswith("edit") for d in self.struck.values() for s in d), len(self.edits),
                 len(exceeded), len(short), lost, spare, sum(v for k, v in counts.items() if k[2] == "*")))
        if exceeded or short:
            raise Failure("\n".join(exceeded + short))

    def run(self):
        first = self.day() + 2  # The first whole day with everything up and mail waiting.
        last = first + self.args.quiet_days + self.args.days
        # Somebody always waits, so that each day could be used up.
        self.feed((last - first + 3) * sum(sum(v for k, v in CAPS[1].items() if k != "*") for _ in SOURCES))
        for day in range(first + self.args.quiet_days, last):
            for at in sorted(self.random.uniform(0.02, self.args.until) for _ in range(self.random.randint(1, self.args.strikes))):
                if (day + at) * self.args.day < time.time():
                    continue  # The strike before took that long.
                self.wait_day(day, at)
                self.strike()
        self.wait_day(last, 0.3)
        self.judge(first, last)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--day", type=int, default=60, help="seconds")
    parser.add_argument("--quiet-days", type=int, default=2)
    parser.add_argument("--days", type=int, default=10, help="with trouble, behind the quiet ones")
    parser.add_argument("--strikes", type=int, default=2, help="at most so many on such a day")
    parser.add_argument("--until", type=float, default=0.95, help="share of the day by which the last of them comes")
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=KINDS, help="of " + ",".join(KINDS))
    parser.add_argument("--least", type=float, default=0.99, help="share of each cap that must be used where nothing was outstanding")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--preset", default="debug")
    args = parser.parse_args()
    with Trial(preset=args.preset) as trial:
        local = trial.prepare(RECORDS, sink={"recording": "envelope", "hosts": [address for address, _ in HOSTS.values()], "tokens": 0})
        for name in ("scheduler", "scheduler-2"):
            local.scheduler(name, **{"testing": True, "warmup.day": "%ds" % args.day, "most_shards": 8, "lease": "6s"}).start()
        local.ingest().start()
        local.egress().start()
        trial.apply(POLICY)
        Exact(trial, args).run()


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit("warmup_exact: %s" % failure)
