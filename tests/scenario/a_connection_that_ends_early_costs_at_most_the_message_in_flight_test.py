"""Scenarios 26 to 30: 421 in the middle, a connection dropped in the content or after the dot, a peer that closes after N
messages, and one that closes idle connections: only the message in flight is touched, and only content that was sent whole may
arrive twice, which is counted."""
from peers import QUICK, Peers
from scenario import Scenario, submission, wait_for, MAIL, unittest

SCRIPT = """
rules:
  - {match: {domain: leaving.test, local: third}, first: 1, rcpt: "421 4.3.2 going down"}
  - {match: {domain: lost.test}, first: 1, dot: close}
  - {match: {domain: cut.test}, first: 1, data: {drop: mid_data, after_bytes: 100}}
  - {match: {domain: idle.test}, dot: {drop: after}}
  - {match: {listener: 127.0.0.3}, messages_per_connection: 5}
"""
ONE_CONNECTION = QUICK + "shaping:\n  - {match: {}, connections: 1}\n"


class Endings(Peers):
    script = SCRIPT
    hosts = ("127.0.0.2", "127.0.0.3")
    policy = ONE_CONNECTION
    records = ("leaving.test. MX 10 sink.test.", "lost.test. MX 10 l.test.", "cut.test. MX 10 c.test.", "idle.test. MX 10 i.test.",
               "five.test. MX 10 f.test.", "f.test. A 127.0.0.3",
               *("%s.test. A 127.0.0.2" % name for name in "lci"))

    def send_all(self, addresses):
        for outcome in self.client.submit_many(submission(MAIL, to) for to in addresses):
            self.assertFalse(outcome.HasField("error"), outcome.error.message)

    def test_421_in_the_middle_defers_the_message_in_flight_once_and_harms_no_other(self):
        locals_ = ["first", "second", "third", "fourth", "fifth", "sixth"]
        self.send_all(local + "@leaving.test" for local in locals_)
        for local in locals_:
            wanted = [("deferred", "rcpt", 421)] if local == "third" else []
            self.assertEqual(self.fates(local + "@leaving.test", len(wanted) + 1), [*wanted, ("delivered", "body", 250)], local)

    def test_a_connection_lost_after_the_dot_is_retried_and_counted(self):
        self.send("u@lost.test")
        first, second = self.wait_events("u@lost.test", 2)
        self.assertEqual((first["kind"], first["stage"], first["reply_code"], first["possible_duplicate"]), ("deferred", "body", 0, True))
        self.assertEqual((second["kind"], second["possible_duplicate"]), ("delivered", False))
        self.assertEqual([r["reached"] for r in self.wait_transactions("u@lost.test", 2)], ["dot", "replied"])
        self.assertIn("possible_duplicate=true", self.lines_of("u@lost.test")[0])

    def test_a_connection_dropped_in_the_content_is_retried(self):
        body = b"From: a@shop.example\r\nSubject: x\r\n\r\n" + b"0123456789 0123456789 0123456789\r\n" * 20_000
        self.send("u@cut.test", content=body)
        first, second = self.wait_events("u@cut.test", 2)
        self.assertEqual((first["kind"], first["reply_code"], second["kind"]), ("deferred", 0, "delivered"))

    def test_a_peer_that_takes_five_messages_a_connection_gets_them_all_over_one_connection_at_a_time(self):
        addresses = ["u%d@five.test" % i for i in range(23)]
        self.send_all(addresses)
        for to in addresses:
            self.assertEqual(self.wait_events(to)[0]["kind"], "delivered", to)
        records = [r for r in self.trial.sink.records() if r["to"] and r["to"][0] in addresses]
        per_connection = {}
        for record in records:
            per_connection.setdefault(record["src"], []).append(record["t"])
        self.assertEqual(len(records), len(addresses))
        self.assertLessEqual(max(map(len, per_connection.values())), 5)
        for source in ("127.0.0.11", "127.0.0.12"):
            spans = sorted((min(t), max(t)) for src, t in per_connection.items() if src.startswith(source + ":"))
            for (_, end), (begin, _) in zip(spans, spans[1:]):
                self.assertLessEqual(end, begin, "connections: 1 holds while it reconnects")

    def test_an_idle_connection_that_the_peer_closed_is_no_failure(self):
        for number in range(6):
            to = "u%d@idle.test" % number
            self.send(to)
            (event,) = self.wait_events(to)
            self.assertEqual((event["kind"], event["attempt"]), ("delivered", 1))
            self.assertEqual(len(self.events_of(to)), 1)


class Restart(Scenario):
    """A peer that restarts closes every idle connection at once."""

    def send_all(self, addresses):
        for outcome in self.client.submit_many(submission(MAIL, to) for to in addresses):
            self.assertFalse(outcome.HasField("error"), outcome.error.message)
        self.trial.wait_empty(60)

    def test_many_idle_connections_that_died_delay_no_message(self):
        self.send_all("u%d@d%d.d.test" % (i, i % 20) for i in range(600))
        wait_for(lambda: self.trial.sink.stats()["open_connections"] >= 8, "idle connections", 30)
        self.trial.restart_sink()
        self.send_all("v%d@d%d.d.test" % (i, i % 20) for i in range(40))
        self.assertEqual(self.trial.sink.accepted(), 40)
        self.assertEqual(self.events("deferred"), [])


if __name__ == "__main__":
    unittest.main()
