#!/bin/bash
# From nothing to mail delivered: installs what is needed, builds, starts a private PostgreSQL, the three services, a DNS server and an
# SMTP sink on loopback, sends real mail through two pools on four source IPs, and shows what went out from which.
#   deploy/quickstart.sh            leaves the system running
#   deploy/quickstart.sh --once     stops it again
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
deploy/packages.sh test
cmake --preset release >/dev/null
cmake --build --preset release --target binaries
exec /usr/bin/python3 deploy/quickstart.py "$@"
