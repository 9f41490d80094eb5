"""The part of quickstart.sh that sends mail and looks at what arrived."""
import argparse
import collections
import pathlib
import secrets
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/rig"))
import xxhash  # noqa: E402
from trial import AT_FULL_SPEED, Failure, Trial  # noqa: E402

MESSAGES = 1200
LARGE = 8  # Of them with an attachment of 5 MB.
DOMAINS = 20
DIR = pathlib.Path("/tmp/sluice-quickstart")


def normalise(content):
    """What ingest documents: content whose line ends are all LF gets CRLF; a missing final line end is added."""
    if b"\r\n" not in content:
        content = content.replace(b"\n", b"\r\n")
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def corpus():
    """Name → content, of every kind; the large attachment is made here."""
    kinds = {path.stem: path.read_bytes() for path in sorted((ROOT / "tests/data/mail").glob("*.eml"))}
    made = DIR / "large"
    made.mkdir()
    subprocess.run([str(ROOT / "tests/data/make_large.py"), str(made)], check=True, stdout=subprocess.DEVNULL)
    return kinds, {path.stem: path.read_bytes() for path in sorted(made.glob("*.eml"))}


def submissions(client_module):
    """(Submission, digest of the normalised bytes) for every message."""
    kinds, large = corpus()
    names, large_names = sorted(kinds), sorted(large)
    for number in range(MESSAGES):
        is_large = number < LARGE
        name = large_names[number % len(large_names)] if is_large else names[number % len(names)]
        token = secrets.token_hex(16)
        body = (large if is_large else kinds)[name]
        line_end = b"\r\n" if b"\r\n" in body else b"\n"
        content = b"X-Rig-Token: " + token.encode() + line_end + body
        stream = "transactional" if number % 2 == 0 else "marketing"
        yield name, token, stream, xxhash.xxh3_128_hexdigest(normalise(content)), client_module.submission(
            content, "user%d@m%d.d.test" % (number, number % DOMAINS), stream=stream, idempotency_key=token)


def send(trial):
    import client as client_module
    client = trial.client("shop")
    expected, kinds, frame = {}, collections.Counter(), []
    outcomes = []

    def flush():
        outcomes.extend(client.submit_many(frame, frame=8, timeout=300))
        frame.clear()

    for name, token, stream, digest, submission in submissions(client_module):
        expected[token] = (name, stream, digest)
        kinds[name] += 1
        frame.append(submission)
        if len(frame) >= 64:
            flush()
    flush()
    for outcome in outcomes:
        if outcome.HasField("error"):
            raise Failure("submit: %s" % outcome.error.message)
    return expected, kinds


def check(records, expected):
    by_source = collections.defaultdict(collections.Counter)
    wrong = []
    for record in records:
        name, stream, digest = expected.get(record.get("token", ""), ("unknown", "unknown", ""))
        by_source[stream][record["src"].rsplit(":", 1)[0]] += 1
        if record.get("suffix_xxh3") != digest:
            wrong.append("%s (token %s): the submitted bytes are no suffix of what arrived" % (name, record.get("token")))
    if wrong:
        raise Failure("\n".join(wrong[:10]))
    tokens = collections.Counter(r["token"] for r in records)
    if len(tokens) != len(expected) or len(records) != len(expected):
        raise Failure("%d messages were delivered %d times" % (len(tokens), len(records)))
    return by_source


def show(by_source):
    weights = {"transactional": ("warm", {"127.0.0.11": 2, "127.0.0.12": 1}),
               "marketing": ("new", {"127.0.0.13": 1, "127.0.0.14": 1})}
    print("\n%-15s %-6s %-12s %7s %9s %9s" % ("stream", "pool", "source", "weight", "sent", "share"))
    for stream, (pool, members) in weights.items():
        sent = by_source[stream]
        total, whole = sum(sent.values()), sum(members.values())
        if set(sent) - set(members):
            raise Failure("%s left from %s" % (stream, sorted(set(sent) - set(members))))
        for source, weight in members.items():
            print("%-15s %-6s %-12s %7d %9d %8.1f%%" % (stream, pool, source, weight, sent[source], 100 * sent[source] / total))
            if abs(sent[source] - total * weight / whole) > max(3, total * 0.02):
                raise Failure("%s sent %d of %d, its weight says %.0f" % (source, sent[source], total, total * weight / whole))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--once", action="store_true", help="stop everything at the end")
    once = parser.parse_args().once
    if (DIR / "local.json").exists():
        subprocess.run([str(ROOT / "deploy/local.sh"), "down", "--dir", str(DIR)], check=False)
    shutil.rmtree(DIR, ignore_errors=True)
    trial = Trial(preset="release", directory=DIR, keep=True)
    try:
        print("starting PostgreSQL, DNS, sink and the three services in %s" % DIR)
        trial.start(AT_FULL_SPEED)
        trial.local.save()
        for name, child in (("dns", trial.dns), ("sink", trial.sink.child)):
            (DIR / "run" / (name + ".pid")).write_text(str(child.process.pid))
        begin = time.monotonic()
        expected, kinds = send(trial)
        print("submitted %d messages of %d kinds in %.1f s" % (len(expected), len(kinds), time.monotonic() - begin))
        records = trial.wait_records(len(expected), 300)
        trial.wait_empty(60)
        show(check(records, expected))
        print("\nevery message arrived once, with the submitted bytes unchanged behind the headers that were added")
        print(trial.local.ctl("status").stdout)
        if not once:
            print("running; look around with `. %s/env` and `sluicectl status`, stop with `deploy/local.sh down --dir %s`"
                  % (DIR, DIR))
    except BaseException:
        for service in (trial.local.services.values() if trial.local else ()):
            print("---- %s\n%s" % (service.name, service.tail(25)), file=sys.stderr)
        trial.stop()
        raise
    if once:
        trial.local.down()
        trial.stop()
    print("delivered: %d" % len(expected))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit("quickstart: %s" % failure)
