"""W3C `traceparent`: sent along with a submission it comes back in its events and stands in the line of every attempt, also after the
scheduler has forgotten the content; malformed it is ignored and counted."""
import urllib.request

from scenario import MAIL, Scenario, submission, submission_pb2, unittest, wait_for

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


class Trace(Scenario):
    options = {}

    def submit(self, to, trace=(), **more):
        request = submission_pb2.SubmitRequest(submission=submission(MAIL, to, **more))
        metadata = self.client.metadata + [("traceparent", value) for value in trace]
        return self.client.stub.Submit(request, metadata=metadata, timeout=30).result

    def attempts(self, recipient):
        """Log lines of attempts to it."""
        log = self.trial.local["egress"].log.read_text()
        return [line for line in log.splitlines() if " event=attempt " in line and "recipient=%s " % recipient in line]

    def told(self, result):
        """Trace context of each event, by recipient, when there is one for every recipient asked about."""
        events = wait_for(lambda: self.client.get_message(result.message_id).events, "an event", 60, 0.05)
        return {event.recipient: event.metadata.get("traceparent") for event in events}

    def line(self, recipient, count=1):
        return wait_for(lambda: (lambda lines: lines[-1] if len(lines) >= count else None)(self.attempts(recipient)),
                        "%d log lines of %s" % (count, recipient), 60, 0.05)

    def counted(self):
        address = self.trial.local["ingest"].config["metrics.listen"]
        with urllib.request.urlopen("http://%s/metrics" % address, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return int(float([l for l in lines if l.startswith("sluice_ingest_malformed_traceparents_total ")][0].split()[1]))

    def test_it_comes_back_in_events_and_log(self):
        result = self.submit("ann@trace.d.test", [TRACE])
        self.assertEqual(self.told(result), {"ann@trace.d.test": TRACE})
        self.assertIn(" traceparent=%s " % TRACE, self.line("ann@trace.d.test"))

    def test_without_one_nothing_is_told(self):
        result = self.submit("bob@trace.d.test")
        self.assertEqual(self.told(result), {"bob@trace.d.test": None})
        self.assertNotIn("traceparent", self.line("bob@trace.d.test"))

    def test_a_malformed_one_is_ignored_and_counted(self):
        before = self.counted()
        for number, trace in enumerate(([TRACE.upper()], [TRACE[:-1]], ["00-%s" % ("0" * 52)], [TRACE, OTHER])):
            name = "bad%d@trace.d.test" % number
            self.assertEqual(self.told(self.submit(name, trace)), {name: None})
        self.assertEqual(self.counted() - before, 4)

    def test_each_submission_of_a_stream_may_have_its_own(self):
        plain, own = submission(MAIL, "plain@trace.d.test"), submission(MAIL, "own@trace.d.test")
        own.metadata["traceparent"] = OTHER
        request = submission_pb2.SubmitStreamRequest(frame_id=1, submissions=[plain, own])
        metadata = self.client.metadata + [("traceparent", TRACE)]
        answer = next(iter(self.client.stub.SubmitStream(iter([request]), metadata=metadata, timeout=30)))
        self.assertEqual([self.told(outcome.result) for outcome in answer.outcomes],
                         [{"plain@trace.d.test": TRACE}, {"own@trace.d.test": OTHER}])
        self.assertIn(" traceparent=%s " % OTHER, self.line("own@trace.d.test"))

    def test_a_retry_from_another_span_is_the_same_submission(self):
        first = self.submit("key@trace.d.test", [TRACE], idempotency_key="trace-1")
        again = self.submit("key@trace.d.test", [OTHER], idempotency_key="trace-1")
        self.assertTrue(again.repeated)
        self.assertEqual(again.message_id, first.message_id)
        self.assertEqual(self.told(first), {"key@trace.d.test": TRACE})

    def test_it_outlives_the_scheduler(self):
        local = self.trial.local
        local["egress"].stop()
        result = self.submit("late@trace.d.test", [TRACE])
        local["scheduler"].stop()
        local["scheduler"].start()
        local["egress"].start()
        self.assertIn(" traceparent=%s " % TRACE, self.line("late@trace.d.test"))
        self.assertEqual(self.told(result), {"late@trace.d.test": TRACE})


if __name__ == "__main__":
    unittest.main()
