"""SNDS and Postmaster Tools against HTTPS servers that answer as they are documented: both shapes of SNDS, a login page with 200, 404 for no
data, a refresh token that rotates and one that has expired, days without data. What is said acts and is shown; what is not said, or said
badly, changes nothing but freshness, and nobody's secret is seen anywhere."""
import json
import pathlib
import shutil
import tempfile
import urllib.request

from scenario import POLICY, Scenario, Trial, unittest, wait_for
from pki import Authority
from report_server import LOGIN_PAGE, SNDS_HEAD, ReportServer, legacy_row, snds_row, stat, stats

DATA, STATUS = "/links/data.aspx", "/links/ipStatus.aspx"
STATS = "/v2/domains/%s/domainStats:query"
COMPLIANCE = "/v2/domains/%s/complianceStatus"
SECRETS = ["s3cret-link", "refresh-one", "refresh-two", "google-refresh", "google-secret", "access-"]


class Reports(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.scratch = pathlib.Path(tempfile.mkdtemp(prefix="sluice-reports-", dir="/tmp"))
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)
        pki = Authority(cls.scratch)
        cls.server = ReportServer(*pki.issue("reports.test"), {}, {"refresh-one": "refresh-two", "google-refresh": None})
        cls.addClassCleanup(cls.server.stop)
        base = "https://reports.test:%d" % cls.server.port
        cls.credentials = cls.scratch / "snds.json"
        cls.credentials.write_text(json.dumps({"client_id": "us", "refresh_token": "refresh-one"}))
        google = cls.scratch / "google.json"
        google.write_text(json.dumps({"client_id": "us", "client_secret": "google-secret", "refresh_token": "google-refresh"}))
        cls.links = cls.scratch / "links"
        cls.links.write_text("%s%s?key=s3cret-link\n%s%s?key=s3cret-link\n" % (base, DATA, base, STATUS))
        cls.common = {
            "reputation.ca_file": str(pki.ca_file), "reputation.snds.every": "300ms", "reputation.postmaster.every": "300ms",
            "reputation.snds.url": base + "/snds", "reputation.snds.token_url": base + "/token",
            "reputation.postmaster.url": base, "reputation.postmaster.token_url": base + "/token/google",
            "reputation.postmaster.credentials_file": str(google)}
        cls.trial = Trial().__enter__()
        cls.addClassCleanup(cls.finish)
        local = cls.trial.prepare(records=["reports.test. 1 A 127.0.0.1"])
        cls.service = local.scheduler(**cls.common, **{"reputation.snds.links_file": str(cls.links)})
        cls.service.start()
        local.ingest().start()
        local.egress().start()
        cls.trial.apply(POLICY)

    def sql(self, text):
        return self.trial.local.sql(text)

    def signal(self, name, source="", domain=""):
        rows = self.sql("select verdict, word, value, detail, failure, translate(raw, E'\\r\\n', '  ') from reputation_signal "
                        "where name = '%s' and source = '%s' and sender_domain = '%s'" % (name, source, domain))
        return dict(zip(("verdict", "word", "value", "detail", "failure", "raw"), rows[0])) if rows else {}

    def expect(self, name, source="", domain="", **fields):
        """Waits until the signal has all of these, each as a part."""
        def found():
            signal = self.signal(name, source, domain)
            return signal and all(part in signal[field] if part else not signal[field] for field, part in fields.items()) and signal
        try:
            return wait_for(found, "%s %s%s with %r" % (name, source, domain, fields), 30, 0.1)
        except Exception:
            print("it is", self.signal(name, source, domain))
            raise

    def state(self, source):
        rows = self.sql("select state, rule from health_state where source = '%s' and provider = 'ms-consumer'" % source)
        return tuple(rows[0]) if rows else ("healthy", "")

    def test_1_snds_by_links_in_both_shapes(self):
        self.expect("snds", failure="404")
        self.server.answers[DATA] = SNDS_HEAD + snds_row("127.0.0.11", "RED", "0.4%", 3) + snds_row("127.0.0.12")
        self.server.answers[STATUS] = "127.0.0.14,127.0.0.14,Yes,Blocked due to user complaints or other evidence of spamming\n"
        self.expect("snds", failure="", value="2 rows", raw="127.0.0.12,6/1/2026")
        self.expect("snds", "ip-11", verdict="bad", word="snds_red", value="RED", detail="408 messages")
        self.expect("snds complaints", "ip-11", verdict="warning", value="0.40 %")
        self.expect("snds traps", "ip-11", word="snds_traps", value="3")
        self.expect("snds", "ip-12", verdict="good", value="GREEN")
        self.expect("snds status", "ip-14", word="snds_blocked", detail="user complaints")
        self.assertEqual(self.signal("snds", "ip-13"), {}, "no row is no zero")
        wait_for(lambda: self.state("ip-11") == ("throttled", "snds_red"), "ip-11 to be slowed")
        wait_for(lambda: self.state("ip-14") == ("suspended", "snds_blocked"), "ip-14 to rest")
        self.assertEqual(self.state("ip-12"), ("healthy", ""))
        held = json.loads(self.trial.local.ctl("constraints", "--source", "ip-14", "--json").stdout)["constraints"]
        self.assertEqual([(c["cause"], c["scope"]["provider"]) for c in held], [("health", "ms-consumer")])
        shown = self.trial.local.ctl("reputation").stdout
        for text in ("snds_red", "RED", "0.40 %", "junk", "Blocked due to user complaints", "delisting"):
            self.assertIn(text, shown)
        self.server.answers[DATA] = legacy_row("127.0.0.11", "YELLOW") + legacy_row("127.0.0.13", "GREEN", "None", 0)
        self.expect("snds", "ip-11", verdict="warning", value="YELLOW", detail="110 messages")
        self.expect("snds", "ip-13", verdict="good", value="GREEN")
        self.assertEqual(self.signal("snds complaints", "ip-13"), {}, "None is not said")

    def test_2_what_is_no_report_changes_nothing_but_freshness(self):
        before = self.expect("snds", "ip-11", value="YELLOW")
        for bad, told in [((200, "text/html", LOGIN_PAGE), "web page"), ((404, "text/plain", "no data\n"), "expired"),
                          ((302, "text/html", "https://reports.test/login"), "302"), ((400, "text/plain", "bad key\n"), "400"),
                          ("127.0.0.11,half", "columns"), ("\xff\xfe\x00\x01" * 100, "columns"), ("x" * 5_000_000, "longer than")]:
            self.server.answers[DATA] = bad
            self.expect("snds", failure=told)
            self.assertEqual(self.signal("snds", "ip-11"), before)
        self.assertIn("no answer since", self.trial.local.ctl("reputation").stdout)
        self.assertEqual(self.signal("snds status")["failure"], "", "the other report is still answered")
        self.server.answers[DATA] = SNDS_HEAD + snds_row("127.0.0.11", "GREEN")
        self.expect("snds", failure="")
        self.expect("snds", "ip-11", verdict="good")

    def test_3_postmaster_and_days_without_data(self):
        domain = "shop.example"
        self.expect("postmaster", domain=domain, failure="not verified")
        self.server.answers[COMPLIANCE % domain] = json.dumps({"complianceData": {"rowData": [
            {"requirement": "SPF", "status": {"status": "COMPLIANT"}}, {"requirement": "DMARC", "status": {"status": "NEEDS_WORK"}}]}})
        self.server.answers[STATS % domain] = stats(
            stat("spam_rate", 1, 0.002), stat("spam_rate", 2), stat("dmarc", 1, 0.99), stat("spf", 2, 1.0),
            stat("rejected", 1, 0.09), stat("rejected_count", 1, 300), stat("rejected_ip_in_rbls", 1, 0.08), stat("rejected", 2),
            stat("loop_ids", 1, ["spring_shop", "shop"]), stat("loop_ids", 2), stat("loop_0", 1, 0.0139), stat("loop_1", 1, 0.001))
        self.expect("postmaster", domain=domain, failure="", value="3 values, 1 gaps", raw="domainStats")
        self.expect("postmaster spam_rate", domain=domain, verdict="warning", value="0.20 %", detail="of 2026-11-01")
        self.expect("postmaster dmarc", domain=domain, verdict="good", value="99.00 %")
        self.expect("postmaster compliance", domain=domain, verdict="warning", detail="DMARC NEEDS_WORK")
        self.expect("postmaster rejected", domain=domain, verdict="warning", value="9.00 %, 300 messages", detail="ip_in_rbls 8.00 %", raw="rejected")
        self.expect("postmaster loops", domain=domain, verdict="warning", value="spring_shop 1.39 %", detail="then shop 0.10 %")
        self.assertEqual(self.signal("postmaster deferred", domain=domain), {}, "no data is no zero")
        asked = [json.loads(b) for p, b in self.server.asked if p == STATS % domain]
        self.assertEqual({one["aggregationGranularity"] for one in asked}, {"DAILY"})
        self.assertIn('feedback_loop_id = "spring_shop"', [m.get("filter") for one in asked for m in one["metricDefinitions"]])
        query = "select state, rule from health_state where sender_domain = '%s' and provider = 'google'" % domain
        wait_for(lambda: self.sql(query) and self.sql(query)[0][0] == "watch", "the domain to be watched")
        shown = self.trial.local.ctl("reputation").stdout
        for text in ("0.20 %", "ip_in_rbls", "spring_shop 1.39 %"):
            self.assertIn(text, shown)
        self.server.answers[STATS % domain] = "{}"
        self.expect("postmaster", domain=domain, detail="no zero")
        for name, value in (("spam_rate", "0.20 %"), ("rejected", "9.00 %, 300 messages"), ("loops", "spring_shop 1.39 %")):
            self.assertEqual(self.signal("postmaster " + name, domain=domain)["value"], value)
        self.server.answers[STATS % domain] = (200, "text/html", LOGIN_PAGE)
        self.expect("postmaster", domain=domain, failure="no JSON")
        self.server.tokens.pop("google-refresh")
        self.server.given.clear()
        self.expect("postmaster", failure="invalid_grant; sign in again")
        self.assertEqual(self.signal("postmaster spam_rate", domain=domain)["value"], "0.20 %")

    def test_4_snds_by_tokens_that_rotate_and_expire(self):
        self.service.stop()
        del self.service.config["reputation.snds.links_file"]
        self.service.config["reputation.snds.credentials_file"] = str(self.credentials)
        self.server.answers["/snds/api/report/data"] = SNDS_HEAD + snds_row("127.0.0.12", "YELLOW")
        self.server.answers["/snds/api/report/status/ip"] = ""
        self.service.start()
        self.expect("snds", "ip-12", verdict="warning", value="YELLOW")
        self.assertEqual(self.sql("select name, refresh_token like '%refresh-%' from oauth_token"), [["snds", "f"]])
        self.service.stop()
        self.service.start()
        self.server.answers["/snds/api/report/data"] = SNDS_HEAD + snds_row("127.0.0.12", "YELLOW", traps=5)
        self.expect("snds traps", "ip-12", value="5")
        self.server.tokens.clear()
        self.server.given.clear()
        self.expect("snds", failure="invalid_grant")
        self.assertEqual(self.signal("snds", "ip-12")["value"], "YELLOW")
        self.assertIn("invalid_grant", self.trial.local.ctl("reputation").stdout)

    def test_5_metrics_tell_freshness_and_no_secret_is_seen(self):
        with urllib.request.urlopen("http://%s/metrics" % self.service.config["metrics.listen"], timeout=10) as answer:
            text = answer.read().decode()
        self.assertIn('sluice_reputation_report_age_seconds{provider="ms-consumer"}', text)
        failing = next(line for line in text.splitlines() if line.startswith("sluice_reputation_failing_signals_count"))
        self.assertGreater(int(failing.split()[1]), 0)
        seen = "".join(path.read_text(errors="replace") for path in (self.trial.dir / "log").glob("*.log"))
        seen += json.dumps([self.sql("select * from " + table) for table in ("reputation_signal", "event_inbox", "oauth_token")])
        self.assertIn("reputation_poll_failed", seen)
        for secret in SECRETS:
            self.assertNotIn(secret, seen)


if __name__ == "__main__":
    unittest.main()
