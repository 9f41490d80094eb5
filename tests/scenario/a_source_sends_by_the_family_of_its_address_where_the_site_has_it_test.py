"""IPv6 end to end, in a network of the test's own: sources of both families take their turns where a site has both, each site is
reached by the family it has, `ipv6: never` keeps a provider to IPv4, and explain says which family does not do."""
import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "rig"))
import network  # noqa: E402

if __name__ == "__main__":
    network.enter()

from scenario import MAIL, Scenario, submission, unittest, wait_for  # noqa: E402

SINKS = ("192.0.2.2", "2001:db8::2")
SOURCES = ("192.0.2.11", "2001:db8::11")
POLICY = """
tenants:
  - {name: shop, streams: [transactional], sender_domains: [shop.example]}
streams:
  - {name: transactional}
sources:
  - {name: four, address: 192.0.2.11, ehlo: mta4.shop.example}
  - {name: six, address: "2001:db8::11", ehlo: mta6.shop.example}
pools:
  - {name: both, members: [{source: four}, {source: six}]}
routes:
  - {match: {}, pool: both}
shaping:
  - {match: {domain: only-four-by-rule.test}, ipv6: never}
  - {match: {}, connection_rate: 100k/s}
"""
RECORDS = ["dual.test. MX 10 mx.dual.test.", "mx.dual.test. A 192.0.2.2", "mx.dual.test. AAAA 2001:db8::2",
           "old.test. MX 10 mx.old.test.", "mx.old.test. A 192.0.2.2",
           "new.test. MX 10 mx.new.test.", "mx.new.test. AAAA 2001:db8::2",
           "only-four-by-rule.test. MX 10 mx.dual.test.",
           "implicit.test. A 192.0.2.2", "implicit.test. AAAA 2001:db8::2"]


class Families(Scenario):
    options = {"policy": POLICY, "records": RECORDS, "sink": {"hosts": ("192.0.2.2", "[2001:db8::2]")},
               "egress": {"smtp.timeout.idle": "50ms"}}

    @classmethod
    def setUpClass(cls):
        for address in (*SINKS, *SOURCES):
            network.add(address)
        super().setUpClass()

    def deliver(self, count, domain):
        """The source of each delivery to `domain`."""
        for number in range(count):
            self.client.submit(submission(MAIL, "u%d@%s" % (number, domain)))

        def found():
            rows = self.trial.local.sql("select recipient, source from event where kind = 'delivered' and recipient like '%%@%s'" % domain)
            return rows if len(rows) >= count else None
        rows = wait_for(found, "%d deliveries to %s" % (count, domain), 60, 0.1)
        self.assertEqual(len({row[0] for row in rows}), count, "each once")
        return [row[1] for row in rows]

    def peers(self, domain):
        """Addresses that the sink had mail for `domain` from."""
        def found():
            records = [r for r in self.trial.sink.records() if any(to.endswith("@" + domain) for to in r["to"])]
            return {r["src"].rsplit(":", 1)[0] for r in records}
        return wait_for(found, "records of " + domain, 30, 0.1)

    def explained(self, domain):
        told = self.trial.local.ctl("explain", "--tenant", "shop", "--stream", "transactional", "--from", "news@shop.example",
                                    "--to", "you@" + domain).stdout
        return {line.split()[1]: line for line in told.splitlines() if line.startswith("both ")}

    def test_1_both_families_take_their_turns_where_the_site_has_both(self):
        for domain in ("dual.test", "implicit.test"):
            self.assertEqual(sorted(self.deliver(20, domain)), ["four"] * 10 + ["six"] * 10, domain)
            self.assertEqual(self.peers(domain), set(SOURCES), domain)

    def test_2_a_site_without_ipv6_is_reached_by_ipv4_at_once(self):
        self.assertEqual(set(self.deliver(20, "old.test")), {"four"})
        self.assertIn("no MX host has an IPv6 address", self.explained("old.test")["six"])
        self.assertIn("can send", self.explained("old.test")["four"])

    def test_3_a_site_with_ipv6_alone_is_reached_by_ipv6_at_once(self):
        self.assertEqual(set(self.deliver(20, "new.test")), {"six"})
        self.assertEqual(self.peers("new.test"), {"2001:db8::11"})
        self.assertIn("no MX host has an IPv4 address", self.explained("new.test")["four"])

    def test_4_never_keeps_a_domain_to_ipv4(self):
        self.assertEqual(set(self.deliver(20, "only-four-by-rule.test")), {"four"})
        self.assertIn("`ipv6: never` (shaping[0])", self.explained("only-four-by-rule.test")["six"])

    def test_5_each_source_greets_with_its_own_name(self):
        greeted = {(r["src"].rsplit(":", 1)[0], r["ehlo"]) for r in self.trial.sink.records()}
        self.assertEqual(greeted, {("192.0.2.11", "mta4.shop.example"), ("2001:db8::11", "mta6.shop.example")})


if __name__ == "__main__":
    unittest.main()
