"""Domains with the MX shapes of the real world: provider, site and the pool that the provider routes choose are right for each,
and the mail goes to a host of its own domain."""
from scenario import MAIL, Scenario, submission, unittest, wait_for

POLICY = """
tenants:
  - {name: shop, streams: [transactional], sender_domains: [shop.example]}
streams:
  - {name: transactional}
sources:
  - {name: ip-11, address: 127.0.0.11, ehlo: mta11.shop.example}
  - {name: ip-12, address: 127.0.0.12, ehlo: mta12.shop.example}
  - {name: ip-13, address: 127.0.0.13, ehlo: mta13.shop.example}
  - {name: ip-14, address: 127.0.0.14, ehlo: mta14.shop.example}
pools:
  - {name: google, members: [{source: ip-11}]}
  - {name: microsoft, members: [{source: ip-12}]}
  - {name: filters, members: [{source: ip-13}]}
  - {name: rest, members: [{source: ip-14}]}
providers:
  - {mx_suffix: .partner.test, provider: partner}
routes:
  - {match: {provider: google}, pool: google}
  - {match: {provider: m365}, pool: microsoft}
  - {match: {provider: ms-consumer}, pool: microsoft}
  - {match: {provider: mimecast}, pool: filters}
  - {match: {provider: proofpoint}, pool: filters}
  - {match: {provider: barracuda}, pool: filters}
  - {match: {provider: symantec}, pool: filters}
  - {match: {provider: cisco-ces}, pool: filters}
  - {match: {provider: sophos}, pool: filters}
  - {match: {provider: partner}, pool: filters}
  - {match: {}, pool: rest}
"""

WORKSPACE = "1 aspmx.l.google.com, 5 alt1.aspmx.l.google.com, 5 alt2.aspmx.l.google.com, 10 alt3.aspmx.l.google.com"
SET = None  # The site is the MX set as it stands here.

# Recipient domain, its MX records (none: only an address), provider, pool, site.
DOMAINS = [
    ("gmail.test", "5 gmail-smtp-in.l.google.com, 10 alt1.gmail-smtp-in.l.google.com", "google", "google", SET),
    ("workspace.test", WORKSPACE, "google", "google", SET),
    ("workspace-new.test", "1 smtp.google.com", "google", "google", SET),
    ("workspace-old.test", "10 aspmx.l.google.com, 20 aspmx2.googlemail.com, 30 aspmx3.googlemail.com", "google", "google", SET),
    ("workspace-mixed.test", "10 aspmx2.googlemail.com, 10 aspmx.l.google.com", "google", "google",
     "aspmx.l.google.com|aspmx2.googlemail.com"),
    ("workspace-loud.test", "1 ASPMX.L.GOOGLE.COM, 5 ALT1.ASPMX.L.GOOGLE.COM", "google", "google",
     "aspmx.l.google.com|alt1.aspmx.l.google.com"),
    ("workspace-verified.test", "1 aspmx.l.google.com, 15 abcdef.mx-verification.google.com", "google", "google", SET),
    ("goog.test", "1 a.smtp.goog", "google", "google", SET),
    ("hotmail.test", "2 hotmail-com.olc.protection.outlook.com", "ms-consumer", "microsoft", SET),
    ("live-old.test", "5 mx1.hotmail.com, 5 mx2.hotmail.com", "ms-consumer", "microsoft", SET),
    ("contoso.test", "0 contoso-test.mail.protection.outlook.com", "m365", "microsoft", SET),
    ("contoso-dane.test", "0 contoso-dane.a-v1.mx.microsoft", "m365", "microsoft", SET),
    ("contoso-eo.test", "10 contoso.mail.eo.outlook.com", "m365", "microsoft", SET),
    ("contoso-check.test", "0 contoso-check.mail.protection.outlook.com, 32767 ms12345.msv1.invalid", "m365", "microsoft", SET),
    ("yahoo.test", "1 mta5.am0.yahoodns.net, 1 mta6.am0.yahoodns.net, 1 mta7.am0.yahoodns.net", "yahoo", "rest", SET),
    ("aol.test", "10 mx-aol.mail.gm0.yahoodns.net", "yahoo", "rest", SET),
    ("aol-old.test", "15 mailin-01.mx.aol.com, 15 mailin-02.mx.aol.com", "yahoo", "rest", SET),
    ("yahoo-jp.test", "10 mx1.mail.yahoo.co.jp, 10 mx2.mail.yahoo.co.jp", "yahoo-jp", "rest", SET),
    ("icloud.test", "10 mx01.mail.icloud.com, 10 mx02.mail.icloud.com", "apple", "rest", SET),
    ("comcast.test", "5 mx1.comcast.net, 5 mx2.comcast.net", "comcast", "rest", SET),
    ("mimecast-eu.test", "10 eu-smtp-inbound-1.mimecast.com, 10 eu-smtp-inbound-2.mimecast.com", "mimecast", "filters", SET),
    ("mimecast-za.test", "10 za-smtp-inbound-1.mimecast.co.za", "mimecast", "filters", SET),
    ("mimecast-before-m365.test", "10 us-smtp-inbound-1.mimecast.com, 50 mbm.mail.protection.outlook.com", "mimecast", "filters", SET),
    ("proofpoint.test", "10 mxa-00123.gslb.pphosted.com, 10 mxb-00123.gslb.pphosted.com", "proofpoint", "filters", SET),
    ("proofpoint-ess.test", "10 mx1-us1.ppe-hosted.com, 10 mx2-us1.ppe-hosted.com", "proofpoint", "filters", SET),
    ("barracuda.test", "10 d123.ess.barracudanetworks.com, 20 d123b.ess.barracudanetworks.com", "barracuda", "filters", SET),
    ("symantec.test", "10 cluster5.eu.messagelabs.com, 20 cluster5a.eu.messagelabs.com", "symantec", "filters", SET),
    ("ironport.test", "10 mx1.hc1234-5.iphmx.com, 10 mx2.hc1234-5.iphmx.com", "cisco-ces", "filters", SET),
    ("sophos.test", "10 mx-01-eu-west-1.prod.hydra.sophos.com", "sophos", "filters", SET),
    ("gmx.test", "10 mx00.gmx.net, 10 mx01.gmx.net", "united-internet", "rest", SET),
    ("webde.test", "100 mx-ha02.web.de, 100 mx-ha03.web.de", "united-internet", "rest", SET),
    ("ionos.test", "10 mx00.ionos.de, 10 mx01.ionos.de", "ionos", "rest", SET),
    ("t-online.test", "10 mx00.t-online.de, 10 mx01.t-online.de", "t-online", "rest", SET),
    ("orange.test", "10 smtp-in.orange.fr", "orange", "rest", SET),
    ("qq.test", "10 mxbiz1.qq.com, 20 mxbiz2.qq.com", "tencent", "rest", SET),
    ("netease.test", "10 163mx01.mxmail.netease.com, 50 163mx00.mxmail.netease.com", "netease", "rest", SET),
    ("yandex.test", "10 mx.yandex.net", "yandex", "rest", SET),
    ("ses.test", "10 inbound-smtp.eu-west-1.amazonaws.com", "ses-inbound", "rest", SET),
    ("rackspace.test", "10 mx1.emailsrvr.com, 20 mx2.emailsrvr.com", "rackspace", "rest", SET),
    ("zoho.test", "10 mx.zoho.eu, 20 mx2.zoho.eu", "zoho", "rest", SET),
    ("partner.test", "10 in1.mx.partner.test", "partner", "filters", SET),
    # Backup elsewhere: where the mail goes decides; a decoy in front does not.
    ("backup-elsewhere.test", "10 backup.mail.protection.outlook.com, 90 mx.backup.hoster.test", "m365", "microsoft", SET),
    ("decoy.test", "0 decoy.own.test, 10 decoy.mail.protection.outlook.com", "m365", "microsoft", SET),
    # Nobody we know: the site is whose machine it is.
    ("own.test", "10 mx.own.test", "other", "rest", "own.test"),
    ("hosted-1.test", "10 c1.mx.hoster.co.uk", "other", "rest", "hoster.co.uk"),
    ("hosted-2.test", "10 c2.mx.hoster.co.uk, 20 c2.backup.test", "other", "rest", "hoster.co.uk"),
    ("implicit.test", "", "other", "rest", "implicit.test"),
    ("mail.implicit-below.test", "", "other", "rest", "implicit-below.test"),
    ("nearly.test", "10 mx.notgoogle.com", "other", "rest", "notgoogle.com"),
    ("nearly-too.test", "10 google.com.phish.test", "other", "rest", "phish.test"),
]


def hosts(mx):
    return [(int(part.split()[0]), part.split()[1]) for part in mx.split(", ")] if mx else []


def records():
    lines, named = [], set()
    for domain, mx, *_ in DOMAINS:
        for preference, host in hosts(mx):
            lines.append("%s. MX %d %s." % (domain, preference, host))
            if not host.endswith(".invalid"):
                named.add(host.lower())
        if not mx:
            named.add(domain)
    return lines + ["%s. A 127.0.0.2" % host for host in sorted(named)]


class Shapes(Scenario):
    options = {"policy": POLICY, "records": records()}

    def test_each_domain_finds_its_provider_site_and_pool(self):
        for domain, *_ in DOMAINS:
            self.client.submit(submission(MAIL, "u@" + domain))
        rows = wait_for(lambda: (lambda r: r if len(r) >= len(DOMAINS) else None)(self.trial.local.sql(
            "select recipient, provider, site, pool, mx_host from event where kind = 'delivered' order by recipient")),
            "%d deliveries" % len(DOMAINS), 120, 0.2)
        found = {row[0].split("@")[1]: row[1:] for row in rows}
        self.assertGreaterEqual(len({provider for _, _, provider, _, _ in DOMAINS}), 15)
        for domain, mx, provider, pool, site in DOMAINS:
            with self.subTest(domain):
                site = site or "|".join(host for _, host in hosts(mx))
                self.assertEqual(found[domain][:3], [provider, site, pool])
                self.assertIn(found[domain][3], [host.lower() for _, host in hosts(mx)] or [domain])
        stored = dict(self.trial.local.sql("select domain, provider from domain_route"))
        self.assertEqual(stored, {domain: provider for domain, _, provider, _, _ in DOMAINS})


if __name__ == "__main__":
    unittest.main()
