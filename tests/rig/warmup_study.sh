#!/bin/sh
# The study of deploy/docs/warmup.md again: builds it, prints its tables and writes its plots. Deterministic.
set -e
cd "$(dirname "$0")/../.."
[ -f build/release/build.ninja ] || cmake --preset release >/dev/null
cmake --build --preset release --target sluice-warmup-study >/dev/null
mkdir -p deploy/docs/warmup
exec build/release/bin/sluice-warmup-study deploy/docs/warmup
