"""Builds, composes, delivers, kills, drains, refuses. See run.sh."""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy"))
sys.path.insert(0, str(ROOT / "tests/rig"))
from sluice_local import Failure, wait_for  # noqa: E402

BASE = "debian:bookworm-slim"
PROJECT = "sluicetest"
SERVICE_UID = 64000  # As in the Dockerfile.
SERVICES = ("scheduler", "ingest", "egress-1", "egress-2")

POLICY = """
tenants:
  - {name: shop, streams: [marketing], sender_domains: [shop.example]}
streams:
  - {name: marketing, retry_schedule: quick}
sources:
  - {name: ip-11, address: 203.0.113.11, ehlo: mta11.shop.example, egress: egress-1}
  - {name: ip-12, address: 203.0.113.12, ehlo: mta12.shop.example, egress: egress-2}
pools:
  - {name: both, members: [{source: ip-11}, {source: ip-12}]}
routes:
  - {match: {}, pool: both}
retry_schedules:
  - {name: quick, waits: [2s]}
"""

# What a host with a registry would not need: our own PostgreSQL image, the sink, and a DNS server that knows the sink.
OVERRIDE = """
version: "3.8"
services:
  sink:
    image: sluice-rig
    entrypoint: ["sluice-sink"]
    command: ["--listen", "0.0.0.0:25", "--stats", "0.0.0.0:8080", "--recording", "envelope", "--track-tokens", "200000"]
    user: root
    networks: {out: {ipv4_address: 203.0.113.100}}
  dns:
    image: sluice-test-dns
    networks: {out: {ipv4_address: 203.0.113.53}, internal: {}}
  scheduler:
    environment: {SLUICE_SCHEDULER_DNS_FORWARDERS: "203.0.113.53@53"}
    networks: {out: {ipv4_address: 203.0.113.20}}
  egress-1: {environment: {SLUICE_EGRESS_DNS_FORWARDERS: "203.0.113.53@53"}}
  egress-2: {environment: {SLUICE_EGRESS_DNS_FORWARDERS: "203.0.113.53@53"}}
"""

POSTGRES_DOCKERFILE = """
FROM %s
RUN apt-get update -q && apt-get install -y -q --no-install-recommends postgresql-15 && rm -rf /var/lib/apt/lists/*
USER postgres
ENV PATH=/usr/lib/postgresql/15/bin:$PATH
RUN mkdir -p /var/lib/postgresql/data
COPY entry.sh /entry.sh
ENTRYPOINT ["/entry.sh"]
""" % BASE
POSTGRES_ENTRY = """#!/bin/bash
set -e
data=/var/lib/postgresql/data
if [ ! -s $data/PG_VERSION ]; then
  initdb -D $data --encoding=UTF8 --locale=C -U "$POSTGRES_USER" --pwfile=<(printf %s "$POSTGRES_PASSWORD") --auth=scram-sha-256 >/dev/null
  echo "host all all all scram-sha-256" >> $data/pg_hba.conf
  pg_ctl -D $data -o "-c listen_addresses=''" -w start >/dev/null
  PGPASSWORD=$POSTGRES_PASSWORD createdb -h /var/run/postgresql -U "$POSTGRES_USER" "$POSTGRES_DB" 2>/dev/null || true
  pg_ctl -D $data -m fast -w stop >/dev/null
fi
exec "$@" -D $data -c listen_addresses='*'
"""
DNS_DOCKERFILE = """
FROM %s
RUN apt-get update -q && apt-get install -y -q --no-install-recommends knot && rm -rf /var/lib/apt/lists/*
COPY knot.conf test.zone /etc/sluice-dns/
CMD ["knotd", "-c", "/etc/sluice-dns/knot.conf"]
""" % BASE
KNOT = """
server:
  listen: 0.0.0.0@53
  rundir: /tmp
database:
  storage: /tmp
zone:
  - domain: test.
    file: /etc/sluice-dns/test.zone
    zonefile-sync: -1
    journal-content: none
"""
ZONE = """$ORIGIN test.
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 203.0.113.53
sink A 203.0.113.100
*.d MX 10 sink
"""


class Docker:
    """A daemon of our own, so that nothing of the host's is touched."""

    def __init__(self, directory, data):
        self.socket = "unix://%s/docker.sock" % directory
        self.log = open(directory / "dockerd.log", "wb")
        self.daemon = subprocess.Popen(
            ["dockerd", "--data-root", str(data), "--exec-root", str(directory / "exec"), "-H", self.socket,
             "--pidfile", str(directory / "pid")], stdout=self.log, stderr=self.log)
        self.env = dict(os.environ, DOCKER_HOST=self.socket, DOCKER_BUILDKIT="0", COMPOSE_PROJECT_NAME=PROJECT,
                        SLUICE_POSTGRES_IMAGE="sluice-test-postgres", SLUICE_POSTGRES_PASSWORD=os.urandom(12).hex())

    def wait_ready(self):
        wait_for(lambda: self.run("version", check=False, quiet=True).returncode == 0,
                 lambda: "dockerd:\n%s" % pathlib.Path(self.log.name).read_text()[-2000:], 60, 0.5)

    def run(self, *arguments, check=True, quiet=False, command="docker", **more):
        result = subprocess.run([command, *map(str, arguments)], env=self.env, text=True, check=False,
                                capture_output=True, **more)
        if check and result.returncode != 0:
            raise Failure("%s %s: %s%s" % (command, " ".join(map(str, arguments)), result.stdout[-2000:], result.stderr[-3000:]))
        if quiet:
            result.stdout = ""
        return result

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait(60)
        self.log.close()


class Composed:
    def __init__(self, docker, directory):
        self.docker, self.dir = docker, directory
        self.files = ["-f", ROOT / "deploy/compose.yaml", "-f", directory / "override.yaml"]
        self.tls = ROOT / "deploy/compose/tls"

    def compose(self, *arguments, **more):
        return self.docker.run(*self.files, "--project-directory", ROOT / "deploy", *arguments, command="docker-compose", **more)

    def container(self, service):
        return self.compose("ps", "-q", service).stdout.strip()

    def ctl(self, *arguments, stdin=None, **more):
        return self.docker.run(
            "run", "--rm", "-i", "--network", PROJECT + "_admin", "-v", "%s:/tls:ro" % self.tls, "sluicectl", "--admin", "scheduler:7103",
            "--ca", "/tls/ca.pem", "--cert", "/tls/admin.test.pem", "--cert-key", "/tls/admin.test.key", *arguments,
            input=stdin, **more)

    def healthy(self, service):
        state = json.loads(self.docker.run("inspect", "-f", "{{json .State}}", self.container(service)).stdout)
        return state["Status"] == "running" and state.get("Health", {}).get("Status") == "healthy"

    def wait_healthy(self, *services):
        for service in services:
            wait_for(lambda: self.healthy(service),
                     lambda: "%s to be healthy:\n%s" % (service, self.compose("logs", "--tail", "15", service).stdout), 120, 0.5)


def build_services(docker, directory):
    import_base(docker, directory)
    for target in ("ingest", "scheduler", "egress", "ctl", "rig"):
        tag = {"ctl": "sluicectl"}.get(target, "sluice-" + target)
        docker.run("build", "--network=host", *proxies(), "-q", "-f", ROOT / "deploy/Dockerfile", "--target", target, "-t", tag, ROOT)
        size = int(docker.run("image", "inspect", "-f", "{{.Size}}", tag).stdout)
        print("image %-16s %4d MB" % (tag, size // 1_000_000), flush=True)


def import_base(docker, directory):
    if docker.run("image", "inspect", BASE, check=False).returncode != 0:
        tree = directory / "tree"
        subprocess.run(["debootstrap", "--variant=minbase", "bookworm", str(tree)] + mirror(), check=True, stdout=subprocess.DEVNULL)
        # The host's way to the packages.
        (tree / "etc/apt/sources.list").unlink(missing_ok=True)
        for name in ("apt/sources.list", "apt/sources.list.d", "apt/apt.conf.d", "apt/preferences.d", "apt/trusted.gpg.d", "apt/auth.conf.d"):
            source, target = pathlib.Path("/etc") / name, tree / "etc" / name
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            elif source.exists():
                shutil.copy(source, target)
        archive = subprocess.Popen(["tar", "-C", str(tree), "-c", "."], stdout=subprocess.PIPE)
        docker.run("import", "-", BASE, stdin=archive.stdout)
        shutil.rmtree(tree)


def build_neighbours(docker, directory):
    """What the services need beside them, and a host with a registry would pull."""
    for name, files in (("postgres", {"Dockerfile": POSTGRES_DOCKERFILE, "entry.sh": POSTGRES_ENTRY}),
                        ("dns", {"Dockerfile": DNS_DOCKERFILE, "knot.conf": KNOT, "test.zone": ZONE})):
        context = directory / name
        context.mkdir()
        for file, text in files.items():
            (context / file).write_text(text)
        if "entry.sh" in files:
            (context / "entry.sh").chmod(0o755)
        docker.run("build", "--network=host", *proxies(), "-q", "-t", "sluice-test-" + name, context)


def mirror():
    """The mirror that this host's own packages come from."""
    policy = subprocess.run(["apt-cache", "policy"], text=True, capture_output=True, check=True).stdout
    found = re.search(r"(\S+) bookworm/main ", policy)
    return [found.group(1)] if found else []


def proxies():
    names = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    return [w for name in names if os.environ.get(name) for w in ("--build-arg", "%s=%s" % (name, os.environ[name]))]


class Trial:
    def __init__(self, docker, directory):
        self.docker, self.dir = docker, directory
        self.composed = Composed(docker, directory)
        self.sent = 0

    def prepare(self):
        (self.dir / "override.yaml").write_text(OVERRIDE)
        subprocess.run([str(ROOT / "deploy/certificates.sh"), str(self.composed.tls), "scheduler.scheduler,scheduler", "ingest.ingest,ingest",
                        "egress.egress-1", "egress.egress-2", "admin.test"], check=True)
        # Of another authority: whoever has it is a stranger.
        subprocess.run([str(ROOT / "deploy/certificates.sh"), str(self.dir / "stranger"), "egress.egress-1"], check=True)
        for directory in (self.composed.tls, self.dir / "stranger"):
            for path in (directory, *directory.iterdir()):
                os.chown(path, SERVICE_UID, SERVICE_UID)
        self.composed.compose("down", "-v", check=False)  # What an interrupted run left in --dir.
        self.composed.compose("up", "-d")
        self.composed.wait_healthy(*SERVICES)
        answer = self.composed.ctl("apply", "-f", "-", stdin=POLICY)
        print(answer.stdout.strip().splitlines()[-1])
        self.key = json.loads(self.composed.ctl("--json", "key", "create", "--tenant", "shop").stdout)["secret"]
        wait_for(lambda: self.composed.ctl("status").stdout.count(" bound") >= 2,
                 lambda: "both sources to be bound:\n%s%s" % (self.composed.ctl("status").stdout,
                                                              self.composed.compose("logs", "--tail", "10", "egress-1").stdout), 60, 0.5)

    def stats(self):
        """Asked inside the sink's container: the host need not reach the containers' networks."""
        answer = self.docker.run("exec", self.composed.container("sink"), "bash", "-c",
                                 "exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET /stats HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3", check=False)
        if answer.returncode != 0 or "{" not in answer.stdout:
            raise Failure("the sink does not answer: %s%s" % (answer.stdout, answer.stderr))
        return json.loads(answer.stdout[answer.stdout.index("{"):])

    def load(self, messages, rate):
        """A running load generator; its answer is read by finish()."""
        self.sent += messages
        return subprocess.Popen(
            ["docker", "run", "--rm", "--network", PROJECT + "_front", "-v", "%s:/tls:ro" % self.composed.tls, "-v",
             "%s:/corpus:ro" % (ROOT / "tests/data/mail"), "--entrypoint", "sluice-load", "sluice-rig", "--target", "ingest:8025", "--tls", "--ca",
             "/tls/ca.pem", "--key", self.key, "--messages", str(messages), "--rate", str(rate), "--streams", "marketing", "--domain-suffix",
             ".d.test", "--corpus", "/corpus", "--quiet"], env=self.docker.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    @staticmethod
    def finish(load):
        out, err = load.communicate(timeout=300)
        if load.returncode != 0:
            raise Failure("sluice-load exited %d: %s%s" % (load.returncode, out, err[-2000:]))

    def tokens(self):
        return self.stats()["tokens"]

    def wait_all(self):
        wait_for(lambda: self.tokens()["distinct_accepted"] >= self.sent,
                 lambda: "%d deliveries (there are %s)" % (self.sent, self.tokens()), 180, 0.5)

    def deliver(self):
        self.finish(self.load(500, 250))
        self.wait_all()
        sources = {source: counts["replied_ok"] for source, counts in sorted(self.stats()["by_source"].items()) if counts["replied_ok"]}
        print("delivered %d across networks, by source: %s" % (self.sent, sources))
        if len(sources) != 2:
            raise Failure("mail left from %s instead of two addresses" % sources)

    def during_load(self, service, what, action):
        before = self.tokens()["duplicated"]
        load = self.load(1500, 150)
        start = self.tokens()["distinct_accepted"]
        wait_for(lambda: self.tokens()["distinct_accepted"] > start + 150, "load", 60, 0.1)
        action()
        self.finish(load)
        self.composed.wait_healthy(service)
        self.wait_all()
        doubled = self.tokens()["duplicated"] - before
        print("%s of %s under load: all %d delivered, %d twice" % (what, service, self.sent, doubled))
        return doubled

    def kill(self, service):
        return lambda: self.docker.run("kill", self.composed.container(service)) and self.composed.compose("up", "-d", service)

    def stop(self, service):
        return lambda: self.composed.compose("stop", service) and self.composed.compose("up", "-d", service)

    def refuse_a_stranger(self):
        """Our egress's name, another authority's certificate."""
        run = self.docker.run(
            "run", "-d", "--network", PROJECT + "_internal", "-v", "%s:/tls:ro" % (self.dir / "stranger"), "-v",
            "%s:/ca:ro" % self.composed.tls, "-v", "%s:/etc/sluice/egress.yaml:ro" % (ROOT / "deploy/compose/egress.yaml"),
            "-e", "SLUICE_EGRESS_EGRESS_ID=egress-1", "-e", "SLUICE_EGRESS_DISPATCH_CA=/ca/ca.pem", "-e",
            "SLUICE_EGRESS_DISPATCH_CERT=/tls/egress.egress-1.pem", "-e", "SLUICE_EGRESS_DISPATCH_KEY=/tls/egress.egress-1.key",
            "sluice-egress")
        container = run.stdout.strip()
        refused = "certificate verify failed"
        wait_for(lambda: refused in self.composed.compose("logs", "--tail", "200", "scheduler").stdout,
                 "the scheduler to refuse the stranger", 60, 0.5)
        metrics = self.docker.run("logs", container).stderr
        if "event=welcomed" in metrics:
            raise Failure("a stranger was let in")
        self.docker.run("rm", "-f", container)
        print("an egress with a foreign certificate is refused")

    def run(self):
        self.prepare()
        self.deliver()
        for service in ("ingest", "scheduler", "postgres"):
            if self.during_load(service if service != "postgres" else "scheduler", "kill" + (" of postgres, seen" if service == "postgres" else ""),
                                self.kill(service)):
                raise Failure("killing %s duplicated mail" % service)
        self.during_load("egress-1", "kill", self.kill("egress-1"))
        for service in ("ingest", "scheduler", "egress-1", "egress-2"):
            if self.during_load(service, "stop", self.stop(service)):
                raise Failure("stopping %s duplicated mail" % service)
        self.refuse_a_stranger()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", type=pathlib.Path, help="keeps the daemon's data there, so that a second run builds what has changed")
    parser.add_argument("--built", action="store_true", help="the services' images are in --dir as wanted: none is built")
    args = parser.parse_args()
    tls = ROOT / "deploy/compose/tls"
    if tls.exists():
        sys.exit("container test: %s is there already: it would be used and removed" % tls)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("container test: told to stop"))
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sluice-container-", dir="/var/tmp"))
    docker = Docker(directory, args.dir or directory / "data")
    try:
        docker.wait_ready()
        if not args.built:
            build_services(docker, directory)
        build_neighbours(docker, directory)
        Trial(docker, directory).run()
        print("container test: ok")
    except Failure as failure:
        sys.exit("container test: %s" % failure)
    finally:
        clean_up(docker, directory, tls)


def clean_up(docker, directory, tls):
    if (directory / "override.yaml").exists():
        Composed(docker, directory).compose("down", "-v", "-t", "5", check=False)
    for made in (tls, tls.with_name("tls-authority")):
        shutil.rmtree(made, ignore_errors=True)
    docker.stop()
    # What the daemon leaves mounted.
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        if str(directory) in line:
            subprocess.run(["umount", "-l", line.split()[1]], check=False, stderr=subprocess.DEVNULL)
    subprocess.run(["rm", "-rf", str(directory)], check=False)


if __name__ == "__main__":
    main()
