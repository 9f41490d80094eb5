"""One trial: a DNS server, sinks and a local Sluice, started together and surely stopped. Used by the quickstart, the
scenarios, the chaos test and the benchmarks.

    with Trial() as trial:
        trial.start(policy)
        trial.client("shop").submit(...)
        trial.wait_accepted(1)
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy"))
sys.path.insert(0, str(ROOT / "tests/rig"))
import memory  # noqa: E402
from sluice_local import Failure, Local, free_ports, wait_for  # noqa: E402,F401

SINK_HOST = "127.0.0.2"

POLICY = """
tenants:
  - {name: shop, streams: [transactional, marketing], sender_domains: [shop.example]}
streams:
  - {name: transactional, priority: high}
  - {name: marketing}
sources:
  - {name: ip-11, address: 127.0.0.11, ehlo: mta11.shop.example}
  - {name: ip-12, address: 127.0.0.12, ehlo: mta12.shop.example}
  - {name: ip-13, address: 127.0.0.13, ehlo: mta13.shop.example}
  - {name: ip-14, address: 127.0.0.14, ehlo: mta14.shop.example}
pools:
  - {name: warm, members: [{source: ip-11, weight: 2}, {source: ip-12}]}
  - {name: new, members: [{source: ip-13}, {source: ip-14}]}
routes:
  - {match: {stream: transactional}, pool: warm}
  - {match: {stream: marketing}, pool: new}
"""
# The sink is ours: no politeness is due.
AT_FULL_SPEED = POLICY + """
shaping:
  - {match: {}, connection_rate: 100k/s}
"""

RECORDS = ["*.d.test. MX 10 sink.test.", "null.test. MX 0 .", "sink.test. A " + SINK_HOST]


class Child:
    """A helper process that says on stdout where it listens."""

    def __init__(self, command, log):
        self.log = open(log, "ab")
        self.process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=self.log,
                                        stdin=subprocess.DEVNULL)

    def addresses(self, count):
        found = []
        while len(found) < count:
            line = self.process.stdout.readline().decode()
            if not line:
                raise Failure("%s ended at start" % self.process.args[0])
            if line.startswith("listening "):
                found.append(line.split()[1])
        return found

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.log.close()


class Sink:
    """sluice-sink with its counters and records."""

    def __init__(self, trial, port, recording="digest", tokens=2_000_000, script=None, threads=1, hosts=(SINK_HOST,), more=()):
        self.record = trial.dir / "sink.jsonl"
        command = [trial.bin / "sluice-sink", "--recording", recording, "--threads", threads, "--latency"]
        for host in hosts:
            command += ["--listen", "%s:%d" % (host, port)]
        if recording != "none":
            command += ["--record", self.record]
        if tokens:
            command += ["--track-tokens", tokens]
        if script:
            command += ["--script", script]
        (stats_port,) = free_ports(1)
        self.stats_address = "127.0.0.1:%d" % stats_port
        self.child = Child([*command, "--stats", self.stats_address, *more], trial.dir / "sink.log")
        self.child.addresses(len(hosts))

    def get(self, path):
        with urllib.request.urlopen("http://%s/%s" % (self.stats_address, path), timeout=10) as answer:
            return json.loads(answer.read())

    def stats(self):
        return self.get("stats")

    def accepted(self):
        return self.stats()["total"]["replied_ok"]

    def records(self):
        """Finished transactions, as dicts; at latest 100 ms after they ended."""
        if not self.record.exists():
            return []
        return [json.loads(line) for line in self.record.read_text().splitlines() if line.endswith("}")]

    def reload(self):
        self.child.process.send_signal(signal.SIGHUP)

    def stop(self):
        self.child.stop()


class Trial:
    """Everything lives under one directory, which goes with the trial unless it failed or `keep` was asked for."""

    def __init__(self, preset=None, profile="test", keep=False, directory=None):
        self.dir = pathlib.Path(directory or tempfile.mkdtemp(prefix="sluice-", dir="/tmp"))
        self.dir.mkdir(exist_ok=True)
        os.chmod(self.dir, 0o755)
        self.keep = keep or bool(os.environ.get("SLUICE_KEEP"))
        self.bin = pathlib.Path(os.environ.get("SLUICE_BIN") or ROOT / "build" / (preset or "debug") / "bin")
        self.profile = profile
        self.local = self.sink = self.dns = None
        self.clients, self.children = {}, []

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        failed = kind is not None
        if failed and self.local is not None:
            for service in self.local.services.values():
                print("---- %s\n%s" % (service.name, service.tail(25)), file=sys.stderr)
        self.stop()
        if failed or self.keep:
            print("kept: %s" % self.dir, file=sys.stderr)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def stop(self):
        for client in self.clients.values():
            client.close()
        if self.local is not None:
            for service in self.local.services.values():
                service.signal(signal.SIGCONT)
                service.kill()
            if (self.dir / "postgres/data/postmaster.pid").exists():
                self.local.postgres("down", "--mode", "immediate")
        for child in [self.sink, self.dns, *self.children]:
            if child is not None:
                child.stop()

    def start_dns(self, records=(), arguments=()):
        command = [ROOT / "tests/rig/dns.py"]
        self.write_records(records)
        command += ["--records", self.dir / "records"]
        self.dns = Child([*command, *arguments], self.dir / "dns.log")
        return self.dns.addresses(1)[0]

    def write_records(self, records):
        (self.dir / "records").write_text("".join(line + "\n" for line in [*RECORDS, *records]))

    def change_records(self, *records):
        """In place of those given at the start; answers are cached for their TTL, five seconds at least."""
        self.write_records(records)
        self.dns.process.send_signal(signal.SIGHUP)

    def prepare(self, records=(), sink=None, dns=()):
        """DNS, sink, PostgreSQL; no service yet."""
        if self.profile == "bench":
            memory.touch(6)
        dns = self.start_dns(records, dns)
        (port,) = free_ports(1)
        self.sink_options = sink or {}
        self.sink = Sink(self, port, **self.sink_options)
        self.local = Local(self.dir, dns=dns, smtp_port=port, profile=self.profile, bin_dir=self.bin)
        self.local.start_postgres()
        return self.local

    def restart_sink(self):
        """A sink that has seen nothing yet, in the old one's place; every connection ends."""
        self.sink.stop()
        self.sink = Sink(self, self.local.smtp_port, **self.sink_options)

    def start(self, policy=POLICY, records=(), sink=None, schedulers=1, egress=None, ingest=None, scheduler=None, dns=(), bound=None):
        """Everything, with the policy applied and its sources bound (`bound` of them, where not all can be). `scheduler` may be a function
        of what is prepared, for settings that name it."""
        local = self.prepare(records, sink, dns)
        scheduler = scheduler(local) if callable(scheduler) else scheduler
        for number in range(schedulers):
            local.scheduler("scheduler" if number == 0 else "scheduler-%d" % (number + 1), **(scheduler or {})).start()
        local.ingest(**(ingest or {})).start()
        local.egress(**(egress or {})).start()
        self.apply(policy, bound)
        return self

    def apply(self, policy, bound=None):
        path = self.dir / "policy.yaml"
        path.write_text(policy)
        self.local.apply(path)
        self.local.wait_bound(policy.count("ehlo:") if bound is None else bound)

    def client(self, tenant="shop"):
        from client import Client  # Needs the stubs: only who asks for a client pays for them.
        if tenant not in self.clients:
            self.clients[tenant] = Client(self.local.submit, self.local.key(tenant))
        return self.clients[tenant]

    def wait_accepted(self, count, seconds=60):
        """Until the sink has answered that many transactions with 2xx."""
        wait_for(lambda: self.sink.accepted() >= count,
                 lambda: "%d deliveries (there are %d)" % (count, self.sink.accepted()), seconds, 0.05)

    def wait_records(self, count, seconds=60):
        """Until the sink has written that many records; answers them."""
        return wait_for(lambda: (lambda r: r if len(r) >= count else None)(self.sink.records()),
                        lambda: "%d records (there are %d)" % (count, len(self.sink.records())), seconds, 0.05)

    def wait_recipients(self, count, since=0, seconds=60):
        """Until the records behind the first `since` name that many recipients; answers those records."""
        def behind():
            records = self.sink.records()[since:]
            return records if sum(len(r["to"]) for r in records) >= count else None
        return wait_for(behind, lambda: "%d recipients in the records" % count, seconds, 0.05)

    def wait_empty(self, seconds=60):
        """Until nothing is left to be delivered."""
        wait_for(lambda: self.local.sql("select count(*) from queue_entry")[0][0] == "0",
                 lambda: "an empty queue (%s entries)" % self.local.sql("select count(*) from queue_entry")[0][0],
                 seconds, 0.1)
