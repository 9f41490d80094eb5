#!/usr/bin/python3
"""CPU that the warmup ledger costs: tests/bench/warmup_ledger.sh [--preset release] [name=number …] (names: warmup_bench.cc).
Client and server CPU over the simulated time, as a share of one core."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
POSTGRES = str(ROOT / "tests/rig/postgres.py")


def server_cpu(data):
    """Seconds of all children of the postmaster that live."""
    postmaster = (pathlib.Path(data) / "postmaster.pid").read_text().split()[0]
    ticks = 0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[1] == postmaster:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main():
    arguments = sys.argv[1:]
    preset = "release"
    if arguments[:1] == ["--preset"]:
        preset, arguments = arguments[1], arguments[2:]
    with tempfile.TemporaryDirectory(prefix="sluice-bench-", dir="/tmp") as directory:
        os.chmod(directory, 0o755)
        url = subprocess.run([POSTGRES, "up", "--dir", directory, "--profile", "bench"], check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
        try:
            before = server_cpu(directory + "/data")
            bench = subprocess.Popen([str(ROOT / "build" / preset / "bin/warmup_bench"), url, *arguments], text=True, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE)
            result = json.loads(bench.stdout.readline())
            server = server_cpu(directory + "/data") - before
            bench.communicate("\n")
        finally:
            subprocess.run([POSTGRES, "down", "--dir", directory], check=True, stdout=subprocess.DEVNULL)
    seconds = result["seconds"]
    print("%(pairs)d pairs, %(sent)d messages over %(seconds)d s, %(draws)d draws of %(drawn_for)d accounts (waited for %(waited)d times), "
          "%(records)d records of counts" % result)
    print("client %.2f %% of a core (the account of every message included), server %.2f %%"
          % (100 * result["client_cpu"] / seconds, 100 * server / seconds))


if __name__ == "__main__":
    main()
