"""A subscriber that reconnects with its last cursor, while ingest, the scheduler and PostgreSQL are killed under load: what it has
read, put together, is the event table: no gap, no repeat, in the order of each recipient."""
import collections
import pathlib
import tempfile
import threading
import time

from peers import QUICK
from scenario import MAIL, Scenario, grpc, submission, unittest, wait_for

SCRIPT = """rules:
  - {name: bad, match: {local: "bad*"}, rcpt: "550 5.1.1 no such user"}
  - {name: grey, match: {local: "grey*"}, first: 1, per: recipient, rcpt: "451 4.7.1 come back later"}
"""
MESSAGES = 450
KINDS = ("u", "u", "grey", "bad")


class Subscriber(threading.Thread):
    """Reads until told to stop; a stream that breaks is called anew with the cursor of the last response that came whole."""

    def __init__(self, client, events_pb2):
        super().__init__(daemon=True)
        self.client, self.pb = client, events_pb2
        self.events, self.cursor, self.breaks, self.stopping, self.call = [], b"", 0, False, None
        self.last_error = ""

    def run(self):
        while not self.stopping:
            try:
                self.call = self.client.event_stub.Subscribe(self.pb.SubscribeRequest(cursor=self.cursor), metadata=self.client.metadata)
                for response in self.call:
                    self.events += response.events
                    self.cursor = response.cursor
            except grpc.RpcError as error:
                self.breaks += 1
                self.last_error = "%s %s" % (error.code(), error.details())
                threading.Event().wait(0.1)

    def stop(self):
        self.stopping = True
        if self.call is not None:
            self.call.cancel()
        self.join(30)


class Resume(Scenario):
    @classmethod
    def setUpClass(cls):
        script = pathlib.Path(tempfile.mkstemp(suffix=".yaml")[1])
        script.write_text(SCRIPT)
        cls.addClassCleanup(script.unlink)
        cls.options = {"policy": QUICK, "sink": {"script": script}, "scheduler": {"lease": "4s"}}
        super().setUpClass()

    def send(self, number):
        """With one key, until it is answered."""
        mail = submission(MAIL, "%s%d@d%d.d.test" % (KINDS[number % len(KINDS)], number, number % 7))
        mail.idempotency_key = "message-%d" % number
        end = time.monotonic() + 90
        while True:
            try:
                return self.client.submit(mail)
            except grpc.RpcError as error:
                self.assertLess(time.monotonic(), end, error.details())
                threading.Event().wait(0.1)

    def strike(self, name):
        if name == "postgres":
            self.trial.local.postgres("kill")
            self.trial.local.postgres("start")
        else:
            self.trial.local[name].kill()
            self.trial.local[name].start()

    def test_what_was_read_is_the_table(self):
        import client as rig
        subscriber = Subscriber(self.client, rig.events_pb2)
        subscriber.start()
        kills = {60: "ingest", 130: "scheduler", 200: "postgres", 270: "ingest", 340: "scheduler", 400: "postgres"}
        for number in range(MESSAGES):
            self.send(number)
            if number in kills:
                self.strike(kills[number])
        self.trial.wait_empty(180)
        table = "select shard || '-' || seq, kind, recipient from event where tenant = 'shop' order by shard, seq"
        wait_for(lambda: len(subscriber.events) >= len(self.trial.local.sql(table)),
                 lambda: "all events (%d of %d; last break: %s)" % (len(subscriber.events), len(self.trial.local.sql(table)), subscriber.last_error), 90, 0.2)
        rows = self.trial.local.sql(table)
        subscriber.stop()
        print("%d events over %d breaks of the stream, %d kills" % (len(subscriber.events), subscriber.breaks, len(kills)))
        self.assertGreaterEqual(subscriber.breaks, 2, "the kills of ingest must be seen")

        read = collections.defaultdict(list)
        for event in subscriber.events:
            read[event.event_id.split("-")[0]].append(event.event_id)
        expected = collections.defaultdict(list)
        for event_id, _, _ in rows:
            expected[event_id.split("-")[0]].append(event_id)
        self.assertEqual(dict(read), dict(expected))
        finals = collections.Counter(recipient for _, kind, recipient in rows if kind in ("delivered", "bounced"))
        self.assertEqual((len(finals), set(finals.values())), (MESSAGES, {1}))
        self.assertEqual(self.trial.local.sql("select count(*) from (select shard, seq - lag(seq) over (partition by shard order by seq) "
                                              "as step from event) s where step <> 1"), [["0"]], "numbered without a gap")


if __name__ == "__main__":
    unittest.main()
