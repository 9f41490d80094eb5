#!/bin/bash
# Messages a second through the whole of Sluice on this machine, sink and load generator included, shipped default configuration.
#   tests/bench/end_to_end.sh [--messages 100000] [--size 10240] [--least 5000] [--preset release]
# Two rows: bodies made from the corpus, and incompressible ones; then the idle latency. Ends with `messages/s: N` (of the first row).
exec /usr/bin/python3 "$(dirname "$(readlink -f "$0")")/end_to_end.py" "$@"
