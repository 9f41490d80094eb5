"""Scenario 56: the primary PostgreSQL dies under load, its synchronous standby takes over, the services find it by themselves
(several hosts in postgres.url), and every accepted message arrives once."""
import subprocess
import unittest

from scenario import AT_FULL_SPEED, Trial, wait_for
from load import Load
from trial import ROOT

MESSAGES = 3000
RATE = 400


class Failover(unittest.TestCase):
    def postgres(self, command, *more):
        directory = self.trial.dir / "standby"
        result = subprocess.run([str(ROOT / "tests/rig/postgres.py"), command, "--dir", str(directory), *map(str, more)],
                                text=True, capture_output=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)

    def setUp(self):
        self.trial = Trial().__enter__()
        self.addCleanup(self.trial.__exit__, None, None, None)
        local = self.trial.prepare(sink={"recording": "none", "tokens": 4 * MESSAGES})
        self.postgres("standby", "--of", self.trial.dir / "postgres")
        self.addCleanup(self.postgres, "down", "--mode", "immediate")
        local.postgres_url = ("host=%s/postgres/socket,%s/standby/socket port=5432,5432 user=postgres dbname=sluice "
                              "target_session_attrs=read-write connect_timeout=2" % (self.trial.dir, self.trial.dir))
        local.scheduler().start()
        local.ingest().start()
        local.egress().start()
        self.trial.apply(AT_FULL_SPEED)
        self.trial.key = local.key("shop")

    def test_a_failover_under_load_loses_and_doubles_nothing(self):
        load = Load(self.trial, MESSAGES, RATE)
        tokens = lambda: self.trial.sink.stats()["tokens"]
        wait_for(lambda: tokens()["distinct_accepted"] > MESSAGES // 4, "a quarter to be delivered", 120, 0.02)
        self.assertTrue(load.running(), "the fail-over comes under load")
        self.trial.local.postgres("kill")
        self.postgres("promote")
        summary = load.finish()
        self.assertEqual(summary["accepted"], MESSAGES)
        wait_for(lambda: tokens()["distinct_accepted"] >= MESSAGES,
                 lambda: "all %d promised messages (%s)" % (MESSAGES, tokens()), 240, 0.2)
        self.trial.wait_empty(120)
        self.assertEqual((tokens()["distinct_accepted"], tokens()["extra"]), (len(load.promised()), 0))
        self.assertEqual(self.trial.local.sql("select pg_is_in_recovery(), count(*) from event where kind = 'delivered'"),
                         [["f", str(MESSAGES)]])


if __name__ == "__main__":
    unittest.main()
