"""Who is suppressed is refused at submit with a verdict of its own; who is suppressed later, before release, ends without an attempt."""
from scenario import MAIL, POLICY, Scenario, submission, unittest, wait_for


TWO = POLICY.replace("streams:\n", "  - {name: post, streams: [transactional, marketing], sender_domains: [post.example]}\nstreams:\n", 1)


class Suppressed(Scenario):
    options = {"policy": TWO}

    def suppression(self, *words):
        return self.trial.local.ctl("suppression", *words)

    def test_refused_at_submit_as_soon_as_the_order_returned(self):
        self.suppression("add", "no@a.d.test", "--tenant", "shop", "--reason", "complaint")
        answer = self.client.submit(submission(MAIL, ["no@a.d.test", "yes@a.d.test"]))
        self.assertEqual([(v.index, v.reason) for v in answer.refused], [(0, "suppressed")])
        alone = self.client.submit(submission(MAIL, "No@a.d.test"))
        self.assertTrue(alone.message_id)
        self.assertEqual([v.reason for v in alone.refused], ["suppressed"])
        told = "select count(*) from event where kind = 'suppressed' and lower(recipient) = 'no@a.d.test' and tenant = 'shop'"
        wait_for(lambda: self.trial.local.sql(told) == [["2"]], "an event for each suppressed recipient")
        self.suppression("remove", "no@a.d.test", "--tenant", "shop")
        self.assertEqual(len(self.client.submit(submission(MAIL, "no@a.d.test")).refused), 0)
        self.trial.wait_accepted(2)

    def test_suppressed_while_it_waits(self):
        sql = self.trial.local.sql
        later = submission(MAIL, ["waits@b.d.test", "goes@b.d.test"])
        later.first_attempt_at.GetCurrentTime()
        later.first_attempt_at.seconds += 6
        self.assertEqual(len(self.client.submit(later).refused), 0)
        self.suppression("add", "waits@b.d.test")
        kinds = "select recipient, kind, attempt from event where recipient like '%@b.d.test' order by 1"
        wait_for(lambda: len(sql(kinds)) == 2, lambda: "two events, there are %s" % sql(kinds))
        self.assertEqual(sql(kinds), [["goes@b.d.test", "delivered", "1"], ["waits@b.d.test", "suppressed", "0"]])

    # ---- as an operator works with the list

    def goes(self, address, client=None):
        """Whether a mail to it is taken."""
        return not (client or self.client).submit(submission(MAIL, address)).refused

    def test_lists_come_in_and_go_out_as_files(self):
        plain = self.trial.dir / "plain.txt"
        plain.write_text("p1@c.d.test\r\nP2@c.d.test\r\n\r\np1@c.d.test\r\n")
        self.assertIn("read 3, added 2", self.suppression("import", str(plain), "--tenant", "shop", "--reason", "bounce").stdout)
        self.assertFalse(self.goes("p1@c.d.test") or self.goes("p2@c.d.test"))
        exported = self.suppression("export", "--tenant", "shop").stdout
        self.assertIn("p2@c.d.test,shop,bounce,", exported)
        self.suppression("remove", "p1@c.d.test,p2@c.d.test", "--tenant", "shop")
        self.assertTrue(self.goes("p1@c.d.test"))
        again = self.trial.dir / "again.csv"
        again.write_text("\n".join(line for line in exported.splitlines() if line.startswith("address,") or "@c.d.test" in line) + "\n")
        self.assertIn("read 2, added 2", self.suppression("import", str(again)).stdout)
        self.assertFalse(self.goes("p1@c.d.test") or self.goes("p2@c.d.test"))
        bad = self.trial.dir / "bad.csv"
        bad.write_text("address,reason\nq@c.d.test,bounce\nnobody,bounce\n")
        refused = self.trial.local.ctl("suppression", "import", str(bad), check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("add[1].address", refused.stderr)
        self.assertTrue(self.goes("q@c.d.test"), "none of a part with an error")

    def test_one_tenant_or_all(self):
        other = self.trial.client("post")
        self.suppression("add", "mine@e.d.test", "--tenant", "shop")
        self.suppression("add", "all@e.d.test")
        mail = lambda to: submission(MAIL.replace(b"shop.example", b"post.example"), to, return_path="bounce@post.example")
        self.assertFalse(self.goes("mine@e.d.test"))
        self.assertFalse(other.submit(mail("mine@e.d.test")).refused)
        self.assertTrue(other.submit(mail("all@e.d.test")).refused)
        self.assertIn("no tenant", self.trial.local.ctl("suppression", "add", "x@e.d.test", "--tenant", "shoop", check=False).stderr)

    def test_an_end_is_kept_and_seen(self):
        """That what has ended is removed, once a minute, is for the test of the store."""
        self.suppression("add", "soon@f.d.test", "--tenant", "shop", "--expires", "90d", "--detail", "mailbox full")
        self.assertIn("mailbox full", self.suppression("list", "soon@f.d.test").stdout)
        days = self.trial.local.sql("select extract(epoch from expires_at - created_at)::bigint / 86400 from suppression "
                                    "where address = 'soon@f.d.test'")
        self.assertEqual(days, [["90"]])
        self.assertFalse(self.goes("soon@f.d.test"))

    def test_an_erased_address_stays_suppressed_and_is_nowhere_in_the_list(self):
        self.suppression("add", "gone@h.d.test,stays@h.d.test", "--tenant", "shop")
        self.assertIn("erased 1", self.suppression("erase", "Gone@h.d.test").stdout)
        self.assertFalse(self.goes("gone@h.d.test"))
        listed = self.suppression("list").stdout
        self.assertIn("sha256:", listed)
        self.assertNotIn("gone@h.d.test", listed)
        self.assertEqual(self.trial.local.sql("select count(*) from suppression where address = 'gone@h.d.test'"), [["0"]])
        self.assertEqual(self.trial.local.sql("select count(*) from audit_log where request like '%gone@h.d.test%'"), [["0"]],
                         "nor in the record of who did it")
        out = self.suppression("export")
        self.assertIn("stays@h.d.test", out.stdout)
        self.assertIn("erased addresses cannot be exported", out.stderr)


if __name__ == "__main__":
    unittest.main()
