#!/bin/bash
# Sluice and Postfix (tuned, durable queue, one relay) in turns on this machine: same message contents, same sink, both on a journaled
# file system with every fsync.
#   tests/bench/versus.sh [--pairs 5] [--messages 60000] [--postfix-messages 8000] [--size 10240] [--least 0] [--preset release]
# Prints medians with their range over the pairs, and what a message costs each. Needs root. Ends with `ratio: N` (messages a second).
exec /usr/bin/python3 "$(dirname "$(readlink -f "$0")")/versus.py" "$@"
