#!/usr/bin/python3
"""A real Prometheus scrapes all three services; what it stores is what they count, the shipped rules load, and no query of the
shipped dashboard comes back empty under load."""
import json
import os
import pathlib
import subprocess
import sys
import unittest
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/rig"))
from client import submission  # noqa: E402
from trial import POLICY, Trial, free_ports, wait_for  # noqa: E402

SCRIPT = """
rules:
  - {match: {local: gone}, rcpt: "550 5.1.1 no such user"}
  - {match: {local: later}, rcpt: "450 4.2.0 later"}
"""
MAIL = b"From: a@shop.example\r\nSubject: x\r\n\r\nhi\r\n"
WITH_A_WARMING_SOURCE = POLICY.replace("ehlo: mta14.shop.example}", "ehlo: mta14.shop.example, warmup: {plan: default}}")


class PrometheusTest(unittest.TestCase):
    def test_every_service_is_scraped(self):
        if not pathlib.Path("/usr/bin/prometheus").exists():
            if os.environ.get("SLUICE_REQUIRE_ALL"):
                self.fail("Prometheus is needed")
            self.skipTest("needs Prometheus")
        with Trial() as trial:
            script = trial.dir / "script.yaml"
            script.write_text(SCRIPT)
            trial.start(WITH_A_WARMING_SOURCE, sink={"script": script})
            services = trial.local.services
            targets = {"sluice-" + name: s.config["metrics.listen"] for name, s in services.items()}
            config = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                      "rule_files": [str(ROOT / "deploy/prometheus" / name) for name in ("recording.yml", "alerts.yml")],
                      "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [target]}]}
                                         for job, target in targets.items()]}
            (trial.dir / "prometheus.yml").write_text(json.dumps(config))
            (port,) = free_ports(1)
            with open(trial.dir / "prometheus.log", "wb") as log:
                process = subprocess.Popen(
                    ["/usr/bin/prometheus", "--config.file", str(trial.dir / "prometheus.yml"), "--storage.tsdb.path",
                     str(trial.dir / "tsdb"), "--web.listen-address", "127.0.0.1:%d" % port], stdout=log, stderr=log)
            try:
                self.look(trial, port, targets)
            finally:
                process.terminate()
                process.wait(30)

    def look(self, trial, port, targets):
        def query(expression):
            url = "http://127.0.0.1:%d/api/v1/query?%s" % (port, urllib.parse.urlencode({"query": expression}))
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    return json.loads(answer.read())["data"]["result"]
            except OSError:
                return []

        client = trial.client("shop")
        for number in range(20):
            client.submit(submission(MAIL, "u%d@a.d.test" % number))
        trial.wait_accepted(20)
        wait_for(lambda: len(query("up == 1")) == len(targets), "Prometheus to scrape %s" % targets, 60, 0.2)
        wait_for(lambda: [r["value"][1] for r in query("sluice_scheduler_delivered_entries_total")] == ["20"],
                 lambda: "20 deliveries in %s" % query("sluice_scheduler_delivered_entries_total"), 30, 0.2)
        for service in ("ingest", "scheduler", "egress"):
            names = {r["metric"]["__name__"] for r in query('{__name__=~"sluice_%s_.*"}' % service)}
            self.assertGreater(len(names), 5, service)
        self.look_at_dashboard(trial, client, query)

    def look_at_dashboard(self, trial, client, query):
        dashboard = json.loads((ROOT / "deploy/grafana/sluice.json").read_text())
        expressions = [target["expr"].replace("$__rate_interval", "20s")
                       for panel in dashboard["panels"] for target in panel.get("targets", ())]
        self.assertGreater(len(expressions), 40)
        empty = set(expressions)

        def all_answer():
            # Some of everything, all the while: delivered, refused for good, refused for now.
            for mailbox in ("ok", "gone", "later"):
                client.submit(submission(MAIL, mailbox + "@a.d.test"))
            empty.difference_update([e for e in list(empty) if query(e)])
            return not empty
        wait_for(all_answer, lambda: "answers to %s" % sorted(empty), 60, 0.5)
        # The bounds of deploy/docs/metrics.md; tests/unit/scheduler/series_test.cc holds them at size.
        for service, most in (("ingest", 250), ("scheduler", 6500), ("egress", 1300)):
            count = int(query('count({job="sluice-%s"})' % service)[0]["value"][1])
            self.assertLess(count, most, service)
        self.assertEqual([], [a["metric"]["alertname"] for a in query('ALERTS{alertstate="firing"}')])


if __name__ == "__main__":
    unittest.main()
