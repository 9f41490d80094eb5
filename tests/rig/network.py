"""A network of a scenario's own: a namespace with loopback alone, where addresses such as 192.0.2.11 exist or don't as the test says.
Every 127/8 address can be bound, so only here a source can be missing."""
import os
import subprocess
import sys

INSIDE = "SLUICE_OWN_NETWORK"


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def whole(address):
    return address + ("/128" if ":" in address else "/32")


def add(address):
    ip("address", "add", whole(address), "dev", "lo", *(["nodad"] if ":" in address else []))


def remove(address):
    ip("address", "del", whole(address), "dev", "lo")


def enter():
    """Runs the script again inside such a namespace and ends with its result; returns inside. Where namespaces are refused it ends
    with success and says so, unless SLUICE_REQUIRE_ALL is set."""
    if os.environ.get(INSIDE):
        ip("link", "set", "lo", "up")
        return
    tried = subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        said = "needs root and network namespaces (unshare --net: %s)" % tried.stderr.strip()
        if os.environ.get("SLUICE_REQUIRE_ALL"):
            sys.exit("%s: %s" % (sys.argv[0], said))
        print("SKIPPED: %s %s" % (sys.argv[0], said), file=sys.stderr)
        sys.exit(0)
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
