#!/usr/bin/python3
"""A throwaway PostgreSQL: private data directory, unix socket, settings of a small mail queue.

  postgres.py up --dir DIR [--profile test|bench] [--port N] [--guard PID]   prints the connection string
  postgres.py down --dir DIR [--mode fast|immediate] [--remove]
  postgres.py kill --dir DIR            SIGKILL for every process of the cluster, as a crash would
  postgres.py start --dir DIR           after down or kill
  postgres.py standby --dir DIR --of PRIMARY_DIR    a streaming standby that the primary's commits wait for from then on
  postgres.py promote --dir DIR         the standby becomes a primary of its own; commits wait for nobody

Run as root it uses the system user `postgres`, otherwise the caller's. With --port it also listens on 127.0.0.1.
With --guard it stops and removes itself when the process PID is gone.
"""
import argparse
import glob
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import time

PROFILES = {
    "test": {"shared_buffers": "128MB", "wal_buffers": "16MB", "max_wal_size": "1GB", "min_wal_size": "128MB"},
    "bench": {"shared_buffers": "2GB", "wal_buffers": "64MB", "max_wal_size": "8GB", "min_wal_size": "2GB"},
}
COMMON = {
    "wal_compression": "lz4", "default_toast_compression": "lz4", "jit": "off",
    "autovacuum_naptime": "5s", "max_connections": "100", "log_min_messages": "warning",
    "log_min_error_statement": "panic",
}
START_TIMEOUT_S = 60
GUARD_PERIOD_S = 0.5


def find_bin() -> pathlib.Path:
    """The newest installed server, 15 or later."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: int(p.split("/")[4]))
    if found and int(found[-1].split("/")[4]) >= 15:
        return pathlib.Path(found[-1]).parent
    on_path = shutil.which("initdb")
    if on_path:
        return pathlib.Path(os.path.realpath(on_path)).parent
    sys.exit("postgres.py: no PostgreSQL server 15 or newer is installed")


def as_owner(command: list, **kwargs) -> subprocess.CompletedProcess:
    """Runs as the owner of the cluster; the server refuses to run as root."""
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] + command
    return subprocess.run(command, cwd="/", text=True, capture_output=True, **kwargs)


def must(result: subprocess.CompletedProcess, what: str) -> None:
    if result.returncode != 0:
        sys.exit(f"postgres.py: {what}: {result.stderr.strip() or result.stdout.strip()}")


def owner_name() -> str:
    return "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def url(directory: pathlib.Path) -> str:
    port = (directory / "port").read_text().strip()
    return f"host={directory}/socket port={port} user={owner_name()} dbname=sluice"


def init(args) -> None:
    directory = args.dir
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "socket").mkdir(exist_ok=True)
    (directory / "port").write_text(str(args.port or 5432))
    if os.geteuid() == 0:
        for path in (directory, directory / "socket"):
            shutil.chown(path, "postgres", "postgres")
    must(as_owner([str(find_bin() / "initdb"), "-D", str(directory / "data"), "-A", "trust", "-U", owner_name(),
                   "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]), "initdb")
    settings = COMMON | PROFILES[args.profile] | {
        "listen_addresses": "127.0.0.1" if args.port else "",
        "unix_socket_directories": str(directory / "socket"),
        "port": (directory / "port").read_text(),
    }
    for setting in args.set:
        key, _, value = setting.partition("=")
        settings[key] = value
    with open(directory / "data" / "postgresql.conf", "a", encoding="utf-8") as conf:
        conf.writelines(f"{key} = '{value}'\n" for key, value in settings.items())


def start(directory: pathlib.Path) -> None:
    if as_owner([str(find_bin() / "pg_ctl"), "-D", str(directory / "data"), "status"]).returncode == 0:
        return
    must(as_owner([str(find_bin() / "pg_ctl"), "-D", str(directory / "data"), "-l", str(directory / "data" / "log"),
                   "-w", "-t", str(START_TIMEOUT_S), "start"]), "start")


def up(args) -> None:
    if not (args.dir / "data" / "PG_VERSION").exists():
        init(args)
    start(args.dir)
    psql = [str(find_bin() / "psql"), "-XAtq", "-h", str(args.dir / "socket"), "-p",
            (args.dir / "port").read_text().strip(), "-U", owner_name(), "-d", "postgres", "-c"]
    exists = as_owner(psql + ["select 1 from pg_database where datname = 'sluice'"])
    must(exists, "psql")
    if not exists.stdout.strip():
        must(as_owner(psql + ["create database sluice"]), "create database")
    if args.guard:
        guard(args)
    print(url(args.dir))


def guard(args) -> None:
    """A detached child that ends the cluster after the process it serves."""
    if os.fork() != 0:
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    while args.dir.exists():
        try:
            os.kill(args.guard, 0)
        except ProcessLookupError:
            stop(args.dir, "immediate")
            shutil.rmtree(args.dir, ignore_errors=True)
            break
        time.sleep(GUARD_PERIOD_S)
    os._exit(0)


def stop(directory: pathlib.Path, mode: str) -> subprocess.CompletedProcess:
    return as_owner([str(find_bin() / "pg_ctl"), "-D", str(directory / "data"), "-m", mode, "-w", "stop"])


def ask(directory: pathlib.Path, statement: str) -> str:
    result = as_owner([str(find_bin() / "psql"), "-XAtq", "-d", url(directory).replace("dbname=sluice", "dbname=postgres"), "-c", statement])
    must(result, "psql")
    return result.stdout.strip()


def standby(args) -> None:
    """Copied from the running primary; another socket, the same port number."""
    args.dir.mkdir(parents=True, exist_ok=True)
    (args.dir / "socket").mkdir(exist_ok=True)
    (args.dir / "port").write_text((args.of / "port").read_text())
    if os.geteuid() == 0:
        for path in (args.dir, args.dir / "socket"):
            shutil.chown(path, "postgres", "postgres")
    must(as_owner([str(find_bin() / "pg_basebackup"), "-d", url(args.of), "-D", str(args.dir / "data"), "-R", "-X", "stream",
                   "--checkpoint=fast"]), "pg_basebackup")
    with open(args.dir / "data" / "postgresql.conf", "a", encoding="utf-8") as conf:
        conf.write(f"unix_socket_directories = '{args.dir}/socket'\nlisten_addresses = ''\n")
    start(args.dir)
    ask(args.of, "alter system set synchronous_standby_names = '*'")
    ask(args.of, "select pg_reload_conf()")
    deadline = time.monotonic() + START_TIMEOUT_S
    while ask(args.of, "select count(*) from pg_stat_replication where sync_state = 'sync'") != "1":
        if time.monotonic() > deadline:
            sys.exit("postgres.py: the standby does not follow its primary; see " + str(args.dir / "data" / "log"))
        time.sleep(0.1)
    print(url(args.dir))


def promote(args) -> None:
    must(as_owner([str(find_bin() / "pg_ctl"), "-D", str(args.dir / "data"), "-w", "promote"]), "promote")


def down(args) -> None:
    if (args.dir / "data" / "postmaster.pid").exists():
        must(stop(args.dir, args.mode), "stop")
    if args.remove:
        shutil.rmtree(args.dir)


def children_of(parent: int) -> list:
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == parent:
                found.append(int(entry.name))
    return found


def kill(args) -> None:
    """The postmaster first, so that it starts nothing new; then waits until all are gone."""
    postmaster = int((args.dir / "data" / "postmaster.pid").read_text().split()[0])
    victims = [postmaster] + children_of(postmaster)
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(is_running(pid) for pid in victims):
        time.sleep(0.02)
    # A zombie that nobody has reaped yet still looks like a running server to pg_ctl.
    (args.dir / "data" / "postmaster.pid").unlink(missing_ok=True)
    for lock in (args.dir / "socket").iterdir():
        lock.unlink()


def is_running(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["up", "down", "kill", "start", "standby", "promote"])
    parser.add_argument("--dir", type=lambda p: pathlib.Path(p).absolute(), required=True)
    parser.add_argument("--of", type=lambda p: pathlib.Path(p).absolute(), metavar="PRIMARY_DIR")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="test")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--guard", type=int, default=0, metavar="PID")
    parser.add_argument("--mode", choices=["fast", "immediate"], default="fast")
    parser.add_argument("--remove", action="store_true")
    args = parser.parse_args()
    {"up": up, "down": down, "kill": kill, "start": lambda a: start(a.dir), "standby": standby, "promote": promote}[args.command](args)


if __name__ == "__main__":
    main()
