"""See growth.sh."""
import argparse
import os
import sys
import time

import backlog
from fairness import load_due
from load import run_load
from meter import Peak, cpu_us, family, memory_mb, postmaster
from trial import Failure, Trial, wait_for

BASE = {"backlog": 0, "tenants": 1, "domains": 100, "sources": 4, "size": 10_240, "egresses": 1, "recipients": 1}
POINTS = {"backlog": [0, 10_000, 100_000, 1_000_000], "tenants": [1, 10, 100, 1_000, 10_000], "domains": [1, 100, 10_000, 200_000],
          "sources": [1, 4, 20, 100, 1_000], "size": [1_024, 10_240, 102_400, 1_048_576, 10_485_760], "egresses": [1, 2, 4],
          "recipients": [1, 10, 50, 100]}
SQL_LOADED = ("tenants",)
BYTES = 400 << 20  # Of content that a point sends at most.


def policy(sources, tenants):
    names = ["t%d" % n for n in range(tenants)] if tenants > 1 else ["shop"]
    return """
streams:
  - {name: transactional, priority: high}
  - {name: marketing}
sources:
%s
pools:
  - {name: all, members: [%s]}
routes:
  - {match: {}, pool: all}
shaping:
  - {match: {}, connection_rate: 100k/s, connections: 20}
tenants:
%s""" % ("\n".join("  - {name: s%d, address: %s, ehlo: mta%d.shop.example}" % (n, address(n), n) for n in range(sources)),
         ", ".join("{source: s%d}" % n for n in range(sources)), "".join(backlog.TENANT % name for name in names))


def address(number):
    return "127.0.%d.%d" % (10 + number // 200, 1 + number % 200)


class Point:
    """A system of its own with one axis set."""

    def __init__(self, args, axis, value):
        self.args, self.at = args, dict(BASE, **{axis: value})
        self.sql_loaded = axis in SQL_LOADED
        if self.at["egresses"] > 1:
            self.at["sources"] = 12

    def __enter__(self):
        at = self.at
        self.trial = Trial(preset=self.args.preset, profile="bench").__enter__()
        local = self.trial.prepare(sink={"recording": "none", "tokens": 0, "more": ["--no-tls"]})
        local.scheduler().start()
        local.ingest().start()
        for n in range(at["egresses"]):
            name = "egress" if n == 0 else "egress-%d" % (n + 1)
            mine = [address(s) for s in range(at["sources"]) if s % at["egresses"] == n]
            local.egress(name, **({"bind_addresses": mine} if at["egresses"] > 1 else {})).start()
        self.trial.apply(policy(at["sources"], at["tenants"]))
        self.trial.key = local.key("t0" if at["tenants"] > 1 else "shop")
        if at["backlog"]:
            backlog.fill(self.trial, at["backlog"], max(1, at["backlog"] // 10))
        return self

    def __exit__(self, *error):
        self.trial.__exit__(*error)

    def messages(self):
        """As many as a point takes a few seconds for."""
        at = self.at
        return max(20, min(self.args.messages // at["recipients"], BYTES // at["size"]))

    def run(self):
        """Recipients a second, CPU µs a recipient by process, memory by process."""
        local, count = self.trial.local, self.messages() * self.at["recipients"]
        if self.sql_loaded:
            count = self.load(count)
        done, before = self.recipients(), self.cpu()
        with Peak(lambda: memory_mb(local["scheduler"].pid), 0.2) as scheduler, Peak(lambda: memory_mb(local["egress"].pid), 0.2) as egress:
            if self.sql_loaded:
                local["scheduler"].start()
                # Egress looks for its scheduler each second or two.
                wait_for(lambda: self.recipients() > done, "the first delivery", 60, 0.01)
                done_before = self.recipients()
                began = time.monotonic()
            else:
                done_before, began = done, time.monotonic()
                self.submit(count)
            wait_for(lambda: self.recipients() >= done + count, lambda: "%d of %d" % (self.recipients() - done, count), 900, 0.01)
            seconds = time.monotonic() - began
        cpu = {name: (after - before[name]) / count for name, after in self.cpu().items()}
        return {"rate": (done + count - done_before) / seconds, "cpu": cpu, "scheduler_mb": scheduler.most, "egress_mb": egress.most}

    def recipients(self):
        return self.trial.sink.stats()["total"]["recipients_accepted"]

    def cpu(self):
        local = self.trial.local
        out = {"scheduler": cpu_us(local["scheduler"].pid), "ingest": cpu_us(local["ingest"].pid)}
        out["egress"] = sum(cpu_us(service.pid) for name, service in local.services.items() if name.startswith("egress"))
        out["postgres"] = sum(map(cpu_us, family(postmaster(self.trial))))
        return out

    def submit(self, count):
        at = self.at
        run_load(self.trial, count // at["recipients"], "--recipients", at["recipients"], "--domains", at["domains"], "--streams",
                 "transactional", "--size", at["size"])

    def load(self, count):
        """By SQL, with the scheduler stopped; answers how many there are."""
        local, tenants = self.trial.local, self.at["tenants"]
        shards = [int(row[0]) for row in local.sql("select shard from shard_lease where shard >= 0 order by shard")]
        local["scheduler"].stop()
        return load_due(self.trial, shards, backlog.WRITER, "shop" if tenants == 1 else "t' || n %% %d || '" % tenants, count,
                        "'b' || n % 100 || '.d.test'")


def measure(args, axis, value):
    runs = []
    with Point(args, axis, value) as point:
        for _ in range(1 if point.sql_loaded or axis == "domains" else args.runs):
            runs.append(point.run())
    best = max(runs, key=lambda run: run["rate"])
    print("%-10s %10d  %8.0f/s   CPU µs %s   MB scheduler %.0f egress %.0f" % (
        axis, value, best["rate"], " ".join("%s %.0f" % item for item in sorted(best["cpu"].items())), best["scheduler_mb"],
        best["egress_mb"]), flush=True)
    return best


def plot(axis, points, out):
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot
    figure, left = pyplot.subplots(figsize=(6.4, 3.6))
    values = [value for value, _ in points]
    left.plot(values, [best["rate"] for _, best in points], "o-", color="tab:blue")
    left.set_xscale("symlog" if 0 in values else "log")
    left.set_xlabel(axis)
    left.set_ylabel("recipients/s", color="tab:blue")
    left.set_ylim(bottom=0)
    right = left.twinx()
    right.plot(values, [best["scheduler_mb"] for _, best in points], "s--", color="tab:orange")
    right.plot(values, [best["egress_mb"] for _, best in points], "^:", color="tab:green")
    right.set_ylabel("MB: scheduler (dashed), egress (dotted)")
    right.set_ylim(bottom=0)
    figure.tight_layout()
    figure.savefig(os.path.join(out, axis + ".svg"), metadata={"Date": None})
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=",".join(POINTS))
    parser.add_argument("--messages", type=int, default=40_000)
    parser.add_argument("--runs", type=int, default=3, help="of each point; the best counts")
    parser.add_argument("--preset", default="release")
    parser.add_argument("--out", default="deploy/docs/growth")
    parser.add_argument("--full", action="store_true", help="a backlog of ten million too")
    args = parser.parse_args()
    axes = args.only.split(",")
    for axis in axes:
        if axis not in POINTS:
            sys.exit("growth.sh: %s is no axis; there are %s" % (axis, ", ".join(POINTS)))
    os.makedirs(args.out, exist_ok=True)
    print("%d cores, preset %s; best of %d runs a point" % (os.cpu_count(), args.preset, args.runs))
    for axis in axes:
        values = POINTS[axis] + ([10_000_000] if axis == "backlog" and args.full else [])
        base = [measure(args, "size", BASE["size"])["rate"]]
        points = [(value, measure(args, axis, value)) for value in values]
        base.append(measure(args, "size", BASE["size"])["rate"])
        print("%s: base point %.0f/s before, %.0f/s after\n" % (axis, *base), flush=True)
        plot(axis, points, args.out)
    print("growth: %d axes" % len(axes))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit("growth.sh: %s" % failure)
