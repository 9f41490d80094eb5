#!/usr/bin/env python3
"""The lints themselves: each finds what it is for in a small tree made to break its rule, and nothing in a sound one."""
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import coroutines  # noqa: E402
import layers  # noqa: E402
import metrics  # noqa: E402
import peer_tables  # noqa: E402
import policy_docs  # noqa: E402
import rfc_table  # noqa: E402
import size  # noqa: E402
import sleeping  # noqa: E402


class LintTest(unittest.TestCase):
    def tree(self, files):
        root = tempfile.TemporaryDirectory()
        self.addCleanup(root.cleanup)
        for path, text in files.items():
            full = os.path.join(root.name, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
        return root.name

    def finds(self, lint, path, text, what):
        found = lint.check(self.tree({path: text}))
        self.assertTrue(any(what in line and line.startswith(path) for line in found), (text, found))

    def passes(self, lint, path, text):
        self.assertEqual(lint.check(self.tree({path: text})), [])


class RfcTable(LintTest):
    def table(self, shown_by):
        return self.tree({"tests/README.md": "# Tests\n\n## What the RFCs ask\n\n| RFC, section | asks | shown by |\n| --- | --- | --- |\n"
                                             "| 1 | x | %s |\n" % shown_by,
                          "tests/dialogs/cases/says-it.dialog": "", "tests/scenario/it_is_so_test.py": "", "tests/fuzz/it_fuzz.cc": "",
                          "tests/unit/a/it_test.cc": "TEST(ItTest, DoesThis) {}\n"})

    def test_what_is_named_exists(self):
        for good in ("D `says-it`; S `it_is…`; F `it`", "U `it_test` DoesThis, `it_test` DoesTh…", "not ours: nothing is relayed"):
            self.assertEqual(list(rfc_table.check(self.table(good))), [], good)
        for bad in ("D `says-that`", "S `it_was…`", "U `that_test`", "U `it_test` DoesThat", "F `that`", "fuzz `that`", ""):
            self.assertEqual(len(list(rfc_table.check(self.table(bad)))), 1, bad)


class Layers(LintTest):
    def test_arrows_go_one_way(self):
        for path, include in (("common/mail/a.h", "policy/check.h"), ("common/policy/a.cc", "wire/status.h"),
                              ("common/wire/a.cc", "storage/x.h"), ("common/storage/a.cc", "telemetry/metrics.h"),
                              ("common/base/a.h", "mail/ids.h"), ("common/smtp/a.h", "policy/rate.h"),
                              ("services/egress/a.cc", "storage/queue_store.h"), ("services/ingest/a.cc", "scheduler/core.h")):
            self.finds(layers, path, f'#include "{include}"\n', "may not include")
        for path, include in (("common/mail/a.h", "base/text.h"), ("common/net/a.cc", "smtp/x.h"),
                              ("services/ingest/a.cc", "storage/queue_store.h"), ("services/egress/a.h", "egress/b.h")):
            self.passes(layers, path, f'#include "{include}"\n')

    def test_foreign_libraries_stay_in_their_rooms(self):
        for path, include in (("services/ingest/a.cc", "<pqxx/pqxx>"), ("common/wire/a.cc", "<asio/ip/tcp.hpp>"),
                              ("common/storage/a.h", '"sluice/v1/types.pb.h"'), ("common/policy/a.cc", "<grpcpp/grpcpp.h>"),
                              ("services/ctl/send.cc", "<CLI/CLI.hpp>"), ("services/egress/a.cc", "<prometheus/counter.h>")):
            self.finds(layers, path, f"#include {include}\n", "belongs to")
        self.passes(layers, "common/storage/a.cc", "#include <pqxx/pqxx>\n")

    def test_links_follow_the_arrows_too(self):
        self.finds(layers, "services/egress/CMakeLists.txt", "sluice_library(egress DEPS sluice::storage)", "may not link")
        self.finds(layers, "common/policy/CMakeLists.txt", "sluice_library(policy DEPS sluice::asio)", "may not link")
        self.passes(layers, "services/scheduler/CMakeLists.txt", "DEPS sluice::storage sluice::scheduler_admin\n")


class Coroutines(LintTest):
    def test_flags_the_shapes_that_break(self):
        for shape in ("co_await f([p] {});", "co_await f(std::function<void()>([p] {}));", "co_await f(1, [&] { return p; });",
                      "co_await co_spawn(ex, [p]() -> T { co_return; }, use_awaitable);", "auto x = co_await f(\n    [p] {});",
                      "co_await f(Agg{p, \"x\"});", "co_await f(Agg{.a = p, .b = 1});", "co_await f(1, ns::Agg{p});",
                      "co_await f({p, \"x\"});"):
            self.finds(coroutines, "common/net/a.cc", f"T g() {{ {shape} }}\n", "name it first")

    def test_passes_the_shapes_that_work(self):
        for shape in ("auto l = [p] {}; co_await f(l);", "auto a = f([p] {}); co_await std::move(a);", "co_await f(Cls(p));",
                      "Agg a{p}; co_await f(std::move(a));", "co_await f([] { return 1; });", "co_await f(a[i](2));",
                      "if (co_await f(x)) { y = Agg{1}; }", "co_await f(x, {});", "co_await f(); g([p] {});",
                      "// co_await f([p] {});\nco_await f(1);"):
            self.passes(coroutines, "common/net/a.cc", f"T g() {{ {shape} }}\n")


class Sleeping(LintTest):
    def test_cpp_tests_never_sleep(self):
        self.finds(sleeping, "tests/unit/a_test.cc", "std::this_thread::sleep_for(x);", "sleep_for")
        self.finds(sleeping, "tests/unit/a_test.cc", "::usleep(1);", "usleep")
        self.passes(sleeping, "tests/unit/a_test.cc", "// sleep_for(x)\nStayAwake(1);")

    def test_scripts_sleep_between_two_looks_only(self):
        self.finds(sleeping, "tests/a.py", "import time\ntime.sleep(1)\n", "sleep outside a loop")
        self.passes(sleeping, "tests/a.py", "import time\nwhile not done():\n    time.sleep(0.1)\n")
        self.finds(sleeping, "tests/a.sh", "sleep 1\n", "sleep outside a loop")
        self.passes(sleeping, "tests/a.sh", "until done_yet; do\n  sleep 0.1\ndone\n")


class Metrics(LintTest):
    CODE = {"services/ingest/a.cc": 'metrics.AddCounter("sluice_a_total", "A.");'}

    def test_code_and_document_name_the_same(self):
        self.assertIn("is missing", metrics.check(self.tree(self.CODE))[0])
        self.assertIn("sluice_a_total is not described",
                      metrics.check(self.tree({**self.CODE, metrics.DOC: "# Metrics\n"}))[0])
        both = {**self.CODE, metrics.DOC: "| `sluice_a_total` | |\n"}
        self.assertEqual(metrics.check(self.tree(both)), [])
        gone = {metrics.DOC: "| `sluice_b_total` | |\n"}
        self.assertIn("there is no metric sluice_b_total", metrics.check(self.tree(gone))[0])

    def test_alerts_ask_for_what_exists(self):
        both = {**self.CODE, metrics.DOC: "| `sluice_a_total` | |\n"}
        self.assertEqual(metrics.check(self.tree({**both, "deploy/prometheus/a.yaml": "rate(sluice_a_total[5m])"})), [])
        self.assertIn("there is no metric sluice_c_seconds",
                      metrics.check(self.tree({**both, "deploy/prometheus/a.yaml": "sluice_c_seconds_bucket"}))[0])

    def test_each_alert_leads_to_the_runbook(self):
        alert = '- alert: Bad\n  annotations:\n    runbook: "deploy/docs/runbook.md#bad"\n'
        files = {**self.CODE, metrics.DOC: "| `sluice_a_total` | |\n", "deploy/a.yml": alert}
        self.assertEqual(metrics.check(self.tree({**files, "deploy/docs/runbook.md": "### Bad\n"})), [])
        self.assertIn("no heading 'bad'", metrics.check(self.tree({**files, "deploy/docs/runbook.md": "### Good\n"}))[0])
        self.assertIn("no link", metrics.check(self.tree({**files, "deploy/a.yml": "- alert: Bad\n  expr: 1\n"}))[0])


class PolicyDocs(LintTest):
    PROTO = {policy_docs.PROTO: "message Pool {\n  // Its name.\n  string name = 1;\n  map<string, int64> caps = 2;\n}\n"}

    def test_every_field_is_in_the_section_of_its_message(self):
        whole = "### Pools (Pool)\n`name` `caps`\n"
        self.assertEqual(policy_docs.check(self.tree({**self.PROTO, policy_docs.DOC: whole})), [])
        self.assertIn("`caps` of Pool", policy_docs.check(self.tree({**self.PROTO, policy_docs.DOC: "### Pools (Pool)\n`name`\n"}))[0])
        self.assertIn("no section", policy_docs.check(self.tree({**self.PROTO, policy_docs.DOC: "`name` `caps`\n"}))[0])


class PeerTables(LintTest):
    def table(self, left_out=()):
        text = ""
        for peer, names in peer_tables.DIRECTIVES.items():
            rows = ["| `%s` | the same |" % name for name in names.split() if name not in left_out]
            text += "## Coming from %s\n| %s | Sluice |\n| --- | --- |\n%s\n" % (peer, peer, "\n".join(rows))
        return self.tree({peer_tables.DOC: text})

    def test_every_directive_has_a_row(self):
        self.assertEqual(peer_tables.check(self.table()), [])
        found = peer_tables.check(self.table({"retry-after", "weight"}))
        self.assertEqual(len(found), 3)
        self.assertIn("`retry-after` of PowerMTA", found[1] + found[0])
        self.assertTrue(peer_tables.check(self.tree({peer_tables.DOC: "nothing"})))


class Size(LintTest):
    def test_long_files_are_found(self):
        self.finds(size, "common/base/a.cc", "\n" * 501, "split it")
        self.passes(size, "common/base/a.cc", "\n" * 500)


if __name__ == "__main__":
    unittest.main()
