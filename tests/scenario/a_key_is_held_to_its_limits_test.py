"""Limits of an API key: a rate of messages, a rate of bytes and a largest message, set by an admin, in force when the order returns,
recorded; other keys of the tenant are not touched."""
import json

from scenario import MAIL, Client, Scenario, grpc, mail, retry_delay, submission, unittest, violations, wait_for


class KeyLimits(Scenario):
    def key(self, *limits):
        created = json.loads(self.trial.local.ctl("key", "create", "--tenant", "shop", "--json", *limits).stdout)
        client = Client(self.trial.local.submit, created["secret"])
        self.addCleanup(client.close)
        return created["api_key"]["key_id"], client

    def limit(self, key_id, *limits):
        return self.trial.local.ctl("key", "limit", key_id, *limits).stdout

    def test_a_rate_is_refused_with_the_time_to_wait(self):
        key_id, client = self.key("--messages-per-second", "5")
        for number in range(6):
            client.submit(submission(MAIL, "r%d@keys.d.test" % number))
        # A second's worth and the one that overdrew it, however slow this machine is: five more at once are a second ahead.
        outcomes = client.submit_many([submission(MAIL, "s%d@keys.d.test" % n) for n in range(20)], frame=20)
        refused = [o.error for o in outcomes if o.HasField("error")]
        if not refused:  # The frame passed and is in debt: four seconds.
            error = self.refused(grpc.StatusCode.RESOURCE_EXHAUSTED, client.submit, submission(MAIL, "t@keys.d.test"))
            self.assertIn("API key %s is at its limit of 5 messages a second" % key_id, error.details())
            self.assertGreater(retry_delay(error), 1)
        else:
            self.assertEqual(len(refused), 20)
            self.assertIn("API key %s is at its limit of 5 messages a second" % key_id, refused[0].message)
        # Another key of the same tenant goes on.
        self.client.submit(submission(MAIL, "other@keys.d.test"))

    def test_it_passes_when_it_was_waited_for(self):
        _, client = self.key("--messages-per-second", "2")
        client.submit_many([submission(MAIL, "w%d@keys.d.test" % n) for n in range(4)], frame=4)
        error = self.refused(grpc.StatusCode.RESOURCE_EXHAUSTED, client.submit, submission(MAIL, "w@keys.d.test"))
        self.assertLessEqual(retry_delay(error), 1.1)

        def passes():
            try:
                return client.submit(submission(MAIL, "w@keys.d.test"))
            except grpc.RpcError as refused:
                self.assertEqual(refused.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
                return None
        wait_for(passes, "the key to have earned another message", 30, 0.2)

    def test_bytes_count_whatever_the_messages(self):
        key_id, client = self.key("--bytes-per-second", "20000")
        client.submit(submission(mail(body=b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 1000), "b@keys.d.test"))
        error = self.refused(grpc.StatusCode.RESOURCE_EXHAUSTED, client.submit, submission(MAIL, "c@keys.d.test"))
        self.assertIn("API key %s is at its limit of 20000 bytes a second" % key_id, error.details())
        self.assertGreater(retry_delay(error), 0)

    def test_a_larger_message_is_refused_for_good(self):
        key_id, client = self.key("--message-bytes", "1000")
        client.submit(submission(MAIL, "small@keys.d.test"))
        large = submission(mail(body=(b"z" * 70 + b"\r\n") * 20), "large@keys.d.test")
        error = self.refused(grpc.StatusCode.INVALID_ARGUMENT, client.submit, large)
        self.assertIn("API key %s takes at most 1000" % key_id, violations(error)["content"])
        self.assertIsNone(retry_delay(error))
        self.client.submit(large)

    def test_limits_are_in_force_when_the_order_returns_and_are_recorded(self):
        key_id, client = self.key()
        large = submission(mail(body=(b"z" * 70 + b"\r\n") * 20), "large2@keys.d.test")
        client.submit(large)
        self.assertIn("1000 bytes a message", self.limit(key_id, "--message-bytes", "1000"))
        self.refused(grpc.StatusCode.INVALID_ARGUMENT, client.submit, large)
        self.assertIn("none", self.limit(key_id))
        client.submit(large)
        listed = json.loads(self.trial.local.ctl("key", "list", "--json").stdout)["api_keys"]
        self.assertIn(key_id, [key["key_id"] for key in listed])
        recorded = self.trial.local.sql("select method, outcome from audit_log where request like '%%%s%%' order by id" % key_id)
        self.assertEqual([row[0] for row in recorded], ["CreateApiKey", "LimitApiKey", "LimitApiKey"])
        self.assertEqual({row[1] for row in recorded}, {"OK"})
        self.assertIn("event=admin_call method=AdminService/LimitApiKey", self.trial.local["scheduler"].log.read_text())

    def test_what_makes_no_sense_is_refused(self):
        refused = self.trial.local.ctl("key", "limit", "nobody", "--messages-per-second", "1", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("there is no key", refused.stderr)
        self.assertEqual(self.trial.local.ctl("key", "limit", "x", "--message-bytes", "-1", check=False).returncode, 2)


if __name__ == "__main__":
    unittest.main()
