#!/bin/bash
# Fifteen minutes at 80% of the most: memory and latency that stay flat, partitions that are dropped, sizes that stay bounded.
#   tests/bench/endurance.sh [--minutes 15] [--share 0.8] [--preset release]
# Finds the maximum first, in a minute, when the server has settled. All memory but 7 GB is held meanwhile (rig/memory.py says why).
# Content partitions are closed every two minutes and dropped a minute later, so that they are seen to go. Prints a line every half
# minute, with the CPU a message of the services and PostgreSQL; refuses to start with less than 30 GB free.
# Ends `endurance: memory N, latency N, partitions dropped N`: the last third of the run as a share of the second.
exec /usr/bin/python3 "$(dirname "$(readlink -f "$0")")/endurance.py" "$@"
