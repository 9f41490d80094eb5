"""See end_to_end.sh."""
import argparse
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/rig"))
import memory  # noqa: E402
from load import run_load  # noqa: E402
from meter import cpu_us, family, memory_mb, postmaster  # noqa: E402
from trial import AT_FULL_SPEED, Failure, Trial, wait_for  # noqa: E402


class Meter:
    """CPU by process, WAL and fsyncs between two moments."""

    def __init__(self, trial):
        self.trial = trial
        self.postmaster = postmaster(trial)

    def read(self):
        local = self.trial.local
        cpu = {s.name: cpu_us(s.pid) for s in local.services.values()}
        cpu["postgres"] = sum(map(cpu_us, family(self.postmaster)))
        cpu["sink"] = cpu_us(self.trial.sink.child.process.pid)
        lsn, syncs = local.sql("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint, wal_sync from pg_stat_wal")[0]
        return {"cpu": cpu, "wal": int(lsn), "fsync": int(syncs)}


def arrived(trial):
    return trial.sink.stats()["total"]["recipients_accepted"]


def row(trial, name, messages, more, recipients=1):
    """Recipients a second; all costs are of a recipient."""
    memory.touch(2)
    meter = Meter(trial)
    done, count = arrived(trial), messages * recipients
    before, begin = meter.read(), time.monotonic()
    load = run_load(trial, messages, *more)
    wait_for(lambda: arrived(trial) >= done + count, lambda: "all deliveries (%d of %d)" % (arrived(trial) - done, count), 600, 0.01)
    seconds = time.monotonic() - begin
    trial.wait_empty(120)
    after = meter.read()
    cpu = {k: (after["cpu"][k] - before["cpu"][k]) / count for k in after["cpu"]}
    cpu["load"] = load["cpu_us_per_message"] / recipients
    raw, stored = map(int, trial.local.sql("select sum(size_bytes::bigint), sum(length(content)::bigint) from message "
                                           "where id in (select id from message order by accepted_at desc limit 2000)")[0])
    rate = count / seconds
    print("\n%s: %d messages of %d recipients in %.1f s" % (name, messages, recipients, seconds))
    print("  recipients/s %.0f   submit p50 %.1f ms p99 %.1f ms   compression %.2f:1" % (
        rate, load["submit_p50_us"] / 1000, load["submit_p99_us"] / 1000, raw / stored))
    print("  CPU us/recipient  " + "  ".join("%s %.1f" % (k, v) for k, v in sorted(cpu.items())) + "  all %.1f" % sum(cpu.values()))
    print("  WAL bytes/recipient %.0f   fsyncs/recipient %.3f" % ((after["wal"] - before["wal"]) / count,
                                                             (after["fsync"] - before["fsync"]) / count), flush=True)
    print("  resident MB  " + "  ".join("%s %.0f" % (s.name, memory_mb(s.pid)) for s in trial.local.services.values()))
    return rate


def latency(trial, messages=1000, rate=100):
    """p50 of submit and of submit to delivered, in ms. Idle: one message at a time, far below what the system can do. The sink's
    histogram is of this alone: a sink of its own."""
    load = run_load(trial, messages, "--rate", rate, "--frame", 1)
    wait_for(lambda: trial.sink.stats()["latency"]["count"] >= messages, "the last deliveries", 60)
    numbers = trial.sink.stats()["latency"]
    print("\nidle (%d messages at %d/s): submit p50 %.2f ms p99 %.2f ms, submit to delivered p50 %.2f ms p99 %.2f ms" % (
        messages, rate, load["submit_p50_us"] / 1000, load["submit_p99_us"] / 1000, numbers["p50_us"] / 1000, numbers["p99_us"] / 1000))
    return load["submit_p50_us"] / 1000, numbers["p50_us"] / 1000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=10_240)
    parser.add_argument("--least", type=float, default=5_000, help="exit 1 below so many messages a second")
    parser.add_argument("--preset", default="release")
    parser.add_argument("--only", choices=["corpus", "incompressible", "idle"])
    args = parser.parse_args()
    cpu = next(l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name"))
    print("%s, %d cores, preset %s, %d bytes a message" % (cpu, os.cpu_count(), args.preset, args.size))
    rate = 0
    with Trial(preset=args.preset, profile="bench") as trial:
        trial.start(AT_FULL_SPEED, sink={"recording": "none", "tokens": 0, "more": ["--no-tls"]})
        trial.key = trial.local.key("shop")
        size = ["--size", args.size]
        if args.only in (None, "idle"):
            latency(trial)
        if args.only in (None, "corpus"):
            rate = row(trial, "corpus bodies", args.messages, size)
        if args.only in (None, "incompressible"):
            row(trial, "incompressible bodies", args.messages // 2, size + ["--incompressible"])
    print("\nmessages/s: %.0f" % rate)
    if args.only in (None, "corpus") and rate < args.least:
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit("end_to_end.sh: %s" % failure)
