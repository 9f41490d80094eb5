#!/bin/bash
# Two revisions side by side: the microbenchmarks of both in turns within one run, and the ratio of each.
#   tests/bench/compare.sh BEFORE [AFTER] [--rounds 5] [--only core_bench,content_bench,…] [--filter REGEX]
# BEFORE and AFTER are revisions; without AFTER: the tree as it stands. Each revision is built (release) in a worktree of its own under
# build/compare, which stays for the next time. CPU time, the median of the rounds and their range. Ends `compare: N benchmarks`.
exec /usr/bin/python3 "$(dirname "$(readlink -f "$0")")/compare_revisions.py" "$@"
