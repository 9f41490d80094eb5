#!/bin/bash
# What a long queue costs: entries are loaded by SQL, 100 to a content, and mail goes on beside them.
#   tests/bench/backlog.sh [--small] [--entries 10000000] [--domains 200000] [--messages 30000] [--pairs 5] [--preset release]
# Two systems of their own, one empty and one with the backlog, take turns at the same load. Then the scheduler of the second is
# restarted with part of its backlog due, and a tenth of the backlog (at most a million) is cancelled. Measured: throughput beside the
# backlog as a share of that without (median of pairs), resident set, first delivery after the restart, seconds and memory of the cancel.
# Ends with `backlog throughput share: N` and `first delivery seconds: N`. Needs about 15 GB of disk at full size; --small takes minutes.
exec /usr/bin/python3 "$(dirname "$(readlink -f "$0")")/backlog.py" "$@"
