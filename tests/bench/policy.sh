#!/bin/bash
# What a policy at size costs: 10,000 sources, 1,000 pools, 5,000 routes and as many shaping rules, 200,000 recipient domains.
#   tests/bench/policy.sh [--preset release] [SOURCES POOLS RULES DOMAINS]
# Apply (bound 2 s: from YAML to where it acts, in one process; storing it and telling the services come on top), a routing decision
# (2 µs), a pick of a source (1 µs), memory. Ends with an error when a bound is missed. Builds what it runs.
set -eu
cd "$(dirname "$(readlink -f "$0")")/../.."
preset=release
if [ "${1:-}" = --preset ]; then preset=$2; shift 2; fi
cmake --preset "$preset" > /dev/null
cmake --build --preset "$preset" --target policy_bench > /dev/null
exec "build/$preset/bin/policy_bench" "$@"
