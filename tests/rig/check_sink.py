#!/usr/bin/python3
"""Tries the sluice-sink binary from outside: sockets, STARTTLS, scripts, drops, records, stats."""
import json
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.request

SINK = os.path.join(os.environ.get("SLUICE_BIN", "build/debug/bin"), "sluice-sink")
TOKEN = "%016x%016x"


def wait_for(condition, what, seconds=10):
    """Polls `condition` until it gives something true, and returns that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError("never came: " + what)


class Sink:
    def __init__(self, *arguments, script=None):
        self.dir = tempfile.TemporaryDirectory()
        self.record = self.path("record.jsonl")
        ports = self.path("ports")
        command = [SINK, "--listen", "127.0.0.1:0", "--listen", "127.0.0.5:0",
                   "--stats", "127.0.0.1:0", "--ports-file", ports, "--record", self.record,
                   "--track-tokens", "1000", "--write-cert", self.path("cert.pem"), *arguments]
        if script is not None:
            self.write_script(script)
            command += ["--script", self.path("script.yaml")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        wait_for(lambda: os.path.exists(ports) or self.process.poll() is not None, "the ports")
        with open(ports) as lines:
            words = [line.split() for line in lines]
        self.ports = [int(w[1].rsplit(":", 1)[1]) for w in words if w[0] == "listening"]
        self.stats_at = [w[1] for w in words if w[0] == "stats"][0]

    def path(self, name):
        return os.path.join(self.dir.name, name)

    def write_script(self, text):
        with open(self.path("script.yaml"), "w") as file:
            file.write(text)

    def reload(self, text):
        self.write_script(text)
        self.process.send_signal(signal.SIGHUP)

    def stats(self):
        with urllib.request.urlopen("http://%s/stats" % self.stats_at, timeout=5) as reply:
            return json.load(reply)

    def duplicates(self):
        with urllib.request.urlopen("http://%s/duplicates" % self.stats_at, timeout=5) as reply:
            return json.load(reply)

    def records(self):
        with open(self.record) as lines:
            return [json.loads(line) for line in lines]

    def client(self, source="127.0.0.1"):
        return smtplib.SMTP("127.0.0.1", self.ports[0], "client.test", timeout=10,
                            source_address=(source, 0))

    def stop(self):
        self.process.terminate()
        out, _ = self.process.communicate(timeout=10)
        self.dir.cleanup()
        return out


class SinkTest(unittest.TestCase):
    def sink(self, *arguments, script=None):
        sink = Sink(*arguments, script=script)
        self.addCleanup(sink.stop)
        return sink

    def test_takes_mail_by_source_and_records_it(self):
        sink = self.sink("--recording", "digest")
        for source in ("127.0.0.11", "127.0.0.11", "127.0.0.12"):
            with sink.client(source) as client:
                client.sendmail("a@shop.example", ["x@d1.test", "y@d2.test"],
                                "Subject: hi\r\n\r\n.dot\r\n")
        stats = sink.stats()
        self.assertEqual(stats["total"]["replied_ok"], 3)
        self.assertEqual(stats["by_source"]["127.0.0.11"]["dot_received"], 2)
        self.assertEqual(stats["by_source"]["127.0.0.12"]["replied_ok"], 1)
        self.assertEqual(stats["total"]["past_dot_open"], 0)
        records = wait_for(lambda: len(sink.records()) == 3 and sink.records(), "three records")
        self.assertEqual(records[0]["to"], ["x@d1.test", "y@d2.test"])
        self.assertEqual(records[0]["size"], len("Subject: hi\r\n\r\n.dot\r\n"))
        self.assertEqual(records[0]["ehlo"], "client.test")
        self.assertEqual(records[0]["reached"], "replied")
        self.assertEqual(len({r["xxh3"] for r in records}), 1)

    def test_speaks_tls_with_a_certificate_that_can_be_trusted(self):
        sink = self.sink("--recording", "envelope", "--hostname", "mx.sink.test")
        context = ssl.create_default_context(cafile=sink.path("cert.pem"))
        with sink.client() as client:
            client._host = "mx.sink.test"
            client.starttls(context=context)
            client.sendmail("a@shop.example", "x@d1.test",
                            "Subject: hi\r\n\r\n" + "long body\r\n" * 50000)
        stats = sink.stats()
        self.assertEqual(stats["total"]["tls"], 1)
        self.assertEqual(stats["total"]["replied_ok"], 1)
        record = wait_for(sink.records, "a record")[0]
        self.assertTrue(record["tls"])

    def test_reads_its_script_again_on_sighup(self):
        sink = self.sink(script="rules: [{rcpt: '451 4.7.1 Later'}]")
        with sink.client() as client:
            with self.assertRaises(smtplib.SMTPRecipientsRefused):
                client.sendmail("a@b", "x@d1.test", "\r\n")
            sink.reload("rules: []")
            wait_for(lambda: not sink.stats()["rules"], "the new script")

            def sent():
                client.rset()
                client.mail("a@b")
                return client.rcpt("x@d1.test")[0] == 250
            wait_for(sent, "an accepted recipient")
        sink.reload("rules: [{rcpt: nonsense}]")
        line = ""
        while "kept as it was" not in line:
            line = sink.process.stderr.readline()
        self.assertIn("script.yaml:1:", line)

    def test_drops_where_it_is_told(self):
        sink = self.sink("--recording", "envelope", script="""
rules:
  - {match: {local: before}, dot: close}
  - {match: {local: rst}, dot: reset}
  - {match: {local: after}, dot: {drop: after}}
  - {match: {local: mid}, data: {drop: mid_data, after_bytes: 100}}
  - {match: {source: 127.0.0.66}, banner: close}
""")
        for local in ("before", "rst", "mid"):
            with self.assertRaises((smtplib.SMTPServerDisconnected, OSError)):
                sink.client().sendmail("a@b", local + "@d1.test",
                                       "Subject: hi\r\n\r\n" + "line\r\n" * 1000)
        client = sink.client()
        client.sendmail("a@b", "after@d1.test", "Subject: hi\r\n\r\n")
        with self.assertRaises(smtplib.SMTPServerDisconnected):
            client.noop()
        with self.assertRaises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
            sink.client("127.0.0.66")
        total = sink.stats()["total"]
        self.assertEqual(total["dropped_after_dot"], 2)
        self.assertEqual(total["dot_received"], 3)
        self.assertEqual(total["replied_ok"], 1)
        self.assertEqual(total["data_begun"], 4)
        records = wait_for(lambda: len(sink.records()) == 4 and sink.records(), "four records")
        self.assertEqual(sorted(r["reached"] for r in records), ["data", "dot", "dot", "replied"])

    def test_delays_and_sends_away(self):
        sink = self.sink(script="""
rules:
  - {match: {local: slow}, dot: {delay: 300ms, drip: 2ms}}
  - {messages_per_connection: 2}
""")
        client = sink.client()
        start = time.monotonic()
        client.sendmail("a@b", "slow@d1.test", "\r\n")
        self.assertGreater(time.monotonic() - start, 0.3)
        client.sendmail("a@b", "x@d1.test", "\r\n")
        with self.assertRaises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail("a@b", "x@d1.test", "\r\n")
        self.assertEqual(refused.exception.smtp_code, 421)

    def test_knows_a_duplicate(self):
        sink = self.sink("--latency")
        token = TOKEN % (int(time.time() * 1e6), 1)
        for source in ("127.0.0.11", "127.0.0.12"):
            with sink.client(source) as client:
                client.sendmail("a@b", "x@d1.test", "X-Rig-Token: %s\r\n\r\nbody\r\n" % token)
        stats = sink.stats()
        self.assertEqual(stats["tokens"]["distinct_accepted"], 1)
        self.assertEqual(stats["tokens"]["duplicated"], 1)
        self.assertEqual(stats["latency"]["count"], 2)
        duplicate, = sink.duplicates()
        self.assertEqual(duplicate["token"], token)
        sources = [a["src"].rsplit(":", 1)[0] for a in duplicate["acceptances"]]
        self.assertEqual(sources, ["127.0.0.11", "127.0.0.12"])

    def test_keeps_whole_content_in_files(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        sink = self.sink("--recording", "full", "--content-dir", directory.name)
        body = "Subject: hi\r\n\r\n..two dots\r\n.\r\nend\r\n"
        with sink.client() as client:
            client.sendmail("a@b", "x@d1.test", body)
        record = wait_for(sink.records, "a record")[0]
        with open(os.path.join(directory.name, record["file"]), "rb") as file:
            self.assertEqual(file.read().decode(), body)

    def test_serves_many_threads_on_one_port(self):
        sink = self.sink("--threads", "4")
        clients = [sink.client() for _ in range(40)]
        for client in clients:
            client.sendmail("a@b", "x@d1.test", "\r\n")
        for client in clients:
            client.quit()
        self.assertEqual(sink.stats()["total"]["replied_ok"], 40)
        wait_for(lambda: sink.stats()["open_connections"] == 0, "all connections closed")

    def test_ignores_what_was_pipelined_behind_starttls(self):
        sink = self.sink()
        context = ssl.create_default_context(cafile=sink.path("cert.pem"))
        raw = socket.create_connection(("127.0.0.1", sink.ports[0]), timeout=10)
        raw.recv(1000)
        raw.sendall(b"EHLO a\r\n")
        raw.recv(1000)
        raw.sendall(b"STARTTLS\r\nMAIL FROM:<injected@x>\r\n")
        self.assertEqual(raw.recv(1000)[:3], b"220")
        with context.wrap_socket(raw, server_hostname="sink.test") as tls:
            tls.sendall(b"EHLO a\r\nNOOP\r\nQUIT\r\n")
            said = b""
            while True:
                piece = tls.recv(1000)
                if not piece:
                    break
                said += piece
        self.assertEqual(said.count(b"\r\n250 "), 2)
        self.assertIn(b"221 ", said)
        self.assertEqual(sink.stats()["total"]["mail"], 0)

    def test_prints_its_counters_at_the_end(self):
        sink = Sink("--recording", "envelope")
        client = sink.client()
        client.sendmail("a@b", "x@d1.test", "\r\n")
        client.mail("a@b")
        record = sink.record
        sink.process.terminate()
        out, _ = sink.process.communicate(timeout=10)
        self.assertEqual(sink.process.returncode, 0)
        self.assertEqual(json.loads(out.splitlines()[-1])["total"]["replied_ok"], 1)
        with open(record) as lines:
            self.assertEqual([json.loads(line)["reached"] for line in lines],
                             ["replied", "mail"])
        sink.dir.cleanup()


if __name__ == "__main__":
    unittest.main()
