"""Replies that mean the sender: where they name a domain that domain rests at that provider, else the tenant; the address, the tenant's
other domains and other tenants go on through it. Complaints that come back slow the address where they come from. All of it ends by itself,
and nobody's mail bounces of it. Who may know is told: a tenant what is its own, a key for all events everything."""
import itertools
import json
import pathlib
import tempfile

from scenario import MAIL, Client, Scenario, grpc, submission, unittest, wait_for
from client import admin_pb2, admin_pb2_grpc, events_pb2

POLICY = """
tenants:
  - {name: shop, streams: [marketing], sender_domains: [shop.example, news.example]}
  - {name: other, streams: [marketing], sender_domains: [other.example]}
streams:
  - {name: marketing, retry_schedule: quick}
sources:
  - {name: ip-11, address: 127.0.0.11, ehlo: mta11.shop.example}
pools:
  - {name: warm, members: [{source: ip-11}]}
routes:
  - {match: {}, pool: warm}
shaping:
  - {match: {}, connection_rate: 100k/s}
retry_schedules:
  - {name: quick, waits: [1s]}
automation:
  # In the place of what is shipped, so that health alone acts.
  - {match: {reply: 'DKIM domain'}, when: 1000/h, slow_to: 0.5}
health:
  - {rule: domain_refused, least: 3, rest: 4s, longest_rest: 4s, probe_every: 1s, probes: 5}
  - {rule: sender_refused, least: 3, share: 0.01, rest: 4s, longest_rest: 4s, probe_every: 1s, probes: 2}
  - {rule: complaints, rest: 3s}
"""
RECORDS = ["*.g.test. MX 1 mx.rig.google.com.", "mx.rig.google.com. A 127.0.0.2",
           "*.y.test. MX 1 mx.rig.yahoodns.net.", "mx.rig.yahoodns.net. A 127.0.0.3"]
DOMAIN = """rules:
  - match: {local: "shop*", listener: 127.0.0.2}
    rcpt: "421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating\\n421-4.7.28 from your DKIM domain [shop.example      35]. To protect our users from\\n421 4.7.28 spam, mail sent from your domain has been temporarily rate limited. x - gsmtp"
"""
TENANT = """rules:
  - match: {local: "other*", listener: 127.0.0.2}
    rcpt: "421 4.7.40 Your email has been rate limited because the sending domain does not have a DMARC record. x - gsmtp"
"""
FREE = "rules: []\n"


class Refused(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.script = pathlib.Path(tempfile.mkstemp(suffix=".yaml")[1])
        cls.script.write_text(FREE)
        cls.addClassCleanup(cls.script.unlink)
        cls.options = {"policy": POLICY, "records": RECORDS, "sink": {"script": cls.script, "hosts": ("127.0.0.2", "127.0.0.3")}}
        super().setUpClass()
        cls.other = cls.trial.client("other")
        cls.all = Client(cls.trial.local.submit, cls.trial.local.ctl("key", "create", "--tenant", "*").stdout.strip())
        cls.number = itertools.count()

    def sql(self, text):
        return self.trial.local.sql(text)

    def answer(self, script):
        self.script.write_text(script)
        self.trial.sink.reload()

    def send(self, domain, provider, count=6):
        """From a sending domain; the recipients are named after it."""
        client = self.other if domain == "other" else self.client
        content = MAIL.replace(b"shop.example", b"%s.example" % domain.encode())
        mails = [submission(content, "%s%d@a.%s.test" % (domain, next(self.number), provider), stream="marketing",
                            return_path="bounce@%s.example" % domain) for _ in range(count)]
        for outcome in client.submit_many(mails):
            self.assertFalse(outcome.HasField("error"), outcome.error.message)

    def goes(self, domain, provider):
        """Until one more of it is delivered."""
        name = "%s%d@a.%s.test" % (domain, next(self.number), provider)
        client = self.other if domain == "other" else self.client
        client.submit(submission(MAIL.replace(b"shop.example", b"%s.example" % domain.encode()), name, stream="marketing",
                                 return_path="bounce@%s.example" % domain))
        wait_for(lambda: self.sql("select 1 from event where kind = 'delivered' and recipient = '%s'" % name), "%s to %s" % (domain, provider))

    def state(self, **subject):
        where = " and ".join("%s = '%s'" % one for one in {"source": "", "tenant": "", "sender_domain": "", **subject}.items())
        rows = self.sql("select state, rule from health_state where " + where)
        return tuple(rows[0]) if rows else ("healthy", "")

    def held(self):
        listed = json.loads(self.trial.local.ctl("constraints", "--json").stdout)["constraints"]
        return [c for c in listed if c["cause"] == "health"]

    def scope(self, constraint):
        return {key: value for key, value in constraint["scope"].items() if value}

    def ended(self, **subject):
        self.answer(FREE)
        wait_for(lambda: self.state(**subject)[0] == "healthy", lambda: "health, it is %s" % (self.state(**subject),), 90)
        self.trial.wait_empty()
        wait_for(lambda: not self.held(), "no constraint left")
        self.assertEqual(self.sql("select count(*) from event where kind = 'bounced'"), [["0"]])
        self.assertEqual(self.sql("select count(*) from health_state where source <> '' and state <> 'healthy'"), [["0"]], "the address is not blamed")

    def told(self, client, is_last):
        """(kind, tenant, source, detail) of acts, up to the one that is the last."""
        seen = []
        kinds = [events_pb2.EventKind.Value("EVENT_KIND_" + name) for name in ("SUSPENDED", "RESTORED", "RESUMED", "QUARANTINED", "LISTED")]
        for response in client.subscribe(timeout=60, kinds=kinds):
            seen += [(events_pb2.EventKind.Name(e.kind)[11:].lower(), e.tenant, e.source, e.detail) for e in response.events]
            if any(is_last(one) for one in seen):
                return seen
        return self.fail("the stream ended")

    def message_ids(self, count, suffix):
        """Recipient → message, of so many that were delivered, as the tenant's events name them."""
        found = {}
        for response in self.client.subscribe(timeout=60, kinds=[events_pb2.EVENT_KIND_DELIVERED]):
            found.update((e.recipient, e.message_id) for e in response.events if e.recipient.endswith(suffix))
            if len(found) >= count:
                return dict(list(found.items())[:count])
        return self.fail("the stream ended")

    def test_1_a_domain_that_the_reply_names_rests_at_that_provider(self):
        self.answer(DOMAIN)
        self.send("shop", "g")
        wait_for(lambda: self.state(sender_domain="shop.example", provider="google") == ("suspended", "domain_refused"), "the suspension")
        (held,) = wait_for(self.held, "the constraint")
        self.assertEqual(self.scope(held), {"sender_domain": "shop.example", "provider": "google"})
        self.assertIn("DKIM domain", held["evidence"])
        for domain, provider in (("shop", "y"), ("news", "g"), ("other", "g")):
            self.goes(domain, provider)
        self.assertGreater(int(self.sql("select count(*) from queue_entry where domain = 'a.g.test'")[0][0]), 0, "what is held waits")
        shown = self.trial.local.ctl("reputation", "--provider", "google").stdout
        for text in ("domain shop.example", "domain_refused", "another address does not help", "DKIM domain [shop.example"):
            self.assertIn(text, shown)
        self.ended(sender_domain="shop.example", provider="google")
        self.goes("shop", "g")

    def test_2_else_the_tenant_rests_at_that_provider(self):
        self.answer(TENANT)
        self.send("other", "g")
        wait_for(lambda: self.state(tenant="other", provider="google") == ("suspended", "sender_refused"), "the suspension")
        (held,) = wait_for(self.held, "the constraint")
        self.assertEqual(self.scope(held), {"tenant": "other", "provider": "google"})
        for domain, provider in (("other", "y"), ("shop", "g"), ("news", "g")):
            self.goes(domain, provider)
        self.ended(tenant="other", provider="google")
        self.goes("other", "g")

    def test_3_complaints_slow_the_address_where_they_come_from(self):
        self.send("shop", "y", 20)
        complaints = [admin_pb2.Feedback(kind=events_pb2.EVENT_KIND_COMPLAINED, message_id=message, recipient=recipient)
                      for recipient, message in self.message_ids(6, "@a.y.test").items()]
        with grpc.insecure_channel(self.trial.local.admin) as channel:
            answer = admin_pb2_grpc.AdminServiceStub(channel).ReportFeedback(admin_pb2.ReportFeedbackRequest(feedback=complaints), timeout=30)
        self.assertEqual(answer.matched_count, 6)
        wait_for(lambda: self.state(source="ip-11", provider="yahoo") == ("throttled", "complaints"), "the slowing")
        (held,) = wait_for(self.held, "the constraint")
        self.assertEqual(self.scope(held), {"source": "ip-11", "provider": "yahoo"})
        self.goes("shop", "g")
        self.assertIn("stop the campaign", self.trial.local.ctl("reputation", "--source", "ip-11", "--provider", "yahoo").stdout)
        self.ended(source="ip-11", provider="yahoo")

    def test_4_each_is_told_what_it_may_know(self):
        theirs = self.told(self.other, lambda one: one[0] == "resumed")
        self.assertEqual([one[:2] for one in theirs], [("suspended", "other"), ("restored", "other"), ("resumed", "other")])
        self.assertIn("DMARC record", theirs[0][3])
        everything = self.told(self.all, lambda one: one[0] == "resumed" and one[2] == "ip-11")
        self.assertEqual({tenant for _, tenant, *_ in everything}, {"", "other"})
        self.assertIn(("suspended", "", "ip-11"), {one[:3] for one in everything})
        self.assertTrue([one for one in everything if "sender_domain=shop.example" in one[3] and "remedy: " in one[3]])
        error = self.refused(grpc.StatusCode.UNAUTHENTICATED, self.all.submit, submission(MAIL, "x@a.g.test", stream="marketing"))
        self.assertIn("key", error.details())


if __name__ == "__main__":
    unittest.main()
