"""See versus.sh."""
import argparse
import json
import os
import pathlib
import pwd
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/rig"))
import memory  # noqa: E402
from load import run_load  # noqa: E402
from meter import Peak, Syncs, cpu_us, family, postmaster, pss_mb  # noqa: E402
from trial import AT_FULL_SPEED, SINK_HOST, Failure, Trial, free_ports, wait_for  # noqa: E402

JOURNALED = ("ext2/ext3", "xfs", "btrfs")
SESSIONS = 20       # Of the injector into Postfix, and of Postfix into the sink.
COUNTED = 400       # Messages of the run whose fsyncs are counted.
IDLE = 200          # Messages one at a time.

MAIN = """
compatibility_level = 3.6
queue_directory = {dir}/spool
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
meta_directory = {dir}/etc
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
myhostname = mta.test
mydestination =
alias_maps =
local_recipient_maps =
disable_dns_lookups = yes
smtp_tls_security_level = none
smtpd_tls_security_level = none
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [{sink}]:{sink_port}
default_process_limit = 200
smtp_destination_concurrency_limit = {sessions}
default_destination_concurrency_limit = {sessions}
initial_destination_concurrency = {sessions}
qmgr_message_active_limit = 100000
qmgr_message_recipient_limit = 100000
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_client_event_limit_exceptions = static:all
message_size_limit = 60000000
smtp_connection_cache_destinations = [{sink}]:{sink_port}, static:all
smtp_connection_cache_time_limit = 10s
smtp_connection_reuse_time_limit = 600s
maillog_file_prefixes = {dir}
maillog_file = {dir}/maillog
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """The distribution's, in a directory of its own, all mail to the sink."""
    name = "postfix"

    def __init__(self, trial, sink_port):
        self.trial, self.dir = trial, trial.dir / "postfix"
        (self.port,) = free_ports(1)
        for sub in ("etc", "spool", "data"):
            (self.dir / sub).mkdir(parents=True)
        owner = pwd.getpwnam("postfix")
        os.chown(self.dir / "data", owner.pw_uid, owner.pw_gid)
        values = {"dir": self.dir, "port": self.port, "sink": SINK_HOST, "sink_port": sink_port, "sessions": SESSIONS}
        (self.dir / "etc/main.cf").write_text(MAIN.format(**values))
        (self.dir / "etc/master.cf").write_text(MASTER.format(**values))
        (self.dir / "etc/dynamicmaps.cf").write_text("")
        shutil.copy("/etc/postfix/postfix-files", self.dir / "etc/postfix-files")  # Which directories a spool has.
        self.command("start")
        self.master = int((self.dir / "spool/pid/master.pid").read_text().split()[0])

    def command(self, verb):
        result = subprocess.run(["postfix", "-c", str(self.dir / "etc"), verb], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise Failure("postfix %s: %s" % (verb, result.stderr))

    def processes(self):
        return family(self.master)

    def inject(self, messages, size, idle=False):
        return run([self.trial.bin / "smtp-blast", "--target", "127.0.0.1:%d" % self.port, "--messages", messages, "--size", size, "--data",
                    "--connections", 1 if idle else SESSIONS, "--corpus", ROOT / "tests/data/mail", "--from", "bulk@shop.example"])


class Sluice:
    """Shipped defaults, as in end_to_end.sh."""
    name = "sluice"

    def __init__(self, trial):
        self.trial = trial
        self.postmaster = postmaster(trial)

    def processes(self):
        return [s.pid for s in self.trial.local.services.values()] + family(self.postmaster)

    def inject(self, messages, size, idle=False):
        return run_load(self.trial, messages, "--size", size, *(["--rate", 100, "--frame", 1] if idle else []))


def run(command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=900)
    if result.returncode != 0:
        raise Failure("%s ended with %d: %s%s" % (command[0], result.returncode, result.stdout, result.stderr))
    return json.loads(result.stdout.strip().splitlines()[-1])


def measure(trial, system, messages, size, idle=False):
    trial.restart_sink()  # Its latencies are of this run alone.
    memory.touch(2)
    with Peak(lambda: pss_mb(system.processes())) as peak:
        before, begin = sum(map(cpu_us, system.processes())), time.monotonic()
        injected = system.inject(messages, size, idle)
        wait_for(lambda: trial.sink.accepted() >= messages,
                 lambda: "all deliveries of %s (%d of %d)" % (system.name, trial.sink.accepted(), messages), 600, 0.01)
        seconds = time.monotonic() - begin
        cpu = sum(map(cpu_us, system.processes())) - before
    delivered = trial.sink.stats()["latency"]
    return {"messages/s": messages / seconds, "CPU us/message": cpu / messages, "peak memory MB": peak.most,
            "accept p50 ms": injected["submit_p50_us"] / 1000, "accept p99 ms": injected["submit_p99_us"] / 1000,
            "accept to delivered p50 ms": delivered["p50_us"] / 1000, "accept to delivered p99 ms": delivered["p99_us"] / 1000}


def syncs(trial, system, size):
    """How often the disk is asked to keep a message; in a run apart, as tracing slows what it traces."""
    trial.restart_sink()
    counter = Syncs(system.processes(), trial.dir / ("syncs-" + system.name))
    system.inject(COUNTED, size)
    wait_for(lambda: trial.sink.accepted() >= COUNTED, "the counted deliveries", 300, 0.05)
    return counter.stop() / COUNTED


def table(title, rows):
    print("\n%s" % title)
    for key in rows["sluice"][0]:
        cells = []
        for name in ("sluice", "postfix"):
            values = [row[key] for row in rows[name]]
            cells.append("%10.2f (%.2f .. %.2f)" % (statistics.median(values), min(values), max(values)))
        print("  %-28s sluice %-34s postfix %s" % (key, *cells))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--messages", type=int, default=60_000, help="of a run of Sluice")
    parser.add_argument("--postfix-messages", type=int, default=8_000, help="of a run of Postfix")
    parser.add_argument("--size", type=int, default=10_240)
    parser.add_argument("--least", type=float, default=0, help="exit 1 below this ratio")
    parser.add_argument("--preset", default="release")
    args = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="sluice-versus-", dir="/var/tmp")
    kind = subprocess.run(["stat", "-f", "-c", "%T", directory], capture_output=True, text=True, check=True).stdout.strip()
    if kind not in JOURNALED:
        raise Failure("/var/tmp is on %s: durability costs nothing there; wanted is one of %s" % (kind, ", ".join(JOURNALED)))
    cpu = next(l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name"))
    print("%s, %d cores, %s, %d bytes a message, %d pairs" % (cpu, os.cpu_count(), kind, args.size, args.pairs))
    with Trial(preset=args.preset, profile="bench", directory=directory) as trial:
        trial.start(AT_FULL_SPEED, sink={"recording": "none", "tokens": 0, "more": ["--no-tls"]})
        trial.key = trial.local.key("shop")
        postfix, sluice = Postfix(trial, trial.local.smtp_port), Sluice(trial)
        try:
            compare(trial, sluice, postfix, args)
        finally:
            postfix.command("stop")


def compare(trial, sluice, postfix, args):
    count = {sluice.name: args.messages, postfix.name: args.postfix_messages}
    for system in (sluice, postfix):  # Connections, caches and processes are there before the first run counts.
        measure(trial, system, count[system.name] // 10, args.size)
    rows, ratios = {"sluice": [], "postfix": []}, []
    for pair in range(args.pairs):
        for system in (sluice, postfix) if pair % 2 == 0 else (postfix, sluice):
            rows[system.name].append(measure(trial, system, count[system.name], args.size))
        ratios.append(rows["sluice"][-1]["messages/s"] / rows["postfix"][-1]["messages/s"])
        print("pair %d: sluice %.0f/s, postfix %.0f/s, ratio %.1f" % (
            pair + 1, rows["sluice"][-1]["messages/s"], rows["postfix"][-1]["messages/s"], ratios[-1]), flush=True)
    table("under full load: median (least .. most)", rows)
    idle = {s.name: [measure(trial, s, IDLE, args.size, idle=True)] for s in (sluice, postfix)}
    print("\nidle, one at a time: " + "; ".join("%s accept p50 %.2f ms, accept to delivered p50 %.2f ms" % (
        name, row[0]["accept p50 ms"], row[0]["accept to delivered p50 ms"]) for name, row in idle.items()))
    print("fsyncs/message, counted in %d messages at full load: " % COUNTED
          + ", ".join("%s %.3f" % (s.name, syncs(trial, s, args.size)) for s in (sluice, postfix)))
    ratio = statistics.median(ratios)
    print("\nratio of each pair: median %.1f (%.1f .. %.1f)" % (ratio, min(ratios), max(ratios)))
    print("ratio: %.1f" % ratio)
    if ratio < args.least:
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit("versus.sh: %s" % failure)
