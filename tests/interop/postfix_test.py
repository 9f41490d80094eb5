#!/usr/bin/python3
"""The corpus into a real Postfix, with STARTTLS: every message arrives once, its bytes unchanged behind what was prepended."""
import os
import pathlib
import pwd
import secrets
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/rig"))
from client import submission  # noqa: E402
from trial import POLICY, SINK_HOST, Failure, Trial, free_ports, wait_for  # noqa: E402

MAIN = """
compatibility_level = 3.6
queue_directory = {dir}/spool
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
meta_directory = {dir}/etc
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
myhostname = sink.test
mydestination =
local_recipient_maps =
alias_maps =
virtual_mailbox_domains = regexp:{dir}/etc/domains
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_mailbox_limit = 0
message_size_limit = 60000000
smtpd_tls_security_level = may
smtpd_tls_cert_file = {dir}/etc/cert.pem
smtpd_tls_key_file = {dir}/etc/key.pem
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
maillog_file_prefixes = {dir}
maillog_file = {dir}/maillog
"""

MASTER = """
{host}:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """An instance of its own under one directory; only root can run it."""

    def __init__(self, directory, port):
        self.dir = directory
        for sub in ("etc", "spool", "data", "mail"):
            (directory / sub).mkdir(parents=True)
        owner, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
        os.chown(directory / "data", owner.pw_uid, owner.pw_gid)
        os.chown(directory / "mail", nobody.pw_uid, nobody.pw_gid)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=sink.test",
                        "-keyout", str(directory / "etc/key.pem"), "-out", str(directory / "etc/cert.pem")],
                       check=True, capture_output=True)
        values = {"dir": directory, "host": SINK_HOST, "port": port, "uid": nobody.pw_uid, "gid": nobody.pw_gid}
        (directory / "etc/main.cf").write_text(MAIN.format(**values))
        (directory / "etc/master.cf").write_text(MASTER.format(**values))
        (directory / "etc/dynamicmaps.cf").write_text("")
        shutil.copy("/etc/postfix/postfix-files", directory / "etc/postfix-files")  # Which directories a spool has.
        (directory / "etc/domains").write_text("/\\.d\\.test$/ OK\n")
        self.command("start")

    def command(self, verb):
        result = subprocess.run(["postfix", "-c", str(self.dir / "etc"), verb], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise Failure("postfix %s: %s" % (verb, result.stderr))

    def messages(self):
        return sorted((self.dir / "mail/inbox/new").glob("*"))


class PostfixTest(unittest.TestCase):
    def test_the_corpus_arrives_unchanged_over_starttls(self):
        if os.geteuid() != 0 or not pathlib.Path("/usr/sbin/postfix").exists():
            if os.environ.get("SLUICE_REQUIRE_ALL"):
                self.fail("Postfix and root are needed")
            self.skipTest("needs Postfix and root")
        with Trial() as trial:
            (port,) = free_ports(1)
            local = trial.prepare()
            local.smtp_port = port
            postfix = Postfix(trial.dir / "postfix", port)
            try:
                self.deliver(trial, local, postfix)
            except BaseException:
                print((trial.dir / "postfix/maillog").read_text()[-3000:], file=sys.stderr)
                raise
            finally:
                postfix.command("stop")

    def deliver(self, trial, local, postfix):
        local.scheduler().start()
        local.ingest().start()
        local.egress().start()
        trial.apply(POLICY)
        expected, batch = {}, []
        for path in sorted((ROOT / "tests/data/mail").glob("*.eml")):
            token = secrets.token_hex(16)
            body = path.read_bytes()
            content = b"X-Rig-Token: " + token.encode() + (b"\r\n" if b"\r\n" in body else b"\n") + body
            # A Maildir file has LF line ends and a final one.
            expected[token.encode()] = content.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n" if not body.endswith(b"\n") \
                else content.replace(b"\r\n", b"\n")
            batch.append(submission(content, "u%d@m%d.d.test" % (len(batch), len(batch) % 4)))
        for outcome in trial.client("shop").submit_many(batch):
            self.assertFalse(outcome.HasField("error"), outcome.error.message)
        files = wait_for(lambda: (lambda f: f if len(f) >= len(expected) else None)(postfix.messages()),
                         lambda: "%d messages (%d came)" % (len(expected), len(postfix.messages())), 90, 0.1)
        trial.wait_empty()
        self.assertEqual(len(files), len(expected))
        for path in files:
            content = path.read_bytes()
            start = content.index(b"X-Rig-Token: ")
            token = content[start + 13:start + 45]
            self.assertEqual(content[start:], expected.pop(token))
        self.assertFalse(expected)
        rows = local.sql("select distinct kind, split_part(tls, ' ', 1), reply_code from event")
        self.assertEqual(rows, [["delivered", "TLSv1.3", "250"]])


if __name__ == "__main__":
    unittest.main()
