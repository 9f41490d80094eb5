"""See backlog.sh."""
import argparse
import json
import os
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/rig"))
from load import run_load  # noqa: E402
from meter import Peak, memory_mb  # noqa: E402
from trial import Failure, Trial, wait_for  # noqa: E402

WRITER = 9_000_000  # No ingest has it.
STEP = 500_000      # Entries of one statement.

POLICY = """
streams:
  - {name: transactional, priority: high}
  - {name: marketing}
sources:
  - {name: ip-11, address: 127.0.0.11, ehlo: mta11.shop.example}
  - {name: ip-12, address: 127.0.0.12, ehlo: mta12.shop.example}
pools:
  - {name: warm, members: [{source: ip-11}, {source: ip-12}]}
routes:
  - {match: {}, pool: warm}
shaping:
  - {match: {}, connection_rate: 100k/s}   # The sink is ours: no politeness is due.
tenants:
"""
TENANT = "  - {name: %s, streams: [transactional, marketing], sender_domains: [shop.example]}\n"

MESSAGES = """
insert into message (part, id, accepted_at, size_bytes, encoding, flags, dsn_return, return_path, sender_domain, dsn_envelope_id,
                     prepended_headers, content)
select (select max(part) from content_partition where dropped_at is null), %(base)d + n, now(), octet_length(body), 1, 0, 0, 'bulk@shop.example',
       'shop.example', '', '', body
from generate_series(%(first)d, %(last)d, 100) n,
     convert_to(E'From: <bulk@shop.example>\\r\\nSubject: backlog\\r\\n\\r\\n' || repeat('0123456789abcdef', 64) || E'\\r\\n', 'UTF8') body"""

ENTRIES = """
insert into queue_entry (id, message_id, accepted_at, due_at, expires_at, part, priority, tenant, stream, campaign, domain, sender_domain,
                         recipient)
select %(base)d + n, %(base)d + n - (n - 1) %% 100, now() - interval '1 minute', now() + interval '2 days', now() + interval '4 days',
       (select max(part) from content_partition where dropped_at is null), 1, 'shop', 'marketing', 'c' || (n / 100) %% 10,
       'b' || n %% %(domains)d || '.d.test', 'shop.example', 'u' || n || '@b' || n %% %(domains)d || '.d.test'
from generate_series(%(first)d, %(last)d) n"""


def begin(preset):
    trial = Trial(preset=preset, profile="bench")
    trial.__enter__()
    trial.start(POLICY + TENANT % "shop", sink={"recording": "none", "tokens": 0, "more": ["--no-tls"]})
    trial.key = trial.local.key("shop")
    return trial


def drop_waiting(trial):
    """While the scheduler is stopped: what was loaded was never there, but the server has written it."""
    trial.local.sql("truncate queue_entry, message")


def fill(trial, entries, domains, stays=True):
    """Loads the backlog with the scheduler stopped, and waits until it is in the index again. One that does not stay is gone before the
    scheduler starts: what a server costs that has just written so much (its memory in use, its WAL segments made) is in both of a pair."""
    local = trial.local
    local["scheduler"].stop()
    shards = [int(row[0]) for row in local.sql("select shard from shard_lease where shard >= 0 order by shard")]
    each = entries // len(shards) // 100 * 100
    for shard in shards:
        for first in range(1, each + 1, STEP):
            numbers = {"base": shard << 56 | WRITER << 32, "first": first, "last": min(first + STEP - 1, each), "domains": domains}
            local.sql(MESSAGES % numbers)
            local.sql(ENTRIES % numbers)
    if not stays:
        drop_waiting(trial)
    local.sql("analyze queue_entry")
    local.sql("checkpoint")
    local["scheduler"].start()
    loaded = each * len(shards) if stays else 0
    began = time.monotonic()
    wait_for(lambda: entries_known(trial) >= loaded, lambda: "the index (%d of %d)" % (entries_known(trial), loaded), 900, 0.2)
    if stays:
        print("loaded %d entries over %d domains in %.0f s" % (loaded, domains, time.monotonic() - began), flush=True)
    trial.local.wait_bound(2)
    return loaded, shards


def entries_known(trial):
    status = json.loads(trial.local.ctl("status", "--json").stdout)
    return sum(int(s.get("entries", 0)) for s in status["schedulers"])


def rate(trial, messages):
    done, began = trial.sink.accepted(), time.monotonic()
    run_load(trial, messages)
    wait_for(lambda: trial.sink.accepted() >= done + messages,
             lambda: "all deliveries (%d of %d)" % (trial.sink.accepted() - done, messages), 600, 0.01)
    return messages / (time.monotonic() - began)


def first_delivery(trial, shards):
    """Seconds from the start of a scheduler that was stopped to the first delivery of what had waited."""
    local = trial.local
    local["scheduler"].stop()
    for shard in shards:
        base = shard << 56 | WRITER << 32
        local.sql("update queue_entry set due_at = now() where id between %d and %d" % (base + 1, base + 500))
    done, began = trial.sink.accepted(), time.monotonic()
    local["scheduler"].start(wait=False)
    wait_for(lambda: trial.sink.accepted() > done, "a delivery after the restart", 300, 0.01)
    return time.monotonic() - began


def cancel(trial, campaign):
    """Entries, seconds, and the scheduler's memory before and at its peak."""
    pid = trial.local["scheduler"].pid
    before, began = memory_mb(pid), time.monotonic()
    with Peak(lambda: memory_mb(pid), 0.2) as peak:
        answer = json.loads(trial.local.ctl("cancel", "--campaign", campaign, "--reason", "benchmark", "--wait", "--json").stdout)
    return int(answer["done_count"]), time.monotonic() - began, before, peak.most


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--domains", type=int, default=200_000)
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--preset", default="release")
    parser.add_argument("--small", action="store_true", help="100,000 entries over 2,000 domains")
    args = parser.parse_args()
    if args.small:
        args.entries, args.domains, args.messages, args.pairs = 100_000, 2_000, 3_000, 3
    print("%d cores, preset %s" % (os.cpu_count(), args.preset))
    empty, full = begin(args.preset), begin(args.preset)
    try:
        loaded, shards = fill(full, args.entries, args.domains)
        fill(empty, args.entries, args.domains, stays=False)
        shares = []
        for pair in range(args.pairs):
            order = [empty, full] if pair % 2 == 0 else [full, empty]
            rates = {id(trial): rate(trial, args.messages) for trial in order}
            shares.append(rates[id(full)] / rates[id(empty)])
            print("pair %d: %.0f/s beside the backlog, %.0f/s without: %.3f" % (pair + 1, rates[id(full)], rates[id(empty)], shares[-1]),
                  flush=True)
        pid = full.local["scheduler"].pid
        print("resident set of the scheduler with %d waiting: %.0f MB (peak %.0f MB)" % (loaded, memory_mb(pid), memory_mb(pid, "VmHWM")))
        seconds = first_delivery(full, shards)
        wait_for(lambda: entries_known(full) >= loaded * 0.9, "the index after the restart", 900, 0.5)
        count, took, before, peak = cancel(full, "c3")
        print("cancel of %d entries: %.1f s, resident set %.0f MB before, %.0f MB at its peak" % (count, took, before, peak))
    except Failure:
        for trial in (empty, full):
            trial.__exit__(Failure, None, None)
        raise
    for trial in (empty, full):
        trial.__exit__(None, None, None)
    print("range of the pairs: %.3f to %.3f" % (min(shares), max(shares)))
    print("backlog throughput share: %.3f" % statistics.median(shares))
    print("first delivery seconds: %.2f" % seconds)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit("backlog.sh: %s" % failure)
