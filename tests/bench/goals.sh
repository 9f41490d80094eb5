#!/bin/bash
# What special mail costs through the whole of Sluice, each kind on a system of its own: shared contents with and without return paths of
# their own, large bodies, signatures, TLS.
#   tests/bench/goals.sh [--only plain,shared,verp,large,ed25519,rsa,tls,idle] [--messages 50000] [--preset release]
# A row a kind: recipients/s beside the goal, CPU µs a recipient by process. Ends `goals met: N of M`.
exec /usr/bin/python3 "$(dirname "$(readlink -f "$0")")/goals.py" "$@"
