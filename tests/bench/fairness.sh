#!/bin/bash
# Who waits for whom, on the real binaries.
#   tests/bench/fairness.sh [--small] [--bulk 1000000] [--rounds 5] [--pairs 5] [--preset release] [--only trickle|tenants|hole]
#  trickle: one tenant's bulk on the same two sources as another's transactional trickle: the trickle's p99 from submit to delivered,
#           alone and beside the bulk in turns, the median of the rounds (promised: less than three times).
#  tenants: ten equal tenants with unequal backlogs: each one's share of what left while all had mail waiting (promised: 10% ± 1).
#  hole:    a site whose host refuses every connection, with the bulk: the others' rate beside their rate without it, in interleaved pairs
#           (promised: less than 5% of difference in the median; the range is printed).
# Bulk is loaded by SQL. Ends with one line a part: `trickle p99 ratio: N`, `tenant share range: A to B`, `hole rate share: N`.
exec /usr/bin/python3 "$(dirname "$(readlink -f "$0")")/fairness.py" "$@"
