#!/bin/bash
# The images and the composed system, tried with Debian's Docker: builds deploy/Dockerfile unchanged, starts deploy/compose.yaml with mutual
# TLS, delivers across container networks, kills and stops each service, refuses an egress with a foreign certificate. Needs root, the
# package mirror and 6 GB. --dir DIR keeps the images for a second run. Ends `container test: ok`.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
missing=()
for package in docker.io docker-compose debootstrap; do
  dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" iptables >/dev/null
fi
deploy/packages.sh test
exec /usr/bin/python3 tests/container/container.py "$@"
