#!/usr/bin/python3
"""A real Prometheus scrapes all three services; what it stores is what they count."""
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
from trial import Trial, free_ports, wait_for  # noqa: E402

MAIL = b"From: a@shop.example\r\nSubject: x\r\n\r\nhi\r\n"


class PrometheusTest(unittest.TestCase):
    def test_every_service_is_scraped(self):
        if not pathlib.Path("/usr/bin/prometheus").exists():
            if os.environ.get("SLUICE_REQUIRE_ALL"):
                self.fail("Prometheus is needed")
            self.skipTest("needs Prometheus")
        with Trial() as trial:
            trial.start()
            services = trial.local.services
            targets = [s.config["metrics.listen"] for s in services.values()]
            config = {"global": {"scrape_interval": "1s"},
                      "scrape_configs": [{"job_name": "sluice", "static_configs": [{"targets": targets}]}]}
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
        trial.wait_empty()
        wait_for(lambda: len(query("up == 1")) == len(targets), "Prometheus to scrape %s" % targets, 60, 0.2)
        wait_for(lambda: [r["value"][1] for r in query("sluice_scheduler_delivered_entries_total")] == ["20"],
                 lambda: "20 deliveries in %s" % query("sluice_scheduler_delivered_entries_total"), 30, 0.2)
        for service in ("ingest", "scheduler", "egress"):
            names = {r["metric"]["__name__"] for r in query('{__name__=~"sluice_%s_.*"}' % service)}
            self.assertGreater(len(names), 5, service)


if __name__ == "__main__":
    unittest.main()
