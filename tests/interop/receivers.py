"""Postfix, Exim and OpenSMTPD of the distribution as receivers: each takes all mail into one Maildir, on several addresses that
offer different extensions."""
import os
import pathlib
import pwd
import shutil
import subprocess

from packaged import Packaged
from trial import Failure, wait_for

CERTIFICATE = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=sink.test")


def make_certificate(directory):
    subprocess.run([*CERTIFICATE, "-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem")], check=True,
                   capture_output=True)


class Receiver:
    """`addresses`: where it listens → whether mail comes encrypted. `seven_bit`: those of them that take only ASCII."""
    addresses = {}
    seven_bit = ()

    def messages(self):
        return list((self.maildir / "new").glob("*"))


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
127.0.0.2:{port} inet n - n - - smtpd
127.0.0.3:{port} inet n - n - - smtpd -o smtpd_discard_ehlo_keywords=chunking,starttls
127.0.0.4:{port} inet n - n - - smtpd -o smtpd_discard_ehlo_keywords=chunking,pipelining,starttls
127.0.0.10:{port} inet n - n - - smtpd -o smtpd_discard_ehlo_keywords=chunking,starttls,8bitmime,smtputf8
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


class Postfix(Receiver):
    """An instance of the installed Postfix under a directory of its own."""
    name = "postfix"
    addresses = {"127.0.0.2": True, "127.0.0.3": False, "127.0.0.4": False, "127.0.0.10": False}
    seven_bit = ("127.0.0.10",)
    has_smtputf8 = True

    def __init__(self, directory, port):
        self.dir = directory
        self.maildir = directory / "mail/inbox"
        for sub in ("etc", "spool", "data", "mail"):
            (directory / sub).mkdir(parents=True)
        owner, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
        os.chown(directory / "data", owner.pw_uid, owner.pw_gid)
        os.chown(directory / "mail", nobody.pw_uid, nobody.pw_gid)
        make_certificate(directory / "etc")
        values = {"dir": directory, "port": port, "uid": nobody.pw_uid, "gid": nobody.pw_gid}
        (directory / "etc/main.cf").write_text(MAIN.format(**values))
        (directory / "etc/master.cf").write_text(MASTER.format(**values))
        (directory / "etc/dynamicmaps.cf").write_text("")
        shutil.copy("/etc/postfix/postfix-files", directory / "etc/postfix-files")  # Which directories a spool has.
        (directory / "etc/domains").write_text("/\\.d\\.test$/ OK\n/^shop\\.example$/ OK\n")
        self.command("start")

    def command(self, verb):
        result = subprocess.run(["postfix", "-c", str(self.dir / "etc"), verb], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise Failure("postfix %s: %s" % (verb, result.stderr))

    def stop(self):
        self.command("stop")

    def tail(self):
        path = self.dir / "maillog"
        return path.read_text()[-3000:] if path.exists() else ""


EXIM = """
primary_hostname = sink.test
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.5 : 127.0.0.6 : 127.0.0.7
spool_directory = /interop/spool
log_file_path = /interop/log/%slog
tls_certificate = /interop/cert.pem
tls_privatekey = /interop/key.pem
tls_advertise_hosts = ${{if eq{{$received_ip_address}}{{127.0.0.5}}{{*}}{{}}}}
chunking_advertise_hosts = ${{if eq{{$received_ip_address}}{{127.0.0.5}}{{*}}{{}}}}
pipelining_advertise_hosts = ${{if eq{{$received_ip_address}}{{127.0.0.7}}{{}}{{*}}}}
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
message_size_limit = 60M
accept_8bitmime = true
smtp_accept_max = 200
smtp_accept_queue_per_connection = 0
host_lookup =
rfc1413_hosts =
keep_environment =
acl_smtp_rcpt = all
acl_smtp_data = all
begin acl
all:
  accept
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = /interop/mail
  maildir_format
  create_directory
  user = nobody
  group = nogroup
"""


class PackagedReceiver(Receiver):
    packages, users = (), ()

    def __init__(self, directory, port):
        self.root = Packaged(directory, self.packages, self.users)
        self.maildir = self.root.shared / "mail"
        for sub in ("spool", "log", "mail"):
            (self.root.shared / sub).mkdir()
        os.chmod(self.root.shared / "log", 0o777)
        nobody = pwd.getpwnam("nobody")
        os.chown(self.maildir, nobody.pw_uid, nobody.pw_gid)
        make_certificate(self.root.shared)
        self.launch(port)

    def stop(self):
        self.root.stop()

    def tail(self):
        logs = sorted((self.root.shared / "log").glob("*"))
        return self.root.tail() + "".join(p.read_text(errors="replace")[-2000:] for p in logs)


class Exim(PackagedReceiver):
    name = "exim"
    addresses = {"127.0.0.5": True, "127.0.0.6": False, "127.0.0.7": False}
    has_smtputf8 = True
    packages = ("exim4-daemon-light", "exim4-base", "libidn12")
    users = ("Debian-exim",)

    def launch(self, port):
        os.chown(self.root.shared / "spool", 30_000, 30_000)
        os.chmod(self.root.shared / "key.pem", 0o644)
        (self.root.shared / "exim4.conf").write_text(EXIM.format(port=port))
        # Where Exim looks by itself: a file named by -C would take its privileges away.
        self.root.start(["/usr/sbin/exim4", "-bdf", "-q1m"], "mkdir -p etc/exim4 && cp {0}/exim4.conf etc/exim4/ && chmod 644 etc/exim4/exim4.conf"
                        .format(self.root.shared))


SMTPD = """
pki sink cert "/interop/cert.pem"
pki sink key "/interop/key.pem"
smtp max-message-size "60M"
listen on 127.0.0.8 port {port} hostname sink.test tls pki sink
listen on 127.0.0.9 port {port} hostname sink.test
action "in" maildir "/interop/mail" virtual {{ "@" = "nobody" }}
match from any for any action "in"
"""


class OpenSmtpd(PackagedReceiver):
    name = "opensmtpd"
    addresses = {"127.0.0.8": True, "127.0.0.9": False}
    has_smtputf8 = False
    packages = ("opensmtpd",)
    users = ("opensmtpd", "opensmtpq")

    def launch(self, port):
        (self.root.shared / "smtpd.conf").write_text(SMTPD.format(port=port))
        os.chmod(self.root.shared / "key.pem", 0o600)
        shim = pathlib.Path(__file__).with_name("opensmtpd_key.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", self.root.shared / "key.so", shim], check=True)
        self.root.start(["/usr/bin/env", "LD_PRELOAD=/interop/key.so", "/usr/sbin/smtpd", "-d", "-f", "/interop/smtpd.conf"],
                        "mkdir -p var/lib/opensmtpd/empty var/spool/smtpd var/run && chmod 711 var/spool/smtpd && chmod 755 . var var/lib "
                        "var/lib/opensmtpd var/lib/opensmtpd/empty && echo sink.test > etc/mailname && touch etc/aliases")
