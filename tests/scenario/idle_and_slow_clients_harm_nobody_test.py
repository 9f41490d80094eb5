"""Ten thousand connections that say nothing, or a request byte by byte, hold up no one: others submit as before, and when the idle
are gone so is what they took."""
import os
import pathlib
import resource
import socket
import unittest

from scenario import MAIL, Scenario, submission, wait_for

IDLE = 10_000
# A client's preface of HTTP/2 and an empty SETTINGS frame; then a HEADERS frame that announces more than ever comes.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
UNFINISHED = bytes([0, 0x10, 0, 1, 4, 0, 0, 0, 1]) + b"\x83"


class Idle(Scenario):
    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < IDLE + 1000:
            self.skipTest("this user may have %d open files" % hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.ingest = self.trial.local["ingest"]

    def files(self):
        return len(os.listdir("/proc/%d/fd" % self.ingest.pid))

    def memory_mb(self):
        status = pathlib.Path("/proc/%d/status" % self.ingest.pid).read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) // 1024

    def submit_all(self, count):
        for outcome in self.client.submit_many(submission(MAIL, "u%d@d.d.test" % i) for i in range(count)):
            self.assertFalse(outcome.HasField("error"), outcome.error.message)

    def test_ten_thousand_idle_connections_hold_up_nobody(self):
        self.submit_all(10)
        files, memory = self.files(), self.memory_mb()
        host, port = self.trial.local.submit.rsplit(":", 1)
        connections = []
        self.addCleanup(lambda: [c.close() for c in connections])
        for number in range(IDLE):
            connection = socket.create_connection((host, int(port)), timeout=30)
            connections.append(connection)
            if number % 2 == 0:
                connection.sendall(PREFACE + (UNFINISHED if number % 4 == 0 else b""))
        wait_for(lambda: self.files() >= files + IDLE * 0.9, lambda: "the connections to be taken (%d files)" % self.files(), 120, 0.2)
        self.submit_all(200)
        self.trial.wait_empty(120)
        self.assertEqual(self.trial.sink.accepted(), 210)
        grown = self.memory_mb() - memory
        self.assertLess(grown, 1500, "memory of idle connections")
        for connection in connections:
            connection.close()
        connections.clear()
        wait_for(lambda: self.files() < files + 100, lambda: "their files to be given back (%d)" % self.files(), 180, 0.2)
        self.submit_all(10)
        print("%d idle connections: %d MB" % (IDLE, grown))


if __name__ == "__main__":
    unittest.main()
