"""Programs of distribution packages that cannot be installed beside each other: fetched, unpacked and run in a root of their own.

The root is the system's, with the package's /usr laid over it, an /etc of its own and the trial's directory at /interop; it is
made in a mount namespace that ends with the program. Needs root.
"""
import os
import pathlib
import shlex
import shutil
import signal
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / "build/packages"

SETUP = """
set -e
mount -t tmpfs tmpfs {root}
cd {root}
mkdir -p usr etc dev proc tmp run var/tmp var/spool interop
for l in bin sbin lib lib32 lib64; do if [ -L /$l ]; then cp -P /$l $l; fi; done
mount -t overlay overlay -o lowerdir={layers}:/usr usr
mount --rbind /dev dev
mount --rbind /proc proc
mount --bind {shared} interop
cp -r /etc/ssl /etc/nsswitch.conf /etc/services etc/
mkdir -p etc/pam.d && cp -r /etc/pam.d/. etc/pam.d/
cp {shared}/passwd {shared}/group etc/
{prepare}
exec chroot . {command}
"""


def fetch(packages):
    """The unpacked trees of these packages, fetched when they are not there yet."""
    CACHE.mkdir(parents=True, exist_ok=True)
    trees = []
    for package in packages:
        tree = CACHE / package
        if not tree.exists():
            work = CACHE / (package + ".part-%d" % os.getpid())
            work.mkdir()
            subprocess.run(["apt-get", "-o", "APT::Sandbox::User=root", "download", package], cwd=work, check=True,
                           capture_output=True)
            (archive,) = work.glob("*.deb")
            subprocess.run(["dpkg", "-x", archive, work / "tree"], check=True)
            try:
                (work / "tree").rename(tree)
            except OSError:
                pass  # Another test was faster.
            shutil.rmtree(work)
        trees.append(tree)
    return trees


class Packaged:
    """One program in its root. `shared` is seen as /interop inside; `users` exist there besides the system's."""

    def __init__(self, directory, packages, users):
        self.dir = pathlib.Path(directory)
        self.shared = self.dir / "interop"
        (self.dir / "root").mkdir(parents=True)
        self.shared.mkdir()
        self.layers = ":".join(str(t / "usr") for t in fetch(packages))
        passwd, group = pathlib.Path("/etc/passwd").read_text(), pathlib.Path("/etc/group").read_text()
        for number, name in enumerate(users):
            passwd += "%s:x:%d:%d::/nonexistent:/usr/sbin/nologin\n" % (name, 30_000 + number, 30_000 + number)
            group += "%s:x:%d:\n" % (name, 30_000 + number)
        (self.shared / "passwd").write_text(passwd)
        (self.shared / "group").write_text(group)
        self.process = None

    def start(self, command, prepare=""):
        script = SETUP.format(root=self.dir / "root", layers=self.layers, shared=self.shared, prepare=prepare,
                              command=" ".join(shlex.quote(c) for c in command))
        self.log = open(self.dir / "log", "ab")
        self.process = subprocess.Popen(["unshare", "-m", "bash", "-c", script], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, start_new_session=True)

    def stop(self):
        """Ends the program and what it started: they are a session of their own."""
        if self.process is None:
            return
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()

    def tail(self):
        return (self.dir / "log").read_text(errors="replace")[-2000:]
