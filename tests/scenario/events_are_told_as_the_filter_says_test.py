"""Subscribe with filters: kinds, stream, campaign, message, from now on, alone and together; each tells what fits and nothing else, and a
cursor from one goes on with another. What is no filter is refused by its name."""
import pathlib
import tempfile

from scenario import MAIL, POLICY, Scenario, grpc, submission, unittest, violations, wait_for
from client import events_pb2

TWO = POLICY.replace("streams:\n", "  - {name: post, streams: [marketing], sender_domains: [post.example]}\nstreams:\n", 1)
KIND = {name: events_pb2.EventKind.Value("EVENT_KIND_" + name.upper()) for name in (
    "delivered", "deferred", "bounced", "suppressed", "cancelled", "complained")}


class Filters(Scenario):
    @classmethod
    def setUpClass(cls):
        script = sink_script()
        cls.addClassCleanup(script.unlink)
        cls.options = {"policy": TWO, "sink": {"script": script}}
        super().setUpClass()
        cls.trial.local.ctl("suppression", "add", "sup@a.d.test", "--tenant", "shop")
        send = lambda to, **more: cls.client.submit(submission(MAIL, to, **more)).message_id
        cls.ids = {
            "plain": send("one@a.d.test"),
            "spring": send(["two@a.d.test", "sup@a.d.test"], stream="marketing", campaign="spring"),
            "autumn": send("three@a.d.test", stream="marketing", campaign="autumn"),
            "bad": send("x@bad.d.test", campaign="spring"),
            "slow": send("y@slow.d.test")}
        wait_for(lambda: cls.trial.local.sql("select count(*) from event where tenant = 'shop'") == [["6"]], "six events")

    def told(self, until, **request):
        """(recipient, kind) of all events up to the one of recipient `until`, and the cursor behind it."""
        seen = []
        for response in self.client.subscribe(timeout=60, **request):
            seen += [(e.recipient.split("@")[0], events_pb2.EventKind.Name(e.kind)[11:].lower()) for e in response.events]
            if any(name == until for name, _ in seen):
                return sorted(seen), response.cursor
        self.fail("the stream ended")

    def marked(self, name, **request):
        """All that passes, by sending a last one that passes, too."""
        more = {key: request[key] for key in ("stream", "campaign") if key in request}
        self.client.submit(submission(MAIL, name + "@a.d.test", **more))
        seen, cursor = self.told(name, **request)
        return [one for one in seen if one[0] != name and not one[0].startswith("mark")], cursor

    def test_by_stream_and_campaign(self):
        self.assertEqual(self.marked("mark1", stream="marketing")[0],
                         [("sup", "suppressed"), ("three", "delivered"), ("two", "delivered")])
        self.assertEqual(self.marked("mark2", campaign="spring")[0], [("sup", "suppressed"), ("two", "delivered"), ("x", "bounced")])
        self.assertEqual(self.marked("mark3", campaign="spring", stream="marketing")[0], [("sup", "suppressed"), ("two", "delivered")])

    def test_by_kind(self):
        self.assertEqual(self.marked("mark4", kinds=[KIND["delivered"]])[0],
                         [("one", "delivered"), ("three", "delivered"), ("two", "delivered")])
        both, _ = self.told("x", kinds=[KIND["bounced"], KIND["deferred"]])
        self.assertEqual(set(both) - {("y", "deferred")}, {("x", "bounced")})

    def test_by_message(self):
        self.assertEqual(self.told("two", message_id=self.ids["spring"])[0][-1], ("two", "delivered"))
        self.assertEqual(self.told("x", message_id=self.ids["bad"], kinds=[KIND["bounced"]])[0], [("x", "bounced")])

    def test_from_now_and_a_cursor_that_goes_on_with_another_filter(self):
        stream = self.client.subscribe(timeout=60, from_now=True)
        first = next(iter(stream))  # A cursor that stands at the end, before anything new.
        stream.cancel()
        self.assertEqual(list(first.events), [])
        self.client.submit(submission(MAIL, "new1@a.d.test"))
        self.client.submit(submission(MAIL, "new2@a.d.test", campaign="spring"))
        self.assertEqual(self.told("new2", cursor=first.cursor, campaign="spring")[0], [("new2", "delivered")])
        seen = self.told("new1", cursor=first.cursor, stream="transactional")[0]
        self.assertIn(("new1", "delivered"), seen)
        self.assertFalse({"one", "two", "three", "x"} & {name for name, _ in seen})

    def test_what_is_no_filter_is_refused_by_name(self):
        for bad, field in (({"kinds": [99]}, "kinds"), ({"message_id": "nothing"}, "message_id"), ({"cursor": b"\xff" * 9}, "cursor")):
            error = self.refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: list(self.client.subscribe(timeout=30, **bad)))
            self.assertEqual(list(violations(error)), [field])

    def test_another_tenants_events_are_never_told(self):
        other = self.trial.client("post")
        mail = MAIL.replace(b"shop.example", b"post.example")
        other.submit(submission(mail, "theirs@a.d.test", stream="marketing", return_path="bounce@post.example"))
        for request in ({}, {"message_id": self.ids["plain"]}):
            names = set()
            stream = other.subscribe(timeout=60, **request)
            for response in stream:
                names |= {e.recipient for e in response.events}
                if names or request:
                    break
            stream.cancel()
            self.assertLessEqual(names, {"theirs@a.d.test"})


def sink_script():
    path = pathlib.Path(tempfile.mkstemp(suffix=".yaml")[1])
    path.write_text('rules:\n  - {name: bad, match: {domain: bad.d.test}, rcpt: "550 5.1.1 no such user"}\n'
                    '  - {name: slow, match: {domain: slow.d.test}, rcpt: "450 4.2.1 later"}\n')
    return path


if __name__ == "__main__":
    unittest.main()
