#!/bin/bash
# Installs what is needed, builds everything and runs every test; ends with ctest's summary. Arguments go to ctest
# (`tests/run.sh -L unit`, `tests/run.sh -R core`).
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
deploy/packages.sh test
cmake --preset debug >/dev/null
cmake --build --preset debug
export SLUICE_REQUIRE_POSTGRES=1 SLUICE_REQUIRE_ALL=1
exec ctest --preset debug -j "$(nproc)" "$@"
