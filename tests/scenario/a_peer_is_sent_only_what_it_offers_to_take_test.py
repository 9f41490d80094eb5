"""Scenarios 31 and 33: without PIPELINING commands go one at a time; 8-bit content, UTF-8 addresses and sizes that the peer does
not take are ended before any of it is transmitted, with a status that says so."""
from peers import Peers
from scenario import mail, unittest

SCRIPT = """
rules:
  - {match: {listener: 127.0.0.3}, without: [PIPELINING, CHUNKING]}
  - {match: {listener: 127.0.0.4}, without: [8BITMIME, SMTPUTF8]}
  - {match: {listener: 127.0.0.5}, without: [CHUNKING]}
"""


class Offers(Peers):
    script = SCRIPT
    hosts = tuple("127.0.0.%d" % n for n in range(2, 6))
    records = (*("h%d.test. A 127.0.0.%d" % (n, n) for n in range(3, 6)), *("o%d.test. MX 10 h%d.test." % (n, n) for n in range(3, 6)))

    def test_without_pipelining_it_goes_step_by_step(self):
        to = ["u%d@o3.test" % i for i in range(12)]
        self.send(to)
        for address in to:
            self.assertEqual(self.wait_events(address)[0]["kind"], "delivered")
        self.assertEqual(self.trial.sink.stats()["total"]["unoffered_pipelining"], 0)

    def test_without_chunking_it_goes_by_data(self):
        self.send("u@o5.test")
        self.assertEqual(self.fates("u@o5.test"), [("delivered", "body", 250)])

    def test_8bit_content_that_the_peer_does_not_take_never_reaches_it(self):
        self.send("u@o4.test", content=mail(body="Grüße\r\n".encode()))
        (event,) = self.wait_events("u@o4.test")
        self.assertEqual((event["kind"], event["stage"], event["enhanced_status"]), ("bounced", "local", "5.6.3"))
        self.assertEqual(self.transactions("u@o4.test"), [])

    def test_a_utf8_address_that_the_peer_does_not_take_never_reaches_it(self):
        self.send("grüße@o4.test")
        (event,) = self.wait_events("grüße@o4.test")
        self.assertEqual((event["kind"], event["stage"], event["enhanced_status"]), ("bounced", "local", "5.6.7"))
        self.send("grüße@o3.test")
        self.assertEqual(self.wait_events("grüße@o3.test")[0]["kind"], "delivered")

    def test_7bit_mail_goes_there_all_the_same(self):
        self.send("plain@o4.test")
        self.assertEqual(self.wait_events("plain@o4.test")[0]["kind"], "delivered")


if __name__ == "__main__":
    unittest.main()
