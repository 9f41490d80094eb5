"""Scenarios 3 to 6 and 8: implicit MX, null MX, a domain that does not exist, an alias as MX host, and records that change."""
import time

from peers import Peers
from scenario import MAIL, submission, unittest, wait_for


class MxRecords(Peers):
    hosts = ("127.0.0.2", "127.0.0.3")
    records = ("implicit.test. A 127.0.0.3", "aliased.test. MX 10 alias.test.", "alias.test. CNAME sink.test.",
               "moving.test. 5 MX 10 nobody.test.", "nobody.test. 5 A 127.0.0.98")

    def test_without_mx_the_address_of_the_domain_is_the_host(self):
        self.send("u@implicit.test")
        (event,) = self.wait_events("u@implicit.test")
        self.assertEqual((event["kind"], event["mx_host"], event["mx_address"]), ("delivered", "implicit.test", "127.0.0.3"))

    def test_a_null_mx_fails_at_once(self):
        self.send("u@null.test")
        (event,) = self.wait_events("u@null.test")
        self.assertEqual((event["kind"], event["stage"], event["reply_code"], event["enhanced_status"], event["reply_class"]),
                         ("bounced", "dns", 556, "5.1.10", "rcpt_bad"))

    def test_an_mx_host_that_is_an_alias_is_refused(self):
        self.send("u@aliased.test")
        (event,) = self.wait_events("u@aliased.test")
        self.assertEqual((event["kind"], event["stage"], event["enhanced_status"]), ("bounced", "dns", "5.4.4"))

    def test_a_new_mx_set_is_used_while_mail_waits(self):
        self.send("u@moving.test")
        self.assertEqual(self.fates("u@moving.test"), [("deferred", "connect", 0)])
        kept = [r for r in self.records if not r.startswith("moving.test.")]
        self.trial.change_records(*kept, "moving.test. 5 MX 10 sink.test.")
        wait_for(lambda: self.events_of("u@moving.test")[-1]["kind"] == "delivered",
                 lambda: "a delivery to the new host: %s" % self.events_of("u@moving.test"), 60, 0.2)
        self.assertEqual(self.events_of("u@moving.test")[-1]["mx_host"], "sink.test")

    def test_a_domain_that_does_not_exist_is_tried_on_schedule_and_expires(self):
        message = submission(MAIL, "u@nowhere.invalid")
        message.expires_at.FromMilliseconds(int(time.time() * 1000) + 6000)
        self.client.submit(message)
        wait_for(lambda: (self.events_of("u@nowhere.invalid") or [{}])[-1].get("kind") == "expired",
                 lambda: "the expiry: %s" % self.events_of("u@nowhere.invalid"), 60, 0.2)
        events = self.events_of("u@nowhere.invalid")
        self.assertGreaterEqual(len(events), 3)
        self.assertEqual({(e["kind"], e["stage"], e["enhanced_status"]) for e in events[:-1]},
                         {("deferred", "dns", events[0]["enhanced_status"])})
        self.assertEqual([e["attempt"] for e in events[:-1]], list(range(1, len(events))))


if __name__ == "__main__":
    unittest.main()
