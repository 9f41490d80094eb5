"""See goals.sh."""
import argparse
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/rig"))
sys.path.insert(0, str(ROOT / "tests/scenario"))
from end_to_end import latency, row  # noqa: E402
from signed_mail import ED25519, RSA, make_key  # noqa: E402
from trial import AT_FULL_SPEED, Failure, Trial  # noqa: E402

KEY = "dkim_keys:\n  - {domain: shop.example, selector: s, key: key.pem, algorithm: %s}\n"
VERP = AT_FULL_SPEED.replace("sender_domains: [shop.example]", "sender_domains: [shop.example], verp_domain: bounces.shop.example")
# Both domains of a message are sites with many of its recipients.
SHARED = ["--recipients", 100, "--domains", 2]


def signed(algorithm):
    def prepare(directory):
        make_key(directory / "key.pem", algorithm)
        return {"dkim.directory": str(directory)}
    return {"policy": AT_FULL_SPEED + KEY % algorithm, "egress": prepare}


def tokens(directory):
    (directory / "token.secrets").write_bytes(b"0123456789abcdef0123456789abcdef\n")
    return {"token.file": str(directory / "token.secrets")}


# Recipients a second; None: no goal of its own. `part`: of the messages that a plain row sends.
KINDS = {
    "plain": {"goal": 15_000},
    "shared": {"goal": 35_000, "part": 0.1, "recipients": 100, "load": SHARED},
    "verp": {"goal": None, "part": 0.02, "recipients": 100, "load": SHARED + ["--no-return-path"], "policy": VERP, "egress": tokens},
    "large": {"goal": 2_000, "part": 0.1, "size": 102_400},
    "ed25519": {"goal": 10_000, **signed(ED25519)},
    "rsa": {"goal": None, "part": 0.4, **signed(RSA)},
    "tls": {"goal": 10_000, "sink": []},
}


def measure(name, kind, args):
    with Trial(preset=args.preset, profile="bench") as trial:
        more = kind["egress"](pathlib.Path(trial.dir)) if "egress" in kind else {}
        trial.start(kind.get("policy", AT_FULL_SPEED), sink={"recording": "none", "tokens": 0, "more": kind.get("sink", ["--no-tls"])}, egress=more)
        trial.key = trial.local.key("shop")
        messages = int(args.messages * kind.get("part", 1))
        load = ["--size", kind.get("size", 10_240), *kind.get("load", [])]
        row(trial, "warm " + name, max(messages // 5, 1), load, kind.get("recipients", 1))
        return row(trial, name, messages, load, kind.get("recipients", 1))


def idle(args):
    with Trial(preset=args.preset, profile="bench") as trial:
        trial.start(AT_FULL_SPEED, sink={"recording": "none", "tokens": 0, "more": ["--no-tls"]})
        trial.key = trial.local.key("shop")
        return latency(trial)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=",".join([*KINDS, "idle"]))
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--preset", default="release")
    args = parser.parse_args()
    names = args.only.split(",")
    for name in names:
        if name not in KINDS and name != "idle":
            sys.exit("goals.sh: %s is no kind; there are %s" % (name, ", ".join([*KINDS, "idle"])))
    print("%d cores, preset %s" % (os.cpu_count(), args.preset))
    lines = []
    for name in names:
        if name == "idle":
            submit, delivered = idle(args)
            lines.append(("idle, ms", "submit p50 %.2f, delivered p50 %.2f" % (submit, delivered), "1.5, 3", submit <= 1.5 and delivered <= 3))
            continue
        rate, goal = measure(name, KINDS[name], args), KINDS[name]["goal"]
        lines.append((name, "%.0f/s" % rate, goal and "%d/s" % goal, goal and rate >= goal))
    print()
    for name, rate, goal, is_met in lines:
        print("%-10s %-42s goal %s%s" % (name, rate, goal or "none", "" if goal is None else ": met" if is_met else ": missed"))
    with_goal = [line for line in lines if line[2] is not None]
    print("goals met: %d of %d" % (sum(line[3] for line in with_goal), len(with_goal)))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit("goals.sh: %s" % failure)
