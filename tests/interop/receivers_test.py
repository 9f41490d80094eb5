#!/usr/bin/python3
"""The corpus into real receivers: Postfix, Exim and OpenSMTPD, in plain text and over STARTTLS, with and without PIPELINING and
CHUNKING. Every message arrives once and the submitted bytes are the end of what arrived; what a receiver does not take (UTF-8
headers where SMTPUTF8 is not offered) bounces with 5.6.7 before anything is sent.

    receivers_test.py                       each message of the corpus to each address of each receiver
    receivers_test.py --messages 1000       so many messages to each receiver
"""
import argparse
import os
import pathlib
import secrets
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/rig"))
from client import submission  # noqa: E402
from receivers import Exim, OpenSmtpd, Postfix  # noqa: E402
from trial import POLICY, Trial, free_ports, wait_for  # noqa: E402

CORPUS = sorted((ROOT / "tests/data/mail").glob("*.eml"))
NEEDS_SMTPUTF8 = {"headers-raw-utf8"}
MESSAGES = 0  # Per receiver; 0 = the corpus once per address.


def as_stored(content):
    """Maildir: LF line ends, the last one there."""
    content = content.replace(b"\r\n", b"\n")
    return content if content.endswith(b"\n") else content + b"\n"


def with_token(body):
    token = secrets.token_hex(16).encode()
    return token, b"X-Rig-Token: " + token + (b"\r\n" if b"\r\n" in body else b"\n") + body


class Receivers(unittest.TestCase):
    def test_the_corpus_arrives_unchanged_at_each_of_them(self):
        if os.geteuid() != 0 or not pathlib.Path("/usr/sbin/postfix").exists():
            if os.environ.get("SLUICE_REQUIRE_ALL"):
                self.fail("Postfix and root are needed")
            self.skipTest("needs Postfix and root")
        kinds = (Postfix, Exim, OpenSmtpd)
        addresses = [a for kind in kinds for a in kind.addresses]
        records = [r for a in addresses for r in ("*.r%s.d.test. MX 10 h%s.test." % (a.split(".")[3], a.split(".")[3]),
                                                  "h%s.test. A %s" % (a.split(".")[3], a))]
        with Trial() as trial:
            (port,) = free_ports(1)
            local = trial.prepare(records)
            local.smtp_port = port
            local.scheduler().start()
            local.ingest().start()
            local.egress().start()
            trial.apply(POLICY)
            receivers = []
            try:
                for kind in kinds:
                    receivers.append(kind(trial.dir / kind.name, port))
                for receiver in receivers:
                    with self.subTest(receiver.name):
                        try:
                            self.deliver(trial, receiver)
                        except BaseException:
                            print(receiver.tail(), file=sys.stderr)
                            raise
            finally:
                for receiver in receivers:
                    receiver.stop()

    def deliver(self, trial, receiver):
        count = MESSAGES or len(CORPUS) * len(receiver.addresses)
        addresses = list(receiver.addresses)
        expected, refused, batch = {}, [], []
        for number in range(count):
            path = CORPUS[number // len(addresses) % len(CORPUS)]
            host = addresses[number % len(addresses)].split(".")[3]
            token, content = with_token(path.read_bytes())
            to = "u%d@m%d.r%s.d.test" % (number, number % 4, host)
            if path.stem in NEEDS_SMTPUTF8 and not receiver.has_smtputf8:
                refused.append(to)
            else:
                expected[token] = (path.stem, as_stored(content))
            batch.append(submission(content, to))
        for outcome in trial.client("shop").submit_many(batch):
            self.assertFalse(outcome.HasField("error"), outcome.error.message)
        files = wait_for(lambda: (lambda f: f if len(f) >= len(expected) else None)(receiver.messages()),
                         lambda: "%d messages at %s (%d came): %s" % (len(expected), receiver.name, len(receiver.messages()),
                                                                      self.troubles(trial)), 120 + count * 0.1, 0.2)
        trial.wait_empty()
        self.assertEqual(len(files), len(expected))
        for path in files:
            content = path.read_bytes()
            start = content.index(b"X-Rig-Token: ")
            name, wanted = expected.pop(content[start + 13:start + 45])
            self.assertEqual(content[start:], wanted, name)
        self.assertFalse(expected)
        self.check_events(trial, receiver, refused)
        print("%s: %d messages unchanged, %d not representable there" % (receiver.name, len(files), len(refused)), file=sys.stderr)

    def check_events(self, trial, receiver, refused):
        for address, is_encrypted in receiver.addresses.items():
            rows = trial.local.sql("select distinct kind, split_part(tls, ' ', 1) from event where mx_address = '%s' and stage <> 'local'" % address)
            self.assertEqual(rows, [["delivered", "TLSv1.3" if is_encrypted else ""]], address)
        bounced = trial.local.sql("select recipient from event where kind = 'bounced' and enhanced_status = '5.6.7' order by 1")
        self.assertEqual([row[0] for row in bounced], sorted(refused))

    @staticmethod
    def troubles(trial):
        return trial.local.sql("select kind, mx_address, stage, reply_code, reply, count(*) from event where kind <> 'delivered' "
                               "group by 1, 2, 3, 4, 5 limit 5")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=0)
    options, rest = parser.parse_known_args()
    MESSAGES = options.messages
    unittest.main(argv=[sys.argv[0], *rest])
