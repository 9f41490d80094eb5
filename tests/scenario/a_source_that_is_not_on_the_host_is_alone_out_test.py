"""Scenarios 9, 10 and 45: an address that the host does not have takes only its source out; a pool without any holds its mail back,
and never lends it another address; a new revision moves what waits to another pool."""
import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "rig"))
import network  # noqa: E402

if __name__ == "__main__":
    network.enter()

from scenario import MAIL, Scenario, submission, unittest, wait_for  # noqa: E402

SINK = "192.0.2.2"
HERE = ("192.0.2.11", "192.0.2.12")  # On the host.
POLICY = """
tenants:
  - {name: shop, streams: [transactional], sender_domains: [shop.example]}
streams:
  - {name: transactional}
sources:
  - {name: ip-11, address: 192.0.2.11, ehlo: mta11.shop.example}
  - {name: ip-12, address: 192.0.2.12, ehlo: mta12.shop.example}
  - {name: ip-19, address: 192.0.2.19, ehlo: mta19.shop.example}
  - {name: ip-31, address: 192.0.2.31, ehlo: mta31.shop.example}
  - {name: ip-32, address: 192.0.2.32, ehlo: mta32.shop.example}
pools:
  - {name: mixed, members: [{source: ip-11}, {source: ip-19}]}
  - {name: gone, members: [{source: ip-31}, {source: ip-32}]}
  - {name: other, members: [{source: ip-12}]}
routes:
  - {match: {campaign: gone}, pool: gone}
  - {match: {campaign: moves}, pool: gone}
  - {match: {}, pool: mixed}
"""


class Sources(Scenario):
    options = {"policy": POLICY, "bound": 2, "records": ["*.own.test. MX 10 own-sink.test.", "own-sink.test. A " + SINK],
               "sink": {"hosts": (SINK,)}, "egress": {"smtp.timeout.idle": "50ms"}}

    @classmethod
    def setUpClass(cls):
        for address in (SINK, *HERE):
            network.add(address)
        super().setUpClass()

    def submit(self, count, domain, campaign=""):
        for number in range(count):
            self.client.submit(submission(MAIL, "u%d@%s.own.test" % (number, domain), campaign=campaign))

    def delivered(self, domain, count):
        """Sources and pools of the deliveries to `domain`, once there are so many."""
        def found():
            rows = self.trial.local.sql("select source, pool, recipient from event where kind = 'delivered' and recipient like '%%@%s.own.test'"
                                        % domain)
            return rows if len(rows) >= count else None
        return wait_for(found, "%d deliveries to %s" % (count, domain), 90, 0.1)

    def waiting(self, domain):
        return int(self.trial.local.sql("select count(*) from queue_entry where domain = '%s.own.test'" % domain)[0][0])

    def peers(self):
        """Addresses that the sink has had mail from."""
        return {record["src"].rsplit(":", 1)[0] for record in self.trial.sink.records()}

    def wait_idle(self):
        """Until no connection is kept: one whose address goes away would only time out."""
        wait_for(lambda: self.trial.sink.stats()["open_connections"] == 0, "connections to end", 30, 0.05)

    def test_1_only_the_missing_source_is_out_and_another_member_delivers(self):
        self.submit(20, "nine")
        self.assertEqual({tuple(row[:2]) for row in self.delivered("nine", 20)}, {("ip-11", "mixed")})
        states = dict(self.trial.local.sql("select source, state from source_assignment"))
        self.assertEqual({name for name, state in states.items() if state == "bound"}, {"ip-11", "ip-12"})
        self.assertIn("ip-19", self.trial.local.ctl("status").stdout)

    def test_2_a_source_whose_address_goes_while_it_sends_comes_back_with_it(self):
        network.add("192.0.2.19")
        wait_for(lambda: self.state("ip-19") == "bound", "ip-19 to be bound", 60, 0.1)
        self.submit(20, "ten-a")
        self.assertEqual({row[0] for row in self.delivered("ten-a", 20)}, {"ip-11", "ip-19"})
        self.wait_idle()
        network.remove("192.0.2.19")
        self.submit(20, "ten-b")
        rows = self.delivered("ten-b", 20)
        self.assertEqual({row[0] for row in rows}, {"ip-11"})
        self.assertEqual(len({row[2] for row in rows}), len(rows), "nobody got two")

    def state(self, source):
        return dict(self.trial.local.sql("select source, state from source_assignment")).get(source)

    def test_3_without_any_address_of_the_pool_mail_waits_and_borrows_none(self):
        self.submit(10, "gone", "gone")
        self.submit(20, "after")
        self.delivered("after", 20)
        self.assertEqual(self.waiting("gone"), 10)
        self.assertEqual(self.trial.local.sql("select count(*) from event where recipient like '%@gone.own.test'"), [["0"]])
        network.add("192.0.2.31")
        rows = self.delivered("gone", 10)
        self.assertEqual({tuple(row[:2]) for row in rows}, {("ip-31", "gone")})
        self.wait_idle()
        network.remove("192.0.2.31")
        self.assertLessEqual(self.peers(), {"192.0.2.11", "192.0.2.19", "192.0.2.31"}, "nothing left from an address of no source")

    def test_4_a_new_revision_moves_what_waits_to_another_pool(self):
        self.submit(30, "moves", "moves")
        self.submit(20, "later")
        self.delivered("later", 20)
        self.assertEqual(self.waiting("moves"), 30)
        self.trial.apply(POLICY.replace("campaign: moves}, pool: gone", "campaign: moves}, pool: other"), bound=2)
        rows = self.delivered("moves", 30)
        self.assertEqual({tuple(row[:2]) for row in rows}, {("ip-12", "other")})
        wait_for(lambda: self.waiting("moves") == 0, "the queue to be empty", 30, 0.1)
        self.assertEqual(len({row[2] for row in self.delivered("moves", 30)}), 30)


if __name__ == "__main__":
    unittest.main()
