"""Blocklists as Spamhaus speaks: errors, unanswered questions, dead zones and zones that list the world change nothing; a listing is
confirmed, takes the source out of every pool while the reserve steps in, and ends when it is delisted and probes are accepted. The same for
a sending domain, whose mail waits meanwhile."""
import collections
import itertools
import json

from scenario import MAIL, Scenario, Trial, submission, unittest, wait_for

POLICY = """
tenants:
  - {name: shop, streams: [marketing, transactional], sender_domains: [shop.example]}
streams:
  - {name: marketing}
  - {name: transactional}
sources:
  - {name: ip-11, address: 127.0.0.11, ehlo: mta11.shop.example}
  - {name: ip-12, address: 127.0.0.12, ehlo: mta12.shop.example}
  - {name: ip-13, address: 127.0.0.13, ehlo: mta13.shop.example}
pools:
  - {name: warm, members: [{source: ip-12}, {source: ip-13, reserve: true}]}
  - {name: quick, members: [{source: ip-11}, {source: ip-12}]}
routes:
  - {match: {stream: marketing}, pool: warm}
  - {match: {}, pool: quick}
health:
  - {rule: listed_critical, rest: 2s, probe_every: 1s, probes: 2}
  - {rule: domain_listed, rest: 2s, probe_every: 1s, probes: 2}
"""
ZEN = "zen.spamhaus.org"
DBL = "dbl.spamhaus.org"
TEST = ["2.0.0.127.%s. 1 A 127.0.0.2" % ZEN, "dbltest.com.%s. 1 A 127.0.1.2" % DBL,
        "2.0.0.127.bl.spamcop.net. 1 A 127.0.0.2", "1.0.0.127.bl.spamcop.net. 1 A 127.0.0.2"]
OWN = ["11.0.0.127.in-addr.arpa. 1 PTR mta11.shop.example.", "mta11.shop.example. 1 A 127.0.0.11",
       "12.0.0.127.in-addr.arpa. 1 PTR mta99.shop.example.", "mta12.shop.example. 1 A 127.0.0.99",
       "shop.example. 1 TXT \"v=spf1 ip4:127.0.0.11 ip4:127.0.0.13 -all\"", "_dmarc.shop.example. 1 TXT \"v=DMARC1; p=none\""]


class Listed(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.trial = Trial().__enter__()
        cls.addClassCleanup(cls.finish)
        local = cls.trial.prepare(records=TEST + OWN, dns=["--ttl", "1", "--broken-zone", "b.barracudacentral.org"])
        resolver = local.dns.replace(":", "@")
        local.scheduler(**{"reputation.resolvers": [resolver], "reputation.lists_every": "500ms", "reputation.confirm_after": "2s",
                           "reputation.dns_every": "1s"}).start()
        local.ingest().start()
        local.egress().start()
        cls.trial.apply(POLICY)
        cls.client = cls.trial.client("shop")
        cls.number = itertools.count()

    def sql(self, text):
        return self.trial.local.sql(text)

    def signal(self, name, source="", domain=""):
        rows = self.sql("select verdict, word, value, detail, failure, positives from reputation_signal where name = '%s' and "
                        "source = '%s' and sender_domain = '%s'" % (name, source, domain))
        return rows[0] if rows else ["", "", "", "", "", "0"]

    def state(self):
        """Of ip-12, whose reverse DNS is not right: that alone is watched, and holds nothing."""
        rows = self.sql("select state from health_state where source = 'ip-12' and provider = ''")
        return rows[0][0].replace("watch", "healthy") if rows else "healthy"

    def shares(self, stream, count=40):
        since = self.sql("select now()")[0][0]
        mails = [submission(MAIL, "u%d@x.d.test" % next(self.number), stream=stream) for _ in range(count)]
        for outcome in self.client.submit_many(mails):
            self.assertFalse(outcome.HasField("error"), outcome.error.message)
        query = "select source from event where kind = 'delivered' and occurred_at > '%s'" % since
        rows = wait_for(lambda: (lambda r: r if len(r) >= count else None)(self.sql(query)), "deliveries")
        return collections.Counter(row[0] for row in rows)

    def test_1_what_is_no_listing_changes_nothing(self):
        wait_for(lambda: self.signal(ZEN, "ip-11")[0] == "good", "a clean answer")
        self.trial.change_records(*TEST, *OWN, *["%d.0.0.127.%s. 1 A 127.255.255.254" % (n, ZEN) for n in (11, 12, 13)])
        wait_for(lambda: "public or open resolver" in self.signal(ZEN, "ip-12")[4], "the error")
        self.assertEqual(self.signal(ZEN)[0], "warning")
        self.assertEqual(self.signal("bl.spamcop.net")[:2], ["warning", ""])
        self.assertIn("lists what nobody lists", self.signal("bl.spamcop.net")[3])
        self.assertIn("self-test", self.signal("b.barracudacentral.org")[4])
        self.assertEqual(self.signal("psbl.surriel.com")[0], "warning")
        self.assertIn("does not list its own test: dead", self.signal("psbl.surriel.com")[3])
        self.assertEqual((self.state(), self.sql("select count(*) from sending_constraint")), ("healthy", [["0"]]))
        self.assertEqual(self.sql("select count(*) from reputation_signal where verdict = 'bad' and name like '%.%'"), [["0"]])
        self.trial.change_records(*TEST, *OWN)
        wait_for(lambda: self.signal(ZEN, "ip-12")[4] == "", "answers again")

    def test_2_a_listing_is_confirmed_acted_on_and_ends(self):
        self.assertEqual(set(self.shares("marketing")), {"ip-12"})
        self.assertEqual(set(self.shares("transactional")), {"ip-11", "ip-12"})
        listing = ["12.0.0.127.%s. 1 A 127.0.0.3" % ZEN, "12.0.0.127.%s. 1 TXT \"https://check.spamhaus.org/q/127.0.0.12\"" % ZEN]
        self.trial.change_records(*TEST, *OWN, *listing)
        wait_for(lambda: self.signal(ZEN, "ip-12")[0] == "warning", "the first positive answer", period=0.05)
        self.assertEqual(self.state(), "healthy", "one answer is not enough")
        wait_for(lambda: self.state() == "quarantined", "the quarantine")
        self.assertGreaterEqual(int(self.signal(ZEN, "ip-12")[5]), 2)
        held = wait_for(lambda: [c for c in json.loads(self.trial.local.ctl("constraints", "--source", "ip-12", "--json").stdout)
                                 ["constraints"] if c["cause"] == "health"], "the constraint")
        self.assertEqual([(c["scope"]["source"], c["scope"]["provider"], c["value"]) for c in held], [("ip-12", "", "suspend")])
        wait_for(lambda: set(self.shares("marketing", 6)) == {"ip-13"}, "the reserve to step in", 30)
        self.assertEqual(set(self.shares("marketing")), {"ip-13"}, "and nobody else")
        self.assertEqual(set(self.shares("transactional")), {"ip-11"}, "out of every pool")
        shown = self.trial.local.ctl("reputation").stdout
        for text in ("quarantined", "https://check.spamhaus.org/q/127.0.0.12", "delist", "SBL CSS"):
            self.assertIn(text, shown)
        self.assertEqual(self.sql("select kind, source from event where kind in ('listed', 'quarantined') order by shard, seq"),
                         [["listed", "ip-12"], ["quarantined", "ip-12"]])

        self.trial.change_records(*TEST, *OWN)
        wait_for(lambda: self.signal(ZEN, "ip-12")[0] == "good", "the delisting")
        wait_for(lambda: self.shares("transactional", 6) and self.state() != "quarantined", "probes", 60)
        wait_for(lambda: self.state() == "healthy", "health", 60)
        wait_for(lambda: set(self.shares("marketing", 6)) == {"ip-12"}, "its share again", 30)
        self.assertEqual(self.sql("select kind from event where kind = 'restored'"), [["restored"]])

    def test_3_our_own_dns_is_looked_at(self):
        wait_for(lambda: self.signal("reverse_dns", "ip-11")[0] == "good" and self.signal("ehlo", "ip-11")[0] == "good", "ip-11")
        self.assertEqual(self.signal("reverse_dns", "ip-12")[1], "no_reverse_dns")
        self.assertEqual(self.signal("reverse_dns", "ip-13")[1], "no_reverse_dns")
        self.assertEqual(self.signal("ehlo", "ip-12")[1], "ehlo_elsewhere")
        spf = wait_for(lambda: (lambda s: s if s[0] else None)(self.signal("spf", domain="shop.example")), "SPF")
        self.assertEqual(spf[:2], ["bad", "spf_lacks_source"])
        self.assertIn("not covered: ip-12 (127.0.0.12)", spf[3])
        self.assertEqual(self.signal("dmarc", domain="shop.example")[0], "good")
        self.assertEqual(self.sql("select count(*) from sending_constraint"), [["0"]], "a watch holds nothing")

    def test_4_a_person_overrides_for_a_time(self):
        done = self.trial.local.ctl("reputation", "override", "--source", "ip-11", "--state", "quarantined", "--reason", "moves house",
                                    "--for", "1h")
        self.assertIn("quarantined", done.stdout)
        self.assertNotIn("ip-11", self.shares("transactional"))
        self.assertIn("moves house", self.trial.local.ctl("reputation", "--source", "ip-11").stdout)
        refused = self.trial.local.ctl("reputation", "override", "--source", "ip-99", "--state", "healthy", "--reason", "x", check=False)
        self.assertIn("no source", refused.stderr)
        self.trial.local.ctl("reputation", "override", "--source", "ip-11", "--reason", "is back")
        self.assertIn("ip-11", self.shares("transactional"))
        self.trial.local.ctl("reputation", "override", "--source", "ip-11", "--state", "quarantined", "--reason", "short", "--for", "3s")
        self.assertNotIn("ip-11", self.shares("transactional", 6))
        wait_for(lambda: "ip-11" in self.shares("transactional", 6), "the override to end by itself", 60)
        self.assertIn("moves house", self.sql("select string_agg(request::text, ' ') from audit_log where method = 'OverrideHealth'")[0][0])


    def test_5_a_listed_domain_waits_until_it_is_delisted(self):
        state = lambda: (self.sql("select state from health_state where sender_domain = 'shop.example' and provider = ''") or [["healthy"]])[0][0]
        self.assertEqual(self.signal(DBL, domain="shop.example")[0], "good")
        self.trial.change_records(*TEST, *OWN, "shop.example.%s. 1 A 127.0.1.4" % DBL)
        wait_for(lambda: state() == "suspended", "the suspension", 60)
        held = wait_for(lambda: [c for c in json.loads(self.trial.local.ctl("constraints", "--json").stdout)["constraints"]
                                 if c["cause"] == "health"], "the constraint")
        self.assertEqual([{k: v for k, v in c["scope"].items() if v} for c in held], [{"sender_domain": "shop.example"}])
        number = itertools.count()

        def waiting():
            """One more each time: schedulers may hear of the constraint a moment after the table has it."""
            self.client.submit(submission(MAIL, "d%d@x.d.test" % next(number), stream="transactional"))
            return int(self.sql("select count(*) from queue_entry")[0][0])
        wait_for(lambda: waiting() >= 5, "mail of the domain to wait", 30, 0.1)
        shown = self.trial.local.ctl("reputation").stdout
        for text in ("domain shop.example", "DBL, phishing", "check.spamhaus.org"):
            self.assertIn(text, shown)
        self.assertEqual(state(), "suspended")
        self.assertGreaterEqual(int(self.sql("select count(*) from queue_entry")[0][0]), 5)
        self.trial.change_records(*TEST, *OWN)
        wait_for(lambda: state() != "suspended", "probes", 60)
        self.trial.wait_empty()
        self.assertEqual(self.sql("select count(*) from event where kind = 'delivered' and recipient ~ '^d[0-9]+@'"), [[str(next(number))]])


if __name__ == "__main__":
    unittest.main()
