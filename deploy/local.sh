#!/bin/bash
# Sluice on one machine: a private PostgreSQL and the three services on loopback. `deploy/local.sh --help` says more.
exec /usr/bin/python3 "$(dirname "$(readlink -f "$0")")/sluice_local.py" "$@"
