"""Scenarios 23, 24, 25 and 32: 4xx defers and 5xx bounces at MAIL, RCPT, DATA and the dot, with the stage in the event and one
line in the log; each recipient has its own fate; 552 means the mailbox at RCPT and the size at the dot."""
from peers import Peers
from scenario import unittest, wait_for

STAGES = {"mail": "mail", "rcpt": "rcpt", "data": "data", "dot": "body"}
SCRIPT = "rules:\n" + "".join(
    # MAIL comes before any recipient is known: such a rule needs a host of its own.
    ("  - {match: {listener: 127.0.0.%d}, mail: \"%s\"%s}\n" % (3 if code[0] == "4" else 4, code, first) if stage == "mail" else
     "  - {match: {domain: %s%s.test}, %s: \"%s\"%s}\n" % (kind, stage, stage, code, first))
    for stage in STAGES for kind, code, first in (("t", "451 4.3.0 later", ", first: 1"), ("p", "554 5.5.9 never", ""))) + """
  - {match: {listener: 127.0.0.5}, without: [CHUNKING]}
  - {match: {domain: many.test, local: "bad*"}, rcpt: "550 5.1.1 no such user"}
  - {match: {domain: many.test, local: "slow*"}, first: 1, rcpt: "450 4.2.1 later"}
  - {match: {domain: full.test}, rcpt: "552 mailbox full"}
  - {match: {domain: large.test}, dot: "552 too much"}
  - {match: {domain: noone.test}, rcpt: "556 5.1.10 no mail here"}
"""


class Stages(Peers):
    script = SCRIPT
    hosts = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
    records = ("tmail.test. MX 10 h3.test.", "pmail.test. MX 10 h4.test.", "h3.test. A 127.0.0.3", "h4.test. A 127.0.0.4",
               # With BDAT the reply to DATA would be one to content.
               "tdata.test. MX 10 h5.test.", "pdata.test. MX 10 h5.test.", "h5.test. A 127.0.0.5",
               *("%s%s.test. MX 10 sink.test." % (kind, stage) for kind in "tp" for stage in ("rcpt", "dot")),
               *("%s.test. MX 10 sink.test." % name for name in ("many", "full", "large", "noone")))

    def test_a_temporary_refusal_defers_with_its_stage(self):
        for stage in STAGES:
            self.send("u@t%s.test" % stage)
        for stage, name in STAGES.items():
            with self.subTest(stage):
                self.assertEqual(self.fates("u@t%s.test" % stage, 2), [("deferred", name, 451), ("delivered", "body", 250)])

    def test_a_final_refusal_bounces_once_with_its_stage(self):
        for stage in STAGES:
            self.send("u@p%s.test" % stage)
        for stage, name in STAGES.items():
            with self.subTest(stage):
                to = "u@p%s.test" % stage
                self.assertEqual(self.fates(to), [("bounced", name, 554)])
                wait_for(lambda: self.lines_of(to), "the line of the delivery log", 10, 0.05)
                (line,) = self.lines_of(to)
                self.assertIn("stage=%s " % name, line)
                self.assertEqual(len(self.events_of(to)), 1)

    def test_each_recipient_of_a_message_has_its_own_fate(self):
        wanted = {"good1": ["delivered"], "bad1": ["bounced"], "good2": ["delivered"], "slow1": ["deferred", "delivered"],
                  "bad2": ["bounced"], "good3": ["delivered"]}
        self.send(["%s@many.test" % local for local in wanted])
        for local, kinds in wanted.items():
            events = self.wait_events(local + "@many.test", len(kinds))
            self.assertEqual([e["kind"] for e in events], kinds, local)
        (refused,) = {e["stage"] for e in self.events_of("bad1@many.test")}
        self.assertEqual(refused, "rcpt")

    def test_552_is_the_mailbox_at_rcpt_and_the_size_at_the_dot(self):
        self.send("u@full.test")
        self.send("u@large.test")
        (event,) = self.wait_events("u@full.test")
        self.assertEqual((event["kind"], event["stage"], event["reply_class"]), ("deferred", "rcpt", "rcpt_quota"))
        # A full mailbox is not emptied in minutes, whatever the schedule says.
        due = self.trial.local.sql("select due_at > now() + interval '1 hour' from queue_entry where recipient = 'u@full.test'")
        self.assertEqual(due, [["t"]])
        (event,) = self.wait_events("u@large.test")
        self.assertEqual((event["kind"], event["stage"], event["reply_class"]), ("bounced", "body", "policy"))

    def test_556_is_a_domain_that_takes_no_mail(self):
        self.send("u@noone.test")
        (event,) = self.wait_events("u@noone.test")
        self.assertEqual((event["kind"], event["reply_class"]), ("bounced", "rcpt_bad"))


if __name__ == "__main__":
    unittest.main()
