"""An egress that is cut off from the scheduler for 15 s begins nothing after 5 s; its mail is given out again after 10 s, to
another egress; when the cable is back nothing is lost, and what was sent twice was past its dot and not reported."""
import sys
import time

from scenario import AT_FULL_SPEED, MAIL, Trial, submission, unittest, wait_for

from cut import Cut

CUT_SECONDS = 15


class CutOff(unittest.TestCase):
    def test_mail_of_a_cut_off_egress_leaves_by_another(self):
        with Trial() as trial:
            local = trial.prepare(sink={"recording": "envelope"})
            local.scheduler().start()
            local.ingest().start()
            cut = Cut(local["scheduler"].config["dispatch.listen"])
            try:
                local.egress("egress", schedulers=[cut.address], bind_addresses=["127.0.0.11", "127.0.0.12"]).start()
                local.egress("egress-2", bind_addresses=["127.0.0.13", "127.0.0.14"]).start()
                # One pool over both hosts.
                policy = AT_FULL_SPEED.replace("{source: ip-12}]}", "{source: ip-12}, {source: ip-13}, {source: ip-14}]}")
                trial.apply(policy)
                self.run_cut(trial, cut)
            finally:
                cut.stop()

    def run_cut(self, trial, cut):
        client = trial.client("shop")
        sent = 0

        def send(count):
            nonlocal sent
            outcomes = client.submit_many(submission(MAIL, "u%d@d%d.d.test" % (sent + i, i % 10)) for i in range(count))
            self.assertFalse([o.error.message for o in outcomes if o.HasField("error")])
            sent += count

        send(200)
        trial.wait_accepted(200)
        cut.cut()
        began = time.time()
        while time.time() < began + CUT_SECONDS:
            send(20)
        cut.mend()
        trial.wait_empty(60)
        records = trial.wait_records(sent)
        by_recipient = {}
        for record in records:
            by_recipient.setdefault(record["to"][0], []).append(record)
        self.assertEqual(len(by_recipient), sent, "everything arrived")
        cut_off = {"127.0.0.11", "127.0.0.12"}
        # The sink's clock is ours. A transaction that began in time may still end a little later.
        late = [r for r in records if r["src"].rsplit(":", 1)[0] in cut_off and began + 6.5 < r["t"] < began + CUT_SECONDS]
        self.assertEqual(late, [])
        twice = [rs for rs in by_recipient.values() if len(rs) > 1]
        for records_of_one in twice:
            first = min(records_of_one, key=lambda r: r["t"])
            self.assertIn(first["src"].rsplit(":", 1)[0], cut_off, "only what was past its dot and not reported")
            self.assertLess(first["t"], began + 6.5)
        print("sent %d, %d twice (past the dot, report cut off)" % (sent, len(twice)), file=sys.stderr)


if __name__ == "__main__":
    unittest.main()
