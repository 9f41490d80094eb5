#!/usr/bin/python3
"""Sluice on one machine: a private PostgreSQL and the three services on loopback.

  deploy/local.sh up     --dir DIR --policy FILE [--dns ADDR:PORT] [--smtp-port N] [--preset release]
  deploy/local.sh down   --dir DIR [--remove]
  deploy/local.sh status --dir DIR

`up` builds nothing: it takes the binaries of build/<preset>/bin (or $SLUICE_BIN). It prints the addresses and writes
them to DIR/env (shell) and DIR/local.json. What runs is told apart from other processes by its pid file; logs are in DIR/log. Without
--dns the system's resolver is used; addresses in 127/8 are allowed as mail hosts (testing: true), so that trials stay on loopback.
"""
import argparse
import json
import os
import pathlib
import random
import shlex
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
START_SECONDS = 60
STOP_SECONDS = 120


class Failure(Exception):
    """What a person should read, without a traceback."""


def free_ports(count):
    """Ports free just now, all different, below those that the system gives to outgoing connections: a service that is killed and
    started again must find its port."""
    found = []
    while len(found) < count:
        port = random.randrange(20000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def wait_for(condition, what, seconds=START_SECONDS, period=0.02):
    """Polls `condition` until it answers something true; answers that."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure("gave up after %d s waiting for %s" % (seconds, what() if callable(what) else what))
        time.sleep(period)


def can_connect(address):
    host, port = address.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), timeout=1):
            return True
    except OSError:
        return False


def flatten(config):
    """Nested keys as YAML, by hand: the values are plain."""
    lines = []
    for key, value in sorted(config.items()):
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, (list, tuple)):
            value = "[%s]" % ", ".join(json.dumps(str(v)) for v in value)
        elif isinstance(value, str):
            value = json.dumps(value)
        lines.append("%s: %s" % (key, value))
    return nest(lines)


def nest(lines):
    """`a.b: 1` lines as nested maps."""
    tree = {}
    for line in lines:
        key, value = line.split(": ", 1)
        node = tree
        *parents, leaf = key.split(".")
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value

    def text(node, indent):
        out = ""
        for key, value in node.items():
            if isinstance(value, dict):
                out += "%s%s:\n%s" % (indent, key, text(value, indent + "  "))
            else:
                out += "%s%s: %s\n" % (indent, key, value)
        return out

    return text(tree, "")


class Service:
    """One process with its configuration file, log and pid file."""

    def __init__(self, local, name, binary, config, ready):
        self.local, self.name, self.binary, self.config, self.ready = local, name, binary, config, ready
        self.log = local.dir / "log" / (name + ".log")
        self.pid_file = local.dir / "run" / (name + ".pid")
        self.process = None

    def start(self, wait=True, env=None):
        path = self.local.dir / "etc" / (self.name + ".yaml")
        path.write_text(flatten(self.config))
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(self.local.bin / self.binary), "--config", str(path)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env=dict(os.environ, **(env or {})))
        self.pid_file.write_text(str(self.process.pid))
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        def ready():
            if not self.alive():
                raise Failure("%s ended at start:\n%s" % (self.name, self.tail()))
            return all(can_connect(address) for address in self.ready)
        wait_for(ready, lambda: "%s to listen on %s:\n%s" % (self.name, self.ready, self.tail()))

    @property
    def pid(self):
        if self.process is not None:
            return self.process.pid
        return int(self.pid_file.read_text()) if self.pid_file.exists() else 0

    def alive(self):
        if self.process is not None:
            return self.process.poll() is None
        try:
            command = pathlib.Path("/proc/%d/cmdline" % self.pid).read_bytes()
        except OSError:
            return False
        return self.binary.encode() in command

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def stop(self, seconds=STOP_SECONDS):
        """SIGTERM, and waits for the end."""
        self.signal(signal.SIGTERM)
        try:
            wait_for(lambda: not self.alive(), "%s to stop" % self.name, seconds)
        except Failure:
            self.signal(signal.SIGKILL)
            raise
        self.pid_file.unlink(missing_ok=True)

    def kill(self):
        self.signal(signal.SIGKILL)
        wait_for(lambda: not self.alive(), "%s to die" % self.name, 10)

    def tail(self, lines=15):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"


class Local:
    """Everything of one trial under one directory. Services are made by up() or, one at a time, by tests."""

    def __init__(self, directory, preset="release", dns=None, smtp_port=25, profile="test", bin_dir=None):
        self.dir = pathlib.Path(directory).absolute()
        self.bin = pathlib.Path(bin_dir or os.environ.get("SLUICE_BIN") or ROOT / "build" / preset / "bin")
        self.dns, self.smtp_port, self.profile = dns, smtp_port, profile
        self.services = {}
        for sub in ("etc", "log", "run", "lock"):
            (self.dir / sub).mkdir(parents=True, exist_ok=True)

    # ---- PostgreSQL
    def postgres(self, command, *more):
        result = subprocess.run([str(ROOT / "tests/rig/postgres.py"), command, "--dir", str(self.dir / "postgres"), *more],
                                text=True, capture_output=True, check=False)
        if result.returncode != 0:
            raise Failure("PostgreSQL: %s" % (result.stderr.strip() or result.stdout.strip()))
        return result.stdout.strip()

    def start_postgres(self, *more):
        self.postgres_url = self.postgres("up", "--profile", self.profile, *more)
        return self.postgres_url

    def sql(self, statement):
        """Rows of a query, as lists of text."""
        result = subprocess.run(["psql", "-XAtq", "-F", "\t", "-d", self.postgres_url, "-c", statement], text=True,
                                capture_output=True, check=False)
        if result.returncode != 0:
            raise Failure("psql: %s" % result.stderr.strip())
        return [line.split("\t") for line in result.stdout.splitlines()]

    # ---- services
    def common(self):
        return {"dns.forwarders": [self.dns.replace(":", "@")]} if self.dns else {}

    def scheduler(self, name="scheduler", **more):
        dispatch, intake, admin, metrics = ("127.0.0.1:%d" % p for p in free_ports(4))
        config = {"id": name, "postgres.url": self.postgres_url, "dispatch.listen": dispatch, "intake.listen": intake,
                  "admin.listen": admin, "metrics.listen": metrics, "internal.plaintext": True,
                  "admin.tls.plaintext": True, **self.common(), **more}
        return self.add(Service(self, name, "sluice-scheduler", config, [dispatch, intake, admin]))

    def ingest(self, name="ingest", **more):
        listen, metrics = ("127.0.0.1:%d" % p for p in free_ports(2))
        config = {"postgres.url": self.postgres_url, "listen": [listen], "metrics.listen": metrics, "tls.plaintext": True,
                  "intake.plaintext": True, **more}
        return self.add(Service(self, name, "sluice-ingest", config, [listen]))

    def egress(self, name="egress", schedulers=None, **more):
        health, metrics = ("127.0.0.1:%d" % p for p in free_ports(2))
        dispatch = schedulers or [s.config["dispatch.listen"] for s in self.services.values()
                                  if s.binary == "sluice-scheduler"]
        config = {"egress_id": name, "schedulers": dispatch, "health.listen": health, "metrics.listen": metrics,
                  "smtp.port": self.smtp_port, "testing": True, "dispatch.plaintext": True, "health.plaintext": True,
                  "lock.directory": str(self.dir / "lock"), **self.common(), **more}
        return self.add(Service(self, name, "sluice-egress", config, [health]))

    def add(self, service):
        self.services[service.name] = service
        return service

    def __getitem__(self, name):
        return self.services[name]

    def of(self, binary):
        return [s for s in self.services.values() if s.binary == binary]

    @property
    def admin(self):
        return self.of("sluice-scheduler")[0].config["admin.listen"]

    @property
    def submit(self):
        return self.of("sluice-ingest")[0].config["listen"][0]

    def ctl(self, *arguments, check=True, stdin=None, env=None):
        result = subprocess.run([str(self.bin / "sluicectl"), *map(str, arguments)], text=True, capture_output=True,
                                input=stdin, check=False,
                                env=dict(os.environ, SLUICE_ADMIN=self.admin, SLUICE_INGEST=self.submit, **(env or {})))
        if check and result.returncode != 0:
            raise Failure("sluicectl %s: %s" % (" ".join(map(str, arguments)), (result.stderr or result.stdout).strip()))
        return result

    def apply(self, policy_file):
        return self.ctl("apply", "-f", policy_file).stdout

    def key(self, tenant):
        """A new API key's secret."""
        return json.loads(self.ctl("key", "create", "--tenant", tenant, "--json").stdout)["secret"]

    def wait_bound(self, count):
        """Until this many sources can send."""
        wait_for(lambda: int(self.sql("select count(*) from source_assignment where state = 'bound'")[0][0]) >= count,
                 "%d bound sources" % count)

    # ---- the whole
    def up(self, policy=None):
        for binary in ("sluice-scheduler", "sluice-ingest", "sluice-egress", "sluicectl"):
            if not (self.bin / binary).exists():
                raise Failure("%s is missing: build it with `cmake --preset release && cmake --build --preset release`"
                              % (self.bin / binary))
        self.start_postgres()
        self.scheduler().start()
        self.ingest().start()
        self.egress().start()
        if policy:
            self.apply(policy)
        self.save()
        return self

    def save(self):
        state = {name: {"binary": s.binary, "config": s.config, "pid": s.pid, "ready": s.ready}
                 for name, s in self.services.items()}
        (self.dir / "local.json").write_text(json.dumps({"bin": str(self.bin), "services": state}, indent=1))
        env = {"SLUICE_ADMIN": self.admin, "SLUICE_INGEST": self.submit, "SLUICE_POSTGRES": self.postgres_url,
               "PATH": "%s:$PATH" % self.bin}
        (self.dir / "env").write_text("".join("export %s=%s\n" % (k, '"%s"' % v if k == "PATH" else shlex.quote(v))
                                              for k, v in env.items()))

    @classmethod
    def load(cls, directory):
        path = pathlib.Path(directory).absolute() / "local.json"
        if not path.exists():
            raise Failure("%s: nothing was started there" % directory)
        saved = json.loads(path.read_text())
        local = cls(directory, bin_dir=saved["bin"])
        for name, s in saved["services"].items():
            local.add(Service(local, name, s["binary"], s["config"], s["ready"]))
        port = (local.dir / "postgres/port").read_text().strip() if (local.dir / "postgres/port").exists() else ""
        local.postgres_url = next((s.config["postgres.url"] for s in local.services.values()
                                   if "postgres.url" in s.config), port)
        return local

    def down(self, remove=False):
        order = [*self.of("sluice-ingest"), *self.of("sluice-egress"), *self.of("sluice-scheduler")]
        for service in order:
            service.signal(signal.SIGCONT)
            service.stop()
        if (self.dir / "postgres/data").exists():
            self.postgres("down", "--mode", "fast")
        self.stop_helpers()
        if remove:
            subprocess.run(["rm", "-rf", str(self.dir)], check=True)

    def stop_helpers(self):
        """The quickstart's DNS server and sink, which are no services."""
        for name, program in (("dns", b"dns.py"), ("sink", b"sluice-sink")):
            pid_file = self.dir / "run" / (name + ".pid")
            if not pid_file.exists():
                continue
            pid = int(pid_file.read_text())
            try:
                if program in pathlib.Path("/proc/%d/cmdline" % pid).read_bytes():
                    os.kill(pid, signal.SIGTERM)
            except OSError:
                pass
            pid_file.unlink()


def print_status(local):
    for name, service in local.services.items():
        print("%-12s %-8s pid %-7d log %s" % (name, "running" if service.alive() else "stopped", service.pid, service.log))
    print("submit       %s\nadmin        %s\npostgres     %s" % (local.submit, local.admin, local.postgres_url))
    for service in local.services.values():
        print("metrics      http://%s/metrics  (%s)" % (service.config["metrics.listen"], service.name))
    print("shell        . %s/env" % local.dir)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["up", "down", "status"])
    parser.add_argument("--dir", required=True)
    parser.add_argument("--policy")
    parser.add_argument("--dns", metavar="ADDR:PORT")
    parser.add_argument("--smtp-port", type=int, default=25)
    parser.add_argument("--preset", default="release")
    parser.add_argument("--remove", action="store_true", help="down: delete DIR with all its data")
    args = parser.parse_args()
    try:
        if args.command == "up":
            print_status(Local(args.dir, args.preset, args.dns, args.smtp_port).up(args.policy))
        elif args.command == "down":
            Local.load(args.dir).down(args.remove)
        else:
            local = Local.load(args.dir)
            print_status(local)
            print(local.ctl("status", check=False).stdout, end="")
    except Failure as failure:
        sys.exit("local.sh: %s" % failure)


if __name__ == "__main__":
    main()
