"""What comes back by SMTP finds its message: an event, and nobody is written to again; all else is dropped with a count."""
import hashlib
import hmac
import pathlib
import smtplib
import time
import urllib.request

from scenario import MAIL, Scenario, grpc, submission, unittest, violations, wait_for
from client import admin_pb2, admin_pb2_grpc, events_pb2
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
                       "scheduler": {"token.file": str(cls.secrets)}, "sink": {"script": cls.script()}}
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

    # ---- by gRPC

    def report(self, *feedback):
        with grpc.insecure_channel(self.trial.local.admin) as channel:
            answer = admin_pb2_grpc.AdminServiceStub(channel).ReportFeedback(
                admin_pb2.ReportFeedbackRequest(feedback=[admin_pb2.Feedback(**one) for one in feedback]), timeout=30)
        return answer.matched_count, answer.unmatched_count, answer.repeated_count

    def submit(self, *recipients):
        """The message's id, when all of them have it."""
        result = self.client.submit(submission(MAIL, list(recipients)))
        listed = ", ".join("'%s'" % r for r in recipients)
        wait_for(lambda: self.sql("select count(*) from event where kind = 'delivered' and recipient in (%s)" % listed) ==
                 [[str(len(recipients))]], "deliveries")
        return result.message_id

    def test_reports_by_grpc_become_events_and_suppress(self):
        bounced, complained, unsubscribed, full = ("%s@g.d.test" % n for n in ("bea", "carl", "una", "fay"))
        message = self.submit(bounced, complained, unsubscribed, full)
        at = int(time.time()) - 60
        reports = [
            {"kind": events_pb2.EVENT_KIND_BOUNCED_LATER, "message_id": message, "recipient": bounced, "occurred_at": {"seconds": at},
             "reply": {"code": 550, "enhanced_status": "5.1.1", "text": "no such user"}},
            {"kind": events_pb2.EVENT_KIND_BOUNCED_LATER, "message_id": message, "recipient": full,
             "reply": {"code": 552, "enhanced_status": "5.2.2", "text": "mailbox full"}},
            {"kind": events_pb2.EVENT_KIND_COMPLAINED, "message_id": message, "recipient": complained},
            {"kind": events_pb2.EVENT_KIND_UNSUBSCRIBED, "message_id": message, "recipient": unsubscribed},
            # Whose message is not known any more: told by its time.
            {"kind": events_pb2.EVENT_KIND_COMPLAINED, "tenant": "shop", "recipient": "dora@g.d.test", "occurred_at": {"seconds": at}},
            # Nothing of ours.
            {"kind": events_pb2.EVENT_KIND_COMPLAINED, "message_id": message, "recipient": "nobody@g.d.test"}]
        self.assertEqual(self.report(*reports), (5, 1, 0))
        self.assertEqual(self.report(*reports), (5, 1, 5), "told again, nothing changes")
        self.kinds(bounced, ["delivered", "bounced_later"])
        self.kinds(full, ["delivered", "bounced_later"])
        self.kinds(complained, ["delivered", "complained"])
        self.kinds(unsubscribed, ["delivered", "unsubscribed"])
        self.assertEqual(self.sql("select reply_class, reply from event where recipient = '%s' and kind = 'bounced_later'" % bounced),
                         [["rcpt_bad", "no such user"]])
        self.assertEqual(self.sql("select extract(epoch from created_at)::bigint from suppression where address = '%s'" % bounced),
                         [[str(at)]], "when it happened, not when it was told")
        suppressed = self.sql("select address, reason from suppression where address like '%@g.d.test' order by address")
        self.assertEqual(suppressed, [[bounced, "bounce"], [complained, "complaint"], ["dora@g.d.test", "complaint"],
                                      [unsubscribed, "unsubscribe"]])
        wait_for(lambda: self.client.submit(submission(MAIL, complained)).refused, "the suppression")

    def test_raw_messages_by_grpc(self):
        marks = {name: self.delivered("%s@h.d.test" % name) for name in ("dsn", "arf", "late")}
        raw = lambda file, mark: {"raw": (DATA / (file + ".eml")).read_bytes().replace(b"@TOKEN@", mark.encode())}
        parts = [raw("token-in-headers-only", marks["dsn"]), raw("yahoo-cfl", marks["arf"]), raw("postfix-delayed", marks["late"]),
                 raw("yahoo-cfl", "0" * 32), {"raw": b"\xff\x00 no message at all"}]
        self.assertEqual(self.report(*parts), (2, 3, 0))
        self.kinds("dsn@h.d.test", ["delivered", "bounced_later"])
        self.kinds("arf@h.d.test", ["delivered", "complained"])
        self.kinds("late@h.d.test", ["delivered"])
        path = pathlib.Path("/tmp/sluice-arf-%d.eml" % self.port)
        path.write_bytes(parts[1]["raw"])
        self.addCleanup(path.unlink)
        self.assertIn("known already", self.trial.local.ctl("feedback", str(path)).stdout)

    def test_bad_reports_by_grpc_name_the_field(self):
        complained, bounced = events_pb2.EVENT_KIND_COMPLAINED, events_pb2.EVENT_KIND_BOUNCED_LATER
        message = self.submit("a@i.d.test")
        good = {"kind": complained, "tenant": "shop", "recipient": "good@i.d.test"}
        for bad, field, cure in [
                ({"kind": events_pb2.EVENT_KIND_DELIVERED, "tenant": "shop", "recipient": "a@i.d.test"}, "kind", "EVENT_KIND_COMPLAINED"),
                ({"tenant": "shop", "recipient": "a@i.d.test"}, "kind", "is no feedback"),
                ({"kind": complained, "tenant": "shop"}, "recipient", "is empty"),
                ({"kind": complained, "tenant": "shop", "recipient": "no address"}, "recipient", "no address"),
                ({"kind": complained, "recipient": "a@i.d.test"}, "message_id", "is empty"),
                ({"kind": bounced, "tenant": "shop", "recipient": "a@i.d.test"}, "message_id", "is empty"),
                ({"kind": complained, "message_id": "xyz!", "recipient": "a@i.d.test"}, "message_id", ""),
                ({"kind": bounced, "message_id": message, "recipient": "a@i.d.test", "reply": {"code": 77}}, "reply.code", "200 to 599"),
                ({"kind": bounced, "message_id": message, "recipient": "a@i.d.test", "reply": {"code": 550, "enhanced_status": "five"}},
                 "reply.enhanced_status", "5.1.1"),
                ({**good, "occurred_at": {"seconds": int(time.time()) + 86_400}}, "occurred_at", "future"),
                ({**good, "tenant": "shoop"}, "tenant", "no tenant"),
                ({"raw": b"x" * ((1 << 20) + 1)}, "raw", "megabyte")]:
            error = self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.report, good, bad)
            found = violations(error)
            self.assertEqual(list(found), ["feedback[1]." + field], (bad, found))
            self.assertIn(cure, found["feedback[1]." + field])
        error = self.refused(grpc.StatusCode.INVALID_ARGUMENT, self.report, *[good] * 1_001)
        self.assertEqual(list(violations(error)), ["feedback"])
        self.assertEqual(self.sql("select count(*) from suppression where address like '%@i.d.test'"), [["0"]], "none or all")

    def test_a_hard_bounce_in_the_session_suppresses(self):
        self.client.submit(submission(MAIL, "No.Body@bad.d.test"))
        wait_for(lambda: self.client.submit(submission(MAIL, "no.body@bad.d.test")).refused, "the suppression", 30, 0.3)
        self.assertEqual(self.sql("select reason, detail from suppression where address = 'no.body@bad.d.test'"),
                         [["bounce", "550 5.1.1 no such user"]])
        wait_for(lambda: self.sql("select 1 from event where kind = 'suppressed' and recipient ilike 'no.body@bad.d.test'"),
                 "the event of the suppressed submission")


if __name__ == "__main__":
    unittest.main()
