"""See fairness.sh."""
import argparse
import statistics
import sys

from backlog import Failure, POLICY, TENANT, Trial, drop_waiting, entries_known, rate, wait_for, WRITER
from load import run_load

TRICKLE_RATE = 100  # Messages a second.
TENANTS = ["shop"] + ["t%d" % i for i in range(10)] + ["bulk"]

LOAD = """
with part as (select max(part) as part from content_partition where dropped_at is null),
content as (
  insert into message (part, id, accepted_at, size_bytes, encoding, flags, dsn_return, return_path, sender_domain, dsn_envelope_id,
                       prepended_headers, content)
  select (select part from part), %(base)d + n, now(), octet_length(body), 1, 0, 0, 'bulk@shop.example', 'shop.example', '', '',
         body
  from generate_series(1, %(count)d, 100) n,
       convert_to(E'From: <bulk@shop.example>\\r\\nSubject: bulk\\r\\n\\r\\n' || repeat('0123456789abcdef', 64) || E'\\r\\n', 'UTF8') body)
insert into queue_entry (id, message_id, accepted_at, due_at, expires_at, part, priority, tenant, stream, campaign, domain, sender_domain,
                         recipient)
select %(base)d + n, %(base)d + n - (n - 1) %% 100, now(), now(), now() + interval '4 days', (select part from part), 1, '%(tenant)s',
       'marketing', '', %(domain)s, 'shop.example', 'u' || n || '@' || %(domain)s
from generate_series(1, %(count)d) n"""


def load_due(trial, shards, writer, tenant, count, domain):
    """`count` entries evenly over the shards, due now; the scheduler must be stopped. `tenant` stands within quotes, `domain` is an
    expression of n. Answers how many there are."""
    each = count // len(shards) // 100 * 100 or 100
    for shard in shards:
        trial.local.sql(LOAD % {"base": shard << 56 | writer << 32, "count": each, "tenant": tenant, "domain": domain})
    # What waits has waited for a while: loading it must not be written back while something is measured.
    trial.local.sql("checkpoint")
    return each * len(shards)


class Bench:
    def __init__(self, preset):
        self.trial = Trial(preset=preset, profile="bench")
        self.trial.__enter__()
        self.trial.start(POLICY + "".join(TENANT % t for t in TENANTS), records=["hole.test. MX 10 nobody.test.", "nobody.test. A 127.0.0.99"],
                         sink={"recording": "none", "tokens": 0, "more": ["--no-tls"]})
        self.trial.key = self.trial.local.key("shop")
        self.shards = [int(row[0]) for row in
                       self.trial.local.sql("select shard from shard_lease where shard >= 0 order by shard")]
        self.writer = WRITER

    def end(self, failed=False):
        self.trial.__exit__(Failure if failed else None, None, None)

    def stop(self):
        self.trial.local["scheduler"].stop()

    def start(self, waiting):
        self.trial.local["scheduler"].start()
        wait_for(lambda: entries_known(self.trial) > waiting // 2, "the index", 900, 0.2)

    def load(self, tenant, count, domain):
        self.writer += 1
        return load_due(self.trial, self.shards, self.writer, tenant, count, domain)

    def p99(self, messages, per_second):
        """Milliseconds from submit to delivered of a trickle; the sink's histogram is of messages with tokens alone."""
        self.trial.sink.get("latency")
        run_load(self.trial, messages, "--rate", per_second, "--frame", 1, "--domains", 10, "--streams", "transactional", "--size", 2048)
        wait_for(lambda: self.trial.sink.stats()["latency"]["count"] >= messages, "the trickle", 300, 0.1)
        return self.trial.sink.stats()["latency"]["p99_us"] / 1000


def trickle(args):
    """Alone, on a system that never had anything else, and beside the bulk in turns."""
    idle, ratios = Bench(args.preset), []
    try:
        idle.p99(args.trickle // 8, TRICKLE_RATE)  # Connections are open, the site is known.
        for n in range(args.rounds):
            alone = idle.p99(args.trickle, TRICKLE_RATE)
            beside = beside_bulk(args)
            ratios.append(beside / alone)
            print("trickle: round %d: p99 %.1f ms alone, %.1f ms beside the bulk" % (n + 1, alone, beside), flush=True)
    finally:
        idle.end()
    print("trickle: range %.2f to %.2f" % (min(ratios), max(ratios)))
    return statistics.median(ratios)


def beside_bulk(args):
    busy = Bench(args.preset)
    try:
        busy.p99(args.trickle // 8, TRICKLE_RATE)
        busy.stop()
        busy.start(busy.load("bulk", args.bulk, "'b' || n % 1000 || '.d.test'"))
        busy.p99(args.trickle // 8, TRICKLE_RATE)
        beside = busy.p99(args.trickle, TRICKLE_RATE)
        if entries_known(busy.trial) == 0:
            raise Failure("the bulk ended before the trickle: give more with --bulk")
        return beside
    finally:
        busy.end()


def tenants(args):
    bench = Bench(args.preset)
    try:
        bench.stop()
        # The smallest backlog is a fortieth of the bulk, the largest ten times that.
        total = sum(bench.load("t%d" % i, args.bulk // 40 * (i + 1), "'b' || n %% %d || '.d.test'" % (1 + i * 50)) for i in range(10))
        bench.start(total // 2)
        # Until the first of them has half of its mail behind it: all had mail waiting.
        def done():
            rows = bench.trial.local.sql("select tenant, count(*) from event where kind = 'delivered' group by tenant")
            counts = {tenant: int(count) for tenant, count in rows}
            return counts if counts and max(counts.values()) >= args.bulk // 80 else None
        counts = wait_for(done, "deliveries", 900, 0.2)
    finally:
        bench.end()
    shares = [counts.get("t%d" % i, 0) / sum(counts.values()) for i in range(10)]
    print("tenants: shares " + " ".join("%.1f%%" % (100 * s) for s in shares), flush=True)
    return min(shares), max(shares)


def hole(args):
    without, beside = Bench(args.preset), Bench(args.preset)
    try:
        beside.stop()
        beside.start(beside.load("bulk", args.bulk, "'hole.test'"))
        # Both schedulers are young, both servers have just written the bulk: their memory is in use, their WAL segments are made.
        without.stop()
        without.load("bulk", args.bulk, "'hole.test'")
        drop_waiting(without.trial)
        without.trial.local["scheduler"].start()
        for bench in (without, beside):
            rate(bench.trial, args.messages)  # Connections are open, partitions are there.
        shares = []
        for pair in range(args.pairs):
            order = [without, beside] if pair % 2 == 0 else [beside, without]
            rates = {id(b): rate(b.trial, args.messages) for b in order}
            shares.append(rates[id(beside)] / rates[id(without)])
            print("hole: pair %d %.3f" % (pair + 1, shares[-1]), flush=True)
    finally:
        without.end()
        beside.end()
    print("hole: range %.3f to %.3f" % (min(shares), max(shares)))
    return statistics.median(shares)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bulk", type=int, default=1_000_000)
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--trickle", type=int, default=800)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--preset", default="release")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", choices=["trickle", "tenants", "hole"])
    args = parser.parse_args()
    if args.small:
        args.bulk, args.messages, args.trickle, args.pairs, args.rounds = 400_000, 3_000, 300, 3, 1
    lines = []
    if args.only in (None, "trickle"):
        lines.append("trickle p99 ratio: %.2f" % trickle(args))
    if args.only in (None, "tenants"):
        lines.append("tenant share range: %.3f to %.3f" % tenants(args))
    if args.only in (None, "hole"):
        lines.append("hole rate share: %.3f" % hole(args))
    print("\n".join(lines))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit("fairness.sh: %s" % failure)
