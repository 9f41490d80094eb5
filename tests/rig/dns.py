#!/usr/bin/python3
"""A DNS server for trials: knotd of the distribution, unprivileged, on loopback, authoritative for every name.

  dns.py --records FILE       lines of master-file text, names relative to the root:
                                *.d.test.   MX 10 sink.test.
                                sink.test.  A  127.0.0.2
  dns.py --record 'LINE'      one such line; any number
  dns.py --zone-dir DIR       a master file per zone: test.zone, google.com.zone, root.zone
  dns.py --broken-zone NAME   SERVFAIL for everything in NAME
  dns.py --signed-zone NAME --anchors-file FILE
                              NAME is signed (DNSSEC); its trust anchor is written to FILE before the server is announced

SOA and NS are added to what has none. The root zone is always served, so that a name nobody wrote down is
NXDOMAIN and a resolver that forwards everything here gets an answer to everything. All answers carry AA and no
RA; libunbound takes them from a forwarder (check_dns.py holds that).

Prints `listening 127.0.0.1:PORT` when it answers. SIGHUP reads the files again; SIGTERM and SIGINT end it,
and nothing of it stays behind.
"""
import argparse
import ctypes
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

TRIES = 5
START_SECONDS = 10
PR_SET_PDEATHSIG = 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (UDP and TCP)")
    parser.add_argument("--port-file", help="file to write the port to, once it answers")
    parser.add_argument("--record", action="append", default=[])
    parser.add_argument("--records", action="append", default=[])
    parser.add_argument("--zone-dir", action="append", default=[])
    parser.add_argument("--broken-zone", action="append", default=[])
    parser.add_argument("--signed-zone", action="append", default=[])
    parser.add_argument("--anchors-file", help="file to write the trust anchors (DS records) of the signed zones to")
    parser.add_argument("--ttl", type=int, default=60, help="of records without one of their own; seconds")
    parser.add_argument("--knotd", default="/usr/sbin/knotd")
    return parser.parse_args()


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def zone_texts(arguments):
    """Zone name (with its final dot) to master-file text."""
    zones = {".": ""}
    for directory in arguments.zone_dir:
        names = sorted(n for n in os.listdir(directory) if n.endswith(".zone"))
        if not names:
            sys.exit("dns.py: no *.zone file in %s" % directory)
        for name in names:
            zone = "." if name == "root.zone" else name[:-len(".zone")].rstrip(".") + "."
            zones[zone] = zones.get(zone, "") + read(os.path.join(directory, name)) + "\n"
    # Whatever $ORIGIN or $TTL a file left set must not reach these.
    zones["."] += "$ORIGIN .\n$TTL %d\n" % arguments.ttl
    for path in arguments.records:
        zones["."] += read(path) + "\n"
    zones["."] += "".join(line + "\n" for line in arguments.record)
    return zones


def complete(zone, text, ttl, serial):
    """`text` with a SOA (its serial replaced, so that a reload is seen) and NS."""
    head = "$ORIGIN %s\n$TTL %d\n" % (zone, ttl)
    soa = "%s SOA ns.rig.invalid. hostmaster.rig.invalid. %d 3600 600 86400 %d\n" % (zone, serial, ttl)
    if re.search(r"\sSOA\s", text):
        found = re.search(r"\sSOA\s+\S+\s+\S+\s+\(?\s*(\d+)", text)
        if not found:
            sys.exit("dns.py: the SOA of %s must have its serial on the next words" % zone)
        text = text[:found.start(1)] + str(serial) + text[found.end(1):]
        soa = ""
    apex_ns = re.search(r"^(@|%s)\s+(\d+\s+)?(IN\s+)?NS\s" % re.escape(zone), text, re.M)
    ns = "" if apex_ns else "%s NS ns.rig.invalid.\n" % zone
    return head + soa + ns + text


def write_zones(arguments, directory, serial):
    """Returns zone name to file name, without writing anything for the broken ones."""
    files = {}
    for number, (zone, text) in enumerate(sorted(zone_texts(arguments).items())):
        path = os.path.join(directory, "zone%d" % number)
        with open(path + ".part", "w", encoding="utf-8") as file:
            file.write(complete(zone, text, arguments.ttl, serial))
        os.replace(path + ".part", path)
        files[zone] = path
    for zone in arguments.broken_zone:
        files[zone.rstrip(".") + "."] = os.path.join(directory, "missing")
    return files


def write_config(arguments, directory, port, files):
    path = os.path.join(directory, "knot.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write("""
server:
  rundir: "%(dir)s"
  listen: "%(address)s@%(port)d"
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "%(dir)s"
control:
  listen: "%(dir)s/knot.sock"
log:
  - target: stderr
    any: warning
policy:
  - id: trial
    algorithm: ecdsap256sha256
    single-type-signing: on
template:
  - id: default
    storage: "%(dir)s"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: off
zone:
""" % {"dir": directory, "address": arguments.address, "port": port})
        for zone, name in files.items():
            file.write('  - domain: "%s"\n    file: "%s"\n' % (zone, name))
            if zone.rstrip(".") in [z.rstrip(".") for z in arguments.signed_zone]:
                file.write("    dnssec-signing: on\n    dnssec-policy: trial\n")
    return path


def free_port(address):
    """A port free for UDP and TCP just now."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind((address, 0))
            try:
                tcp.bind((address, udp.getsockname()[1]))
            except OSError:
                continue
            return udp.getsockname()[1]
    sys.exit("dns.py: no free port")


def answers(address, port):
    """True when the root's SOA comes back without an error."""
    query = struct.pack("!6H", 0x5217, 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack("!2H", 6, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(0.2)
        try:
            udp.connect((address, port))
            udp.send(query)
            reply = udp.recv(4096)
        except OSError:
            return False
    identity, flags = struct.unpack("!2H", reply[:4])
    return identity == 0x5217 and flags & 15 == 0


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(arguments, directory, files):
    """Returns the running knotd and its port, once it answers."""
    for _ in range(TRIES):
        port = arguments.port or free_port(arguments.address)
        config = write_config(arguments, directory, port, files)
        log = os.path.join(directory, "knotd.log")
        with open(log, "w") as errors:
            knotd = subprocess.Popen([arguments.knotd, "-c", config], stdout=errors, stderr=errors,
                                     preexec_fn=die_with_parent)
        end = time.monotonic() + START_SECONDS
        while knotd.poll() is None and time.monotonic() < end:
            if answers(arguments.address, port):
                return knotd, port, log
            time.sleep(0.02)
        if knotd.poll() is None:
            knotd.kill()
            knotd.wait()
        if arguments.port:
            break
    sys.stderr.write(read(log))
    sys.exit("dns.py: knotd does not answer")


def write_anchors(arguments, directory):
    """The DS records of what is signed, whole or not at all."""
    lines = ""
    for zone in arguments.signed_zone:
        found = subprocess.run(["/usr/sbin/keymgr", "-c", os.path.join(directory, "knot.conf"), zone, "ds"], check=True,
                               capture_output=True, text=True).stdout
        lines += "".join(line + "\n" for line in found.splitlines() if " DS " in line)
    with open(arguments.anchors_file + ".part", "w") as file:
        file.write(lines)
    os.chmod(arguments.anchors_file + ".part", 0o644)
    os.replace(arguments.anchors_file + ".part", arguments.anchors_file)


def serve(arguments, directory):
    serial = int(time.time())
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
    knotd, port, log = start(arguments, directory, write_zones(arguments, directory, serial))
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    if arguments.anchors_file:
        write_anchors(arguments, directory)
    print("listening %s:%d" % (arguments.address, port), flush=True)
    if arguments.port_file:
        with open(arguments.port_file + ".part", "w") as file:
            file.write("%d\n" % port)
        os.replace(arguments.port_file + ".part", arguments.port_file)
    while knotd.poll() is None:
        which = signal.sigwait(signals)
        if which in (signal.SIGTERM, signal.SIGINT):
            knotd.terminate()
            try:
                knotd.wait(10)
            except subprocess.TimeoutExpired:
                knotd.kill()
                knotd.wait()
            return 0
        if which == signal.SIGHUP:
            serial = max(serial + 1, int(time.time()))
            files = write_zones(arguments, directory, serial)
            write_config(arguments, directory, port, files)
            knotd.send_signal(signal.SIGHUP)
            print("read again", flush=True)
    sys.stderr.write(read(log))
    print("dns.py: knotd ended", file=sys.stderr)
    return 1


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="rig-dns-") as directory:
        return serve(arguments, directory)


if __name__ == "__main__":
    sys.exit(main())
