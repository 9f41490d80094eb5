"""See endurance.sh."""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from backlog import rate
from load import load_command
from meter import cpu_us, family, postmaster, pss_mb
import memory
from trial import AT_FULL_SPEED, Failure, Trial, wait_for

LEAST_FREE = 30 << 30
PERIOD = 30  # Seconds.
SETTLES = 3  # Bursts before the maximum is looked for.
LEFT_GB = 7  # Of memory for the system; the rest is held.


class Sample:
    """What the system holds now, and how fast it was since the last time somebody asked."""

    def __init__(self, trial):
        local = trial.local
        self.at = time.monotonic()
        self.accepted = trial.sink.accepted()
        latency = trial.sink.get("latency")
        self.p50, self.p99 = latency["p50_us"] / 1000, latency["p99_us"] / 1000
        self.mb = {service.name: pss_mb([service.pid]) for service in local.services.values()}
        self.mb["postgres"] = pss_mb(family(postmaster(trial)))
        self.cpu_us = sum(map(cpu_us, [service.pid for service in local.services.values()] + family(postmaster(trial))))
        row = local.sql("select pg_database_size(current_database()) / 1048576, (select count(*) from queue_entry), "
                        "(select count(*) from content_partition where dropped_at is null), "
                        "(select count(*) from content_partition where dropped_at is not null)")[0]
        self.database_mb, self.waiting, self.partitions, self.dropped = map(int, row)


def show(before, now, began):
    sent = max(now.accepted - before.accepted, 1)
    print("%4.0f s  %6.0f/s  %.0f us  submit to delivered p50 %.1f p99 %.1f ms  MB %s  database %d MB  waiting %d  partitions %d (%d dropped)" % (
        now.at - began, sent / (now.at - before.at), (now.cpu_us - before.cpu_us) / sent, now.p50, now.p99,
        " ".join("%s %.0f" % item for item in now.mb.items()), now.database_mb, now.waiting, now.partitions, now.dropped), flush=True)


def watch(trial, load, minutes):
    """A sample every period while the load runs."""
    began = time.monotonic()
    samples = [Sample(trial)]
    while True:
        try:
            code = load.wait(PERIOD)
            break
        except subprocess.TimeoutExpired:
            samples.append(Sample(trial))
            show(samples[-2], samples[-1], began)
        if time.monotonic() - began > minutes * 60 + 600:
            raise Failure("the load does not end")
    if code != 0:
        raise Failure("sluice-load ended with %d" % code)
    return samples[1:]


def growth(samples, read):
    """The median of the last third as a share of the second third's."""
    third = len(samples) // 3
    return statistics.median(map(read, samples[-third:])) / max(statistics.median(map(read, samples[third:2 * third])), 1e-9)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--share", type=float, default=0.8)
    parser.add_argument("--preset", default="release")
    args = parser.parse_args()
    if args.minutes * 60 < 6 * PERIOD:
        sys.exit("endurance.sh: --minutes 3 at least, for two samples a third")
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < LEAST_FREE:
        sys.exit("endurance.sh: %s has %.1f GB free; 30 GB are needed, as content waits on disk for its partition" % (
            tempfile.gettempdir(), free / 2 ** 30))
    print("%d cores, preset %s" % (os.cpu_count(), args.preset))
    with memory.Held(LEFT_GB), Trial(preset=args.preset, profile="bench") as trial:
        trial.start(AT_FULL_SPEED, sink={"recording": "none", "tokens": 0, "more": ["--no-tls"]},
                    scheduler={"content_partition.age": "2m", "content_partition.drop_after": "1m"})
        trial.key = trial.local.key("shop")
        # What a server does before its buffers are full and its log goes round is not what it keeps up.
        most = statistics.median([rate(trial, 60_000) for _ in range(SETTLES + 3)][SETTLES:])
        each = int(most * args.share)
        print("at most %.0f/s; %d/s for %g minutes" % (most, each, args.minutes), flush=True)
        trial.sink.get("latency")
        before = trial.sink.accepted()
        messages = int(each * args.minutes * 60)
        with open(trial.dir / "load.log", "wb") as log:
            load = subprocess.Popen(load_command(trial, messages, "--rate", each), stdout=log, stderr=log)
            try:
                samples = watch(trial, load, args.minutes)
            finally:
                load.kill()
                load.wait()
        wait_for(lambda: trial.sink.accepted() >= before + messages, "the last deliveries", 120, 0.1)
    held = growth(samples, lambda s: sum(mb for name, mb in s.mb.items() if name != "postgres"))
    latency = growth(samples, lambda s: s.p99)
    print("endurance: memory %.2f, latency %.2f, partitions dropped %d" % (held, latency, samples[-1].dropped))
    if held > 1.2 or latency > 2 or samples[-1].dropped == 0:
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit("endurance.sh: %s" % failure)
