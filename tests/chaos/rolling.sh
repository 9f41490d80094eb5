#!/bin/bash
# Restarts every service of a loaded Sluice in the order of the runbook (standby, scheduler, ingest, egress), lap after lap, and counts
# what was lost, what was sent twice, and what a client that retries as told was refused for good.
#   tests/chaos/rolling.sh [--rate 2000] [--laps 3] [--preset release]
# Ends with `rolling restart: lost N, duplicated N, client errors N`.
exec /usr/bin/python3 "$(dirname "$(readlink -f "$0")")/rolling.py" "$@"
