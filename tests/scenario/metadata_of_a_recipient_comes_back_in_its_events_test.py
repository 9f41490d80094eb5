"""Scenario 38, and what an attempt tells: GetMessage and Subscribe give each recipient's metadata and the attempt's facts."""
from peers import Peers
from scenario import MAIL, submission, submission_pb2, unittest, wait_for


class Metadata(Peers):
    def test_each_recipient_has_its_own(self):
        message = submission(MAIL, [])
        message.metadata["order"] = "o-1"
        for name in ("ann", "bob"):
            recipient = message.recipients.add(address=name + "@meta.d.test")
            recipient.metadata["user"] = name
        result = self.client.submit(message)
        events = wait_for(lambda: (lambda e: e if len(e) == 2 else None)(self.client.get_message(result.message_id).events),
                          "two events", 60, 0.1)
        for event in events:
            self.assertEqual(dict(event.metadata), {"order": "o-1", "user": event.recipient.split("@")[0]})
        seen = {}
        for response in self.client.subscribe(message_id=result.message_id):
            seen.update({e.recipient: dict(e.metadata) for e in response.events})
            if len(seen) == 2:
                break
        self.assertEqual(seen["ann@meta.d.test"], {"order": "o-1", "user": "ann"})


if __name__ == "__main__":
    unittest.main()
