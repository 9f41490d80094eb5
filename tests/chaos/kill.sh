#!/bin/bash
# Kills each part of a loaded Sluice and counts what was lost and what was sent twice.
#   tests/chaos/kill.sh [--rounds 20] [--messages 20000] [--preset release] [--seed N]
# A round is one run; the kinds of round take turns: ingest, scheduler, scheduler with a standby, PostgreSQL, egress, frozen
# scheduler, rolling restart. Ends with `lost: N` and `duplicated: N (bound M)`.
exec /usr/bin/python3 "$(dirname "$(readlink -f "$0")")/kill.py" "$@"
