"""See kill.sh."""
import argparse
import pathlib
import random
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/rig"))
from load import Load  # noqa: E402
from trial import AT_FULL_SPEED, Failure, Trial, wait_for  # noqa: E402

KINDS = ["ingest", "scheduler", "standby", "postgres", "egress", "freeze", "rolling"]
KILLS_A_ROUND = 3
LEASE_SECONDS = 10


class Chaos:
    def __init__(self, trial, args):
        self.trial, self.local, self.args = trial, trial.local, args
        self.random = random.Random(args.seed)
        self.promised = 0
        self.kills = {kind: 0 for kind in KINDS}
        self.allowed = 0          # Duplicates that egress kills may have caused.
        self.duplicated_other = 0  # Caused in rounds without an egress kill.
        self.duplicated = 0

    # ---- what the sink says
    def distinct(self):
        return self.trial.sink.stats()["tokens"]["distinct_accepted"]

    def extra(self):
        return self.trial.sink.stats()["tokens"]["extra"]

    def settled(self):
        return int(self.local.sql("select count(*) from event where kind in ('delivered', 'late_delivery')")[0][0])

    # ---- one round
    def run(self, number):
        kind = self.args.kinds[number % len(self.args.kinds)]
        before = self.extra()
        start = self.distinct()
        # Each freeze outlasts a lease: the load has to outlast them all.
        rate = min(self.args.rate, self.args.messages // 45) if kind == "freeze" else self.args.rate
        load = Load(self.trial, self.args.messages, rate)
        if kind == "standby":
            self.local["scheduler-2"].start()
        marks = sorted(self.random.uniform(0.05, 0.75) for _ in range(KILLS_A_ROUND))
        for share in marks:
            target = start + int(share * self.args.messages)
            wait_for(lambda: self.distinct() >= target or not load.running(), "the load to move", 300, 0.005)
            if self.local.sql("select count(*) from queue_entry")[0][0] == "0" and not load.running():
                raise Failure("nothing was under way at a kill of %s" % kind)
            self.strike(kind)
        result = load.finish()
        self.promised += len(load.promised())
        wait_for(lambda: self.distinct() >= self.promised, lambda: "all %d promised messages (%d arrived)"
                 % (self.promised, self.distinct()), 300, 0.1)
        self.trial.wait_empty(300)
        if self.local["scheduler-2"].alive():
            self.local["scheduler-2"].stop()
        extra = self.extra() - before
        self.duplicated += extra
        if kind != "egress":
            self.duplicated_other += extra
        print("round %2d  %-10s kills %d  accepted %d  retried %d  seconds %.1f  duplicated %d%s"
              % (number + 1, kind, self.kills[kind], result["accepted"], result["retried"], result["seconds"], extra,
                 " (bound %d in all)" % self.allowed if kind == "egress" else ""), flush=True)

    def strike(self, kind):
        self.kills[kind] += 1
        getattr(self, "strike_" + kind)()

    def strike_ingest(self):
        self.local["ingest"].kill()
        self.local["ingest"].start()

    def strike_scheduler(self):
        self.local["scheduler"].kill()
        self.local["scheduler"].start()

    def strike_standby(self):
        """The active one dies, the standby takes over, the dead one comes back as standby."""
        owner = self.local.sql("select owner from shard_lease where shard = 0")[0][0].split("/")[0]
        self.local[owner].kill()
        other = "scheduler-2" if owner == "scheduler" else "scheduler"
        wait_for(lambda: self.local.sql("select owner from shard_lease where shard = 0")[0][0].startswith(other + "/"),
                 "%s to take over" % other, 60, 0.1)
        self.local[owner].start()

    def strike_postgres(self):
        self.local.postgres("kill")
        self.local.postgres("start")

    def strike_egress(self):
        self.local["egress"].kill()
        # The sink may still have to read what was sent before the kill.
        wait_for(lambda: self.trial.sink.stats()["open_connections"] == 0, "the sink to see every connection end", 30, 0.02)
        dots = self.trial.sink.stats()["tokens"]
        # Whatever was reported before the kill is settled now: the stream is gone, the scheduler is not.
        known = -1
        while known != self.settled():
            known = self.settled()
            wait_for(lambda: self.idle(), "the scheduler to settle", 30, 0.05)
        self.allowed += max(0, dots["distinct_accepted"] - known)
        self.local["egress"].start()

    def idle(self):
        text = self.metrics("scheduler")
        return "sluice_scheduler_unsettled_reports_count 0" in text

    def metrics(self, name):
        import urllib.request
        with urllib.request.urlopen("http://%s/metrics" % self.local[name].config["metrics.listen"], timeout=10) as answer:
            return answer.read().decode()

    def strike_freeze(self):
        """SIGSTOP past the lease while a standby takes over, then SIGCONT."""
        if "scheduler-2" in self.local.services and not self.local["scheduler-2"].alive():
            self.local["scheduler-2"].start()
        owner = self.local.sql("select owner from shard_lease where shard = 0")[0][0].split("/")[0]
        other = "scheduler-2" if owner == "scheduler" else "scheduler"
        self.local[owner].signal(signal.SIGSTOP)
        wait_for(lambda: self.local.sql("select owner from shard_lease where shard = 0")[0][0].startswith(other + "/"),
                 "%s to take over from the frozen one" % other, 60, 0.1)
        moved = self.distinct()
        wait_for(lambda: self.distinct() > moved or self.local.sql("select count(*) from queue_entry")[0][0] == "0",
                 "mail to move again", 60, 0.05)
        self.local[owner].signal(signal.SIGCONT)

    def strike_rolling(self):
        for name in ("ingest", "scheduler", "egress"):
            self.local[name].stop()
            self.local[name].start()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--rate", type=int, default=1500, help="messages a second, so that every kill comes under load")
    parser.add_argument("--preset", default="release")
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=KINDS, help="of " + ",".join(KINDS))
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    print("seed %d, %d rounds of %d messages" % (args.seed, args.rounds, args.messages))
    with Trial(preset=args.preset) as trial:
        trial.start(AT_FULL_SPEED, sink={"recording": "none", "tokens": 2 * args.rounds * args.messages})
        trial.local.scheduler("scheduler-2")
        trial.local["egress"].config["schedulers"] = [s.config["dispatch.listen"] for s in trial.local.of("sluice-scheduler")]
        trial.local["egress"].stop()
        trial.local["egress"].start()
        trial.key = trial.local.key("shop")
        chaos = Chaos(trial, args)
        for number in range(args.rounds):
            chaos.run(number)
        lost = chaos.promised - chaos.distinct()
        print("kills: %s" % ", ".join("%s %d" % item for item in chaos.kills.items()))
        print("duplicated without an egress kill: %d" % chaos.duplicated_other)
        print("lost: %d" % lost)
        print("duplicated: %d (bound %d)" % (chaos.duplicated, chaos.allowed))
        if lost > 0 or chaos.duplicated_other > 0 or chaos.duplicated > chaos.allowed:
            sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit("kill.sh: %s" % failure)
