"""What processes cost: CPU, memory and fsyncs of a process and its children, from /proc."""
import os
import pathlib
import re
import subprocess
import threading

from postgres import children_of

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")


def cpu_us(pid):
    """User and system time of a process and of its children that have ended."""
    try:
        fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) * TICK_US


def family(pid):
    return [pid, *children_of(pid)]


def postmaster(trial):
    """The first process of the trial's PostgreSQL."""
    return int((trial.dir / "postgres/data/postmaster.pid").read_text().split()[0])


def memory_mb(pid, field="VmRSS", file="status"):
    try:
        for line in pathlib.Path("/proc/%d/%s" % (pid, file)).read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0


def pss_mb(pids):
    """Memory of them together; what they share counts once."""
    return sum(memory_mb(pid, "Pss", "smaps_rollup") for pid in pids)


class Peak:
    """The most that `read()` gave while the block ran, asked every `interval` seconds."""

    def __init__(self, read, interval=0.5):
        self.read, self.interval, self.most = read, interval, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.ended.wait(self.interval):
            self.most = max(self.most, self.read())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.most = max(self.most, self.read())


class Syncs:
    """Counts fsync and fdatasync of processes and of all they start, by strace: only for runs that are not timed."""

    def __init__(self, pids, log):
        self.log = log
        self.strace = subprocess.Popen(["strace", "-f", "-qq", "-o", str(log), "-e", "trace=fsync,fdatasync",
                                        *[word for pid in pids for word in ("-p", str(pid))]],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.strace.terminate()
        self.strace.wait(30)
        return len(re.findall(r"\b(?:fsync|fdatasync)\(", self.log.read_text()))
