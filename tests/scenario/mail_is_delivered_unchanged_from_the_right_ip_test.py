"""The whole path: every kind of mail arrives once, its bytes a suffix of what arrived, from an IP of its stream's pool."""
import collections
import pathlib
import secrets

import xxhash
from scenario import MAIL, Scenario, submission, unittest

CORPUS = pathlib.Path(__file__).resolve().parents[1] / "data/mail"


def normalised(content):
    if b"\r\n" not in content:
        content = content.replace(b"\n", b"\r\n")
    return content if content.endswith(b"\r\n") else content + b"\r\n"


class Delivery(Scenario):
    def test_1_the_corpus_arrives_unchanged(self):
        expected, batch = {}, []
        for path in sorted(CORPUS.glob("*.eml")):
            for stream in ("transactional", "marketing"):
                token = secrets.token_hex(16)
                body = path.read_bytes()
                content = b"X-Rig-Token: " + token.encode() + (b"\r\n" if b"\r\n" in body else b"\n") + body
                expected[token] = (path.stem, stream, xxhash.xxh3_128_hexdigest(normalised(content)))
                batch.append(submission(content, "u@m%d.d.test" % (len(batch) % 5), stream=stream))
        self.assertGreaterEqual(len(expected), 2 * 12)
        for outcome in self.client.submit_many(batch):
            self.assertFalse(outcome.HasField("error"), outcome.error.message)
        records = self.trial.wait_records(len(expected))
        self.assertEqual(len(records), len(expected))
        pools = {"transactional": {"127.0.0.11", "127.0.0.12"}, "marketing": {"127.0.0.13", "127.0.0.14"}}
        ehlo = {"127.0.0.%d" % n: "mta%d.shop.example" % n for n in range(11, 15)}
        for record in records:
            name, stream, digest = expected.pop(record["token"])
            self.assertEqual(record["suffix_xxh3"], digest, name)
            source = record["src"].rsplit(":", 1)[0]
            self.assertIn(source, pools[stream], name)
            self.assertEqual(record["ehlo"], ehlo[source])
        self.assertFalse(expected)

    def test_2_weights_hold_for_a_pool(self):
        before = len(self.trial.sink.records())
        self.client.submit_many(submission(MAIL, "u%d@w%d.d.test" % (i, i % 7)) for i in range(300))
        records = self.trial.wait_records(before + 300)[before:]
        sent = collections.Counter(r["src"].rsplit(":", 1)[0] for r in records)
        self.assertAlmostEqual(sent["127.0.0.11"], 200, delta=3)
        self.assertAlmostEqual(sent["127.0.0.12"], 100, delta=3)

    def test_3_many_recipients_of_one_message_each_get_it_and_bad_ones_sink_nobody(self):
        before = len(self.trial.sink.records())
        to = ["r%d@multi%d.d.test" % (i, i % 3) for i in range(50)]
        result = self.client.submit(submission(MAIL, to[:25] + ["broken@@x", to[0]] + to[25:]))
        self.assertEqual(sorted((v.index, v.reason) for v in result.refused), [(25, "invalid_address"), (26, "duplicate")])
        records = self.trial.wait_recipients(len(to), since=before)
        self.assertEqual(sorted(a for r in records for a in r["to"]), sorted(to))
        self.trial.wait_empty()
        events = self.client.get_message(result.message_id).events
        self.assertEqual(len(events), 50)

    def test_4_events_come_in_order_and_resume_without_gap_or_repeat(self):
        total = int(self.trial.local.sql("select count(*) from event")[0][0])
        seen, cursor = [], b""
        while len(seen) < total:
            for response in self.client.subscribe(cursor=cursor):
                seen += [e.event_id for e in response.events]
                cursor = response.cursor
                if response.events:
                    break  # Reconnects after every response.
        self.assertEqual(len(seen), total)
        self.assertEqual(len(set(seen)), total)


if __name__ == "__main__":
    unittest.main()
