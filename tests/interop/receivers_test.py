#!/usr/bin/python3
"""The corpus into real receivers: Postfix, Exim and OpenSMTPD, in plain text and over STARTTLS, with and without PIPELINING and
CHUNKING, signed with both algorithms. Every message arrives once, the submitted bytes are the end of what arrived, and its
signatures verify. Where only ASCII is taken (no 8BITMIME, no SMTPUTF8) every part reads as before and the signatures are those of
what was sent; what cannot be written so bounces with 5.6.9 before anything is sent.

    receivers_test.py                       each message of the corpus to each address of each receiver
    receivers_test.py --messages 1000       so many messages to each receiver
"""
import argparse
import email
import email.header
import os
import pathlib
import re
import secrets
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
for folder in ("tests/rig", "tests/scenario"):
    sys.path.insert(0, str(ROOT / folder))
from client import submission  # noqa: E402
from receivers import Exim, OpenSmtpd, Postfix  # noqa: E402
from signed_mail import ED25519, RSA, check, make_key  # noqa: E402
from trial import POLICY, Trial, free_ports, wait_for  # noqa: E402

KINDS = (Postfix, Exim, OpenSmtpd)
CORPUS = {path.stem: path.read_bytes() for path in sorted((ROOT / "tests/data/mail").glob("*.eml"))}
# Raw UTF-8 that has a form in ASCII; that of the corpus' headers-raw-utf8 (a local part) has none.
CORPUS["headers-utf8-names"] = (
    "From: Grüße aus dem Hafen <news@shop.example>\r\nTo: \"Käufer, treuer\" <k@bücher.example>, 田中 <t@example.com> (Tōkyō)\r\n"
    "Subject: Ihre Bestellung ist unterwegs – ご注文の品を発送しました 📦\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSchöne Grüße\r\n.\r\n"
    "--b\r\nContent-Type: text/csv; charset=utf-8\r\nContent-Disposition: attachment; filename=\"Käse.csv\"\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\nä;ö;ü\r\n--b--\r\n").encode()
NEEDS_SMTPUTF8 = {"headers-raw-utf8"}
HAS_UTF8_HEADER = NEEDS_SMTPUTF8 | {"headers-utf8-names"}
KEYS = """
dkim_keys:
  - {domain: shop.example, selector: r1, key: rsa.pem, algorithm: rsa-sha256}
  - {domain: shop.example, selector: e1, key: ed.pem, algorithm: ed25519-sha256}
"""
SIGNERS = ["r1._domainkey.shop.example", "e1._domainkey.shop.example"]
MESSAGES = 0  # Per receiver; 0 = the corpus once per address.


def host_of(address):
    return address.split(".")[3]


def as_stored(content):
    """Maildir: LF line ends, the last one there."""
    content = content.replace(b"\r\n", b"\n")
    return content if content.endswith(b"\n") else content + b"\n"


def with_token(body):
    token = secrets.token_hex(16).encode()
    return token, b"X-Rig-Token: " + token + (b"\r\n" if b"\r\n" in body else b"\n") + body


def meaning(content):
    """What a reader sees: header texts and parts, whatever way they are encoded."""
    message = email.message_from_bytes(content)

    def text(value):
        raw = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return re.sub(r"\s+", " ", str(email.header.make_header(email.header.decode_header(raw)))).replace("bücher.", "xn--bcher-kva.")

    head = [(n.lower(), text(v).replace('"', "")) for n, v in message.raw_items()
            if n.lower() not in ("content-transfer-encoding", "content-type", "mime-version")]
    def filename(part):
        plain = re.search(r'filename="([^"]*)"', dict(part.raw_items()).get("Content-Disposition", ""))
        return text(plain[1]) if plain else part.get_filename()

    parts = [(p.get_content_type(), filename(p),
              (p.get_payload(decode=True) or b"").replace(b"\r\n", b"\n").rstrip(b"\n"))
             for p in message.walk() if not p.is_multipart()]
    return head, parts


class Receivers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0 or not pathlib.Path("/usr/sbin/postfix").exists():
            if os.environ.get("SLUICE_REQUIRE_ALL"):
                raise RuntimeError("Postfix and root are needed")
            raise unittest.SkipTest("needs Postfix and root")
        records = [r for kind in KINDS for a in kind.addresses
                   for r in ("*.r%s.d.test. MX 10 h%s.test." % (host_of(a), host_of(a)), "h%s.test. A %s" % (host_of(a), a))]
        cls.trial = Trial().__enter__()
        cls.addClassCleanup(cls.trial.__exit__, None, None, None)
        keys = cls.trial.dir / "dkim"
        keys.mkdir()
        cls.dns = {SIGNERS[0]: make_key(keys / "rsa.pem", RSA), SIGNERS[1]: make_key(keys / "ed.pem", ED25519)}
        (port,) = free_ports(1)
        local = cls.trial.prepare(records)
        local.smtp_port = port
        local.scheduler().start()
        local.ingest().start()
        local.egress(**{"dkim.directory": str(keys)}).start()
        cls.trial.apply(POLICY + KEYS)
        cls.receivers = {}
        for kind in KINDS:
            cls.receivers[kind.name] = kind(cls.trial.dir / kind.name, port)
            cls.addClassCleanup(cls.receivers[kind.name].stop)

    def test_1_the_corpus_arrives_at_each_of_them(self):
        for receiver in self.receivers.values():
            with self.subTest(receiver.name):
                try:
                    self.deliver(receiver)
                except BaseException:
                    print(receiver.tail(), file=sys.stderr)
                    raise

    def test_2_what_the_sender_wants_of_notifications_reaches_the_host_that_writes_them(self):
        postfix = self.receivers["postfix"]
        before = set(postfix.messages())
        for host, wants, envelope_id in (("2", [2], "order+17"), ("3", [], "none")):
            message = submission(CORPUS["plain-text"], "told@m0.r%s.d.test" % host)
            message.dsn_return, message.dsn_envelope_id = 2, envelope_id
            message.recipients[0].dsn_notify.extend(wants)
            self.trial.client("shop").submit(message)
        self.trial.wait_empty()

        def notifications():
            new = [p.read_bytes() for p in set(postfix.messages()) - before]
            return [m for m in new if b"Content-Type: message/delivery-status" in m] if len(new) == 3 else None
        (report,) = wait_for(notifications, lambda: "two messages and a notification: %s" % postfix.tail(), 60, 0.2)
        self.assertIn(b"Original-Envelope-Id: order+17\n", report)
        self.assertIn(b"Original-Recipient: rfc822;told@m0.r2.d.test\n", report)
        self.assertIn(b"Action: delivered\n", report)
        self.assertIn(b"X-Original-To: bounce@shop.example\n", report)
        # RET=HDRS: the header of the message and no more.
        self.assertIn(b"Content-Type: text/rfc822-headers\n", report)

    def deliver(self, receiver):
        addresses = list(receiver.addresses)
        count = MESSAGES or len(CORPUS) * len(addresses)
        names = list(CORPUS)
        expected, refused, batch = {}, [], []
        for number in range(count):
            name, address = names[number // len(addresses) % len(names)], addresses[number % len(addresses)]
            token, content = with_token(CORPUS[name])
            to = "u%d@m%d.r%s.d.test" % (number, number % 4, host_of(address))
            is_plain = address in receiver.seven_bit
            if name in NEEDS_SMTPUTF8 and (is_plain or not receiver.has_smtputf8):
                refused.append(to)
            else:
                is_rewritten = is_plain or (name in HAS_UTF8_HEADER and not receiver.has_smtputf8)
                expected[token] = (name, as_stored(content), is_plain, is_rewritten)
            batch.append(submission(content, to))
        for outcome in self.trial.client("shop").submit_many(batch):
            self.assertFalse(outcome.HasField("error"), outcome.error.message)
        files = wait_for(lambda: (lambda f: f if len(f) >= len(expected) else None)(receiver.messages()),
                         lambda: "%d messages at %s (%d came): %s" % (len(expected), receiver.name, len(receiver.messages()),
                                                                      self.troubles()), 120 + count * 0.1, 0.2)
        self.trial.wait_empty()
        self.assertEqual(len(files), len(expected))
        rewritten = 0
        for path in files:
            content = path.read_bytes()
            check(self, content.replace(b"\n", b"\r\n"), self.dns, SIGNERS)
            start = content.index(b"X-Rig-Token: ")
            name, wanted, is_plain, is_rewritten = expected.pop(content[start + 13:start + 45])
            arrived = content[start:]
            if arrived != wanted:
                self.assertTrue(is_rewritten, name)
                self.assertEqual(meaning(arrived), meaning(wanted), name)
                rewritten += 1
            self.assertTrue(arrived.isascii() or not is_plain, name)
        self.assertFalse(expected)
        self.check_events(receiver, refused)
        print("%s: %d messages, all signatures verify, %d written anew, %d not representable there"
              % (receiver.name, len(files), rewritten, len(refused)), file=sys.stderr)

    def check_events(self, receiver, refused):
        for address, is_encrypted in receiver.addresses.items():
            rows = self.trial.local.sql("select distinct kind, split_part(tls, ' ', 1) from event where mx_address = '%s' and stage <> 'local'"
                                        % address)
            self.assertEqual(rows, [["delivered", "TLSv1.3" if is_encrypted else ""]], address)
        hosts = "|".join(host_of(a) for a in receiver.addresses)
        bounced = self.trial.local.sql("select recipient from event where kind = 'bounced' and enhanced_status = '5.6.9' "
                                       "and recipient ~ '[.]r(%s)[.]d[.]test$' order by 1" % hosts)
        self.assertEqual([row[0] for row in bounced], sorted(refused))

    @classmethod
    def troubles(cls):
        return cls.trial.local.sql("select kind, mx_address, stage, reply_code, reply, count(*) from event where kind <> 'delivered' "
                                   "group by 1, 2, 3, 4, 5 limit 5")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=0)
    options, rest = parser.parse_known_args()
    MESSAGES = options.messages
    unittest.main(argv=[sys.argv[0], *rest])
