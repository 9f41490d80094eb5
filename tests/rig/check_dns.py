#!/usr/bin/python3
"""Holds what dns.py promises, as seen by libunbound with dns.py as the forwarder of everything."""
import ctypes
import os
import signal
import subprocess
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
A, CNAME, MX, TXT = 1, 5, 15, 16


class UbResult(ctypes.Structure):
    _fields_ = [("qname", ctypes.c_char_p), ("qtype", ctypes.c_int), ("qclass", ctypes.c_int),
                ("data", ctypes.POINTER(ctypes.POINTER(ctypes.c_char))), ("len", ctypes.POINTER(ctypes.c_int)),
                ("canonname", ctypes.c_char_p), ("rcode", ctypes.c_int),
                ("answer_packet", ctypes.c_void_p), ("answer_len", ctypes.c_int),
                ("havedata", ctypes.c_int), ("nxdomain", ctypes.c_int), ("secure", ctypes.c_int),
                ("bogus", ctypes.c_int), ("why_bogus", ctypes.c_char_p), ("was_ratelimited", ctypes.c_int),
                ("ttl", ctypes.c_int)]


class Unbound:
    """libunbound as Sluice uses it: everything forwarded, loopback allowed."""

    def __init__(self, port):
        self.lib = ctypes.CDLL("libunbound.so.8")
        self.lib.ub_ctx_create.restype = ctypes.c_void_p
        self.ctx = ctypes.c_void_p(self.lib.ub_ctx_create())
        for option, value in ((b"do-not-query-localhost:", b"no"), (b"cache-max-ttl:", b"0")):
            assert self.lib.ub_ctx_set_option(self.ctx, option, value) == 0
        assert self.lib.ub_ctx_set_fwd(self.ctx, b"127.0.0.1@%d" % port) == 0
        # Names under test. are NXDOMAIN inside libunbound (RFC 6761) unless told otherwise.
        for zone in (b"test.", b"invalid."):
            assert self.lib.ub_ctx_zone_add(self.ctx, zone, b"transparent") == 0

    def ask(self, name, kind):
        """(rcode, nxdomain, list of rdata)"""
        result = ctypes.POINTER(UbResult)()
        error = self.lib.ub_resolve(self.ctx, name.encode(), kind, 1, ctypes.byref(result))
        assert error == 0, error
        r = result.contents
        data = []
        while r.data and r.data[len(data)]:
            data.append(ctypes.string_at(r.data[len(data)], r.len[len(data)]))
        answer = (r.rcode, bool(r.nxdomain), data)
        self.lib.ub_resolve_free(result)
        return answer

    def close(self):
        self.lib.ub_ctx_delete(self.ctx)


def wire_name(name):
    return b"".join(bytes([len(l)]) + l.encode() for l in name.rstrip(".").split(".") if l) + b"\0"


class DnsTest(unittest.TestCase):
    def start(self, *arguments):
        process = subprocess.Popen(["/usr/bin/python3", os.path.join(HERE, "dns.py"), *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = process.stdout.readline()
        self.assertTrue(line.startswith("listening 127.0.0.1:"), line)

        def stop():
            process.terminate()
            process.communicate(timeout=20)
        self.addCleanup(stop)
        unbound = Unbound(int(line.rsplit(":", 1)[1]))
        self.addCleanup(unbound.close)
        return process, unbound

    def test_answers_records_wildcards_and_unknown_names(self):
        _, unbound = self.start("--record", "*.d.test. MX 10 sink.test.", "--record", "sink.test. A 127.0.0.2",
                                "--record", "null.test. MX 0 .", "--record", "alias.test. CNAME sink.test.",
                                "--record", "sink.test. TXT \"v=1\"", "--broken-zone", "broken.test")
        self.assertEqual(unbound.ask("d17.d.test", MX), (0, False, [b"\0\x0a" + wire_name("sink.test.")]))
        self.assertEqual(unbound.ask("sink.test", A), (0, False, [bytes([127, 0, 0, 2])]))
        self.assertEqual(unbound.ask("null.test", MX), (0, False, [b"\0\0\0"]))
        self.assertEqual(unbound.ask("alias.test", A), (0, False, [bytes([127, 0, 0, 2])]))
        self.assertEqual(unbound.ask("sink.test", MX), (0, False, []))
        self.assertEqual(unbound.ask("nobody.test", MX), (3, True, []))
        self.assertEqual(unbound.ask("anything.example", A), (3, True, []))
        self.assertEqual(unbound.ask("mail.broken.test", A)[0], 2)

    def test_serves_several_zones_that_point_into_each_other(self):
        with tempfile.TemporaryDirectory() as directory:
            zones = {"gmail.com.zone": "@ MX 5 gmail-smtp-in.l.google.com.\n@ MX 10 alt1.gmail-smtp-in.l.google.com.\n",
                     "google.com.zone": "*.l A 127.0.0.9\n",
                     "test.zone": "$TTL 30\n@ IN SOA a. b. 7 1 1 1 1\n@ NS ns\nns A 127.0.0.1\nweb CNAME x.l.google.com.\n"}
            for name, text in zones.items():
                with open(os.path.join(directory, name), "w") as file:
                    file.write(text)
            _, unbound = self.start("--zone-dir", directory, "--record", "extra.example. A 127.0.0.3")
            self.assertEqual(len(unbound.ask("gmail.com", MX)[2]), 2)
            self.assertEqual(unbound.ask("gmail-smtp-in.l.google.com", A)[2], [bytes([127, 0, 0, 9])])
            self.assertEqual(unbound.ask("web.test", A)[2], [bytes([127, 0, 0, 9])])
            self.assertEqual(unbound.ask("extra.example", A)[2], [bytes([127, 0, 0, 3])])
            self.assertTrue(unbound.ask("nobody.gmail.com", A)[1])

    def test_reads_its_files_again_on_sighup(self):
        with tempfile.NamedTemporaryFile("w") as records:
            records.write("a.test. A 127.0.0.2\n")
            records.flush()
            process, unbound = self.start("--records", records.name)
            self.assertEqual(unbound.ask("a.test", A)[2], [bytes([127, 0, 0, 2])])
            records.write("a.test. A 127.0.0.3\nb.test. A 127.0.0.4\n")
            records.flush()
            process.send_signal(signal.SIGHUP)
            end = time.monotonic() + 10
            while len(unbound.ask("a.test", A)[2]) != 2 and time.monotonic() < end:
                pass
            self.assertEqual(len(unbound.ask("a.test", A)[2]), 2)
            self.assertEqual(unbound.ask("b.test", A)[2], [bytes([127, 0, 0, 4])])

    def test_leaves_nothing_behind(self):
        process, _ = self.start("--record", "a.test. A 127.0.0.2")
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True)
        knotd = int(children.stdout.split()[0])
        with open("/proc/%d/cmdline" % knotd) as command:
            directory = os.path.dirname(command.read().split("\0")[2])
        process.terminate()
        self.assertEqual(process.wait(20), 0)
        self.assertFalse(os.path.exists("/proc/%d" % knotd))
        self.assertFalse(os.path.exists(directory))


if __name__ == "__main__":
    unittest.main()
