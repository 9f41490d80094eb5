"""What comes back by SMTP finds its message: an event, and nobody is written to again; all else is dropped with a count."""
import hashlib
import hmac
import pathlib
import smtplib
import urllib.request

from scenario import MAIL, Scenario, submission, unittest, wait_for
from trial import free_ports

DATA = pathlib.Path(__file__).resolve().parents[1] / "data/feedback"
SECRET = b"0123456789abcdef0123456789abcdef"


def token(message, entry):
    """As smtp/token.h lays it out."""
    def mac(key, text):
        return hmac.new(key, text, hashlib.sha256).digest()
    plain = entry.to_bytes(8, "big") + (entry - message).to_bytes(2, "big")
    tag = mac(mac(SECRET, b"token mac 1"), plain)[:10]
    cipher = bytes(a ^ b for a, b in zip(plain, mac(mac(SECRET, b"token cipher 1"), tag)))
    number = int.from_bytes(tag + cipher, "big")
    return "".join("0123456789abcdefghjkmnpqrstvwxyz"[number >> (155 - 5 * i) & 31] for i in range(32))


class ComeHome(Scenario):
    @classmethod
    def setUpClass(cls):
        (cls.port,) = free_ports(1)
        cls.secrets = pathlib.Path("/tmp/sluice-token-%d" % cls.port)
        cls.secrets.write_bytes(SECRET + b"\n")
        cls.addClassCleanup(cls.secrets.unlink)
        cls.options = {"ingest": {"feedback.listen": "127.0.0.1:%d" % cls.port, "token.file": str(cls.secrets),
                                  "feedback.domains": ["bounces.shop.example", "feedback.shop.example"]},
                       "sink": {"script": cls.script()}}
        super().setUpClass()

    @classmethod
    def script(cls):
        path = pathlib.Path("/tmp/sluice-script-%d.yaml" % cls.port)
        path.write_text('rules:\n  - {name: bad, match: {domain: bad.d.test}, rcpt: "550 5.1.1 no such user"}\n')
        cls.addClassCleanup(path.unlink)
        return path

    def sql(self, text):
        return self.trial.local.sql(text)

    def delivered(self, recipient):
        self.assertEqual(len(self.client.submit(submission(MAIL, recipient)).refused), 0)
        rows = wait_for(lambda: self.sql("select message_id, queue_entry_id from event where recipient = '%s' and "
                                         "kind = 'delivered'" % recipient), "the delivery")
        return token(int(rows[0][0]), int(rows[0][1]))

    def send(self, name, mark, to=None, sender=""):
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as smtp:
            smtp.sendmail(sender, to or "b-%s@bounces.shop.example" % mark,
                          (DATA / name).read_bytes().replace(b"@TOKEN@", mark.encode()))

    def kinds(self, recipient, want):
        rows = wait_for(lambda: (lambda r: r if len(r) >= len(want) else None)(
            self.sql("select kind from event where recipient = '%s' order by seq" % recipient)), "events of " + recipient)
        self.assertEqual([row[0] for row in rows], want)

    def counted(self, result):
        text = urllib.request.urlopen("http://%s/metrics" % self.trial.local["ingest"].config["metrics.listen"]).read().decode()
        line = 'sluice_ingest_feedback_messages_total{result="%s"} ' % result
        return sum(int(float(one[len(line):])) for one in text.splitlines() if one.startswith(line))

    def test_a_bounce_is_an_event_once_and_suppresses(self):
        mark = self.delivered("kurt@a.d.test")
        for _ in range(2):
            self.send("postfix-user-unknown.eml", mark)
        self.kinds("kurt@a.d.test", ["delivered", "bounced_later"])
        wait_for(lambda: self.client.submit(submission(MAIL, "kurt@a.d.test")).refused, "the suppression")
        self.assertEqual(self.sql("select reason, tenant from suppression where address = 'kurt@a.d.test'"), [["bounce", "shop"]])
        self.assertEqual(self.counted("repeated"), 1)

    def test_a_complaint_is_matched_by_the_header_alone(self):
        mark = self.delivered("tina@a.d.test")
        self.send("jmrp-2026.eml", mark, to="fbl@feedback.shop.example", sender="staff@hotmail.com")
        self.kinds("tina@a.d.test", ["delivered", "complained"])
        self.assertEqual(self.sql("select reason from suppression where address = 'tina@a.d.test'"), [["complaint"]])
        self.assertNotEqual(self.sql("select source from event where kind = 'complained'"), [[""]])

    def test_what_is_nothing_of_ours_is_dropped(self):
        mark = self.delivered("lee@a.d.test")
        self.send("out-of-office.eml", mark)
        self.send("postfix-delayed.eml", mark)
        self.send("postfix-user-unknown.eml", token(1 << 56 | 5, 1 << 56 | 5))
        self.send("postfix-user-unknown.eml", "0" * 32)
        self.assertEqual((self.counted("dropped_auto_reply"), self.counted("dropped_delay"), self.counted("unmatched")), (1, 1, 2))
        with self.assertRaises(smtplib.SMTPRecipientsRefused):
            self.send("qmail.eml", mark, to="someone@elsewhere.example")
        self.kinds("lee@a.d.test", ["delivered"])

    def test_a_hard_bounce_in_the_session_suppresses(self):
        self.client.submit(submission(MAIL, "No.Body@bad.d.test"))
        wait_for(lambda: self.client.submit(submission(MAIL, "no.body@bad.d.test")).refused, "the suppression", 30, 0.3)
        self.assertEqual(self.sql("select reason, detail from suppression where address = 'no.body@bad.d.test'"),
                         [["bounce", "550 5.1.1 no such user"]])
        wait_for(lambda: self.sql("select 1 from event where kind = 'suppressed' and recipient ilike 'no.body@bad.d.test'"),
                 "the event of the suppressed submission")


if __name__ == "__main__":
    unittest.main()
