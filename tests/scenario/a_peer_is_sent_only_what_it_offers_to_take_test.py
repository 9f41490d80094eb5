"""Scenarios 31 and 33: without PIPELINING commands go one at a time; a host without 8BITMIME and SMTPUTF8 gets content and headers
in ASCII, and what cannot be written so is ended before any of it is transmitted, with a status that says so."""
import email
import email.policy
import pathlib

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
    keeps_content = True
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

    def test_a_peer_without_8bitmime_gets_the_same_text_in_ascii(self):
        self.send("u@o4.test", content=mail(body="Schöne Grüße aus Köln am Rhein, ganz und gar\r\n".encode()))
        self.assertEqual(self.wait_events("u@o4.test")[0]["kind"], "delivered")
        (record,) = self.wait_transactions("u@o4.test")
        got = (self.content / record["file"]).read_bytes()
        self.assertTrue(got.isascii())
        self.assertEqual(email.message_from_bytes(got).get_payload(decode=True).decode(), "Schöne Grüße aus Köln am Rhein, ganz und gar\r\n")

    def test_a_header_in_utf8_reaches_it_as_encoded_words(self):
        self.send("head@o4.test", content=mail("Grüße", head="From: Jürgen <news@shop.example>\r\n".encode()))
        self.assertEqual(self.wait_events("head@o4.test")[0]["kind"], "delivered")
        (record,) = self.wait_transactions("head@o4.test")
        got = (self.content / record["file"]).read_bytes()
        self.assertTrue(got.isascii())
        message = email.message_from_bytes(got, policy=email.policy.default)
        self.assertEqual((message["subject"], message["from"].addresses[0].display_name), ("Grüße", "Jürgen"))

    def test_what_is_signed_is_not_changed_and_never_reaches_it(self):
        signed = b"From: news@shop.example\r\nContent-Type: multipart/signed; boundary=b\r\n"
        self.send("signed@o4.test", content=mail(head=signed, body="--b\r\n\r\nGrüße\r\n--b--\r\n".encode()))
        (event,) = self.wait_events("signed@o4.test")
        self.assertEqual((event["kind"], event["stage"], event["enhanced_status"]), ("bounced", "local", "5.6.3"))
        self.assertEqual(self.transactions("signed@o4.test"), [])

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
