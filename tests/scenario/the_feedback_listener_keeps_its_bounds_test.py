"""The listener for bounces and complaints: messages too large, recipients too many, domains not ours, errors without end, more messages a
second and more connections than it takes. Each is refused as its own, and mail within the bounds is taken all the while."""
import math
import pathlib
import smtplib
import socket
import time
import urllib.request

from scenario import Scenario, unittest, wait_for
from trial import free_ports

DATA = pathlib.Path(__file__).resolve().parents[1] / "data/feedback"
REPORT = (DATA / "postfix-user-unknown.eml").read_bytes().replace(b"@TOKEN@", b"0" * 32).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
KB, RATE, CONNECTIONS, PER_PEER = 16, 20, 6, 3
TO = "b-1@bounces.shop.example"


def message(size):
    """Exactly so long as it arrives."""
    head = b"Subject: padded\r\n\r\n"
    lines, rest = divmod(size - len(head), 72)
    return head + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * (lines - 2) + b"z" * (rest + 70) + b"\r\n"


class Bounds(Scenario):
    @classmethod
    def setUpClass(cls):
        (cls.port,) = free_ports(1)
        cls.options = {"ingest": {"feedback.listen": "127.0.0.1:%d" % cls.port, "feedback.domains": ["bounces.shop.example"],
                                  "feedback.message_kb": KB, "feedback.messages_per_second": RATE, "feedback.connections": CONNECTIONS,
                                  "feedback.connections_per_peer": PER_PEER}}
        super().setUpClass()

    def connect(self, peer="127.0.0.1"):
        """With its greeting read."""
        smtp = smtplib.SMTP(timeout=60, source_address=(peer, 0))
        code, _ = smtp.connect("127.0.0.1", self.port)
        self.assertEqual(code, 220)
        self.addCleanup(smtp.close)
        return smtp

    def metric(self, line):
        text = urllib.request.urlopen("http://%s/metrics" % self.trial.local["ingest"].config["metrics.listen"]).read().decode()
        return sum(int(float(one.rsplit(" ", 1)[1])) for one in text.splitlines() if one.startswith(line))

    def taken(self):
        return self.metric("sluice_ingest_feedback_messages_total")

    def send(self, smtp, text, to=(TO,)):
        """The reply to the final dot, again where it was only too much at once."""
        def answered():
            smtp.ehlo("peer.test")
            smtp.mail("")
            for one in to:
                smtp.rcpt(one)
            code, reply = smtp.data(text)
            return None if code == 451 else (code, reply.decode())
        return wait_for(answered, "an answer other than 451", 30, 0.2)

    def test_size(self):
        smtp = self.connect()
        before = self.taken()
        self.assertEqual(len(message(KB << 10)), KB << 10)
        self.assertEqual(self.send(smtp, message(KB << 10))[0], 250)
        code, reply = self.send(smtp, message((KB << 10) + 1))
        self.assertEqual((code, reply), (552, "5.3.4 the message is too large"))
        self.assertEqual(self.send(smtp, message(4 << 20))[0], 552)
        self.assertEqual(self.send(smtp, REPORT)[0], 250, "the next one is taken")
        self.assertEqual(self.taken() - before, 2)

    def test_recipients_and_domains(self):
        smtp = self.connect()
        before = self.taken()
        smtp.ehlo("peer.test")
        smtp.mail("")
        for other in ("b-1@shop.example", "b-1@sub.bounces.shop.example", "postmaster", "b-1@elsewhere.test"):
            code, reply = smtp.rcpt(other)
            self.assertEqual((code, reply[:5]), (550, b"5.7.1"), other)
        self.assertEqual([smtp.rcpt("b-%d@BOUNCES.shop.example" % i)[0] for i in range(12)], [250] * 10 + [452] * 2)
        wait_for(lambda: smtp.data(REPORT)[0] == 250 or (smtp.rset(), smtp.mail(""), smtp.rcpt(TO)) and False, "an answer", 30, 0.2)
        self.assertIn(self.taken() - before, (1, 10))
        self.assertGreaterEqual(self.metric('sluice_ingest_feedback_messages_total{result="unmatched"}'), 1)

    def test_errors_end_the_connection(self):
        smtp = self.connect()
        smtp.ehlo("peer.test")
        smtp.mail("")
        replies = [smtp.rcpt("a@elsewhere.test")[0] for _ in range(10)]
        self.assertEqual(replies, [550] * 10)
        self.assertEqual(smtp.getreply()[0], 421)
        with self.assertRaises((smtplib.SMTPServerDisconnected, OSError)):
            smtp.noop()

    def test_messages_a_second(self):
        """A hundred in one write: as many are taken as the seconds allow, the others are told to come again."""
        smtp = self.connect()
        smtp.ehlo("peer.test")
        one = b"MAIL FROM:<>\r\nRCPT TO:<%s>\r\nDATA\r\n%s\r\n.\r\n" % (TO.encode(), REPORT.replace(b"\r\n.", b"\r\n.."))
        before, began = self.taken(), time.monotonic()
        smtp.sock.sendall(one * 99)
        codes = []
        for _ in range(99):
            for _ in range(3):
                smtp.getreply()
            codes.append(smtp.getreply()[0])
        seconds = time.monotonic() - began
        self.assertEqual(set(codes), {250, 451})
        self.assertLessEqual(codes.count(250), RATE * (math.floor(seconds) + 2))
        self.assertGreaterEqual(codes.count(250), RATE)
        self.assertEqual(self.taken() - before, codes.count(250))
        self.assertEqual(self.send(self.connect(), REPORT)[0], 250, "later it is taken")

    def test_connections(self):
        refused = 'sluice_ingest_feedback_refused_connections_total'
        before = self.metric(refused)
        wait_for(lambda: self.opens("127.0.0.9"), "earlier connections to be gone")
        peers = [("127.0.0.3", PER_PEER), ("127.0.0.4", PER_PEER)]
        held = [self.connect(peer) for peer, count in peers for _ in range(count)]
        self.assertEqual(len(held), CONNECTIONS)
        self.assertFalse(self.opens("127.0.0.3"), "a fourth of one peer")
        self.assertFalse(self.opens("127.0.0.5"), "a seventh in all")
        self.assertGreaterEqual(self.metric(refused) - before, 2)
        held[0].quit()
        wait_for(lambda: self.opens("127.0.0.5"), "room again")
        wait_for(lambda: self.opens("127.0.0.3"), "room for the peer, too")
        self.assertFalse(self.opens("127.0.0.4"))
        self.assertEqual(held[5].noop()[0], 250, "who is in stays in")

    def opens(self, peer):
        """Whether a connection is greeted."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30, source_address=(peer, 0)) as one:
            try:
                return one.recv(100).startswith(b"220")
            except ConnectionResetError:
                return False


if __name__ == "__main__":
    unittest.main()
