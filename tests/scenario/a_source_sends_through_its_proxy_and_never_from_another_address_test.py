"""Sources whose addresses another host owns: through a SOCKS5 proxy (RFC 1928) or by the PROXY protocol; a proxy that binds something
else is found out before a word is said."""
from scenario import MAIL, POLICY, Scenario, submission, unittest, wait_for
from proxies import Proxy, proxy_v2, socks5


class Proxies(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.socks, cls.v2, cls.wrong = Proxy(socks5, "127.0.0.11"), Proxy(proxy_v2), Proxy(socks5, "127.0.0.99")
        for proxy in (cls.socks, cls.v2, cls.wrong):
            cls.addClassCleanup(proxy.stop)
        policy = POLICY
        for name, kind, proxy in (("11", "socks5", cls.socks), ("13", "proxy-v2", cls.v2), ("12", "socks5", cls.wrong)):
            policy = policy.replace("ehlo: mta%s.shop.example" % name,
                                    "ehlo: mta%s.shop.example, proxy: \"%s://127.0.0.1:%d\"" % (name, kind, proxy.port))
        policy = policy.replace("[{source: ip-11, weight: 2}, {source: ip-12}]", "[{source: ip-11}]").replace(
            "[{source: ip-13}, {source: ip-14}]", "[{source: ip-13}]")
        policy = policy.replace("routes:\n", "  - {name: wrong, members: [{source: ip-12}]}\nroutes:\n"
                                             "  - {match: {campaign: wrong}, pool: wrong}\n")
        cls.options = {"policy": policy}
        super().setUpClass()

    def source_of(self, to):
        def found():
            return next((r["src"].rsplit(":", 1)[0] for r in self.trial.sink.records() if to in r["to"]), None)
        return wait_for(found, "a record of %s" % to, 60, 0.05)

    def test_socks5(self):
        self.client.submit(submission(MAIL, "u@socks.d.test"))
        self.assertEqual(self.source_of("u@socks.d.test"), "127.0.0.11")
        self.assertGreaterEqual(len(self.socks.peers), 1)

    def test_proxy_protocol(self):
        self.client.submit(submission(MAIL, "u@v2.d.test", stream="marketing"))
        self.assertEqual(self.source_of("u@v2.d.test"), "127.0.0.13")
        self.assertEqual(self.v2.peers[0][0], "127.0.0.13")

    def test_a_proxy_that_binds_another_address_carries_no_mail(self):
        self.client.submit(submission(MAIL, "u@wrong.d.test", campaign="wrong"))
        wait_for(lambda: len(self.wrong.peers) >= 2, "two tries", 60, 0.1)
        self.assertEqual([r for r in self.trial.sink.records() if r["src"].startswith("127.0.0.99")], [])
        wait_for(lambda: "the proxy has bound 127.0.0.99 and not source 127.0.0.12" in
                 self.trial.local["egress"].log.read_text() + self.trial.local["scheduler"].log.read_text(),
                 "the fault in the logs", 30, 0.1)


if __name__ == "__main__":
    unittest.main()
