"""See rolling.sh."""
import argparse
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/rig"))
from load import Load  # noqa: E402
from trial import AT_FULL_SPEED, Failure, Trial, wait_for  # noqa: E402

ORDER = ("scheduler-2", "scheduler", "ingest", "egress")
# Offered load for each restart, so that all of them come under it; what a restart holds up is made up for by then.
SECONDS_A_RESTART = 6
SLACK = 0.7  # Of these, what has to have arrived before the next restart: a slow machine may lag behind the load.


def distinct(trial):
    return trial.sink.stats()["tokens"]["distinct_accepted"]


def wait_active(local):
    """Until a scheduler holds the shards: the next restart begins with a system that works, as the runbook asks."""
    wait_for(lambda: local.sql("select count(*) from shard_lease where owner = '' or expires_at < now()")[0][0] == "0",
             "every shard to have an owner", 60, 0.05)


def restart(trial, load, name):
    wait_active(trial.local)
    before = distinct(trial)
    wait_for(lambda: distinct(trial) > before, "mail to move", 60, 0.01)
    if not load.running():
        raise Failure("the load has ended before %s was restarted" % name)
    waiting = trial.local.sql("select count(*) from queue_entry")[0][0]
    begin = time.monotonic()
    trial.local[name].stop()
    stopped = time.monotonic()
    trial.local[name].start()
    print("%-12s %6s waiting  stopped in %.2f s  back in %.2f s" % (name, waiting, stopped - begin, time.monotonic() - stopped), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=2000, help="messages a second")
    parser.add_argument("--laps", type=int, default=3)
    parser.add_argument("--preset", default="release")
    args = parser.parse_args()
    messages = args.rate * args.laps * len(ORDER) * SECONDS_A_RESTART
    with Trial(preset=args.preset) as trial:
        trial.start(AT_FULL_SPEED, sink={"recording": "none", "tokens": 2 * messages}, schedulers=2)
        trial.key = trial.local.key("shop")
        load = Load(trial, messages, args.rate)
        start = distinct(trial)
        for number in range(args.laps * len(ORDER)):
            target = start + number * args.rate * SECONDS_A_RESTART * SLACK
            wait_for(lambda: distinct(trial) > target or not load.running(), "the load to move", 300, 0.01)
            restart(trial, load, ORDER[number % len(ORDER)])
        summary = load.summary()
        promised = len(load.promised())
        try:
            wait_for(lambda: distinct(trial) >= promised, "all promised messages", 300, 0.1)
            trial.wait_empty(300)
        except Failure as failure:
            print(failure, file=sys.stderr)
        tokens = trial.sink.stats()["tokens"]
        lost, duplicated = promised - tokens["distinct_accepted"], tokens["extra"]
        errors = messages - summary["accepted"]  # Refused for good, given up, or never answered.
        print("%d messages in %.1f s (%.0f/s asked, %.0f/s accepted), retried %d, reconnects %d, submit p99 %d ms"
              % (messages, summary["seconds"], args.rate, summary["messages_per_s"], summary["retried"], summary["reconnects"],
                 summary["submit_p99_us"] // 1000))
        print("rolling restart: lost %d, duplicated %d, client errors %d" % (lost, duplicated, errors))
        if lost or duplicated or errors:
            raise Failure("nothing may be lost, doubled or refused")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit("rolling.sh: %s" % failure)
