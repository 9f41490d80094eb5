"""After a restore from a backup schedulers start held: mail that was sent after the backup was made stands in its queue again. Nothing
leaves until an operator says so; then each message that is still wanted leaves once. From a dump this is known by itself, of a base
backup the runbook has it said."""
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

from scenario import MAIL, AT_FULL_SPEED, Trial, submission, wait_for
from trial import ROOT

sys.path.insert(0, str(ROOT / "tests/rig"))
import postgres  # noqa: E402

BEFORE, BETWEEN = 6, 4


class Restore(unittest.TestCase):
    def setUp(self):
        self.trial = Trial().__enter__()
        self.addCleanup(self.trial.__exit__, None, None, None)
        self.trial.start(AT_FULL_SPEED)
        self.local = self.trial.local
        self.backup = self.trial.dir / "backup"

    def run_pg(self, program, *arguments):
        result = postgres.as_owner([str(postgres.find_bin() / program), *map(str, arguments)])
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def owner_directory(self, path):
        path.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(path, "postgres", "postgres")

    def waiting_mail(self):
        """Mail that waits at the time of the backup: egress is down."""
        self.local["egress"].stop()
        client = self.trial.client("shop")
        self.ids = [client.submit(submission(MAIL, "u%d@restore.d.test" % n)).message_id for n in range(BEFORE)]
        wait_for(lambda: self.local.sql("select count(*) from queue_entry") == [[str(BEFORE)]], "the mail to wait", 30)

    def sent_after_the_backup(self):
        """Part of it leaves before the disaster; its id and how many records the sink has."""
        self.local.ctl("suspend", "--domain", "restore.d.test", "--reason", "so that one goes alone")
        self.local["egress"].start()
        gone = self.trial.client("shop").submit(submission(MAIL, "after@restored.d.test")).message_id
        self.trial.wait_records(1)
        self.local.ctl("resume", "--domain", "restore.d.test")
        self.trial.wait_records(1 + BEFORE)
        self.trial.wait_empty()
        return gone

    def stop_all(self):
        for name in ("ingest", "egress", "scheduler"):
            self.local[name].stop()

    def start_all(self):
        for name in ("scheduler", "ingest", "egress"):
            self.local[name].start()
        self.local.wait_bound(4)

    def held_id(self):
        rows = self.local.sql("select id from sending_constraint where cause = 'operator' and rule = 'restored'")
        return rows[0][0] if rows else None

    def check_held_then_released(self):
        sent = len(self.trial.sink.records())
        self.assertIn("event=held_after_restore", self.local["scheduler"].log.read_text())
        listed = self.local.ctl("constraints").stdout
        self.assertIn("everything", listed)
        self.assertIn("restored from a backup", listed)
        # New mail is accepted, and held as well; the scheduler has loaded all and has a source that could send.
        fresh = self.trial.client("shop").submit(submission(MAIL, "fresh@restored.d.test"))
        metrics = lambda: self.scrape("sluice_scheduler_entries_count")
        wait_for(lambda: metrics() == BEFORE + 1, lambda: "all entries in the index (%s)" % metrics(), 30, 0.1)
        # A restart lifts nothing.
        self.local["scheduler"].stop()
        self.local["scheduler"].start()
        self.local.wait_bound(4)
        wait_for(lambda: metrics() == BEFORE + 1, lambda: "all entries in the index (%s)" % metrics(), 30, 0.1)
        wait_for(lambda: self.scrape("sluice_egress_leases_count", "egress") == 1, "a lease at egress", 30, 0.1)
        wait_for(lambda: self.scrape("sluice_scheduler_flows_count") >= 1, "mail that is ready", 30, 0.1)
        self.assertEqual(self.scrape("sluice_scheduler_in_flight_entries_count"), 0)
        self.assertEqual(len(self.trial.sink.records()), sent)
        # The operator cancels what has gone out already but for one, for the test's sake, and releases.
        for message in self.ids[1:]:
            self.local.ctl("cancel", "--message", message, "--wait")
        self.assertEqual(len(self.trial.sink.records()), sent)
        self.local.ctl("resume", self.held_id())
        records = self.trial.wait_records(sent + 2)[sent:]
        self.trial.wait_empty()
        self.assertEqual(sorted(to for record in records for to in record["to"]), ["fresh@restored.d.test", "u0@restore.d.test"])
        self.assertEqual(len(self.trial.sink.records()), sent + 2)
        self.assertTrue(fresh.message_id)
        self.assertIn(["Resume"], self.local.sql("select method from audit_log order by id desc limit 1"))

    def scrape(self, name, service="scheduler"):
        import urllib.request
        with urllib.request.urlopen("http://%s/metrics" % self.local[service].config["metrics.listen"], timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name + " "):
                    return int(float(line.split()[1]))
        return None

    def test_a_dump_that_is_restored_is_known_by_itself(self):
        self.waiting_mail()
        self.owner_directory(self.backup)
        self.run_pg("pg_dump", "-Fc", "-f", self.backup / "dump", "-d", self.local.postgres_url)
        self.sent_after_the_backup()
        self.stop_all()
        server = self.local.postgres_url.replace("dbname=sluice", "dbname=postgres")
        self.run_pg("psql", "-Xq", "-d", server, "-c", "drop database sluice", "-c", "create database sluice")
        self.run_pg("pg_restore", "-d", self.local.postgres_url, self.backup / "dump")
        self.start_all()
        self.check_held_then_released()

    def test_a_base_backup_is_held_when_it_is_said(self):
        self.waiting_mail()
        self.owner_directory(self.backup)
        self.run_pg("pg_basebackup", "-d", self.local.postgres_url, "-D", self.backup / "data", "-X", "stream", "--checkpoint=fast")
        self.sent_after_the_backup()
        self.stop_all()
        self.local.postgres("down")
        data = pathlib.Path(self.trial.dir) / "postgres/data"
        shutil.rmtree(data)
        shutil.move(str(self.backup / "data"), str(data))
        self.local.postgres("start")
        self.local.sql("update database_identity set identity = ''")
        self.start_all()
        self.check_held_then_released()

    def test_a_restart_or_an_upgrade_holds_nothing(self):
        self.local["scheduler"].stop()
        self.local["scheduler"].start()
        self.trial.client("shop").submit(submission(MAIL, "plain@restored.d.test"))
        self.trial.wait_records(1)
        self.assertIsNone(self.held_id())


if __name__ == "__main__":
    unittest.main()
