"""Memory for measurements on a virtual machine whose host takes back what is not used: there a page that the kernel gives out for
the first time again costs some eleven microseconds instead of one, and a message of 10 KB takes six pages of 4 KB (WAL and its page of
the table in the page cache, that again in shared buffers). A server that owns its memory pays that once. So: take the pages before the clock runs.
"""
import mmap
import os
import signal
import subprocess
import sys

GB = 1 << 30


def available():
    with open("/proc/meminfo", encoding="ascii") as lines:
        return int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) << 10


def taken(size):
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)


def touch(gigabytes):
    """Takes and frees so much, at most half of what is free. For a while the host leaves it there."""
    size = min(int(gigabytes * GB), available() // 2)
    if size >= mmap.PAGESIZE:
        taken(size).close()


class Held:
    """All memory but so many gigabytes is taken while the block runs: the kernel then goes round in the rest, as on a machine of that
    size, instead of asking the host for ever new pages and giving old ones back."""

    def __init__(self, leave_gigabytes):
        self.leave = leave_gigabytes

    def __enter__(self):
        self.child = subprocess.Popen([sys.executable, __file__, str(self.leave), str(os.getpid())], stdout=subprocess.PIPE, text=True)
        self.child.stdout.readline()
        return self

    def __exit__(self, kind, value, trace):
        self.child.kill()
        self.child.wait()


def hold(leave, parent):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    size = available() - int(leave * GB)
    held = taken(size) if size > 0 else None
    touch(leave / 2)
    print("held", flush=True)
    while os.getppid() == parent:
        signal.sigtimedwait([signal.SIGTERM], 1)
    return held


if __name__ == "__main__":
    hold(float(sys.argv[1]), int(sys.argv[2]))
