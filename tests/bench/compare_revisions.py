"""See compare.sh."""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLACE = ROOT / "build/compare"
BENCHES = ("classification_bench", "content_bench", "core_bench", "session_bench")


def run(command, cwd=ROOT):
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit("compare.sh: %s ended with %d\n%s" % (" ".join(map(str, command)), done.returncode, (done.stderr or done.stdout)[-2000:]))
    return done.stdout


def tree_of(revision):
    """A worktree at `revision`; it stays, named by the commit."""
    commit = run(["git", "rev-parse", "--verify", revision + "^{commit}"]).strip()
    place = PLACE / commit[:12]
    if not place.exists():
        PLACE.mkdir(parents=True, exist_ok=True)
        run(["git", "worktree", "add", "--detach", place, commit])
    return place


def build(tree, benches):
    """The binaries of those benchmarks that the revision has."""
    has = [bench for bench in benches if (tree / "tests/bench" / (bench + ".cc")).exists()]
    run(["cmake", "--preset", "release"], tree)
    run(["cmake", "--build", "--preset", "release", "--target", *has], tree)
    return {bench: tree / "build/release/bin" / bench for bench in has}


def times(binary, pattern):
    """CPU nanoseconds an item (or an iteration) by benchmark."""
    command = [binary, "--benchmark_format=json", "--benchmark_min_time=0.2"] + (["--benchmark_filter=" + pattern] if pattern else [])
    out = {}
    for row in json.loads(run(command))["benchmarks"]:
        out[row["name"]] = 1e9 / row["items_per_second"] if "items_per_second" in row else row["cpu_time"]
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("before")
    parser.add_argument("after", nargs="?")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(BENCHES))
    parser.add_argument("--filter", default="")
    args = parser.parse_args()
    benches = args.only.split(",")
    trees = [tree_of(args.before), tree_of(args.after) if args.after else ROOT]
    binaries = [build(tree, benches) for tree in trees]
    shared = [bench for bench in benches if all(bench in built for built in binaries)]
    for bench in set(benches) - set(shared):
        print("%s: not in both" % bench)
    count = 0
    for bench in shared:
        rounds = []
        for number in range(args.rounds):
            order = (0, 1) if number % 2 == 0 else (1, 0)
            taken = {which: times(binaries[which][bench], args.filter) for which in order}
            rounds.append((taken[0], taken[1]))
        for name in sorted(set(rounds[0][0]) & set(rounds[0][1])):
            before = statistics.median(r[0][name] for r in rounds)
            after = statistics.median(r[1][name] for r in rounds)
            ratios = sorted(r[1][name] / r[0][name] for r in rounds)
            print("%-28s %-28s %10.0f ns %10.0f ns  %.3f (%.3f .. %.3f)" % (
                bench, name, before, after, statistics.median(ratios), ratios[0], ratios[-1]), flush=True)
            count += 1
    if count == 0:
        sys.exit("compare.sh: no benchmark is in both revisions")
    print("compare: %d benchmarks" % count)


if __name__ == "__main__":
    main()
